// libFuzzer: bytes as gdb would send them, to the packet reader and the stub over a small machine that runs
// the firmware. Runs are cut short by the poll.
#include <cstdio>
#include <cstdlib>
#include "emu/gdb/packet.h"
#include "emu/gdb/stub.h"

using namespace vitrine;
using namespace vitrine::emu;

namespace {
struct Rig {
    std::unique_ptr<Machine> machine;
    std::unique_ptr<Timeline> timeline;
    Rig() {
        MachineConfig config;
        config.memory_bytes = 32 << 20;
        config.bios_path = TEST_BIOS;
        config.disks.push_back({TEST_DISK, true, {}, false});
        auto made = Machine::create(config);
        if (!made) {
            std::fprintf(stderr, "%s\n", made.error().message.c_str());
            std::abort();
        }
        machine = std::move(*made);
        RunLimits limits;
        limits.step_limit = 20'000;
        machine->run(limits);
        timeline = std::make_unique<Timeline>(*machine, 16 << 20);
    }
};
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    // A machine that many inputs have used has run far: a new one now and then keeps journeys short.
    static std::unique_ptr<Rig> kept;
    static unsigned used = 0;
    if (!kept || ++used % 64 == 0) kept = std::make_unique<Rig>();
    Rig& rig = *kept;
    gdb::Stub stub(*rig.machine, *rig.timeline);
    unsigned polls = 0;
    stub.on_poll([&] { return ++polls > 1; });
    gdb::PacketReader reader;
    unsigned packets = 0;
    // Either as a stream, or, so that checksums are no wall, line by line as packets.
    std::string_view bytes(reinterpret_cast<const char*>(data), size);
    for (const auto& item : reader.feed(bytes))
        if (item.kind == gdb::PacketReader::Item::Kind::Packet && ++packets < 16) stub.handle(item.data);
    while (!bytes.empty() && ++packets < 32) {
        const auto end = std::min(bytes.find('\n'), bytes.size());
        stub.handle(bytes.substr(0, end));
        bytes.remove_prefix(std::min(bytes.size(), end + 1));
    }
    (void)rig.timeline->seek(rig.timeline->first());
    return 0;
}
