// BlockCache — decoded blocks, keyed by physical address, and the map of which memory they came from.
//
// Invariants: a block stays valid until a byte of it is written (by the processor, DMA or a debugger: one
// door, written()) or everything is flushed. Memory of dropped blocks is reclaimed only by flush(), between
// blocks, so a block that drops itself may finish its instruction. Host-side only: nothing here is
// guest-visible.
#pragma once
#include <memory>
#include <unordered_map>
#include <vector>
#include "cpu/decode/op.h"

namespace vitrine::cpu {

class BlockCache {
public:
    explicit BlockCache(Core& core);

    Block* find(const BlockKey& key) const;
    /// Memory for a block of up to `ops` Ops; becomes findable with insert().
    Block* allocate(unsigned ops);
    void insert(Block* block);

    bool has_code(u64 frame) const { return pages_.contains(frame); }
    /// Bytes at `pa` changed: drops overlapping blocks. True when one was dropped.
    bool written(u64 pa, u64 size);
    void flush();
    bool full() const { return used_ > Limit; }

private:
    static constexpr std::size_t Buckets = 1 << 14, ChunkBytes = 1 << 20, Limit = 48u << 20;
    struct Page {
        Block* first = nullptr;
        u64 lines = 0; ///< bit i: a block covers bytes of 64-byte line i
    };
    static std::size_t bucket(const BlockKey& k) {
        const u64 h = (k.physical ^ k.rip << 7 ^ static_cast<u64>(k.flags) << 20 ^
                       static_cast<u64>(k.code_size) << 24) *
                      0x9E3779B97F4A7C15;
        return h >> 50;
    }
    void drop(Block* block);
    void add_to_page(u64 frame, Block* block, unsigned from, unsigned to);

    Core& core_;
    std::vector<Block*> buckets_;
    std::unordered_map<u64, Page> pages_;
    std::unordered_map<u64, std::vector<Block*>> crossing_; ///< by their second frame
    std::vector<std::unique_ptr<u8[]>> chunks_;
    std::size_t chunk_ = 0, at_ = 0, used_ = 0;
};

} // namespace vitrine::cpu
