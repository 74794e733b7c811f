// printk: levelled messages into a ring buffer and onto the consoles, with Linux's `[    0.123456] ` time
// stamps.
//
// May be called from any context. The ring keeps the last 128 KiB; /dev/kmsg and dmesg read it.
#pragma once

#include "lib/types.h"

namespace kernel {

enum class LogLevel : u8 { Emergency, Alert, Critical, Error, Warning, Notice, Info, Debug, Continue = 255 };

[[gnu::format(printf, 2, 3)]] void printk(LogLevel level, const char* format, ...);
#define pr_emerg(...) ::kernel::printk(::kernel::LogLevel::Emergency, __VA_ARGS__)
#define pr_alert(...) ::kernel::printk(::kernel::LogLevel::Alert, __VA_ARGS__)
#define pr_crit(...) ::kernel::printk(::kernel::LogLevel::Critical, __VA_ARGS__)
#define pr_err(...) ::kernel::printk(::kernel::LogLevel::Error, __VA_ARGS__)
#define pr_warn(...) ::kernel::printk(::kernel::LogLevel::Warning, __VA_ARGS__)
#define pr_notice(...) ::kernel::printk(::kernel::LogLevel::Notice, __VA_ARGS__)
#define pr_info(...) ::kernel::printk(::kernel::LogLevel::Info, __VA_ARGS__)
#define pr_debug(...) ::kernel::printk(::kernel::LogLevel::Debug, __VA_ARGS__)
#define pr_cont(...) ::kernel::printk(::kernel::LogLevel::Continue, __VA_ARGS__)

/// Messages below this level reach the consoles (default 7: all but debug).
extern unsigned console_loglevel;

/// An output for kernel messages and for the system console terminal.
struct console {
    const char* name; ///< "ttyS0", "tty0"
    void (*write)(const char* text, usize size);
    struct console* next = nullptr;
};
/// Registers and replays what was logged before, unless it heard it already.
void register_console(struct console& console, bool replay);
void unregister_console(const char* name);
bool console_registered(const char* name);
/// Writes to every console; the terminal's output path.
void console_write(const char* text, usize size);
/// After a panic nobody will release the console lock.
void bust_console_lock();

/// Copies the ring's text from position *cursor; advances it. For /dev/kmsg and syslog(2).
usize read_log(u64* cursor, char* out, usize capacity);

/// Stops the machine with Linux's report; never returns.
[[noreturn, gnu::format(printf, 1, 2)]] void panic(const char* format, ...);

#define KERNEL_ASSERT(condition)                                                                             \
    do {                                                                                                     \
        if (!(condition)) [[unlikely]]                                                                       \
            ::kernel::panic("assertion failed: %s (%s:%d)", #condition, __FILE_NAME__, __LINE__);            \
    } while (0)

} // namespace kernel
