// The window's layout and the strip's axis: nothing overlaps, everything is inside, at every size a person
// may choose.
#include <gtest/gtest.h>
#include <algorithm>
#include <vector>
#include "ui/model/layout.h"
#include "ui/model/resample.h"
#include "ui/model/strip_scale.h"

namespace vitrine::ui {
namespace {

bool overlap(const Rect& a, const Rect& b) {
    return a.x < b.right() && b.x < a.right() && a.y < b.bottom() && b.y < a.bottom();
}

void check(const Layout& layout, float width, float height) {
    const auto parts = layout.parts();
    for (std::size_t i = 0; i < parts.size(); ++i) {
        EXPECT_GT(parts[i].width, 60) << i;
        EXPECT_GT(parts[i].height, 20) << i;
        EXPECT_GE(parts[i].x, 0) << i;
        EXPECT_GE(parts[i].y, 0) << i;
        EXPECT_LE(parts[i].right(), width) << i;
        EXPECT_LE(parts[i].bottom(), height) << i;
        for (std::size_t j = i + 1; j < parts.size(); ++j)
            EXPECT_FALSE(overlap(parts[i], parts[j])) << i << " and " << j;
        for (const DockBorder& border : layout.dock.borders)
            EXPECT_FALSE(overlap(parts[i], border.area)) << "border over part " << i;
        EXPECT_FALSE(overlap(parts[i], layout.timeline_border)) << i;
    }
}

TEST(Layout, FitsBothSizesOfTheDocs) {
    for (const auto [width, height] : {std::pair{1280.0f, 800.0f}, std::pair{1920.0f, 1080.0f}})
        check(compute_layout(width, height, 1, {}, Dock(DockPreset::Standard, width)), width, height);
}

TEST(Layout, FitsAnyWindowAndScale) {
    for (float scale : {1.0f, 1.25f, 1.5f, 2.0f, 3.0f})
        for (float width = 640 * scale; width < 4000; width += 171)
            for (float height = 480 * scale; height < 2400; height += 133)
                check(compute_layout(width, height, scale, {}, Dock(DockPreset::Standard, width / scale)),
                      width, height);
}

TEST(Layout, NoDraggedTimelineBreaksIt) {
    for (float value : {-0.5f, 0.0f, 0.01f, 0.3f, 0.9f, 1.0f, 7.0f}) {
        Splits splits;
        splits.strip = value;
        check(compute_layout(1280, 800, 1, splits, Dock()), 1280, 800);
    }
}

TEST(Layout, AWideWindowShowsTheGuestPixelByPixel) {
    const Layout layout = compute_layout(1920, 1080, 1, {}, Dock(DockPreset::Standard, 1920), 720, 400);
    EXPECT_GE(layout.area_of(Tab::Screen).width, 720 + 8);
    EXPECT_GE(layout.area_of(Tab::Screen).height, 400 + 50);
}

TEST(StripScale, IsMonotonicAndInvertible) {
    const std::vector<u64> starts = {0, 4, 5, 32'000, 372'938, 2'444'110, 7'556'608};
    const StripScale scale(starts, 9'000'000, 10, 1200);
    EXPECT_FLOAT_EQ(scale.x_of(0), 10);
    EXPECT_FLOAT_EQ(scale.x_of(9'000'000), 1210);
    float last = -1;
    for (u64 step : {0ull, 1ull, 4ull, 5ull, 1'000ull, 32'000ull, 400'000ull, 5'000'000ull, 8'000'000ull,
                     9'000'000ull}) {
        EXPECT_GT(scale.x_of(step), last) << step;
        last = scale.x_of(step);
    }
    for (const auto& band : scale.bands()) {
        EXPECT_GE(band.x1 - band.x0, 2.9f) << "every phase can be pointed at";
        const u64 middle = scale.step_at((band.x0 + band.x1) / 2);
        EXPECT_GE(middle, band.first);
        EXPECT_LT(middle, band.last);
    }
}

TEST(StripScale, HoldsForOddInput) {
    const StripScale none({}, 0, 0, 100);
    EXPECT_EQ(none.bands().size(), 1u);
    const std::vector<u64> same(500, 7);
    const StripScale crowded(same, 7, 0, 100);
    EXPECT_LE(crowded.bands().back().x1, 100.01f);
    std::vector<u64> many;
    for (u64 i = 0; i < 4096; ++i) many.push_back(i * 3);
    const StripScale full(many, 20'000, 0, 1200);
    EXPECT_NEAR(full.bands().back().x1, 1200, 0.5);
}

TEST(Resample, KeepsColoursAndRepeatsPixels) {
    const std::vector<u32> source = {0xFF0000FF, 0xFF00FF00, 0xFFFF0000, 0xFFFFFFFF};
    const auto twice = resample(source, 2, 2, 4, 4);
    ASSERT_EQ(twice.size(), 16u);
    EXPECT_EQ(twice[0], 0xFF0000FFu);
    EXPECT_EQ(twice[5], 0xFF0000FFu);
    EXPECT_EQ(twice[15], 0xFFFFFFFFu);
    const auto one = resample(source, 2, 2, 1, 1);
    EXPECT_EQ(one[0] >> 24, 0xFFu);
    EXPECT_NEAR(static_cast<int>(one[0] & 255), 127, 2);
    EXPECT_EQ(resample(std::vector<u32>(720 * 400, 0xFFFFFFFF), 720, 400, 491, 273)[491 * 100 + 77],
              0xFFFFFFFFu)
        << "white stays white";
    EXPECT_TRUE(resample(source, 2, 3, 4, 4).empty()) << "fewer pixels than promised";
    EXPECT_TRUE(resample({}, 0, 0, 4, 4).empty());
}

} // namespace
} // namespace vitrine::ui
