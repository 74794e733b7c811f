// uart16550, i8042, fw_cfg and the debug ports.
#include "devices/debug_ports.h"
#include "devices/fw_cfg.h"
#include "devices/i8042.h"
#include "devices/uart16550.h"
#include "tests/devices/support.h"

namespace vitrine::devices::test {
namespace {

struct UartTest : testing::Test {
    TestClock clock;
    Probe irq;
    std::string sent;
    Uart16550 instant{clock.events, 0x3F8, irq.wire(), [this](std::string_view s) { sent += s; }};
    Uart16550* uart = &instant;
    u8 in(unsigned reg) { return static_cast<u8>(uart->port_read(static_cast<u16>(uart->base() + reg), 1)); }
    void out(unsigned reg, u8 value) { uart->port_write(static_cast<u16>(uart->base() + reg), 1, value); }
};

TEST_F(UartTest, SendsAtOnceAndReportsEmpty) {
    EXPECT_EQ(in(5), 0x60);
    out(0, 'h');
    out(0, 'i');
    EXPECT_EQ(sent, "hi");
    EXPECT_EQ(in(2), 0x01);
    out(1, 2); // enabling the transmit interrupt while empty requests at once
    EXPECT_TRUE(irq.level);
    EXPECT_EQ(in(2), 0x02);
    EXPECT_FALSE(irq.level) << "reading IIR clears it";
    const unsigned rises = irq.rises;
    out(0, '!');
    EXPECT_EQ(irq.rises, rises + 1) << "a fresh edge";
}

TEST_F(UartTest, FifoTriggerAndTimeout) {
    out(2, 0x81); // FIFOs, trigger at 8
    out(1, 1);
    EXPECT_EQ(in(2) & 0xC0, 0xC0);
    uart->receive("abc");
    EXPECT_FALSE(irq.level);
    EXPECT_EQ(in(5) & 1, 1);
    clock.advance(100'000'000);
    EXPECT_TRUE(irq.level);
    EXPECT_EQ(in(2) & 0x0F, 0x0C) << "character timeout";
    EXPECT_EQ(in(0), 'a');
    EXPECT_FALSE(irq.level);
    uart->receive("defghijk");
    EXPECT_EQ(in(2) & 0x0F, 0x04) << "trigger level";
    std::string got;
    while ((in(5) & 1) != 0) got += static_cast<char>(in(0));
    EXPECT_EQ(got, "bcdefghijk");
}

TEST_F(UartTest, QueueFeedsTheFifoAndIsBounded) {
    const std::string big(Uart16550::QueueLimit + 100, 'x');
    EXPECT_EQ(uart->receive(big), Uart16550::QueueLimit);
    u64 count = 0;
    while ((in(5) & 1) != 0) count += in(0) == 'x' ? 1 : 0;
    EXPECT_EQ(count, Uart16550::QueueLimit);
    EXPECT_EQ(in(5) & 2, 0) << "no overrun";
}

TEST_F(UartTest, LoopBackAsDriversProbeIt) {
    out(4, 0x1A);
    EXPECT_EQ(in(6) & 0xF0, 0x90);
    out(0, 0x5A);
    EXPECT_EQ(in(0), 0x5A);
    EXPECT_EQ(sent, "");
    out(0, 1);
    out(0, 2);
    EXPECT_EQ(in(5) & 2, 2) << "overrun without FIFOs";
    EXPECT_EQ(in(0), 2);
}

TEST_F(UartTest, PacedTransmitTakesItsTime) {
    Uart16550 paced(
        clock.events, 0x2F8, irq.wire(), [this](std::string_view s) { sent += s; },
        Uart16550::Transmit::Paced);
    uart = &paced;
    out(3, 0x83);
    out(0, 1); // 115200
    out(1, 0);
    out(3, 0x03);
    out(2, 0x01);
    for (char c : std::string("0123456789")) out(0, static_cast<u8>(c));
    EXPECT_EQ(in(5) & 0x60, 0);
    clock.advance(86'806 * 5 + 1000);
    EXPECT_EQ(sent, "01234");
    clock.advance(86'806 * 5);
    EXPECT_EQ(sent, "0123456789");
    EXPECT_EQ(in(5) & 0x60, 0x60);
}

struct KeyboardTest : testing::Test {
    TestClock clock;
    Probe irq1, irq12, a20;
    unsigned resets = 0;
    I8042 kbc{clock.events, {irq1.wire(), irq12.wire(), a20.wire(), [this] { ++resets; }}};
    u8 in(u16 port) { return static_cast<u8>(kbc.port_read(port, 1)); }
    void out(u16 port, u8 value) { kbc.port_write(port, 1, value); }
    /// Waits for a byte as a driver does.
    int byte() {
        for (int i = 0; i < 10; ++i) {
            if ((in(0x64) & 1) != 0) return in(0x60);
            clock.advance(20'000);
        }
        return -1;
    }
};

TEST_F(KeyboardTest, SelfTestsAndIdentifies) {
    out(0x64, 0xAA);
    EXPECT_EQ(byte(), 0x55);
    out(0x64, 0xAB);
    EXPECT_EQ(byte(), 0x00);
    out(0x60, 0xFF);
    EXPECT_EQ(byte(), 0xFA);
    EXPECT_EQ(byte(), 0xAA);
    out(0x60, 0xF2);
    EXPECT_EQ(byte(), 0xFA);
    EXPECT_EQ(byte(), 0xAB);
    EXPECT_EQ(byte(), 0x83);
    out(0x60, 0xED);
    EXPECT_EQ(byte(), 0xFA);
    out(0x60, 0x05);
    EXPECT_EQ(byte(), 0xFA);
    EXPECT_EQ(kbc.leds(), 5);
    EXPECT_EQ(byte(), -1);
}

TEST_F(KeyboardTest, TranslatesSet2ToSet1) {
    const u8 keys[] = {0x1E, 0x9E, 0xE0, 0x48, 0xE0, 0xC8, 0x41, 0xC1};
    kbc.key(keys); // untranslated: set 2
    for (int expected : {0x1C, 0xF0, 0x1C, 0xE0, 0x75, 0xE0, 0xF0, 0x75, 0x83, 0xF0, 0x83})
        EXPECT_EQ(byte(), expected);
    out(0x64, 0x60);
    out(0x60, 0x45); // translate, keyboard interrupt
    kbc.key(keys);
    for (int expected : keys) EXPECT_EQ(byte(), expected);
    EXPECT_EQ(irq1.rises, 11u + 8u);
    EXPECT_EQ(byte(), -1);
    // Every set 1 make code survives the round trip.
    for (u8 code = 1; code < 0x59; ++code) {
        if (code == 0x55 || code == 0x54) continue;
        kbc.key({&code, 1});
        EXPECT_EQ(byte(), code);
    }
}

/// IBM Enhanced Keyboard, command F3h: the last key pressed repeats after a delay, at a rate; the host's own
/// repeats change nothing.
TEST_F(KeyboardTest, AHeldKeyRepeats) {
    out(0x64, 0x60);
    out(0x60, 0x45);
    const auto repeats = [this](u64 milliseconds) {
        std::vector<int> seen;
        for (u64 i = 0; i < milliseconds; ++i) {
            clock.advance(1'000'000);
            while ((in(0x64) & 1) != 0) {
                seen.push_back(in(0x60));
                clock.advance(20'000);
            }
        }
        return seen;
    };
    kbc.key(std::array<u8, 1>{0x1E});
    EXPECT_EQ(byte(), 0x1E);
    EXPECT_TRUE(repeats(490).empty());
    kbc.key(std::array<u8, 1>{0x1E}); // the host repeats, too
    EXPECT_EQ(repeats(1000).size(), 11u) << "10.9 a second";
    kbc.key(std::array<u8, 1>{0x9E});
    EXPECT_EQ(byte(), 0x9E);
    EXPECT_TRUE(repeats(2000).empty()) << "released";
    out(0x60, 0xF3);
    EXPECT_EQ(byte(), 0xFA);
    out(0x60, 0x00); // 250 ms, then 30 a second
    EXPECT_EQ(byte(), 0xFA);
    kbc.key(std::array<u8, 2>{0xE0, 0x48});
    EXPECT_EQ(byte(), 0xE0);
    EXPECT_EQ(byte(), 0x48);
    EXPECT_EQ(repeats(350), (std::vector<int>{0xE0, 0x48, 0xE0, 0x48, 0xE0, 0x48, 0xE0, 0x48}));
    kbc.key(std::array<u8, 1>{0x30}); // another key takes over, and the first one's release does not stop it
    kbc.key(std::array<u8, 2>{0xE0, 0xC8});
    EXPECT_EQ(repeats(300).back(), 0x30);
    EXPECT_GT(repeats(300).size(), 5u);
    kbc.key(std::array<u8, 6>{0xE1, 0x1D, 0x45, 0xE1, 0x9D, 0xC5});
    kbc.key(std::array<u8, 1>{0xB0});
    repeats(10);
    EXPECT_TRUE(repeats(2000).empty()) << "Pause does not repeat";
}

/// Software reads the command byte while a key waits: both arrive.
TEST_F(KeyboardTest, AnAnswerDoesNotDestroyAWaitingKey) {
    out(0x64, 0x60);
    out(0x60, 0x45);
    kbc.key(std::array<u8, 2>{0x1E, 0x9E});
    clock.advance(20'000);
    EXPECT_EQ(in(0x64) & 1, 1);
    out(0x64, 0x20);
    EXPECT_EQ(in(0x60), 0x45) << "the answer";
    EXPECT_EQ(byte(), 0x1E);
    EXPECT_EQ(byte(), 0x9E) << "in order";
    EXPECT_EQ(byte(), -1);
}

TEST_F(KeyboardTest, TwoToOneScaling) {
    const auto mouse = [this](u8 value) {
        out(0x64, 0xD4);
        out(0x60, value);
        EXPECT_EQ(byte(), 0xFA);
    };
    mouse(0xE7);
    mouse(0xF4);
    kbc.mouse(4, -9, 0, 0);
    for (int expected : {0x28, 6, 0x100 - 18}) EXPECT_EQ(byte(), expected);
}

TEST_F(KeyboardTest, A20AndReset) {
    out(0x64, 0xD1);
    out(0x60, 0xDD);
    EXPECT_FALSE(a20.level);
    out(0x64, 0xD1);
    out(0x60, 0xDF);
    EXPECT_TRUE(a20.level);
    out(0x64, 0xD0);
    EXPECT_EQ(byte() & 2, 2);
    out(0x64, 0xFE);
    EXPECT_EQ(resets, 1u);
}

TEST_F(KeyboardTest, MouseIdentifiesStreamsAndGrowsAWheel) {
    const auto mouse = [this](u8 value) {
        out(0x64, 0xD4);
        out(0x60, value);
    };
    mouse(0xFF);
    for (int expected : {0xFA, 0xAA, 0x00}) EXPECT_EQ(byte(), expected);
    EXPECT_EQ(irq12.rises, 3u);
    for (u8 rate : {u8{200}, u8{100}, u8{80}}) {
        mouse(0xF3);
        EXPECT_EQ(byte(), 0xFA);
        mouse(rate);
        EXPECT_EQ(byte(), 0xFA);
    }
    mouse(0xF2);
    EXPECT_EQ(byte(), 0xFA);
    EXPECT_EQ(byte(), 3);
    kbc.mouse(5, -3, 0, 1);
    EXPECT_EQ(byte(), -1) << "not reporting yet";
    mouse(0xF4);
    EXPECT_EQ(byte(), 0xFA);
    kbc.mouse(0, 0, 1, 1);
    for (int expected : {0x29, 5, 0xFD, 0xFF}) EXPECT_EQ(byte(), expected);
    in(0x64);
    EXPECT_EQ(byte(), -1);
}

TEST_F(KeyboardTest, AFloodOfKeysIsBounded) {
    const u8 keys[] = {0x1E, 0x9E};
    for (int i = 0; i < 10'000; ++i) kbc.key(keys);
    int count = 0;
    while (byte() >= 0) ++count;
    EXPECT_LE(count, 256);
    EXPECT_GE(count, 200);
}

TEST(FwCfgTest, ReadsItemsDirectoryAndDma) {
    FakeRam ram;
    FwCfg cfg(ram);
    cfg.add_item_u16(5, 4);
    cfg.add_file("opt/vitrine/boot", {'d', 'i', 's', 'k'});
    cfg.add_file("etc/e820", {1, 2, 3, 4, 5});
    const auto select = [&](u16 selector) { cfg.port_write(0x510, 2, selector); };
    const auto byte = [&] { return cfg.port_read(0x511, 1); };
    select(0);
    EXPECT_EQ(byte() | byte() << 8 | byte() << 16 | byte() << 24, 0x554D4551u);
    select(5);
    EXPECT_EQ(byte(), 4u);
    EXPECT_EQ(byte(), 0u);
    EXPECT_EQ(byte(), 0u) << "past the end";
    select(0x19);
    std::vector<u8> directory;
    for (int i = 0; i < 4 + 2 * 64; ++i) directory.push_back(static_cast<u8>(byte()));
    EXPECT_EQ(directory[3], 2);
    EXPECT_STREQ(reinterpret_cast<char*>(&directory[4 + 8]), "etc/e820");
    EXPECT_STREQ(reinterpret_cast<char*>(&directory[68 + 8]), "opt/vitrine/boot");
    EXPECT_EQ(directory[7], 5);
    EXPECT_EQ(cfg.port_read(0x514, 4), 0x554D4551u) << "big-endian QEMU CFG";

    const auto big = [&](u64 pa, unsigned size, u64 value) {
        for (unsigned i = 0; i < size; ++i)
            ram.bytes[pa + i] = static_cast<u8>(value >> (8 * (size - 1 - i)));
    };
    big(0x100, 4, 0x20u << 16 | 8 | 2);
    big(0x104, 4, 7);
    big(0x108, 8, 0x2000);
    ram.bytes[0x2006] = 9;
    cfg.port_write(0x518, 4, __builtin_bswap32(0x100));
    EXPECT_EQ(ram.get(0x100, 4), 0u);
    EXPECT_EQ(ram.get(0x2000, 7), 0x00000504030201u) << "zeros past the end";
    big(0x100, 4, 0x20u << 16 | 8 | 2);
    big(0x104, 4, 0xFFFFFFFF);
    big(0x108, 8, 0x8000);
    cfg.port_write(0x518, 4, __builtin_bswap32(0x100));
    EXPECT_EQ(ram.bytes[0x103], 1) << "4 GiB into 1 MiB: ends with an error at the end of memory";
    big(0x100, 4, 16);
    big(0x104, 4, 4);
    cfg.port_write(0x518, 4, __builtin_bswap32(0x100));
    EXPECT_EQ(ram.bytes[0x103], 1) << "writes are errors";
    cfg.reset();
    select(0x21);
    EXPECT_EQ(byte(), u32{'d'}) << "items survive reset";
}

TEST(DebugPortsTest, CallTheirSinks) {
    u8 code = 0;
    std::string text;
    u32 status = 0;
    PostPort post([&](u8 c) { code = c; });
    DebugConsole console([&](char c) { text += c; });
    DebugExit exit([&](u32 v) { status = v; });
    post.port_write(0x80, 1, 0x42);
    EXPECT_EQ(code, 0x42);
    EXPECT_EQ(post.port_read(0x80, 1), 0x42u);
    console.port_write(0xE9, 1, 'x');
    EXPECT_EQ(text, "x");
    EXPECT_EQ(console.port_read(0xE9, 1), 0xE9u);
    exit.port_write(0xF4, 4, 0x10);
    EXPECT_EQ(status, 0x10u);
}

} // namespace
} // namespace vitrine::devices::test
