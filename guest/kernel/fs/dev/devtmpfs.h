// /dev: one directory of device nodes, made by the kernel.
#pragma once

#include "fs/vfs.h"

namespace kernel {

struct inode* make_devtmpfs();
/// The device that a node of this type and number stands for, or null.
struct inode* find_device(u32 mode, u32 device);

} // namespace kernel
