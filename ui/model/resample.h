// Area resampling of the guest's screen to the exact size at which it is shown: every output pixel is the
// mean of the source area below it. Enlarging by a whole number repeats pixels; everything else stays legible
// without blur.
#pragma once
#include <vector>
#include "cpu/base/types.h"

namespace vitrine::ui {

/// Bytes R, G, B, A; alpha is set to opaque.
std::vector<u32> resample(const std::vector<u32>& pixels, u32 width, u32 height, u32 to_width, u32 to_height);

} // namespace vitrine::ui
