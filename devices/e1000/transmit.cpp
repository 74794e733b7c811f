// e1000 — sending: descriptors of three kinds (SDM 3.3), checksums (3.5.6) and TCP segmentation (3.5.7).
#include <algorithm>
#include "devices/e1000/e1000.h"
#include "devices/e1000/registers.h"
#include "devices/register.h"

namespace vitrine::devices {

using namespace e1000;

namespace {
// Bits of the descriptor's second quadword: command in bits 24–31, status in 32–39, options in 40–47.
constexpr u32 EndOfPacket = 1u << 24, InsertChecksum = 1u << 26 /* legacy */,
              SegmentTcp = 1u << 26 /* data */, ReportStatus = 1u << 27, ReportSent = 1u << 28,
              Extended = 1u << 29, Delay = 1u << 31;
constexpr u64 Done = u64{1} << 32;
constexpr u32 DescriptorTime = 96;               ///< ns: a descriptor's fetch and write-back
constexpr u64 ByteTime = 8;                      ///< ns at 1 Gb/s
constexpr std::size_t WireOverhead = 4 + 8 + 12; // checksum, preamble, gap

u16 big16(std::span<const u8> bytes, std::size_t at) {
    return static_cast<u16>(bytes[at] << 8 | bytes[at + 1]);
}
void put_big16(std::span<u8> bytes, std::size_t at, u32 value) {
    if (at + 2 > bytes.size()) return;
    bytes[at] = static_cast<u8>(value >> 8), bytes[at + 1] = static_cast<u8>(value);
}
void put_big32(std::span<u8> bytes, std::size_t at, u32 value) {
    put_big16(bytes, at, value >> 16), put_big16(bytes, at + 2, value & 0xFFFF);
}
u32 big32(std::span<const u8> bytes, std::size_t at) {
    return u32{big16(bytes, at)} << 16 | big16(bytes, at + 2);
}
} // namespace

void E1000::start_transmitting() {
    if (!(transmit_control_ & TransmitterOn) || transmit_.empty() || events_.pending(transmit_event_)) return;
    events_.schedule_after(transmit_event_, DescriptorTime);
}

/// One descriptor. The next one comes when this one's bytes are on the wire.
void E1000::transmit_due() {
    if (!(transmit_control_ & TransmitterOn) || transmit_.available() == 0 || !bus_master()) return;
    std::array<u8, 16> raw{};
    memory_.read(transmit_.address(), raw);
    const u64 low = load_little(raw, 0, 8);
    u64 high = load_little(raw, 8, 8);
    const bool context = (high & Extended) && (high >> 20 & 0xF) == 0;
    on_wire_ = 0;
    if (context)
        context_descriptor(low, high);
    else
        data_descriptor(low, high);
    u32 causes = 0;
    if (high & (ReportStatus | ReportSent)) {
        high |= Done;
        store_little(raw, 8, 8, high);
        memory_.write(transmit_.address(), raw);
        if ((high & Delay) && transmit_delay_.packet_timer)
            transmit_delay_.restart();
        else
            causes |= Sent;
    }
    transmit_.advance();
    if (transmit_.empty())
        causes |= QueueEmpty;
    else
        events_.schedule_after(transmit_event_, DescriptorTime + on_wire_ * ByteTime);
    if (causes) cause(causes);
}

/// SDM 3.3.6: where checksums and headers are, for the packets that follow. TSE chooses which of the two
/// contexts it describes.
void E1000::context_descriptor(u64 low, u64 high) {
    Offload& into = high & SegmentTcp ? segmentation_ : offload_;
    into.ip_start = static_cast<u8>(low), into.ip_offset = static_cast<u8>(low >> 8);
    into.ip_end = static_cast<u16>(low >> 16);
    into.tcp_start = static_cast<u8>(low >> 32), into.tcp_offset = static_cast<u8>(low >> 40);
    into.tcp_end = static_cast<u16>(low >> 48);
    into.tcp = (high >> 24 & 1) != 0, into.ipv4 = (high >> 25 & 1) != 0;
    into.header_length = static_cast<u8>(high >> 40), into.segment_size = static_cast<u16>(high >> 48);
    if (high & SegmentTcp) segments_sent_ = 0, count(SegmentedContexts);
}

/// SDM 3.3.3 (legacy) and 3.3.7.
void E1000::data_descriptor(u64 address, u64 fields) {
    const bool extended = (fields & Extended) != 0;
    u32 left = static_cast<u32>(fields & (extended ? 0xFFFFF : 0xFFFF));
    if (!in_packet_) { // options are the first descriptor's
        in_packet_ = true;
        segmenting_ = extended && (fields & SegmentTcp);
        sum_ip_ = extended && (fields >> 40 & 1), sum_tcp_ = extended && (fields >> 41 & 1);
        legacy_sum_ = false;
    }
    if (!extended && (fields & InsertChecksum)) {
        legacy_sum_ = true;
        legacy_sum_at_ = static_cast<u8>(fields >> 16), legacy_sum_start_ = static_cast<u8>(fields >> 40);
    }
    std::array<u8, 4096> part;
    while (left) {
        const u32 now = std::min<u32>(left, part.size());
        const std::span<u8> bytes(part.data(), now);
        memory_.read(address, bytes); // what nothing answers reads as ones
        gather(bytes);
        address += now, left -= now;
    }
    if (fields & EndOfPacket) end_of_packet();
}

void E1000::gather(std::span<const u8> bytes) {
    if (!segmenting_) {
        const std::size_t room = MostPacket - packet_.size();
        packet_.insert(packet_.end(), bytes.begin(),
                       bytes.begin() + static_cast<std::ptrdiff_t>(std::min(room, bytes.size())));
        return;
    }
    // A header, then segments as long as the context says; whole ones go out as they fill.
    const std::size_t header = segmentation_.header_length, segment = segmentation_.segment_size;
    const std::size_t full = header + segment;
    if (segment == 0 || packet_.size() > full || full > MostPacket) return; // a context changed in between
    while (!bytes.empty()) {
        if (packet_.size() == full) send_segment(segment, false);
        const std::size_t now = std::min(full - packet_.size(), bytes.size());
        packet_.insert(packet_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(now));
        bytes = bytes.subspan(now);
    }
}

void E1000::end_of_packet() {
    if (segmenting_) {
        const std::size_t header = segmentation_.header_length;
        if (packet_.size() > header) send_segment(packet_.size() - header, true);
    } else if (!packet_.empty()) {
        if (legacy_sum_) insert_checksum(packet_, legacy_sum_start_, legacy_sum_at_, 0);
        if (sum_tcp_) insert_checksum(packet_, offload_.tcp_start, offload_.tcp_offset, offload_.tcp_end);
        if (sum_ip_) insert_checksum(packet_, offload_.ip_start, offload_.ip_offset, offload_.ip_end);
        send(packet_);
    }
    packet_.clear();
    in_packet_ = segmenting_ = false;
    segments_sent_ = 0;
}

/// The prototype header, updated for this segment (SDM 3.5.7.2), before `payload` bytes; afterwards the
/// packet is the header alone again.
void E1000::send_segment(std::size_t payload, bool last) {
    const Offload& c = segmentation_;
    std::vector<u8> out(packet_.begin(), packet_.end());
    const std::span<u8> bytes(out);
    const std::size_t ip = c.ip_start, tcp = c.tcp_start;
    if (c.ipv4) {
        if (ip + 6 <= out.size()) {
            put_big16(bytes, ip + 2, static_cast<u32>(out.size() - ip));
            put_big16(bytes, ip + 4, big16(bytes, ip + 4) + segments_sent_);
        }
    } else if (ip + 40 <= out.size()) {
        put_big16(bytes, ip + 4, static_cast<u32>(out.size() - ip - 40));
    }
    if (c.tcp) {
        if (tcp + 14 <= out.size()) {
            put_big32(bytes, tcp + 4, big32(bytes, tcp + 4) + segments_sent_ * c.segment_size);
            if (!last) bytes[tcp + 13] &= static_cast<u8>(~0x09); // FIN and PSH belong to the last one
        }
    } else if (tcp + 6 <= out.size()) {
        put_big16(bytes, tcp + 4, static_cast<u32>(out.size() - tcp)); // UDP length
    }
    // The software left the length out of the pseudo-header's sum.
    if (sum_tcp_ && std::size_t{c.tcp_offset} + 2 <= out.size() && tcp <= out.size()) {
        u32 sum = big16(bytes, c.tcp_offset) + static_cast<u32>(out.size() - tcp);
        sum = (sum & 0xFFFF) + (sum >> 16);
        put_big16(bytes, c.tcp_offset, (sum & 0xFFFF) + (sum >> 16));
        insert_checksum(bytes, c.tcp_start, c.tcp_offset, c.tcp_end);
    }
    if (sum_ip_) insert_checksum(bytes, c.ip_start, c.ip_offset, c.ip_end);
    send(bytes);
    ++segments_sent_;
    packet_.resize(packet_.size() - payload);
}

/// The ones' complement sum of [start, end], put at `at`; `end` 0: up to the packet's last byte (SDM 3.5.6).
void E1000::insert_checksum(std::span<u8> packet, unsigned start, unsigned at, unsigned end) {
    const std::size_t stop = end == 0 ? packet.size() : std::min<std::size_t>(end + 1, packet.size());
    if (start >= stop || at + 2 > packet.size()) return;
    u64 sum = 0;
    for (std::size_t i = start; i < stop; ++i) sum += (i - start) % 2 ? packet[i] : u32{packet[i]} << 8;
    while (sum >> 16) sum = (sum & 0xFFFF) + (sum >> 16);
    put_big16(packet, at, ~static_cast<u32>(sum) & 0xFFFF);
}

void E1000::send(std::span<const u8> frame) {
    std::vector<u8> out(frame.begin(), frame.end());
    if (out.size() < LeastFrame) out.resize(LeastFrame);
    on_wire_ += out.size() + WireOverhead;
    count(GoodSent), count(PacketsSent);
    if (out[0] == 0xFF)
        count(BroadcastSent);
    else if (out[0] & 1)
        count(MulticastSent);
    count_octets(GoodOctetsSent, out.size() + 4), count_octets(OctetsSent, out.size() + 4);
    if ((receive_control_ >> 6 & 3) == 3) return receive(out); // loop-back in the PHY, SDM 13.4.22 LBM
    if ((control_ & ControlLinkUp) && transmit_sink_) transmit_sink_(out);
}

} // namespace vitrine::devices
