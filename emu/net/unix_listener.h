// A listening Unix socket at a path, for gdb and for serial lines.
#pragma once
#include <string>
#include "cpu/base/types.h"

namespace vitrine::emu::net {

/// The listening descriptor, close-on-exec; `flags`: more of socket()'s. What a dead program left at the path
/// is replaced; a live one, or a file of another kind, is not. The caller unlinks the path at the end.
/// Errors: bad_input, one line that begins with `option`.
Expected<int> listen_at(const std::string& path, const std::string& option, int flags = 0);

} // namespace vitrine::emu::net
