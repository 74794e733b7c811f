// The firmware's own words: to the screen, to COM1 (16550A at 3F8h, 115200 8N1), and debug lines to port E9h.
#include "roms/bios/bios.h"

namespace vitrine::bios {
namespace {

bool screen_ready() { return memory<U8>(bda::VideoMode) == 3; }

void serial_send(U16 port, U8 character) {
    for (U32 spin = 0; spin < 100000 && !(in8(static_cast<U16>(port + 5)) & 0x20); ++spin) {
    } // bounded: there may be no UART
    out8(port, character);
}

void serial_put(U8 character) { serial_send(0x3f8, character); }

void put(U8 character) {
    serial_put(character);
    if (screen_ready()) teletype(character, 7, memory<U8>(bda::VideoPage));
}

void put_debug(U8 character) { out8(0xe9, character); }

void number(void (*emit)(U8), U32 value, U32 base, U32 width) {
    U8 digits[12];
    U32 count = 0;
    do {
        digits[count++] = static_cast<U8>("0123456789ABCDEF"[value % base]);
        value /= base;
    } while (value != 0 && count < sizeof digits);
    for (; width > count; --width) emit('0');
    while (count != 0) emit(digits[--count]);
}

void format_to(void (*emit)(U8), const char* format, __builtin_va_list arguments) {
    for (; *format; ++format) {
        if (*format != '%') {
            emit(static_cast<U8>(*format));
            continue;
        }
        ++format;
        U32 width = 0;
        if (*format == '0') {
            width = static_cast<U32>(format[1] - '0');
            format += 2;
        }
        switch (*format) {
        case 's':
            for (const char* text = __builtin_va_arg(arguments, const char*); *text; ++text)
                emit(static_cast<U8>(*text));
            break;
        case 'u': number(emit, __builtin_va_arg(arguments, U32), 10, width); break;
        case 'x': number(emit, __builtin_va_arg(arguments, U32), 16, width); break;
        case 'c': emit(static_cast<U8>(__builtin_va_arg(arguments, int))); break;
        default:
            emit('%');
            emit(static_cast<U8>(*format));
            break;
        }
    }
}

} // namespace

void serial_init(U16 port) {
    const auto out = [port](U16 offset, U8 value) { out8(static_cast<U16>(port + offset), value); };
    out(1, 0x00); // no interrupts
    out(3, 0x80); // divisor latch
    out(0, 1);    // 115200 baud
    out(1, 0);
    out(3, 0x03); // 8N1
    out(2, 0xc7); // FIFOs on and empty
    out(4, 0x0b); // DTR, RTS, OUT2
}

void say(const char* format, ...) {
    __builtin_va_list arguments;
    __builtin_va_start(arguments, format);
    format_to(put, format, arguments);
    __builtin_va_end(arguments);
}

void headline(const char* left, const char* right) {
    constexpr U8 bar = 0x1f, faint = 0x1b; // white and light cyan on blue
    constexpr U32 columns = 80;
    const auto serial = [](const char* text) {
        while (*text) serial_put(static_cast<U8>(*text++));
    };
    serial(left);
    serial(", ");
    serial(right);
    serial("\r\n");
    if (!screen_ready()) return;
    const auto length = [](const char* text) {
        U32 count = 0;
        while (text[count]) ++count;
        return count;
    };
    const U32 first = length(left), second = length(right);
    if (first + second + 2 > columns) return;
    const U8 page = memory<U8>(bda::VideoPage);
    teletype(' ', bar, page);
    for (U32 i = 0; i < first; ++i) teletype(static_cast<U8>(left[i]), bar, page);
    for (U32 i = 0; i < columns - 2 - first - second; ++i) teletype(' ', bar, page);
    for (U32 i = 0; i < second; ++i) teletype(static_cast<U8>(right[i]), faint, page);
    teletype(' ', bar, page); // the 80th column: the cursor is on the next row now
}

void debug(const char* format, ...) {
    __builtin_va_list arguments;
    __builtin_va_start(arguments, format);
    format_to(put_debug, format, arguments);
    __builtin_va_end(arguments);
    put_debug('\n');
}

void stop(U8 code, const char* format, ...) {
    __builtin_va_list arguments;
    __builtin_va_start(arguments, format);
    format_to(put, format, arguments);
    __builtin_va_end(arguments);
    put('\r');
    put('\n');
    post_code(code);
    for (;;) asm volatile("cli; hlt");
}

/// Its scratch register keeps what is written.
bool second_serial_port() {
    for (U8 pattern = 0x5a; pattern <= 0x5b; ++pattern) {
        out8(0x2ff, pattern);
        if (in8(0x2ff) != pattern) return false;
    }
    return true;
}

// INT 14h. AH=00 keeps 115200 8N1 (the old rates end at 9600) and answers with the status, as 03 does.
Outcome serial_service(Frame& frame) {
    const U16 port = frame.d.x < 4 ? memory<U16>(bda::SerialPorts + 2 * frame.d.x) : U16{0};
    const auto status = [port] { return in8(static_cast<U16>(port + 5)); };
    if (port == 0) {
        frame.a.h = 0x80; // time-out
        return Outcome::Done;
    }
    switch (frame.a.h) {
    case 0x01:
        serial_send(port, frame.a.l);
        frame.a.h = status() & 0x7f;
        break;
    case 0x02: {
        U32 spin = 0;
        while (spin < 100000 && !(status() & 1)) ++spin;
        frame.a.h = spin == 100000 ? 0x80 : status() & 0x1e;
        if (spin != 100000) frame.a.l = in8(port);
        break;
    }
    case 0x00:
    case 0x03:
        frame.a.h = status();
        frame.a.l = in8(static_cast<U16>(port + 6));
        break;
    default: unsupported(frame);
    }
    return Outcome::Done;
}

bool serial_take(U8& byte) {
    if ((in8(0x3fd) & 1) == 0 || in8(0x3fd) == 0xff) return false; // FFh: no UART
    byte = in8(0x3f8);
    return true;
}

} // namespace vitrine::bios
