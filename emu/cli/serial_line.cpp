// See serial_line.h. POSIX pseudo-terminals and AF_UNIX sockets, all non-blocking.
#include "emu/cli/serial_line.h"
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>
#include "emu/net/unix_listener.h"

namespace vitrine::emu::cli {

Expected<std::unique_ptr<SerialLine>> SerialLine::open_pty(const std::string& option) {
    const auto failed = [&](int file) {
        const int reason = errno;
        if (file >= 0) ::close(file);
        return bad_input(fmt::format("{} pty: {}", option, std::strerror(reason)));
    };
    const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    char name[128];
    if (master < 0 || ::grantpt(master) != 0 || ::unlockpt(master) != 0 ||
        ::ptsname_r(master, name, sizeof name) != 0)
        return failed(master);
    const int slave = ::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    termios mode{};
    if (slave < 0 || ::tcgetattr(slave, &mode) != 0) return failed(master);
    ::cfmakeraw(&mode); // the guest's terminal layer does what there is to do
    ::tcsetattr(slave, TCSANOW, &mode);
    ::fcntl(master, F_SETFL, O_NONBLOCK);
    return std::unique_ptr<SerialLine>(new SerialLine(name, -1, master, slave));
}

Expected<std::unique_ptr<SerialLine>> SerialLine::listen(const std::string& path, const std::string& option) {
    auto socket = net::listen_at(path, option + " unix:" + path, SOCK_NONBLOCK);
    if (!socket) return std::unexpected(socket.error());
    return std::unique_ptr<SerialLine>(new SerialLine("unix:" + path, *socket, -1, -1));
}

SerialLine::~SerialLine() {
    for (const int file : {line_, slave_, listener_})
        if (file >= 0) ::close(file);
    if (listener_ >= 0) ::unlink(name_.c_str() + 5);
}

void SerialLine::hang_up() {
    if (listener_ < 0) return; // a pty waits for the next program
    ::close(std::exchange(line_, -1));
}

void SerialLine::flush() {
    while (line_ >= 0 && !kept_.empty()) {
        const ssize_t n = listener_ >= 0 ? ::send(line_, kept_.data(), kept_.size(), MSG_NOSIGNAL)
                                         : ::write(line_, kept_.data(), kept_.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            if (n < 0 && errno != EAGAIN) hang_up();
            break;
        }
        kept_.erase(0, static_cast<std::size_t>(n));
    }
    if (kept_.size() > MostKept) kept_.erase(0, kept_.size() - MostKept);
}

void SerialLine::write(std::string_view bytes) {
    kept_ += bytes;
    flush();
}

std::string SerialLine::read(int milliseconds) {
    pollfd wait{descriptor(), POLLIN, 0};
    if (::poll(&wait, 1, milliseconds) > 0 && line_ < 0) {
        line_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        flush();
    }
    if (line_ < 0) return {};
    flush(); // what did not fit before
    char buffer[4096];
    const ssize_t n = ::read(line_, buffer, sizeof buffer);
    if (n > 0) return {buffer, static_cast<std::size_t>(n)};
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) hang_up();
    return {};
}

} // namespace vitrine::emu::cli
