// The OOM killer: the task that has most dies, with Linux's report. See reclaim.h.
#include "lib/log.h"
#include "lib/format.h"
#include "mm/memory_struct.h"
#include "mm/reclaim.h"
#include "mm/swap.h"
#include "mm/vmstat.h"
#include "mm/zone.h"
#include "sched/scheduler.h"
#include "task/signal.h"
#include "task/task.h"
#include "time/tick.h"

namespace kernel {
namespace {

constinit struct mutex oom_lock{"oom_lock"};
constinit task_struct* oom_victim = nullptr; ///< with a reference; under oom_lock

/// REQUIRES: tasklist_lock, so that the tasks stay; mm is read under task_lock.
template <typename Visit> void each_process(Visit visit) {
    for (LIST_EACH(node, task_list)) {
        task_struct* task = container_of(node, task_struct, tasks);
        if (task->flags & PF_KTHREAD || task->pid != task->tgid) continue;
        IrqSpinGuard guard(task->alloc_lock);
        if (task->mm) visit(*task, *task->mm);
    }
}

i64 badness(const task_struct& task, const mm_struct& mm, u64 total_pages) {
    if (task.pid == 1 || task.oom_score_adj == -1000) return -1;
    i64 points = static_cast<i64>(mm.rss + mm.swap_usage + mm.pgtables_bytes / PAGE_SIZE);
    points += task.oom_score_adj * static_cast<i64>(total_pages) / 1000;
    return max<i64>(points, 1);
}

void show_mem() {
    auto page_state = [](vm_stat_item item) { return global_page_state(item); };
    pr_warn("Mem-Info:\n");
    pr_warn("active_anon:%lu inactive_anon:%lu isolated_anon:0\n active_file:%lu inactive_file:%lu "
            "isolated_file:0\n"
            " unevictable:%lu dirty:%lu writeback:%lu\n slab_reclaimable:%lu slab_unreclaimable:%lu\n "
            "mapped:%lu shmem:%lu pagetables:%lu\n"
            " free:%lu free_pcp:%lu\n",
            page_state(NR_ACTIVE_ANON), page_state(NR_INACTIVE_ANON), page_state(NR_ACTIVE_FILE),
            page_state(NR_INACTIVE_FILE), page_state(NR_UNEVICTABLE), page_state(NR_FILE_DIRTY),
            page_state(NR_WRITEBACK), u64{0}, page_state(NR_SLAB), page_state(NR_FILE_MAPPED),
            page_state(NR_SHMEM), page_state(NR_PAGETABLE), nr_free_pages(),
            zone_pcp_pages(zones[0]) + zone_pcp_pages(zones[1]) + zone_pcp_pages(zones[2]));
    for (const struct zone& zone : zones) {
        if (!zone.managed_pages) continue;
        pr_warn("Node 0 %s free:%lukB boost:0kB min:%lukB low:%lukB high:%lukB present:%lukB managed:%lukB\n",
                zone.name, zone.free_pages * 4, zone._watermark[WMARK_MIN] * 4,
                zone._watermark[WMARK_LOW] * 4, zone._watermark[WMARK_HIGH] * 4, zone.present_pages * 4,
                zone.managed_pages * 4);
        pr_warn("lowmem_reserve[]: %lu %lu %lu\n", zone.lowmem_reserve[0], zone.lowmem_reserve[1],
                zone.lowmem_reserve[2]);
    }
    for (const struct zone& zone : zones) {
        if (!zone.managed_pages) continue;
        char line[256];
        usize length = format_text(line, sizeof line, "Node 0 %s:", zone.name);
        u64 total = 0;
        for (unsigned order = 0; order <= MaxOrder; order++) {
            length += format_text(line + length, sizeof line - length, " %lu*%ukB",
                                  zone.free_area[order].nr_free, 4U << order);
            total += zone.free_area[order].nr_free << order;
        }
        pr_warn("%s = %lukB\n", line, total * 4);
    }
    pr_warn("%lu total pagecache pages\n", page_state(NR_FILE_PAGES) + page_state(NR_SWAPCACHE));
    pr_warn("%lu pages in swap cache\nFree swap  = %lukB\nTotal swap = %lukB\n", page_state(NR_SWAPCACHE),
            nr_swap_pages * 4, total_swap_pages * 4);
    pr_warn("%lu pages RAM\n", totalram_pages());
}

void dump_tasks() {
    pr_warn("Tasks state (memory values in pages):\n");
    pr_warn("[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name\n");
    each_process([](task_struct& task, mm_struct& mm) {
        pr_warn("[%7d] %5d %5d %8lu %8lu %8lu %8lu         %5d %s\n", task.pid, 0, task.tgid, mm.total_vm,
                mm.rss, mm.pgtables_bytes, mm.swap_usage, task.oom_score_adj, task.comm);
    });
}

} // namespace

bool tsk_is_oom_victim(const task_struct& task) {
    return (task.pending.signal >> (SIGKILL - 1) & 1) || (task.flags & PF_EXITING);
}

i64 oom_badness(task_struct& task, u64 total_pages) {
    IrqSpinGuard guard(task.alloc_lock);
    return task.mm && !(task.flags & PF_KTHREAD) ? badness(task, *task.mm, total_pages) : -1;
}

bool out_of_memory(u32 gfp_flags, unsigned order) {
    task_struct* self = get_current();
    MutexGuard guard(oom_lock);
    if (tsk_is_oom_victim(*self)) return true;
    if (oom_victim) { // one dies already: what he has will come back
        bool gone;
        {
            IrqSpinGuard lock(oom_victim->alloc_lock);
            gone = !oom_victim->mm;
        }
        if (!gone) return schedule_timeout_idle(1), true;
        put_task_struct(oom_victim);
        oom_victim = nullptr;
    }
    pr_warn("%s invoked oom-killer: gfp_mask=%#x%s, order=%u, oom_score_adj=%d\n", self->comm, gfp_flags,
            (gfp_flags & GFP_KERNEL) == GFP_KERNEL ? "(GFP_KERNEL)" : "", order, self->oom_score_adj);
    pr_warn("CPU: %u PID: %d Comm: %s\n", smp_processor_id(), self->pid, self->comm);
    show_mem();
    task_struct* chosen = nullptr;
    i64 most = 0;
    mm_struct* victim_mm = nullptr;
    u64 vm = 0, anon = 0, file = 0, tables = 0, total = totalram_pages() + total_swap_pages;
    {
        IrqSpinGuard lock(tasklist_lock);
        dump_tasks();
        each_process([&](task_struct& task, mm_struct& mm) {
            i64 points = badness(task, mm, total);
            if (points <= most) return;
            most = points;
            chosen = &task;
            victim_mm = &mm;
            vm = mm.total_vm, anon = mm.anon_rss, file = mm.rss - min(mm.rss, mm.anon_rss),
            tables = mm.pgtables_bytes;
        });
        if (chosen) {
            get_task_struct(oom_victim = chosen);
            // Everybody who shares the memory must go, or it does not come back.
            for (LIST_EACH(node, task_list)) {
                task_struct* task = container_of(node, task_struct, tasks);
                if (task->mm == victim_mm && !(task->flags & PF_KTHREAD))
                    (void)do_send_sig_info(SIGKILL, nullptr, task, PIDTYPE_TGID);
            }
        }
    }
    if (!chosen) {
        if (!(self->flags & PF_KTHREAD) && self->pid != 1) return false;
        panic("System is deadlocked on memory");
    }
    count_vm_events(OOM_KILL);
    pr_warn("oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),task=%s,pid=%d,uid=0\n", chosen->comm,
            chosen->pid);
    pr_err("Out of memory: Killed process %d (%s) total-vm:%lukB, anon-rss:%lukB, file-rss:%lukB, "
           "shmem-rss:0kB, UID:0 pgtables:%lukB "
           "oom_score_adj:%d\n",
           chosen->pid, chosen->comm, vm * 4, anon * 4, file * 4, tables / 1024, chosen->oom_score_adj);
    if (chosen != self) schedule_timeout_idle(1);
    return true;
}

} // namespace kernel
