// Replayer — runs a recording again on a fresh machine and holds every rolling hash against it.
//
// Interface: open() reads and checks the file; make_machine() builds the machine it names; prepare() feeds
// the inputs and hooks the hashes; then run the machine to wherever (at most end_step()); check() says
// whether it diverged and where. A timeline that is made for the machine after prepare() knows the whole
// recorded run, and leaps by its checkpoints; what has been leapt over is not verified.
//
// Divergence is reported as the first interval [a, b) of steps at whose end the state differed, with what is
// known to differ: an image, an input that could not be applied at its step, or the state alone.
#pragma once
#include <memory>
#include <string>
#include "emu/machine.h"
#include "emu/recorder/recorded_run.h"

namespace vitrine::emu {

class Replayer {
public:
    static Expected<std::unique_ptr<Replayer>> open(const std::string& path);

    const recording::Contents& contents() const { return contents_; }
    const std::string& path() const { return path_; }
    const std::shared_ptr<recording::Source>& file() const { return file_; }
    /// The recording's checkpoints; null before prepare(), and when an image has changed since.
    const std::shared_ptr<RecordedRun>& run() const { return run_; }
    /// One line about a torn tail or damaged checkpoints; empty for a whole recording.
    std::string note() const;
    Expected<std::unique_ptr<Machine>> make_machine() const;
    /// REQUIRES: `machine` is at power-on.
    Expected<void> prepare(Machine& machine);
    /// Where the recorded run ended; without an end chunk, the last step that anything is known of.
    u64 end_step() const { return contents_.end ? contents_.end->step : contents_.last_step; }

    /// Runs the machine to the recording's end, when it is not there yet, and verifies the full state there.
    /// Nothing, or an error with Exit::ReplayDiverged.
    Expected<void> finish(Machine& machine);
    /// Called at each of the recording's hash points whose hash is right; false ends the run.
    void on_verified(std::function<bool(u64 step)> sink) { verified_sink_ = std::move(sink); }
    /// What is another image than the recorded one; empty: nothing. After prepare().
    std::string image_difference() const;
    /// The divergence found so far, if any.
    const std::optional<Error>& divergence() const { return divergence_; }

private:
    bool check_hash(u64 step, u64 hash);
    void check_input(const LoggedInput& input);
    bool overlay_was_new(std::size_t index) const;
    void diverged(u64 from, u64 to, std::string what);

    std::string path_;
    std::shared_ptr<recording::Source> file_;
    recording::Contents contents_;
    std::shared_ptr<RecordedRun> run_;
    ImageHashes images_now_;
    Machine* machine_ = nullptr;
    u64 verified_ = 0; ///< the last recorded hash that was found equal
    std::optional<Error> divergence_;
    std::string input_problem_;
    std::function<bool(u64)> verified_sink_;
};

} // namespace vitrine::emu
