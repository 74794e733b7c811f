// Breakpoints: invisible to the guest, the same in every shape, backwards what a brute-force run finds last,
// and data watches that see every byte that changes — judged by a run that compares memory behind each step.
#include <algorithm>
#include <cstring>
#include <random>
#include "cpu/run/code_cache.h"
#include "emu/debugger/debugger.h"
#include "emu/debugger/phase_names.h"
#include "emu/events/events.h"
#include "emu/symbols/guest_symbols.h"
#include "emu/timeline/timeline.h"
#include "tests/emu/machine_support.h"

using namespace vitrine;
using namespace vitrine::emu;
using namespace vitrine::test;

#ifdef TEST_REAL_GUEST
namespace {

#ifdef VITRINE_SANITIZE
constexpr unsigned Searches = 6;
constexpr u64 BruteSteps = 60'000;
#else
constexpr unsigned Searches = 100;
constexpr u64 BruteSteps = 400'000;
#endif
constexpr double Often = 0.001;
const char* const Events[] = {"port:0-0xffff",
                              "mmio:0xfe000000:16777216",
                              "msr:0-0xffffffff",
                              "cr:0",
                              "cr:3",
                              "cr:4",
                              "interrupt",
                              "exception",
                              "mode",
                              "phase",
                              "syscall",
                              "switch",
                              "disk",
                              "serial:e",
                              "rip:schedule",
                              "rip:handle_mm_fault"};

/// Boots to the prompt and lets it list a directory: system calls, page faults, switches, disk requests.
void live(Machine& machine, u64 steps = 1'500'000) {
    EXPECT_EQ(run_to_place(machine, "prompt").reason, StopReason::Breakpoint);
    machine.input(SerialInput{"ls /\r"});
    run_to(machine, machine.steps() + steps);
}
std::unique_ptr<Machine> again(const Machine& other, const std::vector<LoggedInput>& inputs) {
    auto machine = boot_machine(other.config());
    for (const LoggedInput& input : inputs) machine->input_at(input.step, input.event, input.time);
    return machine;
}
std::vector<std::string> random_symbols(const Machine& machine, bool function, unsigned count, u64 seed) {
    std::vector<std::string> all, out;
    for (const Symbol& symbol : machine.symbols()->elf().symbols())
        if (symbol.function == function && symbol.size && symbol.size <= 4096 &&
            symbol.name.find_first_of(" (<.$") == std::string::npos)
            all.push_back(symbol.name);
    std::mt19937_64 random(seed);
    for (unsigned i = 0; i < count; ++i) out.push_back(all[random() % all.size()]);
    return out;
}

} // namespace

TEST(Debugger, SixtyFourBreakpointsSixtyFourWatchesAndEveryEventChangeNothing) {
    std::unique_ptr<Machine> plain;
    for (const auto& [processors, precise] : {std::pair{1u, false}, {1u, true}, {4u, false}}) {
        MachineConfig config = boot_config();
        config.processors = processors;
        if (!precise) plain = boot_machine(config), live(*plain);
        const std::vector<LoggedInput> inputs = plain->input_log();
        const u64 end = plain->steps();
        config.cpu.always_precise = precise;
        auto machine = boot_machine(config);
        for (const LoggedInput& input : inputs) machine->input_at(input.step, input.event, input.time);
        EventStore events(*machine);
        Debugger debugger(*machine);
        unsigned logged = 0;
        debugger.on_log([&](const Breakpoint&, const Hit&, const std::string&) { ++logged; });
        for (const std::string& name : random_symbols(*machine, true, 64, 3))
            ASSERT_TRUE(debugger.add("rip:" + name + " count if task.pid != 12345"));
        unsigned i = 0;
        for (const std::string& name : random_symbols(*machine, false, 32, 4))
            ASSERT_TRUE(debugger.add((++i % 2 ? "access:" : "write:") + name + " count"));
        for (unsigned at = 0; at < 32; ++at)
            ASSERT_TRUE(debugger.add("access:phys:" + std::to_string(0x1000000 + at * 0x1234) + ":64 count"));
        for (const char* event : Events)
            ASSERT_TRUE(debugger.add(std::string(event) + " log {step} {rip:s} {u8[rsp]}"));
        RunLimits limits;
        limits.debugger = &debugger;
        limits.step_limit = end;
        ASSERT_EQ(machine->run(limits).reason, StopReason::StepLimit);
        EXPECT_EQ(machine->time(), plain->time());
        EXPECT_EQ(machine->state_hash(), plain->state_hash())
            << processors << " processors, precise " << precise;
        EXPECT_GT(logged, 1000u);
    }
}

TEST(Debugger, AddingABreakpointLeavesTheDecodedCode) {
    auto machine = boot_machine();
    live(*machine);
    const u64 before = machine->processor().counters().blocks_dropped;
    Debugger debugger(*machine);
    for (const std::string& name : random_symbols(*machine, true, 64, 9)) ASSERT_TRUE(debugger.add(name));
    ASSERT_TRUE(debugger.add("write:jiffies"));
    ASSERT_TRUE(debugger.add("write:phys:0x100000:65536"));
    const cpu::Counters after = machine->processor().counters();
    EXPECT_LT(after.blocks_dropped - before, 64u * 4);
}

TEST(Debugger, DataWatchesSeeEveryByteThatChanges) {
    auto machine = boot_machine();
    live(*machine, 1000);
    const std::vector<u8> start = machine->save();
    const auto memory = [](Machine& m) {
        return std::span(m.board().memory().at(0), m.board().memory().low_size());
    };
    const std::vector<u8> before(memory(*machine).begin(), memory(*machine).end());
    const u64 first = machine->steps(), last = first + BruteSteps;
    run_to(*machine, last);
    std::vector<u64> changed;
    for (u64 at = 0; at < before.size(); at += 8)
        if (std::memcmp(&before[at], &memory(*machine)[at], 8) != 0) changed.push_back(at);
    ASSERT_GT(changed.size(), 200u);
    std::mt19937_64 random(21);
    std::ranges::shuffle(changed, random);
    changed.resize(64);

    struct Change {
        u64 step, address, value;
        auto operator<=>(const Change&) const = default;
    };
    const auto value = [&](Machine& m, u64 at) {
        u64 v = 0;
        std::memcpy(&v, m.board().memory().at(at), 8);
        return v;
    };
    std::vector<Change> brute, watched;
    ASSERT_TRUE(machine->restore(start));
    std::vector<u64> now;
    for (u64 at : changed) now.push_back(value(*machine, at));
    while (machine->steps() < last) {
        const u64 step = machine->steps();
        machine->step();
        for (std::size_t i = 0; i < changed.size(); ++i)
            if (const u64 v = value(*machine, changed[i]); v != now[i])
                brute.push_back({step, changed[i], now[i] = v});
    }
    ASSERT_TRUE(machine->restore(start));
    Debugger debugger(*machine);
    for (std::size_t i = 0; i < changed.size(); ++i) {
        now[i] = value(*machine, changed[i]);
        ASSERT_TRUE(debugger.add("write:phys:" + std::to_string(changed[i]) + ":8 log x"));
    }
    debugger.on_log([&](const Breakpoint& point, const Hit& hit, const std::string&) {
        const u64 v = value(*machine, point.spec.address);
        u64& known = now[point.id - 1];
        if (v != known) watched.push_back({hit.step, point.spec.address, known = v});
    });
    RunLimits limits;
    limits.debugger = &debugger;
    limits.step_limit = last;
    machine->run(limits);
    std::ranges::sort(brute);
    std::ranges::sort(watched);
    EXPECT_GT(brute.size(), 64u);
    EXPECT_EQ(brute.size(), watched.size());
    EXPECT_TRUE(brute == watched);
}

TEST(Debugger, BackwardsFindsWhatABruteForceRunFindsLast) {
    auto machine = boot_machine();
    Timeline timeline(*machine, 64 << 20, Often);
    live(*machine);
    const u64 end = machine->steps();
    const std::vector<LoggedInput> inputs = machine->input_log();
    std::vector<std::string> specs;
    for (const char* event : Events) specs.push_back(event);
    specs.insert(specs.end(),
                 {"write:jiffies if value & 1", "syscall:write if rdi == 1", "page-fault if error & 4",
                  "write:jiffies if task.comm == \"swapper/0\" || task.pid > 0", "schedule if task.pid == 1",
                  "access:runqueues:64", "interrupt if address >= 0x30", "read:jiffies if cpl == 0"});
    for (const std::string& name : random_symbols(*machine, false, 40, 6)) specs.push_back("write:" + name);
    for (const std::string& name : random_symbols(*machine, true, 40, 7))
        specs.push_back(name + " if rsp & 8");
    std::mt19937_64 random(17);
    std::ranges::shuffle(specs, random);
    specs.resize(std::min<std::size_t>(specs.size(), Searches));
    unsigned found = 0;
    // One run forwards notes every hit of every breakpoint.
    std::vector<u64> froms, lasts(specs.size(), 0);
    for (std::size_t i = 0; i < specs.size(); ++i) froms.push_back(end - random() % (end / 4));
    {
        auto brute = again(*machine, inputs);
        Debugger debugger(*brute);
        for (const std::string& spec : specs) {
            auto id = debugger.add(spec + " log x");
            ASSERT_TRUE(id) << spec << ": " << id.error().message;
        }
        debugger.on_log([&](const Breakpoint& point, const Hit&, const std::string&) {
            if (brute->steps() < froms[point.id - 1]) lasts[point.id - 1] = brute->steps();
        });
        RunLimits limits;
        limits.debugger = &debugger;
        limits.step_limit = end;
        brute->run(limits);
    }
    Debugger debugger(*machine);
    for (std::size_t i = 0; i < specs.size(); ++i) {
        ASSERT_TRUE(timeline.seek(froms[i]));
        debugger.clear();
        ASSERT_TRUE(debugger.add(specs[i]));
        RunLimits limits;
        limits.debugger = &debugger;
        auto hit = timeline.previous(limits);
        EXPECT_EQ(hit.has_value(), lasts[i] != 0) << specs[i];
        if (!hit || !lasts[i]) continue;
        ++found;
        ASSERT_EQ(machine->steps(), lasts[i]) << specs[i] << " from " << froms[i];
        ASSERT_TRUE(debugger.last_hit());
        EXPECT_LE(debugger.last_hit()->step, lasts[i]);
    }
    EXPECT_GE(found, Searches / 3);
}

TEST(Debugger, SlicesAndSkipsAndOnceCount) {
    auto machine = boot_machine();
    Debugger debugger(*machine);
    ASSERT_TRUE(debugger.add("out:0x80 skip 2 once"));
    std::vector<u64> stops;
    RunLimits limits;
    limits.debugger = &debugger;
    for (u64 step = 1; step < 300'000 && stops.empty(); step += 997) { // cut at any place
        limits.step_limit = step;
        if (machine->run(limits).reason == StopReason::Breakpoint) stops.push_back(machine->steps());
        limits.goes_on = true;
    }
    ASSERT_EQ(stops.size(), 1u);
    EXPECT_TRUE(debugger.list().empty());
    // Without slices, the third write to port 80h is at the same step.
    auto whole = boot_machine();
    Debugger other(*whole);
    ASSERT_TRUE(other.add("out:0x80"));
    RunLimits all;
    all.debugger = &other;
    for (unsigned i = 0; i < 3; ++i) ASSERT_EQ(whole->run(all).reason, StopReason::Breakpoint);
    EXPECT_EQ(whole->steps(), stops[0]);
}
#endif

TEST(Debugger, PowerOnIsMetOnceAndLeft) {
    auto machine = boot_machine();
    Debugger debugger(*machine);
    ASSERT_TRUE(debugger.add("step:0"));
    RunLimits limits;
    limits.debugger = &debugger;
    limits.step_limit = 1000;
    EXPECT_EQ(machine->run(limits).reason, StopReason::Breakpoint);
    EXPECT_EQ(machine->steps(), 0u);
    // Who runs on, runs on: the app does not stand at power-on for ever.
    EXPECT_EQ(machine->run(limits).reason, StopReason::StepLimit);
    EXPECT_EQ(machine->steps(), 1000u);
}

#ifdef TEST_REAL_GUEST
TEST(Debugger, EveryPhaseOfABootIsAKnownName) {
    auto machine = boot_machine();
    run_to(*machine, boot_length());
    const auto known = known_phase_names();
    ASSERT_GT(machine->phases().size(), 30u);
    for (const Phase& phase : machine->phases())
        EXPECT_NE(std::ranges::find(known, phase.name), known.end()) << phase.name;
}
#endif

TEST(Debugger, OnceEndsCountsAndLogsToo) {
    auto machine = boot_machine();
    Debugger debugger(*machine);
    unsigned lines = 0;
    debugger.on_log([&](const Breakpoint&, const Hit&, const std::string&) { ++lines; });
    ASSERT_TRUE(debugger.add("out:0x80 once log code {value}"));
    ASSERT_TRUE(debugger.add("out:0x80 log code {value}"));
    RunLimits limits;
    limits.debugger = &debugger;
    limits.step_limit = 100'000;
    machine->run(limits);
    ASSERT_EQ(debugger.list().size(), 1u);
    EXPECT_EQ(lines, debugger.list()[0].hits + 1);
    EXPECT_GT(lines, 3u);
}
