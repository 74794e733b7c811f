// /proc/PID/fd and /proc/PID/fdinfo.
#pragma once

#include "fs/vfs.h"

namespace kernel {

Result<struct inode*> make_fd_directory(super_block* super, i32 pid, bool info, u64 number);

} // namespace kernel
