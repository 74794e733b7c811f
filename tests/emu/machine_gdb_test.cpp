// The stub over a machine, without sockets: random and mutated packets crash nothing and leave the machine
// where a gdb can go on; what gdb writes is recorded, so that a debugged run replays to the same bit.
#include <fmt/format.h>
#include <random>
#include "emu/events/events.h"
#include "emu/symbols/guest_symbols.h"
#include "emu/gdb/packet.h"
#include "emu/gdb/registers.h"
#include "emu/gdb/stub.h"
#include "tests/emu/machine_support.h"

using namespace vitrine;
using namespace vitrine::emu;
using namespace vitrine::test;

namespace {
const char* const Seeds[] = {"?",
                             "g",
                             "p10",
                             "P10=00000000ffffffff",
                             "m1000,40",
                             "M7c00,4:01020304",
                             "Z0,ffffffff81000000,1",
                             "z0,ffffffff81000000,1",
                             "Z2,1000,8",
                             "z2,1000,8",
                             "Z4,500,100",
                             "vCont;s:1",
                             "vCont;c",
                             "Hg1",
                             "Hc-1",
                             "T1",
                             "bs",
                             "bc",
                             "qSupported:swbreak+",
                             "qXfer:features:read:target.xml:0,1000",
                             "qfThreadInfo",
                             "qThreadExtraInfo,1",
                             "qOffsets",
                             "qRcmd,7768657265",
                             "qRcmd,7365656b203130",
                             "X7c00,2:ab",
                             "G00",
                             "vCont?",
                             "s",
                             "qC"};
}

TEST(GdbStub, NonsensePacketsDoNoHarm) {
#ifdef VITRINE_SANITIZE
    constexpr unsigned Packets = 500;
#else
    constexpr unsigned Packets = 2000;
#endif
    auto machine = boot_machine();
    run_to(*machine, 200'000);
    Timeline timeline(*machine, 64 << 20, 0.001);
    gdb::Stub stub(*machine, timeline);
    stub.on_poll([] { return true; }); // a run is one slice
    std::mt19937_64 random(77);
    for (unsigned i = 0; i < Packets; ++i) {
        std::string packet = Seeds[random() % std::size(Seeds)];
        for (u64 n = random() % 4; n-- > 0 && !packet.empty();) {
            const std::size_t at = random() % packet.size();
            switch (random() % 4) {
            case 0: packet[at] = static_cast<char>(random()); break;
            case 1: packet.erase(at, 1 + random() % 4); break;
            case 2: packet.insert(at, 1 + random() % 20, "0f,;:-="[random() % 7]); break;
            default: packet[at] = "0123456789abcdef,;:"[random() % 19];
            }
        }
        if (packet.starts_with('k') || packet.starts_with('D') || packet.starts_with("vKill")) continue;
        const auto reply = stub.handle(packet);
        ASSERT_TRUE(reply) << packet;
        ASSERT_LE(reply->size(), std::size_t{128} << 10) << packet;
    }
    EXPECT_EQ(stub.handle("qC").value().substr(0, 2), "QC");
    EXPECT_EQ(stub.handle("g")->size(),
              2 * 8 * 17 + 2 * 4 * 7 + 2 * 10 * 8 + 2 * 4 * 8 + 2 * 16 * 16 + 8 + 2 * 16 * 16 + 2 * 8 * 9u);
}

TEST(GdbStub, WhatItWritesIsReplayed) {
    auto machine = boot_machine();
    Timeline timeline(*machine, 64 << 20, 0.001);
    run_to(*machine, 400'000);
    {
        gdb::Stub stub(*machine, timeline);
        EXPECT_EQ(stub.handle("M600,4:78563412"), "OK");
        EXPECT_EQ(stub.handle("m600,4"), "78563412");
        EXPECT_EQ(stub.handle("P1=efbeadde00000000"), "OK"); // RBX in gdb's order
        EXPECT_EQ(stub.handle("p1"), "efbeadde00000000");
        EXPECT_EQ(stub.handle("P25=00"), "E01");
        const u64 before = machine->steps();
        stub.handle("vCont;s:1");
        EXPECT_EQ(machine->steps(), before + 1);
        stub.handle("bs");
        EXPECT_EQ(machine->steps(), before);
        EXPECT_EQ(stub.handle("p1"), "efbeadde00000000");
    }
    ASSERT_TRUE(timeline.seek(timeline.last()));
    run_to(*machine, 700'000);
    auto again = boot_machine();
    for (const LoggedInput& input : machine->input_log())
        again->input_at(input.step, input.event, input.time);
    run_to(*again, 700'000);
    EXPECT_EQ(again->state_hash(), machine->state_hash());
    EXPECT_EQ(machine->input_log().size(), 2u);
}

#ifdef TEST_REAL_GUEST
TEST(GdbStub, AttachedWithWatchesAndEventsItChangesNothing) {
    const u64 end = boot_length();
    auto plain = boot_machine();
    run_to(*plain, end);
    auto machine = boot_machine();
    Timeline timeline(*machine, 64 << 20, 0.001);
    EventStore events(*machine);
    gdb::Stub stub(*machine, timeline);
    stub.limit_steps(end);
    // The kernel lies at the same place in both runs.
    std::vector<std::string> places;
    ASSERT_TRUE(plain->symbols() && plain->symbols()->slide());
    std::vector<const Symbol*> functions, data;
    for (const Symbol& symbol : plain->symbols()->elf().symbols())
        (symbol.function ? functions : data).push_back(&symbol);
    std::mt19937_64 random(12);
    for (u64 i = 0; i < 64; ++i) {
        const u64 slide = *plain->symbols()->slide();
        places.push_back(fmt::format("0,{:x},1", functions[random() % functions.size()]->address + slide));
        places.push_back(fmt::format("{},{:x},4", 2 + i % 3, data[random() % data.size()]->address + slide));
    }
    for (const std::string& place : places) EXPECT_EQ(stub.handle("Z" + place), "OK");
    unsigned stops = 0;
    for (;;) {
        const auto reply = stub.handle("vCont;c");
        ASSERT_TRUE(reply);
        if (*reply == "W4b" || *reply == "W00") break;
        ASSERT_TRUE(reply->starts_with("T0")) << *reply;
        stub.handle("g"), stub.handle("m400,400"), stub.handle("qRcmd,77686572"), stub.handle("vCont;s:1");
        if (++stops % 64 == 0) { // and back, and there again
            const u64 here = machine->steps();
            stub.handle("bs"), stub.handle("bc");
            ASSERT_TRUE(timeline.seek(here));
        }
        if (stops == 400) // enough of the busiest places: on with the others
            for (std::size_t i = 0; i < places.size(); i += 3) stub.handle("z" + places[i]);
        if (stops == 800)
            for (const std::string& place : places) stub.handle("z" + place);
    }
    EXPECT_GT(stops, 50u);
    EXPECT_EQ(machine->steps(), end);
    EXPECT_EQ(machine->state_hash(), plain->state_hash());
}

#endif

TEST(GdbStub, AReplayEndsWithItsRecordingAndIsNotWritten) {
    auto machine = boot_machine();
    Timeline timeline(*machine, 64 << 20, 0.001);
    gdb::Stub stub(*machine, timeline);
    stub.replays(300'000);
    EXPECT_EQ(stub.handle("vCont;c"), "T05replaylog:end;thread:1;");
    EXPECT_EQ(machine->steps(), 300'000u);
    EXPECT_EQ(stub.handle("vCont;s:1"), "T05replaylog:end;thread:1;");
    const u64 hash = machine->state_hash();
    for (const char* packet : {"M600,4:78563412", "P1=efbeadde00000000", "G00", "X600,2:ab"})
        EXPECT_TRUE(stub.handle(packet)->starts_with("E.")) << packet;
    EXPECT_EQ(stub.handle("X600,0:"), "OK"); // gdb asks whether there are such packets
    EXPECT_EQ(machine->state_hash(), hash);
    EXPECT_TRUE(machine->input_log().empty());
    EXPECT_EQ(stub.handle("bc"), "T05replaylog:begin;thread:1;");
}

TEST(GdbStub, ModelsWithoutAvxDescribeNone) {
    MachineConfig config = boot_config();
    auto with = boot_machine(config);
    config.cpu.model = cpu::Model::V2;
    auto without = boot_machine(config);
    EXPECT_NE(gdb::target_description(*with).find("org.gnu.gdb.i386.avx"), std::string::npos);
    EXPECT_EQ(gdb::target_description(*without).find("ymm"), std::string::npos);
    EXPECT_EQ(gdb::register_count(*with), gdb::register_count(*without) + 16);
}
