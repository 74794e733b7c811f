// /dev: one directory of device nodes, made by the kernel.
#pragma once

#include "fs/vfs.h"

namespace kernel {

struct inode* make_devtmpfs();

} // namespace kernel
