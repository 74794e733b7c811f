// The line discipline; see tty.h. (After n_tty: what termios(3) says.)
#include "drivers/tty.h"

#include "fs/poll.h"

#include "arch/x86_64/user_access.h"
#include "lib/log.h"
#include "mm/slab.h"
#include "sched/scheduler.h"
#include "task/signal.h"
#include "task/task.h"
#include "time/timekeeping.h"

namespace kernel {

constinit tty_struct console_terminal = {};

namespace {

constexpr u32 Mask = tty_struct::N_TTY_BUF_SIZE - 1;
constexpr char EofMark = 0; ///< stands in the buffer for ^D, marked as an end of line; never given to readers

} // namespace

void tty_init() {
    static constinit tty_bufhead buf = {};
    console_terminal.initialise(ICRNL | IXON);
    tty_buffer_init(console_terminal, buf);
}

void tty_struct::initialise(u32 input_flags) {
    termios = {input_flags,
               OPOST | ONLCR,
               0xbf, // B38400 CS8 CREAD
               ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
               0,
               {}};
    const u8 characters[] = {3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0};
    memcpy(termios.c_cc, characters, sizeof characters);
}

/// As much of it as the other side takes, in input's count: a newline's two characters go together.
usize tty_struct::process_output(const char* text, usize size) {
    bool expand = (termios.c_oflag & OPOST) && (termios.c_oflag & ONLCR);
    usize done = 0;
    char chunk[256];
    for (bool full = false; !full && done < size;) {
        usize count = 0, from = done;
        usize room = pty ? min<usize>(sizeof chunk, pty_output_room(*pty)) : sizeof chunk;
        for (; done < size; done++) {
            bool newline = expand && text[done] == '\n';
            if (count + 1 + newline > room) break;
            if (newline) chunk[count++] = '\r';
            chunk[count++] = text[done];
        }
        full = done == from;
        if (!pty)
            console_write(chunk, count);
        else if (count && !pty_output(*pty, chunk, count)) // another writer was faster
            full = true, done = from;
    }
    return done;
}

void tty_struct::post(const char* text, usize size) { (void)process_output(text, size); }

void tty_struct::echo(char c) {
    if (!(termios.c_lflag & ECHO)) {
        if (c == '\n' && (termios.c_lflag & ECHONL) && (termios.c_lflag & ICANON)) post(&c, 1);
        return;
    }
    if ((static_cast<u8>(c) < 32 || c == 127) && c != '\n' && c != '\t' && (termios.c_lflag & ECHOCTL)) {
        char text[2] = {'^', static_cast<char>(c ^ 64)};
        post(text, 2);
    } else {
        post(&c, 1);
    }
}

void tty_struct::erase() {
    if (write_at == commit_at) return;
    write_at--;
    char gone = read_buf[write_at & Mask];
    if (termios.c_lflag & ECHO)
        post(static_cast<u8>(gone) < 32 ? "\b \b\b \b" : "\b \b", static_cast<u8>(gone) < 32 ? 6 : 3);
}

bool tty_struct::receive_room() const {
    return write_at - read_at < N_TTY_BUF_SIZE - 2 || ((termios.c_lflag & ICANON) && read_at == commit_at);
}

void tty_struct::receive(char c) {
    i32 group = 0;
    int signal = 0;
    bool wake = false, restarted = false, flushed = false;
    {
        IrqSpinGuard guard(lock);
        const u8* special = termios.c_cc;
        u8 byte = static_cast<u8>(c);
        bool canonical = termios.c_lflag & ICANON, plain = literal;
        literal = false;
        auto is = [&](unsigned which) { return !plain && byte && byte == special[which]; };
        if (!plain && c == '\r' && (termios.c_iflag & ICRNL)) byte = static_cast<u8>(c = '\n');
        if ((termios.c_iflag & IXON) && is(VSTART)) {
            restarted = stopped, stopped = false;
        } else if ((termios.c_iflag & IXON) && is(VSTOP)) {
            stopped = true;
        } else if ((termios.c_lflag & ISIG) && (is(VINTR) || is(VQUIT) || is(VSUSP))) {
            signal = byte == special[VINTR] ? SIGINT : byte == special[VQUIT] ? SIGQUIT : SIGTSTP;
            group = foreground_group;
            restarted = stopped, stopped = false;
            echo(c);
            if (!(termios.c_lflag & NOFLSH)) flush_input(), flushed = true; // what was typed is dropped
        } else if (canonical && (is(VERASE) || (!plain && byte == '\b'))) {
            erase();
        } else if (canonical && is(VKILL)) {
            while (write_at != commit_at) erase();
        } else if (canonical && (termios.c_lflag & IEXTEN) && is(VWERASE)) {
            while (write_at != commit_at && read_buf[(write_at - 1) & Mask] == ' ') erase();
            while (write_at != commit_at && read_buf[(write_at - 1) & Mask] != ' ') erase();
        } else if (canonical && (termios.c_lflag & IEXTEN) && is(VLNEXT)) {
            literal = true;
            if (termios.c_lflag & ECHO) post("^\b", 2);
        } else if (write_at - read_at < N_TTY_BUF_SIZE - 1) { // the last place is kept for the newline
            bool end_of_file = canonical && is(VEOF);
            bool ends = canonical && !plain && (c == '\n' || end_of_file || is(VEOL) || is(VEOL2));
            if (ends || write_at - read_at < N_TTY_BUF_SIZE - 2) {
                mark_line_end(write_at & Mask, ends);
                read_buf[write_at++ & Mask] = end_of_file ? EofMark : c;
                if (!end_of_file) echo(c);
                if (!canonical || ends) {
                    commit_at = write_at;
                    wake = true;
                }
            }
        }
    }
    if (signal && group) kill_pgrp(group, signal);
    if (wake) readers.wake_all();
    if (restarted) writers.wake_all();
    if (flushed && pty) pty_wake_master(*pty);
}

bool tty_struct::readable() const { return read_at != commit_at; }

void tty_struct::flush_input() { read_at = commit_at = write_at; }

void tty_struct::restart_lines() {
    for (u32 at = read_at; at != write_at; at++) mark_line_end(at & Mask, false);
    if ((termios.c_lflag & ICANON) && read_at != write_at) mark_line_end((write_at - 1) & Mask, true);
    commit_at = write_at;
}

u32 tty_struct::input_count() const {
    u32 count = commit_at - read_at;
    if (termios.c_lflag & ICANON)
        for (u32 at = read_at; at != commit_at; at++)
            count -= ends_line(at & Mask) && read_buf[at & Mask] == EofMark;
    return count;
}

/// What a read may wait for: a line; or VMIN bytes, with VTIME tenths of a second between them, or for the
/// first where VMIN is 0 (termios(3), noncanonical mode).
Result<void> tty_struct::wait_for_input(struct file& file, usize size) {
    wait_queue_entry entry;
    Result<void> result;
    u32 seen = 0;
    u64 deadline = 0;
    for (;;) {
        prepare_to_wait(readers, entry, WaitInterruptible);
        bool canonical = termios.c_lflag & ICANON;
        u32 there = commit_at - read_at;
        u64 time = canonical ? 0 : u64{termios.c_cc[VTIME]} * HZ / 10;
        u64 wanted = canonical ? 1 : max<u64>(1, min<u64>(termios.c_cc[VMIN], size));
        if ((canonical ? readable() : there >= wanted) || tty_hung_up(file)) break;
        if (!canonical && !termios.c_cc[VMIN] && !time) break;
        if ((file.f_flags & O_NONBLOCK) && !there) {
            result = Errno::EAGAIN;
            break;
        }
        if (file.f_flags & O_NONBLOCK) break;
        if (get_current()->signal_pending()) {
            if (canonical || !there) result = Errno::ERESTARTSYS;
            break;
        }
        if (time && (!termios.c_cc[VMIN] || there)) {
            if (!deadline || there != seen) deadline = jiffies + time;
            seen = there;
            if (static_cast<i64>(deadline - jiffies) <= 0) break;
            (void)schedule_timeout(deadline - jiffies);
        } else {
            schedule();
        }
    }
    finish_wait(readers, entry);
    return result;
}

Result<usize> tty_struct::read(struct file& file, IoBuffer out) {
    if (!out.size) return usize{0};
    if (tty_hung_up(file)) return usize{0};
    TRY(check_change(SIGTTIN));
    TRY(wait_for_input(file, out.size));
    if (tty_hung_up(file)) return pty && !readable() ? Result<usize>(Errno::EIO) : usize{0};
    TRY(check_change(SIGTTIN)); // it may have gone to the background while it slept
    char chunk[256];
    usize done = 0;
    for (bool over = false; !over && done < out.size;) {
        usize count = 0;
        {
            IrqSpinGuard guard(lock);
            bool canonical = termios.c_lflag & ICANON;
            usize limit = min<usize>(out.size - done, sizeof chunk);
            while (!over && count < limit) {
                if (read_at == commit_at) {
                    over = true;
                    break;
                }
                u32 at = read_at++ & Mask;
                over = canonical && ends_line(at);
                // At the start of a line it is the end of file; behind text it only ends the read.
                if (!over || read_buf[at] != EofMark) chunk[count++] = read_buf[at];
            }
            // A read that is full just before it takes it along.
            if (u32 at = read_at & Mask; !over && done + count == out.size && canonical &&
                                         read_at != commit_at && ends_line(at) && read_buf[at] == EofMark)
                read_at++;
        }
        Result<void> stored = out.store(done, chunk, count);
        if (!stored.ok()) {
            check_unthrottle(); // what could not be stored is gone from the buffer, too
            return done ? Result<usize>(done) : stored.error();
        }
        done += count;
    }
    if (pty) pty_wake_master(*pty);
    check_unthrottle();
    return done;
}

void tty_struct::check_unthrottle() {
    // TTY_THRESHOLD_UNTHROTTLE: not for every byte. An unfinished line does not count, its end is still to
    // come.
    if (!unthrottle || __atomic_load_n(&commit_at, __ATOMIC_SEQ_CST) - read_at > 128) return;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    unthrottle(*this);
}

Result<usize> tty_struct::write(struct file& file, IoBuffer in) {
    if (termios.c_lflag & TOSTOP) TRY(check_change(SIGTTOU));
    char chunk[256];
    usize done = 0;
    while (done < in.size) {
        if (tty_hung_up(file)) return done ? Result<usize>(done) : Errno::EIO;
        usize count = min<usize>(sizeof chunk, in.size - done), taken = 0;
        TRY(in.load(chunk, done, count));
        if (!__atomic_load_n(&stopped, __ATOMIC_RELAXED)) taken = process_output(chunk, count);
        done += taken;
        if (taken) continue;
        if (file.f_flags & O_NONBLOCK) return done ? Result<usize>(done) : Errno::EAGAIN;
        Result<void> waited = writers.wait_interruptible([&] {
            return tty_hung_up(file) ||
                   (!__atomic_load_n(&stopped, __ATOMIC_RELAXED) && (!pty || pty_output_room(*pty) >= 2));
        });
        if (!waited.ok()) return done ? Result<usize>(done) : waited.error();
    }
    return done;
}

u32 tty_struct::poll(struct file& file, poll_table* table) {
    poll_wait(file, readers, table);
    poll_wait(file, writers, table);
    if (tty_hung_up(file)) return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLERR | POLLHUP;
    bool room = !stopped && (!pty || pty_output_room(*pty) >= 2);
    return (room ? POLLOUT | POLLWRNORM : 0) | (readable() ? POLLIN | POLLRDNORM : 0);
}

} // namespace kernel
