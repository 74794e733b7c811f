// The archives that the boot loader has brought along (an initial RAM disk), unpacked into a first root.
#pragma once

#include "lib/types.h"

namespace kernel {

/// Unpacks them into a new rootfs, and gives their memory back. True: the rootfs is the root from now on, and
/// has the program that `init` names. False: there is none; who boots mounts the root that is on a disk.
bool populate_rootfs(u64 physical, u64 size, const char* init);

} // namespace kernel
