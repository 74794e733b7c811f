// Strings and formatted output for the bundled programs: %s %c %d %u %lu %ld %x %lx, width, '-' and '0'.
#pragma once

#include <stddef.h>

namespace user {

size_t length(const char* text);
bool equal(const char* a, const char* b);
bool starts_with(const char* text, const char* prefix);
/// Decimal, with a sign; `fallback` when there is no number.
long to_number(const char* text, long fallback);

[[gnu::format(printf, 1, 2)]] void print(const char* format, ...);
[[gnu::format(printf, 2, 3)]] void print_to(int file, const char* format, ...);
/// Becomes the program words[0], looked for in /bin and /sbin when it is no path. Returns the exit status for
/// who could not: 126, or 127 when there is none.
int become(const char* who, char** words, char** environment);
/// Linux's name of an error number (positive).
const char* error_text(long error);

} // namespace user
