// /proc/PID: stat (52 fields), status, statm, maps, comm, cmdline, sched. Formats: proc(5).
#include "irq/workqueue.h"
#include "drivers/tty.h"
#include "fs/proc/proc.h"
#include "lib/format.h"
#include "mm/memory_struct.h"
#include "mm/slab.h"
#include "mm/zone.h"
#include "sched/scheduler.h"
#include "task/signal.h"
#include "task/task.h"
#include "time/tick.h"

namespace kernel {
namespace {

constexpr u64 ClockTicks = 100; ///< USER_HZ

/// A task's address space for the length of a block, or null.
struct MmReference {
    mm_struct* mm;
    explicit MmReference(task_struct& task) : mm(get_task_mm(&task)) {}
    ~MmReference() {
        if (mm) mmput(mm);
    }
    MmReference(const MmReference&) = delete;
    MmReference& operator=(const MmReference&) = delete;
    mm_struct* operator->() const { return mm; }
    explicit operator bool() const { return mm; }
};

i32 parent_pid(const task_struct& task) {
    IrqSpinGuard guard(tasklist_lock);
    return task.parent ? task.parent->pid : 0;
}

struct Signals {
    u64 ignored = 0, caught = 0;
};
Signals classify(const task_struct& task) {
    Signals s;
    for (int i = 0; task.sighand && i < SignalCount; i++) {
        u64 handler = task.sighand->action[i].handler;
        if (handler == 1)
            s.ignored |= u64{1} << i;
        else if (handler)
            s.caught |= u64{1} << i;
    }
    return s;
}

} // namespace

void show_task_comm(seq_file& out, task_struct& task) {
    char name[64];
    wq_worker_comm(name, sizeof name, &task);
    out.print("%s\n", name);
}

namespace {
/// Device number and foreground group of the controlling terminal; 0 and −1 without one.
struct Terminal {
    u32 device = 0;
    i32 group = -1;
    explicit Terminal(const task_struct& task) {
        IrqSpinGuard guard(tasklist_lock);
        const tty_struct* tty = task.signal ? task.signal->tty : nullptr;
        if (!tty) return;
        device = tty->pty ? make_device(136, pty_index(*tty->pty)) : make_device(5, 1);
        group = tty->foreground_group;
    }
};
} // namespace

void show_task_stat(seq_file& out, task_struct& task) {
    Terminal terminal(task);
    MmReference mm(task);
    Signals signals = classify(task);
    out.print("%d (%s) %c %d %d %d %d %d %u ", task.pid, task.comm, task_state_to_char(task),
              parent_pid(task), task_pgrp_nr(task), task_session_nr(task), terminal.device, terminal.group,
              task.flags);
    out.print("%lu 0 %lu 0 %lu %lu 0 0 %d %d 1 0 %lu ", task.min_flt, task.maj_flt,
              task.utime * ClockTicks / HZ, task.stime * ClockTicks / HZ, task_prio(task) - 100, task.nice,
              task.start_time / (1'000'000'000 / ClockTicks));
    out.print("%lu %lu %lu %lu %lu %lu 0 0 %lu %lu %lu %lu 0 0 0 %d %u %u %u 0 0 0 ",
              mm ? mm->total_vm * PAGE_SIZE : 0, mm ? mm->rss : 0, ~u64{0}, mm ? mm->start_code : 0,
              mm ? mm->end_code : 0, mm ? mm->start_stack : 0, task.pending.signal, task.blocked,
              signals.ignored, signals.caught, task.exit_signal, task.cpu, task.rt_priority, task.policy);
    out.print("%lu %lu %lu %lu %lu %lu %lu %d\n", mm ? mm->start_data : 0, mm ? mm->end_data : 0,
              mm ? mm->start_brk : 0, mm ? mm->arg_start : 0, mm ? mm->arg_end : 0, mm ? mm->env_start : 0,
              mm ? mm->env_end : 0, task.exit_code);
}

void show_task_status(seq_file& out, task_struct& task) {
    constexpr const char* words[] = {"R (running)", "S (sleeping)", "D (disk sleep)", "T (stopped)",
                                     "Z (zombie)",  "X (dead)",     "I (idle)"};
    const char* word = "?";
    for (const char* candidate : words)
        if (candidate[0] == task_state_to_char(task)) word = candidate;
    Signals signals = classify(task);
    u32 fdt_size = 0, threads = 1;
    struct cred cred;
    {
        IrqSpinGuard guard(tasklist_lock);
        cred = *task.cred;
        if (task.signal) threads = task.signal->nr_threads;
    }
    {
        IrqSpinGuard guard(task.alloc_lock);
        if (task.files) fdt_size = __atomic_load_n(&task.files->max_fds, __ATOMIC_RELAXED);
    }
    out.print("Name:\t%s\nUmask:\t%04o\nState:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:"
              "\t0\nUid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\nFDSize:\t%u\n",
              task.comm, task.umask, word, task.tgid, task.pid, parent_pid(task), cred.uid, cred.euid,
              cred.suid, cred.fsuid, cred.gid, cred.egid, cred.sgid, cred.fsgid, fdt_size);
    if (MmReference mm(task); mm)
        out.print("VmSize:\t%8lu kB\nVmLck:\t%8lu kB\nVmRSS:\t%8lu kB\nVmData:\t%8lu kB\nVmStk:\t%8lu kB\n"
                  "VmExe:\t%8lu kB\nVmPTE:\t%8lu kB\nVmSwap:\t%8lu kB\n",
                  mm->total_vm * 4, mm->locked_vm * 4, mm->rss * 4, mm->data_vm * 4, mm->stack_vm * 4,
                  (align_up(mm->end_code, PAGE_SIZE) - align_down(mm->start_code, PAGE_SIZE)) / KiB,
                  mm->pgtables_bytes / KiB, mm->swap_usage * 4);
    out.print("Threads:\t%u\nSigPnd:\t%016lx\nSigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n", threads,
              task.pending.signal, task.blocked, signals.ignored, signals.caught);
    out.print("voluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n", task.se.nvcsw,
              task.se.nivcsw);
}

void show_task_statm(seq_file& out, task_struct& task) {
    MmReference mm(task);
    u64 text =
        mm ? (align_up(mm->end_code, PAGE_SIZE) - align_down(mm->start_code, PAGE_SIZE)) >> PAGE_SHIFT : 0;
    out.print("%lu %lu 0 %lu 0 %lu 0\n", mm ? mm->total_vm : 0, mm ? mm->rss : 0, text,
              mm ? mm->total_vm - text : 0);
}

void show_map_vma(seq_file& out, const vm_area_struct& area, char* buffer) {
    u64 device = area.vm_file && area.vm_file->f_inode->i_sb ? area.vm_file->f_inode->i_sb->s_dev : 0;
    out.print("%08lx-%08lx %c%c%c%c %08lx %02x:%02x %-10lu ", area.vm_start, area.vm_end,
              area.vm_flags & VM_READ ? 'r' : '-', area.vm_flags & VM_WRITE ? 'w' : '-',
              area.vm_flags & VM_EXEC ? 'x' : '-', area.vm_flags & VM_SHARED ? 's' : 'p',
              area.vm_file || (area.vm_flags & VM_SPECIAL) ? area.vm_pgoff << PAGE_SHIFT : 0,
              device_major(static_cast<u32>(device)), device_minor(static_cast<u32>(device)),
              area.vm_file ? area.vm_file->f_inode->i_ino : 0);
    const char* name = area.vm_file && area.vm_file->f_dentry
                           ? d_path_or_name(area.vm_file->f_dentry, buffer, PathMax)
                           : area.vm_name;
    out.print("%s%s\n", name[0] ? "                " : "", name);
}

void show_task_maps(seq_file& out, task_struct& task) {
    MmReference mm(task);
    auto* buffer = static_cast<char*>(mm ? kmalloc(PathMax) : nullptr);
    if (!buffer) return;
    {
        ReadGuard guard(mm->mmap_lock);
        for (LIST_EACH(node, mm->mmap))
            show_map_vma(out, *container_of(node, vm_area_struct, vm_list), buffer);
    }
    kfree(buffer);
}

void show_task_cmdline(seq_file& out, task_struct& task) {
    MmReference mm(task);
    if (!mm) return;
    show_remote_bytes(out, *mm.mm, mm->arg_start, mm->arg_end); // the strings are in the task's own memory
}

} // namespace kernel
