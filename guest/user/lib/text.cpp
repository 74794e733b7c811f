// See text.h. Output is collected, so that a line is one write.
#include "lib/text.h"

#include <stdarg.h>
#include <stdint.h>

#include "lib/system.h"

// The compiler may emit these calls for copies and initialisers.
extern "C" {
void* memcpy(void* to, const void* from, size_t count) {
    void* result = to;
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count)::"memory");
    return result;
}
void* memset(void* to, int value, size_t count) {
    void* result = to;
    asm volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(value) : "memory");
    return result;
}
}

namespace user {
namespace {

struct Output {
    int file;
    char data[512] = {};
    size_t used = 0;
    void put(char c) {
        if (used == sizeof data) flush();
        data[used++] = c;
    }
    void flush() {
        if (used) write(file, data, used);
        used = 0;
    }
};

void format(Output& out, const char* text, va_list arguments) {
    for (; *text; text++) {
        if (*text != '%') {
            out.put(*text);
            continue;
        }
        text++;
        bool left = false, zero = false, is_long = false;
        int width = 0;
        for (; *text == '-' || *text == '0'; text++) (*text == '-' ? left : zero) = true;
        for (; *text >= '0' && *text <= '9'; text++) width = width * 10 + (*text - '0');
        for (; *text == 'l' || *text == 'z'; text++) is_long = true;
        char digits[24];
        char single[2] = {0, 0};
        const char* piece = digits;
        bool negative = false;
        if (*text == 's') {
            piece = va_arg(arguments, const char*);
            zero = false;
        } else if (*text == 'c') {
            single[0] = static_cast<char>(va_arg(arguments, int));
            piece = single;
        } else if (*text == '%') {
            piece = "%";
        } else {
            uint64_t value;
            if (*text == 'd') {
                int64_t number = is_long ? va_arg(arguments, long) : va_arg(arguments, int);
                negative = number < 0;
                value = negative ? 0 - static_cast<uint64_t>(number) : static_cast<uint64_t>(number);
            } else {
                value = is_long ? va_arg(arguments, unsigned long) : va_arg(arguments, unsigned);
            }
            unsigned base = *text == 'x' ? 16 : 10;
            size_t at = sizeof digits - 1;
            digits[at] = 0;
            do {
                digits[--at] = "0123456789abcdef"[value % base];
                value /= base;
            } while (value);
            if (negative) digits[--at] = '-';
            piece = digits + at;
        }
        int pad = width - static_cast<int>(length(piece));
        if (!left)
            for (; pad > 0; pad--) out.put(zero ? '0' : ' ');
        for (; *piece; piece++) out.put(*piece);
        for (; pad > 0; pad--) out.put(' ');
    }
}

} // namespace

size_t length(const char* text) {
    size_t count = 0;
    while (text[count]) count++;
    return count;
}
bool equal(const char* a, const char* b) {
    while (*a && *a == *b) a++, b++;
    return *a == *b;
}
bool starts_with(const char* text, const char* prefix) {
    while (*prefix)
        if (*text++ != *prefix++) return false;
    return true;
}

long to_number(const char* text, long fallback) {
    bool negative = *text == '-';
    if (negative) text++;
    if (*text < '0' || *text > '9') return fallback;
    long value = 0;
    for (; *text >= '0' && *text <= '9' && value < 1'000'000'000; text++) value = value * 10 + (*text - '0');
    return negative ? -value : value;
}

void print(const char* text, ...) {
    Output out{.file = 1};
    va_list arguments;
    va_start(arguments, text);
    format(out, text, arguments);
    va_end(arguments);
    out.flush();
}

void print_to(int file, const char* text, ...) {
    Output out{.file = file};
    va_list arguments;
    va_start(arguments, text);
    format(out, text, arguments);
    va_end(arguments);
    out.flush();
}

const char* error_text(long error) {
    switch (error) {
    case 1: return "Operation not permitted";
    case 2: return "No such file or directory";
    case 5: return "Input/output error";
    case 8: return "Exec format error";
    case 9: return "Bad file descriptor";
    case 11: return "Resource temporarily unavailable";
    case 12: return "Out of memory";
    case 13: return "Permission denied";
    case 14: return "Bad address";
    case 17: return "File exists";
    case 20: return "Not a directory";
    case 21: return "Is a directory";
    case 22: return "Invalid argument";
    case 28: return "No space left on device";
    case 30: return "Read-only file system";
    case 36: return "File name too long";
    case 38: return "Function not implemented";
    case 39: return "Directory not empty";
    default: return "Error";
    }
}

int become(const char* who, char** words, char** environment) {
    bool path = false;
    for (const char* c = words[0]; *c; c++) path |= *c == '/';
    long error = path ? execute(words[0], words, environment) : -2;
    const char* const folders[] = {"/bin/", "/sbin/"};
    for (const char* folder : folders) {
        char name[256];
        if (path || error != -2 || length(folder) + length(words[0]) >= sizeof name) break;
        char* end = name;
        for (const char* c = folder; *c; c++) *end++ = *c;
        for (const char* c = words[0]; *c; c++) *end++ = *c;
        *end = 0;
        error = execute(name, words, environment);
    }
    print_to(2, "%s: %s: %s\n", who, words[0], error_text(-error));
    return error == -2 ? 127 : 126;
}

} // namespace user
