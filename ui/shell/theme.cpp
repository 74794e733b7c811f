// Colours, style, fonts: see theme.h. Fonts come from Debian's fonts-dejavu-core.
#include "ui/shell/theme.h"
#include <array>
#include <cmath>
#include <string>
#include <unistd.h>

namespace vitrine::ui {

namespace colour {
ImU32 with_alpha(ImU32 c, unsigned alpha) { return (c & 0x00FFFFFF) | (alpha << 24); }
ImU32 mix(ImU32 a, ImU32 b, float part) {
    ImU32 out = 0;
    for (unsigned shift = 0; shift < 32; shift += 8) {
        const float x = static_cast<float>(a >> shift & 255), y = static_cast<float>(b >> shift & 255);
        out |= static_cast<ImU32>(std::lround(x + (y - x) * part)) << shift;
    }
    return out;
}
} // namespace colour

using colour::rgb;

namespace {
Theme theme_now = Theme::Dark;
} // namespace

Theme current_theme() { return theme_now; }

void use_theme(Theme theme) {
    theme_now = theme;
    const bool light = theme == Theme::Light;
    const auto pick = [&](ImU32 dark, ImU32 bright) { return light ? bright : dark; };
    using namespace colour;
    Window = pick(rgb(0x0E1116), rgb(0xE9ECF0)), Panel = pick(rgb(0x161B22), rgb(0xFFFFFF)),
    Header = pick(rgb(0x1C222B), rgb(0xF1F3F6));
    Inset = pick(rgb(0x0A0D11), rgb(0xF6F8FA)), Border = pick(rgb(0x2B3340), rgb(0xC6CDD6));
    Text = pick(rgb(0xDCE3EC), rgb(0x1A222C)), Dim = pick(rgb(0xA3AFBF), rgb(0x465261)),
    Faint = pick(rgb(0x8A96A7), rgb(0x576272));
    Line = pick(rgb(0x5C6878), rgb(0x8B96A4));
    Accent = pick(rgb(0x6CB6FF), rgb(0x0A58A6)), AccentSoft = pick(rgb(0x6CB6FF, 40), rgb(0x0A58A6, 36)),
    Link = pick(rgb(0x9CC8F5), rgb(0x0E5296));
    Changed = pick(rgb(0xFFC65C), rgb(0x7E4B00)), Good = pick(rgb(0x4CC38A), rgb(0x0F6639)),
    Bad = pick(rgb(0xFF7B72), rgb(0xA82018)), Record = pick(rgb(0xFF5C5C), rgb(0xC62828));
    ChangedZeros = mix(Panel, Changed, light ? 0.93f : 0.72f);
    CurrentLine = pick(rgb(0x6CB6FF, 46), rgb(0x2F80D0, 34)),
    Hover = pick(rgb(0xFFFFFF, 14), rgb(0x000000, 14)), Stripe = pick(rgb(0xFFFFFF, 6), rgb(0x000000, 7));
    TabOn = pick(rgb(0x2B3747), rgb(0xD8E5F4));
    Button = pick(rgb(0x232B36), rgb(0xE3E8EE)), Primary = pick(rgb(0x2C6CB0), rgb(0x0A58A6)),
    OnPrimary = rgb(0xFFFFFF);
    KeyCap = pick(rgb(0x2A3340), rgb(0xE6EAEF)), KeyEdge = pick(rgb(0x3A4556), rgb(0xB4BDC8));
    Call = pick(rgb(0xD7B3FF), rgb(0x6A2FA8)), Jump = pick(rgb(0x8FD6C0), rgb(0x0B6350)),
    Operand = pick(rgb(0xC4CEDB), rgb(0x2C3744));
    BandLabel = pick(rgb(0xC9D3DF), rgb(0x141B24)), LaneLabel = pick(rgb(0xFFFFFF), rgb(0x10161E)),
    EventLabel = rgb(0x0A0D11);
    Mixed = pick(rgb(0x4A5565), rgb(0xBFC7D1)), MixedEvent = pick(rgb(0x8A96A7), rgb(0x97A1AE)),
    IdleLane = pick(rgb(0x1F2630), rgb(0xE8ECF1));
    NodeBlack = pick(rgb(0x2A313C), rgb(0xD5DBE3)), NodeRed = pick(rgb(0x8E2F36), rgb(0xF4B9BD));
    Shade = pick(rgb(0x05070A), rgb(0xDDE2E8)), Lift = pick(rgb(0xFFFFFF), rgb(0x000000));
}

namespace {
const bool begun = (use_theme(Theme::Dark), true); ///< tests and whatever draws first find the dark one
}

ImU32 phase_colour(std::string_view source) {
    if (source == "firmware") return rgb(0xE29D00);
    if (source == "processor") return rgb(0x8EB2E7);
    if (source == "kernel") return rgb(0x27B78B);
    return colour::Faint;
}

ImU32 mode_colour(cpu::Mode mode) {
    switch (mode) {
    case cpu::Mode::Real: return rgb(0xD46008);
    case cpu::Mode::Virtual8086: return rgb(0xA04B25);
    case cpu::Mode::Protected16: return rgb(0xCF76A4);
    case cpu::Mode::Protected32: return rgb(0xEDC146);
    case cpu::Mode::Compat16:
    case cpu::Mode::Compat32: return rgb(0x8175E0);
    case cpu::Mode::Long64: return rgb(0x00538B);
    }
    return colour::Faint;
}

ImU32 page_type_colour(std::size_t type) {
    // free, reserved, kernel text, kernel data, slab, page table, anonymous, page cache, kernel stack,
    // vmalloc, page array, kernel, init memory, unknown
    // Pairwise at least 20 apart (CIE 1976) for every kind of colour vision: tests/ui/theme_test.cpp.
    static constexpr std::array<ImU32, 14> Types = {
        rgb(0x2A3441), rgb(0x819CB4), rgb(0xB25900), rgb(0xFFC31D), rgb(0x530C63),
        rgb(0xFFFF75), rgb(0x5D5425), rgb(0x72C6FA), rgb(0xA27AEC), rgb(0xA6DACA),
        rgb(0x616297), rgb(0xEE9448), rgb(0x31706F), rgb(0xEE6361)};
    return Types[type < Types.size() ? type : Types.size() - 1];
}

char page_type_letter(std::size_t type) {
    static constexpr char Letters[] = ".rTDSPACKVMkI? "; // as --inspect memory-map prints them
    return Letters[type < 15 ? type : 13];
}

ImU32 tone_colour(u32 tone) {
    // From Okabe and Ito's, moved until every two are at least 20 apart for every kind of colour vision.
    static constexpr std::array<ImU32, 8> Tones = {rgb(0x58B1E1), rgb(0xE5A300), rgb(0x58EDB1),
                                                   rgb(0xE64180), rgb(0xEFE867), rgb(0x8778E5),
                                                   rgb(0xD8723C), rgb(0xA8C9D8)};
    return Tones[(tone + (tone >> 4)) % Tones.size()];
}

ImU32 terminal_colour(unsigned index) {
    static constexpr std::array<ImU32, 16> Colours = {
        rgb(0x1C222B), rgb(0xE5616B), rgb(0x4CC38A), rgb(0xE0B73A), rgb(0x5AA2E8), rgb(0xC58AF0),
        rgb(0x4DC4C4), rgb(0xD4DBE5), rgb(0x8592A5), rgb(0xFF8A92), rgb(0x7FE3B2), rgb(0xFFD873),
        rgb(0x8CC4FF), rgb(0xDDB3FF), rgb(0x8BE6E6), rgb(0xFFFFFF)};
    // The terminal's colours are light ones on dark; on a light ground they are darkened until they can be
    // read.
    const ImU32 c = Colours[index & 15];
    if (theme_now == Theme::Dark) return c;
    return (index & 15) == 0 ? rgb(0xFFFFFF)
           : (index & 15) == 7 || (index & 15) == 15
               ? rgb(0x1A222C)
               : colour::mix(c, rgb(0x000000), (index & 15) == 8 ? 0.42f : 0.58f);
}

// ---- fonts ------------------------------------------------------------------------------------------------

Fonts load_fonts(float scale, bool software) {
    static constexpr const char* Folder = "/usr/share/fonts/truetype/dejavu/";
    // Latin, Greek, punctuation, arrows, box drawing, geometric shapes, and the replacement character.
    static constexpr ImWchar Ranges[] = {0x20,   0xFF,   0x370,  0x3FF,  0x2000, 0x209F, 0x2190, 0x21FF,
                                         0x2500, 0x25FF, 0x2713, 0x2713, 0xFFFD, 0xFFFD, 0};
    ImGuiIO& io = ImGui::GetIO();
    io.Fonts->Clear();
    Fonts out;
    const auto load = [&](const char* file, float size) -> ImFont* {
        const std::string path = std::string(Folder) + file;
        if (::access(path.c_str(), R_OK) != 0) {
            out.fallback = true;
            ImFontConfig config;
            config.SizePixels = std::round(size * scale);
            return io.Fonts->AddFontDefault(&config);
        }
        ImFontConfig config;
        config.OversampleH = software ? 1 : 2, config.OversampleV = 1;
        config.PixelSnapH = true;
        return io.Fonts->AddFontFromFileTTF(path.c_str(), std::round(size * scale), &config, Ranges);
    };
    out.text = load("DejaVuSans.ttf", 14);
    out.bold = load("DejaVuSans-Bold.ttf", 14);
    out.mono = load("DejaVuSansMono.ttf", 13);
    out.mono_small = load("DejaVuSansMono.ttf", 12);
    out.small = load("DejaVuSans.ttf", 12);
    out.title = load("DejaVuSans-Bold.ttf", 20);
    return out;
}

void apply_style(float scale, bool software) {
    ImGuiStyle& style = ImGui::GetStyle();
    style = ImGuiStyle{};
    style.WindowPadding = {8, 8};
    style.FramePadding = {8, 4};
    style.ItemSpacing = {8, 4};
    style.ItemInnerSpacing = {6, 4};
    style.CellPadding = {5, 2};
    style.ScrollbarSize = 10;
    style.GrabMinSize = 8;
    style.WindowRounding = 6, style.ChildRounding = 4, style.FrameRounding = 4, style.PopupRounding = 6,
    style.ScrollbarRounding = 5, style.TabRounding = 4;
    style.WindowBorderSize = 1, style.ChildBorderSize = 0, style.FrameBorderSize = 0,
    style.PopupBorderSize = 1, style.TabBorderSize = 0;
    if (software) style.WindowRounding = style.ChildRounding = 0;
    style.WindowMinSize = {16, 16};
    style.AntiAliasedLinesUseTex = false; // the software renderer samples textures without filtering
    style.ScaleAllSizes(scale);
    const auto set = [&](ImGuiCol which, ImU32 c) {
        style.Colors[which] = ImGui::ColorConvertU32ToFloat4(c);
    };
    using namespace colour;
    set(ImGuiCol_Text, Text), set(ImGuiCol_TextDisabled, Dim);
    set(ImGuiCol_WindowBg, Panel), set(ImGuiCol_ChildBg, rgb(0, 0)), set(ImGuiCol_PopupBg, Header);
    set(ImGuiCol_Border, Border), set(ImGuiCol_BorderShadow, rgb(0, 0));
    set(ImGuiCol_FrameBg, Inset), set(ImGuiCol_FrameBgHovered, mix(Inset, Lift, 0.04f)),
        set(ImGuiCol_FrameBgActive, mix(Inset, Lift, 0.06f));
    set(ImGuiCol_TitleBg, Header), set(ImGuiCol_TitleBgActive, Header),
        set(ImGuiCol_TitleBgCollapsed, Header);
    set(ImGuiCol_ScrollbarBg, rgb(0, 0)), set(ImGuiCol_ScrollbarGrab, mix(Panel, Line, 0.5f)),
        set(ImGuiCol_ScrollbarGrabHovered, mix(Panel, Line, 0.8f)), set(ImGuiCol_ScrollbarGrabActive, Accent);
    set(ImGuiCol_CheckMark, Accent), set(ImGuiCol_SliderGrab, Accent), set(ImGuiCol_SliderGrabActive, Accent);
    set(ImGuiCol_Button, Button), set(ImGuiCol_ButtonHovered, mix(Button, Lift, 0.08f)),
        set(ImGuiCol_ButtonActive, mix(Button, Lift, 0.14f));
    set(ImGuiCol_Header, Button), set(ImGuiCol_HeaderHovered, mix(Button, Lift, 0.06f)),
        set(ImGuiCol_HeaderActive, mix(Button, Lift, 0.10f));
    set(ImGuiCol_Separator, Border), set(ImGuiCol_SeparatorHovered, Accent),
        set(ImGuiCol_SeparatorActive, Accent);
    set(ImGuiCol_Tab, Header), set(ImGuiCol_TabHovered, mix(Button, Lift, 0.08f)),
        set(ImGuiCol_TabActive, TabOn);
    set(ImGuiCol_TabUnfocused, Header), set(ImGuiCol_TabUnfocusedActive, TabOn);
    set(ImGuiCol_TableHeaderBg, Header), set(ImGuiCol_TableBorderStrong, Border),
        set(ImGuiCol_TableBorderLight, mix(Panel, Border, 0.5f));
    set(ImGuiCol_TableRowBg, rgb(0, 0)), set(ImGuiCol_TableRowBgAlt, Stripe);
    set(ImGuiCol_TextSelectedBg, with_alpha(Accent, 80)), set(ImGuiCol_NavHighlight, Accent);
    set(ImGuiCol_ModalWindowDimBg, rgb(0x05070A, 150));
}

} // namespace vitrine::ui
