// History under its budget: which checkpoint goes when there is no room for all.
//
// The density of checkpoints falls with their distance from the machine's position (exponentially, as in
// design.md §9): the one goes whose absence makes the least difference, relative to how far away it is. Its
// versions pass to the checkpoint before it, where that one has none of the same place.
#include <algorithm>
#include <cmath>
#include "emu/timeline/history.h"

namespace vitrine::emu {

namespace {
constexpr std::size_t AlwaysKept = 8;
}

void History::merge_into_previous(Checkpoints::iterator victim) {
    const u64 step = victim->first;
    Checkpoint& gone = victim->second;
    const bool first = victim == checkpoints_.begin();
    const u64 previous = first ? 0 : std::prev(victim)->first;
    for (Place place : gone.places) {
        // What was written in both intervals has the earlier one's version.
        if (first || versions_.at_or_after(place, previous) != step) {
            versions_.erase(place, step, live(place));
        } else {
            versions_.move(place, step, previous);
            std::prev(victim)->second.places.push_back(place);
        }
    }
    if (!first) std::prev(victim)->second.unexecuted |= gone.unexecuted;
    blob_bytes_ -= gone.blob.size() + gone.video.size() * sizeof gone.video[0];
    checkpoints_.erase(victim);
}

std::unordered_set<u64> History::pinned() const {
    std::unordered_set<u64> out;
    for (const auto& [step, users] : pins_)
        if (u64 at = 0; before(step, at)) out.insert(at);
    return out;
}

void History::thin() {
    if (used() <= budget_) return;
    const std::unordered_set<u64> kept = pinned();
    while (used() > budget_ && checkpoints_.size() > AlwaysKept) {
        const double here = static_cast<double>(machine_.steps());
        auto best = checkpoints_.end();
        double least = INFINITY;
        // The first one holds the start of history, the last one the tip.
        for (auto at = std::next(checkpoints_.begin()); std::next(at) != checkpoints_.end(); ++at) {
            if (at->first == base_ || kept.contains(at->first)) continue;
            const double gap = static_cast<double>(std::next(at)->first - std::prev(at)->first);
            const double distance = std::abs(here - static_cast<double>(at->first)) + 1;
            if (gap / distance < least) least = gap / distance, best = at;
        }
        if (best == checkpoints_.end()) return;
        merge_into_previous(best);
    }
    // A machine that rewrites all of its memory: history starts later rather than growing past its budget.
    while (used() > budget_ && checkpoints_.size() > 2 && checkpoints_.begin()->first != base_)
        merge_into_previous(checkpoints_.begin());
}

} // namespace vitrine::emu
