// e1000 — Intel 82540EM gigabit Ethernet controller, PCI 8086:100E.
//
// Pins: INTA#. Registers: BAR0, 128 KiB of memory; BAR2, the I/O window (IOADDR, IODATA). MAC address and
// identity in a microwire EEPROM of 64 words; one PHY (M88E1011) at address 1, its link always up at 1 Gb/s.
// Implements: Intel PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual (317453,
// "SDM" below): chapters 3 (descriptors), 5.3 (EEPROM), 8.5 (MDIC), 13 (registers).
//
// The wire: transmit sink out, receive() in. The machine calls receive() as a logged input, so that a frame
// has its step; whether one can be taken is told by can_receive(). Each transmit descriptor takes the time
// that its bytes take on the wire (8 ns each at 1 Gb/s).
// Every descriptor is hostile: a packet is at most MostPacket bytes, offsets beyond what is there do nothing,
// one descriptor is handled per event, so a ring that never ends a packet cannot hold the host.
//
// Inaccuracies: no VLAN tagging or filtering, no flow control frames, no wake-up, no management; received
// checksums are left to the software (status bit IXSM says so); small-packet receive detection is absent;
// statistics by frame size, and of errors that no wire makes here, stay zero.
#pragma once
#include <array>
#include "devices/e1000/delayed_cause.h"
#include "devices/e1000/eeprom.h"
#include "devices/e1000/phy.h"
#include "devices/pci_device.h"

namespace vitrine::devices {

class E1000 final : public PciDevice {
public:
    using MacAddress = std::array<u8, 6>;
    static constexpr std::size_t MostPacket = 16288; ///< bytes without checksum: SDM 3.2.3, long packets
    static constexpr std::size_t LeastFrame = 60;    ///< without checksum; shorter ones are padded

    E1000(EventQueue& events, DmaPort& memory, const MacAddress& address);

    /// Host side: what the guest sends, whole frames without their checksum, padded to LeastFrame.
    void on_transmit(std::function<void(std::span<const u8>)> sink) { transmit_sink_ = std::move(sink); }
    /// A frame arrives, without its checksum: filtered, then written to the receive ring or counted as lost.
    void receive(std::span<const u8> frame);
    /// The receiver is on and has room for the longest ordinary frame. Asking changes nothing.
    bool can_receive() const;

    u64 bar_read(unsigned index, u64 offset, unsigned size) override;
    void bar_write(unsigned index, u64 offset, unsigned size, u64 value) override;
    const char* name() const override { return "e1000"; }
    void reset() override;
    void serialize(Archive& archive) override;
    std::vector<Field> describe() const override;

private:
    /// A ring of 16-byte descriptors: SDM 3.2.6 and 3.4.
    struct Ring {
        u32 base_low = 0, base_high = 0, length = 0, head = 0, tail = 0;
        u32 count() const { return length / 16; }
        bool empty() const { return count() == 0 || head == tail; }
        u64 address() const { return (u64{base_high} << 32 | base_low) + u64{head} * 16; }
        /// Descriptors from head up to tail: the hardware's.
        u32 available() const;
        void advance();
        void serialize(Archive& archive) { archive(base_low, base_high, length, head, tail); }
    };
    /// What the last context descriptor of one kind said: SDM 3.3.6.
    struct Offload {
        u8 ip_start = 0, ip_offset = 0, tcp_start = 0, tcp_offset = 0, header_length = 0;
        u16 ip_end = 0, tcp_end = 0, segment_size = 0;
        bool tcp = false, ipv4 = false;
        void serialize(Archive& archive);
    };

    // registers.cpp
    u32 read_register(u32 offset);
    void write_register(u32 offset, u32 value);
    void write_control(u32 value);
    void reset_controller();
    u32 read_statistic(u32 offset);
    void count(u32 offset, u32 by = 1);
    void count_octets(u32 offset, u64 bytes);
    // Interrupts: SDM 13.4.17 on.
    void cause(u32 bits);
    void update_interrupt();
    // transmit.cpp
    void transmit_due();
    void start_transmitting();
    void context_descriptor(u64 low, u64 high);
    void data_descriptor(u64 address, u64 fields);
    void gather(std::span<const u8> bytes);
    void end_of_packet();
    void send_segment(std::size_t payload, bool last);
    void send(std::span<const u8> frame);
    static void insert_checksum(std::span<u8> packet, unsigned start, unsigned at, unsigned end);
    // receive.cpp
    bool wanted(std::span<const u8> frame) const;
    u32 buffer_size() const;
    void receive_threshold();

    EventQueue& events_;
    DmaPort& memory_;
    const MacAddress address_;
    std::function<void(std::span<const u8>)> transmit_sink_;
    EventId transmit_event_, throttle_event_;
    DelayedCause receive_delay_, transmit_delay_;

    Eeprom eeprom_;
    Phy phy_;
    u32 control_ = 0, extended_control_ = 0, management_data_ = 0, eeprom_read_ = 0, io_address_ = 0;
    u32 cause_ = 0, mask_ = 0, throttle_ = 0;
    u64 quiet_until_ = 0; ///< ITR: no interrupt before this time
    u32 receive_control_ = 0, transmit_control_ = 0;
    Ring receive_, transmit_;
    /// Registers that hold what was written and do nothing here: flow control, timers of the MAC, wake-up …
    std::array<u32, 24> plain_{};
    std::array<u32, 128> multicast_{}, vlan_filter_{};
    std::array<u32, 32> addresses_{}; ///< RAL and RAH of 16 filters
    std::array<u32, 64> statistics_{};
    // The packet that is being gathered.
    std::vector<u8> packet_;
    Offload offload_{}, segmentation_{};
    bool segmenting_ = false, in_packet_ = false, sum_ip_ = false, sum_tcp_ = false, delayed_ = false;
    u32 segments_sent_ = 0;
    u8 legacy_sum_start_ = 0, legacy_sum_at_ = 0;
    bool legacy_sum_ = false;
    u64 on_wire_ = 0; ///< bytes of the descriptor in hand; not state
};

} // namespace vitrine::devices
