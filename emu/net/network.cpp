// See network.h. libslirp calls back from slirp_input() and slirp_pollfds_poll() only.
#include "emu/net/network.h"
#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <poll.h>
#include <slirp/libslirp.h>
#include <spdlog/spdlog.h>

namespace vitrine::emu::net {

using Clock = std::chrono::steady_clock;

struct Network::Timer {
    SlirpTimerCb callback;
    void* opaque;
    i64 due = -1; ///< milliseconds of the host's clock; −1: off
};

namespace {
i64 host_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count();
}
in_addr address(const char* text) {
    in_addr out{};
    inet_pton(AF_INET, text, &out);
    return out;
}
} // namespace

/// What libslirp asks of its host.
struct Callbacks {
    static Network& of(void* opaque) { return *static_cast<Network*>(opaque); }
    static ssize_t send_packet(const void* bytes, std::size_t size, void* opaque) {
        Network& n = of(opaque);
        const auto* first = static_cast<const u8*>(bytes);
        if (n.arrived_.size() < Network::MostWaiting) n.arrived_.emplace_back(first, first + size);
        return static_cast<ssize_t>(size);
    }
    static void guest_error(const char* message, void*) { spdlog::debug("network: {}", message); }
    static i64 clock(void*) { return host_ns(); }
    static void* timer_new(SlirpTimerCb callback, void* argument, void* opaque) {
        Network& n = of(opaque);
        n.timers_.push_back(std::make_unique<Network::Timer>(callback, argument));
        return n.timers_.back().get();
    }
    static void timer_free(void* timer, void* opaque) {
        std::erase_if(of(opaque).timers_, [&](const auto& each) { return each.get() == timer; });
    }
    static void timer_mod(void* timer, i64 due, void*) { static_cast<Network::Timer*>(timer)->due = due; }
    static void ignore_fd(int, void*) {} // every descriptor comes again with each poll
    static void notify(void*) {}

    static constexpr SlirpCb Table = {.send_packet = send_packet,
                                      .guest_error = guest_error,
                                      .clock_get_ns = clock,
                                      .timer_new = timer_new,
                                      .timer_free = timer_free,
                                      .timer_mod = timer_mod,
                                      .register_poll_fd = ignore_fd,
                                      .unregister_poll_fd = ignore_fd,
                                      .notify = notify,
                                      .init_completed = nullptr,
                                      .timer_new_opaque = nullptr};
};

Expected<std::unique_ptr<Network>> Network::open(const NetworkSpec& spec) {
    std::unique_ptr<Network> out(new Network());
    if (!spec.capture.empty()) {
        auto capture = Capture::create(spec.capture);
        if (!capture) return std::unexpected(capture.error());
        out->capture_ = std::move(*capture);
    }
    if (spec.user)
        if (auto ok = out->start_user(spec); !ok) return std::unexpected(ok.error());
    return out;
}

Expected<void> Network::start_user(const NetworkSpec& spec) {
    SlirpConfig config{};
    config.version = 4;
    config.in_enabled = true;
    config.vnetwork = address("10.0.2.0"), config.vnetmask = address("255.255.255.0");
    config.vhost = address("10.0.2.2"), config.vdhcp_start = address("10.0.2.15");
    config.vnameserver = address("10.0.2.3");
    config.in6_enabled = true;
    config.vprefix_len = 64;
    inet_pton(AF_INET6, "fec0::", &config.vprefix_addr6);
    inet_pton(AF_INET6, "fec0::2", &config.vhost6);
    inet_pton(AF_INET6, "fec0::3", &config.vnameserver6);
    config.vhostname = "vitrine";
    slirp_ = slirp_new(&config, &Callbacks::Table, this);
    if (!slirp_) return bad_input("--net user: libslirp refused to start");
    for (const Forward& f : spec.forwards) {
        errno = 0;
        if (slirp_add_hostfwd(slirp_, f.udp, address(f.host_address.c_str()), f.host_port,
                              address(f.guest_address.c_str()), f.guest_port) < 0)
            return bad_input(fmt::format("--net hostfwd: {} port {} of {}: {}", f.udp ? "UDP" : "TCP",
                                         f.host_port, f.host_address,
                                         errno ? std::strerror(errno) : "refused"));
    }
    return {};
}

Network::~Network() {
    if (machine_) machine_->on_transmit({});
    if (slirp_) slirp_cleanup(slirp_);
}

void Network::attach(Machine& machine) {
    machine_ = &machine;
    machine.on_transmit([this](std::span<const u8> frame) {
        if (capture_) capture_->frame(machine_->time(), frame);
        if (slirp_ && sent_.size() < MostWaiting) sent_.emplace_back(frame.begin(), frame.end());
    });
}

void Network::pump(std::chrono::milliseconds longest_wait, int also) {
    // A machine that fell behind does not catch up by rushing through its idle time.
    const auto now = Clock::now();
    const std::chrono::nanoseconds virtual_now(machine_->time());
    if (!paced_ || now - epoch_ > virtual_now) epoch_ = now - virtual_now, paced_ = true;
    const auto ahead = std::chrono::duration_cast<std::chrono::milliseconds>(virtual_now - (now - epoch_));
    for (; !sent_.empty(); sent_.pop_front())
        slirp_input(slirp_, sent_.front().data(), static_cast<int>(sent_.front().size()));
    const bool something = !arrived_.empty() && machine_->can_receive();
    serve(something ? 0
                    : static_cast<int>(std::clamp(ahead, std::chrono::milliseconds(0), longest_wait).count()),
          also);
    deliver();
}

void Network::serve(int wait_ms, int also) {
    std::vector<pollfd> polled;
    u32 timeout = static_cast<u32>(wait_ms);
    const auto add = [](int fd, int events, void* opaque) {
        short wanted = 0;
        if (events & SLIRP_POLL_IN) wanted |= POLLIN;
        if (events & SLIRP_POLL_OUT) wanted |= POLLOUT;
        if (events & SLIRP_POLL_PRI) wanted |= POLLPRI;
        auto& list = *static_cast<std::vector<pollfd>*>(opaque);
        list.push_back({fd, wanted, 0});
        return static_cast<int>(list.size() - 1);
    };
    if (slirp_) slirp_pollfds_fill(slirp_, &timeout, add, &polled);
    if (also >= 0) polled.push_back({also, POLLIN, 0});
    const int result = ::poll(polled.data(), polled.size(),
                              static_cast<int>(std::min<u32>(timeout, static_cast<u32>(wait_ms))));
    if (!slirp_) return;
    const auto happened = [](int index, void* opaque) {
        const short got =
            (*static_cast<std::vector<pollfd>*>(opaque))[static_cast<std::size_t>(index)].revents;
        int out = 0;
        if (got & POLLIN) out |= SLIRP_POLL_IN;
        if (got & POLLOUT) out |= SLIRP_POLL_OUT;
        if (got & POLLPRI) out |= SLIRP_POLL_PRI;
        if (got & POLLERR) out |= SLIRP_POLL_ERR;
        if (got & POLLHUP) out |= SLIRP_POLL_HUP;
        return out;
    };
    slirp_pollfds_poll(slirp_, result < 0, happened, &polled);
    const i64 now = host_ns() / 1'000'000;
    for (std::size_t i = 0; i < timers_.size(); ++i) // a callback may set it again
        if (timers_[i]->due >= 0 && timers_[i]->due <= now)
            timers_[i]->due = -1, timers_[i]->callback(timers_[i]->opaque);
}

void Network::deliver() {
    while (!arrived_.empty() && machine_->can_receive()) {
        if (capture_) capture_->frame(machine_->time(), arrived_.front());
        machine_->input(NetworkInput{std::move(arrived_.front())});
        arrived_.pop_front();
    }
}

} // namespace vitrine::emu::net
