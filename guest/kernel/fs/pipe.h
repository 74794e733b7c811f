// Pipes: a page-sized ring between a reader and a writer.
#pragma once

#include "fs/vfs.h"

namespace kernel {

/// files[0] reads, files[1] writes.
Result<void> do_pipe_flags(struct file* files[2], u32 flags);

} // namespace kernel
