// Terminal: see terminal.h. POSIX termios.
#include "emu/cli/terminal.h"
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

namespace vitrine::emu::cli {

namespace {

// One terminal a process; signal handlers need to reach it.
termios saved_mode;
volatile sig_atomic_t mode_saved = 0;

void restore_mode() {
    if (mode_saved) tcsetattr(STDIN_FILENO, TCSANOW, &saved_mode);
    mode_saved = 0;
}

void restore_and_die(int signal) {
    restore_mode();
    ::signal(signal, SIG_DFL);
    raise(signal);
}

} // namespace

Terminal::Terminal(bool interactive) : open_(interactive) {
    if (!interactive || !isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &saved_mode) != 0) return;
    termios raw = saved_mode;
    cfmakeraw(&raw);
    raw.c_oflag |= OPOST; // lines on stderr still begin in the first column
    if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0) return;
    mode_saved = 1;
    raw_ = true;
    for (int signal : {SIGTERM, SIGHUP, SIGQUIT, SIGSEGV, SIGABRT}) ::signal(signal, restore_and_die);
}

Terminal::~Terminal() { restore_mode(); }

void Terminal::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (n <= 0) return; // nobody reads any more; the run itself is not concerned
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

std::string Terminal::read(int milliseconds) {
    if (!open_) return {};
    pollfd wait{STDIN_FILENO, POLLIN, 0};
    if (poll(&wait, 1, milliseconds) <= 0 || !(wait.revents & (POLLIN | POLLHUP))) {
        if (wait.revents & (POLLERR | POLLNVAL)) open_ = false;
        return {};
    }
    char buffer[4096];
    const ssize_t n = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return {};
    if (n <= 0) {
        open_ = false;
        return {};
    }
    const std::string_view bytes(buffer, static_cast<std::size_t>(n));
    return raw_ ? strip_escapes(bytes) : std::string(bytes);
}

std::string Terminal::strip_escapes(std::string_view bytes) {
    constexpr char ControlA = 1;
    std::string out;
    for (char c : bytes) {
        if (!escape_) {
            if (c == ControlA)
                escape_ = true;
            else
                out += c;
            continue;
        }
        escape_ = false;
        if (c == 'x' || c == 'X')
            quit_ = true;
        else if (c == ControlA || c == 'a')
            out += ControlA;
        else if (c == 'h' || c == '?')
            write("\r\nCtrl-A X  end the run\r\nCtrl-A Ctrl-A  send Ctrl-A\r\n");
    }
    return out;
}

} // namespace vitrine::emu::cli
