// The kernel's formatter; see format.h.
#include "lib/format.h"

#include "lib/string.h"

namespace kernel {
namespace {

struct Sink {
    char* out;
    usize capacity;
    usize length = 0;

    void put(char c) {
        if (length + 1 < capacity) out[length++] = c;
    }
    void pad(char c, i64 count) {
        for (i64 i = 0; i < count && i < 1024; i++) put(c);
    }
};

struct Specification {
    bool left = false, zero = false, plus = false, alternate = false;
    i64 width = 0, precision = -1;
    unsigned length =
        0; ///< 0 int, 1 long, 2 long long / size_t; negative lengths (h, hh) are promoted to int anyway
};

void put_number(Sink& sink, const Specification& spec, u64 value, bool negative, unsigned base, bool upper) {
    char digits[24];
    usize count = 0;
    const char* alphabet = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    do {
        digits[count++] = alphabet[value % base];
        value /= base;
    } while (value);
    const char* prefix = negative ? "-" : spec.plus ? "+" : spec.alternate && base == 16 ? "0x" : "";
    i64 body = max<i64>(static_cast<i64>(count), spec.precision);
    i64 padding = spec.width - body - static_cast<i64>(strlen(prefix));
    bool zeros = spec.zero && !spec.left && spec.precision < 0;
    if (!spec.left && !zeros) sink.pad(' ', padding);
    for (const char* p = prefix; *p; p++) sink.put(*p);
    if (zeros) sink.pad('0', padding);
    sink.pad('0', body - static_cast<i64>(count));
    while (count) sink.put(digits[--count]);
    if (spec.left) sink.pad(' ', padding);
}

void put_text(Sink& sink, const Specification& spec, const char* text) {
    if (!text) text = "(null)";
    i64 count = 0;
    while ((spec.precision < 0 || count < spec.precision) && text[count]) count++;
    if (!spec.left) sink.pad(' ', spec.width - count);
    for (i64 i = 0; i < count; i++) sink.put(text[i]);
    if (spec.left) sink.pad(' ', spec.width - count);
}

} // namespace

usize format_arguments(char* out, usize capacity, const char* format, va_list arguments) {
    if (!capacity) return 0;
    Sink sink{out, capacity};
    for (; *format; format++) {
        if (*format != '%') {
            sink.put(*format);
            continue;
        }
        Specification spec;
        for (format++;; format++) {
            if (*format == '-')
                spec.left = true;
            else if (*format == '0')
                spec.zero = true;
            else if (*format == '+')
                spec.plus = true;
            else if (*format == '#')
                spec.alternate = true;
            else
                break;
        }
        auto read_count = [&](i64& target) {
            if (*format == '*') {
                target = va_arg(arguments, int);
                format++;
            } else {
                target = 0;
                while (*format >= '0' && *format <= '9') target = target * 10 + (*format++ - '0');
            }
        };
        if (*format == '*' || (*format >= '1' && *format <= '9')) read_count(spec.width);
        if (spec.width < 0) spec.left = true, spec.width = -spec.width;
        if (*format == '.') {
            format++;
            read_count(spec.precision);
        }
        for (;; format++) {
            if (*format == 'l' || *format == 'z')
                spec.length++;
            else if (*format != 'h')
                break;
        }
        switch (*format) {
        case 'd':
        case 'i': {
            i64 value = spec.length ? va_arg(arguments, long) : va_arg(arguments, int);
            u64 magnitude = value < 0 ? u64{0} - static_cast<u64>(value) : static_cast<u64>(value);
            put_number(sink, spec, magnitude, value < 0, 10, false);
            break;
        }
        case 'u':
        case 'x':
        case 'X':
        case 'o': {
            u64 value = spec.length ? va_arg(arguments, unsigned long) : va_arg(arguments, unsigned);
            unsigned base = *format == 'u' ? 10 : *format == 'o' ? 8 : 16;
            put_number(sink, spec, value, false, base, *format == 'X');
            break;
        }
        case 'p':
            spec.zero = true;
            spec.width = 16;
            put_number(sink, spec, reinterpret_cast<u64>(va_arg(arguments, void*)), false, 16, false);
            break;
        case 'c': {
            char text[2] = {static_cast<char>(va_arg(arguments, int)), 0};
            spec.precision = 1;
            put_text(sink, spec, text);
            break;
        }
        case 's': put_text(sink, spec, va_arg(arguments, const char*)); break;
        case '%': sink.put('%'); break;
        case 0: format--; break; // a lone '%' at the end
        default: sink.put('%'); sink.put(*format);
        }
    }
    sink.out[sink.length] = 0;
    return sink.length;
}

usize format_text(char* out, usize capacity, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    usize length = format_arguments(out, capacity, format, arguments);
    va_end(arguments);
    return length;
}

} // namespace kernel
