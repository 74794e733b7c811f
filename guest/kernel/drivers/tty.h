// The system console terminal: input from the serial port and the keyboard, output to every console, with a
// line discipline (termios: ICANON ECHO ECHOE ISIG ICRNL OPOST ONLCR).
//
// Input handlers run in hardirq context and only edit the line under Terminal::lock; readers sleep for a
// complete line, or for any byte in raw mode.
#pragma once

#include "fs/vfs.h"

namespace kernel {

struct task_struct;

struct Termios {
    u32 input, output, control, local;
    u8 line;
    u8 characters[19];
};
static_assert(sizeof(Termios) == 36);

struct Terminal {
    Termios settings;
    u16 rows = 25, columns = 80;
    i32 foreground_group = 0;
    i32 session = 0;
    char buffer[4096]; ///< ring of what readers may take, and the line being edited
    u32 read_at = 0, commit_at = 0,
        write_at = 0; ///< committed: [read_at, commit_at); edited: [commit_at, write_at)
    u32 lines = 0;    ///< complete lines (or EOF marks) committed
    spinlock_t lock{"tty"};
    wait_queue_head readers{"tty_read"};

    /// One character typed, from any input. Any context.
    void receive(char c);
    Result<usize> read(IoBuffer buffer, bool nonblocking);
    Result<usize> write(IoBuffer buffer);
    Result<u64> control(u32 command, u64 argument);
    bool readable() const;

    /// Is it the caller's controlling terminal?
    bool controls_caller() const;
    /// A background process touches it: SIGTTIN or SIGTTOU stops its group. ERESTARTSYS after the signal, EIO
    /// when nobody would continue it, nothing when the caller may go on.
    Result<void> check_change(int signal);

private:
    void echo(char c);
    void erase();
    void post(const char* text, usize size);
};

extern Terminal console_terminal;
void tty_init();
/// A session leader ends: its terminal's foreground group hangs up.
void disassociate_ctty(task_struct* task);
/// The inode of /dev/console, /dev/tty and friends.
struct inode* make_terminal_inode(u32 device);

} // namespace kernel
