// Network — the host's side of the network card: user-mode networking by libslirp (10.0.2.0/24 and fec0::/64
// behind a NAT, DHCP, router advertisements, DNS, forwarded ports, as QEMU's `-netdev user`), and a capture
// of all frames.
//
// Interface: attach() to a machine with a card, then pump() between its runs. What the guest sends is kept
// until then; what arrives becomes the machine's logged input as soon as the card has room, so that a replay
// needs no network.
//
// Invariants: nothing here reaches the guest but frames through Machine::input. While the machine runs ahead
// of the host's clock, pump() waits for it: otherwise an idle guest's time-outs would pass before any answer
// could come. What waits is bounded; beyond that, frames are lost, as on a wire.
#pragma once
#include <chrono>
#include <deque>
#include <memory>
#include <vector>
#include "emu/machine.h"
#include "emu/net/capture.h"
#include "emu/net/network_spec.h"

struct Slirp;

namespace vitrine::emu::net {

class Network {
public:
    /// Opens sockets and files. Errors: bad_input (a taken port, a file that cannot be written).
    static Expected<std::unique_ptr<Network>> open(const NetworkSpec& spec);
    ~Network();
    Network(const Network&) = delete;
    Network& operator=(const Network&) = delete;

    /// The machine must live as long as this, and have a card (MachineConfig::network).
    void attach(Machine& machine);
    /// Moves frames both ways. Waits on the host while the machine is ahead of it, at most `longest_wait`, or
    /// until `also` (a descriptor; −1: none) can be read.
    void pump(std::chrono::milliseconds longest_wait, int also = -1);

private:
    Network() = default;
    Expected<void> start_user(const NetworkSpec& spec);
    void deliver();
    void serve(int wait_ms, int also);
    using Frame = std::vector<u8>;
    static constexpr std::size_t MostWaiting = 1024; ///< frames each way

    friend struct Callbacks;
    Machine* machine_ = nullptr;
    Slirp* slirp_ = nullptr;
    std::unique_ptr<Capture> capture_;
    std::deque<Frame> sent_, arrived_;
    struct Timer;
    std::vector<std::unique_ptr<Timer>> timers_;
    std::chrono::steady_clock::time_point epoch_{}; ///< host time at virtual time 0, as if it had kept pace
    bool paced_ = false;
};

} // namespace vitrine::emu::net
