// printk and the console list; see log.h.
#include "lib/log.h"

#include "lib/format.h"
#include "lib/string.h"
#include "sync/spinlock.h"
#include "time/timekeeping.h"

namespace kernel {

constinit unsigned console_loglevel = 7;

namespace {

constexpr usize RingSize = 128 * KiB;
char ring[RingSize];
constinit u64 ring_end = 0; ///< bytes ever written; the ring holds the last RingSize of them
constinit struct console* consoles = nullptr;
constinit spinlock_t log_lock{"log"};

void store(const char* text, usize size) {
    for (usize i = 0; i < size; i++) ring[ring_end++ % RingSize] = text[i];
}

void emit(const char* text, usize size) {
    for (struct console* console = consoles; console; console = console->next) console->write(text, size);
}

} // namespace

void printk(LogLevel level, const char* format, ...) {
    char line[512];
    usize length = 0;
    if (level != LogLevel::Continue) {
        u64 microseconds = ktime_get_ns() / 1000;
        length =
            format_text(line, sizeof line, "[%5lu.%06lu] ", microseconds / 1000000, microseconds % 1000000);
    }
    va_list arguments;
    va_start(arguments, format);
    length += format_arguments(line + length, sizeof line - length, format, arguments);
    va_end(arguments);
    static constinit LogLevel last_level = LogLevel::Info;
    IrqSpinGuard guard(log_lock);
    if (level != LogLevel::Continue) last_level = level;
    store(line, length);
    if (static_cast<unsigned>(last_level) < console_loglevel) emit(line, length);
}

void register_console(struct console& console, bool replay) {
    IrqSpinGuard guard(log_lock);
    console.next = consoles;
    consoles = &console;
    if (!replay) return;
    u64 begin = ring_end > RingSize ? ring_end - RingSize : 0;
    for (u64 i = begin; i < ring_end;) {
        usize offset = i % RingSize, run = min<u64>(RingSize - offset, ring_end - i);
        console.write(ring + offset, run);
        i += run;
    }
}

void unregister_console(const char* name) {
    IrqSpinGuard guard(log_lock);
    for (struct console** link = &consoles; *link; link = &(*link)->next) {
        if (!strings_equal((*link)->name, name)) continue;
        *link = (*link)->next;
        return;
    }
}

bool console_registered(const char* name) {
    for (struct console* console = consoles; console; console = console->next)
        if (strings_equal(console->name, name)) return true;
    return false;
}

void console_write(const char* text, usize size) {
    IrqSpinGuard guard(log_lock);
    emit(text, size);
}

/// Only our own: another CPU that writes a line lets go of it, unless a panic stopped it
/// (spinlock_t::contended knows).
void bust_console_lock() {
    if (log_lock.held_by_this_cpu()) log_lock.break_lock();
}

usize read_log(u64* cursor, char* out, usize capacity) {
    IrqSpinGuard guard(log_lock);
    u64 begin = ring_end > RingSize ? ring_end - RingSize : 0;
    if (*cursor < begin) *cursor = begin;
    usize count = min<u64>(capacity, ring_end - *cursor);
    for (usize i = 0; i < count; i++) out[i] = ring[(*cursor)++ % RingSize];
    return count;
}

} // namespace kernel
