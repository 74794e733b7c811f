// See radix_tree.h.
#include "lib/radix_tree.h"

#include "mm/slab.h"

namespace kernel {

void* radix_tree_root::find(u64 index) const {
    if (!height_ || index >> (Bits * height_)) return nullptr;
    const Node* node = root_;
    for (unsigned level = height_; level > 1; level--) {
        node = static_cast<const Node*>(node->slots[index >> (Bits * (level - 1)) & (Slots - 1)]);
        if (!node) return nullptr;
    }
    return node->slots[index & (Slots - 1)];
}

Result<void> radix_tree_root::insert(u64 index, void* item) {
    while (!height_ || (Bits * height_ < 64 && index >> (Bits * height_))) { // grow upwards
        auto* node = make<Node>();
        if (!node) return Errno::ENOMEM;
        node->slots[0] = root_;
        root_ = node;
        height_++;
    }
    Node* node = root_;
    for (unsigned level = height_; level > 1; level--) {
        void*& slot = node->slots[index >> (Bits * (level - 1)) & (Slots - 1)];
        if (!slot) slot = make<Node>();
        if (!slot) return Errno::ENOMEM;
        node = static_cast<Node*>(slot);
    }
    node->slots[index & (Slots - 1)] = item;
    return {};
}

void* radix_tree_root::remove(u64 index) {
    if (!height_ || index >> (Bits * height_)) return nullptr;
    Node* node = root_;
    for (unsigned level = height_; level > 1; level--) {
        node = static_cast<Node*>(node->slots[index >> (Bits * (level - 1)) & (Slots - 1)]);
        if (!node) return nullptr;
    }
    void* item = node->slots[index & (Slots - 1)];
    node->slots[index & (Slots - 1)] = nullptr;
    return item;
}

void radix_tree_root::free_node(Node* node, unsigned height) {
    if (!node) return;
    if (height > 1)
        for (void* slot : node->slots) free_node(static_cast<Node*>(slot), height - 1);
    kfree(node);
}

} // namespace kernel
