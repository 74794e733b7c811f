// Server — a socket in front of the stub: listens on localhost or on a Unix socket, serves one gdb at a time.
// A second one is refused at once (its socket is closed), but for one that comes while the first has not said
// a word. A gdb that goes without detaching leaves the machine where it stands, for the next one.
#pragma once
#include <functional>
#include <string>
#include "emu/gdb/stub.h"

namespace vitrine::emu::gdb {

class Server {
public:
    /// "PORT" (0: any free one) or "unix:PATH". Errors: taken, not allowed, not a port.
    static Expected<std::unique_ptr<Server>> listen(const std::string& where);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// "localhost:1234" or "unix:/path": what `target remote` takes.
    const std::string& address() const { return address_; }
    /// Waits for a gdb and serves it until it detaches, kills, or the run is over. `cancelled` is asked now
    /// and then; `lost` is told of a gdb that went without a word. Detached: the machine may run on.
    Stub::State serve(Stub& stub, const std::function<bool()>& cancelled, const std::function<void()>& lost);

private:
    Server(int socket, std::string address, std::string path)
        : socket_(socket), address_(std::move(address)), path_(std::move(path)) {}
    int accept_now() const;
    int socket_;
    std::string address_, path_; ///< path: to be unlinked
};

/// Whether this is a place to listen at: a port number or unix:PATH.
Expected<void> check_address(const std::string& where);

} // namespace vitrine::emu::gdb
