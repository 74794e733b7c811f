// printf-style formatting into a bounded buffer: %d %i %u %x %X %o %c %s %p %% with flags '-', '0', '+', '#',
// width, precision ('*' too) and the lengths hh h l ll z. %p prints sixteen hexadecimal digits. No floating
// point.
#pragma once

#include <stdarg.h>

#include "lib/types.h"

namespace kernel {

/// Writes at most capacity − 1 characters and a NUL; returns the characters written (not those that did not
/// fit).
[[gnu::format(printf, 3, 0)]] usize format_arguments(char* out, usize capacity, const char* format,
                                                     va_list arguments);
[[gnu::format(printf, 3, 4)]] usize format_text(char* out, usize capacity, const char* format, ...);

} // namespace kernel
