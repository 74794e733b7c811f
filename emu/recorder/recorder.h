// Recorder — writes a machine's configuration, inputs, rolling hashes and checkpoints to a recording as the
// machine runs.
//
// Interface: start() on a machine at power-on, then run the machine as usual, then finish() with its last
// report. Without finish() (a crash, a full disk) the file still opens up to its last whole chunk. Invariant:
// recording reads the machine and never changes it (law 4).
// Behind the last chunk there may be a *provisional* hash of the place that the run has reached since: an
// idle guest takes many seconds for the steps to the next hash point. The next chunk overwrites it, so that
// the finished file depends on the run alone. A timeline that is made for the machine after start() knows
// what has been written so far: where its memory is full, the file has the checkpoints.
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include "emu/machine.h"
#include "emu/recorder/checkpoints.h"

namespace vitrine::emu {

class RecordedRun;

/// Holds an open recording for writing, until it is closed; false when somebody else does.
bool hold_recording(int file);
/// A run is being recorded to the file at `path`.
bool being_written(const std::string& path);

class Recorder {
public:
    static Expected<std::unique_ptr<Recorder>> start(Machine& machine, const std::string& path,
                                                     CheckpointSpacing spacing = {});
    ~Recorder();
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;

    /// Called between two runs of the machine, as often as one likes: once a second, or at once when `now`,
    /// the file learns how far the run is.
    void keep_up(bool now = false);
    /// Writes the end chunk with the full state hash and closes the file. Where the machine is in the past,
    /// the file stays as a writer that was killed leaves it: its last chunk is its end.
    Expected<void> finish(const RunReport& report);
    /// The first write error, once there is one; later chunks are then dropped.
    const std::string& error() const { return error_; }

private:
    Recorder(Machine& machine, std::string path, int file, CheckpointSpacing spacing);
    bool append(std::span<const u8> chunk);
    void sync();
    void end_early(u64 step);
    void write_checkpoint();

    Machine& machine_;
    std::string path_, error_;
    int file_;
    u64 size_ = 0;        ///< bytes of whole chunks
    u64 provisional_ = 0; ///< the step of the provisional hash; 0: there is none
    u64 furthest_ = 0;    ///< the step of the last chunk: a recording knows one course of time only
    std::shared_ptr<RecordedRun> so_far_;
    Checkpoints checkpoints_;
    class Syncer;
    std::unique_ptr<Syncer> syncer_;
    std::chrono::steady_clock::time_point synced_{}, written_{};
};

} // namespace vitrine::emu
