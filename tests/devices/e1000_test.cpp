// The network card as a driver sees it. The judges of the whole are iPXE's and Linux's drivers
// (tests/foreign); here are the corners: the EEPROM's pins, each kind of descriptor, checksums and segments
// (recomputed by the rules of RFC 1071 and SDM 3.5.7), filters, interrupts, and what a hostile driver may not
// do.
#include "devices/e1000/e1000.h"
#include "tests/devices/support.h"

namespace vitrine::devices::test {
namespace {

constexpr E1000::MacAddress Address = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
constexpr u32 TransmitRing = 0x1000, ReceiveRing = 0x2000, Buffers = 0x8000;
using Bytes = std::vector<u8>;

struct Card : ::testing::Test {
    TestClock clock;
    FakeRam ram{1 << 20};
    E1000 card{clock.events, ram, Address};
    bool line = false;
    std::vector<Bytes> sent;
    u32 transmit_tail = 0, receive_tail = 0;

    Card() {
        card.connect({[this](bool level) { line = level; }, {}, {}});
        card.on_transmit(
            [this](std::span<const u8> frame) { sent.emplace_back(frame.begin(), frame.end()); });
        card.reset();
        card.config_write(4, 2, 6);
        write(0x0000, 0x40); // link up
        write(0x2800, ReceiveRing), write(0x2808, 128 * 16), write(0x2810, 0), write(0x2818, 0);
        write(0x3800, TransmitRing), write(0x3808, 128 * 16), write(0x3810, 0), write(0x3818, 0);
        write(0x0400, 2);
        read(0xC0);
    }
    u32 read(u32 offset) { return static_cast<u32>(card.bar_read(0, offset, 4)); }
    void write(u32 offset, u32 value) { card.bar_write(0, offset, 4, value); }
    /// A transmit descriptor at the tail.
    void queue(u64 low, u64 high) {
        ram.put(TransmitRing + transmit_tail * 16, 8, low),
            ram.put(TransmitRing + transmit_tail * 16 + 8, 8, high);
        transmit_tail = (transmit_tail + 1) % 128;
    }
    void go() {
        write(0x3818, transmit_tail);
        clock.advance(1'000'000);
    }
    void put(u64 at, const Bytes& bytes) { std::ranges::copy(bytes, &ram.bytes[at]); }
    /// Turns the receiver on with `count` buffers of 2 KiB.
    void listen(u32 control, u32 count = 8) {
        for (u32 i = 0; i < count; ++i) ram.put(ReceiveRing + i * 16, 8, Buffers + i * 2048);
        write(0x0100, 2 | control);
        write(0x2818, count);
    }
};

Bytes frame_to(std::initializer_list<int> destination, std::size_t size = 100) {
    Bytes out(size);
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<u8>(i);
    std::size_t at = 0;
    for (int byte : destination) out[at++] = static_cast<u8>(byte);
    return out;
}

u32 ones_sum(std::span<const u8> bytes, u32 sum = 0) {
    for (std::size_t i = 0; i < bytes.size(); ++i) sum += i % 2 ? bytes[i] : u32{bytes[i]} << 8;
    while (sum >> 16) sum = (sum & 0xFFFF) + (sum >> 16);
    return sum;
}

TEST_F(Card, TheEepromTellsItsAddressThroughThePins) {
    const auto word = [&](unsigned index) {
        const auto clock_bit = [&](bool bit) {
            write(0x10, 2u | (bit ? 4u : 0u));
            write(0x10, 3u | (bit ? 4u : 0u));
        };
        write(0x10, 0), write(0x10, 2);
        for (int bit = 8; bit >= 0; --bit) clock_bit((0x180u | index) >> bit & 1); // 1 10 aaaaaa
        u32 out = 0;
        for (int bit = 0; bit < 16; ++bit) {
            clock_bit(false);
            out = out << 1 | (read(0x10) >> 3 & 1);
        }
        return out;
    };
    EXPECT_EQ(word(0), 0x5452u);
    EXPECT_EQ(word(1), 0x1200u);
    EXPECT_EQ(word(2), 0x5634u);
    u32 sum = 0;
    for (unsigned i = 0; i < 64; ++i) sum += word(i);
    EXPECT_EQ(sum & 0xFFFF, 0xBABAu) << "SDM 5.6.35";
    write(0x14, 1 | 2 << 8);
    EXPECT_EQ(read(0x14) >> 16, 0x5634u) << "EERD says the same";
    EXPECT_EQ(read(0x5400), 0x12005452u);
    EXPECT_EQ(read(0x5404), 0x80005634u);
}

TEST_F(Card, ThePhyIsWhereTheManualPutsIt) {
    write(0x20, 2u << 26 | 1u << 21 | 2u << 16);
    EXPECT_EQ(read(0x20) & 0x1000FFFF, 0x10000141u);
    write(0x20, 2u << 26 | 2u << 21 | 2u << 16);
    EXPECT_TRUE(read(0x20) >> 30 & 1) << "nobody answers at address 2";
}

TEST_F(Card, ALegacyDescriptorSendsAPaddedFrameAndReports) {
    put(Buffers, frame_to({1, 2, 3, 4, 5, 6}, 20));
    write(0xD0, 1);
    queue(Buffers, 20u | 0x0B000000u); // EOP, IFCS, RS
    write(0x3818, transmit_tail);
    EXPECT_TRUE(sent.empty()) << "nothing moves inside the register write";
    clock.advance(1'000'000);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].size(), 60u);
    EXPECT_EQ(sent[0][5], 6);
    EXPECT_EQ(ram.get(TransmitRing + 12, 1), 1u) << "DD";
    EXPECT_TRUE(line);
    EXPECT_EQ(read(0xC0) & 3, 3u) << "TXDW and TXQE";
    EXPECT_FALSE(line) << "reading ICR acknowledges";
    EXPECT_EQ(read(0x3810), 1u);
    EXPECT_EQ(read(0x4080), 1u);
    EXPECT_EQ(read(0x4080), 0u) << "statistics are cleared by reading";
}

TEST_F(Card, PiecesBecomeOnePacketWithItsChecksum) {
    Bytes packet = frame_to({1, 2, 3, 4, 5, 6}, 400);
    packet[34] = packet[35] = 0;
    put(Buffers, packet);
    // Legacy: sum from 14, put at 34.
    queue(Buffers, 100u);
    queue(Buffers + 100, 300u | 34u << 16 | 0x0F000000u | u64{14} << 40);
    go();
    ASSERT_EQ(sent.size(), 1u);
    ASSERT_EQ(sent[0].size(), 400u);
    EXPECT_EQ(ones_sum(std::span(sent[0]).subspan(14)), 0xFFFFu);
}

TEST_F(Card, SegmentsCarryTheirOwnHeaders) {
    // Ethernet, IPv4 of 20 bytes, TCP of 20; 2500 bytes in segments of 1000.
    Bytes packet = frame_to({1, 2, 3, 4, 5, 6}, 54 + 2500);
    const u8 ip[20] = {0x45, 0, 0, 0, 0x12, 0x34, 0, 0, 64, 6, 0, 0, 10, 0, 2, 15, 10, 0, 2, 2};
    const u8 tcp[20] = {0, 80, 0, 81, 0, 0, 0x10, 0, 0, 0, 0, 0, 0x50, 0x19, 1, 0, 0, 0, 0, 0};
    std::ranges::copy(ip, &packet[14]), std::ranges::copy(tcp, &packet[34]);
    const u8 pseudo[10] = {10, 0, 2, 15, 10, 0, 2, 2, 0, 6}; // the software's part, without the length
    const u32 seed = ones_sum(pseudo);
    packet[50] = static_cast<u8>(seed >> 8), packet[51] = static_cast<u8>(seed);
    put(Buffers, packet);
    queue(14u | 24u << 8 | 33u << 16 | u64{34} << 32 | u64{50} << 40,
          2500u | u64{0x27} << 24 | u64{54} << 40 | u64{1000} << 48); // TCP, IPv4, TSE, DEXT
    queue(Buffers, 54u | 1u << 20 | u64{0x26} << 24 | u64{3} << 40);
    queue(Buffers + 54, 2500u | 1u << 20 | u64{0x27} << 24 | u64{3} << 40);
    go();
    ASSERT_EQ(sent.size(), 3u);
    const std::size_t lengths[] = {1000, 1000, 500};
    for (unsigned i = 0; i < 3; ++i) {
        const Bytes& f = sent[i];
        ASSERT_EQ(f.size(), 54 + lengths[i]);
        EXPECT_EQ(f[16] << 8 | f[17], static_cast<int>(40 + lengths[i]));
        EXPECT_EQ(f[18] << 8 | f[19], 0x1234 + static_cast<int>(i));
        EXPECT_EQ(f[40] << 8 | f[41], 0x1000 + static_cast<int>(i * 1000));
        EXPECT_EQ(f[47], i == 2 ? 0x19 : 0x10) << "FIN and PSH in the last one only";
        EXPECT_EQ(ones_sum(std::span(f).subspan(14, 20)), 0xFFFFu);
        Bytes whole(pseudo, pseudo + 10);
        whole.push_back(static_cast<u8>((20 + lengths[i]) >> 8)),
            whole.push_back(static_cast<u8>(20 + lengths[i]));
        EXPECT_EQ(ones_sum(std::span(f).subspan(34), ones_sum(whole)), 0xFFFFu);
        EXPECT_EQ(f[54], packet[54 + i * 1000]);
    }
}

TEST_F(Card, OnlyWantedFramesArrive) {
    listen(0x8000); // broadcast
    card.receive(frame_to({0x52, 0x54, 0, 0x12, 0x34, 0x56}));
    card.receive(frame_to({0x52, 0x54, 0, 0x12, 0x34, 0x57}));
    card.receive(frame_to({0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}));
    card.receive(frame_to({0x01, 0x00, 0x5E, 0, 0, 1}));
    EXPECT_EQ(read(0x2810), 2u);
    EXPECT_EQ(ram.get(ReceiveRing + 8, 2), 104u) << "with its checksum";
    EXPECT_EQ(ram.get(ReceiveRing + 12, 1), 7u) << "DD, EOP, IXSM";
    // The checksum of the frame and its checksum is the constant of IEEE 802.3.
    u32 crc = ~u32{0};
    for (unsigned i = 0; i < 104; ++i) {
        crc ^= ram.bytes[Buffers + i];
        for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
    }
    EXPECT_EQ(crc, 0xDEBB20E3u);
    // Multicast by its hash: bits 47 to 36 of the address (RCTL.MO 0): 0x010 for 01-00-5E-00-00-01.
    write(0x5200, 1u << 16);
    card.receive(frame_to({0x01, 0x00, 0x5E, 0, 0, 1}));
    EXPECT_EQ(read(0x2810), 3u);
}

TEST_F(Card, AFullRingLosesFramesAndSaysSo) {
    listen(0x8000 | 1u << 26, 3);
    EXPECT_TRUE(card.can_receive());
    for (int i = 0; i < 4; ++i) card.receive(frame_to({0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}));
    EXPECT_FALSE(card.can_receive());
    EXPECT_EQ(ram.get(ReceiveRing + 8, 2), 100u) << "RCTL.SECRC strips the checksum";
    EXPECT_TRUE(read(0xC0) & 0x40) << "RXO";
    EXPECT_EQ(read(0x4010), 1u);
    EXPECT_EQ(read(0x4074), 3u);
}

TEST_F(Card, ALongFrameTakesSeveralBuffers) {
    listen(0x8000 | 0x20 | 1u << 26, 8);
    card.receive(frame_to({0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, 5000));
    EXPECT_EQ(read(0x2810), 3u);
    EXPECT_EQ(ram.get(ReceiveRing + 12, 1), 5u) << "not the end";
    EXPECT_EQ(ram.get(ReceiveRing + 32 + 8, 2), 904u);
    EXPECT_EQ(ram.get(ReceiveRing + 32 + 12, 1), 7u);
}

TEST_F(Card, InterruptsKeepTheirDistance) {
    listen(0x8000);
    write(0xD0, 0x80), write(0xC4, 1000); // 256 µs
    card.receive(frame_to({0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}));
    EXPECT_TRUE(line);
    read(0xC0);
    card.receive(frame_to({0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}));
    EXPECT_FALSE(line) << "ITR";
    clock.advance(256'000);
    EXPECT_TRUE(line);
}

TEST_F(Card, NothingMovesWithoutBusMastering) {
    card.config_write(4, 2, 2);
    listen(0x8000);
    EXPECT_FALSE(card.can_receive());
    card.receive(frame_to({0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}));
    EXPECT_EQ(read(0x2810), 0u);
    queue(Buffers, 100u | 0x0B000000u);
    go();
    EXPECT_TRUE(sent.empty());
}

TEST_F(Card, ARingThatNeverEndsAPacketCostsTheGuestOnly) {
    for (u32 i = 0; i < 128; ++i) queue(Buffers, 0xFFFFFu | 1u << 20 | u64{0x20} << 24); // 1 MiB each, no EOP
    write(0x3818, 127);
    clock.advance(10'000'000);
    EXPECT_EQ(read(0x3810), 127u);
    queue(Buffers, 1u | 0x01000000u);
    go();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].size(), E1000::MostPacket);
}

TEST_F(Card, AContextBetweenThePiecesOfAPacketDoesNoHarm) {
    const auto context = [&](u64 header, u64 segment) {
        queue(0, u64{0x27} << 24 | header << 40 | segment << 48);
    };
    context(54, 1000);
    queue(Buffers, 900u | 1u << 20 | u64{0x26} << 24 | u64{3} << 40);
    context(10, 20);
    queue(Buffers, 900u | 1u << 20 | u64{0x27} << 24 | u64{3} << 40);
    context(255, 65535);
    queue(Buffers, 0xFFFFFu | 1u << 20 | u64{0x27} << 24 | u64{3} << 40);
    go();
    EXPECT_EQ(read(0x3810), transmit_tail);
    for (const Bytes& f : sent) EXPECT_LE(f.size(), E1000::MostPacket);
}

} // namespace
} // namespace vitrine::devices::test
