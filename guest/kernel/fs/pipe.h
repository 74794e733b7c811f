// Pipes and FIFOs: a ring of bytes between readers and writers. A pipe's inode has no name; a FIFO's is the
// file system's.
#pragma once

#include "fs/vfs.h"

namespace kernel {

/// files[0] reads, files[1] writes.
Result<void> do_pipe_flags(struct file* files[2], u32 flags);
/// What an open FIFO does.
extern file_operations& pipefifo_fops;

} // namespace kernel
