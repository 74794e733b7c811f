// The red-black tree: invariants after every change, order, and the cached leftmost.
#include "lib/rbtree.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

using namespace kernel;

namespace {

struct Item {
    struct rb_node node;
    u64 key = 0;
};

Item* item_of(struct rb_node* node) { return container_of(node, Item, node); }

/// Black height, or −1 when an invariant is broken.
int check(const struct rb_node* node, const struct rb_node* parent) {
    if (!node) return 1;
    if (node->parent() != parent) return -1;
    if (node->red() && ((node->rb_left && node->rb_left->red()) || (node->rb_right && node->rb_right->red())))
        return -1;
    int left = check(node->rb_left, node), right = check(node->rb_right, node);
    if (left < 0 || left != right) return -1;
    return left + (node->black() ? 1 : 0);
}

void insert(rb_root_cached& tree, Item* item) {
    struct rb_node** slot = &tree.rb_root.rb_node;
    struct rb_node* parent = nullptr;
    bool leftmost = true;
    while (*slot) {
        parent = *slot;
        if (item->key < item_of(parent)->key)
            slot = &parent->rb_left;
        else
            slot = &parent->rb_right, leftmost = false;
    }
    tree.insert(&item->node, parent, slot, leftmost);
}

TEST(KernelRbTree, KeepsItsInvariantsThroughRandomChanges) {
    std::mt19937_64 random(7);
    std::vector<Item> items(500);
    for (Item& item : items) item.key = random() % 300; // with equal keys
    rb_root_cached tree;
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
        ASSERT_TRUE(!tree.rb_root.rb_node || tree.rb_root.rb_node->black());
        ASSERT_GE(check(tree.rb_root.rb_node, nullptr), 0) << "step " << step;
        ASSERT_EQ(tree.rb_leftmost, tree.rb_root.first());
    }
    std::vector<u64> forward, backward;
    for (struct rb_node* node = tree.rb_root.first(); node; node = rb_next(node))
        forward.push_back(item_of(node)->key);
    for (struct rb_node* node = tree.rb_root.last(); node; node = rb_prev(node))
        backward.push_back(item_of(node)->key);
    EXPECT_EQ(forward, std::vector<u64>(model.begin(), model.end()));
    EXPECT_EQ(backward, std::vector<u64>(model.rbegin(), model.rend()));
}

TEST(KernelRbTree, EqualKeysKeepTheirOrderOfArrival) {
    rb_root_cached tree;
    Item items[20];
    for (Item& item : items) insert(tree, &item);
    usize i = 0;
    for (struct rb_node* node = tree.rb_root.first(); node; node = rb_next(node))
        EXPECT_EQ(item_of(node), &items[i++]);
    EXPECT_EQ(i, 20U);
}

} // namespace
