// The renderer draws again only what has changed: the picture must be the one that drawing all of it gives.
#include <gtest/gtest.h>
#include <cstring>
#include <random>
#include <string>
#include <vector>
#include "ui/shell/renderer.h"

using namespace vitrine;
using namespace vitrine::ui;

namespace {

constexpr int Width = 400, Height = 300;

/// A surface, SDL's software renderer on it, and a Dear ImGui context.
class Window {
public:
    Window() {
        surface_ = SDL_CreateRGBSurfaceWithFormat(0, Width, Height, 32, SDL_PIXELFORMAT_ARGB8888);
        sdl_ = SDL_CreateSoftwareRenderer(surface_);
        context_ = ImGui::CreateContext();
        ImGuiIO& io = ImGui::GetIO();
        io.IniFilename = nullptr;
        io.DisplaySize = {Width, Height};
        renderer_ = new Renderer(sdl_, true);
        renderer_->upload_fonts();
    }
    ~Window() {
        delete renderer_;
        ImGui::DestroyContext(context_);
        SDL_DestroyRenderer(sdl_);
        SDL_FreeSurface(surface_);
    }
    Window(const Window&) = delete;
    Window& operator=(const Window&) = delete;

    /// Draws the frame on what is there, then all of it; true when the pictures agree.
    bool agrees() {
        const ImDrawData& data = *ImGui::GetDrawData();
        const u64 before = renderer_->points();
        renderer_->draw(data, Ground);
        const auto first = pixels();
        drawn = renderer_->points() - before;
        renderer_->forget();
        renderer_->draw(data, Ground);
        return first == pixels();
    }
    std::vector<u8> pixels() const {
        SDL_RenderFlush(sdl_);
        const auto* from = static_cast<const u8*>(surface_->pixels);
        return {from, from + static_cast<std::size_t>(surface_->pitch) * Height};
    }
    SDL_Renderer* sdl() { return sdl_; }
    u64 drawn = 0;

private:
    static constexpr ImU32 Ground = IM_COL32(14, 17, 22, 255);
    SDL_Surface* surface_ = nullptr;
    SDL_Renderer* sdl_ = nullptr;
    ImGuiContext* context_ = nullptr;
    Renderer* renderer_ = nullptr;
};

void panel(const char* name, float x, float y, float width, float height, const std::string& content) {
    ImGui::SetNextWindowPos({x, y});
    ImGui::SetNextWindowSize({width, height});
    ImGui::Begin(name, nullptr, ImGuiWindowFlags_NoSavedSettings);
    ImGui::TextUnformatted(content.c_str());
    ImGui::End();
}

} // namespace

TEST(Renderer, WhatIsDrawnInPartsIsThePictureDrawnWhole) {
    Window window;
    Picture picture;
    std::mt19937 random(3);
    std::vector<u32> points(64 * 64, 0xFF00FF00);
    picture.update(window.sdl(), 64, 64, points);
    for (int frame = 0; frame < 200; ++frame) {
        if (random() % 4 == 0) {
            points[random() % points.size()] = static_cast<u32>(random()) | 0xFF000000;
            picture.update(window.sdl(), 64, 64, points);
        }
        const auto changing = [&](unsigned often) {
            return std::to_string(random() % often == 0 ? random() : 7);
        };
        ImGui::NewFrame();
        panel("a", 5, 5, 120, 120, changing(3));
        panel("b", 130, 5, 120, 120, changing(5));
        panel("moves", 260 + static_cast<float>(random() % 3), 5, 120, 120, "x");
        panel("over", 60, 60, 150, 120, changing(4)); // lies over a and b
        ImGui::SetNextWindowPos({220, 150});
        ImGui::Begin("picture", nullptr,
                     ImGuiWindowFlags_AlwaysAutoResize | ImGuiWindowFlags_NoSavedSettings);
        ImGui::Image(picture.id(), {64, 64});
        ImGui::End();
        if (random() % 6 == 0) panel("comes and goes", 20, 180, 100, 60, "here");
        ImGui::Render();
        ASSERT_TRUE(window.agrees()) << "frame " << frame;
    }
}

TEST(Renderer, OneNumberThatChangesIsNotAWholeWindow) {
    Window window;
    for (int frame = 0; frame < 10; ++frame) {
        ImGui::NewFrame();
        panel("still", 5, 5, 200, 280, "nothing happens here");
        panel("alive", 220, 5, 100, 50, std::to_string(frame));
        ImGui::Render();
        ASSERT_TRUE(window.agrees());
    }
    // The frame before was drawn whole, so that the next shows what a change costs.
    ImGui::NewFrame();
    panel("still", 5, 5, 200, 280, "nothing happens here");
    panel("alive", 220, 5, 100, 50, "changed");
    ImGui::Render();
    ASSERT_TRUE(window.agrees());
    EXPECT_GT(window.drawn, 0u);
    EXPECT_LT(window.drawn, 110u * 60u);
}
