// The laws of docs/architecture.md, on a whole boot: determinism (1), shape independence (3), zero observer
// effect (4).
#include <algorithm>
#include <set>
#include "emu/inspect/inspect.h"
#include "emu/recorder/recorder.h"
#include "emu/symbols/guest_symbols.h"
#include "tests/emu/machine_support.h"

using namespace vitrine;
using namespace vitrine::emu;
using namespace vitrine::test;

namespace {

#ifdef VITRINE_SANITIZE
constexpr unsigned Restores = 60, Marks = 50;
#else
constexpr unsigned Restores = 600, Marks = 400;
#endif

/// `count` ascending random steps in [1, last).
std::vector<u64> random_steps(u64 last, unsigned count, u64 seed) {
    std::mt19937_64 random(seed);
    std::vector<u64> out;
    for (unsigned i = 0; i < count; ++i) out.push_back(1 + random() % (last - 1));
    std::ranges::sort(out);
    return out;
}

struct Trace {
    std::vector<u64> rolling;
    u64 final_state = 0, final_time = 0;
    std::string serial;
    bool operator==(const Trace&) const = default;
};

/// Runs to each mark, hashes there, and fully at `end`. `between` may disturb the host side of the machine.
Trace trace(Machine& machine, const std::vector<u64>& marks, u64 end,
            const std::function<void(Machine&)>& between = {}) {
    Trace out;
    for (u64 mark : marks) {
        run_to(machine, mark);
        out.rolling.push_back(machine.rolling_hash());
        if (between) between(machine);
    }
    run_to(machine, end);
    out.final_state = machine.state_hash(), out.final_time = machine.time();
    out.serial = machine.serial_output();
    return out;
}

void expect_equal(const Trace& a, const Trace& b, const std::vector<u64>& marks, const char* what) {
    for (std::size_t i = 0; i < marks.size(); ++i)
        ASSERT_EQ(a.rolling[i], b.rolling[i]) << what << ": the first difference is before step " << marks[i]
                                              << ", after step " << (i ? marks[i - 1] : 0);
    EXPECT_EQ(a.final_time, b.final_time) << what;
    EXPECT_EQ(a.final_state, b.final_state) << what;
    EXPECT_EQ(a.serial, b.serial) << what;
}

} // namespace

TEST(Law1, TwoMachinesInOneProcessAgree) {
    const u64 end = boot_length();
    auto a = boot_machine(), b = boot_machine();
    const auto marks = random_steps(end, 40, 1);
    Trace ta, tb;
    for (u64 mark : marks) { // interleaved: nothing is shared
        run_to(*a, mark), run_to(*b, mark);
        ASSERT_EQ(a->rolling_hash(), b->rolling_hash()) << "before step " << mark;
    }
    run_to(*a, end), run_to(*b, end);
    EXPECT_EQ(a->state_hash(), b->state_hash());
}

TEST(Law3, RestoringAtRandomStepsChangesNothing) {
    const u64 end = boot_length();
    const auto marks = random_steps(end, Restores, 2);
    auto reference = boot_machine();
    const Trace expected = trace(*reference, marks, end);

    auto current = boot_machine(), other = boot_machine();
    Trace seen;
    for (u64 mark : marks) {
        run_to(*current, mark);
        seen.rolling.push_back(current->rolling_hash());
        // The other machine has a past of its own; all of it must vanish.
        auto ok = other->restore(current->save());
        ASSERT_TRUE(ok) << ok.error().message;
        ASSERT_EQ(other->steps(), mark);
        std::swap(current, other);
    }
    run_to(*current, end);
    seen.final_state = current->state_hash(), seen.final_time = current->time(),
    seen.serial = current->serial_output();
    expect_equal(expected, seen, marks, "restore");
}

TEST(Law3, TheShapeOfTheFastPathChangesNothing) {
    const u64 end = boot_length();
    const auto marks = random_steps(end, Marks, 3);
    auto reference = boot_machine();
    const Trace expected = trace(*reference, marks, end);
    const auto variant = [&](const char* what, auto change,
                             const std::function<void(Machine&)>& between = {}) {
        MachineConfig config = boot_config();
        change(config.cpu);
        auto machine = boot_machine(config);
        expect_equal(expected, trace(*machine, marks, end, between), marks, what);
    };
    variant("no fusion", [](cpu::Options& o) { o.fusion = false; });
    variant("random flushes", [](cpu::Options&) {}, [](Machine& m) { m.processor().flush_host_caches(); });
    variant("no block cache", [](cpu::Options& o) { o.block_cache = false; });
    variant("always precise", [](cpu::Options& o) { o.always_precise = true; });
}

TEST(Law4, WatchingChangesNothing) {
    const u64 end = boot_length();
    const auto marks = random_steps(end, 60, 4);
    auto reference = boot_machine();
    const Trace expected = trace(*reference, marks, end);

    TemporaryFolder folder;
    auto watched = boot_machine();
    auto recorder = Recorder::start(*watched, folder.file("run.vrec"));
    ASSERT_TRUE(recorder) << recorder.error().message;
    Trace seen;
    std::size_t bytes = 0;
    std::set<std::string> shown;
    for (u64 mark : marks) {
        // Breakpoints everywhere that symbols lead, and every view in both faces at every mark.
        Debugger debugger(*watched);
        RunLimits limits;
        limits.step_limit = mark;
        limits.debugger = &debugger;
        if (watched->symbols() && watched->symbols()->slide())
            for (const Symbol& symbol : watched->symbols()->elf().symbols()) {
                BreakSpec spec;
                spec.address = symbol.address + *watched->symbols()->slide();
                if (symbol.function && debugger.list().size() < 64) ASSERT_TRUE(debugger.add(spec));
            }
        while (watched->run(limits).reason == StopReason::Breakpoint && watched->steps() < mark) {
        }
        ASSERT_EQ(watched->steps(), mark);
        seen.rolling.push_back(watched->rolling_hash());
        for (const inspect::ViewName& view : inspect::view_list())
            for (bool json : {false, true}) {
                auto text = inspect::inspect(*watched, std::string(view.name) + view_argument(view), json);
                if (!text) continue; // of a kernel that does not run yet
                bytes += text->size(), shown.insert(view.name);
            }
        devices::FrameBuffer picture;
        watched->board().vga().render(picture);
    }
    RunLimits last;
    last.step_limit = end;
    watched->run(last);
    seen.final_state = watched->state_hash(), seen.final_time = watched->time(),
    seen.serial = watched->serial_output();
    expect_equal(expected, seen, marks, "watched");
    EXPECT_GT(bytes, 10000u) << "the views showed something";
    for (const inspect::ViewName& view : inspect::view_list())
        EXPECT_TRUE(shown.contains(view.name)) << view.name << " has never shown anything";
}

TEST(Machine, DamagedSnapshotsAreRefusedAndLeaveAWorkingMachine) {
    auto machine = boot_machine();
    run_to(*machine, 150'000);
    auto snapshot = machine->save();
    std::mt19937_64 random(6);
    auto victim = boot_machine();
    for (int i = 0; i < 40; ++i) {
        auto cut = std::span(snapshot).first(random() % snapshot.size());
        ASSERT_FALSE(victim->restore(cut)) << i;
    }
    for (int i = 0; i < 40;
         ++i) { // flipped bytes: refused, or a machine that runs on somehow — never a crash
        auto damaged = snapshot;
        damaged[random() % std::min<std::size_t>(damaged.size(), 200'000)] ^=
            static_cast<u8>(1u << random() % 8);
        if (victim->restore(damaged)) {
            RunLimits limits;
            limits.step_limit = victim->steps() + 20'000;
            limits.host_seconds = 5;
            victim->run(limits);
        }
    }
    ASSERT_TRUE(victim->restore(snapshot));
    run_to(*machine, 180'000), run_to(*victim, 180'000);
    EXPECT_EQ(machine->state_hash(), victim->state_hash());
    MachineConfig other = boot_config();
    other.memory_bytes = 128 << 20;
    EXPECT_FALSE(boot_machine(other)->restore(snapshot));
}
