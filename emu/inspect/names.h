// Names in the kernel: strings that pointers lead to, paths of dentries, and which path an inode has.
//
// Everything is bounded: a name has at most 255 bytes, a path at most 40 components, a tree of dentries at
// most 65536.
#pragma once
#include <map>
#include <string>
#include "emu/inspect/kernel.h"

namespace vitrine::emu::inspect {

/// The string at `address`, unprintable bytes as '?'; empty when it cannot be read.
std::string guest_string(const GuestReader& memory, u64 address, std::size_t most = 63);
/// "/bin/sh", through mount points; "" for none.
std::string dentry_path(const GuestKernel& kernel, u64 dentry, Notes& notes);
/// Elements of an array of pointers that is a root; at most `most`.
u64 pointer_root(const GuestKernel& kernel, std::string_view name, u64 index = 0);
/// The value of an element of an array of U64 (or smaller numbers).
u64 number_root(const GuestKernel& kernel, std::string_view name, u64 index = 0);

/// All dentries that can be reached from the root of the tree, with what is mounted in it.
struct DentryRow {
    u64 address = 0, inode = 0, parent = 0, count = 0, mounted = 0;
    std::string path;
};
std::vector<DentryRow> all_dentries(const GuestKernel& kernel, Notes& notes);
/// Inode → one path that leads to it.
std::map<u64, std::string> inode_paths(const std::vector<DentryRow>& dentries);

} // namespace vitrine::emu::inspect
