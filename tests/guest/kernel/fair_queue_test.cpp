// A whole queue in miniature: the rb-tree and the arithmetic together must share the processor by weight.
#include <gtest/gtest.h>

#include "lib/rbtree.h"
#include "sched/fair_math.h"

using namespace kernel;

namespace {

struct Runner {
    struct rb_node node;
    u64 vruntime = 0, weight = 0, ran = 0;
};

void insert(rb_root_cached& tree, Runner* runner) {
    struct rb_node** slot = &tree.rb_root.rb_node;
    struct rb_node* parent = nullptr;
    bool leftmost = true;
    while (*slot) {
        parent = *slot;
        if (runs_before(runner->vruntime, container_of(parent, Runner, node)->vruntime))
            slot = &parent->rb_left;
        else
            slot = &parent->rb_right, leftmost = false;
    }
    tree.insert(&runner->node, parent, slot, leftmost);
}

TEST(KernelFairQueue, TimeIsSharedByWeightEvenWhenVruntimeWraps) {
    for (u64 start : {u64{0}, ~u64{0} - 5'000'000}) {
        Runner runners[4];
        const i32 nices[4] = {0, 5, -5, 19};
        rb_root_cached tree;
        u64 total_weight = 0;
        for (int i = 0; i < 4; i++) {
            runners[i].weight = weight_of_nice(nices[i]);
            runners[i].vruntime = start;
            total_weight += runners[i].weight;
            insert(tree, &runners[i]);
        }
        u64 clock = 0;
        while (clock < 20'000'000'000) {
            Runner* next = container_of(tree.rb_leftmost, Runner, node);
            tree.erase(&next->node);
            u64 slice = std::max(
                time_slice(4, next->weight, total_weight, sysctl_sched_latency, sysctl_sched_min_granularity),
                sysctl_sched_min_granularity);
            next->ran += slice;
            next->vruntime += calc_delta_fair(slice, next->weight);
            clock += slice;
            insert(tree, next);
        }
        for (const Runner& runner : runners) {
            double share = static_cast<double>(runner.ran) / static_cast<double>(clock);
            double fair = static_cast<double>(runner.weight) / static_cast<double>(total_weight);
            EXPECT_NEAR(share, fair, 0.01);
        }
    }
}

} // namespace
