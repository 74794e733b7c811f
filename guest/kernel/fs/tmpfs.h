// tmpfs, and shared anonymous memory.
#pragma once

#include "fs/vfs.h"

namespace kernel {

void shmem_init();
/// The root of a new, empty file system.
Result<struct inode*> make_tmpfs();
/// Memory that several processes share (mmap MAP_SHARED | MAP_ANONYMOUS).
/// It is committed at once, unless `noreserve`.
Result<struct file*> shmem_file_setup(u64 size, bool noreserve);

} // namespace kernel
