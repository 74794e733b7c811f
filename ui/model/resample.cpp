// Separable area resampling in 8.8 weights: see resample.h.
#include "ui/model/resample.h"
#include <algorithm>
#include <cmath>

namespace vitrine::ui {

namespace {
struct Tap {
    u32 first = 0;
    std::vector<u32> weights; ///< sum: 256
};

std::vector<Tap> taps(u32 from, u32 to) {
    std::vector<Tap> out(to);
    const double step = static_cast<double>(from) / to;
    for (u32 i = 0; i < to; ++i) {
        const double a = i * step, b = std::min((i + 1) * step, static_cast<double>(from));
        Tap& tap = out[i];
        tap.first = std::min(static_cast<u32>(a), from - 1);
        u32 sum = 0;
        for (u32 s = tap.first; s < from && s < b; ++s) {
            const double covered = std::min(b, s + 1.0) - std::max(a, static_cast<double>(s));
            tap.weights.push_back(static_cast<u32>(std::lround(256 * covered / (b - a))));
            sum += tap.weights.back();
        }
        if (tap.weights.empty()) tap.weights.push_back(256), sum = 256;
        // Rounding errors go to the heaviest weight, so that white stays white.
        auto heaviest = std::ranges::max_element(tap.weights);
        *heaviest = *heaviest + 256 - sum;
    }
    return out;
}

u32 blend(const Tap& tap, const u32* at, std::size_t stride) {
    u32 r = 0, g = 0, b = 0;
    for (std::size_t i = 0; i < tap.weights.size(); ++i) {
        const u32 p = at[i * stride], w = tap.weights[i];
        r += (p & 255) * w, g += (p >> 8 & 255) * w, b += (p >> 16 & 255) * w;
    }
    return 0xFF000000u | (b >> 8) << 16 | (g >> 8) << 8 | r >> 8;
}
} // namespace

std::vector<u32> resample(const std::vector<u32>& pixels, u32 width, u32 height, u32 to_width,
                          u32 to_height) {
    if (width == 0 || height == 0 || to_width == 0 || to_height == 0 ||
        pixels.size() < std::size_t{width} * height)
        return {};
    const auto across = taps(width, to_width), down = taps(height, to_height);
    std::vector<u32> rows(std::size_t{to_width} * height), out(std::size_t{to_width} * to_height);
    for (u32 y = 0; y < height; ++y)
        for (u32 x = 0; x < to_width; ++x)
            rows[std::size_t{y} * to_width + x] =
                blend(across[x], &pixels[std::size_t{y} * width + across[x].first], 1);
    for (u32 y = 0; y < to_height; ++y)
        for (u32 x = 0; x < to_width; ++x)
            out[std::size_t{y} * to_width + x] =
                blend(down[y], &rows[std::size_t{down[y].first} * to_width + x], to_width);
    return out;
}

} // namespace vitrine::ui
