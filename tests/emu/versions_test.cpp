// Versions held as patches are what they would be as whole pages: random histories of some places, checkpoint
// by checkpoint, beside a model that keeps every content.
#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include "emu/timeline/versions.h"

namespace vitrine::emu {
namespace {

using Content = PageStore::Content;
constexpr Place Places = 5;

struct Model {
    std::map<Place, std::map<u64, Content>> versions;
    std::array<Content, Places> live{};
};

void same(const Versions& versions, const Model& model, u64 last) {
    for (Place place = 0; place < Places; ++place)
        for (u64 step = 0; step <= last; ++step) {
            const auto known = model.versions.find(place);
            const auto none = std::map<u64, Content>{};
            const auto& list = known == model.versions.end() ? none : known->second;
            const auto at = list.lower_bound(step);
            const auto found = versions.at_or_after(place, step);
            ASSERT_EQ(found.has_value(), at != list.end()) << place << " at " << step;
            if (!found) continue;
            ASSERT_EQ(*found, at->first);
            ASSERT_EQ(*versions.content(place, step, model.live[place].data()), at->second)
                << place << " at " << step;
        }
}

TEST(Versions, PatchesSayWhatWholePagesWouldSay) {
    for (unsigned seed = 1; seed <= 30; ++seed) {
        SCOPED_TRACE(seed);
        std::mt19937 random(seed);
        PageStore pages;
        Versions versions(pages);
        Model model;
        u64 step = 0;
        for (unsigned round = 0; round < 120; ++round, ++step) {
            // An interval: first writes add a version of its start, and its end makes them small.
            std::vector<Place> dirty;
            for (Place place = 0; place < Places; ++place) {
                if (random() % 3 == 0) continue;
                u8* live = model.live[place].data();
                versions.add(place, step, pages.copy(live), live);
                model.versions[place][step] = model.live[place];
                dirty.push_back(place);
                const unsigned bytes = random() % 8 == 0 ? 4000 : random() % 20;
                for (unsigned i = 0; i < bytes; ++i)
                    live[random() % (random() % 2 ? 4096 : 300)] = static_cast<u8>(random());
            }
            for (Place place : dirty) versions.compact(place, step, model.live[place].data());
            // Thinning: a checkpoint goes, its versions pass to the one before it or are not needed.
            for (unsigned k = 0; k < random() % 3 && step > 1; ++k) {
                const Place place = random() % Places;
                auto& list = model.versions[place];
                if (list.size() < 2) continue;
                auto at = std::next(list.begin(), random() % list.size());
                const u64 earlier = at == list.begin() ? 0 : std::prev(at)->first + 1;
                if (random() % 2 && earlier < at->first) {
                    const u64 to = earlier + random() % (at->first - earlier);
                    versions.move(place, at->first, to);
                    list[to] = at->second;
                    list.erase(at);
                } else {
                    versions.erase(place, at->first, model.live[place].data());
                    list.erase(at);
                }
            }
            // A checkpoint between two others, where the place had yet another content.
            if (random() % 4 == 0) {
                const Place place = random() % Places;
                auto& list = model.versions[place];
                const u64 between = random() % (step + 1);
                if (list.lower_bound(between) != list.end() && !list.contains(between)) {
                    Content other = model.live[place];
                    other[random() % 4096] ^= 0x55;
                    versions.add(place, between, pages.copy(other.data()), model.live[place].data());
                    list[between] = other;
                }
            }
            same(versions, model, step);
        }
        EXPECT_GT(versions.patch_bytes(), 0u);
        u64 count = 0;
        for (const auto& [place, list] : model.versions) count += list.size();
        EXPECT_EQ(versions.count(), count);
        // A future is forgotten: the newest ones go, one after the other, where the live page is another one.
        for (Place place = 0; place < Places; ++place) {
            versions.settle(place, model.live[place].data());
            model.live[place].fill(static_cast<u8>(place));
            auto& list = model.versions[place];
            while (list.size() > 3) {
                versions.erase(place, std::prev(list.end())->first, model.live[place].data());
                list.erase(std::prev(list.end()));
            }
        }
        same(versions, model, step);
    }
}

TEST(Versions, ASmallChangeTakesLittleAndEqualPagesAreHeldOnce) {
    PageStore pages;
    Versions versions(pages);
    Content live{};
    live.fill(7);
    for (u64 step = 0; step < 20; ++step) {
        versions.add(1, step, pages.copy(live.data()), live.data());
        ++live[100];
        versions.compact(1, step, live.data());
    }
    EXPECT_EQ(versions.patch_bytes(), 20u * 64);
    EXPECT_EQ(pages.used(), 0u);
    Content other{};
    other.fill(9);
    for (Place place = 2; place < 4; ++place) { // all of it changes
        versions.add(place, 20, pages.copy(other.data()), other.data());
        versions.compact(place, 20, Content{}.data());
    }
    EXPECT_EQ(pages.used(), PageStore::Bytes);
    EXPECT_EQ(pages.shared(), 1u);
}

} // namespace
} // namespace vitrine::emu
