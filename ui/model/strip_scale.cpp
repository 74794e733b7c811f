// The strip's axis: see strip_scale.h.
#include "ui/model/strip_scale.h"
#include <algorithm>
#include <cmath>

namespace vitrine::ui {

namespace {
constexpr double Root = 0.30;      ///< share of a band: length to this power
constexpr float LeastWidth = 3.0f; ///< pixels, when there is room
} // namespace

StripScale::StripScale(std::span<const u64> starts, u64 end, float left, float width) {
    for (std::size_t i = 0; i < starts.size(); ++i) {
        const u64 last = i + 1 < starts.size() ? starts[i + 1] : std::max(end, starts[i]);
        if (last > starts[i] || i + 1 == starts.size())
            bands_.push_back({starts[i], std::max(last, starts[i] + 1), 0, 0});
    }
    if (bands_.empty()) bands_.push_back({0, std::max<u64>(end, 1), 0, 0});
    const float least = std::min(LeastWidth, 0.5f * width / static_cast<float>(bands_.size()));
    const float shared = width - least * static_cast<float>(bands_.size());
    double sum = 0;
    for (const Band& b : bands_) sum += std::pow(static_cast<double>(b.last - b.first), Root);
    double x = left;
    for (Band& b : bands_) {
        b.x0 = static_cast<float>(x);
        x += least + shared * std::pow(static_cast<double>(b.last - b.first), Root) / sum;
        b.x1 = static_cast<float>(x);
    }
    bands_.back().x1 = left + width;
}

float StripScale::x_of(u64 step) const {
    auto band = std::ranges::upper_bound(bands_, step, {}, &Band::first);
    if (band == bands_.begin()) return bands_.front().x0;
    --band;
    const double part = std::min(1.0, static_cast<double>(step - band->first) /
                                          static_cast<double>(band->last - band->first));
    return band->x0 + static_cast<float>(part) * (band->x1 - band->x0);
}

u64 StripScale::step_at(float x) const {
    auto band = std::ranges::upper_bound(bands_, x, {}, &Band::x0);
    if (band == bands_.begin()) return bands_.front().first;
    --band;
    const double part =
        std::clamp(static_cast<double>((x - band->x0) / std::max(band->x1 - band->x0, 0.001f)), 0.0, 1.0);
    return band->first + static_cast<u64>(part * static_cast<double>(band->last - band->first));
}

} // namespace vitrine::ui
