// gdb's packets: framing against the manual's own examples, and nonsense.
#include <gtest/gtest.h>
#include <random>
#include "emu/gdb/packet.h"
#include "emu/gdb/server.h"

using namespace vitrine;
using namespace vitrine::emu::gdb;

namespace {
using Kind = PacketReader::Item::Kind;
}

TEST(GdbPackets, FramesAndEscapes) {
    PacketReader reader;
    // GDB manual E.1: the checksum is the sum of the characters between $ and #, modulo 256.
    auto items = reader.feed("+$OK#9a");
    ASSERT_EQ(items.size(), 1u);
    EXPECT_EQ(items[0].data, "OK");
    EXPECT_EQ(frame("OK"), "$OK#9a");
}

TEST(GdbPackets, PiecesDamageAndInterrupts) {
    PacketReader reader;
    EXPECT_TRUE(reader.feed("$O").empty());
    EXPECT_TRUE(reader.feed("K#9").empty());
    EXPECT_EQ(reader.feed("a").at(0).data, "OK");
    EXPECT_EQ(reader.feed("$OK#9b").at(0).kind, Kind::Damaged);
    EXPECT_EQ(reader.feed("$OK#zz").at(0).kind, Kind::Damaged);
    EXPECT_EQ(reader.feed("\x03").at(0).kind, Kind::Interrupt);
    EXPECT_EQ(reader.feed("$" + std::string(PacketReader::Longest + 10, 'a') + "#00").at(0).kind,
              Kind::Damaged);
    const std::string odd = "a#b$c}d*e\x03\n\xff";
    EXPECT_EQ(reader.feed(frame(odd)).at(0).data, odd);
    std::mt19937_64 random(3);
    for (unsigned i = 0; i < 20'000; ++i) {
        std::string bytes(random() % 40, '\0');
        for (char& c : bytes)
            c = random() % 3 ? "$#}+-\x03qmGX0a"[random() % 12] : static_cast<char>(random());
        for (const auto& item : reader.feed(bytes)) ASSERT_LE(item.data.size(), PacketReader::Longest);
    }
    EXPECT_EQ(reader.feed("#00$OK#9a").back().data, "OK"); // and it still understands
}

TEST(GdbPackets, NumbersAndHex) {
    std::string_view text = "1fz";
    EXPECT_EQ(take_number(text), 0x1Fu);
    EXPECT_EQ(text, "z");
    EXPECT_FALSE(take_number(text));
    std::string_view longest = "ffffffffffffffff", longer = "10000000000000000";
    EXPECT_EQ(take_number(longest), ~u64{0});
    EXPECT_FALSE(take_number(longer));
    EXPECT_EQ(from_hex("4f4B"), "OK");
    EXPECT_FALSE(from_hex("4f4"));
    EXPECT_FALSE(from_hex("4g"));
    EXPECT_EQ(to_hex("OK"), "4f4b");
}

TEST(GdbServer, AddressesThatAreNone) {
    for (const char* bad : {"", "x", "65536", "-1", "unix:", "tcp:1"})
        EXPECT_FALSE(check_address(bad)) << bad;
    for (const char* good : {"0", "1234", "unix:/tmp/x"}) EXPECT_TRUE(check_address(good)) << good;
    EXPECT_FALSE(Server::listen("unix:/nowhere/at/all"));
}
