// Terminals: a line discipline (termios: ICANON ECHO* ISIG ICRNL IXON OPOST ONLCR, VMIN and VTIME) between
// who types and who reads, and job control for the session that a terminal controls. The console (screen,
// keyboard and serial line: one terminal), and the slaves of pseudo-terminals (drivers/pty.cpp).
//
// In canonical mode what is committed ends at the end of a line, so there is a line to read where there is
// anything.
//
// Invariants: read_buf and its marks, termios, and `stopped` change under tty_struct::lock, from any context;
// session, foreground_group and signal_struct::tty under tasklist_lock. A process whose signal->tty is this
// one is in its session. An open file holds the terminal in private_data, and in private_value the count of
// hang-ups at that time: a file from before the last one is dead (end of file, EIO).
#pragma once

#include "irq/workqueue.h"
#include "fs/vfs.h"

namespace kernel {

struct task_struct;
struct pty_pair;

struct ktermios {
    u32 c_iflag, c_oflag, c_cflag, c_lflag;
    u8 c_line;
    u8 c_cc[19];
};
static_assert(sizeof(ktermios) == 36);
struct winsize {
    u16 ws_row, ws_col, ws_xpixel, ws_ypixel;
    bool operator==(const winsize&) const = default;
};

inline constexpr u32 BRKINT = 2, ICRNL = 0x100, IXON = 0x400, OPOST = 1, ONLCR = 4, ISIG = 1, ICANON = 2,
                     ECHO = 8, ECHOE = 0x10, ECHOK = 0x20, ECHONL = 0x40, NOFLSH = 0x80, TOSTOP = 0x100,
                     ECHOCTL = 0x200, ECHOKE = 0x800, IEXTEN = 0x8000;
enum {
    VINTR,
    VQUIT,
    VERASE,
    VKILL,
    VEOF,
    VTIME,
    VMIN,
    VSWTC,
    VSTART,
    VSTOP,
    VSUSP,
    VEOL,
    VREPRINT,
    VDISCARD,
    VWERASE,
    VLNEXT,
    VEOL2
};

/// What a driver's interrupt has read, on its way to the line discipline (tty_buffer.cpp).
struct tty_bufhead {
    static constexpr u32 Size = 4096;
    spinlock_t lock{"tty_buffer"};
    u32 read = 0, used = 0; ///< ring
    work_struct work;
    struct tty_struct* tty = nullptr;
    void (*drained)() = nullptr; ///< the driver's: there is room again
    char data[Size];
};

struct tty_struct {
    static constexpr u32 N_TTY_BUF_SIZE = 4096;
    ktermios termios;
    struct winsize winsize = {25, 80, 0, 0};
    i32 foreground_group = 0;
    i32 session = 0;
    char read_buf[N_TTY_BUF_SIZE]; ///< ring of what readers may take, and the line being edited
    u32 read_at = 0, commit_at = 0,
        write_at = 0; ///< committed: [read_at, commit_at); edited: [commit_at, write_at)
    u64 read_flags[N_TTY_BUF_SIZE / 64] =
        {};                     ///< of read_buf: here a line ends (canonical mode). ^D's own is a NUL
    u32 hangups = 0;            ///< so often; under tasklist_lock
    bool stopped = false;       ///< ^S
    bool literal = false;       ///< ^V: the next character is only that
    tty_bufhead* buf = nullptr; ///< null for a pseudo-terminal
    pty_pair* pty = nullptr;    ///< whose slave it is; null for the console
    /// Whoever holds input back while there is no receive_room(): readers have taken theirs.
    void (*unthrottle)(tty_struct& tty) = nullptr;
    spinlock_t lock{"tty"};
    wait_queue_head readers{"tty_read"}, writers{"tty_write"};

    void initialise(u32 input_flags);
    /// One character typed. Any context that holds no lock; an interrupt uses the flip buffer.
    void receive(char c);
    /// Would another character find a place? A line without an end takes any number, and drops them.
    bool receive_room() const;
    Result<usize> read(struct file& file, IoBuffer buffer);
    Result<usize> write(struct file& file, IoBuffer buffer);
    bool readable() const;
    u32 poll(struct file& file, poll_table* table);
    /// `other_end`: asked through a pseudo-terminal's master.
    Result<u64> control(u32 command, u64 argument, bool other_end = false);

    /// Is it the caller's controlling terminal?
    bool controls_caller() const;
    /// A background process touches it: SIGTTIN or SIGTTOU stops its group. ERESTARTSYS after the signal, EIO
    /// when nobody would continue it, nothing when the caller may go on.
    Result<void> check_change(int signal);
    Result<void> resize(const struct winsize& fresh);
    /// Drops input that was not read. REQUIRES: lock.
    void flush_input();
    /// ICANON was turned on or off: what is there can be read; in canonical mode as one line. REQUIRES: lock.
    void restart_lines();
    /// What a read may take of it: ends of file do not count. REQUIRES: lock.
    u32 input_count() const;

private:
    bool ends_line(u32 at) const { return read_flags[at / 64] >> at % 64 & 1; }
    void mark_line_end(u32 at, bool ends) {
        read_flags[at / 64] = (read_flags[at / 64] & ~(u64{1} << at % 64)) | u64{ends} << at % 64;
    }
    void echo(char c);
    void erase();
    void post(const char* text, usize size);
    void check_unthrottle();
    usize process_output(const char* text, usize size);
    Result<void> wait_for_input(struct file& file, usize size);
    Result<u64> set_termios(u32 command, u64 argument, bool other_end);
};

extern tty_struct console_terminal;
void tty_init();
bool tty_hung_up(const struct file& file);
/// A session leader ends: its terminal hangs up.
void disassociate_ctty(task_struct* task);
/// Its open files are dead, its session has none any more, the session's leader gets SIGHUP and SIGCONT.
void tty_hangup(tty_struct& tty);

// --- flip buffers; from interrupts
void tty_buffer_init(tty_struct& tty, tty_bufhead& buf);
bool tty_buffer_space_avail(const tty_struct& tty);
/// False when it is full.
bool tty_insert_flip_char(tty_struct& tty, char c);
/// What was inserted goes to the line discipline, soon.
void tty_flip_buffer_push(tty_struct& tty);
/// A session leader without one opens a terminal that controls nobody.
void tty_open_proc_set_tty(struct file& file, tty_struct& tty);
/// TIOCSPGRP, TIOCGPGRP, TIOCGSID, TIOCSCTTY, TIOCNOTTY (drivers/tty_jobctrl.cpp). ENOSYS: another command.
Result<u64> tty_jobctrl_ioctl(tty_struct& tty, u32 command, u64 argument, bool other_end);
/// The inode of /dev/console, /dev/tty and friends.
struct inode* make_terminal_inode(u32 device);

// --- pseudo-terminals (drivers/pty.cpp)
struct inode* make_ptmx_inode();
/// The slave of /dev/pts/NUMBER with the open file counted and its private data set, or EIO.
Result<tty_struct*> pty_open_slave(struct file& file, u32 number);
void pty_close_slave(tty_struct& tty);
/// Another file of a slave that controls the caller. REQUIRES: tasklist_lock.
void pty_get_slave(tty_struct& tty);
/// Puts output where the master reads, all of it or, where there is no room, nothing. Any context.
bool pty_output(pty_pair& pair, const char* text, usize size);
usize pty_output_room(const pty_pair& pair);
/// REQUIRES: tasklist_lock, for an answer that lasts: the hang-up behind the master's end is still to come
/// then.
bool pty_master_is_open(const pty_pair& pair);
/// Somebody took input: the master may write on.
void pty_wake_master(pty_pair& pair);
u32 pty_index(const pty_pair& pair);
Result<struct inode*> make_devpts();

} // namespace kernel
