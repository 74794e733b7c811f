// The app's engine on the bundled guest: verbs stop where they say, watching costs the guest nothing,
// recordings come back.
#include <gtest/gtest.h>
#include <filesystem>
#include <unistd.h>
#include "emu/symbols/guest_symbols.h"
#include "ui/model/engine.h"
#include "ui/model/views.h"

namespace vitrine::ui {
namespace {

std::unique_ptr<Engine> make(AppOptions options = {}) {
    options.serial = emu::cli::SerialTarget::Null;
    auto engine = Engine::create(options);
    if (!engine) {
        ADD_FAILURE() << engine.error().message;
        return nullptr;
    }
    return std::move(*engine);
}

/// Frames until it stops; false when it does not.
bool run_until_stop(Engine& engine, Views* views = nullptr) {
    for (int frame = 0; frame < 20'000 && engine.running(); ++frame) {
        engine.frame(0.012);
        if (!views) continue;
        views->refresh();
        views->registers(), views->phases(), views->gdt(), views->ldt(), views->tss(), views->idt(),
            views->maps();
        views->walk(views->rip_linear()), views->code(views->code_start(views->rip_linear(), 5), 20),
            views->bytes(views->rip_linear(), 256, false);
        views->tasks(), views->run_queues(), views->buddy(), views->memory_map(), views->devices(),
            views->events();
    }
    return !engine.running();
}

void run_to(Engine& engine, emu::BreakKind kind, u64 value, const char* text = "") {
    emu::BreakSpec place;
    place.kind = kind, place.address = value, place.text = text;
    engine.run_to(std::move(place), "there");
}

TEST(Engine, StepsAndPhases) {
    auto engine = make();
    ASSERT_TRUE(engine);
    EXPECT_EQ(engine->machine().steps(), 0u);
    engine->step();
    EXPECT_EQ(engine->machine().steps(), 1u);
    std::size_t last = engine->machine().phases().size();
    for (int i = 0; i < 10; ++i) {
        engine->next_phase();
        ASSERT_TRUE(run_until_stop(*engine));
        EXPECT_GT(engine->machine().phases().size(), last);
        last = engine->machine().phases().size();
        // An OUT to the POST port reports from inside its step; the machine stops behind it.
        EXPECT_LE(engine->machine().steps() - engine->machine().phases().back().step, 1u);
    }
    auto restarted = engine->restart();
    ASSERT_TRUE(restarted) << restarted.error().message;
    EXPECT_EQ(engine->machine().steps(), 0u);
    EXPECT_EQ(engine->state(), Engine::State::Paused);
}

TEST(Engine, BreakpointsAreLinearInRealModeToo) {
    auto engine = make();
    ASSERT_TRUE(engine);
    Views views(*engine);
    // The reset code's first instruction after the far jump; before it CS.base is ffff0000h.
    const CodeListing first = views.code(views.rip_linear(), 1);
    ASSERT_EQ(first.rows.size(), 1u);
    ASSERT_TRUE(first.rows[0].target);
    EXPECT_TRUE(engine->toggle_breakpoint(*first.rows[0].target + 1)); // cld, behind the one-byte cli
    engine->run();
    ASSERT_TRUE(run_until_stop(*engine));
    EXPECT_EQ(views.rip_linear(), *first.rows[0].target + 1);
    EXPECT_EQ(engine->machine().steps(), 2u);
}

TEST(Engine, StepOverRunsACallToItsReturn) {
    auto engine = make();
    ASSERT_TRUE(engine);
    Views views(*engine);
    run_to(*engine, emu::BreakKind::Phase, 0, "kernel:trap_init");
    ASSERT_TRUE(run_until_stop(*engine));
    for (int i = 0; i < 200; ++i) {
        views.refresh();
        const CodeListing here = views.code(views.rip_linear(), 1);
        ASSERT_EQ(here.rows.size(), 1u);
        const bool call = here.rows[0].mnemonic == "call";
        const u64 next = here.rows[0].address + here.rows[0].bytes.size();
        const u64 before = engine->machine().steps();
        engine->step_over(next, here.rows[0].call);
        ASSERT_TRUE(run_until_stop(*engine));
        if (!call) continue;
        EXPECT_EQ(views.rip_linear(), next);
        EXPECT_GT(engine->machine().steps(), before + 1);
        return;
    }
    FAIL() << "200 instructions of the kernel without a call";
}

TEST(Engine, WatchingEverythingChangesNothing) {
    constexpr u64 Steps = 12'000'000; // behind init's first instruction
    auto watched = make(), alone = make();
    ASSERT_TRUE(watched && alone);
    watched->real_time = alone->real_time = false;
    Views views(*watched);
    run_to(*watched, emu::BreakKind::Step, Steps);
    ASSERT_TRUE(run_until_stop(*watched, &views));
    emu::RunLimits limits;
    limits.step_limit = Steps;
    alone->machine().run(limits);
    ASSERT_EQ(watched->machine().steps(), alone->machine().steps());
    EXPECT_EQ(watched->machine().state_hash(), alone->machine().state_hash());
    EXPECT_TRUE(views.run_queues().why_empty.empty()) << views.run_queues().why_empty;
    EXPECT_TRUE(views.memory_map().why_empty.empty()) << views.memory_map().why_empty;
}

TEST(Engine, RecordsAndReplays) {
    const std::string path =
        (std::filesystem::temp_directory_path() / ("vitrine-engine-" + std::to_string(::getpid()) + ".vtrc"))
            .string();
    auto engine = make();
    ASSERT_TRUE(engine);
    engine->step(); // a machine that has run is restarted
    auto recording = engine->record(path);
    ASSERT_TRUE(recording) << recording.error().message;
    EXPECT_EQ(engine->machine().steps(), 0u);
    run_to(*engine, emu::BreakKind::Console, 0, "# ");
    ASSERT_TRUE(run_until_stop(*engine));
    engine->input(emu::SerialInput{"uname\r"});
    run_to(*engine, emu::BreakKind::Console, 0, "\nvitrine# ");
    ASSERT_TRUE(run_until_stop(*engine));
    const u64 steps = engine->machine().steps();
    ASSERT_TRUE(engine->stop_recording());
    auto replay = engine->replay(path);
    ASSERT_TRUE(replay) << replay.error().message;
    EXPECT_EQ(engine->last_step(), steps);        // any of its steps can be gone to at once
    engine->input(emu::SerialInput{"not heard"}); // its input comes from the recording
    engine->run();
    ASSERT_TRUE(run_until_stop(*engine));
    EXPECT_EQ(engine->machine().steps(), steps);
    EXPECT_FALSE(engine->message_is_error()) << engine->message();
    EXPECT_NE(engine->message().find("every hash is equal"), std::string::npos) << engine->message();
    std::filesystem::remove(path);
}

TEST(Engine, ARecordingThatEndsInThePastTakesNoJourneyAndIsWhole) {
    const std::string path =
        (std::filesystem::temp_directory_path() / ("vitrine-past-" + std::to_string(::getpid()) + ".vtrc"))
            .string();
    auto engine = make();
    ASSERT_TRUE(engine && engine->record(path));
    run_to(*engine, emu::BreakKind::Step, 2'345'678);
    ASSERT_TRUE(run_until_stop(*engine));
    const u64 end = engine->machine().steps(), past = 1'234'567;
    engine->seek(past);
    for (int frame = 0; frame < 20'000 && engine->travelling(); ++frame) engine->frame(0.012);
    ASSERT_EQ(engine->machine().steps(), past);
    auto stopped = engine->stop_recording();
    EXPECT_TRUE(stopped) << stopped.error().message;
    EXPECT_EQ(engine->machine().steps(), past); // and has not been elsewhere
    EXPECT_FALSE(engine->recording());
    auto replay = engine->replay(path);
    ASSERT_TRUE(replay) << replay.error().message;
    EXPECT_EQ(engine->last_step(), end);
    engine->run();
    ASSERT_TRUE(run_until_stop(*engine));
    EXPECT_EQ(engine->machine().steps(), end);
    EXPECT_FALSE(engine->message_is_error()) << engine->message();
    std::filesystem::remove(path);
}

TEST(Engine, SaysWhatIsWrongWithFiles) {
    auto engine = make();
    ASSERT_TRUE(engine);
    auto missing = engine->replay("/nonexistent/file");
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().message.find("/nonexistent/file"), std::string::npos);
    auto unwritable = engine->record("/nonexistent/folder/file");
    ASSERT_FALSE(unwritable);
    engine->step(); // the machine is still there
    EXPECT_EQ(engine->machine().steps(), 1u);
}

TEST(Engine, WhatWasSeenOfAFutureThatIsCutIsForgotten) {
    auto engine = make();
    ASSERT_TRUE(engine);
    Views views(*engine);
    const auto go_to = [&](u64 step) {
        engine->seek(step);
        for (int frame = 0; frame < 20'000 && engine->travelling(); ++frame) engine->frame(0.012);
        ASSERT_EQ(engine->machine().steps(), step);
        views.refresh(), views.buddy();
    };
    run_to(*engine, emu::BreakKind::Phase, 0, "kernel:vfs_caches_init");
    ASSERT_TRUE(run_until_stop(*engine));
    const u64 start = engine->machine().steps();
    u64 time = 0;
    for (u64 i = 1; i <= 6; ++i) {
        run_to(*engine, emu::BreakKind::Step, start + i * 50'000);
        ASSERT_TRUE(run_until_stop(*engine));
        views.refresh(), views.buddy();
        if (i == 3) time = engine->machine().time();
    }
    ASSERT_GE(views.buddy_history().size(), 6u);
    go_to(start + 150'000);
    EXPECT_GT(views.buddy_history().back().time, time) << "the future that is known is kept";
    engine->input(emu::SerialInput{"x"}); // here another one begins
    engine->step();
    views.refresh(), views.buddy();
    EXPECT_EQ(views.buddy_history().back().time, engine->machine().time());
    EXPECT_GE(views.buddy_history().size(), 3u);
}

TEST(Engine, ARecordingThatCannotBeWrittenCostsNoMachine) {
    auto engine = make();
    ASSERT_TRUE(engine);
    const auto record_into_nothing = [&] {
        auto recording = engine->record("/dev/full");
        ASSERT_TRUE(recording) << recording.error().message;
        run_to(*engine, emu::BreakKind::Phase, 0, "kernel:setup_arch");
        ASSERT_TRUE(run_until_stop(*engine));
        ASSERT_GT(engine->machine().steps(), 0u);
    };
    record_into_nothing();
    auto again = engine->restart();
    ASSERT_FALSE(again);
    EXPECT_NE(again.error().message.find("/dev/full"), std::string::npos) << again.error().message;
    EXPECT_EQ(engine->machine().steps(), 0u);
    EXPECT_FALSE(engine->recording());
    record_into_nothing();
    EXPECT_FALSE(engine->new_machine({"-m", "64M"}));
    EXPECT_EQ(engine->machine().steps(), 0u);
    EXPECT_FALSE(engine->new_machine({"--disk", "/nonexistent/image"}));
    engine->step();
    EXPECT_EQ(engine->machine().steps(), 1u);
    ASSERT_TRUE(engine->restart()) << "of the machine that there is";
}

TEST(Engine, KeepsToRealTimeOnceBooted) {
    auto engine = make();
    ASSERT_TRUE(engine);
    run_to(*engine, emu::BreakKind::Console, 0, "# ");
    ASSERT_TRUE(run_until_stop(*engine));
    const u64 before = engine->machine().time();
    const auto began = std::chrono::steady_clock::now();
    engine->run();
    while (std::chrono::steady_clock::now() - began < std::chrono::milliseconds(300))
        engine->frame(0.012), ::usleep(5000);
    const auto real = static_cast<u64>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - began)
            .count());
    EXPECT_LE(engine->machine().time() - before, real + 1'000'000) << "an idle guest must not leap ahead";
    EXPECT_GT(engine->machine().time(), before);
}

} // namespace
} // namespace vitrine::ui
