// The stub over a machine, without sockets: random and mutated packets crash nothing and leave the machine
// where a gdb can go on; what gdb writes is recorded, so that a debugged run replays to the same bit.
#include <random>
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
              2 * 8 * 17 + 2 * 4 * 7 + 2 * 10 * 8 + 2 * 4 * 8 + 2 * 16 * 16 + 8 + 2 * 8 * 7u);
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
