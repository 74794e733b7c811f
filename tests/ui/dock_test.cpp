// The dock: whatever is moved, dragged or read, every panel is in exactly one place and nothing overlaps or
// leaves the window.
#include <gtest/gtest.h>
#include <algorithm>
#include <random>
#include <set>
#include "ui/model/dock.h"

namespace vitrine::ui {
namespace {

bool overlap(const Rect& a, const Rect& b) {
    return a.x < b.right() - 0.01f && b.x < a.right() - 0.01f && a.y < b.bottom() - 0.01f &&
           b.y < a.bottom() - 0.01f;
}

void check(const Dock& dock, const Rect& body, float scale) {
    const DockLayout layout = dock.compute(body, scale, {0.4f * body.width, 0.5f});
    std::multiset<Tab> seen;
    for (std::size_t i = 0; i < layout.places.size(); ++i) {
        const DockPlace& place = layout.places[i];
        ASSERT_FALSE(place.panels.empty());
        ASSERT_LT(place.active, place.panels.size());
        seen.insert(place.panels.begin(), place.panels.end());
        EXPECT_GE(place.area.x, body.x - 0.01f);
        EXPECT_GE(place.area.y, body.y - 0.01f);
        EXPECT_LE(place.area.right(), body.right() + 0.01f);
        EXPECT_LE(place.area.bottom(), body.bottom() + 0.01f);
        EXPECT_GT(place.area.width, 0);
        EXPECT_GT(place.area.height, 0);
        for (std::size_t k = 0; k < i; ++k)
            EXPECT_FALSE(overlap(place.area, layout.places[k].area)) << i << " and " << k;
        for (const DockBorder& border : layout.borders)
            EXPECT_FALSE(overlap(place.area, border.area)) << "border over " << i;
    }
    if (dock.maximised()) return;
    EXPECT_EQ(seen.size(), PanelCount);
    EXPECT_EQ(std::set<Tab>(seen.begin(), seen.end()).size(), PanelCount) << "a panel is in two places";
    EXPECT_EQ(layout.borders.size() + 1, layout.places.size());
}

TEST(Dock, EveryPresetHoldsEveryPanelAtEverySize) {
    for (unsigned preset = 0; preset < DockPresets; ++preset)
        for (float width : {640.0f, 1024.0f, 1280.0f, 1920.0f, 3840.0f})
            for (float height : {300.0f, 600.0f, 1080.0f, 2160.0f})
                for (float scale : {0.75f, 1.0f, 2.0f, 3.0f})
                    check(Dock(static_cast<DockPreset>(preset), width / scale), {8, 44, width, height},
                          scale);
}

TEST(Dock, AWideWindowHasTwoColumnsOfStructures) {
    const auto columns = [](float width) { return Dock(DockPreset::Standard, width).root().parts.size(); };
    EXPECT_EQ(columns(1280), 3u);
    EXPECT_EQ(columns(1920), 4u);
}

TEST(Dock, RandomMovesAndDragsKeepEverything) {
    std::mt19937 random(7);
    Dock dock;
    const Rect body{8, 44, 1264, 520};
    for (int i = 0; i < 4000; ++i) {
        const auto any = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
        switch (any(6)) {
        case 0:
        case 1:
        case 2:
            dock.move(static_cast<Tab>(any(PanelCount)), static_cast<Tab>(any(PanelCount)),
                      static_cast<DockSide>(any(5)));
            break;
        case 3: dock.show(static_cast<Tab>(any(PanelCount))); break;
        case 4:
            dock.maximise(any(2) ? std::optional(static_cast<Tab>(any(PanelCount))) : std::nullopt);
            break;
        default:
            if (const auto layout = dock.compute(body, 1, {500, 0.5f}); !layout.borders.empty())
                dock.drag(layout.borders[any(static_cast<unsigned>(layout.borders.size()))],
                          static_cast<float>(any(4000)) - 2000);
        }
        check(dock, body, 1);
        if (HasFatalFailure() || HasNonfatalFailure()) FAIL() << "after move " << i;
    }
    const auto again = Dock::from_json(dock.to_json());
    ASSERT_TRUE(again);
    EXPECT_EQ(again->to_json(), dock.to_json()) << "what was written comes back";
}

/// No split lies directly in one of the same direction.
bool merged(const DockNode& node) {
    return std::ranges::all_of(node.parts, [&](const DockNode& part) {
        return (part.place() || part.columns != node.columns) && merged(part);
    });
}

TEST(Dock, WhatWasMovedIsTheSameBehindTheFile) {
    Dock row(DockPreset::Standard, 1280);
    for (unsigned i = 0; i < 12; ++i) { // one beside the other, always at the right of the last
        row.move(static_cast<Tab>(i + 1), static_cast<Tab>(i), DockSide::Right);
        const auto again = Dock::from_json(row.to_json());
        ASSERT_TRUE(again);
        EXPECT_EQ(again->to_json(), row.to_json()) << "after " << i + 1 << " moves";
    }
    std::mt19937 random(11);
    for (unsigned round = 0; round < 16; ++round) {
        Dock dock(static_cast<DockPreset>(round % DockPresets), round % 2 ? 1280 : 1920);
        for (unsigned i = 0; i < 40; ++i) {
            dock.move(static_cast<Tab>(random() % PanelCount), static_cast<Tab>(random() % PanelCount),
                      static_cast<DockSide>(random() % 5));
            const auto borders = dock.compute({8, 44, 1264, 520}, 1, {500, 0.5f}).borders;
            if (!borders.empty())
                dock.drag(borders[random() % borders.size()], static_cast<float>(random() % 80) - 40);
            const auto again = Dock::from_json(dock.to_json());
            ASSERT_TRUE(again);
            ASSERT_EQ(again->to_json(), dock.to_json()) << "round " << round << ", move " << i;
            ASSERT_TRUE(merged(dock.root()));
        }
    }
}

TEST(Dock, ASplitThatMergesKeepsItsSizes) {
    using json = nlohmann::json;
    const json tree = {
        {"columns",
         {{{"panels", {"screen"}}},
          {{"columns", {{{"panels", {"code"}}}, {{"panels", {"terminal"}}}}}, {"shares", {0.25, -1}}}}},
        {"shares", {0.2, 0.8}}};
    const auto dock = Dock::from_json({{"preset", "Standard"}, {"tree", tree}});
    ASSERT_TRUE(dock);
    ASSERT_EQ(dock->root().parts.size(), 3u);
    EXPECT_NEAR(dock->root().shares[0], 0.2, 1e-5);
    EXPECT_NEAR(dock->root().shares[1], 0.2, 1e-5);
    EXPECT_NEAR(dock->root().shares[2], 0.6, 1e-5);
}

TEST(Dock, ADraggedBorderGoesWhereThePointerGoes) {
    Dock dock;
    const Rect body{8, 44, 1264, 520};
    const auto before = dock.compute(body, 1, {500, 0.5f});
    for (std::size_t i = 0; i < before.borders.size(); ++i) {
        Dock moved = dock;
        moved.drag(before.borders[i], -30);
        const auto now = moved.compute(body, 1, {500, 0.5f});
        const bool vertical = before.borders[i].vertical;
        EXPECT_NEAR(vertical ? now.borders[i].area.x : now.borders[i].area.y,
                    (vertical ? before.borders[i].area.x : before.borders[i].area.y) - 30, 1.5f)
            << i;
        moved.forget_border(now.borders[i]);
        EXPECT_NEAR(moved.compute(body, 1, {500, 0.5f}).borders[i].area.x, before.borders[i].area.x, 1.5f)
            << i;
    }
}

TEST(Dock, MovesDoWhatTheySay) {
    Dock dock;
    dock.move(Tab::RunQueues, Tab::Code, DockSide::Below);
    EXPECT_TRUE(dock.visible(Tab::RunQueues));
    EXPECT_TRUE(dock.visible(Tab::Code));
    EXPECT_TRUE(dock.visible(Tab::Phases));
    dock.move(Tab::RunQueues, Tab::Code, DockSide::Tab);
    EXPECT_FALSE(dock.visible(Tab::Code));
    dock.show(Tab::Code);
    EXPECT_FALSE(dock.visible(Tab::RunQueues));
    dock.maximise(Tab::Memory);
    EXPECT_TRUE(dock.visible(Tab::Memory));
    EXPECT_FALSE(dock.visible(Tab::Code));
    dock.maximise(std::nullopt);
    EXPECT_TRUE(dock.visible(Tab::Code));
    EXPECT_TRUE(dock.arranged());
}

TEST(Dock, NonsenseFromAFileIsRefusedOrRepaired) {
    for (
        const char* text :
        {"7", "[]", "{}", R"({"tree": 3})", R"({"tree": {"columns": []}})",
         R"({"tree": {"columns": [{"rows": []}, {}]}})", R"({"tree": {"panels": ["nobody"]}})",
         R"({"tree": {"panels": ["code", "code", 5, null, "code"], "active": 99}})",
         R"({"tree": {"columns": [{"panels": ["code"]}], "shares": [1e99, "x"]}})",
         R"({"tree": {"rows": [{"panels": ["code"]}, {"panels": ["screen", "code"]}], "shares": [-5, 0.5]}, "preset": "Boot"})"}) {
        const auto dock = Dock::from_json(nlohmann::json::parse(text));
        if (dock) check(*dock, {8, 44, 1264, 520}, 1);
    }
    std::string deep = R"({"panels": ["code"]})";
    for (int i = 0; i < 200; ++i) deep = R"({"columns": [)" + deep + R"(, {"panels": ["screen"]}]})";
    if (const auto dock = Dock::from_json(nlohmann::json::parse(R"({"tree": )" + deep + "}")))
        check(*dock, {8, 44, 1264, 520}, 1);
}

} // namespace
} // namespace vitrine::ui
