// Travel through a run: the state at step N after any journey is that of a straight run at N; going back to
// what stopped a run finds what a brute-force run finds; an input in the past makes a branch.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include "emu/symbols/guest_symbols.h"
#include "emu/timeline/timeline.h"
#include "tests/emu/machine_support.h"

using namespace vitrine;
using namespace vitrine::emu;
using namespace vitrine::test;

namespace {

#ifdef VITRINE_SANITIZE
constexpr unsigned Journeys = 12, Searches = 6;
#else
constexpr unsigned Journeys = 150, Searches = 60;
#endif

/// VITRINE_JOURNEYS=1000 for the long run by hand.
unsigned journeys() {
    const char* wanted = std::getenv("VITRINE_JOURNEYS");
    return wanted ? static_cast<unsigned>(std::strtoul(wanted, nullptr, 10)) : Journeys;
}

constexpr double Often = 0.001; ///< seconds between checkpoints

#ifdef TEST_REAL_GUEST
constexpr const char* Typed[] = {"ls /\r", "echo some text > /tmp/file\r", "cat /tmp/file\r", "sync\r",
                                 "ps\r"};
#endif

/// Boots, types a little, and lets the guest work: about 30 M steps with disk writes and console text.
void live_a_little(Machine& machine) {
    run_to(machine, boot_length());
#ifdef TEST_REAL_GUEST
    for (const char* line : Typed) {
        machine.input(SerialInput{line});
        run_to(machine, machine.steps() + 1'500'000);
    }
#endif
}

/// A machine that will live the same life, from the log.
std::unique_ptr<Machine> straight(const Machine& other, const std::vector<LoggedInput>& inputs) {
    auto machine = boot_machine(other.config());
    for (const LoggedInput& input : inputs) machine->input_at(input.step, input.event, input.time);
    return machine;
}

struct Seen {
    u64 hash, time, serial_total;
    std::string serial;
    std::size_t phases, modes, inputs;
    bool operator==(const Seen&) const = default;
};
Seen look(Machine& m) {
    return {m.state_hash(),      m.time(),          m.serial_total(),
            m.serial_output(),   m.phases().size(), m.mode_changes().size(),
            m.input_log().size()};
}

} // namespace

TEST(Timeline, AnyStepIsTheStraightRunsStep) {
    auto machine = boot_machine();
    Timeline timeline(*machine, 64 << 20, Often);
    live_a_little(*machine);
    const u64 end = machine->steps();
    const Seen tip = look(*machine);
    ASSERT_GT(timeline.history().count(), 2u);

    std::mt19937_64 random(11);
    std::vector<u64> places;
    for (unsigned i = 0; i < journeys(); ++i) places.push_back(random() % end);
    std::vector<u64> sorted = places;
    std::ranges::sort(sorted);
    std::map<u64, Seen> expected;
    auto reference = straight(*machine, machine->input_log());
    for (u64 step : sorted) {
        run_to(*reference, step);
        expected.emplace(step, look(*reference));
    }
    for (u64 step : places) {
        auto ok = timeline.seek(step);
        ASSERT_TRUE(ok) << ok.error().message;
        ASSERT_EQ(machine->steps(), step);
        ASSERT_EQ(look(*machine), expected.at(step)) << "at step " << step;
        // A few steps backwards from there.
        if (step > 10 && step % 3 == 0) {
            ASSERT_TRUE(timeline.back(step % 10 + 1));
            ASSERT_EQ(machine->steps(), step - step % 10 - 1);
        }
    }
    ASSERT_TRUE(timeline.seek(end));
    EXPECT_EQ(look(*machine), tip);
    EXPECT_LE(timeline.history().used(), 80u << 20);
    // And on from there, as if nothing had been.
    run_to(*machine, end + 2'000'000);
    run_to(*reference, end + 2'000'000);
    EXPECT_EQ(look(*machine), look(*reference));
}

TEST(Timeline, HistoryChangesNothing) {
    auto plain = boot_machine(), watched = boot_machine();
    Timeline timeline(*watched, 64 << 20, Often);
    live_a_little(*plain);
    live_a_little(*watched);
    EXPECT_EQ(look(*plain), look(*watched));
}

TEST(Timeline, ABudgetIsKeptAndTheRestStaysTrue) {
    auto machine = boot_machine();
    Timeline timeline(*machine, History::SmallestBudget, Often);
    live_a_little(*machine);
    const u64 end = machine->steps();
    EXPECT_LE(timeline.history().used(), History::SmallestBudget + (4u << 20));
    auto reference = straight(*machine, machine->input_log());
    for (u64 step : {timeline.first() + 1, end / 3, end / 2, end - 100'000, end - 1}) {
        if (step < timeline.first()) continue;
        ASSERT_TRUE(timeline.seek(step));
        run_to(*reference, step);
        ASSERT_EQ(look(*machine), look(*reference)) << step;
    }
}

TEST(Timeline, EqualPagesAreHeldOnce) {
    PageStore store;
    std::array<u8, PageStore::Bytes> one{}, two{};
    one.fill(1), two.fill(2);
    EXPECT_EQ(store.keep(std::array<u8, PageStore::Bytes>{}.data()), store.zero());
    EXPECT_EQ(store.used(), 0u);
    auto first = store.keep(one.data()), again = store.keep(one.data()), other = store.keep(two.data());
    EXPECT_EQ(first, again);
    EXPECT_EQ(store.used(), 2 * PageStore::Bytes);
    EXPECT_EQ(store.shared(), 1u);
    first.reset();
    EXPECT_EQ(store.used(), 2 * PageStore::Bytes); // the other user holds it
    again.reset();
    EXPECT_EQ(store.used(), PageStore::Bytes);
    first = store.keep(one.data());
    EXPECT_EQ(*first, one);
    EXPECT_EQ(store.shared(), 1u);
}

TEST(Timeline, AMarkedPlaceStaysNearWhenHistoryThins) {
    auto machine = boot_machine();
    Timeline timeline(*machine, History::SmallestBudget, Often);
    run_to(*machine, boot_length() / 2 + 12'345);
    const u64 marked = machine->steps();
    timeline.pin(marked);
    const auto held = [&] {
        const auto steps = timeline.history().steps();
        return std::ranges::find(steps, marked) != steps.end();
    };
    EXPECT_TRUE(held());
    // Much more than the budget holds: thousands of checkpoints.
    live_a_little(*machine);
    const u64 end = machine->steps();
    for (u64 step = end - 200'000; step < end; step += 1'000) ASSERT_TRUE(timeline.seek(step));
    EXPECT_TRUE(held());
    timeline.unpin(marked);
}

TEST(Timeline, OutsideHistoryIsRefused) {
    auto machine = boot_machine();
    run_to(*machine, 1'000'000);
    Timeline timeline(*machine, 64 << 20, Often);
    run_to(*machine, 3'000'000);
    EXPECT_EQ(timeline.first(), 1'000'000u);
    EXPECT_FALSE(timeline.seek(999'999));
    EXPECT_FALSE(timeline.seek(3'000'001));
    EXPECT_EQ(machine->steps(), 3'000'000u);
    ASSERT_TRUE(timeline.seek(1'000'000));
    EXPECT_FALSE(timeline.back());
    EXPECT_TRUE(timeline.in_the_past());
    ASSERT_TRUE(timeline.seek(3'000'000));
    EXPECT_FALSE(timeline.in_the_past());
}

#ifdef TEST_REAL_GUEST
TEST(Timeline, BackwardsFindsWhatABruteForceRunFindsLast) {
    auto machine = boot_machine();
    Timeline timeline(*machine, 64 << 20, Often);
    live_a_little(*machine);
    const u64 end = machine->steps();
    const std::vector<LoggedInput> inputs = machine->input_log();
    ASSERT_TRUE(machine->symbols() && machine->symbols()->slide());
    std::vector<u64> functions;
    for (const Symbol& symbol : machine->symbols()->elf().symbols())
        if (symbol.function) functions.push_back(symbol.address + *machine->symbols()->slide());
    std::mt19937_64 random(5);
    unsigned found = 0;
    for (unsigned i = 0; i < Searches; ++i) {
        BreakSpec place;
        place.address = functions[random() % functions.size()];
        const u64 from = end - random() % (end / 4);
        auto brute = straight(*machine, inputs);
        Debugger forwards(*brute), backwards(*machine);
        ASSERT_TRUE(forwards.add(place) && backwards.add(place));
        RunLimits limits;
        limits.debugger = &forwards;
        u64 last = 0;
        limits.step_limit = from;
        while (brute->steps() < from) {
            const RunReport report = brute->run(limits);
            if (report.reason == StopReason::Breakpoint && brute->steps() < from) last = report.steps;
        }
        ASSERT_TRUE(timeline.seek(from));
        limits.step_limit = ~u64{0};
        limits.debugger = &backwards;
        auto hit = timeline.previous(limits);
        EXPECT_EQ(hit.has_value(), last != 0) << i;
        if (!hit || !last) {
            EXPECT_EQ(machine->steps(), from);
            continue;
        }
        ++found;
        ASSERT_EQ(machine->steps(), last) << machine->symbols()->name(place.address) << " from " << from
                                          << ", " << hit->detail << stop_reason_name(hit->reason);
        ASSERT_EQ(machine->processor().rip(), place.address);
    }
    EXPECT_GT(found, Searches / 6);
}

TEST(Timeline, AnInputInThePastIsABranchAndTheOldFutureStays) {
    auto machine = boot_machine();
    Timeline timeline(*machine, 64 << 20, Often);
    live_a_little(*machine);
    const u64 end = machine->steps();
    const Seen old_end = look(*machine);
    const u64 fork = machine->input_log()[0].step + 700'000;
    ASSERT_TRUE(timeline.seek(fork));
    machine->input(SerialInput{"echo another way\r"});
    EXPECT_FALSE(timeline.in_the_past());
    run_to(*machine, fork + 3'000'000);
    EXPECT_NE(machine->serial_output().find("another way"), std::string::npos);
    EXPECT_EQ(machine->serial_output().find("some text"), std::string::npos);
    auto reference = straight(*machine, machine->input_log());
    run_to(*reference, fork + 3'000'000);
    EXPECT_EQ(look(*machine), look(*reference));

    ASSERT_EQ(timeline.branches().size(), 1u);
    EXPECT_EQ(timeline.branches()[0].last, end);
    EXPECT_EQ(timeline.find_branch("branch 1"), 0u);
    EXPECT_TRUE(timeline.rename_branch(0, "as it was"));
    EXPECT_FALSE(timeline.rename_branch(0, ""));
    EXPECT_EQ(timeline.find_branch("as it was"), 0u);
    EXPECT_FALSE(timeline.find_branch("branch 1"));
    ASSERT_TRUE(timeline.return_to(0));
    auto ok = timeline.seek(end);
    ASSERT_TRUE(ok) << ok.error().message;
    EXPECT_EQ(look(*machine), old_end);
    ASSERT_EQ(timeline.branches().size(), 1u);
    EXPECT_EQ(timeline.branches()[0].forked_at, fork);
    EXPECT_EQ(timeline.branches()[0].name, "branch 2");
}

// Futures of futures, cut anywhere, also at the first step and twice at one: each is its own run again when
// somebody returns to it.
TEST(Timeline, EveryBranchOfATreeIsItsOwnRun) {
    for (const u64 seed : {1, 2, 3, 4}) {
        SCOPED_TRACE(seed);
        std::mt19937_64 random(seed);
        auto machine = boot_machine();
        if (seed > 2) run_to(*machine, 5000); // history starts here
        Timeline timeline(*machine, 64 << 20, Often);
        const u64 start = machine->steps();
        u8 value = 0;
        const auto poke = [&] {
            ++value;
            machine->input(MemoryPoke{0x5000 + random() % 8, std::vector<u8>(1, value)});
        };
        const auto check = [&](std::vector<LoggedInput> inputs) {
            auto reference = boot_machine();
            for (const LoggedInput& input : inputs) reference->input_at(input.step, input.event, input.time);
            run_to(*reference, machine->steps());
            RunLimits settle;
            settle.step_limit = machine->steps();
            reference->run(settle);
            ASSERT_EQ(reference->input_log(), machine->input_log());
            ASSERT_EQ(look(*machine), look(*reference)) << "at step " << machine->steps();
        };
        run_to(*machine, start + 300);
        for (unsigned round = 0; round < 30; ++round) {
            SCOPED_TRACE(round);
            if (round % 3 != 2 || timeline.branches().empty()) {
                const u64 behind[] = {0, 1, random() % 50, random() % (timeline.last() - start + 1)};
                ASSERT_TRUE(timeline.seek(std::max(start, timeline.last() - behind[random() % 4])));
                if (round % 7 == 3) ASSERT_TRUE(timeline.seek(start));
                poke();
                if (round % 4 == 1) poke();
                run_to(*machine, machine->steps() + random() % 100);
                continue;
            }
            const std::size_t index = random() % timeline.branches().size();
            const Timeline::Branch branch = timeline.branches()[index];
            const std::size_t count = timeline.branches().size();
            const auto returned = timeline.return_to(index);
            if (!returned) { // by an input that the first checkpoint holds
                EXPECT_NE(returned.error().message.find("start of history"), std::string::npos)
                    << returned.error().message;
                EXPECT_EQ(timeline.branches().size(), count);
                continue;
            }
            EXPECT_FALSE(timeline.find_branch(branch.name));
            EXPECT_EQ(timeline.last(), std::max(branch.last, machine->steps()));
            ASSERT_TRUE(timeline.seek(std::max(start, timeline.last() - random() % 20)));
            check(branch.inputs);
        }
    }
}
#endif
