// Server: see server.h. POSIX sockets; the machine runs in the same thread, and looks at the socket between
// slices.
#include "emu/gdb/server.h"
#include <arpa/inet.h>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <deque>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "emu/gdb/packet.h"
#include "emu/net/unix_listener.h"

namespace vitrine::emu::gdb {

namespace {

constexpr int WaitMilliseconds = 100;

std::optional<u16> port_of(const std::string& where) {
    unsigned port = 0;
    const auto [end, error] = std::from_chars(where.data(), where.data() + where.size(), port);
    if (where.empty() || error != std::errc{} || end != where.data() + where.size() || port > 65535)
        return std::nullopt;
    return static_cast<u16>(port);
}

/// One connected gdb.
class Connection {
public:
    explicit Connection(int socket) : socket_(socket) {}
    ~Connection() { ::close(socket_); }
    Connection(const Connection&) = delete;

    /// Reads what is there; false: gdb is gone.
    bool read(int milliseconds) {
        pollfd wait{socket_, POLLIN, 0};
        const int ready = ::poll(&wait, 1, milliseconds);
        if (ready <= 0) return ready == 0 || errno == EINTR;
        char buffer[16384];
        const ssize_t n = ::recv(socket_, buffer, sizeof buffer, 0);
        if (n < 0) return errno == EINTR || errno == EAGAIN;
        if (n == 0) return false;
        for (PacketReader::Item& item : reader_.feed({buffer, static_cast<std::size_t>(n)}))
            items_.push_back(std::move(item));
        return true;
    }
    bool write(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
        return true;
    }
    std::deque<PacketReader::Item>& items() { return items_; }
    /// gdb's Ctrl-C, or gdb has gone.
    bool interrupted() {
        if (!read(0)) return true;
        if (items_.empty() || items_.front().kind != PacketReader::Item::Kind::Interrupt) return false;
        items_.pop_front();
        return true;
    }

private:
    int socket_;
    PacketReader reader_;
    std::deque<PacketReader::Item> items_;
};

} // namespace

Expected<void> check_address(const std::string& where) {
    if (where.starts_with("unix:")) {
        if (where.size() == 5 || where.size() - 5 >= sizeof(sockaddr_un::sun_path))
            return usage_error(fmt::format("--gdb {}: a path of 1 to {} characters belongs behind unix:",
                                           where, sizeof(sockaddr_un::sun_path) - 1));
        return {};
    }
    if (!port_of(where)) return usage_error(fmt::format("--gdb {}: PORT (0 to 65535) or unix:PATH", where));
    return {};
}

Expected<std::unique_ptr<Server>> Server::listen(const std::string& where) {
    if (auto ok = check_address(where); !ok) return std::unexpected(ok.error());
    const auto failed = [&](int socket) {
        auto error = bad_input(fmt::format("--gdb {}: {}", where, std::strerror(errno)));
        if (socket >= 0) ::close(socket);
        return error;
    };
    if (where.starts_with("unix:")) {
        const std::string path = where.substr(5);
        auto socket = net::listen_at(path, "--gdb " + where);
        if (!socket) return std::unexpected(socket.error());
        return std::unique_ptr<Server>(new Server(*socket, where, path));
    }
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return failed(socket);
    const int on = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(*port_of(where));
    socklen_t size = sizeof address;
    if (::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(socket, 1) != 0 || ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0)
        return failed(socket);
    return std::unique_ptr<Server>(
        new Server(socket, fmt::format("localhost:{}", ntohs(address.sin_port)), {}));
}

Server::~Server() {
    ::close(socket_);
    if (!path_.empty()) ::unlink(path_.c_str());
}

Stub::State Server::serve(Stub& stub, const std::function<bool()>& cancelled) {
    int accepted = -1;
    while (accepted < 0) {
        if (cancelled()) return Stub::State::Killed;
        pollfd wait{socket_, POLLIN, 0};
        if (::poll(&wait, 1, WaitMilliseconds) > 0)
            accepted = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
    }
    const int on = 1;
    ::setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    Connection gdb(accepted);
    stub.on_poll([&] { return gdb.interrupted() || cancelled(); });
    while (stub.state() == Stub::State::Attached) {
        if (cancelled() || !gdb.read(WaitMilliseconds)) break;
        while (!gdb.items().empty() && stub.state() == Stub::State::Attached) {
            const PacketReader::Item item = std::move(gdb.items().front());
            gdb.items().pop_front();
            const bool acknowledge = stub.acknowledges();
            if (item.kind == PacketReader::Item::Kind::Interrupt) continue; // it stands already
            if (item.kind == PacketReader::Item::Kind::Damaged) {
                if (acknowledge) gdb.write("-");
                continue;
            }
            if (acknowledge) gdb.write("+");
            if (const auto reply = stub.handle(item.data)) gdb.write(frame(*reply));
        }
    }
    stub.on_poll({});
    return stub.state();
}

} // namespace vitrine::emu::gdb
