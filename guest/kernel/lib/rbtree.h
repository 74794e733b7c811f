// Intrusive red-black tree (Cormen et al., chapter 13), with the parent pointer and the colour in one word as
// Linux packs them, so that the host's inspection can draw it from {parent_color, left, right}.
//
// Invariants: the root is black; a red node has black children; every path from a node to its leaves passes
// the same number of black nodes. The caller orders the nodes: it walks down, then calls link() and
// insert_color().
#pragma once

#include "lib/types.h"

namespace kernel {

struct RbNode {
    u64 parent_color = 0; ///< parent pointer | (1 when black)
    RbNode* right = nullptr;
    RbNode* left = nullptr;

    RbNode* parent() const { return reinterpret_cast<RbNode*>(parent_color & ~u64{3}); }
    bool black() const { return parent_color & 1; }
    bool red() const { return !black(); }
    void set_parent(RbNode* parent) { parent_color = reinterpret_cast<u64>(parent) | (parent_color & 1); }
    void set_black() { parent_color |= 1; }
    void set_red() { parent_color &= ~u64{1}; }
};

struct RbRoot {
    RbNode* node = nullptr;

    /// Hangs a red leaf at *slot under `parent` (null for an empty tree), then restores the invariants.
    void insert(RbNode* node, RbNode* parent, RbNode** slot);
    void erase(RbNode* node);
    RbNode* first() const;
    RbNode* last() const;

private:
    void insert_fixup(RbNode* node);
    void erase_fixup(RbNode* node, RbNode* parent);
    void rotate_left(RbNode* node);
    void rotate_right(RbNode* node);
    void replace_child(RbNode* parent, RbNode* old_child, RbNode* new_child);
};

/// A tree that remembers its leftmost node (CFS picks it each time).
struct RbRootCached {
    RbRoot root;
    RbNode* leftmost = nullptr;

    void insert(RbNode* node, RbNode* parent, RbNode** slot, bool is_leftmost);
    void erase(RbNode* node);
};

RbNode* rb_next(const RbNode* node);
RbNode* rb_prev(const RbNode* node);

} // namespace kernel
