// History — the past of a running machine: checkpoints that cost what changed, under a memory budget.
//
// A checkpoint holds the machine without its memory (a blob), and memory is kept as *versions*: the version
// of a place (a RAM frame, or a page of a disk's overlay) with step s is its content at the checkpoint at s,
// taken just before the first write after it. The content of a place at checkpoint k is its earliest version
// with step >= k; without one, it has not changed since.
//
// Invariants
// - The machine stands at `base` plus what it has executed since; `dirty` are the places written since then.
//   Each of them has a version with step base.
// - Before a place is overwritten by travel, its content at the end of the known run (`tip`) has a version.
// - Taking, thinning and travelling change nothing that the guest sees (laws 1, 3 and 4).
// - used() stays below the budget as far as thinning can help: the tip, the base, what is pinned and the last
//   few stay.
//
// Display memory is compared page by page when a checkpoint is taken, because its chip writes it itself.
//
// A *leap* puts the machine to a state that a recording holds, without running what lies between: as if one
// instruction had written all that differs. The interval before such a checkpoint is unexecuted: what was
// written there and put back is not known until it is run.
#pragma once
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <vector>
#include "emu/machine.h"
#include "emu/machine/probes.h"
#include "emu/timeline/known_run.h"
#include "emu/timeline/page.h"
#include "emu/timeline/versions.h"

namespace vitrine::emu {

/// Places in the order in which they were put in; quick for RAM frames, which are nearly all of them.
class PlaceList {
public:
    /// False: it was there.
    bool insert(Place place) {
        if (place < (Place{1} << 32)) {
            if (place >= frames_.size()) frames_.resize(std::max<std::size_t>(place + 1, frames_.size() * 2));
            if (frames_[place]) return false;
            frames_[place] = true;
        } else if (!others_.insert(place).second) {
            return false;
        }
        list_.push_back(place);
        return true;
    }
    bool contains(Place place) const {
        return place < (Place{1} << 32) ? place < frames_.size() && frames_[place] : others_.contains(place);
    }
    void clear() {
        for (Place place : list_)
            if (place < (Place{1} << 32)) frames_[place] = false;
        others_.clear(), list_.clear();
    }
    auto begin() const { return list_.begin(); }
    auto end() const { return list_.end(); }

private:
    std::vector<Place> list_;
    std::vector<bool> frames_;
    std::unordered_set<Place> others_;
};

class History final : public WriteListener {
public:
    static constexpr u64 SmallestBudget = 16 << 20;

    /// Starts with a checkpoint where the machine stands.
    History(Machine& machine, u64 budget_bytes);
    ~History() override;

    /// A checkpoint here, unless there is one.
    void take();
    /// The last checkpoint at or before `step`; false when history starts later.
    bool before(u64 step, u64& found) const;
    /// The first checkpoint behind `step`.
    std::optional<u64> after(u64 step) const;
    /// Puts the machine to the checkpoint that before() found for `step`.
    Expected<void> restore(u64 step);
    /// Puts the machine to the state that `run` has at `step`, and takes a checkpoint there. On an error the
    /// machine stands at the checkpoint before.
    Expected<void> leap(KnownRun& run, u64 step);
    /// Phases and modes that a recording knows of, beyond what has been run.
    void learn_ahead(const KnownRun& run);
    /// The known run ends here and now: what came later is forgotten.
    void forget_future();

    u64 first() const { return checkpoints_.begin()->first; }
    /// The last step of the known run.
    u64 tip() const;
    u64 base() const { return base_; }
    /// Nobody has run what follows here: the end of the known run, or a part that was leapt over.
    bool untrodden() const {
        return base_ == checkpoints_.rbegin()->first || checkpoints_.find(base_)->second.unexecuted;
    }
    /// The parts, from step to step, that were leapt over and nobody has run, in order.
    std::vector<std::pair<u64, u64>> unexecuted() const;
    std::size_t count() const { return checkpoints_.size(); }
    std::vector<u64> steps() const;
    /// Bytes that all of it takes, approximately.
    u64 used() const {
        return pages_.used() + versions_.patch_bytes() + blob_bytes_ + versions_.count() * BytesPerVersion;
    }
    u64 budget() const { return budget_; }
    /// How often a page that was held already served instead of a copy.
    u64 shared_pages() const { return pages_.shared(); }
    /// Thinning leaves the checkpoint at or before `step`: there is a mark. Counted.
    void pin(u64 step) { ++pins_[step]; }
    void unpin(u64 step) {
        if (const auto at = pins_.find(step); at != pins_.end() && --at->second == 0) pins_.erase(at);
    }
    /// Copies made for first writes so far: what history costs the run.
    u64 copies() const { return copies_; }
    /// Phases and processor modes of the whole known run, also of what lies ahead of the machine.
    const std::vector<Phase>& phases() const { return phases_; }
    const std::vector<ModeChange>& modes() const { return modes_; }
    /// Whether this frame may have been written between this checkpoint and the next.
    bool written_after(u64 checkpoint, u32 frame) const;
    /// The same for a 4 KiB page of a disk.
    bool disk_written_after(u64 checkpoint, unsigned disk, u64 page) const;

    // What a recording is made of afterwards (emu/recorder/saved_run.h). REQUIRES: the machine stands at
    // tip().
    struct Kept {
        u64 step, time, hash; ///< hash: Machine::rolling_hash() there
        std::size_t inputs;
        bool unexecuted; ///< what was written behind it is not all known
    };
    std::vector<Kept> kept() const;
    std::span<const u8> blob(u64 checkpoint) const { return checkpoints_.find(checkpoint)->second.blob; }
    Machine::HostView view(u64 checkpoint) const { return host_view(checkpoints_.find(checkpoint)->second); }
    const PageStore::Page& zero_page() const { return pages_.zero(); }
    /// A place at a checkpoint; null: the disk's image shows.
    PageStore::Page content(Place place, u64 checkpoint) const;
    template <class Visit> void each_place_ever_written(Visit&& visit) const { versions_.each_place(visit); }
    template <class Visit> void each_place_written_after(u64 checkpoint, Visit&& visit) const {
        for (Place place : checkpoints_.find(checkpoint)->second.places) visit(place);
    }
    template <class Visit> void each_video_page(u64 checkpoint, Visit&& visit) const {
        for (const auto& [page, content] : checkpoints_.find(checkpoint)->second.video) visit(page, content);
    }

    void frame_written(u32 frame) override;
    void disk_written(unsigned disk, u64 page) override;

private:
    static constexpr u64 BytesPerVersion = 96;

    struct Checkpoint {
        u64 time = 0;
        std::vector<u8> blob;
        std::size_t chips = 0; ///< bytes of the blob that the rolling hash is of
        std::size_t inputs = 0, phases = 0, modes = 0;
        u64 serial_total = 0;
        std::vector<std::pair<u32, PageStore::Page>> video; ///< pages that are not zero, in order
        std::vector<Place> places;                          ///< with a version of this step, each once
        bool unexecuted = false; ///< the run from here to the next one was leapt over
    };
    using Checkpoints = std::map<u64, Checkpoint>;

    void capture(Place place);
    void add_version(Place place, u64 step, PageStore::Page page);
    const u8* live(Place place) const;
    PageStore::Page read(Place place) const;
    void put(Place place, const PageStore::Page& page);
    void replace(Place place, const u8* bytes);
    bool has(Place place) const;
    Expected<void> put_state(KnownRun& run, u64 step);
    Expected<void> put_back(u64 target);
    void restore_video(const Checkpoint& to);
    void learn_host();
    Machine::HostView host_view(const Checkpoint& at) const;
    void all_clean();
    void split(u64 from, u64 at);
    void thin();
    void merge_into_previous(Checkpoints::iterator victim);
    std::unordered_set<u64> pinned() const;

    Machine& machine_;
    const u64 budget_;
    PageStore pages_;
    Versions versions_{pages_};
    Checkpoints checkpoints_;
    std::map<u64, unsigned> pins_; ///< step → users
    PlaceList dirty_;
    std::vector<bool> touched_; ///< frames that may hold anything but zero
    u64 base_ = 0;
    u64 blob_bytes_ = 0, copies_ = 0;
    // The whole known run, for prefixes.
    std::vector<Phase> phases_;
    std::vector<ModeChange> modes_;
    std::string console_;
    u64 console_total_ = 0; ///< bytes that COM1 had sent at the end of console_
};

} // namespace vitrine::emu
