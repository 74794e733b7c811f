// procfs: files whose text is made when they are opened. Formats are Linux's.
#pragma once

#include "fs/vfs.h"

namespace kernel {

struct task_struct;

/// Collects a file's text; what does not fit is cut (and the file says so by ending early).
struct seq_file {
    char* data;
    usize capacity;
    usize length = 0;
    [[gnu::format(printf, 2, 3)]] void print(const char* format, ...);
};

void show_swaps(seq_file& out); ///< mm/swapfile.cpp
struct inode* make_procfs();
/// /proc/sys (sys.cpp).
Result<struct inode*> make_sys_directory(super_block* super);
/// /proc/PID/net (proc_net.cpp).
Result<struct inode*> make_net_directory(super_block* super, u64 number);
/// A file whose text `show` makes.
Result<struct inode*> make_proc_file(u64 number, u32 mode, void (*show)(seq_file&));

// Generators: system.cpp, memory.cpp, tasks.cpp.
void show_meminfo(seq_file& out);
void show_buddyinfo(seq_file& out);
void show_zoneinfo(seq_file& out);
void show_vmstat(seq_file& out);
void show_pagetypeinfo(seq_file& out);
void show_slabinfo(seq_file& out);
void show_vmallocinfo(seq_file& out);
void show_iomem(seq_file& out);
void show_cpuinfo(seq_file& out);
void show_uptime(seq_file& out);
void show_version(seq_file& out);
void show_cmdline(seq_file& out);
void show_interrupts(seq_file& out);
void show_softirqs(seq_file& out);
void show_timer_list(seq_file& out); ///< time/timer_list.cpp
void show_stat(seq_file& out);
void show_loadavg(seq_file& out);
void show_sched_debug(seq_file& out);
void show_schedstat(seq_file& out);
void show_mounts(seq_file& out);
void show_filesystems(seq_file& out);
void show_partitions(seq_file& out);
void show_diskstats(seq_file& out);
void show_task_stat(seq_file& out, task_struct& task);
void show_task_status(seq_file& out, task_struct& task);
void show_task_statm(seq_file& out, task_struct& task);
/// One line of maps; `buffer` has PathMax bytes.
void show_map_vma(seq_file& out, const struct vm_area_struct& area, char* buffer);
void show_task_maps(seq_file& out, task_struct& task);
void show_task_comm(seq_file& out, task_struct& task);
void show_task_cmdline(seq_file& out, task_struct& task);
void show_task_sched(seq_file& out, task_struct& task);
void show_task_schedstat(seq_file& out, task_struct& task);
void show_remote_bytes(seq_file& out, mm_struct& mm, u64 start,
                       u64 end); ///< another address space's, as far as it reaches
void show_task_environ(seq_file& out, task_struct& task);
void show_task_mounts(seq_file& out, task_struct& task);
void show_task_mountinfo(seq_file& out, task_struct& task);
void show_task_limits(seq_file& out, task_struct& task);
void show_task_oom_score(seq_file& out, task_struct& task);
void show_task_oom_score_adj(seq_file& out, task_struct& task);
void show_task_io(seq_file& out, task_struct& task);
void show_task_wchan(seq_file& out, task_struct& task);
void show_net_unix(seq_file& out);
void show_ioports(seq_file& out);
void show_devices(seq_file& out);
void show_kallsyms(seq_file& out);
void show_task_smaps(seq_file& out, task_struct& task);

} // namespace kernel
