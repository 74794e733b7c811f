// Events: what other observers of the same run know (the console's text, the kernel's own list of phases and
// tasks, a breakpoint's count), bounded memory with whole densities, travel without doubles, branches that
// cut.
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include "emu/debugger/debugger.h"
#include "emu/events/column.h"
#include "emu/events/events.h"
#include "emu/timeline/timeline.h"
#include "tests/emu/machine_support.h"

using namespace vitrine;
using namespace vitrine::emu;
using namespace vitrine::test;

namespace {
constexpr std::size_t All = ~std::size_t{0};

std::vector<std::string> everything(const EventStore& events) {
    std::vector<std::string> out;
    for (const Event& event : events.query(EventStore::AllKinds, 0, ~u64{0}, All))
        out.push_back(std::to_string(event.step) + " " + std::to_string(event.time) + " " +
                      events.describe(event));
    return out;
}
} // namespace

TEST(EventColumn, AFullColumnKeepsItsNewestPartAndItsDensity) {
    EventColumn column(EventKind::Interrupt, false);
    constexpr u64 Count = 1'000'000;
    for (u64 i = 0; i < Count; ++i) {
        Event event;
        event.step = i * 37;
        event.a = i;
        column.add(event, nullptr);
        if (column.chunks() > 20) column.drop_oldest();
    }
    EXPECT_EQ(column.total(), Count);
    EXPECT_EQ(column.at(Count - 5).a, Count - 5);
    EXPECT_EQ(column.before(~u64{0}), Count);
    EXPECT_EQ(column.before((Count - 100) * 37), Count - 100); // held: exact
    for (u64 part = 1; part < 10; ++part) {
        const u64 expected = Count / 10 * part;
        EXPECT_NEAR(static_cast<double>(column.before(expected * 37)), static_cast<double>(expected),
                    Count / EventStore::Buckets * 2.0);
    }
    column.cut((Count - 1000) * 37);
    EXPECT_EQ(column.total(), Count - 1000);
    EXPECT_EQ(column.before(~u64{0}), Count - 1000);
}

TEST(EventColumn, PackedChunksGiveBackWhatWasNoted) {
    EventColumn column(EventKind::SystemCall, true);
    std::mt19937_64 random(7);
    std::vector<Event> all;
    std::vector<std::array<u64, 6>> arguments;
    const auto equal = [&](u64 i) {
        const Event event = column.at(i);
        const Event& wanted = all[i];
        return event.step == wanted.step && event.time == wanted.time && event.a == wanted.a &&
               event.b == wanted.b && event.c == wanted.c && event.end == wanted.end &&
               event.result == wanted.result && event.text == wanted.text &&
               event.processor == wanted.processor && column.arguments(i) == arguments[i];
    };
    const auto add = [&](std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            Event event;
            event.step = (all.empty() ? 0 : all.back().step) + random() % 3;
            event.time = (all.empty() ? 0 : all.back().time) + (random() >> (random() % 40 + 20));
            event.kind = EventKind::SystemCall, event.processor = static_cast<u8>(random() % 8);
            event.a = random() % 400, event.b = random() >> (random() % 64);
            event.c = random() % 2 ? ~u64{0} : 0, event.text = static_cast<u32>(random());
            all.push_back(event);
            arguments.push_back({random(), 0, 5, random() & 0xFFFF, ~u64{0}, random() >> 40});
            column.add(event, &arguments.back());
        }
    };
    add(3 * EventColumn::ChunkEvents + 17);
    for (u64 i = 0; i < all.size(); i += 97) { // an end comes when its chunk is packed already
        all[i].end = all[i].time + 5, all[i].result = i;
        column.finish(i, all[i].end, i);
    }
    for (u64 i = 0; i < all.size(); ++i) ASSERT_TRUE(equal(i)) << i;
    // A cut inside a packed chunk; the chunk is filled further.
    const u64 step = all[EventColumn::ChunkEvents + 100].step;
    const auto kept = std::ranges::lower_bound(all, step, {}, &Event::step) - all.begin();
    column.cut(step);
    ASSERT_EQ(column.total(), static_cast<u64>(kept));
    all.resize(static_cast<std::size_t>(kept)), arguments.resize(static_cast<std::size_t>(kept));
    add(2 * EventColumn::ChunkEvents);
    ASSERT_EQ(column.total(), all.size());
    for (u64 i = 0; i < all.size(); ++i) ASSERT_TRUE(equal(i)) << i;
    for (u64 at : {u64{0}, all[5000].step, all.back().step, all.back().step + 1}) {
        const auto lower = std::ranges::lower_bound(all, at, {}, &Event::step) - all.begin();
        EXPECT_EQ(column.lower(at), static_cast<u64>(lower));
    }
    for (u64 at : {u64{0}, all[5000].time, all.back().time, all.back().time + 1}) {
        const auto lower = std::ranges::lower_bound(all, at, {}, &Event::time) - all.begin();
        EXPECT_EQ(column.lower(at, EventAxis::Time), static_cast<u64>(lower));
    }
}

TEST(EventColumn, AnInterruptTakesLessThanThirtyBytes) {
    EventColumn column(EventKind::Interrupt, false);
    std::mt19937_64 random(3);
    Event event;
    for (unsigned i = 0; i < 1'000'000; ++i) {
        event.step += random() % 50'000, event.time += random() % 5'000'000;
        event.a = 0x30 + random() % 0xC0, event.b = 0xFFFFFFFF81000000 + random() % 0x1000000;
        column.add(event, nullptr);
    }
    EXPECT_LT(column.bytes(), 30'000'000u);
}

#ifdef TEST_REAL_GUEST
namespace {
void live(Machine& machine) {
    run_to(machine, boot_length());
    for (const char* line : {"ls /\r", "echo some text > /tmp/x\r", "cat /tmp/x\r", "sync\r"}) {
        machine.input(SerialInput{line});
        run_to(machine, machine.steps() + 1'000'000);
    }
}
} // namespace

TEST(Events, AreWhatOthersSawOfTheSameRun) {
    auto plain = boot_machine(), machine = boot_machine();
    EventStore events(*machine);
    Debugger debugger(*machine);
    struct {
        const char* spec;
        u32 kinds;
    } const same[] = {
        {"interrupt count", EventStore::bit(EventKind::Interrupt)},
        {"page-fault count", EventStore::bit(EventKind::PageFault)},
        {"exception count", EventStore::bit(EventKind::Exception) | EventStore::bit(EventKind::PageFault)},
        {"syscall count", EventStore::bit(EventKind::SystemCall)},
        {"switch count", EventStore::bit(EventKind::TaskSwitch)},
        {"disk count", EventStore::bit(EventKind::Disk)},
        {"mode count", EventStore::bit(EventKind::Mode)},
        {"phase count", EventStore::bit(EventKind::Phase)},
    };
    for (const auto& each : same) ASSERT_TRUE(debugger.add(each.spec));
    live(*plain);
    for (const LoggedInput& input : plain->input_log())
        machine->input_at(input.step, input.event, input.time);
    RunLimits limits;
    limits.debugger = &debugger;
    limits.step_limit = plain->steps();
    machine->run(limits);
    EXPECT_EQ(machine->state_hash(), plain->state_hash());
    for (std::size_t i = 0; i < std::size(same); ++i) {
        u64 count = 0;
        for (unsigned kind = 0; kind < EventKinds; ++kind)
            if (same[i].kinds >> kind & 1) count += events.count(static_cast<EventKind>(kind));
        EXPECT_EQ(debugger.list()[i].hits, count) << same[i].spec;
        EXPECT_GT(count, 5u) << same[i].spec;
    }
    const auto phases = events.query(EventKind::Phase, 0, ~u64{0}, All);
    ASSERT_EQ(phases.size(), machine->phases().size());
    for (std::size_t i = 0; i < phases.size(); ++i) {
        EXPECT_EQ(events.text(phases[i]), machine->phases()[i].name);
        EXPECT_EQ(phases[i].step, machine->phases()[i].step);
    }
    // A write to the console has returned how much it was asked to write, and the text is there.
    unsigned writes = 0, read_back = 0;
    for (const Event& event : events.query(EventKind::SystemCall, 0, ~u64{0}, All)) {
        if (event.a != 1 || event.end == Event::Open) continue;
        ++writes;
        EXPECT_EQ(event.result, events.arguments(event)[2]) << events.describe(event);
        EXPECT_GT(event.end, event.time);
    }
    for (const Event& event : events.query(EventKind::Console, 0, ~u64{0}, All))
        read_back += events.text(event) == "some text";
    EXPECT_GT(writes, 10u);
    EXPECT_EQ(read_back, 1u);
    for (const Event& event : events.query(EventKind::Disk, 0, ~u64{0}, All))
        EXPECT_NE(event.end, Event::Open);
    // Density: the sum of the parts is the whole, and each part is what a query finds.
    const u64 end = machine->steps();
    const auto parts = events.density(EventKind::Interrupt, 0, end, 50);
    for (unsigned i = 0; i < 50; ++i)
        EXPECT_EQ(parts[i], events.query(EventKind::Interrupt, end * i / 50, end * (i + 1) / 50, All).size());
}

TEST(Events, TravelNotesNothingTwiceAndABranchCuts) {
    auto machine = boot_machine();
    Timeline timeline(*machine, 64 << 20, 0.001);
    EventStore events(*machine);
    live(*machine);
    const u64 end = machine->steps();
    const auto before = everything(events);
    ASSERT_GT(before.size(), 500u);
    for (u64 step : {end / 3, end / 2, end - 1, u64{5}, end}) {
        ASSERT_TRUE(timeline.seek(step));
        EXPECT_EQ(everything(events), before) << step;
        run_to(*machine, step + 100'000 > end ? end : step + 100'000);
    }
    ASSERT_TRUE(timeline.seek(end));
    EXPECT_EQ(everything(events), before);
    // Another future.
    const u64 fork = machine->input_log()[0].step + 50'000;
    ASSERT_TRUE(timeline.seek(fork));
    machine->input(SerialInput{"echo another way\r"});
    for (const Event& event : events.query(EventStore::AllKinds, 0, ~u64{0}, All))
        ASSERT_LT(event.step, fork);
    run_to(*machine, fork + 2'000'000);
    auto straight = boot_machine();
    EventStore reference(*straight);
    for (const LoggedInput& input : machine->input_log())
        straight->input_at(input.step, input.event, input.time);
    run_to(*straight, fork + 2'000'000);
    EXPECT_EQ(events.count(EventKind::Interrupt), reference.count(EventKind::Interrupt));
    EXPECT_EQ(events.count(EventKind::SystemCall), reference.count(EventKind::SystemCall));
    EXPECT_EQ(events.count(EventKind::TaskSwitch), reference.count(EventKind::TaskSwitch));
}

TEST(Events, ExportsParse) {
    auto machine = boot_machine();
    EventStore events(*machine, EventStore::AllKinds, 1 << 20);
    run_to(*machine, boot_length());
    EXPECT_LE(events.used(), 4u << 20);
    const auto trace = nlohmann::json::parse(to_chrome_trace(events, EventStore::AllKinds, 0, ~u64{0}));
    EXPECT_GT(trace["traceEvents"].size(), 300u);
    for (const auto& row : trace["traceEvents"]) EXPECT_TRUE(row.contains("ph") && row.contains("pid"));
    const std::string text = to_ftrace_text(events, EventStore::AllKinds, 0, ~u64{0});
    EXPECT_NE(text.find("sched_switch: prev_comm="), std::string::npos);
    for (const Event& event : events.query(EventStore::AllKinds, 0, ~u64{0}, All))
        EXPECT_FALSE(nlohmann::json::parse(to_json(events, event)).empty());
    EXPECT_EQ(*parse_event_kinds("syscall,disk"),
              EventStore::bit(EventKind::SystemCall) | EventStore::bit(EventKind::Disk));
    EXPECT_NE(parse_event_kinds("sycall").error().message.find("did you mean syscall?"), std::string::npos);
}
#endif
