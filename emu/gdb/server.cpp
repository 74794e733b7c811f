// Server: see server.h. POSIX sockets; the machine runs in the same thread, and looks at the socket between
// slices.
#include "emu/gdb/server.h"
#include <algorithm>
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
#include <utility>
#include "emu/gdb/packet.h"
#include "emu/net/unix_listener.h"

namespace vitrine::emu::gdb {

namespace {

constexpr int WaitMilliseconds = 100;
/// gdb sends one packet and waits for its answer; while the machine runs it sends nothing but Ctrl-C. Who has
/// so many waiting is no gdb.
constexpr std::size_t MostWaiting = 256;

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
    Connection(int socket, const std::function<bool()>& cancelled) : socket_(socket), cancelled_(cancelled) {}
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
        spoke_ = spoke_ || !items_.empty();
        return items_.size() <= MostWaiting;
    }
    /// Something that gdb would send has come.
    bool spoke() const { return spoke_; }
    /// A peer that does not read its answers holds up this thread no longer than the run may last.
    bool write(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0 && errno == EAGAIN) {
                pollfd wait{socket_, POLLOUT, 0};
                ::poll(&wait, 1, WaitMilliseconds);
                if (cancelled_()) return false;
                continue;
            }
            if (n <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
        return true;
    }
    std::deque<PacketReader::Item>& items() { return items_; }
    /// gdb's Ctrl-C, or gdb has gone.
    bool interrupted() {
        if (!read(0)) return true;
        const auto interrupt =
            std::ranges::find(items_, PacketReader::Item::Kind::Interrupt, &PacketReader::Item::kind);
        if (interrupt == items_.end()) return false;
        items_.erase(interrupt);
        return true;
    }

private:
    int socket_;
    bool spoke_ = false;
    const std::function<bool()>& cancelled_;
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
        auto socket = net::listen_at(path, "--gdb " + where, SOCK_NONBLOCK);
        if (!socket) return std::unexpected(socket.error());
        return std::unique_ptr<Server>(new Server(*socket, where, path));
    }
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
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

namespace {

/// One answer to one thing that gdb sent. False: gdb does not take it.
bool answer(Connection& gdb, Stub& stub, const PacketReader::Item& item) {
    const bool acknowledge = stub.acknowledges();
    if (item.kind == PacketReader::Item::Kind::Interrupt) return true; // it stands already
    if (item.kind == PacketReader::Item::Kind::Damaged) return !acknowledge || gdb.write("-");
    if (acknowledge && !gdb.write("+")) return false;
    const auto reply = stub.handle(item.data);
    return !reply || gdb.write(frame(*reply));
}

} // namespace

int Server::accept_now() const { return ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK); }

Stub::State Server::serve(Stub& stub, const std::function<bool()>& cancelled,
                          const std::function<void()>& lost) {
    int next = -1; // a peer that came while another was there and had said nothing
    for (;;) {
        int accepted = std::exchange(next, -1);
        while (accepted < 0) {
            if (cancelled()) return Stub::State::Killed;
            pollfd wait{socket_, POLLIN, 0};
            if (::poll(&wait, 1, WaitMilliseconds) > 0) accepted = accept_now();
        }
        const int on = 1;
        ::setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        Connection gdb(accepted, cancelled);
        const auto others = [&] {
            while (next < 0) {
                const int other = accept_now();
                if (other < 0) return;
                if (gdb.spoke())
                    ::close(other);
                else
                    next = other;
            }
        };
        stub.on_poll([&] {
            others();
            return gdb.interrupted() || cancelled();
        });
        bool there = true;
        while (there && next < 0 && stub.state() == Stub::State::Attached) {
            there = !cancelled() && gdb.read(WaitMilliseconds);
            others();
            while (!gdb.items().empty() && stub.state() == Stub::State::Attached) {
                const PacketReader::Item item = std::move(gdb.items().front());
                gdb.items().pop_front();
                if (!answer(gdb, stub, item)) {
                    there = false;
                    break;
                }
            }
        }
        stub.on_poll({});
        if (stub.state() != Stub::State::Attached || cancelled()) {
            if (next >= 0) ::close(next);
            return stub.state();
        }
        // Who has said nothing was a port scan, a probe. gdb may still come, or come again.
        if (gdb.spoke()) lost();
        stub.forget_peer();
    }
}

} // namespace vitrine::emu::gdb
