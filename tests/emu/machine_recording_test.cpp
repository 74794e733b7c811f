// Record → replay: equal hashes, also with inputs while the guest runs or sleeps; a changed byte is found and
// located.
#include "emu/events/events.h"
#include "emu/inspect/inspect.h"
#include "emu/recorder/checkpoint_check.h"
#include "emu/recorder/format.h"
#include "emu/recorder/recorder.h"
#include "emu/recorder/replayer.h"
#include "emu/recorder/saved_run.h"
#include <fcntl.h>
#include <fmt/format.h>
#include <map>
#include <random>
#include <unistd.h>
#include "emu/load/files.h"
#include "emu/timeline/authors.h"
#include "tests/emu/machine_support.h"

using namespace vitrine;
using namespace vitrine::emu;
using namespace vitrine::test;

namespace {

#ifdef VITRINE_SANITIZE
constexpr int Places = 8;
#else
constexpr int Places = 80;
#endif

/// Boots with inputs at random moments, cut by steps and by time, and records it. Returns the final state's
/// hash.
u64 record(const MachineConfig& config, const std::string& path, u64 end, u64 seed,
           CheckpointSpacing spacing = {}) {
    auto machine = boot_machine(config);
    auto recorder = Recorder::start(*machine, path, spacing);
    EXPECT_TRUE(recorder) << recorder.error().message;
    std::mt19937_64 random(seed);
    RunReport report;
    while (machine->steps() < end && !machine->ended()) {
        RunLimits limits;
        limits.step_limit = std::min(end, machine->steps() + 1 + random() % (end / 20));
        limits.time_limit = machine->time() + 1 + random() % 3'000'000; // may fall into a halt
        report = machine->run(limits);
        switch (random() % 4) {
        case 0: machine->input(KeyInput{{0x1E, 0x9E}}); break;
        case 1: machine->input(SerialInput{"x"}); break;
        case 2: machine->input(MouseInput{3, -1, 0, 1}); break;
        default: break;
        }
    }
    auto done = (*recorder)->finish(report);
    EXPECT_TRUE(done) << done.error().message;
    return machine->state_hash();
}

/// Every view, as text and as JSON. Returns how much they said.
std::size_t look_at_everything(Machine& machine) {
    std::size_t bytes = 0;
    for (const inspect::ViewName& view : inspect::view_list())
        for (bool json : {false, true})
            if (auto text = inspect::inspect(machine, std::string(view.name) + view_argument(view), json))
                bytes += text->size();
    return bytes;
}

/// Replays and verifies; `watched`: with every inspection view in use at ten moments on the way.
Expected<u64> replay(const std::string& path, bool watched = false) {
    auto replayer = Replayer::open(path);
    if (!replayer) return std::unexpected(replayer.error());
    auto machine = (*replayer)->make_machine();
    if (!machine) return std::unexpected(machine.error());
    if (auto ok = (*replayer)->prepare(**machine); !ok) return std::unexpected(ok.error());
    for (u64 tenth = 1; watched && tenth < 10; ++tenth) {
        RunLimits limits;
        limits.step_limit = (*replayer)->end_step() * tenth / 10;
        (*machine)->run(limits);
        EXPECT_GT(look_at_everything(**machine), 1000u);
    }
    if (auto ok = (*replayer)->finish(**machine); !ok) return std::unexpected(ok.error());
    return (*machine)->state_hash();
}

} // namespace

TEST(Replay, TwentyRecordingsOfTwentyReplayBitExactly) {
    TemporaryFolder folder;
    const u64 end = boot_length();
    for (u64 seed = 0; seed < 20; ++seed) {
        const std::string path = folder.file("run" + std::to_string(seed));
        const u64 recorded = record(boot_config(), path, end, seed);
        auto replayed = replay(path);
        ASSERT_TRUE(replayed) << "run " << seed << ": " << replayed.error().message;
        EXPECT_EQ(recorded, *replayed) << "run " << seed;
        auto watched = replay(path, true);
        ASSERT_TRUE(watched) << "run " << seed << ", watched: " << watched.error().message;
        EXPECT_EQ(recorded, *watched) << "run " << seed << ", watched";
    }
}

#ifdef TEST_REAL_GUEST
// ---- checkpoints ------------------------------------------------------------------------------------------

namespace {

constexpr CheckpointSpacing Dense{2'000'000, 1};

struct Opened {
    std::unique_ptr<Replayer> replayer;
    std::unique_ptr<Machine> machine;
    std::unique_ptr<Timeline> timeline;
    explicit Opened(const std::string& path) {
        auto opened = Replayer::open(path);
        EXPECT_TRUE(opened) << opened.error().message;
        replayer = std::move(*opened);
        machine = std::move(*replayer->make_machine());
        EXPECT_TRUE(replayer->prepare(*machine));
        timeline = std::make_unique<Timeline>(*machine, 64 << 20, 0.001);
        timeline->worth_a_leap(100'000);
    }
};

/// The straight run's hash at each of the places, which rise.
std::map<u64, u64> straight_hashes(const std::string& path, const std::vector<u64>& places) {
    auto replayer = std::move(*Replayer::open(path));
    auto machine = std::move(*replayer->make_machine());
    EXPECT_TRUE(replayer->prepare(*machine));
    std::map<u64, u64> out;
    for (u64 place : places) {
        run_to(*machine, place);
        EXPECT_EQ(machine->steps(), place);
        out[place] = machine->state_hash();
    }
    return out;
}

} // namespace

TEST(Checkpoints, AnOpenedRecordingIsTheStraightRunAtAnyStep) {
    const TemporaryFolder folder;
    const std::string path = folder.file("run.vrec");
    const u64 end = boot_length() + 12'000'000;
    record(boot_config(), path, end, 7, Dense);
    std::mt19937_64 random(3);
    std::vector<u64> places;
    for (int i = 0; i < Places; ++i) places.push_back(random() % (end + 1));
    {
        Opened first(path);
        EXPECT_GE(first.replayer->contents().checkpoints.size(), end / 4'000'000);
        for (const auto& each : first.replayer->contents().checkpoints) {
            places.push_back(each.step);
            places.push_back(each.step + 1);
        }
        // The steps of inputs are where before and behind differ.
        for (const auto& input : first.replayer->contents().inputs)
            if (random() % 4 == 0) places.push_back(input.step);
    }
    std::ranges::sort(places);
    const auto wanted = straight_hashes(path, places);
    std::ranges::shuffle(places, random);
    Opened opened(path);
    EXPECT_EQ(opened.timeline->last(), end);
    for (u64 place : places) {
        auto ok = opened.timeline->seek(place);
        ASSERT_TRUE(ok) << ok.error().message;
        ASSERT_EQ(opened.machine->steps(), place);
        ASSERT_EQ(opened.machine->state_hash(), wanted.at(place)) << "at step " << place;
        ASSERT_FALSE(opened.replayer->divergence());
        if (random() % 4 == 0) { // go on a little, and a step back: history grows where nobody was
            const u64 on = std::min(end, place + random() % 3'000'000);
            ASSERT_TRUE(opened.timeline->seek(on));
            if (on > 0) ASSERT_TRUE(opened.timeline->back());
        }
    }
    ASSERT_TRUE(opened.timeline->seek(end));
    auto finished = opened.replayer->finish(*opened.machine);
    EXPECT_TRUE(finished) << finished.error().message;
}

TEST(Checkpoints, WhoWroteAcrossALeapIsBruteForces) {
    const TemporaryFolder folder;
    const std::string path = folder.file("run.vrec");
    const u64 end = boot_length() + 8'000'000;
    record(boot_config(), path, end, 9, Dense);
    Opened opened(path), run(path);
    run.machine->set_known_run(nullptr);
    run.timeline = std::make_unique<Timeline>(*run.machine, 64 << 20, 0.001);
    run_to(*run.machine, end);
    ASSERT_TRUE(opened.timeline->seek(end));
    Authors leapt(*opened.machine, *opened.timeline), straight(*run.machine, *run.timeline);
    std::mt19937_64 random(4);
    for (int i = 0; i < Places / 4; ++i) {
        Target target;
        target.kind = Target::Kind::Physical;
        target.address = 0x1000 + (random() % (24 << 20) & ~7ull);
        target.text = "phys";
        const auto a = leapt.who_wrote(target), b = straight.who_wrote(target);
        ASSERT_EQ(a.has_value(), b.has_value()) << target.address;
        if (a) ASSERT_EQ(to_text(*a), to_text(*b)) << target.address;
    }
}

TEST(Checkpoints, NothingIsLeaptOverThatAnEventStoreWants) {
    const TemporaryFolder folder;
    const std::string path = folder.file("run.vrec");
    const u64 end = boot_length() + 4'000'000;
    record(boot_config(), path, end, 6, Dense);
    Opened opened(path), run(path);
    EventStore noted(*opened.machine), straight(*run.machine);
    run_to(*run.machine, end);
    ASSERT_TRUE(opened.timeline->seek(end));
    ASSERT_TRUE(opened.timeline->seek(end / 2));
    ASSERT_TRUE(opened.timeline->seek(end));
    for (unsigned kind = 0; kind < EventKinds; ++kind)
        EXPECT_EQ(noted.count(static_cast<EventKind>(kind)), straight.count(static_cast<EventKind>(kind)))
            << event_kind_name(static_cast<EventKind>(kind));
    EXPECT_GT(noted.count(EventKind::Interrupt), 0u);
}

TEST(Checkpoints, ADamagedOneIsToldAndTheOneBeforeItServes) {
    const TemporaryFolder folder;
    const std::string path = folder.file("run.vrec"), hurt = folder.file("hurt.vrec");
    const u64 end = boot_length() + 6'000'000;
    record(boot_config(), path, end, 8, Dense);
    auto bytes = std::move(*read_file(path, "recording", 1ull << 30));
    auto whole = std::move(*recording::parse(bytes, path));
    ASSERT_GE(whole.checkpoints.size(), 4u);
    const u64 place = whole.checkpoints.back().step + 1000, early = whole.checkpoints[2].step + 1000;
    const u64 early_wanted = straight_hashes(path, {early}).at(early);
    const u64 wanted = straight_hashes(path, {place}).at(place);
    // In the file from the start: told when it is opened.
    auto damaged = bytes;
    damaged[whole.checkpoints[2].state.offset + 100] ^= 0x10;
    ASSERT_TRUE(write_file(hurt, damaged));
    {
        Opened opened(hurt);
        EXPECT_EQ(opened.replayer->run()->before(early), whole.checkpoints[1].step);
        EXPECT_NE(opened.replayer->note().find("the one before it serves"), std::string::npos);
        ASSERT_TRUE(opened.timeline->seek(early));
        EXPECT_EQ(opened.machine->state_hash(), early_wanted);
        ASSERT_TRUE(opened.timeline->seek(place));
        EXPECT_EQ(opened.machine->state_hash(), wanted);
    }
    // Damaged while it is open: found when it is used.
    ASSERT_TRUE(write_file(hurt, bytes));
    Opened opened(hurt);
    const int file = ::open(hurt.c_str(), O_WRONLY);
    const u8 bad = 0xEE;
    ASSERT_EQ(::pwrite(file, &bad, 1, static_cast<off_t>(whole.checkpoints.back().pages[0].offset + 200)), 1);
    ::close(file);
    ASSERT_TRUE(opened.timeline->seek(place));
    EXPECT_EQ(opened.machine->state_hash(), wanted);
    EXPECT_LT(*opened.replayer->run()->before(~u64{0}), whole.checkpoints.back().step);
}

/// Runs a recording again and holds every checkpoint against it; the first difference, or empty.
std::string check_all(const std::string& path, std::shared_ptr<recording::Source> file) {
    auto opened = Replayer::open(path);
    Replayer& replayer = **opened;
    auto machine = std::move(*replayer.make_machine());
    EXPECT_TRUE(replayer.prepare(*machine));
    CheckpointCheck check(*machine, std::move(file));
    std::string found;
    std::size_t next = 0;
    replayer.on_verified([&](u64 step) {
        const auto& all = replayer.contents().checkpoints;
        if (next == all.size() || all[next].step != step || !found.empty()) return true;
        auto held = check.holds(all[next++]);
        found = held ? *held : held.error().message;
        return true;
    });
    EXPECT_TRUE(replayer.finish(*machine));
    if (found.empty()) EXPECT_EQ(next, replayer.contents().checkpoints.size());
    return found;
}

/// A recording with the payload of one chunk replaced, its checksum right.
std::vector<u8> with_payload(const std::vector<u8>& file, const recording::ChunkPlace& at,
                             recording::ChunkType type, u64 step, std::span<const u8> payload) {
    std::vector<u8> out(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(at.offset));
    const auto chunk = recording::encode(type, step, payload);
    out.insert(out.end(), chunk.begin(), chunk.end());
    out.insert(out.end(), file.begin() + static_cast<std::ptrdiff_t>(at.end()), file.end());
    return out;
}

/// A run that nobody recorded is saved from its history: it replays, its checkpoints are the run's states,
/// and any step that is gone to by them has the straight run's hash.
TEST(SavedRun, IsARecordingOfTheRunThatHistoryHolds) {
    TemporaryFolder folder;
    const std::string path = folder.file("saved");
    const u64 end = boot_length() / 1'000'000 * 1'000'000 + 345'678;
    auto machine = boot_machine();
    Timeline timeline(*machine, 512 << 20, Timeline::DefaultInterval * 1000); // those that are asked for
    std::mt19937_64 random(41);
    for (u64 step = 500'000; step < end; step += 500'000) {
        run_to(*machine, step);
        timeline.pin(step);                                                // every other one is no hash point
        if (step % 3'000'000 == 0) machine->input(KeyInput{{0x1E, 0x9E}}); // at the very step of a checkpoint
        if (random() % 4 == 0) run_to(*machine, step + random() % 400'000), machine->input(SerialInput{"y"});
    }
    run_to(*machine, end);
    const u64 hash = machine->state_hash();
    // From the past it is the same file, also with checkpoints that lie between inputs of the same step.
    auto saved = save_run(*machine, timeline, path, Dense);
    ASSERT_TRUE(saved) << saved.error().message;
    EXPECT_EQ(saved->inputs, machine->input_log().size());
    EXPECT_GT(saved->checkpoints, end / 2'000'000 / 2);
    const auto bytes = read_bytes(path);
    EXPECT_EQ(saved->bytes, bytes.size());
    ASSERT_TRUE(timeline.seek(end / 3));
    ASSERT_TRUE(save_run(*machine, timeline, path, Dense));
    EXPECT_EQ(machine->state_hash(), hash) << "it ends at the run's end";
    EXPECT_EQ(read_bytes(path), bytes);

    EXPECT_EQ(replay(path).value_or(0), hash);
    auto file = recording::open_source(path);
    EXPECT_EQ(check_all(path, *file), "");
    std::vector<u64> places;
    for (int i = 0; i < Places / 4; ++i) places.push_back(1 + random() % (end - 1));
    std::ranges::sort(places);
    const auto straight = straight_hashes(path, places);
    Opened opened(path);
    std::ranges::shuffle(places, random);
    for (u64 place : places) {
        ASSERT_TRUE(opened.timeline->seek(place));
        EXPECT_EQ(opened.machine->state_hash(), straight.at(place)) << place;
    }
    EXPECT_FALSE(opened.replayer->divergence());

    // Nowhere to write to: one line, nothing left behind.
    auto refused = save_run(*machine, timeline, folder.file("no/such"), Dense);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().status, Exit::BadInput);
    // A state that was loaded has no beginning.
    auto loaded = boot_machine();
    ASSERT_TRUE(loaded->restore(machine->save()));
    Timeline from_there(*loaded, 64 << 20);
    EXPECT_FALSE(save_run(*loaded, from_there, path));
}

TEST(Checkpoints, WhatIsForgedIsNotTheStateOfItsStep) {
    const TemporaryFolder folder;
    const std::string path = folder.file("run.vrec");
    record(boot_config(), path, boot_length() + 4'000'000, 4, Dense);
    const auto bytes = std::move(*read_file(path, "recording", 1ull << 30));
    const auto whole = std::move(*recording::parse(bytes, path));
    ASSERT_GE(whole.checkpoints.size(), 4u);
    EXPECT_EQ(check_all(path, *recording::open_source(path)), "");
    for (const std::size_t index : {std::size_t{0}, std::size_t{2}}) { // a whole one and a part
        const auto& place = whole.checkpoints[index];
        const auto pages = std::move(*recording::read_chunk(recording::MemorySource(bytes), place.pages[0]));
        auto payload = pages.payload;
        payload.back() ^= 1;
        const std::string forged = folder.write(
            "forged", with_payload(bytes, place.pages[0], recording::ChunkType::Pages, place.step, payload));
        EXPECT_NE(check_all(forged, *recording::open_source(forged)).find("differs"), std::string::npos);
        // A page that is not there: of all of memory, or of what was written.
        recording::PagesPayload fewer;
        bool first = true;
        ASSERT_TRUE(recording::each_page(pages.payload, [&](Place at, const u8* page) {
            if (!std::exchange(first, false)) fewer.add(at, page);
        }));
        const std::string missing =
            folder.write("missing", with_payload(bytes, place.pages[0], recording::ChunkType::Pages,
                                                 place.step, fewer.take()));
        const std::string what = check_all(missing, *recording::open_source(missing));
        EXPECT_NE(what.find("is missing"), std::string::npos) << what;
        auto state = std::move(*recording::read_chunk(recording::MemorySource(bytes), place.state));
        state.payload.back() ^= 1;
        const std::string other =
            folder.write("other", with_payload(bytes, place.state, recording::ChunkType::Checkpoint,
                                               place.step, state.payload));
        EXPECT_EQ(check_all(other, *recording::open_source(other)), "processors or chips differ");
    }
}

TEST(Checkpoints, HistoryThatIsFullGoesByTheFileUnderWay) {
    const TemporaryFolder folder;
    auto machine = boot_machine();
    auto recorder = Recorder::start(*machine, folder.file("run.vrec"), Dense);
    ASSERT_TRUE(recorder);
    // A history so sparse that only the file's checkpoints are near.
    Timeline timeline(*machine, History::SmallestBudget, 1e9);
    timeline.worth_a_leap(500'000);
    const u64 end = boot_length() + 6'000'000;
    run_to(*machine, end);
    EXPECT_EQ(timeline.last(), end);
    EXPECT_LE(timeline.history().count(), 2u);
    std::mt19937_64 random(6);
    auto reference = boot_machine();
    std::map<u64, u64> wanted;
    for (int i = 0; i < Places / 4; ++i) wanted[1 + random() % end] = 0;
    for (auto& [step, hash] : wanted) run_to(*reference, step), hash = reference->state_hash();
    u64 near = 0;
    for (const auto& [step, hash] : wanted) {
        near += step - timeline.before(step) <= 3'000'000;
        ASSERT_TRUE(timeline.seek(step));
        ASSERT_EQ(machine->state_hash(), hash) << step;
        ASSERT_TRUE(timeline.seek(end)); // each journey begins at the end
    }
    EXPECT_GT(near, wanted.size() / 2) << "the file's checkpoints were not used";
    // What the recorder writes behind the journeys is as if there had been none.
    run_to(*machine, end + 3'000'000);
    RunReport report;
    report.steps = machine->steps(), report.time = machine->time();
    ASSERT_TRUE((*recorder)->finish(report));
    auto replayed = replay(folder.file("run.vrec"));
    ASSERT_TRUE(replayed) << replayed.error().message;
}

TEST(Checkpoints, ARecordingMadeTwiceIsTheSameFileAndChangesNothing) {
    const TemporaryFolder folder;
    const u64 end = boot_length() + 3'000'000;
    const u64 one = record(boot_config(), folder.file("a.vrec"), end, 5, Dense),
              two = record(boot_config(), folder.file("b.vrec"), end, 5, Dense),
              none = record(boot_config(), folder.file("c.vrec"), end, 5, CheckpointSpacing::none());
    EXPECT_EQ(one, two);
    EXPECT_EQ(one, none);
    EXPECT_EQ(*read_file(folder.file("a.vrec"), "a", 1ull << 30),
              *read_file(folder.file("b.vrec"), "b", 1ull << 30));
}

/// What the guest has overwritten with zeroes does not show the image again behind a checkpoint.
TEST(SavedRun, ZeroesOnADiskAreKept) {
    TemporaryFolder folder;
    auto machine = boot_machine();
    Timeline timeline(*machine, 512 << 20, Timeline::DefaultInterval * 1000); // those that are asked for
    ASSERT_EQ(run_to_place(*machine, "prompt").reason, StopReason::Breakpoint);
    machine->input(SerialInput{"dd if=/dev/zero of=/dev/sda bs=4096 count=1 conv=fsync && echo zero''ed\r"});
    ASSERT_EQ(run_to_place(*machine, "console:zeroed").reason, StopReason::Breakpoint);
    const u64 place = (machine->steps() / recording::HashInterval + 2) * recording::HashInterval,
              hash_place = place + 100'000;
    run_to(*machine, place);
    timeline.pin(place);
    run_to(*machine, hash_place);
    const u64 hash = machine->state_hash();
    const std::string path = folder.file("saved");
    auto saved = save_run(*machine, timeline, path, Dense);
    ASSERT_TRUE(saved);
    ASSERT_EQ(saved->checkpoints, 1u) << "a whole one, at the place";
    Opened opened(path);
    ASSERT_TRUE(opened.timeline->seek(hash_place));
    EXPECT_EQ(opened.machine->state_hash(), hash);
}

TEST(Replay, AShellSessionWithDiskWritesReplays) {
    TemporaryFolder folder;
    auto machine = boot_machine();
    auto recorder = Recorder::start(*machine, folder.file("run"));
    ASSERT_TRUE(recorder);
    RunReport report;
    for (const char* command :
         {"cat /etc/motd\r", "ps\r", "hello\r", "echo one two > /tmp/note\r", "poweroff\r"}) {
        ASSERT_EQ(run_to_place(*machine, "prompt").reason, StopReason::Breakpoint)
            << "no prompt before " << command;
        machine->input(SerialInput{command});
    }
    RunLimits last;
    last.host_seconds = 60;
    last.time_limit = machine->time() + 20'000'000'000;
    report = machine->run(last);
    EXPECT_EQ(report.reason, StopReason::PoweredOff)
        << machine->serial_output().substr(machine->serial_output().size() / 2);
    EXPECT_NE(machine->serial_output().find("glass case"), std::string::npos);
    ASSERT_TRUE((*recorder)->finish(report));
    auto replayed = replay(folder.file("run"));
    ASSERT_TRUE(replayed) << replayed.error().message;
    EXPECT_EQ(*replayed, machine->state_hash());
}
#endif

// A recording that lost a hash would be replayed without that state being compared: every checksum is right.
TEST(Replay, AHashThatIsGoneIsTold) {
    const TemporaryFolder folder;
    const std::string path = folder.file("run");
    auto machine = boot_machine();
    auto recorder = Recorder::start(*machine, path);
    ASSERT_TRUE(recorder);
    run_to(*machine, 3'500'000);
    ASSERT_TRUE((*recorder)->finish({}));
    const std::vector<u8> whole = read_bytes(path);
    auto contents = recording::parse(whole, path);
    ASSERT_TRUE(contents);
    ASSERT_EQ(contents->hashes.size(), 3u);
    ASSERT_TRUE(Replayer::open(path));
    for (const u64 gone : {1'000'000, 2'000'000, 3'000'000}) {
        std::vector<u8> rest;
        for (const recording::Chunk& chunk : contents->chunks)
            if (chunk.type != recording::ChunkType::Hash || chunk.step != gone)
                rest.insert(rest.end(), whole.begin() + static_cast<std::ptrdiff_t>(chunk.at.offset),
                            whole.begin() + static_cast<std::ptrdiff_t>(chunk.at.end()));
        auto opened = Replayer::open(folder.write("less", rest));
        ASSERT_FALSE(opened) << gone;
        EXPECT_EQ(opened.error().status, Exit::BadInput);
        EXPECT_NE(opened.error().message.find(fmt::format("the hash of step {} is missing", gone)),
                  std::string::npos)
            << opened.error().message;
    }
}

TEST(Replay, AnOperatorsResetIsPartOfTheLog) {
    TemporaryFolder folder;
    auto machine = boot_machine();
    auto recorder = Recorder::start(*machine, folder.file("run"));
    ASSERT_TRUE(recorder);
    run_to(*machine, 100'000);
    machine->input(ResetInput{});
    run_to(*machine, 250'000);
    ASSERT_TRUE((*recorder)->finish({}));
    auto replayed = replay(folder.file("run"));
    ASSERT_TRUE(replayed) << replayed.error().message;
    EXPECT_EQ(*replayed, machine->state_hash());
}

TEST(Replay, AChangedInputIsADivergenceWithItsInterval) {
    TemporaryFolder folder;
    const std::string path = folder.file("run");
    auto machine = boot_machine();
    auto recorder = Recorder::start(*machine, path);
    ASSERT_TRUE(recorder);
    run_to(*machine, 100'000);
    machine->input(SerialInput{"a"});
    run_to(*machine, 150'000);
    ASSERT_TRUE((*recorder)->finish({}));
    // Rewrite the log with another letter: every checksum is right, the input is not.
    auto contents = recording::parse(read_bytes(path), path);
    ASSERT_TRUE(contents);
    auto file = recording::encode(recording::ChunkType::Configuration, 0,
                                  recording::encode_configuration(contents->config, contents->images));
    LoggedInput changed = contents->inputs[0];
    changed.event = SerialInput{"b"};
    for (const auto& chunk :
         {recording::encode(recording::ChunkType::Input, changed.step, recording::encode_input(changed)),
          recording::encode(recording::ChunkType::End, contents->end->step,
                            recording::encode_end(*contents->end))})
        file.insert(file.end(), chunk.begin(), chunk.end());
    auto replayed = replay(folder.write("changed", file));
    ASSERT_FALSE(replayed);
    EXPECT_EQ(replayed.error().status, Exit::ReplayDiverged);
    EXPECT_NE(replayed.error().message.find("[0, 150000)"), std::string::npos) << replayed.error().message;
}

TEST(Replay, AChangedDiskIsADivergence) {
    TemporaryFolder folder;
    auto image = read_bytes(TEST_DISK);
    const std::string disk = folder.write("disk.img", image);
    MachineConfig config = boot_config();
    config.disks[0].path = disk;
    auto machine = boot_machine(config);
    auto recorder = Recorder::start(*machine, folder.file("run"));
    ASSERT_TRUE(recorder);
    run_to(*machine, boot_length());
    ASSERT_TRUE((*recorder)->finish({}));
    image[440] ^= 1; // in the boot sector, which every boot reads
    folder.write("disk.img", image);
    auto replayed = replay(folder.file("run"));
    ASSERT_FALSE(replayed);
    EXPECT_EQ(replayed.error().status, Exit::ReplayDiverged);
    EXPECT_NE(replayed.error().message.find("has changed since"), std::string::npos)
        << replayed.error().message;
}

TEST(Replay, ATornRecordingReplaysItsPrefix) {
    TemporaryFolder folder;
    const std::string path = folder.file("run");
    record(boot_config(), path, boot_length(), 1);
    auto bytes = read_bytes(path);
    bytes.resize(bytes.size() - 5); // inside the end chunk
    auto replayed = replay(folder.write("torn", bytes));
    EXPECT_TRUE(replayed) << replayed.error().message;
}

TEST(SavedStates, ForgedTimeIsRefusedOrEndsWithTheLimits) {
    auto reference = boot_machine();
    run_to(*reference, 12'345'678);
    const std::vector<u8> good = reference->save();
    const u64 time = reference->time();
    for (const u64 forged : {~u64{0}, ~u64{0} - 1000, u64{1} << 63, u64{1} << 62, time + (u64{1} << 50)}) {
        auto bytes = good;
        unsigned places = 0;
        for (std::size_t at = 0; at + 8 <= bytes.size() && places < 64; ++at)
            if (std::memcmp(bytes.data() + at, &time, 8) == 0)
                std::memcpy(bytes.data() + at, &forged, 8), ++places;
        ASSERT_GT(places, 0u);
        auto machine = boot_machine();
        if (!machine->restore(bytes)) continue;
        RunLimits limits;
        limits.host_seconds = 0.2;
        const auto start = std::chrono::steady_clock::now();
        machine->run(limits);
        const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
        EXPECT_LT(spent.count(), 20) << forged;
    }
}
