// More of /proc/PID: environ, mounts, mountinfo, limits, oom_score, smaps. Formats: proc(5).
#include "fs/proc/proc.h"
#include "mm/memory_struct.h"
#include "mm/reclaim.h"
#include "mm/rmap.h"
#include "mm/slab.h"
#include "mm/swap.h"
#include "mm/zone.h"
#include "task/signal.h"
#include "task/task.h"

namespace kernel {

void show_remote_bytes(seq_file& out, mm_struct& mm, u64 start, u64 end) {
    if (start >= end || out.length + 1 >= out.capacity) return;
    usize size = min<u64>(end - start, out.capacity - out.length - 1);
    out.length += access_remote_vm(mm, start, out.data + out.length, size);
}

void show_task_environ(seq_file& out, task_struct& task) {
    mm_struct* mm = get_task_mm(&task);
    if (!mm) return;
    show_remote_bytes(out, *mm, mm->env_start, mm->env_end);
    mmput(mm);
}

void show_task_mounts(seq_file& out, task_struct&) { show_mounts(out); }

void show_task_mountinfo(seq_file& out, task_struct&) {
    u32 id = 1;
    for (const struct mount* mount = mounts; mount; mount = mount->next, id++) {
        u32 device = static_cast<u32>(mount->super->s_dev);
        const char* rights = mount->super->s_readonly ? "ro" : "rw";
        out.print("%u %u %u:%u / %s %s,relatime - %s %s %s\n", id, id == 1 ? 0 : 1, device_major(device),
                  device_minor(device), mount->target, rights, mount->super->s_type, mount->source, rights);
    }
}

void show_task_limits(seq_file& out, task_struct& task) {
    struct Row {
        u32 resource;
        const char *name, *unit;
    };
    constexpr Row rows[] = {{0, "Max cpu time", "seconds"},     {1, "Max file size", "bytes"},
                            {2, "Max data size", "bytes"},      {3, "Max stack size", "bytes"},
                            {4, "Max core file size", "bytes"}, {5, "Max resident set", "bytes"},
                            {6, "Max processes", "processes"},  {7, "Max open files", "files"},
                            {8, "Max locked memory", "bytes"},  {9, "Max address space", "bytes"},
                            {10, "Max file locks", "locks"},    {11, "Max pending signals", "signals"},
                            {12, "Max msgqueue size", "bytes"}, {13, "Max nice priority", ""},
                            {14, "Max realtime priority", ""},  {15, "Max realtime timeout", "us"}};
    IrqSpinGuard guard(tasklist_lock);
    if (!task.signal) return;
    out.print("Limit                     Soft Limit           Hard Limit           Units     \n");
    for (const Row& row : rows) {
        const struct rlimit& limit = task.signal->rlim[row.resource];
        out.print("%-25s ", row.name);
        const u64 values[] = {limit.rlim_cur, limit.rlim_max};
        for (u64 value : values) {
            if (value == ~u64{0})
                out.print("%-20s ", "unlimited");
            else
                out.print("%-20lu ", value);
        }
        out.print("%-10s\n", row.unit);
    }
}

void show_task_oom_score(seq_file& out, task_struct& task) {
    u64 total = totalram_pages() + total_swap_pages;
    i64 points = oom_badness(task, total);
    // Linux's scale: 1000 for all of memory, 666 for adj 0 and nothing.
    out.print("%ld\n", points < 0 ? 0 : (1000 + points * 1000 / static_cast<i64>(total)) * 2 / 3);
}

void show_task_oom_score_adj(seq_file& out, task_struct& task) { out.print("%d\n", task.oom_score_adj); }

void show_task_smaps(seq_file& out, task_struct& task) {
    mm_struct* mm = get_task_mm(&task);
    auto* buffer = static_cast<char*>(mm ? kmalloc(PathMax) : nullptr);
    if (buffer) {
        ReadGuard guard(mm->mmap_lock);
        for (LIST_EACH(node, mm->mmap)) {
            const vm_area_struct* area = container_of(node, vm_area_struct, vm_list);
            show_map_vma(out, *area, buffer);
            u64 rss = 0, pss = 0, referenced = 0, anonymous = 0, swapped = 0,
                kinds[4] = {}; // shared clean and dirty, private clean and dirty
            SpinGuard lock(mm->page_table_lock);
            for (u64 address = area->vm_start; address < area->vm_end; address += PAGE_SIZE) {
                const u64* entry = page_table_entry(mm->pgd, address, false, 0);
                if (entry && pte::is_swap(*entry)) swapped += 4;
                if (!entry || !pte::holds_page(*entry)) continue;
                const struct page* page = phys_to_page(*entry & pte::AddressMask);
                if (page_is_permanent(page)) continue; // the zero page
                u64 users = static_cast<u64>(max(page->_mapcount, 0)) + 1;
                rss += 4, pss += 4 * KiB / users;
                kinds[(users > 1 ? 0 : 2) + (*entry & pte::Dirty ? 1 : 0)] += 4;
                if (*entry & pte::Accessed) referenced += 4;
                if (page->tag == PageType::Anonymous) anonymous += 4;
            }
            out.print("Size:           %8lu kB\nKernelPageSize: %8u kB\nMMUPageSize:    %8u kB\nRss:         "
                      "   %8lu kB\n"
                      "Pss:            %8lu kB\nShared_Clean:   %8lu kB\nShared_Dirty:   %8lu "
                      "kB\nPrivate_Clean:  %8lu kB\n"
                      "Private_Dirty:  %8lu kB\n"
                      "Referenced:     %8lu kB\nAnonymous:      %8lu kB\nSwap:           %8lu kB\n"
                      "Locked:         %8lu kB\n",
                      (area->vm_end - area->vm_start) / KiB, 4U, 4U, rss, pss / KiB, kinds[0], kinds[1],
                      kinds[2], kinds[3], referenced, anonymous, swapped,
                      area->vm_flags & VM_LOCKED ? pss / KiB : 0);
        }
    }
    kfree(buffer);
    if (mm) mmput(mm);
}

} // namespace kernel
