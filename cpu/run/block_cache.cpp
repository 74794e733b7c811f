// BlockCache: see block_cache.h.
#include "cpu/run/block_cache.h"
#include <algorithm>
#include "cpu/run/core.h"

namespace vitrine::cpu {

BlockCache::BlockCache(Core& core) : core_(core), buckets_(Buckets, nullptr) {}

Block* BlockCache::find(const BlockKey& key) const {
    for (Block* b = buckets_[bucket(key)]; b; b = b->next_in_bucket)
        if (b->key == key) return b;
    return nullptr;
}

Block* BlockCache::allocate(unsigned ops) {
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

void BlockCache::add_to_page(u64 frame, Block* block, unsigned from, unsigned to) {
    auto [it, fresh] = pages_.try_emplace(frame);
    Page& page = it->second;
    for (unsigned line = from / 64; line <= (to - 1) / 64; ++line) page.lines |= u64{1} << line;
    if (block) {
        block->next_in_page = page.first;
        page.first = block;
    }
    if (!fresh) return;
    // The page's first code: no fast write entry may point there any more.
    const PhysicalPage physical = core_.bus.page(frame << 12);
    for (auto& table : core_.write_tables)
        for (FastEntry& e : table)
            if (!(e.tag & 1) && reinterpret_cast<u8*>(e.tag + e.addend) == physical.host) e = {};
}

void BlockCache::insert(Block* block) {
    Block*& head = buckets_[bucket(block->key)];
    block->next_in_bucket = head;
    head = block;
    const unsigned start = block->key.physical & 0xFFF;
    const unsigned end = start + std::max<unsigned>(block->length, 1);
    add_to_page(block->key.physical >> 12, block, start, std::min(end, 0x1000u));
    if (end > 0x1000) {
        add_to_page(block->second_page >> 12, nullptr, 0, end - 0x1000);
        crossing_[block->second_page >> 12].push_back(block);
    }
    ++core_.counters.blocks_built;
}

void BlockCache::drop(Block* block) {
    if (block->dead) return;
    block->dead = true;
    ++core_.counters.blocks_dropped;
    Block** at = &buckets_[bucket(block->key)];
    while (*at && *at != block) at = &(*at)->next_in_bucket;
    if (*at) *at = block->next_in_bucket;
}

bool BlockCache::written(u64 pa, u64 size) {
    bool dropped = false;
    while (size) {
        const u64 frame = pa >> 12;
        const unsigned from = pa & 0xFFF;
        const unsigned part = static_cast<unsigned>(std::min<u64>(size, 0x1000 - from));
        pa += part, size -= part;
        const auto it = pages_.find(frame);
        if (it == pages_.end()) continue;
        u64 touched = 0;
        for (unsigned line = from / 64; line <= (from + part - 1) / 64; ++line) touched |= u64{1} << line;
        if (!(it->second.lines & touched)) continue;
        bool here = false;
        const auto overlaps = [&](unsigned start, unsigned end) { return start < from + part && from < end; };
        Block** at = &it->second.first;
        while (Block* b = *at) {
            const unsigned start = b->key.physical & 0xFFF;
            if (overlaps(start, start + b->length)) {
                *at = b->next_in_page;
                drop(b);
                here = true;
            } else {
                at = &b->next_in_page;
            }
        }
        if (const auto crossers = crossing_.find(frame); crossers != crossing_.end()) {
            std::erase_if(crossers->second, [&](Block* b) {
                const unsigned end = (b->key.physical & 0xFFF) + b->length - 0x1000;
                if (!overlaps(0, end)) return false;
                // Unlink it from its first page as well.
                if (const auto home = pages_.find(b->key.physical >> 12); home != pages_.end())
                    for (Block** p = &home->second.first; *p; p = &(*p)->next_in_page)
                        if (*p == b) {
                            *p = b->next_in_page;
                            break;
                        }
                drop(b);
                here = true;
                return true;
            });
            if (crossers->second.empty()) crossing_.erase(crossers);
        }
        if (!here) continue;
        dropped = true;
        // Links stay inside a page: forget those of the survivors, and rebuild the line map.
        u64 lines = 0;
        for (Block* b = it->second.first; b; b = b->next_in_page) {
            b->link[0] = b->link[1] = nullptr;
            const unsigned start = b->key.physical & 0xFFF,
                           end = std::min(start + std::max<unsigned>(b->length, 1), 0x1000u);
            for (unsigned line = start / 64; line <= (end - 1) / 64; ++line) lines |= u64{1} << line;
        }
        if (const auto crossers = crossing_.find(frame); crossers != crossing_.end())
            for (Block* b : crossers->second)
                for (unsigned line = 0; line <= ((b->key.physical & 0xFFF) + b->length - 0x1000 - 1) / 64;
                     ++line)
                    lines |= u64{1} << line;
        if (lines == 0)
            pages_.erase(it);
        else
            it->second.lines = lines;
        core_.flush_jumps();
    }
    return dropped;
}

void BlockCache::flush() {
    std::ranges::fill(buckets_, nullptr);
    pages_.clear();
    crossing_.clear();
    chunk_ = at_ = used_ = 0;
    core_.link_from = nullptr;
    core_.flush_jumps();
}

} // namespace vitrine::cpu
