// The page cache's radix tree against a map.
#include "lib/radix_tree.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

using namespace kernel;

namespace {

TEST(KernelRadixTree, AgreesWithAMap) {
    radix_tree_root tree;
    std::map<u64, void*> model;
    std::mt19937_64 random(11);
    for (int step = 0; step < 5000; step++) {
        u64 index = random() >> (random() % 60 + 4);
        if (random() % 3) {
            void* item = reinterpret_cast<void*>((random() | 8) & ~u64{7});
            ASSERT_TRUE(tree.insert(index, item).ok());
            model[index] = item;
        } else {
            void* expected = model.contains(index) ? model[index] : nullptr;
            EXPECT_EQ(tree.remove(index), expected);
            model.erase(index);
        }
        u64 probe = random() >> (random() % 60 + 4);
        EXPECT_EQ(tree.find(probe), model.contains(probe) ? model[probe] : nullptr);
        u64 place = 0;
        void* behind = tree.next(probe, place);
        auto expected_next = model.lower_bound(probe);
        ASSERT_EQ(behind, expected_next == model.end() ? nullptr : expected_next->second);
        if (behind) EXPECT_EQ(place, expected_next->first);
    }
    for (u64 from : {u64{0}, u64{64}, u64{5000}, u64{1} << 40}) {
        std::map<u64, void*> seen;
        u64 last = 0;
        tree.each(from, [&](u64 index, void* item) {
            EXPECT_GE(index, last);
            last = index;
            seen[index] = item;
        });
        EXPECT_EQ(seen, (std::map<u64, void*>(model.lower_bound(from), model.end())));
    }
    tree.clear();
    EXPECT_EQ(tree.find(0), nullptr);
}

} // namespace
