// Terminals as files: the device nodes, and what ioctl(2) does to one (tty_ioctl(2)). See tty.h.
#include "drivers/tty.h"

#include "arch/x86_64/user_access.h"
#include "fs/poll.h"
#include "lib/log.h"
#include "mm/slab.h"
#include "task/signal.h"
#include "task/task.h"

namespace kernel {
namespace {

tty_struct& tty_of(const struct file& file) { return *static_cast<tty_struct*>(file.private_data); }

/// What a node of a terminal opens: 5:0 the caller's own, 136:N a pseudo-terminal's slave, others the
/// console.
struct TerminalInode final : inode {
    Result<void> open(struct file& file) override {
        u32 major = device_major(file.f_inode->i_rdev);
        tty_struct* tty = &console_terminal;
        if (file.f_inode->i_rdev == make_device(5, 0)) {
            IrqSpinGuard guard(tasklist_lock);
            tty = get_current()->signal->tty;
            if (!tty) return Errno::ENXIO;
            if (tty->pty) pty_get_slave(*tty);
            file.private_data = tty, file.private_value = tty->hangups;
            return {};
        }
        if (major == 136) {
            tty = TRY(pty_open_slave(file, device_minor(file.f_inode->i_rdev)));
        } else {
            IrqSpinGuard guard(tasklist_lock);
            file.private_data = tty, file.private_value = tty->hangups;
        }
        bool controls =
            !(file.f_flags & O_NOCTTY) && (major == 136 || file.f_inode->i_rdev == make_device(4, 64));
        if (controls) tty_open_proc_set_tty(file, *tty);
        return {};
    }
    void release(struct file& file) override {
        if (tty_of(file).pty) pty_close_slave(tty_of(file));
    }
    Result<usize> read(struct file& file, IoBuffer buffer, u64) override {
        return tty_of(file).read(file, buffer);
    }
    Result<usize> write(struct file& file, IoBuffer buffer, u64&) override {
        return tty_of(file).write(file, buffer);
    }
    Result<u64> control(struct file& file, u32 command, u64 argument) override {
        if (tty_hung_up(file)) return command == 0x5410 ? Errno::ENOTTY : Errno::EIO;
        return tty_of(file).control(command, argument);
    }
    u32 poll(struct file& file, poll_table* table) override { return tty_of(file).poll(file, table); }
    bool seekable() const override { return false; }
    bool is_terminal() const override { return true; }
    void evict_inode() override {}
};

} // namespace

struct inode* make_terminal_inode(u32 device) {
    auto* inode = make<TerminalInode>();
    if (!inode) panic("out of memory for the terminal");
    inode->i_mode = S_IFCHR | 0620;
    inode->i_rdev = device;
    return inode;
}

Result<void> tty_struct::resize(const struct winsize& fresh) {
    i32 group;
    {
        IrqSpinGuard guard(lock);
        if (fresh == winsize) return {};
        winsize = fresh;
        group = foreground_group;
    }
    if (group) kill_pgrp(group, SIGWINCH);
    return {};
}

Result<u64> tty_struct::set_termios(u32 command, u64 argument, bool other_end) {
    if (!other_end) TRY(check_change(SIGTTOU));
    ktermios fresh = TRY(get_user<ktermios>(argument));
    bool readers_may_go, restarted;
    {
        IrqSpinGuard guard(lock);
        if (command == 0x5404) flush_input(); // TCSETSF
        bool turned = (termios.c_lflag ^ fresh.c_lflag) & ICANON;
        restarted = stopped && !(fresh.c_iflag & IXON);
        if (restarted) stopped = false;
        termios = fresh;
        if (turned) restart_lines();
        readers_may_go = readable();
    }
    if (readers_may_go) readers.wake_all();
    if (restarted) writers.wake_all();
    if (command == 0x5404 && pty) pty_wake_master(*pty);
    check_unthrottle();
    return u64{0};
}

Result<u64> tty_struct::control(u32 command, u64 argument, bool other_end) {
    Result<u64> job = tty_jobctrl_ioctl(*this, command, argument, other_end);
    if (job.ok() || job.error() != Errno::ENOSYS) return job;
    switch (command) {
    case 0x5401: TRY(copy_to_user(argument, &termios, sizeof termios)); return u64{0}; // TCGETS
    case 0x5402: // TCSETS: output is not kept back here, so TCSETSW is the same
    case 0x5403:
    case 0x5404: return set_termios(command, argument, other_end);
    case 0x5409: // TCSBRK: nothing to send it with
        if (!other_end) TRY(check_change(SIGTTOU));
        return u64{0};
    case 0x540a: { // TCXONC
        if (!other_end) TRY(check_change(SIGTTOU));
        if (argument > 3) return Errno::EINVAL;
        if (argument == 0) __atomic_store_n(&stopped, true, __ATOMIC_RELAXED);
        if (argument == 1) {
            __atomic_store_n(&stopped, false, __ATOMIC_RELAXED);
            writers.wake_all();
        }
        return u64{0};
    }
    case 0x540b: { // TCFLSH
        if (!other_end) TRY(check_change(SIGTTOU));
        if (argument > 2) return Errno::EINVAL;
        if (argument != 1) {
            IrqSpinGuard guard(lock);
            flush_input();
        }
        if (argument != 1 && pty) pty_wake_master(*pty);
        check_unthrottle();
        return u64{0};
    }
    case 0x5412: { // TIOCSTI: as if it were typed
        if (get_current()->signal->tty != this && !capable(*current_cred())) return Errno::EPERM;
        receive(TRY(get_user<char>(argument)));
        return u64{0};
    }
    case 0x5413: TRY(put_user(argument, winsize)); return u64{0}; // TIOCGWINSZ
    case 0x5414: TRY(resize(TRY(get_user<struct winsize>(argument)))); return u64{0};
    case 0x5411: TRY(put_user<i32>(argument, 0)); return u64{0}; // TIOCOUTQ
    case 0x541b: {                                               // FIONREAD
        i32 count;
        {
            IrqSpinGuard guard(lock);
            count = static_cast<i32>(input_count());
        }
        TRY(put_user<i32>(argument, count));
        return u64{0};
    }
    default: return Errno::ENOTTY;
    }
}

} // namespace kernel
