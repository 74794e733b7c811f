// Several processors on one timeline: a program that locks, patches code that others run, and interrupts them
// (smp/program.S), for 1 to 8 processors and several quanta; the laws hold for each.
#include <algorithm>
#include <map>
#include <random>
#include "emu/recorder/recorder.h"
#include "emu/recorder/replayer.h"
#include "emu/timeline/timeline.h"
#include "tests/emu/machine_support.h"

using namespace vitrine;
using namespace vitrine::emu;
using namespace vitrine::test;

namespace {

constexpr int Success = 0x15;

MachineConfig smp_config(unsigned processors, u64 quantum = 1000) {
    MachineConfig config;
    config.memory_bytes = 32 << 20;
    config.bios_path = TEST_SMP_PROGRAM;
    config.disks.push_back({TEST_DISK, false, {}});
    config.processors = processors;
    config.quantum = quantum;
    config.no_reboot = true;
    return config;
}

RunReport finish(Machine& machine) {
    RunLimits limits;
    limits.step_limit = 400'000'000;
    return machine.run(limits);
}

std::vector<u64> random_steps(u64 last, unsigned count, u64 seed) {
    std::mt19937_64 random(seed);
    std::vector<u64> out;
    for (unsigned i = 0; i < count; ++i) out.push_back(1 + random() % (last - 1));
    std::ranges::sort(out);
    return out;
}

std::vector<u64> hashes(Machine& machine, const std::vector<u64>& marks,
                        const std::function<void(Machine&)>& between = {}) {
    std::vector<u64> out;
    for (u64 mark : marks) {
        run_to(machine, mark);
        out.push_back(machine.rolling_hash());
        if (between) between(machine);
    }
    finish(machine);
    out.push_back(machine.state_hash());
    return out;
}

} // namespace

TEST(Smp, EveryNumberOfProcessorsAndEveryQuantumRunsTheProgram) {
    for (unsigned processors : {1u, 2u, 3u, 4u, 8u})
        for (u64 quantum : {1ull, 7ull, 1000ull, 4096ull, 100'000ull}) {
            auto machine = boot_machine(smp_config(processors, quantum));
            const RunReport report = finish(*machine);
            ASSERT_EQ(report.reason, StopReason::DebugExit)
                << processors << " processors, quantum " << quantum;
            ASSERT_EQ(report.debug_exit_value, Success) << processors << " processors, quantum " << quantum;
            EXPECT_EQ(machine->processor_count(), processors);
            for (unsigned i = 1; i < processors; ++i)
                EXPECT_EQ(machine->processor(i).activity(), cpu::Activity::Halted) << i;
        }
}

TEST(Smp, TheShapeOfTheFastPathChangesNothing) {
    for (unsigned processors : {2u, 4u}) {
        auto reference = boot_machine(smp_config(processors));
        const u64 end = finish(*reference).steps;
        const auto marks = random_steps(end, 120, processors);
        auto again = boot_machine(smp_config(processors));
        const auto expected = hashes(*again, marks);
        const auto variant = [&](const char* what, auto change,
                                 const std::function<void(Machine&)>& between = {}) {
            MachineConfig config = smp_config(processors);
            change(config.cpu);
            auto machine = boot_machine(config);
            EXPECT_EQ(hashes(*machine, marks, between), expected) << what << ", " << processors;
        };
        variant("no fusion", [](cpu::Options& o) { o.fusion = false; });
        variant("no block cache", [](cpu::Options& o) { o.block_cache = false; });
        variant("always precise", [](cpu::Options& o) { o.always_precise = true; });
        variant(
            "random flushes", [](cpu::Options&) {}, [](Machine& m) { m.processor(1).flush_host_caches(); });
    }
}

TEST(Smp, RestoringAtRandomStepsChangesNothing) {
    auto reference = boot_machine(smp_config(4));
    const u64 end = finish(*reference).steps;
    const auto marks = random_steps(end, 200, 9);
    auto again = boot_machine(smp_config(4));
    const auto expected = hashes(*again, marks);
    auto current = boot_machine(smp_config(4)), other = boot_machine(smp_config(4));
    std::vector<u64> seen;
    for (u64 mark : marks) {
        run_to(*current, mark);
        seen.push_back(current->rolling_hash());
        auto ok = other->restore(current->save());
        ASSERT_TRUE(ok) << ok.error().message;
        std::swap(current, other);
    }
    finish(*current);
    seen.push_back(current->state_hash());
    EXPECT_EQ(seen, expected);
    EXPECT_EQ(current->ended()->debug_exit_value, Success);
}

TEST(Smp, TravelReachesTheStraightRunsState) {
    auto reference = boot_machine(smp_config(4)), machine = boot_machine(smp_config(4));
    Timeline timeline(*machine, 64 << 20, 0.0005);
    const u64 end = finish(*machine).steps;
    std::vector<u64> marks = random_steps(end, 60, 3), places = marks;
    std::map<u64, u64> expected;
    for (u64 mark : marks) {
        run_to(*reference, mark);
        expected[mark] = reference->state_hash();
    }
    std::ranges::shuffle(places, std::mt19937_64(4));
    for (u64 place : places) {
        auto ok = timeline.seek(place);
        ASSERT_TRUE(ok) << ok.error().message;
        ASSERT_EQ(machine->state_hash(), expected[place]) << place;
    }
}

TEST(Smp, ARecordingReplays) {
    TemporaryFolder folder;
    const std::string path = folder.file("smp.vrec");
    u64 hash = 0;
    {
        auto machine = boot_machine(smp_config(4));
        auto recorder = Recorder::start(*machine, path);
        ASSERT_TRUE(recorder);
        const RunReport report = finish(*machine);
        ASSERT_TRUE((*recorder)->finish(report));
        hash = machine->state_hash();
    }
    auto replayer = Replayer::open(path);
    ASSERT_TRUE(replayer) << replayer.error().message;
    auto machine = (*replayer)->make_machine();
    ASSERT_TRUE(machine) << machine.error().message;
    EXPECT_EQ((*machine)->processor_count(), 4u);
    ASSERT_TRUE((*replayer)->prepare(**machine));
    auto same = (*replayer)->finish(**machine);
    EXPECT_TRUE(same) << same.error().message;
    EXPECT_EQ((*machine)->state_hash(), hash);
}

TEST(Smp, SnapshotsOfOtherMachinesAreRefused) {
    auto four = boot_machine(smp_config(4)), two = boot_machine(smp_config(2)),
         slow = boot_machine(smp_config(4, 7));
    EXPECT_FALSE(two->restore(four->save()));
    EXPECT_FALSE(slow->restore(four->save()));
}
