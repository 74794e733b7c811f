// Renderer — draws Dear ImGui through SDL_Renderer, and holds pictures as textures.
//
// Debian's ImGui library leaves the SDL_Renderer backend out, so this is ours. It works on every SDL
// renderer, the software one of a machine without OpenGL included. Invariant: textures die before the SDL
// renderer.
#pragma once
#include <SDL.h>
#include <imgui.h>
#include <span>
#include "cpu/base/types.h"

namespace vitrine::ui {

class Picture {
public:
    Picture() = default;
    ~Picture();
    Picture(const Picture&) = delete;
    Picture& operator=(const Picture&) = delete;
    /// Pixels R, G, B, A in memory order.
    void update(SDL_Renderer* renderer, int width, int height, std::span<const u32> pixels);
    ImTextureID id() const { return texture_; }
    int width() const { return width_; }
    int height() const { return height_; }

private:
    SDL_Texture* texture_ = nullptr;
    int width_ = 0, height_ = 0;
};

class Renderer {
public:
    /// `software`: SDL draws by the processor, whose triangles are slow and whose rectangles are not.
    explicit Renderer(SDL_Renderer* renderer, bool software) : renderer_(renderer), software_(software) {}
    ~Renderer();
    Renderer(const Renderer&) = delete;
    Renderer& operator=(const Renderer&) = delete;
    SDL_Renderer* sdl() const { return renderer_; }
    /// After the font atlas was built or built again.
    void upload_fonts();
    void draw(const ImDrawData& data);

private:
    void draw_rectangles(const ImDrawList& list, const ImDrawCmd& command);
    SDL_Renderer* renderer_;
    bool software_;
    SDL_Texture* fonts_ = nullptr;
};

} // namespace vitrine::ui
