// Checkpoints — writes the state of a running machine into its recording now and then: what changed since the
// last time.
//
// Interface: due() at each hash point; then write() with where the chunks go. Invariants: when a checkpoint
// is due follows from the run alone, not from the host's clock, so a recording made twice is the same file;
// the machine is read and never changed. The spacing weighs the cost of writing pages against the way that a
// reader has to run: a machine that changes a lot of memory gets fewer checkpoints. A checkpoint that is
// damaged costs those that build on it: every 32nd one is whole, in a run that changes little (where a whole
// one is large beside the others) every 128th at the latest.
#pragma once
#include <functional>
#include <unordered_map>
#include <unordered_set>
#include <vector>
#include "emu/machine/probes.h"
#include "emu/recorder/format.h"

namespace vitrine::emu {

/// How far apart checkpoints lie, at least.
struct CheckpointSpacing {
    /// The way from a checkpoint is about half a second where little changes; an idle guest, which needs many
    /// minutes for so many steps, writes little.
    u64 steps = 100'000'000;
    /// A page costs about as much as this many steps of the guest, times thirty: three parts in a hundred.
    u64 steps_per_page = 50'000;
    static constexpr CheckpointSpacing none() { return {~u64{0}, 0}; }
};

/// Checkpoints that build on one another, at most; so many where they are small beside a whole one.
inline constexpr u64 LongestChain = 32, LongestQuietChain = 128;

class Checkpoints final : public WriteListener {
public:
    Checkpoints(Machine& machine, CheckpointSpacing spacing) : machine_(machine), spacing_(spacing) {}
    ~Checkpoints() override;

    bool due() const;
    /// Hands out the chunks, in order: pages, then the rest, whose head is returned.
    recording::CheckpointHead write(const std::function<void(std::span<const u8> chunk)>& append);
    u64 written() const { return number_; }

    void frame_written(u32 frame) override;
    void disk_written(unsigned disk, u64 page) override { disk_pages_.insert(disk_place(disk, page)); }

private:
    u64 changed() const { return frames_.size() + disk_pages_.size(); }
    std::vector<Place> all_places() const;
    std::vector<Place> changed_video();
    const u8* bytes_of(Place place) const;
    recording::CheckpointHead head(bool whole);

    Machine& machine_;
    const CheckpointSpacing spacing_;
    u64 number_ = 0, last_step_ = 0;
    u64 last_whole_step_ = 0, pages_of_whole_ = 0, pages_since_whole_ = 0, since_whole_ = 0;
    std::vector<u32> frames_;     ///< written since the last one
    std::vector<bool> is_listed_; ///< by frame
    std::unordered_set<Place> disk_pages_;
    std::unordered_map<u64, u64> video_; ///< page → hash of what was written
    std::size_t phases_ = 0, modes_ = 0;
    u64 console_ = 0; ///< what the checkpoints so far have told
};

} // namespace vitrine::emu
