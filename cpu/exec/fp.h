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

/// With all exceptions masked: the guest's MXCSR goes into the host's. False: some are unmasked.
bool fp_load_masked(Core& core);
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
    if (core.fp_loaded || fp_load_masked(core)) [[likely]] {
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

/// #UD or #NM is pending: why SIMD code cannot run now.
bool simd_not_ready(Core& core, bool vex);
/// #UD without OSFXSR or with EM; #NM with TS. False: fault pending.
inline bool sse_ready(Core& core) { return (core.simd_ready & LegacyReady) || simd_not_ready(core, false); }

/// Op::extra of SIMD forms: VEX.W or REX.W; and a memory operand without a segment base in 64-bit code, whose
/// address is simply its parts' sum.
enum SimdExtra : u8 { Wide = 1, Flat = 2 };

/// The long way: any mode and segment, with every check. `data` is read or written.
bool vector_memory(Core& core, const Op& op, unsigned size, unsigned alignment, bool write, void* data);

/// The host address of a flat operand that the soft TLB knows and that is aligned, or null.
template <unsigned Bytes, unsigned Alignment>
[[gnu::always_inline]] inline u8* flat_hit(const Core& core, const Op& op, const FastEntry* table) {
    struct Span {
        u8 bytes[Bytes];
    };
    if (!(op.extra & Flat)) return nullptr;
    const u64 base =
        op.base == RipSlot ? block_of(&op)->rip + op.offset + op.length : get<u64>(&core, op.base);
    const u64 linear = base + (get<u64>(&core, op.index) << (op.address & ScaleMask)) +
                       static_cast<u64>(static_cast<i64>(op.disp));
    if (Alignment && (linear & (Alignment - 1))) return nullptr;
    return fast_hit<Span>(table, linear);
}

template <unsigned Bytes, unsigned Alignment>
[[gnu::always_inline]] inline bool write_vector_memory(Core& core, const Op& op, const void* data) {
    if (u8* p = flat_hit<Bytes, Alignment>(core, op, core.write_fast)) [[likely]] {
        __builtin_memcpy(p, data, Bytes);
        return true;
    }
    return vector_memory(core, op, Bytes, Alignment, true, const_cast<void*>(data));
}

} // namespace vitrine::cpu
