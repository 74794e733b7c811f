// The red-black tree: invariants after every change, order, and the cached leftmost.
#include "lib/rbtree.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

using namespace kernel;

namespace {

struct Item {
    RbNode node;
    u64 key = 0;
};

Item* item_of(RbNode* node) { return CONTAINER_OF(node, Item, node); }

/// Black height, or −1 when an invariant is broken.
int check(const RbNode* node, const RbNode* parent) {
    if (!node) return 1;
    if (node->parent() != parent) return -1;
    if (node->red() && ((node->left && node->left->red()) || (node->right && node->right->red()))) return -1;
    int left = check(node->left, node), right = check(node->right, node);
    if (left < 0 || left != right) return -1;
    return left + (node->black() ? 1 : 0);
}

void insert(RbRootCached& tree, Item* item) {
    RbNode** slot = &tree.root.node;
    RbNode* parent = nullptr;
    bool leftmost = true;
    while (*slot) {
        parent = *slot;
        if (item->key < item_of(parent)->key)
            slot = &parent->left;
        else
            slot = &parent->right, leftmost = false;
    }
    tree.insert(&item->node, parent, slot, leftmost);
}

TEST(KernelRbTree, KeepsItsInvariantsThroughRandomChanges) {
    std::mt19937_64 random(7);
    std::vector<Item> items(500);
    for (Item& item : items) item.key = random() % 300; // with equal keys
    RbRootCached tree;
    std::multiset<u64> model;
    std::vector<bool> inside(items.size());
    for (int step = 0; step < 20000; step++) {
        usize i = random() % items.size();
        if (inside[i]) {
            tree.erase(&items[i].node);
            model.erase(model.find(items[i].key));
        } else {
            insert(tree, &items[i]);
            model.insert(items[i].key);
        }
        inside[i] = !inside[i];
        ASSERT_TRUE(!tree.root.node || tree.root.node->black());
        ASSERT_GE(check(tree.root.node, nullptr), 0) << "step " << step;
        ASSERT_EQ(tree.leftmost, tree.root.first());
    }
    std::vector<u64> forward, backward;
    for (RbNode* node = tree.root.first(); node; node = rb_next(node)) forward.push_back(item_of(node)->key);
    for (RbNode* node = tree.root.last(); node; node = rb_prev(node)) backward.push_back(item_of(node)->key);
    EXPECT_EQ(forward, std::vector<u64>(model.begin(), model.end()));
    EXPECT_EQ(backward, std::vector<u64>(model.rbegin(), model.rend()));
}

TEST(KernelRbTree, EqualKeysKeepTheirOrderOfArrival) {
    RbRootCached tree;
    Item items[20];
    for (Item& item : items) insert(tree, &item);
    usize i = 0;
    for (RbNode* node = tree.root.first(); node; node = rb_next(node)) EXPECT_EQ(item_of(node), &items[i++]);
    EXPECT_EQ(i, 20U);
}

} // namespace
