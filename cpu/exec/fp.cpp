// Moving the guest's MXCSR into and out of the host's, and unmasked exceptions: see fp.h. SDM vol. 1 11.5.
#include "cpu/exec/fp.h"

namespace vitrine::cpu {

void Core::load_fp() {
    _mm_setcsr((r.mxcsr & ~MxcsrFlags) | MxcsrMasks);
    fp_loaded = true;
}
void Core::sync_fp() {
    if (x87_loaded) {
        if (x87_control != HostX87Control || x87_flags) asm volatile("fninit");
        x87_loaded = false;
    }
    if (!fp_loaded) return;
    r.mxcsr |= _mm_getcsr() & MxcsrFlags;
    _mm_setcsr(HostMxcsr);
    fp_loaded = false;
}

bool fp_load_masked(Core& core) {
    if ((core.r.mxcsr & MxcsrMasks) != MxcsrMasks) return false;
    if (!core.fp_loaded) core.load_fp();
    return true;
}

/// SDM vol. 2 2.4: legacy encodings look at EM and OSFXSR, VEX encodings at OSXSAVE and XCR0; both at TS.
bool simd_not_ready(Core& core, bool vex) {
    const bool undefined =
        vex ? !(core.r.cr4 & OSXSAVE) || (core.r.xcr0 & 6) != 6 : (core.r.cr0 & EM) || !(core.r.cr4 & OSFXSR);
    return core.raise(undefined ? 6 : 7);
}

bool vector_memory(Core& core, const Op& op, unsigned size, unsigned alignment, bool write, void* data) {
    u64 linear = 0;
    if (!operand_linear(core, op, size, write, linear)) return false;
    if (alignment && (linear & (alignment - 1))) return core.raise(13, 0);
    if (u8* p = core.fast(write ? core.write_fast : core.read_fast, linear, size)) {
        write ? std::memcpy(p, data, size) : std::memcpy(data, p, size);
        return true;
    }
    return write ? core.write(linear, size, data, core.cpl == 3)
                 : core.read(linear, size, data, core.cpl == 3);
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
