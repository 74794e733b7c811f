// Versions: see versions.h.
#include "emu/timeline/versions.h"
#include <algorithm>
#include <bit>
#include <cstring>

namespace vitrine::emu {

std::size_t Versions::Patch::size() const {
    return static_cast<std::size_t>(std::popcount(lines)) * LineBytes;
}

Versions::List& Versions::list(Place place) {
    if (place >> 32) return others_[place];
    const std::size_t block = place / BlockFrames;
    if (block >= frames_.size()) frames_.resize(block + 1);
    if (!frames_[block]) frames_[block] = std::make_unique<std::array<List, BlockFrames>>();
    return (*frames_[block])[place % BlockFrames];
}

const Versions::List* Versions::find(Place place) const {
    if (place >> 32) {
        const auto found = others_.find(place);
        return found == others_.end() ? nullptr : &found->second;
    }
    const std::size_t block = place / BlockFrames;
    return block < frames_.size() && frames_[block] ? &(*frames_[block])[place % BlockFrames] : nullptr;
}

std::optional<u64> Versions::at_or_after(Place place, u64 step) const {
    const List* all = find(place);
    if (!all || all->empty() || all->back().step < step)
        return std::nullopt; // most often, while a machine runs
    return std::ranges::lower_bound(*all, step, {}, &Version::step)->step;
}

Versions::List::iterator Versions::exactly(List& list, u64 step) {
    return std::ranges::lower_bound(list, step, {}, &Version::step);
}

// ---- patches ----------------------------------------------------------------------------------------------

void Versions::apply(const Patch& patch, u8* page) {
    std::size_t next = 0;
    for (u64 lines = patch.lines; lines; lines &= lines - 1)
        std::memcpy(page + static_cast<unsigned>(std::countr_zero(lines)) * LineBytes,
                    patch.bytes[next++].data(), LineBytes);
}

void Versions::set_patch(Version& version, u64 lines, const u8* from) {
    Patch fresh;
    fresh.lines = lines;
    if (lines)
        fresh.bytes = std::make_unique_for_overwrite<std::array<u8, LineBytes>[]>(fresh.size() / LineBytes);
    std::size_t next = 0;
    for (u64 rest = lines; rest; rest &= rest - 1)
        std::memcpy(fresh.bytes[next++].data(),
                    from + static_cast<unsigned>(std::countr_zero(rest)) * LineBytes, LineBytes);
    patch_bytes_ += fresh.size() - version.patch.size();
    version.patch = std::move(fresh);
    version.patched = true;
    version.page.reset();
}

/// Goes to the next one that is whole, and lays the patches over it on the way back.
PageStore::Page Versions::resolve(const List& list, std::size_t index, const u8* live) const {
    if (!list[index].patched) return list[index].page;
    std::size_t whole = index + 1;
    while (whole < list.size() && list[whole].patched) ++whole;
    PageStore::Content bytes;
    std::memcpy(bytes.data(), whole < list.size() ? list[whole].page->data() : live, bytes.size());
    while (whole-- > index) apply(list[whole].patch, bytes.data());
    return pages_.copy(bytes.data());
}

void Versions::make_whole(List& list, std::size_t index, const u8* live) {
    Version& version = list[index];
    if (!version.patched) return;
    version.page = resolve(list, index, live);
    patch_bytes_ -= version.patch.size();
    version.patch = {};
    version.patched = false;
}

// ---- versions ---------------------------------------------------------------------------------------------

void Versions::add(Place place, u64 step, PageStore::Page page, const u8* live) {
    List& all = list(place);
    const auto at = std::ranges::upper_bound(all, step, {}, &Version::step);
    const auto index = static_cast<std::size_t>(at - all.begin());
    // What lies before it is a patch of what lies behind it.
    if (index > 0 && index < all.size()) make_whole(all, index - 1, live);
    all.insert(all.begin() + static_cast<std::ptrdiff_t>(index), Version{step, std::move(page), {}});
    ++count_;
}

PageStore::Page Versions::content(Place place, u64 step, const u8* live) const {
    const List& all = *find(place);
    const auto at = std::ranges::lower_bound(all, step, {}, &Version::step);
    return resolve(all, static_cast<std::size_t>(at - all.begin()), live);
}

void Versions::erase(Place place, u64 step, const u8* live) {
    List& all = list(place);
    const auto gone = exactly(all, step);
    if (gone != all.begin() && std::prev(gone)->patched) {
        // The one before it was a patch of this one, and becomes one of the next.
        Version& before = *std::prev(gone);
        const auto index = static_cast<std::size_t>(gone - all.begin());
        const PageStore::Page content = resolve(all, index - 1, live);
        const u64 lines = before.patch.lines | gone->patch.lines;
        if (gone->patched && static_cast<unsigned>(std::popcount(lines)) <= MostLines) {
            set_patch(before, lines, content->data());
        } else {
            make_whole(all, index - 1, live);
        }
    }
    patch_bytes_ -= gone->patch.size();
    all.erase(gone);
    --count_;
}

void Versions::move(Place place, u64 from, u64 to) { exactly(list(place), from)->step = to; }

void Versions::compact(Place place, u64 step, const u8* live) {
    List& all = list(place);
    const auto at = exactly(all, step);
    if (at == all.end() || at->step != step || at->patched || !at->page || at->page == pages_.zero()) return;
    const auto index = static_cast<std::size_t>(at - all.begin());
    const u8* next = live;
    if (index + 1 < all.size()) next = all[index + 1].patched ? nullptr : all[index + 1].page->data();
    unsigned chain = 0;
    while (chain < LongestChain && chain < index && all[index - chain - 1].patched) ++chain;
    if (next && chain < LongestChain) {
        u64 lines = 0;
        for (unsigned line = 0; line < PageStore::Bytes / LineBytes; ++line)
            lines |=
                u64{std::memcmp(at->page->data() + line * LineBytes, next + line * LineBytes, LineBytes) != 0}
                << line;
        if (static_cast<unsigned>(std::popcount(lines)) <= MostLines) {
            const PageStore::Page page = at->page;
            return set_patch(*at, lines, page->data());
        }
    }
    at->page = pages_.share(std::move(at->page));
}

void Versions::settle(Place place, const u8* live) {
    List& all = list(place);
    if (!all.empty()) make_whole(all, all.size() - 1, live);
}

} // namespace vitrine::emu
