// The floating-point environment: SSE runs on the host's own unit under the guest's MXCSR (design.md §3).
//
// Invariants: exceptions are always masked on the host. While `fp_loaded`, the host's MXCSR holds the guest's
// rounding, DAZ and FTZ and collects sticky flags; sync_fp() folds them back and restores the host's default.
// With an unmasked exception the flags are collected per instruction, and the instruction writes nothing when
// it faults. SDM vol. 1 11.5.
#pragma once
#include <immintrin.h>
#include "cpu/exec/operand.h"

namespace vitrine::cpu {

inline constexpr u32 HostMxcsr = 0x1F80, MxcsrFlags = 0x3F, MxcsrMasks = 0x1F80;

inline __m128i xmm_get(const Core& core, u8 n) {
    return _mm_load_si128(reinterpret_cast<const __m128i*>(&core.r.xmm[n]));
}
inline void xmm_put(Core& core, u8 n, __m128i v) {
    _mm_store_si128(reinterpret_cast<__m128i*>(&core.r.xmm[n]), v);
}

/// #UD without OSFXSR or with EM; #NM with TS. False: fault pending.
inline bool sse_ready(Core& core) {
    if ((core.r.cr0 & EM) || !(core.r.cr4 & OSFXSR)) return core.raise(6);
    if (core.r.cr0 & TS) return core.raise(7);
    return true;
}
inline void fp_begin(Core& core) {
    if (!core.fp_loaded)
        core.load_fp();
    else if ((core.r.mxcsr & MxcsrMasks) != MxcsrMasks)
        core.sync_fp(), core.load_fp();
}
/// After the host instruction: does an unmasked exception fault?
inline bool fp_end(Core& core) {
    if ((core.r.mxcsr & MxcsrMasks) == MxcsrMasks) [[likely]]
        return true;
    const u32 raised = _mm_getcsr() & MxcsrFlags;
    core.sync_fp();
    if (raised & ~(core.r.mxcsr >> 7) & MxcsrFlags) return core.raise(core.r.cr4 & OSXMMEXCPT ? 19 : 6);
    return true;
}

/// Reads `Bytes` of an XMM or memory operand, zero-extended to 128 bits. Aligned: #GP(0) when not 16-byte
/// aligned.
template <unsigned Bytes, bool Aligned> bool read_xmm(Core& core, const Op& op, __m128i& out) {
    if (op.address & RegisterOperand) {
        out = xmm_get(core, op.rm);
        return true;
    }
    u64 linear = 0;
    if (!operand_linear(core, op, Bytes, false, linear)) return false;
    if (Aligned && (linear & 15)) return core.raise(13, 0);
    alignas(16) u8 buffer[16] = {};
    struct Block {
        u8 bytes[Bytes];
    };
    if (const u8* p = fast_hit<Block>(core.read_fast, linear))
        __builtin_memcpy(buffer, p, Bytes);
    else if (!core.read(linear, Bytes, buffer, core.cpl == 3))
        return false;
    out = _mm_load_si128(reinterpret_cast<const __m128i*>(buffer));
    return true;
}
template <unsigned Bytes, bool Aligned> bool write_xmm_memory(Core& core, const Op& op, __m128i value) {
    u64 linear = 0;
    if (!operand_linear(core, op, Bytes, true, linear)) return false;
    if (Aligned && (linear & 15)) return core.raise(13, 0);
    alignas(16) u8 buffer[16];
    _mm_store_si128(reinterpret_cast<__m128i*>(buffer), value);
    struct Block {
        u8 bytes[Bytes];
    };
    if (u8* p = fast_hit<Block>(core.write_fast, linear)) {
        __builtin_memcpy(p, buffer, Bytes);
        return true;
    }
    return core.write(linear, Bytes, buffer, core.cpl == 3);
}

} // namespace vitrine::cpu
