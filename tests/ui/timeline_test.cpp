// The timeline's model: the axis stays inside the run, lanes tell what the store holds, and ten million
// events are as quick to show as ten.
#include <gtest/gtest.h>
#include <chrono>
#include <random>
#include "emu/events/explain.h"
#include "ui/model/engine.h"
#include "ui/model/lanes.h"

namespace vitrine::ui {
namespace {

using emu::Event;
using emu::EventAxis;
using emu::EventKind;

TEST(Axis, ZoomKeepsWhatThePointerIsOn) {
    Axis axis;
    axis.bounds(0, 10'000'000);
    EXPECT_TRUE(axis.whole());
    for (double share : {0.0, 0.3, 0.77, 1.0}) {
        axis.show_whole();
        for (int i = 0; i < 12; ++i) {
            const float x = static_cast<float>(share) * 1000;
            const u64 before = axis.place_at(x, 0, 1000);
            axis.zoom(share, 0.6);
            const u64 after = axis.place_at(x, 0, 1000);
            EXPECT_LE(before > after ? before - after : after - before, axis.length() / 500 + 2)
                << share << " " << i;
        }
        EXPECT_FALSE(axis.whole());
        for (int i = 0; i < 40; ++i) axis.zoom(share, 1.7);
        EXPECT_TRUE(axis.whole());
        EXPECT_EQ(axis.length(), 10'000'000u);
    }
}

TEST(Axis, StaysInsideTheRun) {
    std::mt19937_64 random(5);
    Axis axis;
    u64 last = 0;
    for (int i = 0; i < 20'000; ++i) {
        if (random() % 50 == 0) last = random() >> (random() % 64);
        axis.bounds(0, last);
        switch (random() % 5) {
        case 0:
            axis.zoom(static_cast<double>(random() % 1001) / 1000,
                      std::pow(2.0, static_cast<double>(random() % 41) - 20));
            break;
        case 1: axis.pan((static_cast<double>(random() % 4001) - 2000) / 100); break;
        case 2: axis.bring_into_sight(random() % (last + 1)); break;
        case 3: axis.show(random() % (last + 1), random() % (last + 1)); break;
        default: axis.show_whole(); break;
        }
        ASSERT_LT(axis.from(), axis.to());
        ASSERT_GE(axis.length(), Axis::Least);
        ASSERT_LE(axis.to(), std::max(last, Axis::Least));
        ASSERT_LE(axis.ticks(12).size(), 14u);
    }
}

TEST(Axis, TicksDiffer) {
    Axis axis;
    for (EventAxis unit : {EventAxis::Step, EventAxis::Time})
        for (u64 from : {u64{0}, u64{123'456'789}, u64{987'654'321'000}})
            for (u64 length = 20; length < 500'000'000'000; length *= 7) {
                axis.change_unit(unit, from, from + length, 0, from + 2 * length);
                axis.show(from, from + length);
                const auto ticks = axis.ticks(10);
                EXPECT_GE(ticks.size(), 2u) << from << " " << length;
                for (std::size_t i = 1; i < ticks.size(); ++i)
                    EXPECT_NE(ticks[i].label, ticks[i - 1].label) << from << " " << length;
            }
}

std::unique_ptr<Engine> make() {
    AppOptions options;
    options.serial = emu::cli::SerialTarget::Null;
    options.history = 0;
    auto engine = Engine::create(options);
    return engine ? std::move(*engine) : nullptr;
}
void run_to(Engine& engine, u64 step) {
    emu::BreakSpec place;
    place.kind = emu::BreakKind::Step, place.address = step;
    engine.run_to(std::move(place), "there");
    engine.real_time = false;
    for (int i = 0; i < 20'000 && engine.running(); ++i) engine.frame(0.012);
}

TEST(Lanes, TellWhatTheStoreHolds) {
    auto engine = make();
    ASSERT_TRUE(engine);
    run_to(*engine, 16'000'000);
    const emu::EventStore& events = engine->events();
    SwitchIndex switches;
    switches.update(events, 1);
    EXPECT_EQ(switches.of(0).size(), events.count(EventKind::TaskSwitch));
    std::mt19937_64 random(11);
    for (EventAxis unit : {EventAxis::Step, EventAxis::Time})
        for (int round = 0; round < 60; ++round) {
            const u64 end = unit == EventAxis::Time ? engine->machine().time() : engine->machine().steps();
            Axis axis;
            axis.change_unit(unit, 0, end, 0, end);
            if (round) {
                axis.show_whole();
                axis.zoom(static_cast<double>(random() % 1000) / 1000, std::pow(0.6, round / 2));
            }
            const auto lanes = make_lanes(
                events, switches, {axis, 100, 1200, 2, 1, engine->known_phases(), engine->known_modes()});
            ASSERT_EQ(lanes.size(), 9u);
            for (const Lane& lane : lanes) {
                u64 sum = 0;
                float last = 99;
                for (const LaneSpan& span : lane.spans) {
                    ASSERT_GE(span.x0, 99.9f);
                    ASSERT_LE(span.x1, 1300.1f);
                    ASSERT_GE(span.x0, last - 0.01f) << lane.name;
                    last = span.x0, sum += span.count;
                }
                if (lane.kind != Lane::Kind::Events || lane.each) continue;
                const u64 edges[] = {axis.from(), axis.to()};
                EXPECT_EQ(sum, events.density(lane.event, edges, unit)[0]) << lane.name;
            }
            // Who runs at a place, by the lane and by the store.
            for (int probe = 0; probe < 20; ++probe) {
                const float x = 100 + static_cast<float>(random() % 1200);
                const LaneSpan* span = span_at(lanes[2], x, 0);
                if (!span || span->mixed || span->x1 - span->x0 < 3 || x < span->x0 + 2 || x > span->x1 - 2)
                    continue;
                const u64 place = axis.place_at(x, 100, 1200);
                const u64 next = events.lower(EventKind::TaskSwitch, place, unit);
                ASSERT_GT(next, 0u);
                EXPECT_EQ(span->tone, events.at(EventKind::TaskSwitch, next - 1).b);
            }
        }
    // Time and steps are each other's reverse where something happened.
    for (int i = 0; i < 200; ++i) {
        const Event event = events.at(EventKind::Interrupt, random() % events.count(EventKind::Interrupt));
        EXPECT_EQ(events.time_at(event.step), event.time);
    }
    for (unsigned kind = 0; kind < emu::EventKinds; ++kind)
        for (const Event& event : events.query(static_cast<EventKind>(kind), 0, ~u64{0}, 500)) {
            const std::string text = emu::explain(events, event, engine->machine().symbols());
            EXPECT_GT(text.size(), 8u);
            EXPECT_FALSE(text.contains("?")) << text;
        }
}

TEST(Lanes, SwitchesAreKnownAgainAfterACut) {
    auto engine = make();
    ASSERT_TRUE(engine);
    run_to(*engine, 15'000'000);
    auto& events = const_cast<emu::EventStore&>(engine->events());
    SwitchIndex switches;
    switches.update(events, 1);
    const u64 before = events.count(EventKind::TaskSwitch);
    ASSERT_GT(before, 20u);
    events.cut(12'000'000);
    Event event;
    event.kind = EventKind::TaskSwitch, event.b = 4711;
    for (u64 i = 0; i < before; ++i) event.step = 12'000'000 + i, events.add(event);
    switches.update(events, 1);
    EXPECT_EQ(switches.of(0).size(), events.count(EventKind::TaskSwitch));
    EXPECT_EQ(events.at(EventKind::TaskSwitch, switches.of(0).back()).b, 4711u);
}

/// The bar of the app: zooming and panning over ten million events at 30 pictures a second, in 400 MB.
TEST(Lanes, TenMillionEventsAreFluid) {
    auto engine = make();
    ASSERT_TRUE(engine);
    auto& events = const_cast<emu::EventStore&>(engine->events());
    std::mt19937_64 random(2);
    constexpr u64 Count = 10'000'000;
    constexpr EventKind Mix[] = {EventKind::Interrupt,  EventKind::SystemCall, EventKind::PageFault,
                                 EventKind::TaskSwitch, EventKind::SystemCall, EventKind::Interrupt,
                                 EventKind::TaskSwitch, EventKind::Disk};
    Event event;
    for (u64 i = 0; i < Count; ++i) {
        event.kind = Mix[random() % 8];
        event.step += random() % 2000, event.time += random() % 40'000;
        event.a = event.kind == EventKind::PageFault ? random() & 0x7FFFFFFFF000 : random() % 256;
        event.b =
            event.kind == EventKind::TaskSwitch ? random() % 40 : 0xFFFFFFFF81000000 + random() % 0x400000;
        event.end = event.time + random() % 10'000;
        events.add(event);
    }
    u64 held = 0;
    for (unsigned kind = 0; kind < emu::EventKinds; ++kind)
        held += events.count(static_cast<EventKind>(kind)) - events.lost(static_cast<EventKind>(kind));
    SwitchIndex switches;
    switches.update(events, 1);
    RecordProperty("megabytes", static_cast<int>((events.used() + switches.bytes()) >> 20));
    RecordProperty("held", static_cast<int>(held));
    EXPECT_LE(events.used() + switches.bytes(), u64{400} << 20);
    EXPECT_GE(held, Count * 95 / 100) << "the details of most events are held";
    // The work of a frame, counted in time of this thread: others' load does not count.
    const auto cpu_seconds = [] {
        timespec t{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
    };
    double sum = 0;
    int frames = 0;
    std::size_t spans = 0;
    for (EventAxis unit : {EventAxis::Step, EventAxis::Time}) {
        Axis axis;
        const u64 end = unit == EventAxis::Time ? event.time : event.step;
        axis.change_unit(unit, 0, end, 0, end);
        axis.show_whole();
        for (int i = 0; i < 120; ++i, ++frames) {
            if (i < 60)
                axis.zoom(0.4, 0.75);
            else if (i < 90)
                axis.zoom(0.6, 1.6);
            else
                axis.pan(-0.03);
            const double before = cpu_seconds();
            const auto lanes = make_lanes(
                events, switches, {axis, 100, 1820, 2, 1, engine->known_phases(), engine->known_modes()});
            sum += cpu_seconds() - before;
            for (const Lane& lane : lanes) spans += lane.spans.size();
        }
    }
    RecordProperty("microseconds_a_frame", static_cast<int>(sum / frames * 1e6));
    std::printf("%.2f ms and %zu spans a frame, %llu MB\n", sum / frames * 1e3,
                spans / static_cast<std::size_t>(frames),
                static_cast<unsigned long long>((events.used() + switches.bytes()) >> 20));
#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer)
    EXPECT_LT(sum / frames, 1.0 / 30 / 2) << "half a frame is for drawing";
#endif
}

} // namespace
} // namespace vitrine::ui
