// ImGui's draw lists as SDL_RenderGeometryRaw calls: see renderer.h.
#include "ui/shell/renderer.h"
#include <spdlog/spdlog.h>

namespace vitrine::ui {

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
    SDL_SetTextureBlendMode(fonts_, SDL_BLENDMODE_BLEND);
    SDL_SetTextureScaleMode(fonts_, SDL_ScaleModeLinear);
    io.Fonts->SetTexID(fonts_);
}

void Renderer::draw(const ImDrawData& data) {
    SDL_RenderSetViewport(renderer_, nullptr);
    const ImVec2 scale = data.FramebufferScale;
    SDL_RenderSetScale(renderer_, scale.x, scale.y);
    for (int n = 0; n < data.CmdListsCount; ++n) {
        const ImDrawList& list = *data.CmdLists[n];
        for (const ImDrawCmd& command : list.CmdBuffer) {
            if (command.UserCallback) {
                if (command.UserCallback != ImDrawCallback_ResetRenderState)
                    command.UserCallback(&list, &command);
                continue;
            }
            const int left = static_cast<int>(command.ClipRect.x), top = static_cast<int>(command.ClipRect.y);
            const SDL_Rect clip{left, top, static_cast<int>(command.ClipRect.z) - left,
                                static_cast<int>(command.ClipRect.w) - top};
            if (clip.w <= 0 || clip.h <= 0) continue;
            SDL_RenderSetClipRect(renderer_, &clip);
            const ImDrawVert* vertices = list.VtxBuffer.Data + command.VtxOffset;
            SDL_RenderGeometryRaw(renderer_, static_cast<SDL_Texture*>(command.GetTexID()), &vertices->pos.x,
                                  sizeof(ImDrawVert), reinterpret_cast<const SDL_Color*>(&vertices->col),
                                  sizeof(ImDrawVert), &vertices->uv.x, sizeof(ImDrawVert),
                                  list.VtxBuffer.Size - static_cast<int>(command.VtxOffset),
                                  list.IdxBuffer.Data + command.IdxOffset,
                                  static_cast<int>(command.ElemCount), sizeof(ImDrawIdx));
        }
    }
    SDL_RenderSetClipRect(renderer_, nullptr);
    SDL_RenderSetScale(renderer_, 1, 1);
}

} // namespace vitrine::ui
