// RecordedRun — the checkpoints of a recording as a KnownRun: what the timeline of a replay leaps by, and
// that of a run which is being recorded, where its own checkpoints have become few.
//
// Invariants: nothing is taken from the file unchecked: each chunk's checksum is looked at again when it is
// used, and the machine's rolling hash must be the one that was recorded for that step. What fails once is
// never offered again. Of checkpoints only their places are held in memory.
#pragma once
#include <memory>
#include <set>
#include "emu/recorder/format.h"

namespace vitrine::emu {

class RecordedRun final : public KnownRun {
public:
    /// `contents` without its inputs is copied; `name` for messages.
    RecordedRun(std::shared_ptr<recording::Source> file, const recording::Contents& contents,
                std::string name);
    /// Of a recording that is being written: what has been written is told by add…; its end is not known.
    RecordedRun(std::shared_ptr<recording::Source> file, std::string name);
    void add_hash(recording::LoggedHash hash) { hashes_.push_back(hash); }
    void add_checkpoint(recording::CheckpointPlace place) { checkpoints_.push_back(std::move(place)); }

    u64 end() const override { return end_; }
    std::optional<u64> before(u64 step) const override;
    Expected<State> load(u64 step, const PageSink& sink) override;
    Expected<void> check(u64 step, Machine& machine) override;
    const std::vector<Phase>& phases() const override { return phases_; }
    const std::vector<ModeChange>& modes() const override { return modes_; }

    /// The last checkpoint at which neither this phase had been entered nor this text been shown (empty: it
    /// does not matter).
    std::optional<u64> before_phase(std::string_view phase) const;
    std::optional<u64> before_text(std::string_view text) const;

private:
    Expected<State> read(std::size_t index, const PageSink& sink) const;
    Expected<Machine::HostView> view(std::size_t index) const;
    std::size_t whole_before(std::size_t index) const;

    std::shared_ptr<recording::Source> file_;
    std::string name_;
    std::vector<recording::CheckpointPlace> checkpoints_;
    std::vector<recording::LoggedHash> hashes_;
    std::vector<Phase> phases_;
    std::vector<ModeChange> modes_;
    std::set<u64> refused_;
    u64 end_ = 0;
};

} // namespace vitrine::emu
