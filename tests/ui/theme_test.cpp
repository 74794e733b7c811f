// The theme's promise: everything that is read stands out from what it stands on (WCAG 2.1, 1.4.3: 4.5 to 1).
#include <gtest/gtest.h>
#include <cmath>
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

TEST(Theme, TextCanBeReadOnEveryGround) {
    using namespace colour;
    const ImU32 row = mix(Panel, rgb(0xFFFFFF), 0.024f), current = mix(Panel, rgb(0x6CB6FF), 46 / 255.0f);
    for (ImU32 text : {Text, Dim, Faint, Accent, Link, Changed, Good, Bad,
                       mix(Panel, Changed, 0.65f)}) // the zeros of a changed value
        for (ImU32 ground : {Window, Panel, Header, Inset, row})
            EXPECT_GE(contrast(text, ground), 4.5) << std::hex << text << " on " << ground;
    for (ImU32 text : {Text, Dim, Accent, Link, Changed})
        EXPECT_GE(contrast(text, current), 4.5) << std::hex << text;
}

TEST(Theme, TerminalColoursCanBeRead) {
    for (unsigned i = 1; i < 16; ++i) EXPECT_GE(contrast(terminal_colour(i), colour::Inset), 4.5) << i;
}

TEST(Theme, LabelsOnTheStripsBandsCanBeRead) {
    for (const char* source : {"firmware", "processor", "kernel"})
        EXPECT_GE(contrast(colour::rgb(0xC9D3DF), colour::mix(colour::Panel, phase_colour(source), 0.38f)),
                  4.5)
            << source;
}

TEST(Theme, LabelsInTheTimelinesLanesCanBeRead) {
    using namespace colour;
    const ImU32 light = rgb(0xFFFFFF), dark = rgb(0x0A0D11);
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
    for (ImU32 ground : {rgb(0x4A5565), rgb(0x1F2630)}) EXPECT_GE(contrast(light, ground), 4.5);
}

} // namespace
} // namespace vitrine::ui
