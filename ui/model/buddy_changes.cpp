// The buddy allocator's changes: see buddy_changes.h.
#include "ui/model/buddy_changes.h"
#include <algorithm>
#include <fmt/format.h>

namespace vitrine::ui {

namespace {
u64 pages_of(const BuddyBlock& block) { return u64{1} << block.order; }
u64 end_of(const BuddyBlock& block) { return block.frame + pages_of(block); }

void put_in_order(std::vector<BuddyBlock>& blocks) {
    std::erase_if(blocks, [](const BuddyBlock& block) { return block.order > 30; });
    std::ranges::sort(blocks, {}, &BuddyBlock::frame);
    std::size_t kept = 0;
    for (const BuddyBlock& block : blocks)
        if (kept == 0 || block.frame >= end_of(blocks[kept - 1])) blocks[kept++] = block;
    blocks.resize(kept);
}
/// The blocks of `among` within [block, its end), and how many pages they have.
std::vector<BuddyBlock> inside(const BuddyBlock& block, const std::vector<BuddyBlock>& among, u64& pages) {
    std::vector<BuddyBlock> out;
    pages = 0;
    for (auto at = std::ranges::lower_bound(among, block.frame, {}, &BuddyBlock::frame);
         at != among.end() && end_of(*at) <= end_of(block); ++at)
        out.push_back(*at), pages += pages_of(*at);
    return out;
}
bool covered(const BuddyBlock& block, const std::vector<BuddyBlock>& among) {
    auto at = std::ranges::upper_bound(among, block.frame, {}, &BuddyBlock::frame);
    return at != among.begin() && end_of(*--at) >= end_of(block);
}
std::string list(const std::vector<BuddyBlock>& blocks) {
    constexpr std::size_t Most = 6;
    std::string out;
    for (std::size_t i = 0; i < std::min(blocks.size(), Most); ++i)
        out += fmt::format("{}{} (order {})", i ? ", " : "", blocks[i].frame, blocks[i].order);
    return blocks.size() > Most ? out + fmt::format(" and {} more", blocks.size() - Most) : out;
}
} // namespace

std::string BuddyChange::text() const {
    const std::string which = fmt::format("frame {}, order {}", block.frame, block.order);
    switch (kind) {
    case Kind::Split: return fmt::format("{}: split, {} pages taken; left: {}", which, pages, list(parts));
    case Kind::Taken: return fmt::format("{}: taken whole, {} pages", which, pages);
    case Kind::Merged:
        return fmt::format("{}: merged of {}{}", which, list(parts),
                           pages ? fmt::format(" and {} pages given back", pages) : std::string());
    case Kind::GivenBack: break;
    }
    return fmt::format("{}: given back, {} pages", which, pages);
}

std::vector<BuddyChange> buddy_changes(std::vector<BuddyBlock> before, std::vector<BuddyBlock> now) {
    using enum BuddyChange::Kind;
    put_in_order(before), put_in_order(now);
    std::vector<BuddyChange> out;
    u64 pages = 0;
    for (const BuddyBlock& block : before) {
        if (covered(block, now)) continue; // as it was, or part of a larger one
        auto parts = inside(block, now, pages);
        const u64 taken = pages_of(block) - pages;
        out.push_back({parts.empty() ? Taken : Split, block, std::move(parts), taken});
    }
    for (const BuddyBlock& block : now) {
        if (covered(block, before)) continue; // as it was, or left of a larger one
        auto parts = inside(block, before, pages);
        const u64 given = pages_of(block) - pages;
        out.push_back({parts.empty() ? GivenBack : Merged, block, std::move(parts), given});
    }
    return out;
}

} // namespace vitrine::ui
