// StripScale — how the strip maps steps to pixels: piecewise linear between boot phases.
//
// A boot is a few hundred steps of reset code, then millions of decompression: on a linear axis most phases
// would be thinner than a pixel. Every phase gets a share that grows with a root of its length, and a least
// width; inside a phase the axis is linear. Invariants: strictly increasing in x, so every step has one place
// and every place one step.
#pragma once
#include <span>
#include <vector>
#include "cpu/base/types.h"

namespace vitrine::ui {

class StripScale {
public:
    /// `starts`: the first steps of the bands, ascending; `end`: the last step shown.
    StripScale(std::span<const u64> starts, u64 end, float left, float width);
    float x_of(u64 step) const;
    u64 step_at(float x) const;
    struct Band {
        u64 first, last; ///< steps; last is the next band's first
        float x0, x1;
    };
    const std::vector<Band>& bands() const { return bands_; }

private:
    std::vector<Band> bands_;
};

} // namespace vitrine::ui
