// NetworkSpec — what --net asks for: user-mode networking with forwarded ports, a capture file, or both.
#pragma once
#include <string>
#include <string_view>
#include <vector>
#include "cpu/base/types.h"

namespace vitrine::emu::net {

struct Forward {
    bool udp = false;
    std::string host_address = "127.0.0.1", guest_address = "10.0.2.15";
    u16 host_port = 0, guest_port = 0;
};

struct NetworkSpec {
    bool user = false;             ///< libslirp: a NAT with DHCP and DNS, as QEMU's
    std::vector<Forward> forwards; ///< need `user`
    std::string capture;           ///< every frame, as pcap; empty: none
    bool wanted() const { return user || !capture.empty(); }
};

/// "user[,hostfwd=[tcp|udp]:[ADDRESS]:PORT-[ADDRESS]:PORT]…[,pcap=FILE]", "pcap=FILE" or "none".
/// Errors: usage.
Expected<NetworkSpec> parse_network(std::string_view text);

} // namespace vitrine::emu::net
