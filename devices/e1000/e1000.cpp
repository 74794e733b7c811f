// e1000 — the PCI function, register decoding, interrupts and state. See the header.
#include "devices/e1000/e1000.h"
#include <algorithm>
#include "devices/e1000/registers.h"
#include "devices/register.h"

namespace vitrine::devices {

using namespace e1000;

namespace {
constexpr u32 MemorySize = 128 << 10, IoSize = 64, IoAddress = 0, IoData = 4;
// MDIC, SDM 13.4.7.
constexpr u32 PhyWrite = 1, PhyRead = 2, PhyReady = 1u << 28, PhyInterrupt = 1u << 29, PhyError = 1u << 30;
constexpr unsigned PhyAddress = 1;
constexpr u32 ReadDone = 0x10; // EERD
constexpr u32 AddressValid = 0x80000000;

int plain_index(u32 offset) {
    const auto* const found = std::ranges::find(PlainRegisters, offset);
    return found == std::end(PlainRegisters) ? -1 : static_cast<int>(found - PlainRegisters);
}
} // namespace

E1000::E1000(EventQueue& events, DmaPort& memory, const MacAddress& address)
    : PciDevice({.vendor = 0x8086,
                 .device = 0x100E,
                 .class_code = 0x020000,
                 .revision = 3,
                 .subsystem_vendor = 0x8086,
                 .subsystem = 0x100E,
                 .interrupt_pin = 1}),
      events_(events), memory_(memory), address_(address),
      transmit_event_(events.add("e1000.transmit", [this] { transmit_due(); })),
      throttle_event_(events.add("e1000.throttle", [this] { update_interrupt(); })),
      receive_delay_(events, "e1000.receive-delay", [this] { cause(Received); }),
      transmit_delay_(events, "e1000.transmit-delay", [this] { cause(Sent); }), eeprom_(address_) {
    add_bar(0, BarKind::Memory, MemorySize);
    add_bar(2, BarKind::Io, IoSize);
}

// ---- rings ------------------------------------------------------------------------------------------------

u32 E1000::Ring::available() const {
    const u32 all = count();
    if (all == 0 || head >= all || tail >= all) return 0;
    return tail >= head ? tail - head : all - head + tail;
}
void E1000::Ring::advance() { head = head + 1 >= count() ? 0 : head + 1; }

// ---- interrupts -------------------------------------------------------------------------------------------

void E1000::cause(u32 bits) {
    cause_ |= bits;
    update_interrupt();
}

/// ITR keeps INTA# quiet for a time after each assertion (SDM 13.4.18): units of 256 ns.
void E1000::update_interrupt() {
    const bool wanted = (cause_ & mask_) != 0;
    if (wanted && events_.now() < quiet_until_) return events_.schedule(throttle_event_, quiet_until_);
    if (wanted && throttle_ && !(cause_ & Asserted)) quiet_until_ = events_.now() + u64{throttle_} * 256;
    cause_ = wanted ? cause_ | Asserted : cause_ & ~Asserted;
    set_interrupt(wanted);
}

// ---- registers --------------------------------------------------------------------------------------------

u32 E1000::read_register(u32 offset) {
    switch (offset) {
    case Control: return control_;
    case DeviceStatus: return StatusAlways | (control_ & ControlLinkUp ? StatusLink : 0);
    case EepromPins: return eeprom_.pins();
    case EepromRead: return eeprom_read_;
    case ExtendedControl: return extended_control_;
    case PhyAccess: return management_data_;
    case CauseRead: {
        // Reading acknowledges everything (SDM 13.4.17).
        const u32 value = cause_;
        cause_ = 0;
        update_interrupt();
        return value;
    }
    case Throttle: return throttle_;
    case CauseSet: return cause_;
    case MaskSet: return mask_;
    case ReceiveControl: return receive_control_;
    case TransmitControl: return transmit_control_;
    case ReceiveBaseLow: return receive_.base_low;
    case ReceiveBaseHigh: return receive_.base_high;
    case ReceiveLength: return receive_.length;
    case ReceiveHead: return receive_.head;
    case ReceiveTail: return receive_.tail;
    case ReceiveDelay: return receive_delay_.packet_timer;
    case ReceiveAbsolute: return receive_delay_.absolute_timer;
    case TransmitBaseLow: return transmit_.base_low;
    case TransmitBaseHigh: return transmit_.base_high;
    case TransmitLength: return transmit_.length;
    case TransmitHead: return transmit_.head;
    case TransmitTail: return transmit_.tail;
    case TransmitDelay: return transmit_delay_.packet_timer;
    case TransmitAbsolute: return transmit_delay_.absolute_timer;
    default: break;
    }
    if (offset >= FirstStatistic && offset < EndOfStatistics) return read_statistic(offset);
    if (offset >= MulticastTable && offset < MulticastTable + 512)
        return multicast_[(offset - MulticastTable) / 4];
    if (offset >= VlanFilter && offset < VlanFilter + 512) return vlan_filter_[(offset - VlanFilter) / 4];
    if (offset >= ReceiveAddresses && offset < ReceiveAddresses + 128)
        return addresses_[(offset - ReceiveAddresses) / 4];
    if (const int index = plain_index(offset); index >= 0) return plain_[static_cast<unsigned>(index)];
    return 0;
}

void E1000::write_register(u32 offset, u32 value) {
    switch (offset) {
    case Control: return write_control(value);
    case EepromPins: return eeprom_.set_pins(value);
    case EepromRead:
        eeprom_read_ = value & 0xFFEF;
        if (value & 1)
            eeprom_read_ = (value & 0xFF00) | ReadDone | u32{eeprom_.word(value >> 8 & 0xFF)} << 16;
        return;
    case ExtendedControl:
        extended_control_ = value & ~u32{0x2000};
        if (value & 0x2000) eeprom_.reset(); // EE_RST
        return;
    case PhyAccess: {
        const unsigned operation = value >> 26 & 3, index = value >> 16 & 31;
        management_data_ = value & ~(PhyReady | PhyError);
        if ((value >> 21 & 31) != PhyAddress)
            management_data_ |= PhyError;
        else if (operation == PhyRead)
            management_data_ = (management_data_ & ~0xFFFFu) | phy_.read(index);
        else if (operation == PhyWrite)
            phy_.write(index, static_cast<u16>(value));
        management_data_ |= PhyReady;
        if (value & PhyInterrupt) cause(PhyAccessDone);
        return;
    }
    case CauseRead: cause_ &= ~value; return update_interrupt();
    case Throttle: throttle_ = value & 0xFFFF; return;
    case CauseSet: return cause(value & AllCauses);
    case MaskSet: mask_ |= value & AllCauses; return update_interrupt();
    case MaskClear: mask_ &= ~value; return update_interrupt();
    case ReceiveControl: receive_control_ = value; return;
    case TransmitControl: transmit_control_ = value; return start_transmitting();
    case ReceiveBaseLow: receive_.base_low = value & ~15u; return;
    case ReceiveBaseHigh: receive_.base_high = value; return;
    case ReceiveLength: receive_.length = value & 0xFFF80; return;
    case ReceiveHead: receive_.head = value & 0xFFFF; return;
    case ReceiveTail: receive_.tail = value & 0xFFFF; return;
    case ReceiveDelay:
        receive_delay_.packet_timer = value & 0xFFFF;
        if (value & 0x80000000) receive_delay_.cancel(), cause(Received); // FPD: what waits, now
        return;
    case ReceiveAbsolute: receive_delay_.absolute_timer = value & 0xFFFF; return;
    case TransmitBaseLow: transmit_.base_low = value & ~15u; return;
    case TransmitBaseHigh: transmit_.base_high = value; return;
    case TransmitLength: transmit_.length = value & 0xFFF80; return;
    case TransmitHead: transmit_.head = value & 0xFFFF; return;
    case TransmitTail: transmit_.tail = value & 0xFFFF; return start_transmitting();
    case TransmitDelay: transmit_delay_.packet_timer = value & 0xFFFF; return;
    case TransmitAbsolute: transmit_delay_.absolute_timer = value & 0xFFFF; return;
    default: break;
    }
    if (offset >= MulticastTable && offset < MulticastTable + 512)
        multicast_[(offset - MulticastTable) / 4] = value;
    else if (offset >= VlanFilter && offset < VlanFilter + 512)
        vlan_filter_[(offset - VlanFilter) / 4] = value;
    else if (offset >= ReceiveAddresses && offset < ReceiveAddresses + 128)
        addresses_[(offset - ReceiveAddresses) / 4] = value;
    else if (const int index = plain_index(offset); index >= 0)
        plain_[static_cast<unsigned>(index)] = value;
}

void E1000::write_control(u32 value) {
    if (value & ControlReset) return reset_controller();
    if (value & ControlPhyReset) phy_.reset();
    if (value & ControlVlan & ~control_) log("VLAN tags are not modelled");
    const bool link_changes = ((value ^ control_) & ControlLinkUp) != 0;
    control_ = value & ~(ControlReset | ControlPhyReset);
    if (link_changes) cause(LinkChange);
}

/// SDM 13.4.1, CTRL.RST: everything but the PCI configuration, and the address comes from the EEPROM again.
void E1000::reset_controller() {
    for (const EventId event : {transmit_event_, throttle_event_}) events_.cancel(event);
    receive_delay_.reset(), transmit_delay_.reset();
    eeprom_.reset(), phy_.reset();
    control_ = 0x201; // full duplex, 1000 Mb/s
    extended_control_ = management_data_ = eeprom_read_ = io_address_ = 0;
    cause_ = mask_ = throttle_ = 0, quiet_until_ = 0;
    receive_control_ = transmit_control_ = 0;
    receive_ = {}, transmit_ = {};
    plain_ = {}, multicast_ = {}, vlan_filter_ = {}, addresses_ = {}, statistics_ = {};
    plain_[static_cast<unsigned>(plain_index(0x1000))] = 0x00100030; // PBA: 48 KiB to receive, 16 to send
    plain_[static_cast<unsigned>(plain_index(0x0E00))] = 0x00000602 | 3u << 8; // LEDCTL
    addresses_[0] = static_cast<u32>(load_little(address_, 0, 4));
    addresses_[1] = static_cast<u32>(load_little(address_, 4, 2)) | AddressValid;
    packet_.clear();
    offload_ = segmentation_ = {};
    segmenting_ = in_packet_ = sum_ip_ = sum_tcp_ = delayed_ = legacy_sum_ = false;
    segments_sent_ = 0, legacy_sum_start_ = legacy_sum_at_ = 0;
    update_interrupt();
}

void E1000::reset() {
    PciDevice::reset();
    reset_controller();
}

/// Statistics are cleared by their reading, and stick at their end; octet counters are pairs.
u32 E1000::read_statistic(u32 offset) { return std::exchange(statistics_[(offset - FirstStatistic) / 4], 0); }
void E1000::count(u32 offset, u32 by) {
    u32& value = statistics_[(offset - FirstStatistic) / 4];
    value = value > ~u32{0} - by ? ~u32{0} : value + by;
}
void E1000::count_octets(u32 offset, u64 bytes) {
    u32 &low = statistics_[(offset - FirstStatistic) / 4],
        &high = statistics_[(offset - FirstStatistic) / 4 + 1];
    const u64 sum = (u64{high} << 32 | low) + bytes;
    low = static_cast<u32>(sum), high = static_cast<u32>(sum >> 32);
}

// ---- the function -----------------------------------------------------------------------------------------

u64 E1000::bar_read(unsigned index, u64 offset, unsigned size) {
    if (index == 2) {
        const u32 base = static_cast<u32>(offset) & ~3u;
        const u32 value = base == IoAddress                            ? io_address_
                          : base == IoData && io_address_ < MemorySize ? read_register(io_address_ & ~3u)
                                                                       : 0;
        return take_bytes(value, static_cast<unsigned>(offset & 3), size);
    }
    const u32 base = static_cast<u32>(offset) & ~3u;
    const unsigned lane = static_cast<unsigned>(offset & 3);
    u64 value = read_register(base);
    if (lane + size > 4) value |= u64{read_register(base + 4)} << 32;
    return take_bytes(value, lane, size);
}

void E1000::bar_write(unsigned index, u64 offset, unsigned size, u64 value) {
    if (size < 4 || (offset & 3))
        return log("a store that is not an aligned 32-bit one was ignored"); // SDM 4.2
    if (index == 2) {
        if (offset == IoAddress)
            io_address_ = static_cast<u32>(value) & (MemorySize - 1);
        else if (offset == IoData)
            write_register(io_address_ & ~3u, static_cast<u32>(value));
        return;
    }
    write_register(static_cast<u32>(offset), static_cast<u32>(value));
    if (size == 8) write_register(static_cast<u32>(offset) + 4, static_cast<u32>(value >> 32));
}

void E1000::Offload::serialize(Archive& archive) {
    archive(ip_start, ip_offset, tcp_start, tcp_offset, header_length, ip_end, tcp_end, segment_size, tcp,
            ipv4);
}

void E1000::serialize(Archive& archive) {
    archive.section(name(), 1);
    PciDevice::serialize(archive);
    eeprom_.serialize(archive), phy_.serialize(archive);
    receive_delay_.serialize(archive), transmit_delay_.serialize(archive);
    archive(control_, extended_control_, management_data_, eeprom_read_, io_address_, cause_, mask_,
            throttle_, quiet_until_, receive_control_, transmit_control_, plain_, multicast_, vlan_filter_,
            addresses_, statistics_);
    receive_.serialize(archive), transmit_.serialize(archive);
    offload_.serialize(archive), segmentation_.serialize(archive);
    archive(segmenting_, in_packet_, sum_ip_, sum_tcp_, delayed_, segments_sent_, legacy_sum_start_,
            legacy_sum_at_, legacy_sum_);
    archive.vector(packet_, MostPacket);
    if (archive.loading() &&
        (io_address_ >= MemorySize || ((receive_.length | transmit_.length) & ~0xFFF80u) ||
         ((receive_.head | receive_.tail | transmit_.head | transmit_.tail) & ~0xFFFFu)))
        archive.fail("an impossible e1000 state");
}

std::vector<Field> E1000::describe() const {
    std::vector<Field> out = PciDevice::describe();
    const auto ring = [&](const char* which, const Ring& r, bool on) {
        out.push_back({std::string(which) + " head", r.head, on ? "on" : "off"});
        out.push_back({std::string(which) + " tail", r.tail, std::to_string(r.count()) + " descriptors"});
    };
    out.push_back({"STATUS", StatusAlways | (control_ & ControlLinkUp ? StatusLink : 0),
                   control_ & ControlLinkUp ? "link up, 1000 Mb/s" : "link down"});
    out.push_back({"ICR", cause_, "causes"});
    out.push_back({"IMS", mask_, "enabled"});
    ring("receive", receive_, (receive_control_ & ReceiverOn) != 0);
    ring("transmit", transmit_, (transmit_control_ & TransmitterOn) != 0);
    out.push_back({"frames received", statistics_[(GoodReceived - u32{FirstStatistic}) / 4],
                   "since the guest read it"});
    out.push_back(
        {"frames sent", statistics_[(GoodSent - u32{FirstStatistic}) / 4], "since the guest read it"});
    return out;
}

} // namespace vitrine::devices
