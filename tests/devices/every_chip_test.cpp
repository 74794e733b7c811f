// What every chip must do, whatever it is: save → restore → continue equals continue; a damaged save fails
// cleanly; random register traffic with a moving clock neither crashes nor hangs.
#include "tests/devices/chip_rigs.h"

namespace vitrine::devices::test {

/// For test names: without it they would hold addresses.
static void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

namespace {

class EveryChip : public testing::TestWithParam<Kind> {
public:
    std::unique_ptr<Rig> make() const {
        auto rig = std::make_unique<Rig>();
        GetParam().build(*rig);
        return rig;
    }
};

TEST_P(EveryChip, ContinuesEquallyAfterSaveAndRestore) {
    for (u64 seed = 1; seed <= 20; ++seed) {
        Random random{seed};
        auto first = make();
        first->exercise(random, static_cast<int>(50 + random.below(1000)));
        const std::vector<u8> saved = first->save();
        auto second = make();
        Random other{seed + 100};
        if (seed % 2 == 0) second->exercise(other, 200); // restore over a used chip, too
        ASSERT_TRUE(second->load(saved)) << "seed " << seed;
        ASSERT_EQ(second->digest(), first->digest()) << "seed " << seed;
        ASSERT_EQ(second->save(), saved);
        first->seen = second->seen = 0;
        Random left = random, right = random;
        for (int i = 0; i < 10; ++i) {
            first->exercise(left, 100);
            second->exercise(right, 100);
            ASSERT_EQ(first->seen, second->seen) << "seed " << seed << ", after " << (i + 1) * 100;
            ASSERT_EQ(first->digest(), second->digest()) << "seed " << seed << ", after " << (i + 1) * 100;
        }
    }
}

TEST_P(EveryChip, TruncatedSavesFailCleanly) {
    Random random{7};
    auto rig = make();
    rig->exercise(random, 500);
    Archive archive = Archive::saver();
    rig->chip->serialize(archive);
    const std::vector<u8> saved = archive.take();
    for (std::size_t length = 0; length < saved.size(); length += 1 + saved.size() / 400) {
        auto fresh = make();
        Archive loader = Archive::loader(std::span(saved).first(length));
        fresh->chip->serialize(loader);
        ASSERT_FALSE(loader.ok()) << length << " of " << saved.size();
        ASSERT_FALSE(loader.error().empty());
    }
}

/// A save with flipped bits either is refused or gives a chip that works without harm.
TEST_P(EveryChip, DamagedSavesDoNoHarm) {
    Random random{11};
    auto rig = make();
    rig->exercise(random, 500);
    Archive archive = Archive::saver();
    rig->chip->serialize(archive);
    const std::vector<u8> saved = archive.take();
    for (int round = 0; round < 200; ++round) {
        std::vector<u8> damaged = saved;
        for (u64 n = 1 + random.below(4); n-- > 0;)
            damaged[random.below(damaged.size())] ^= static_cast<u8>(1u << random.below(8));
        auto fresh = make();
        Archive loader = Archive::loader(damaged);
        fresh->chip->serialize(loader);
        if (!loader.ok()) fresh->chip->reset(); // what a refused load leaves is unspecified until then
        fresh->chip->describe();
        fresh->exercise(random, 60);
    }
}

/// Random traffic does no harm, and reset leads back to one state — but for what outlives a reset by design:
/// input pins, the peer's bytes, the battery's memory, and counters that follow time.
TEST_P(EveryChip, SurvivesRandomTrafficAndResetsToOneState) {
    const auto digest = [](Chip& chip) {
        Archive archive = Archive::digester();
        chip.serialize(archive);
        return archive.digest();
    };
    auto fresh = make();
    fresh->chip->reset();
    const u64 expected = digest(*fresh->chip);
    auto rig = make();
    Random random{99};
    for (int round = 0; round < 20; ++round) {
        rig->exercise(random, 500);
        rig->chip->describe();
        rig->chip->reset();
        if (GetParam().outlives_reset) continue;
        ASSERT_EQ(digest(*rig->chip), expected) << "round " << round;
    }
}

/// A forged snapshot may put the clock far ahead of every deadline: catching up must be bounded.
TEST_P(EveryChip, ALeapOfThirtyYearsDoesNotHang) {
    Random random{5};
    auto rig = make();
    for (int round = 0; round < 4; ++round) {
        rig->exercise(random, 300);
        rig->clock.time += 1'000'000'000'000'000'000;
        rig->exercise(random, 50);
    }
    EXPECT_GT(rig->clock.events.next(), rig->clock.time - 1);
}

/// The AHCI traffic is worth its name: commands get through to every medium.
TEST(AhciTraffic, ReachesTheMedia) {
    Rig rig;
    build_ahci(rig);
    Random random{3};
    rig.exercise(random, 20'000);
    EXPECT_GT(rig.disk.reads, 20u);
    EXPECT_GT(rig.disk.writes, 20u);
    EXPECT_GT(rig.locked_disk.reads, 20u);
    EXPECT_EQ(rig.locked_disk.writes, 0u);
    EXPECT_GT(rig.disc.reads, 5u);
    EXPECT_EQ(rig.disc.writes, 0u);
}

INSTANTIATE_TEST_SUITE_P(Board, EveryChip, testing::ValuesIn(chip_kinds().begin(), chip_kinds().end()),
                         [](const auto& info) {
                             std::string label = info.param.name;
                             std::ranges::replace(label, ' ', '_');
                             return label;
                         });

} // namespace
} // namespace vitrine::devices::test
