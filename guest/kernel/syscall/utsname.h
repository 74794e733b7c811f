// The names that uname(2) tells, and that sethostname(2) and /proc/sys/kernel change.
#pragma once

#include "lib/result.h"

namespace kernel {

inline constexpr unsigned UtsNodeName = 1, UtsDomainName = 5;
/// Field n of struct new_utsname: sysname, nodename, release, version, machine, domainname.
void utsname_read(unsigned field, char* out, usize capacity);
/// EINVAL for more than 64 bytes.
Result<void> utsname_write(unsigned field, const char* text, usize length);

} // namespace kernel
