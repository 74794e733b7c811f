// /proc/PID/fd and /proc/PID/fdinfo.
#pragma once

#include "fs/vfs.h"

namespace kernel {

Result<struct inode*> make_fd_directory(super_block* super, i32 pid, bool info, u64 number);

/// What is a task's in /proc belongs to who it runs as (fs/proc/proc.cpp).
Result<struct inode*> owned_by_task(Result<struct inode*> node, i32 pid);

} // namespace kernel
