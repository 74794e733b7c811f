// procfs: files whose text is made when they are opened. Formats are Linux's.
#pragma once

#include "fs/vfs.h"

namespace kernel {

struct Task;

/// Collects a file's text; what does not fit is cut (and the file says so by ending early).
struct TextBuffer {
    char* data;
    usize capacity;
    usize length = 0;
    [[gnu::format(printf, 2, 3)]] void print(const char* format, ...);
};

Inode* make_procfs();

// Generators: system.cpp, memory.cpp, tasks.cpp.
void show_meminfo(TextBuffer& out);
void show_buddyinfo(TextBuffer& out);
void show_zoneinfo(TextBuffer& out);
void show_slabinfo(TextBuffer& out);
void show_vmallocinfo(TextBuffer& out);
void show_iomem(TextBuffer& out);
void show_cpuinfo(TextBuffer& out);
void show_uptime(TextBuffer& out);
void show_version(TextBuffer& out);
void show_cmdline(TextBuffer& out);
void show_interrupts(TextBuffer& out);
void show_softirqs(TextBuffer& out);
void show_stat(TextBuffer& out);
void show_loadavg(TextBuffer& out);
void show_sched_debug(TextBuffer& out);
void show_mounts(TextBuffer& out);
void show_filesystems(TextBuffer& out);
void show_partitions(TextBuffer& out);
void show_diskstats(TextBuffer& out);
void show_task_stat(TextBuffer& out, Task& task);
void show_task_status(TextBuffer& out, Task& task);
void show_task_statm(TextBuffer& out, Task& task);
void show_task_maps(TextBuffer& out, Task& task);
void show_task_comm(TextBuffer& out, Task& task);
void show_task_cmdline(TextBuffer& out, Task& task);
void show_task_sched(TextBuffer& out, Task& task);

} // namespace kernel
