// e1000 — receiving: which frames are wanted (SDM 3.2.1, 13.4.22, 13.5) and how they reach memory (3.2.2).
#include <algorithm>
#include "devices/e1000/e1000.h"
#include "devices/e1000/registers.h"
#include "devices/register.h"

namespace vitrine::devices {

using namespace e1000;

namespace {
constexpr u8 DescriptorDone = 1, EndOfPacket = 2, IgnoreChecksum = 4;
constexpr std::size_t LongestOrdinary = 1518, ChecksumSize = 4;

/// The frame check sequence: IEEE 802.3, 3.2.9.
u32 frame_check(std::span<const u8> bytes) {
    u32 crc = ~u32{0};
    for (const u8 byte : bytes) {
        crc ^= byte;
        for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
    }
    return ~crc;
}
} // namespace

u32 E1000::buffer_size() const {
    const u32 size = 2048u >> (receive_control_ >> 16 & 3);
    return receive_control_ & LargeBuffers ? size * 16 : size; // 32768 is reserved and taken as it reads
}

bool E1000::can_receive() const {
    return (receive_control_ & ReceiverOn) && (control_ & ControlLinkUp) && bus_master() &&
           u64{receive_.available()} * buffer_size() > LongestOrdinary + ChecksumSize;
}

bool E1000::wanted(std::span<const u8> frame) const {
    const bool broadcast = std::ranges::all_of(frame.first(6), [](u8 b) { return b == 0xFF; });
    if (broadcast) return (receive_control_ & (AcceptBroadcast | AllMulticast)) != 0;
    const bool multicast = frame[0] & 1;
    if (receive_control_ & (multicast ? AllMulticast : AllUnicast)) return true;
    const u32 low = static_cast<u32>(load_little(frame, 0, 4)),
              high = static_cast<u32>(load_little(frame, 4, 2));
    for (unsigned i = 0; i < addresses_.size(); i += 2)
        if ((addresses_[i + 1] >> 31) && addresses_[i] == low && (addresses_[i + 1] & 0xFFFF) == high)
            return true;
    if (!multicast) return false;
    // Twelve bits of the address choose one of 4096 bits: SDM 13.5.1.
    constexpr unsigned Shift[4] = {4, 3, 2, 0};
    const u32 index = high >> Shift[receive_control_ >> 12 & 3] & 0xFFF;
    return multicast_[index >> 5] >> (index & 31) & 1;
}

void E1000::receive(std::span<const u8> given) {
    if (!(receive_control_ & ReceiverOn) || !(control_ & ControlLinkUp) || !bus_master() ||
        given.size() < 14 || given.size() > MostPacket)
        return;
    std::vector<u8> frame(given.begin(), given.end());
    if (frame.size() < LeastFrame) frame.resize(LeastFrame);
    if (!wanted(frame) ||
        (frame.size() + ChecksumSize > LongestOrdinary && !(receive_control_ & LongPackets)))
        return;
    const u32 check = frame_check(frame);
    if (!(receive_control_ & StripChecksum))
        for (unsigned i = 0; i < ChecksumSize; ++i) frame.push_back(static_cast<u8>(check >> (8 * i)));
    count_octets(OctetsReceived, frame.size());
    count(PacketsReceived);
    const std::size_t size = buffer_size(), needed = (frame.size() + size - 1) / size;
    if (receive_.available() < needed) {
        count(NoBuffers), count(MissedPackets);
        return cause(Overrun);
    }
    for (std::size_t at = 0; at < frame.size(); at += size) {
        const std::size_t part = std::min(size, frame.size() - at);
        const bool last = at + part == frame.size();
        std::array<u8, 16> descriptor{};
        memory_.read(receive_.address(), descriptor);
        memory_.write(load_little(descriptor, 0, 8), std::span(frame).subspan(at, part));
        store_little(descriptor, 8, 8, 0);
        store_little(descriptor, 8, 2, part);
        descriptor[12] = static_cast<u8>(DescriptorDone | IgnoreChecksum | (last ? EndOfPacket : 0));
        memory_.write(receive_.address(), descriptor);
        receive_.advance();
    }
    count(GoodReceived);
    if (frame[0] == 0xFF)
        count(BroadcastReceived);
    else if (frame[0] & 1)
        count(MulticastReceived);
    count_octets(GoodOctetsReceived, frame.size());
    receive_threshold();
    if (receive_delay_.packet_timer)
        receive_delay_.restart();
    else
        cause(Received);
}

/// RXDMT0: the free descriptors have become fewer than the part of the ring that RDMTS names.
void E1000::receive_threshold() {
    const u32 part = 2u << std::min<u32>(receive_control_ >> 8 & 3, 2);
    if (receive_.available() <= receive_.count() / part) cause(FewDescriptors);
}

} // namespace vitrine::devices
