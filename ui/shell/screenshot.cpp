// The window as PNG, for tests and for the docs.
#include <fmt/format.h>
#include <png.h>
#include <vector>
#include "emu/load/files.h"
#include "ui/shell/app.h"

namespace vitrine::ui {

Expected<void> write_window_png(SDL_Renderer* renderer, const std::string& path) {
    int width = 0, height = 0;
    SDL_GetRendererOutputSize(renderer, &width, &height);
    std::vector<u8> pixels(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3);
    if (SDL_RenderReadPixels(renderer, nullptr, SDL_PIXELFORMAT_RGB24, pixels.data(), width * 3) != 0)
        return std::unexpected(
            Error{Exit::Internal, fmt::format("the window's pixels cannot be read: {}", SDL_GetError())});
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.width = static_cast<png_uint_32>(width), image.height = static_cast<png_uint_32>(height);
    image.format = PNG_FORMAT_RGB;
    png_alloc_size_t size = 0;
    if (!png_image_write_to_memory(&image, nullptr, &size, 0, pixels.data(), 0, nullptr))
        return std::unexpected(Error{Exit::Internal, fmt::format("{}: {}", path, image.message)});
    std::vector<u8> file(size);
    if (!png_image_write_to_memory(&image, file.data(), &size, 0, pixels.data(), 0, nullptr))
        return std::unexpected(Error{Exit::Internal, fmt::format("{}: {}", path, image.message)});
    file.resize(size);
    return emu::write_file(path, file);
}

} // namespace vitrine::ui
