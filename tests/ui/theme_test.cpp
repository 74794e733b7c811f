// The theme's promise: everything that is read stands out from what it stands on (WCAG 2.1, 1.4.3: 4.5 to 1).
#include <gtest/gtest.h>
#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <vector>
#include "ui/shell/theme.h"

namespace vitrine::ui {
namespace {

/// WCAG 2.1, relative luminance.
double luminance(ImU32 c) {
    const auto channel = [&](unsigned shift) {
        const double v = static_cast<double>(c >> shift & 255) / 255;
        return v <= 0.03928 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
    };
    return 0.2126 * channel(0) + 0.7152 * channel(8) + 0.0722 * channel(16);
}
double contrast(ImU32 a, ImU32 b) {
    const double x = luminance(a), y = luminance(b);
    return (std::max(x, y) + 0.05) / (std::min(x, y) + 0.05);
}

/// What a colour looks like to an eye without one kind of cone (Machado, Oliveira and Fernandes 2009,
/// severity 1), as CIE L*a*b*.
enum class Eye { Usual, Protanopia, Deuteranopia, Tritanopia };
std::array<double, 3> seen(ImU32 c, Eye eye) {
    static constexpr double Eyes[4][3][3] = {
        {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
        {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
        {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
        {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}}};
    double linear[3], rgb[3];
    for (unsigned i = 0; i < 3; ++i) {
        const double v = static_cast<double>(c >> (8 * i) & 255) / 255;
        linear[i] = v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
    }
    const auto& m = Eyes[static_cast<int>(eye)];
    for (unsigned i = 0; i < 3; ++i)
        rgb[i] = std::clamp(m[i][0] * linear[0] + m[i][1] * linear[1] + m[i][2] * linear[2], 0.0, 1.0);
    const auto f = [](double t) { return t > 0.008856 ? std::cbrt(t) : 7.787 * t + 16.0 / 116; };
    const double x = f((0.4124564 * rgb[0] + 0.3575761 * rgb[1] + 0.1804375 * rgb[2]) / 0.95047),
                 y = f(0.2126729 * rgb[0] + 0.7151522 * rgb[1] + 0.0721750 * rgb[2]),
                 z = f((0.0193339 * rgb[0] + 0.1191920 * rgb[1] + 0.9503041 * rgb[2]) / 1.08883);
    return {116 * y - 16, 500 * (x - y), 200 * (y - z)};
}
double distance(ImU32 a, ImU32 b, Eye eye) {
    const auto p = seen(a, eye), q = seen(b, eye);
    return std::hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
}
void apart(const std::vector<ImU32>& colours, const char* what) {
    for (Eye eye : {Eye::Usual, Eye::Protanopia, Eye::Deuteranopia, Eye::Tritanopia})
        for (std::size_t i = 0; i < colours.size(); ++i)
            for (std::size_t k = 0; k < i; ++k)
                EXPECT_GE(distance(colours[i], colours[k], eye), 20)
                    << what << " " << i << " and " << k << ", eye " << static_cast<int>(eye);
}

TEST(Theme, EveryEyeTellsColoursApart) {
    std::vector<ImU32> types, tones, phases, modes;
    for (std::size_t i = 0; i < 14; ++i) types.push_back(page_type_colour(i));
    for (u32 i = 0; i < 8; ++i) tones.push_back(tone_colour(i));
    for (const char* source : {"firmware", "processor", "kernel"}) phases.push_back(phase_colour(source));
    for (cpu::Mode mode : {cpu::Mode::Real, cpu::Mode::Virtual8086, cpu::Mode::Protected16,
                           cpu::Mode::Protected32, cpu::Mode::Compat32, cpu::Mode::Long64})
        modes.push_back(mode_colour(mode));
    apart(types, "page types"), apart(tones, "lanes"), apart(phases, "phases"), apart(modes, "modes");
    std::set<char> letters;
    for (std::size_t i = 0; i < 14; ++i) letters.insert(page_type_letter(i));
    EXPECT_EQ(letters.size(), 14u) << "each page type has a letter of its own";
}

class BothThemes : public testing::TestWithParam<Theme> {
protected:
    void SetUp() override { use_theme(GetParam()); }
    void TearDown() override { use_theme(Theme::Dark); }
};
INSTANTIATE_TEST_SUITE_P(Theme, BothThemes, testing::Values(Theme::Dark, Theme::Light),
                         [](const auto& about) { return about.param == Theme::Dark ? "Dark" : "Light"; });

TEST_P(BothThemes, TextCanBeReadOnEveryGround) {
    using namespace colour;
    const auto over = [](ImU32 ground, ImU32 veil) {
        return mix(ground, with_alpha(veil, 255), static_cast<float>(veil >> 24) / 255) | 0xFF000000;
    };
    const ImU32 row = over(Panel, Stripe), current = over(Panel, CurrentLine), hovered = over(Header, Hover);
    for (ImU32 text :
         {Text, Dim, Faint, Accent, Link, Changed, Good, Bad, ChangedZeros}) // the zeros of a changed value
        for (ImU32 ground : {Window, Panel, Header, Inset, row, hovered})
            EXPECT_GE(contrast(text, ground), 4.5) << std::hex << text << " on " << ground;
    for (ImU32 text : {Text, Dim, Accent, Link, Changed, Call, Jump, Operand})
        EXPECT_GE(contrast(text, current), 4.5) << std::hex << text;
    for (ImU32 text : {Text, Accent}) EXPECT_GE(contrast(text, TabOn), 4.5) << std::hex << text;
    EXPECT_GE(contrast(OnPrimary, Primary), 4.5);
    EXPECT_GE(contrast(Text, Button), 4.5);
    EXPECT_GE(contrast(Text, NodeBlack), 4.5);
    EXPECT_GE(contrast(Text, NodeRed), 4.5);
}

TEST_P(BothThemes, TerminalColoursCanBeRead) {
    for (unsigned i = 1; i < 16; ++i) EXPECT_GE(contrast(terminal_colour(i), colour::Inset), 4.5) << i;
}

TEST_P(BothThemes, LabelsOnTheStripsBandsCanBeRead) {
    for (const char* source : {"firmware", "processor", "kernel"})
        EXPECT_GE(contrast(colour::BandLabel, colour::mix(colour::Panel, phase_colour(source), 0.38f)), 4.5)
            << source;
}

TEST_P(BothThemes, LabelsInTheTimelinesLanesCanBeRead) {
    using namespace colour;
    const ImU32 light = LaneLabel, dark = EventLabel;
    for (u32 tone = 0; tone < 8; ++tone) {
        EXPECT_GE(contrast(dark, tone_colour(tone)), 4.5) << tone;                     // events
        EXPECT_GE(contrast(light, mix(Panel, tone_colour(tone), 0.42f)), 4.5) << tone; // tasks
        for (u32 other = 0; other < tone; ++other) EXPECT_NE(tone_colour(tone), tone_colour(other));
    }
    for (const char* source : {"firmware", "processor", "kernel"})
        EXPECT_GE(contrast(light, mix(Panel, phase_colour(source), 0.40f)), 4.5) << source;
    for (cpu::Mode mode :
         {cpu::Mode::Real, cpu::Mode::Virtual8086, cpu::Mode::Protected16, cpu::Mode::Protected32,
          cpu::Mode::Compat16, cpu::Mode::Compat32, cpu::Mode::Long64})
        EXPECT_GE(contrast(light, mix(Panel, mode_colour(mode), 0.42f)), 4.5) << cpu::mode_name(mode);
    for (ImU32 ground : {Mixed, IdleLane}) EXPECT_GE(contrast(light, ground), 4.5);
}

} // namespace
} // namespace vitrine::ui
