// A radix tree of 64-way nodes from a page index to a pointer (the page cache's index, as in Linux).
//
// Invariants: height 0 holds nothing; height h covers indexes below 64^h; a node counts its used slots and
// goes with the last one. The caller serialises, with a spin lock: nodes are allocated without sleeping.
#pragma once

#include "lib/result.h"

namespace kernel {

class radix_tree_root {
public:
    static constexpr unsigned Bits = 6, Slots = 1 << Bits;

    void* find(u64 index) const;
    Result<void> insert(u64 index, void* item);
    /// Returns what was there.
    void* remove(u64 index);
    /// The first item at or behind `from`, or null; `index` receives its place.
    void* next(u64 from, u64& index) const;
    /// Calls visit(index, item) in order of index for indexes >= from.
    template <typename Visit> void each(u64 from, Visit visit) const {
        each_in(root_, height_, 0, from, visit);
    }
    void clear() {
        free_node(root_, height_);
        root_ = nullptr;
        height_ = 0;
    }

private:
    struct Node {
        void* slots[Slots];
        u32 count;
    };
    bool covers(u64 index) const { return height_ && (Bits * height_ >= 64 || !(index >> (Bits * height_))); }
    static void* next_in(const Node* node, unsigned height, u64 base, u64 from, u64& index);
    template <typename Visit>
    static void each_in(const Node* node, unsigned height, u64 base, u64 from, Visit& visit) {
        if (!node) return;
        u64 span = u64{1} << (Bits * (height - 1));
        for (unsigned i = 0; i < Slots; i++) {
            u64 begin = base + i * span;
            if (!node->slots[i] || begin + span <= from) continue;
            if (height == 1)
                visit(begin, node->slots[i]);
            else
                each_in(static_cast<const Node*>(node->slots[i]), height - 1, begin, from, visit);
        }
    }
    static void free_node(Node* node, unsigned height);

    Node* root_ = nullptr;
    unsigned height_ = 0;
};

} // namespace kernel
