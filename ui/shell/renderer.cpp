// ImGui's draw lists as SDL_RenderGeometryRaw calls: see renderer.h.
#include "ui/shell/renderer.h"
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <spdlog/spdlog.h>
#include <xxhash.h>

namespace vitrine::ui {

namespace {
SDL_Rect clip_of(const ImDrawCmd& command) {
    const int left = static_cast<int>(command.ClipRect.x), top = static_cast<int>(command.ClipRect.y);
    return {left, top, static_cast<int>(command.ClipRect.z) - left,
            static_cast<int>(command.ClipRect.w) - top};
}
/// A texture has other content now: a number that no texture had before.
void touch(SDL_Texture* texture) {
    static std::uintptr_t version = 0;
    SDL_SetTextureUserData(texture, reinterpret_cast<void*>(++version));
}

/// What overlaps much becomes one part; a corner in common is drawn twice, which changes nothing.
void add_part(std::vector<SDL_Rect>& parts, SDL_Rect part) {
    const auto points = [](const SDL_Rect& r) { return static_cast<u64>(r.w) * static_cast<u64>(r.h); };
    for (std::size_t k = 0; k < parts.size();) {
        SDL_Rect both;
        SDL_UnionRect(&part, &parts[k], &both);
        if (points(both) <= points(part) + points(parts[k])) {
            part = both;
            parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(k));
            k = 0;
        } else {
            ++k;
        }
    }
    parts.push_back(part);
}
} // namespace

Picture::~Picture() {
    if (texture_) SDL_DestroyTexture(texture_);
}

void Picture::update(SDL_Renderer* renderer, int width, int height, std::span<const u32> pixels) {
    if (width <= 0 || height <= 0 ||
        pixels.size() < static_cast<std::size_t>(width) * static_cast<std::size_t>(height))
        return;
    if (!texture_ || width != width_ || height != height_) {
        if (texture_) SDL_DestroyTexture(texture_);
        texture_ =
            SDL_CreateTexture(renderer, SDL_PIXELFORMAT_RGBA32, SDL_TEXTUREACCESS_STATIC, width, height);
        if (!texture_) return spdlog::error("no texture of {}×{}: {}", width, height, SDL_GetError());
        SDL_SetTextureScaleMode(texture_, SDL_ScaleModeNearest);
        width_ = width, height_ = height;
    }
    SDL_UpdateTexture(texture_, nullptr, pixels.data(), width * 4);
    touch(texture_);
}

Renderer::~Renderer() {
    if (fonts_) SDL_DestroyTexture(fonts_);
}

void Renderer::upload_fonts() {
    unsigned char* pixels = nullptr;
    int width = 0, height = 0;
    ImGuiIO& io = ImGui::GetIO();
    io.Fonts->GetTexDataAsRGBA32(&pixels, &width, &height);
    if (fonts_) SDL_DestroyTexture(fonts_);
    fonts_ = SDL_CreateTexture(renderer_, SDL_PIXELFORMAT_RGBA32, SDL_TEXTUREACCESS_STATIC, width, height);
    if (!fonts_) return spdlog::error("no texture for the fonts: {}", SDL_GetError());
    SDL_UpdateTexture(fonts_, nullptr, pixels, width * 4);
    touch(fonts_);
    SDL_SetTextureBlendMode(fonts_, SDL_BLENDMODE_BLEND);
    SDL_SetTextureScaleMode(fonts_, SDL_ScaleModeLinear);
    io.Fonts->SetTexID(fonts_);
}

/// Text, panels and pictures are upright rectangles: those are filled and copied, only the rest is triangles.
void Renderer::draw_rectangles(const ImDrawList& list, const ImDrawCmd& command) {
    const ImDrawVert* vertices = list.VtxBuffer.Data + command.VtxOffset;
    const ImDrawIdx* indices = list.IdxBuffer.Data + command.IdxOffset;
    SDL_Texture* texture = static_cast<SDL_Texture*>(command.GetTexID());
    int width = 1, height = 1;
    SDL_QueryTexture(texture, nullptr, nullptr, &width, &height);
    const auto same = [](float a, float b) { return a == b; };
    const auto rectangle = [&](unsigned i) {
        const ImDrawIdx* at = indices + i;
        if (i + 6 > command.ElemCount || at[3] != at[0] || at[4] != at[2]) return false;
        const ImDrawVert &a = vertices[at[0]], &b = vertices[at[1]], &c = vertices[at[2]],
                         &d = vertices[at[5]];
        return a.col == b.col && a.col == c.col && a.col == d.col && same(a.pos.y, b.pos.y) &&
               same(b.pos.x, c.pos.x) && same(c.pos.y, d.pos.y) && same(d.pos.x, a.pos.x);
    };
    unsigned from = 0;
    const auto triangles = [&](unsigned to) {
        if (to <= from) return;
        SDL_SetTextureColorMod(texture, 255, 255, 255);
        SDL_SetTextureAlphaMod(texture, 255);
        SDL_RenderGeometryRaw(renderer_, texture, &vertices->pos.x, sizeof(ImDrawVert),
                              reinterpret_cast<const SDL_Color*>(&vertices->col), sizeof(ImDrawVert),
                              &vertices->uv.x, sizeof(ImDrawVert),
                              list.VtxBuffer.Size - static_cast<int>(command.VtxOffset), indices + from,
                              static_cast<int>(to - from), sizeof(ImDrawIdx));
    };
    SDL_SetRenderDrawBlendMode(renderer_, SDL_BLENDMODE_BLEND);
    unsigned i = 0;
    while (i < command.ElemCount) {
        if (!rectangle(i)) {
            i += 3;
            continue;
        }
        triangles(i);
        const ImDrawVert &a = vertices[indices[i]], &c = vertices[indices[i + 2]];
        const SDL_Color colour = *reinterpret_cast<const SDL_Color*>(&a.col);
        const float x0 = std::round(a.pos.x), y0 = std::round(a.pos.y), x1 = std::round(c.pos.x),
                    y1 = std::round(c.pos.y);
        const SDL_Rect to{static_cast<int>(x0), static_cast<int>(y0), static_cast<int>(x1 - x0),
                          static_cast<int>(y1 - y0)};
        if (a.uv.x == c.uv.x && a.uv.y == c.uv.y) { // the atlas's white point: one plain colour
            SDL_SetRenderDrawColor(renderer_, colour.r, colour.g, colour.b, colour.a);
            SDL_RenderFillRect(renderer_, &to);
        } else {
            const int u0 = static_cast<int>(std::lround(a.uv.x * static_cast<float>(width))),
                      v0 = static_cast<int>(std::lround(a.uv.y * static_cast<float>(height))),
                      u1 = static_cast<int>(std::lround(c.uv.x * static_cast<float>(width))),
                      v1 = static_cast<int>(std::lround(c.uv.y * static_cast<float>(height)));
            const SDL_Rect part{u0, v0, u1 - u0, v1 - v0};
            SDL_SetTextureColorMod(texture, colour.r, colour.g, colour.b);
            SDL_SetTextureAlphaMod(texture, colour.a);
            SDL_RenderCopy(renderer_, texture, &part, &to);
        }
        i += 6, from = i;
    }
    triangles(command.ElemCount);
    SDL_SetTextureColorMod(texture, 255, 255, 255);
    SDL_SetTextureAlphaMod(texture, 255);
}

/// What a list shows, as a number: its commands, its vertices and the pictures that it refers to.
Renderer::Drawn Renderer::look(const ImDrawList& list, const SDL_Rect& all) {
    Drawn out{XXH3_64bits(list.VtxBuffer.Data, static_cast<std::size_t>(list.VtxBuffer.size_in_bytes())), {}};
    const auto mix = [&](const void* data, std::size_t size) {
        out.hash = XXH3_64bits_withSeed(data, size, out.hash);
    };
    mix(list.IdxBuffer.Data, static_cast<std::size_t>(list.IdxBuffer.size_in_bytes()));
    for (const ImDrawCmd& command : list.CmdBuffer) {
        const ImTextureID texture = command.GetTexID();
        void* version = texture ? SDL_GetTextureUserData(static_cast<SDL_Texture*>(texture)) : nullptr;
        mix(&command.ClipRect, sizeof command.ClipRect);
        mix(&texture, sizeof texture);
        mix(&version, sizeof version);
        mix(&command.ElemCount, sizeof command.ElemCount);
        // Clips are often wider than what is drawn.
        float left = 1e9f, top = 1e9f, right = -1e9f, bottom = -1e9f;
        for (unsigned i = 0; i < command.ElemCount; ++i) {
            const ImVec2 at = list.VtxBuffer[static_cast<int>(command.VtxOffset) +
                                             list.IdxBuffer[static_cast<int>(command.IdxOffset + i)]]
                                  .pos;
            left = std::min(left, at.x), top = std::min(top, at.y);
            right = std::max(right, at.x), bottom = std::max(bottom, at.y);
        }
        if (command.ElemCount == 0) continue;
        const SDL_Rect clip = clip_of(command),
                       box{static_cast<int>(left) - 1, static_cast<int>(top) - 1,
                           static_cast<int>(right - left) + 3, static_cast<int>(bottom - top) + 3};
        SDL_Rect seen;
        if (SDL_IntersectRect(&clip, &all, &seen) && SDL_IntersectRect(&box, &seen, &seen))
            SDL_UnionRect(&out.bounds, &seen, &out.bounds);
    }
    return out;
}

/// The parts to draw again. Lists are compared by their place in the order: when a window comes or goes, all
/// is.
std::vector<SDL_Rect> Renderer::changed(const ImDrawData& data, const SDL_Rect& all) {
    std::vector<Drawn> now;
    for (int n = 0; n < data.CmdListsCount; ++n) now.push_back(look(*data.CmdLists[n], all));
    std::vector<SDL_Rect> parts;
    if (now.size() != drawn_.size()) {
        parts.push_back(all);
    } else {
        for (std::size_t i = 0; i < now.size(); ++i) {
            if (now[i] == drawn_[i]) continue;
            SDL_Rect part = now[i].bounds;
            SDL_UnionRect(&part, &drawn_[i].bounds, &part);
            if (part.w > 0 && part.h > 0) add_part(parts, part);
        }
    }
    drawn_ = std::move(now);
    return parts;
}

void Renderer::draw(const ImDrawData& data, ImU32 back) {
    SDL_RenderSetViewport(renderer_, nullptr);
    const ImVec2 scale = data.FramebufferScale;
    SDL_RenderSetScale(renderer_, scale.x, scale.y);
    const SDL_Rect all{0, 0, static_cast<int>(data.DisplaySize.x), static_cast<int>(data.DisplaySize.y)};
    if (!software_ || all.w != drawn_all_.w || all.h != drawn_all_.h || back != drawn_back_) forget();
    drawn_all_ = all, drawn_back_ = back;
    if (software_)
        for (const SDL_Rect& part : changed(data, all)) draw_inside(data, part, back);
    else
        draw_inside(data, all, back);
    SDL_RenderSetClipRect(renderer_, nullptr);
    SDL_RenderSetScale(renderer_, 1, 1);
}

void Renderer::draw_inside(const ImDrawData& data, const SDL_Rect& part, ImU32 back) {
    points_ += static_cast<u64>(part.w) * static_cast<u64>(part.h);
    SDL_RenderSetClipRect(renderer_, &part);
    const SDL_Color ground = *reinterpret_cast<const SDL_Color*>(&back);
    SDL_SetRenderDrawBlendMode(renderer_, SDL_BLENDMODE_NONE);
    SDL_SetRenderDrawColor(renderer_, ground.r, ground.g, ground.b, 255);
    SDL_RenderFillRect(renderer_, &part);
    for (int n = 0; n < data.CmdListsCount; ++n) {
        const ImDrawList& list = *data.CmdLists[n];
        for (const ImDrawCmd& command : list.CmdBuffer) {
            if (command.UserCallback) {
                if (command.UserCallback != ImDrawCallback_ResetRenderState)
                    command.UserCallback(&list, &command);
                continue;
            }
            const SDL_Rect wanted = clip_of(command);
            SDL_Rect clip;
            if (!SDL_IntersectRect(&wanted, &part, &clip)) continue;
            SDL_RenderSetClipRect(renderer_, &clip);
            if (software_) {
                draw_rectangles(list, command);
                continue;
            }
            const ImDrawVert* vertices = list.VtxBuffer.Data + command.VtxOffset;
            SDL_RenderGeometryRaw(renderer_, static_cast<SDL_Texture*>(command.GetTexID()), &vertices->pos.x,
                                  sizeof(ImDrawVert), reinterpret_cast<const SDL_Color*>(&vertices->col),
                                  sizeof(ImDrawVert), &vertices->uv.x, sizeof(ImDrawVert),
                                  list.VtxBuffer.Size - static_cast<int>(command.VtxOffset),
                                  list.IdxBuffer.Data + command.IdxOffset,
                                  static_cast<int>(command.ElemCount), sizeof(ImDrawIdx));
        }
    }
}

} // namespace vitrine::ui
