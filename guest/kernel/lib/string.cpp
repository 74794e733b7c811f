// Memory and string primitives; see string.h.
#include "lib/string.h"

#if !__STDC_HOSTED__
extern "C" {

void* memcpy(void* to, const void* from, size_t count) {
    void* result = to;
    size_t words = count >> 3, rest = count & 7;
    asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words)::"memory");
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(rest)::"memory");
    return result;
}

void* memmove(void* to, const void* from, size_t count) {
    auto target = reinterpret_cast<uintptr_t>(to), source = reinterpret_cast<uintptr_t>(from);
    if (target - source >= count) return memcpy(to, from, count); // also when target < source (wraps)
    void* last_to = static_cast<char*>(to) + count - 1;
    const void* last_from = static_cast<const char*>(from) + count - 1;
    asm volatile("std; rep movsb; cld" : "+D"(last_to), "+S"(last_from), "+c"(count)::"memory");
    return to;
}

void* memset(void* to, int value, size_t count) {
    void* result = to;
    size_t words = count >> 3, rest = count & 7;
    uint64_t pattern = 0x0101010101010101ull * static_cast<uint8_t>(value);
    asm volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(pattern) : "memory");
    asm volatile("rep stosb" : "+D"(to), "+c"(rest) : "a"(pattern) : "memory");
    return result;
}

int memcmp(const void* a, const void* b, size_t count) {
    auto left = static_cast<const unsigned char*>(a), right = static_cast<const unsigned char*>(b);
    for (size_t i = 0; i < count; i++)
        if (left[i] != right[i]) return left[i] < right[i] ? -1 : 1;
    return 0;
}

size_t strlen(const char* text) {
    size_t length = 0;
    while (text[length]) length++;
    return length;
}
}
#endif

namespace kernel {

bool strings_equal(const char* a, const char* b) {
    while (*a && *a == *b) a++, b++;
    return *a == *b;
}

bool starts_with(const char* text, const char* prefix) {
    while (*prefix)
        if (*text++ != *prefix++) return false;
    return true;
}

usize strscpy(char* to, const char* from, usize capacity) {
    if (!capacity) return 0;
    usize count = 0;
    for (; count + 1 < capacity && from[count]; count++) to[count] = from[count];
    to[count] = 0;
    return count;
}

u64 parse_number(const char* text, const char** end, unsigned base) {
    if (base == 0) {
        base = 10;
        if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
            base = 16, text += 2;
        else if (text[0] == '0')
            base = 8;
    }
    u64 value = 0;
    for (;; text++) {
        unsigned digit;
        if (*text >= '0' && *text <= '9')
            digit = static_cast<unsigned>(*text - '0');
        else if (*text >= 'a' && *text <= 'f')
            digit = static_cast<unsigned>(*text - 'a') + 10;
        else if (*text >= 'A' && *text <= 'F')
            digit = static_cast<unsigned>(*text - 'A') + 10;
        else
            break;
        if (digit >= base) break;
        value = value * base + digit;
    }
    if (end) *end = text;
    return value;
}

} // namespace kernel
