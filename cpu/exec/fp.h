// The floating-point environment: SSE and AVX run on the host's own unit under the guest's MXCSR (design.md
// §3).
//
// Invariants: exceptions are always masked on the host. While `fp_loaded`, the host's MXCSR holds the guest's
// rounding, DAZ and FTZ and collects sticky flags; sync_fp() folds them back and restores the host's default.
// With an unmasked exception the flags are collected per instruction, and the instruction writes nothing when
// it faults. SDM vol. 1 11.5.
#pragma once
#include <immintrin.h>
#include "cpu/exec/operand.h"

namespace vitrine::cpu {

inline constexpr u32 HostMxcsr = 0x1F80, MxcsrFlags = 0x3F, MxcsrMasks = 0x1F80, MxcsrFlushToZero = 0x8000;
inline constexpr u32 MxcsrWritable = 0xFFFF;

/// What one instruction's exceptions come to when some are unmasked: `masked` are the flags of a run with all
/// masked, `tiny` says whether a result is below the normal range (asked only when underflow is unmasked).
/// False: #XM (or #UD) is pending.
bool fp_unmasked(Core& core, u32 masked, bool tiny);

/// Runs `compute`, which is host floating-point code without side effects but its result, under the guest's
/// MXCSR. False: an unmasked exception is pending; the result does not count.
/// `tiny`, after `compute`: is there a tiny result? By default flushing to zero tells.
struct ByFlushing {};
template <class F, class T = ByFlushing>
[[gnu::always_inline]] inline bool fp_run(Core& core, F&& compute, T&& tiny_result = {}) {
    if ((core.r.mxcsr & MxcsrMasks) == MxcsrMasks) [[likely]] {
        if (!core.fp_loaded) core.load_fp();
        compute();
        return true;
    }
    core.sync_fp();
    const u32 controls = (core.r.mxcsr & ~MxcsrFlags) | MxcsrMasks;
    const bool underflow_unmasked = !(core.r.mxcsr & 0x800);
    bool tiny = false;
    constexpr bool by_flushing = std::is_same_v<std::remove_cvref_t<T>, ByFlushing>;
    if (by_flushing && underflow_unmasked) { // flushing to zero tells of tiny results that are exact, too
        _mm_setcsr(controls | MxcsrFlushToZero);
        compute();
        tiny = _mm_getcsr() & 0x10;
    }
    // With underflow unmasked nothing is flushed (SDM 1 10.2.3.3).
    _mm_setcsr(underflow_unmasked ? controls & ~MxcsrFlushToZero : controls);
    compute();
    const u32 raised = _mm_getcsr() & MxcsrFlags;
    _mm_setcsr(HostMxcsr);
    if constexpr (!by_flushing) tiny = underflow_unmasked && tiny_result();
    return fp_unmasked(core, raised, tiny);
}

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

/// Reads `Bytes` of memory, zero-extended to `out`. Alignment in bytes (0: none): #GP(0) when violated.
template <unsigned Bytes, unsigned Alignment>
bool read_vector_memory(Core& core, const Op& op, void* out, unsigned size) {
    u64 linear = 0;
    if (!operand_linear(core, op, Bytes, false, linear)) return false;
    if (Alignment && (linear & (Alignment - 1))) return core.raise(13, 0);
    u8* bytes = static_cast<u8*>(out);
    struct Block {
        u8 bytes[Bytes];
    };
    if (const u8* p = fast_hit<Block>(core.read_fast, linear))
        __builtin_memcpy(bytes, p, Bytes);
    else if (!core.read(linear, Bytes, bytes, core.cpl == 3))
        return false;
    __builtin_memset(bytes + Bytes, 0, size - Bytes);
    return true;
}
template <unsigned Bytes, unsigned Alignment>
bool write_vector_memory(Core& core, const Op& op, const void* data) {
    u64 linear = 0;
    if (!operand_linear(core, op, Bytes, true, linear)) return false;
    if (Alignment && (linear & (Alignment - 1))) return core.raise(13, 0);
    struct Block {
        u8 bytes[Bytes];
    };
    if (u8* p = fast_hit<Block>(core.write_fast, linear)) {
        __builtin_memcpy(p, data, Bytes);
        return true;
    }
    return core.write(linear, Bytes, data, core.cpl == 3);
}

} // namespace vitrine::cpu
