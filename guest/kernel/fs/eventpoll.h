// epoll's hook into the end of a file.
#pragma once

#include "lib/types.h"

namespace kernel {

struct file;

inline constexpr u64 EventpollTag = 0x65706f6c6c; ///< file::private_value of an epoll set
/// The file is closed for good: no set watches it any more.
void eventpoll_release_file(struct file* file);

} // namespace kernel
