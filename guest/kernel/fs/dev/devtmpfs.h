// /dev: one directory of device nodes, made by the kernel.
#pragma once

#include "fs/vfs.h"

namespace kernel {

struct inode* make_devtmpfs();
/// The n-th of them, from 0; false when there are no more.
bool nth_device(u32 n, const char*& name, u32& mode, u32& number);
/// The device that a node of this type and number stands for, or null.
struct inode* find_device(u32 mode, u32 device);

} // namespace kernel
