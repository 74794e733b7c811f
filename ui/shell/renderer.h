// Renderer — draws Dear ImGui through SDL_Renderer, and holds pictures as textures.
//
// Debian's ImGui library leaves the SDL_Renderer backend out, so this is ours. It works on every SDL
// renderer, the software one of a machine without OpenGL included. Invariants: textures die before the SDL
// renderer; with the software renderer, whose picture stays, only the parts are drawn again whose draw lists
// differ from those of the last frame, and the result is what drawing everything would have given.
#pragma once
#include <SDL.h>
#include <imgui.h>
#include <span>
#include <vector>
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
    /// One frame, on a ground of `back`.
    void draw(const ImDrawData& data, ImU32 back);
    /// The window's picture may be lost: the next frame draws all of it.
    void forget() { drawn_.clear(); }
    /// Points drawn so far, for figures: with the software renderer this is what costs.
    u64 points() const { return points_; }

private:
    struct Drawn {
        u64 hash;
        SDL_Rect bounds;
        bool operator==(const Drawn& other) const { return hash == other.hash; }
    };
    static Drawn look(const ImDrawList& list, const SDL_Rect& all);
    std::vector<SDL_Rect> changed(const ImDrawData& data, const SDL_Rect& all);
    void draw_inside(const ImDrawData& data, const SDL_Rect& part, ImU32 back);
    void draw_rectangles(const ImDrawList& list, const ImDrawCmd& command);
    SDL_Renderer* renderer_;
    std::vector<Drawn> drawn_; ///< the last frame's lists
    SDL_Rect drawn_all_{};
    ImU32 drawn_back_ = 0;
    u64 points_ = 0;
    bool software_;
    SDL_Texture* fonts_ = nullptr;
};

} // namespace vitrine::ui
