// See unix_listener.h.
#include "emu/net/unix_listener.h"
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace vitrine::emu::net {

Expected<int> listen_at(const std::string& path, const std::string& option, int flags) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path)
        return bad_input(
            fmt::format("{}: a path of 1 to {} bytes is needed", option, sizeof address.sun_path - 1));
    std::memcpy(address.sun_path, path.data(), path.size());
    const auto* name = reinterpret_cast<const sockaddr*>(&address);
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    struct stat before{};
    if (socket >= 0 && ::lstat(path.c_str(), &before) == 0 && S_ISSOCK(before.st_mode)) {
        // Does somebody listen there? A datagram socket cannot connect to his, and he hears nothing of the
        // question: EPROTOTYPE when he is there, ECONNREFUSED when nobody is (unix(7)).
        const int probe = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (::connect(probe, name, sizeof address) != 0 && errno == ECONNREFUSED) ::unlink(path.c_str());
        ::close(probe);
    }
    if (socket >= 0 && ::bind(socket, name, sizeof address) == 0 && ::listen(socket, 1) == 0) return socket;
    const int reason = errno;
    if (socket >= 0) ::close(socket);
    return bad_input(fmt::format("{}: {}", option, std::strerror(reason)));
}

} // namespace vitrine::emu::net
