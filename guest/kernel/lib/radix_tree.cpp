// See radix_tree.h.
#include "lib/radix_tree.h"

#include "mm/slab.h"

namespace kernel {

void* radix_tree_root::find(u64 index) const {
    if (!covers(index)) return nullptr;
    const Node* node = root_;
    for (unsigned level = height_; level > 1; level--) {
        node = static_cast<const Node*>(node->slots[index >> (Bits * (level - 1)) & (Slots - 1)]);
        if (!node) return nullptr;
    }
    return node->slots[index & (Slots - 1)];
}

Result<void> radix_tree_root::insert(u64 index, void* item) {
    auto new_node = [] { return static_cast<Node*>(kzalloc(sizeof(Node), GFP_ATOMIC)); };
    while (!covers(index)) { // grow upwards
        Node* node = new_node();
        if (!node) return Errno::ENOMEM;
        node->slots[0] = root_;
        node->count = root_ ? 1 : 0;
        root_ = node;
        height_++;
    }
    Node* node = root_;
    for (unsigned level = height_; level > 1; level--) {
        void*& slot = node->slots[index >> (Bits * (level - 1)) & (Slots - 1)];
        if (!slot) {
            if (!(slot = new_node())) return Errno::ENOMEM;
            node->count++;
        }
        node = static_cast<Node*>(slot);
    }
    void*& slot = node->slots[index & (Slots - 1)];
    if (!slot) node->count++;
    slot = item;
    return {};
}

void* radix_tree_root::remove(u64 index) {
    if (!covers(index)) return nullptr;
    Node* path[64 / Bits + 2];
    Node* node = root_;
    for (unsigned level = height_; level > 1; level--) {
        path[level] = node;
        node = static_cast<Node*>(node->slots[index >> (Bits * (level - 1)) & (Slots - 1)]);
        if (!node) return nullptr;
    }
    path[1] = node;
    void* item = node->slots[index & (Slots - 1)];
    if (!item) return nullptr;
    node->slots[index & (Slots - 1)] = nullptr;
    for (unsigned level = 1; --path[level]->count == 0; level++) { // empty nodes go, from the leaf up
        kfree(path[level]);
        if (level == height_) {
            root_ = nullptr;
            height_ = 0;
            break;
        }
        path[level + 1]->slots[index >> (Bits * level) & (Slots - 1)] = nullptr;
    }
    return item;
}

void* radix_tree_root::next_in(const Node* node, unsigned height, u64 base, u64 from, u64& index) {
    unsigned shift = Bits * (height - 1);
    for (u64 i = from > base ? (from - base) >> shift : 0; i < Slots; i++) {
        if (!node->slots[i]) continue;
        u64 begin = base + (i << shift);
        if (height == 1) {
            index = begin;
            return node->slots[i];
        }
        if (void* item = next_in(static_cast<const Node*>(node->slots[i]), height - 1, begin, from, index))
            return item;
    }
    return nullptr;
}

void* radix_tree_root::next(u64 from, u64& index) const {
    return covers(from) ? next_in(root_, height_, 0, from, index) : nullptr;
}

void radix_tree_root::free_node(Node* node, unsigned height) {
    if (!node) return;
    if (height > 1)
        for (void* slot : node->slots) free_node(static_cast<Node*>(slot), height - 1);
    kfree(node);
}

} // namespace kernel
