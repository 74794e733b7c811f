// Numbers as the app writes them: grouped digits, times, addresses.
#pragma once
#include <string>
#include "cpu/base/types.h"

namespace vitrine::ui {

std::string grouped(u64 value);             ///< "12 345 678" with thin spaces
std::string short_count(u64 value);         ///< "12.3 M"
std::string duration_text(u64 nanoseconds); ///< "1.234 ms"
std::string hex_text(u64 value, unsigned digits = 16);
/// A size in the largest unit that is exact or has three digits: "512 MiB".
std::string bytes_text(u64 bytes);
/// A C++ symbol as a person would write it: demangled, without arguments and without the kernel's own
/// namespaces; an offset ("+0x1c") stays.
std::string readable_symbol(const std::string& name);
/// A line of a lesson without Markdown's backticks and stars, for lists.
std::string without_marks(std::string text);
/// The last part of a path.
std::string base_name(const std::string& path);

} // namespace vitrine::ui
