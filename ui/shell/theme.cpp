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

ImU32 phase_colour(std::string_view source) {
    if (source == "firmware") return rgb(0xE69F00);
    if (source == "processor") return rgb(0x56B4E9);
    if (source == "kernel") return rgb(0x2BB58A);
    return colour::Faint;
}

ImU32 mode_colour(cpu::Mode mode) {
    switch (mode) {
    case cpu::Mode::Real: return rgb(0xD55E00);
    case cpu::Mode::Virtual8086: return rgb(0xB5523C);
    case cpu::Mode::Protected16: return rgb(0xCC79A7);
    case cpu::Mode::Protected32: return rgb(0xE0B73A);
    case cpu::Mode::Compat16:
    case cpu::Mode::Compat32: return rgb(0x8C7AE6);
    case cpu::Mode::Long64: return rgb(0x3D8FD1);
    }
    return colour::Faint;
}

ImU32 page_type_colour(std::size_t type) {
    // free, reserved, kernel text, kernel data, slab, page table, anonymous, page cache, kernel stack,
    // vmalloc, page array, kernel, init memory, unknown
    static constexpr std::array<ImU32, 14> Types = {
        rgb(0x2A3441), rgb(0x4A5363), rgb(0xD55E00), rgb(0xE69F00), rgb(0xCC79A7),
        rgb(0xF0E442), rgb(0x2BB58A), rgb(0x56B4E9), rgb(0x8C7AE6), rgb(0x9FD8C4),
        rgb(0x3D6FA5), rgb(0xB5835A), rgb(0x8A9A5B), rgb(0xFF7B72)};
    return Types[type < Types.size() ? type : Types.size() - 1];
}

ImU32 tone_colour(u32 tone) {
    // Okabe and Ito's, with the yellow and the blue toned down for large areas.
    static constexpr std::array<ImU32, 8> Tones = {rgb(0x56B4E9), rgb(0xE69F00), rgb(0x2BB58A),
                                                   rgb(0xCC79A7), rgb(0xE0D24A), rgb(0x8C7AE6),
                                                   rgb(0xD9723A), rgb(0x9FC4D8)};
    return Tones[(tone + (tone >> 4)) % Tones.size()];
}

ImU32 terminal_colour(unsigned index) {
    static constexpr std::array<ImU32, 16> Colours = {
        rgb(0x1C222B), rgb(0xE5616B), rgb(0x4CC38A), rgb(0xE0B73A), rgb(0x5AA2E8), rgb(0xC58AF0),
        rgb(0x4DC4C4), rgb(0xD4DBE5), rgb(0x8592A5), rgb(0xFF8A92), rgb(0x7FE3B2), rgb(0xFFD873),
        rgb(0x8CC4FF), rgb(0xDDB3FF), rgb(0x8BE6E6), rgb(0xFFFFFF)};
    return Colours[index & 15];
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
    set(ImGuiCol_WindowBg, Panel), set(ImGuiCol_ChildBg, rgb(0, 0)), set(ImGuiCol_PopupBg, rgb(0x1C222B));
    set(ImGuiCol_Border, Border), set(ImGuiCol_BorderShadow, rgb(0, 0));
    set(ImGuiCol_FrameBg, Inset), set(ImGuiCol_FrameBgHovered, rgb(0x11161D)),
        set(ImGuiCol_FrameBgActive, rgb(0x141A22));
    set(ImGuiCol_TitleBg, Header), set(ImGuiCol_TitleBgActive, Header),
        set(ImGuiCol_TitleBgCollapsed, Header);
    set(ImGuiCol_ScrollbarBg, rgb(0, 0)), set(ImGuiCol_ScrollbarGrab, rgb(0x343E4C)),
        set(ImGuiCol_ScrollbarGrabHovered, rgb(0x465264)), set(ImGuiCol_ScrollbarGrabActive, Accent);
    set(ImGuiCol_CheckMark, Accent), set(ImGuiCol_SliderGrab, Accent), set(ImGuiCol_SliderGrabActive, Accent);
    set(ImGuiCol_Button, rgb(0x252D38)), set(ImGuiCol_ButtonHovered, rgb(0x303A48)),
        set(ImGuiCol_ButtonActive, rgb(0x3A4658));
    set(ImGuiCol_Header, rgb(0x252D38)), set(ImGuiCol_HeaderHovered, rgb(0x2C3542)),
        set(ImGuiCol_HeaderActive, rgb(0x343F4E));
    set(ImGuiCol_Separator, Border), set(ImGuiCol_SeparatorHovered, Accent),
        set(ImGuiCol_SeparatorActive, Accent);
    set(ImGuiCol_Tab, rgb(0x1C222B)), set(ImGuiCol_TabHovered, rgb(0x303A48)),
        set(ImGuiCol_TabActive, rgb(0x2B3543));
    set(ImGuiCol_TabUnfocused, rgb(0x1C222B)), set(ImGuiCol_TabUnfocusedActive, rgb(0x2B3543));
    set(ImGuiCol_TableHeaderBg, rgb(0x1A2029)), set(ImGuiCol_TableBorderStrong, Border),
        set(ImGuiCol_TableBorderLight, rgb(0x222933));
    set(ImGuiCol_TableRowBg, rgb(0, 0)), set(ImGuiCol_TableRowBgAlt, Stripe);
    set(ImGuiCol_TextSelectedBg, with_alpha(Accent, 80)), set(ImGuiCol_NavHighlight, Accent);
    set(ImGuiCol_ModalWindowDimBg, rgb(0x05070A, 150));
}

} // namespace vitrine::ui
