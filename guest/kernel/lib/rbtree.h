// Intrusive red-black tree (Cormen et al., chapter 13), with the parent pointer and the colour in one word as
// Linux packs them, so that the host's inspection can draw it from {parent_color, left, right}.
//
// Invariants: the root is black; a red node has black children; every path from a node to its leaves passes
// the same number of black nodes. The caller orders the nodes: it walks down, then calls link() and
// insert_color().
#pragma once

#include "lib/types.h"

namespace kernel {

struct rb_node {
    u64 __rb_parent_color = 0; ///< parent pointer | (1 when black)
    struct rb_node* rb_right = nullptr;
    struct rb_node* rb_left = nullptr;

    struct rb_node* parent() const { return reinterpret_cast<struct rb_node*>(__rb_parent_color & ~u64{3}); }
    bool black() const { return __rb_parent_color & 1; }
    bool red() const { return !black(); }
    void set_parent(struct rb_node* parent) {
        __rb_parent_color = reinterpret_cast<u64>(parent) | (__rb_parent_color & 1);
    }
    void set_black() { __rb_parent_color |= 1; }
    void set_red() { __rb_parent_color &= ~u64{1}; }
};

struct rb_root {
    struct rb_node* rb_node = nullptr;

    /// Hangs a red leaf at *slot under `parent` (null for an empty tree), then restores the invariants.
    void insert(struct rb_node* node, struct rb_node* parent, struct rb_node** slot);
    void erase(struct rb_node* node);
    struct rb_node* first() const;
    struct rb_node* last() const;

private:
    void insert_fixup(struct rb_node* node);
    void erase_fixup(struct rb_node* node, struct rb_node* parent);
    void rotate_left(struct rb_node* node);
    void rotate_right(struct rb_node* node);
    void replace_child(struct rb_node* parent, struct rb_node* old_child, struct rb_node* new_child);
};

/// A tree that remembers its leftmost node (CFS picks it each time).
struct rb_root_cached {
    struct rb_root rb_root;
    struct rb_node* rb_leftmost = nullptr;

    void insert(struct rb_node* node, struct rb_node* parent, struct rb_node** slot, bool is_leftmost);
    void erase(struct rb_node* node);
};

struct rb_node* rb_next(const struct rb_node* node);
struct rb_node* rb_prev(const struct rb_node* node);

} // namespace kernel
