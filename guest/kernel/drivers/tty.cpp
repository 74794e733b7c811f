// The console terminal; see tty.h.
#include "drivers/tty.h"

#include "fs/poll.h"

#include "arch/x86_64/user_access.h"
#include "lib/log.h"
#include "mm/slab.h"
#include "sched/scheduler.h"
#include "task/signal.h"
#include "task/task.h"

namespace kernel {

constinit Terminal console_terminal = {};

namespace {

constexpr u32 ICRNL = 0x100, OPOST = 1, ONLCR = 4, ISIG = 1, ICANON = 2, ECHO = 8, ECHOE = 0x10, ECHOK = 0x20,
              ECHOCTL = 0x200, TOSTOP = 0x100, NOFLSH = 0x80, ECHOKE = 0x800, IEXTEN = 0x8000;
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
    VWERASE
};
constexpr u32 Mask = sizeof(Terminal::buffer) - 1;
constexpr char EofMark = '\377'; ///< stands in the buffer for ^D; never given to readers

struct WindowSize {
    u16 rows, columns, x_pixels, y_pixels;
};

struct TerminalInode final : inode {
    Result<usize> read(struct file& file, IoBuffer buffer, u64) override {
        return console_terminal.read(buffer, file.f_flags & O_NONBLOCK);
    }
    Result<usize> write(struct file&, IoBuffer buffer, u64&) override {
        return console_terminal.write(buffer);
    }
    Result<u64> control(struct file&, u32 command, u64 argument) override {
        return console_terminal.control(command, argument);
    }
    u32 poll(struct file& file, poll_table* table) override {
        poll_wait(file, console_terminal.readers, table);
        return POLLOUT | POLLWRNORM | (console_terminal.readable() ? POLLIN | POLLRDNORM : 0);
    }
    bool seekable() const override { return false; }
    bool is_terminal() const override { return true; }
    void evict_inode() override {}
};

} // namespace

void tty_init() {
    Termios& t = console_terminal.settings;
    t = {ICRNL, OPOST | ONLCR, 0xbf, ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN, 0, {}};
    const u8 characters[] = {3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22};
    memcpy(t.characters, characters, sizeof characters);
}

struct inode* make_terminal_inode(u32 device) {
    auto* inode = make<TerminalInode>();
    if (!inode) panic("out of memory for the terminal");
    inode->i_mode = S_IFCHR | 0620;
    inode->i_rdev = device;
    return inode;
}

void Terminal::post(const char* text, usize size) {
    if (!(settings.output & OPOST) || !(settings.output & ONLCR)) return console_write(text, size);
    usize start = 0;
    for (usize i = 0; i < size; i++) {
        if (text[i] != '\n') continue;
        if (i > start) console_write(text + start, i - start);
        console_write("\r\n", 2);
        start = i + 1;
    }
    if (size > start) console_write(text + start, size - start);
}

void Terminal::echo(char c) {
    if (!(settings.local & ECHO)) return;
    if (static_cast<u8>(c) < 32 && c != '\n' && c != '\t' && (settings.local & ECHOCTL)) {
        char text[2] = {'^', static_cast<char>(c + 64)};
        post(text, 2);
    } else {
        post(&c, 1);
    }
}

void Terminal::erase() {
    if (write_at == commit_at) return;
    write_at--;
    char gone = buffer[write_at & Mask];
    if (settings.local & ECHO)
        post(static_cast<u8>(gone) < 32 ? "\b \b\b \b" : "\b \b", static_cast<u8>(gone) < 32 ? 6 : 3);
}

void Terminal::receive(char c) {
    i32 group = 0;
    int signal = 0;
    bool wake = false;
    {
        IrqSpinGuard guard(lock);
        const u8* special = settings.characters;
        if (c == '\r' && (settings.input & ICRNL)) c = '\n';
        u8 byte = static_cast<u8>(c);
        bool canonical = settings.local & ICANON;
        if ((settings.local & ISIG) && byte &&
            (byte == special[VINTR] || byte == special[VQUIT] || byte == special[VSUSP])) {
            signal = byte == special[VINTR] ? SIGINT : byte == special[VQUIT] ? SIGQUIT : SIGTSTP;
            group = foreground_group;
            echo(c);
            if (!(settings.local & NOFLSH)) { // what was typed is dropped
                read_at = commit_at = write_at;
                lines = 0;
            }
        } else if (canonical && (byte == special[VERASE] || byte == '\b')) {
            erase();
        } else if (canonical && byte == special[VKILL]) {
            while (write_at != commit_at) erase();
        } else if (canonical && byte == special[VWERASE]) {
            while (write_at != commit_at && buffer[(write_at - 1) & Mask] == ' ') erase();
            while (write_at != commit_at && buffer[(write_at - 1) & Mask] != ' ') erase();
        } else if (write_at - read_at < sizeof buffer - 1) { // the last place is kept for the newline
            bool end_of_file = canonical && byte == special[VEOF];
            if (c == '\n' || end_of_file || write_at - read_at < sizeof buffer - 2) {
                buffer[write_at++ & Mask] = end_of_file ? EofMark : c;
                if (!end_of_file) echo(c);
                if (!canonical || c == '\n' || end_of_file) {
                    commit_at = write_at;
                    if (canonical) lines++;
                    wake = true;
                }
            }
        }
    }
    if (signal && group) kill_pgrp(group, signal);
    if (wake) readers.wake_all();
}

bool Terminal::controls_caller() const {
    task_struct* task = get_current();
    return task->signal->tty && session && session == task_session_nr(*task);
}

Result<void> Terminal::check_change(int signal) {
    task_struct* task = get_current();
    if (!controls_caller() || !foreground_group || task_pgrp_nr(*task) == foreground_group) return {};
    if (task->blocked & sigmask(signal) || task->sighand->action[signal - 1].handler == SIG_IGN)
        return signal == SIGTTIN ? Result<void>(Errno::EIO) : Result<void>();
    IrqSpinGuard guard(tasklist_lock);
    if (is_current_pgrp_orphaned()) return Errno::EIO;
    __kill_pgrp_info(signal, nullptr, task_pgrp(*task));
    return Errno::ERESTARTSYS;
}

void disassociate_ctty(task_struct* task) {
    if (!task->signal->tty) return;
    Terminal& terminal = console_terminal;
    IrqSpinGuard guard(tasklist_lock);
    struct pid* session = task_session(*task);
    if (!session || terminal.session != session->nr) return;
    if (struct pid* group = find_pid(terminal.foreground_group)) {
        __kill_pgrp_info(SIGHUP, nullptr, group);
        __kill_pgrp_info(SIGCONT, nullptr, group);
    }
    terminal.session = terminal.foreground_group = 0;
    for (PID_EACH(node, session, PIDTYPE_SID))
        container_of_offset<task_struct>(node,
                                         offsetof(task_struct, pid_links) + PIDTYPE_SID * sizeof(list_head))
            ->signal->tty = false;
}

bool Terminal::readable() const { return settings.local & ICANON ? lines > 0 : read_at != commit_at; }

Result<usize> Terminal::read(IoBuffer out, bool nonblocking) {
    if (!out.size) return usize{0};
    TRY(check_change(SIGTTIN));
    if (!readable()) {
        if (nonblocking) return Errno::EAGAIN;
        if (!(settings.local & ICANON) && settings.characters[VMIN] == 0) return usize{0};
        TRY(readers.wait_interruptible([this] { return readable(); }));
        TRY(check_change(SIGTTIN)); // it may have gone to the background while it slept
    }
    char chunk[256];
    usize count = 0;
    {
        IrqSpinGuard guard(lock);
        bool canonical = settings.local & ICANON;
        usize limit = min<usize>(out.size, sizeof chunk);
        while (count < limit && read_at != commit_at) {
            char c = buffer[read_at & Mask];
            if (canonical && c == EofMark) {
                // At the start of a line it is the end of file; behind text it only ends the read.
                read_at++;
                if (lines) lines--;
                break;
            }
            read_at++;
            chunk[count++] = c;
            if (canonical && c == '\n') {
                if (lines) lines--;
                break;
            }
        }
    }
    TRY(out.store(0, chunk, count));
    return count;
}

Result<usize> Terminal::write(IoBuffer in) {
    if (settings.local & TOSTOP) TRY(check_change(SIGTTOU));
    char chunk[256];
    usize done = 0;
    while (done < in.size) {
        usize count = min<usize>(sizeof chunk, in.size - done);
        TRY(in.load(chunk, done, count));
        post(chunk, count);
        done += count;
    }
    return done;
}

Result<u64> Terminal::control(u32 command, u64 argument) {
    task_struct* task = get_current();
    switch (command) {
    case 0x5401: TRY(copy_to_user(argument, &settings, sizeof settings)); return u64{0}; // TCGETS
    case 0x5402:                                                                         // TCSETS, TCSETSW
    case 0x5403:
    case 0x5404: { // TCSETSF: input is dropped
        TRY(check_change(SIGTTOU));
        Termios fresh = TRY(get_user<Termios>(argument));
        IrqSpinGuard guard(lock);
        if (command == 0x5404) read_at = commit_at = write_at, lines = 0;
        if ((settings.local ^ fresh.local) & ICANON)
            commit_at = write_at; // what was being edited becomes readable
        settings = fresh;
        return u64{0};
    }
    case 0x5413: TRY(put_user(argument, WindowSize{rows, columns, 0, 0})); return u64{0}; // TIOCGWINSZ
    case 0x5414: {                                                                        // TIOCSWINSZ
        WindowSize size = TRY(get_user<WindowSize>(argument));
        rows = size.rows, columns = size.columns;
        return u64{0};
    }
    case 0x540f: TRY(put_user<i32>(argument, foreground_group)); return u64{0}; // TIOCGPGRP
    case 0x5410: {                                                              // TIOCSPGRP
        i32 group = TRY(get_user<i32>(argument));
        if (!controls_caller()) return Errno::ENOTTY;
        TRY(check_change(SIGTTOU));
        if (group < 0) return Errno::EINVAL;
        IrqSpinGuard guard(tasklist_lock);
        struct pid* found = find_pid(group);
        task_struct* member = nullptr;
        if (found && found->tasks[PIDTYPE_PGID].linked())
            member = container_of_offset<task_struct>(found->tasks[PIDTYPE_PGID].next,
                                                      offsetof(task_struct, pid_links) +
                                                          PIDTYPE_PGID * sizeof(list_head));
        if (!member) return Errno::ESRCH;
        if (task_session(*member) != task_session(*task)) return Errno::EPERM;
        foreground_group = group;
        return u64{0};
    }
    case 0x5429: TRY(put_user<i32>(argument, session)); return u64{0}; // TIOCGSID
    case 0x540e:                                                       // TIOCSCTTY
        if (!task->signal->leader) return Errno::EPERM;
        if (session && session != task_session_nr(*task) && !capable(*current_cred())) return Errno::EPERM;
        session = task_session_nr(*task);
        foreground_group = task_pgrp_nr(*task);
        task->signal->tty = true;
        return u64{0};
    case 0x5422: // TIOCNOTTY
        if (!task->signal->tty) return Errno::ENOTTY;
        if (task->signal->leader) disassociate_ctty(task);
        task->signal->tty = false;
        return u64{0};
    case 0x541b: { // FIONREAD
        TRY(put_user<i32>(argument, static_cast<i32>(commit_at - read_at)));
        return u64{0};
    }
    case 0x540b: { // TCFLSH
        IrqSpinGuard guard(lock);
        if (argument != 1) read_at = commit_at = write_at, lines = 0;
        return u64{0};
    }
    default: return Errno::ENOTTY;
    }
}

} // namespace kernel
