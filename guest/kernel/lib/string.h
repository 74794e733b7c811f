// Memory and string primitives. The compiler may emit calls to the four mem* functions, so they have C
// linkage; they use the string instructions, which the machine runs in bulk. The k* names never overrun a
// bound.
#pragma once

#include "lib/types.h"

#if !__STDC_HOSTED__
extern "C" {
void* memcpy(void* to, const void* from, size_t count);
void* memmove(void* to, const void* from, size_t count);
void* memset(void* to, int value, size_t count);
int memcmp(const void* a, const void* b, size_t count);
size_t strlen(const char* text);
}
#else
#include <string.h>
#endif

namespace kernel {

bool strings_equal(const char* a, const char* b);
bool starts_with(const char* text, const char* prefix);
/// Copies at most capacity − 1 characters and always terminates; returns what it copied.
usize strscpy(char* to, const char* from, usize capacity);

/// A borrowed run of characters that need not be terminated: path components, command line words.
struct StringView {
    const char* data = "";
    usize size = 0;

    constexpr StringView() = default;
    constexpr StringView(const char* text, usize length) : data(text), size(length) {}
    StringView(const char* text) : data(text), size(strlen(text)) {}

    bool operator==(const StringView& other) const {
        return size == other.size && memcmp(data, other.data, size) == 0;
    }
    char operator[](usize index) const { return data[index]; }
    bool empty() const { return size == 0; }
};

/// Decimal, 0x hexadecimal or 0 octal (`base` 0), stops at the first other character; *end receives its
/// place.
u64 parse_number(const char* text, const char** end, unsigned base = 0);

} // namespace kernel
