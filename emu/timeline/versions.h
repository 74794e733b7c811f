// Versions — the contents that places (RAM frames, pages of disks' overlays) had at checkpoints.
//
// A place's version with step s is its content at the checkpoint at s; what it had at step k is its earliest
// version with step >= k, and without one, what it has now ("live"). Most pages change in a few lines of 64
// bytes, so a version is held as a *patch* where that is shorter: the lines in which it differs from what
// comes next, the following version or, behind the last one, the live page. What new memory costs the host
// (a page fault, often in two kernels) is the larger part of what history costs the run.
//
// Invariants
// - Every call leaves the contents of all versions but the named one as they were.
// - While the last version of a place is a patch, the live page is what it was made against: whoever changes
//   the page adds a version of it before (History::capture), or calls settle().
// - At most LongestChain patches follow one another.
#pragma once
#include <memory>
#include <unordered_map>
#include <vector>
#include "emu/timeline/known_run.h"
#include "emu/timeline/page.h"

namespace vitrine::emu {

class Versions {
public:
    static constexpr unsigned LongestChain = 32;

    explicit Versions(PageStore& pages) : pages_(pages) {}

    /// The step of the earliest version at or behind `step`.
    std::optional<u64> at_or_after(Place place, u64 step) const;
    bool has(Place place, u64 step) const { return at_or_after(place, step) == step; }
    /// REQUIRES: there is none of this step; as the last one, `page` is the live content. Null: a page of a
    /// disk that shows the image.
    void add(Place place, u64 step, PageStore::Page page, const u8* live);
    /// REQUIRES: there is one at or behind `step`. `live` is null where a place is never patched: disks.
    PageStore::Page content(Place place, u64 step, const u8* live) const;
    void erase(Place place, u64 step, const u8* live);
    /// A version is of another step from now on; the order stays.
    void move(Place place, u64 from, u64 to);
    /// The next checkpoint is taken where `live` is the content: the version of `step` is made as small as
    /// can be, and shared with equal ones.
    void compact(Place place, u64 step, const u8* live);
    /// The live page is about to change, and the last version is as old as that.
    void settle(Place place, const u8* live);

    u64 count() const { return count_; }
    u64 patch_bytes() const { return patch_bytes_; }
    template <class Visit> void each_place(Visit&& visit) const {
        for (std::size_t i = 0; i < frames_.size(); ++i)
            for (std::size_t k = 0; frames_[i] && k < BlockFrames; ++k)
                if (!(*frames_[i])[k].empty()) visit(static_cast<Place>(i * BlockFrames + k));
        for (const auto& [place, list] : others_)
            if (!list.empty()) visit(place);
    }

private:
    static constexpr unsigned LineBytes = 64, MostLines = 40;
    static constexpr std::size_t BlockFrames = 256;
    struct Patch {
        u64 lines = 0;                                           ///< a bit each
        std::unique_ptr<std::array<u8, LineBytes>[]> bytes = {}; ///< of those lines, in order
        std::size_t size() const;
    };
    struct Version {
        u64 step;
        PageStore::Page page; ///< null: a patch, or a disk's page that shows the base image
        Patch patch;
        bool patched = false;
    };
    using List = std::vector<Version>; ///< by step

    List& list(Place place);
    const List* find(Place place) const;
    static List::iterator exactly(List& list, u64 step);
    static void apply(const Patch& patch, u8* page);
    PageStore::Page resolve(const List& list, std::size_t index, const u8* live) const;
    void make_whole(List& list, std::size_t index, const u8* live);
    void set_patch(Version& version, u64 lines, const u8* from);

    PageStore& pages_;
    std::vector<std::unique_ptr<std::array<List, BlockFrames>>> frames_;
    std::unordered_map<Place, List> others_;
    u64 count_ = 0, patch_bytes_ = 0;
};

} // namespace vitrine::emu
