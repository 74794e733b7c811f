// CheckpointCheck — holds the checkpoints of a recording against a machine that runs it again.
//
// Interface: make one before the machine runs; at the step of each usable checkpoint, in order, call holds().
// A second machine is not needed: every page that a checkpoint names must be as it is in memory, whatever was
// written since the checkpoint before must be named, and the state of processors and chips must be the same
// bytes. By induction that is the whole state. Invariant: the machine is read and never changed.
#pragma once
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include "emu/machine/probes.h"
#include "emu/recorder/format.h"

namespace vitrine::emu {

class CheckpointCheck final : public WriteListener {
public:
    CheckpointCheck(Machine& machine, std::shared_ptr<recording::Source> file);
    ~CheckpointCheck() override;

    /// REQUIRES: the machine stands at the checkpoint's step, before the inputs of that step or behind them.
    /// Nothing, or what differs; what cannot be read is an error of its own (Exit::BadInput).
    Expected<std::string> holds(const recording::CheckpointPlace& checkpoint);

    void frame_written(u32 frame) override { written_.insert(frame); }
    void disk_written(unsigned disk, u64 page) override { written_.insert(disk_place(disk, page)); }

private:
    const u8* bytes_of(Place place) const;
    std::string name_of(Place place) const;
    std::string unnamed(const recording::CheckpointPlace& checkpoint, const std::unordered_set<Place>& named);

    Machine& machine_;
    std::shared_ptr<recording::Source> file_;
    std::unordered_set<Place> written_;  ///< since the last checkpoint
    std::unordered_map<u64, u64> video_; ///< page of display memory → hash of what was recorded
};

} // namespace vitrine::emu
