// Replayer: see replayer.h.
#include "emu/recorder/replayer.h"
#include <algorithm>
#include <tuple>
#include <fmt/format.h>
#include "emu/load/files.h"

namespace vitrine::emu {

namespace {

/// A run that was recorded while it ran has a hash at every hash point before its end; only one that was
/// saved afterwards has few. A hash that is gone must not pass for a state that was compared.
Expected<void> check_hashes(const recording::Contents& contents, const std::string& path) {
    if (contents.saved) return {};
    const u64 end = contents.end ? contents.end->step : contents.last_step;
    u64 wanted = recording::HashInterval;
    for (const recording::LoggedHash& hash : contents.hashes) {
        if (hash.step != wanted) break;
        wanted += recording::HashInterval;
    }
    if (wanted >= end) return {};
    return bad_input(fmt::format("recording {}: the hash of step {} is missing", path, wanted));
}

} // namespace

Expected<std::unique_ptr<Replayer>> Replayer::open(const std::string& path) {
    auto file = recording::open_source(path);
    if (!file) return std::unexpected(file.error());
    auto contents = recording::parse(**file, path);
    if (!contents) return std::unexpected(contents.error());
    if (auto ok = check_hashes(*contents, path); !ok) return std::unexpected(ok.error());
    auto replayer = std::make_unique<Replayer>();
    replayer->path_ = path;
    replayer->file_ = std::move(*file);
    replayer->contents_ = std::move(*contents);
    return replayer;
}

std::string Replayer::note() const {
    std::string out;
    if (contents_.torn)
        out = fmt::format("recording {} is {} at offset {}: it is replayed up to step {}", path_,
                          contents_.spoilt ? "damaged at its end," : "torn", contents_.torn_at, end_step());
    else if (!contents_.end)
        out = fmt::format("recording {} has no end chunk: it is replayed up to step {}", path_, end_step());
    if (contents_.damaged.empty() && contents_.orphaned.empty()) return out;
    const auto& [damaged, orphaned] = std::tie(contents_.damaged, contents_.orphaned);
    const u64 first =
        std::min(damaged.empty() ? ~u64{0} : damaged.front(), orphaned.empty() ? ~u64{0} : orphaned.front());
    const std::size_t all = damaged.size() + orphaned.size() + contents_.checkpoints.size();
    out += out.empty() ? fmt::format("recording {}: ", path_) : "; ";
    if (damaged.empty())
        out += fmt::format("of its {} checkpoints {} build on one that is gone", all, orphaned.size());
    else
        out += fmt::format("{} of its {} checkpoints {} damaged, {} build on {}", damaged.size(), all,
                           damaged.size() == 1 ? "is" : "are",
                           orphaned.empty() ? "none" : std::to_string(orphaned.size()),
                           damaged.size() == 1 ? "it" : "them");
    out += fmt::format(", the first at step {}: {}", first,
                       contents_.checkpoints.empty() || contents_.checkpoints.front().step > first
                           ? "power-on serves"
                           : "the one before it serves");
    return out;
}

Expected<std::unique_ptr<Machine>> Replayer::make_machine() const {
    MachineConfig config = contents_.config;
    for (std::size_t i = 0; i < config.disks.size(); ++i)
        if (overlay_was_new(i)) config.disks[i].overlay.clear();
    return Machine::create(config);
}

/// A disk that had no overlay yet when the recording began, and has one now, which the recorded run itself
/// may have written: a replay begins with the bare image again. (It writes no overlay.)
bool Replayer::overlay_was_new(std::size_t index) const {
    const DiskConfig& disk = contents_.config.disks[index];
    if (disk.overlay.empty() || !file_exists(disk.overlay)) return false;
    DiskConfig bare = disk;
    bare.overlay.clear();
    auto opened = Disk::open(bare);
    if (!opened) return false; // Machine::create() says why
    const auto hash = (*opened)->base_hash();
    return hash && *hash == contents_.images.disks[index];
}

Expected<void> Replayer::prepare(Machine& machine) {
    auto images = machine.image_hashes();
    if (!images) return std::unexpected(images.error());
    images_now_ = *images;
    for (LoggedInput& input : contents_.inputs)
        if (auto* medium = std::get_if<MediumInput>(&input.event))
            if (auto known = machine.know_medium(*medium); !known) return known;
    for (const LoggedInput& input : contents_.inputs) machine.input_at(input.step, input.event, input.time);
    machine_ = &machine;
    if (image_difference().empty()) {
        run_ = std::make_shared<RecordedRun>(file_, contents_, path_);
        machine.set_known_run(run_);
    }
    machine.on_input([this](const LoggedInput& input) { check_input(input); });
    machine.on_hash(
        recording::HashInterval,
        [this](u64 step, u64 hash) {
            return check_hash(step, hash) && (!verified_sink_ || verified_sink_(step));
        },
        true);
    return {};
}

void Replayer::check_input(const LoggedInput& input) {
    const std::size_t index = machine_->input_log().size() - 1;
    if (index >= contents_.inputs.size()) return;
    const LoggedInput& wanted = contents_.inputs[index];
    if (!input_problem_.empty() || (input.step == wanted.step && input.time == wanted.time)) return;
    input_problem_ =
        fmt::format("input {} was recorded at step {}, time {} ns and applied at step {}, time {} ns", index,
                    wanted.step, wanted.time, input.step, input.time);
}

bool Replayer::check_hash(u64 step, u64 hash) {
    const auto wanted = std::ranges::lower_bound(contents_.hashes, step, {}, &recording::LoggedHash::step);
    if (wanted == contents_.hashes.end()) return true; // beyond the recording
    const u64 from = wanted == contents_.hashes.begin() ? 0 : std::prev(wanted)->step;
    if (wanted->step != step) return true; // a saved one (check_hashes)
    if (wanted->value != hash) {
        diverged(from, step, "the state differs");
        return false;
    }
    verified_ = step;
    return true;
}

std::string Replayer::image_difference() const {
    const ImageHashes& then = contents_.images;
    if (then.bios != images_now_.bios)
        return fmt::format("the firmware {} has changed since", contents_.config.bios_path);
    if (then.kernel != images_now_.kernel)
        return fmt::format("the kernel {} has changed since", contents_.config.kernel_path);
    if (then.initrd != images_now_.initrd)
        return fmt::format("the initrd {} has changed since", contents_.config.initrd_path);
    for (std::size_t i = 0; i < then.disks.size() && i < images_now_.disks.size(); ++i)
        if (then.disks[i] != images_now_.disks[i]) {
            const DiskConfig& disk = contents_.config.disks[i];
            if (disk.overlay.empty()) return fmt::format("disk image {} has changed since", disk.path);
            return fmt::format("disk image {} with its overlay {} is not what it was when the recording "
                               "began (a run writes its overlay when it ends: keep a copy of one that is not "
                               "new)",
                               disk.path, disk.overlay);
        }
    return {};
}

void Replayer::diverged(u64 from, u64 to, std::string what) {
    if (divergence_) return;
    const std::string image = image_difference();
    if (!image.empty()) what += "; " + image;
    if (!input_problem_.empty()) what += "; " + input_problem_;
    divergence_ =
        Error{Exit::ReplayDiverged, fmt::format("replay diverged in steps [{}, {}): {}", from, to, what)};
}

Expected<void> Replayer::finish(Machine& machine) {
    // A machine that ended by itself goes on when the log holds the operator's reset: run as long as there is
    // progress.
    for (u64 before = ~u64{0}; !divergence_ && machine.steps() < end_step() && machine.steps() != before;) {
        before = machine.steps();
        RunLimits limits;
        limits.step_limit = end_step();
        machine.run(limits);
    }
    if (!divergence_ && contents_.end && machine.steps() == end_step() &&
        machine.time() < contents_.end->time) {
        // The recorded run stopped later in virtual time than at the arrival at its last step (halted, or
        // while the next instruction was being fetched).
        RunLimits limits;
        limits.time_limit = contents_.end->time;
        limits.step_limit = contents_.end->step + 1;
        machine.run(limits);
    }
    if (!divergence_) {
        if (machine.steps() < end_step())
            diverged(verified_, end_step(), fmt::format("the run ended at step {}", machine.steps()));
        else if (machine.steps() > end_step())
            return {}; // the caller went on beyond the recording: nothing to compare
        else if (contents_.end && machine.time() != contents_.end->time)
            diverged(verified_, end_step(), "the virtual time differs");
        else if (contents_.end && machine.state_hash() != contents_.end->state_hash)
            diverged(verified_, end_step(), "the final state differs");
        else if (!input_problem_.empty())
            diverged(0, end_step(), "the input log differs");
        else if (machine.inputs_waiting() && contents_.end)
            diverged(verified_, end_step(), "inputs are left over");
        else if (!image_difference().empty())
            divergence_ = Error{Exit::BadInput,
                                fmt::format("every state is as recorded, but {}, in a part that the guest "
                                            "did not use",
                                            image_difference())};
    }
    if (divergence_) return std::unexpected(*divergence_);
    return {};
}

} // namespace vitrine::emu
