// CodeCache: see code_cache.h.
#include "cpu/run/code_cache.h"
#include <algorithm>
#include "cpu/run/core.h"

namespace vitrine::cpu {

CodeCache::CodeCache() : buckets_(Buckets, nullptr) {}
CodeCache::~CodeCache() = default;
void CodeCache::attach(Core& core) { cores_.push_back(&core); }
void CodeCache::detach(Core& core) { std::erase(cores_, &core); }

// ---- blocks -----------------------------------------------------------------------------------------------

Block* CodeCache::find(const BlockKey& key) const {
    for (Block* b = buckets_[bucket(key)]; b; b = b->next_in_bucket)
        if (b->key == key) return b;
    return nullptr;
}

Block* CodeCache::allocate(unsigned ops) {
    const std::size_t size = (sizeof(Block) + ops * sizeof(Op) + 63) & ~std::size_t{63};
    if (chunks_.empty() || at_ + size > ChunkBytes) {
        if (!chunks_.empty()) ++chunk_;
        if (chunk_ >= chunks_.size())
            chunks_.push_back(std::make_unique<u8[]>(ChunkBytes)), chunk_ = chunks_.size() - 1;
        at_ = 0;
    }
    u8* memory = chunks_[chunk_].get() + at_;
    at_ += size, used_ += size;
    return new (memory) Block();
}

void CodeCache::add_to_page(u32 frame, const u8* host, Block* block, unsigned from, unsigned to) {
    if (frame == NoFrame) return; // no memory behind it: its bytes cannot change
    Page& page = pages_[frame];
    page.code.add(from, to);
    if (block) {
        block->next_in_page = page.first;
        page.first = block;
    }
    if (frames_.of(frame) & HasCode) return;
    // The frame's first code: no fast write entry may point there any more.
    frames_.set(frame, HasCode);
    for (Core* core : cores_) core->drop_fast_writes(host);
}

namespace {
u32 frame_of(u64 key_address) { // of BlockKey::physical and Block::second_page
    return key_address >> 12 >= NoFrame ? NoFrame : static_cast<u32>(key_address >> 12);
}
unsigned first_byte(const Block* b) { return b->key.physical & 0xFFF; }
unsigned end_byte(const Block* b) { return first_byte(b) + std::max<unsigned>(b->length, 1); }
} // namespace

void CodeCache::insert(Block* block, const u8* host, const u8* second_host) {
    const std::size_t index = bucket(block->key);
    used_buckets_.push_back(static_cast<u32>(index));
    block->next_in_bucket = buckets_[index];
    buckets_[index] = block;
    const unsigned end = end_byte(block);
    add_to_page(frame_of(block->key.physical), host, block, first_byte(block), std::min(end, 0x1000u));
    const u32 second = frame_of(block->second_page);
    if (end > 0x1000 && second != NoFrame) {
        add_to_page(second, second_host, nullptr, 0, end - 0x1000);
        crossing_[second].push_back(block);
    }
}

/// Makes a block unreachable: from the table and from every processor's jump cache. Its page lists are the
/// caller's.
void CodeCache::forget(Block* block) {
    if (block->dead) return;
    block->dead = true;
    ++dropped_;
    Block** at = &buckets_[bucket(block->key)];
    while (*at && *at != block) at = &(*at)->next_in_bucket;
    if (*at) *at = block->next_in_bucket;
    for (Core* core : cores_) core->forget_jump(block->rip);
}

void CodeCache::drop(Block* block) {
    const u32 frame = frame_of(block->key.physical), second = frame_of(block->second_page);
    if (const auto crossers = crossing_.find(second); crossers != crossing_.end())
        std::erase(crossers->second, block);
    if (const auto home = pages_.find(frame); home != pages_.end())
        for (Block** p = &home->second.first; *p; p = &(*p)->next_in_page)
            if (*p == block) {
                *p = block->next_in_page;
                break;
            }
    forget(block);
}

bool CodeCache::drop_in_page(u32 frame, Page& page, unsigned from, unsigned to) {
    bool any = false;
    const auto overlaps = [&](unsigned start, unsigned end) { return start < to && from < end; };
    for (Block** at = &page.first; Block* b = *at;) {
        if (overlaps(first_byte(b), end_byte(b))) {
            *at = b->next_in_page;
            if (const auto second = crossing_.find(frame_of(b->second_page)); second != crossing_.end())
                std::erase(second->second, b);
            forget(b);
            any = true;
        } else {
            at = &b->next_in_page;
        }
    }
    const auto crossers = crossing_.find(frame);
    if (crossers == crossing_.end()) return any;
    std::vector<Block*> hit;
    for (Block* b : crossers->second)
        if (overlaps(0, end_byte(b) - 0x1000)) hit.push_back(b);
    for (Block* b : hit) drop(b);
    return any || !hit.empty();
}

/// Links stay inside a page: after a drop, those of the survivors are forgotten and the byte map is rebuilt.
void CodeCache::unlink_page(u32 frame, Page& page) {
    page.code = {};
    bool any = false;
    for (Block* b = page.first; b; b = b->next_in_page) {
        b->link[0] = b->link[1] = nullptr;
        page.code.add(first_byte(b), std::min(end_byte(b), 0x1000u));
        any = true;
    }
    if (const auto crossers = crossing_.find(frame); crossers != crossing_.end())
        for (Block* b : crossers->second) page.code.add(0, end_byte(b) - 0x1000), any = true;
    if (any) return;
    pages_.erase(frame);
    crossing_.erase(frame);
    frames_.clear(frame, HasCode);
}

bool CodeCache::drop_overlapping(u32 frame, unsigned offset, unsigned size) {
    const auto it = pages_.find(frame);
    if (it == pages_.end() || !it->second.code.any(offset, offset + size)) return false;
    if (!drop_in_page(frame, it->second, offset, offset + size)) return false;
    unlink_page(frame, it->second);
    for (Core* core : cores_) core->code_dropped();
    return true;
}

void CodeCache::flush() {
    if (used_buckets_.size() < Buckets / 64)
        for (u32 index : used_buckets_) buckets_[index] = nullptr;
    else
        std::ranges::fill(buckets_, nullptr);
    used_buckets_.clear();
    for (const auto& [frame, page] : pages_) frames_.clear(frame, HasCode);
    pages_.clear();
    crossing_.clear();
    chunk_ = at_ = used_ = 0;
    for (Core* core : cores_) core->link_from = nullptr, core->flush_jumps();
}

// ---- memory -----------------------------------------------------------------------------------------------

void CodeCache::set_flags(u32 frame, u8 flags) {
    if ((frames_.of(frame) & flags) == flags) return;
    frames_.set(frame, flags);
    for (Core* core : cores_) core->flush_fast();
}

void CodeCache::set_flags_of_first(u32 count, u8 flags) {
    frames_.set_first(count, flags);
    for (Core* core : cores_) core->flush_fast();
}

void CodeCache::watch_linear(u64 page) {
    if (linear_watches_[page]++) return;
    for (Core* core : cores_) core->flush_fast();
}

void CodeCache::unwatch_linear(u64 page) {
    const auto found = linear_watches_.find(page);
    if (found != linear_watches_.end() && --found->second == 0) linear_watches_.erase(found);
}

/// Host code is about to run in the middle of an instruction.
void CodeCache::give_back_fp() {
    for (Core* core : cores_)
        if (core->running) core->sync_fp();
}
void CodeCache::tell_read(u32 frame, unsigned offset, unsigned size) {
    give_back_fp();
    watches_->watched(frame, offset, size, false);
}
void CodeCache::tell_linear(u64 linear, unsigned size, bool write) {
    give_back_fp();
    watches_->watched_linear(linear, size, write);
}
void CodeCache::tell_write(u32 frame, unsigned offset, unsigned size) {
    const u8 flags = frames_.of(frame);
    frames_.clear(frame, Clean);
    give_back_fp();
    if ((flags & Clean) && first_writes_) first_writes_->first_write(frame);
    if ((flags & WatchedWrite) && watches_) watches_->watched(frame, offset, size, true);
}

// ---- hooks ------------------------------------------------------------------------------------------------

void CodeCache::add_hook(u64 linear) {
    if (hooks_.insert(linear).second) drop_around_hook(linear);
}

void CodeCache::remove_hook(u64 linear) {
    // Blocks that end before the address stay right without the hook; only joining them again is lost.
    hooks_.erase(linear);
}

/// Drops the blocks that run over `linear`: they were decoded before it was hooked. Outside 64-bit mode a
/// block does not know its segment base; but paging keeps the offset in the page, so only blocks that run
/// over that offset of theirs go.
void CodeCache::drop_around_hook(u64 linear) {
    std::vector<Block*> hit;
    for (const auto& [frame, page] : pages_)
        for (Block* b = page.first; b; b = b->next_in_page)
            if (b->key.code_size == 8 ? b->rip <= linear && linear - b->rip < b->length
                                      : linear >> 32 == 0 && ((linear - b->key.physical) & 0xFFF) < b->length)
                hit.push_back(b);
    std::vector<u32> frames;
    for (Block* b : hit) {
        frames.push_back(frame_of(b->key.physical));
        frames.push_back(frame_of(b->second_page));
        drop(b);
    }
    for (u32 frame : frames)
        if (const auto page = pages_.find(frame); page != pages_.end()) unlink_page(frame, page->second);
    if (!hit.empty())
        for (Core* core : cores_) core->code_dropped();
}

} // namespace vitrine::cpu
