// Moving the guest's MXCSR into and out of the host's, and unmasked exceptions: see fp.h. SDM vol. 1 11.5.
#include "cpu/exec/fp.h"

namespace vitrine::cpu {

void Core::load_fp() {
    _mm_setcsr((r.mxcsr & ~MxcsrFlags) | MxcsrMasks);
    fp_loaded = true;
}
void Core::sync_fp() {
    if (!fp_loaded) return;
    r.mxcsr |= _mm_getcsr() & MxcsrFlags;
    _mm_setcsr(HostMxcsr);
    fp_loaded = false;
}

/// SDM 1 11.5.3, 11.5.2.2–6: invalid, denormal and divide-by-zero are found before anything is computed, in
/// any element; overflow, underflow and inexact come after.
bool fp_unmasked(Core& core, u32 masked, bool tiny) {
    constexpr u32 before = 0x07, underflow = 0x10;
    const u32 unmasked = ~(core.r.mxcsr >> 7) & MxcsrFlags;
    u32 raised = masked;
    if (raised & before & unmasked)
        raised &= before;
    else if (tiny)
        raised |= underflow;
    core.r.mxcsr |= raised;
    if (raised & unmasked) return core.raise(core.r.cr4 & OSXMMEXCPT ? 19 : 6);
    return true;
}

} // namespace vitrine::cpu
