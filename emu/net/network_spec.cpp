// See network_spec.h.
#include "emu/net/network_spec.h"
#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <fmt/format.h>

namespace vitrine::emu::net {
namespace {

/// What QEMU's -netdev and -device know.
constexpr std::string_view NotYet[] = {"mac",    "model",    "net",  "restrict", "tap",
                                       "bridge", "socket",   "host", "guestfwd", "hostname",
                                       "tftp",   "bootfile", "dns",  "vde"};

std::unexpected<Error> wrong_forward(std::string_view text, std::string_view why) {
    return usage_error(fmt::format("--net: hostfwd={}: {}; it looks like tcp:127.0.0.1:8080-:80", text, why));
}

bool parse_address(std::string_view text, std::string& address) {
    if (text.empty()) return true; // the default
    in_addr parsed{};
    address = text;
    return inet_pton(AF_INET, address.c_str(), &parsed) == 1;
}

bool parse_port(std::string_view text, u16& port) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    return error == std::errc() && end == text.data() + text.size() && port != 0;
}

Expected<Forward> parse_forward(std::string_view text) {
    Forward out;
    std::string_view rest = text;
    const auto protocol = rest.substr(0, rest.find(':'));
    if (protocol == "udp")
        out.udp = true;
    else if (protocol != "tcp" && !protocol.empty())
        return wrong_forward(text, fmt::format("'{}' is neither tcp nor udp", protocol));
    rest.remove_prefix(std::min(rest.size(), protocol.size() + 1));
    const auto dash = rest.find('-');
    if (dash == std::string_view::npos)
        return wrong_forward(text, "no '-' between the host's side and the guest's");
    const std::string_view sides[2] = {rest.substr(0, dash), rest.substr(dash + 1)};
    std::string* addresses[2] = {&out.host_address, &out.guest_address};
    u16* ports[2] = {&out.host_port, &out.guest_port};
    for (int i = 0; i < 2; ++i) {
        const auto colon = sides[i].rfind(':');
        if (colon == std::string_view::npos)
            return wrong_forward(text, fmt::format("no ':' in '{}'", sides[i]));
        if (!parse_address(sides[i].substr(0, colon), *addresses[i]))
            return wrong_forward(text, fmt::format("'{}' is not an IPv4 address", sides[i].substr(0, colon)));
        if (!parse_port(sides[i].substr(colon + 1), *ports[i]))
            return wrong_forward(text,
                                 fmt::format("'{}' is not a port, 1 to 65535", sides[i].substr(colon + 1)));
    }
    if (!out.guest_address.starts_with("10.0.2."))
        return wrong_forward(text,
                             fmt::format("{} is not in the guest's network, 10.0.2.0/24", out.guest_address));
    return out;
}

} // namespace

Expected<NetworkSpec> parse_network(std::string_view text) {
    NetworkSpec out;
    if (text == "none") return out;
    if (text.empty()) return usage_error("--net needs user, pcap=FILE or none");
    for (bool more = true; more;) {
        const auto comma = text.find(',');
        const std::string_view part = text.substr(0, comma);
        more = comma != std::string_view::npos;
        text.remove_prefix(more ? comma + 1 : text.size());
        const std::string_view name = part.substr(0, part.find('='));
        if (part == "user" && !out.user) {
            out.user = true;
        } else if (name == "hostfwd") {
            auto forward = parse_forward(part.substr(std::min(part.size(), std::size_t{8})));
            if (!forward) return std::unexpected(forward.error());
            out.forwards.push_back(*forward);
        } else if (part.starts_with("pcap=") && out.capture.empty()) {
            if (part.size() == 5) return usage_error("--net: pcap= needs a file name");
            out.capture = part.substr(5);
        } else if (part == "user" || name == "pcap") {
            return usage_error(fmt::format("--net: {} stands there twice", name));
        } else if (part == "none") {
            return usage_error("--net: none stands alone");
        } else if (part.empty()) {
            return usage_error("--net: nothing stands between two commas, or behind the last one");
        } else if (std::ranges::find(NotYet, name) != std::end(NotYet)) {
            return usage_error(fmt::format("--net: {} is not there yet", name));
        } else {
            return usage_error(fmt::format(
                "--net: '{}' is unknown; it takes user, hostfwd=…, pcap=FILE, or none by itself", part));
        }
    }
    if (!out.forwards.empty() && !out.user) return usage_error("--net: hostfwd needs user");
    return out;
}

} // namespace vitrine::emu::net
