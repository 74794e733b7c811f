// MMX: SDM vol. 1 ch. 9, vol. 3A 12.2 (aliasing with the x87 registers), vol. 2.
//
// MMn is the mantissa of physical x87 register n. Every MMX instruction but EMMS sets TOP to 0 and marks all
// registers as full; a written register's sign and exponent become all ones. An x87 exception that is pending
// is raised first. The arithmetic runs in the low half of a host XMM register: lane by lane both instruction
// sets agree.
//
// Inaccuracy: a faulting instruction never makes the transition; silicon may make it before an SSE exception.
#include "cpu/exec/emitters.h"
#include "cpu/exec/sse.h"
#include "cpu/exec/x87.h"

namespace vitrine::cpu {
namespace {

/// #UD with EM, #NM with TS, #MF with a pending x87 exception.
bool mmx_ready(Core& core, const Op& op) {
    if (core.r.cr0 & EM) return core.raise(6);
    if (core.r.cr0 & TS) return core.raise(7);
    return x87::no_exception_pending(core, op);
}
void transition(Core& core) {
    core.r.x87.status = static_cast<u16>(core.r.x87.status & ~x87::TopMask);
    core.r.x87.tag_valid = 0xFF;
}
u64 mm_get(const Core& core, u8 n) {
    u64 v = 0;
    std::memcpy(&v, core.r.x87.physical[n].data(), 8);
    return v;
}
void mm_put(Core& core, u8 n, u64 value) {
    auto& physical = core.r.x87.physical[n];
    std::memcpy(physical.data(), &value, 8);
    physical[8] = physical[9] = 0xFF;
    transition(core);
}
bool read_mm(Core& core, const Op& op, u64& out) {
    if (!(op.address & RegisterOperand)) return read_memory<u64>(core, op, out);
    out = mm_get(core, op.rm);
    return true;
}
__m128i low(u64 v) { return _mm_cvtsi64_si128(static_cast<i64>(v)); }
u64 low_of(__m128i v) { return static_cast<u64>(_mm_cvtsi128_si64(v)); }
u64 high_of(__m128i v) { return low_of(_mm_unpackhi_epi64(v, v)); }

using Binary = u64 (*)(u64, u64);
template <__m128i (*F)(__m128i, __m128i)> u64 lanes(u64 a, u64 b) { return low_of(F(low(a), low(b))); }
/// PUNPCKH: the upper half of what the 128-bit PUNPCKL makes of the low halves.
template <__m128i (*F)(__m128i, __m128i)> u64 upper_lanes(u64 a, u64 b) { return high_of(F(low(a), low(b))); }
/// Packs: both sources side by side in one register.
template <__m128i (*F)(__m128i, __m128i)> u64 packed(u64 a, u64 b) {
    const __m128i both = _mm_unpacklo_epi64(low(a), low(b));
    return low_of(F(both, both));
}

// clang-format off
/// The packed arithmetic of 0F 60–6B, 74–76, D1–FE, or null.
Binary arithmetic(unsigned opcode) {
    switch (opcode) {
    case 0x60: return lanes<_mm_unpacklo_epi8>;
    case 0x61: return lanes<_mm_unpacklo_epi16>;
    case 0x62: return lanes<_mm_unpacklo_epi32>;
    case 0x63: return packed<_mm_packs_epi16>;
    case 0x64: return lanes<_mm_cmpgt_epi8>;
    case 0x65: return lanes<_mm_cmpgt_epi16>;
    case 0x66: return lanes<_mm_cmpgt_epi32>;
    case 0x67: return packed<_mm_packus_epi16>;
    case 0x68: return upper_lanes<_mm_unpacklo_epi8>;
    case 0x69: return upper_lanes<_mm_unpacklo_epi16>;
    case 0x6A: return upper_lanes<_mm_unpacklo_epi32>;
    case 0x6B: return packed<_mm_packs_epi32>;
    case 0x74: return lanes<_mm_cmpeq_epi8>;
    case 0x75: return lanes<_mm_cmpeq_epi16>;
    case 0x76: return lanes<_mm_cmpeq_epi32>;
    case 0xD1: return lanes<_mm_srl_epi16>;
    case 0xD2: return lanes<_mm_srl_epi32>;
    case 0xD3: return lanes<_mm_srl_epi64>;
    case 0xD4: return lanes<_mm_add_epi64>;
    case 0xD5: return lanes<_mm_mullo_epi16>;
    case 0xD8: return lanes<_mm_subs_epu8>;
    case 0xD9: return lanes<_mm_subs_epu16>;
    case 0xDA: return lanes<_mm_min_epu8>;
    case 0xDB: return lanes<_mm_and_si128>;
    case 0xDC: return lanes<_mm_adds_epu8>;
    case 0xDD: return lanes<_mm_adds_epu16>;
    case 0xDE: return lanes<_mm_max_epu8>;
    case 0xDF: return lanes<_mm_andnot_si128>;
    case 0xE0: return lanes<_mm_avg_epu8>;
    case 0xE1: return lanes<_mm_sra_epi16>;
    case 0xE2: return lanes<_mm_sra_epi32>;
    case 0xE3: return lanes<_mm_avg_epu16>;
    case 0xE4: return lanes<_mm_mulhi_epu16>;
    case 0xE5: return lanes<_mm_mulhi_epi16>;
    case 0xE8: return lanes<_mm_subs_epi8>;
    case 0xE9: return lanes<_mm_subs_epi16>;
    case 0xEA: return lanes<_mm_min_epi16>;
    case 0xEB: return lanes<_mm_or_si128>;
    case 0xEC: return lanes<_mm_adds_epi8>;
    case 0xED: return lanes<_mm_adds_epi16>;
    case 0xEE: return lanes<_mm_max_epi16>;
    case 0xEF: return lanes<_mm_xor_si128>;
    case 0xF1: return lanes<_mm_sll_epi16>;
    case 0xF2: return lanes<_mm_sll_epi32>;
    case 0xF3: return lanes<_mm_sll_epi64>;
    case 0xF4: return lanes<_mm_mul_epu32>;
    case 0xF5: return lanes<_mm_madd_epi16>;
    case 0xF6: return lanes<_mm_sad_epu8>;
    case 0xF8: return lanes<_mm_sub_epi8>;
    case 0xF9: return lanes<_mm_sub_epi16>;
    case 0xFA: return lanes<_mm_sub_epi32>;
    case 0xFB: return lanes<_mm_sub_epi64>;
    case 0xFC: return lanes<_mm_add_epi8>;
    case 0xFD: return lanes<_mm_add_epi16>;
    case 0xFE: return lanes<_mm_add_epi32>;
    default: return nullptr;
    }
}
// clang-format on

/// PUNPCKL reads only the low half of a memory operand.
bool unpack_low(Core& core, const Op& op) {
    u32 b = 0;
    if (!mmx_ready(core, op)) return false;
    if (op.address & RegisterOperand)
        b = static_cast<u32>(mm_get(core, op.rm));
    else if (!read_memory<u32>(core, op, b))
        return false;
    mm_put(core, op.reg, arithmetic(op.opid & 0xFF)(mm_get(core, op.reg), b));
    return true;
}
#define VITRINE_MMX_LANES(name)                                                                              \
    __m128i host_##name(__m128i a, __m128i b) {                                                              \
        asm volatile(#name " %1, %0" : "+x"(a) : "x"(b));                                                    \
        return a;                                                                                            \
    }
VITRINE_MMX_LANES(pshufb)
VITRINE_MMX_LANES(phaddw)
VITRINE_MMX_LANES(phaddd)
VITRINE_MMX_LANES(phaddsw)
VITRINE_MMX_LANES(pmaddubsw)
VITRINE_MMX_LANES(phsubw)
VITRINE_MMX_LANES(phsubd)
VITRINE_MMX_LANES(phsubsw)
VITRINE_MMX_LANES(psignb)
VITRINE_MMX_LANES(psignw)
VITRINE_MMX_LANES(psignd)
VITRINE_MMX_LANES(pmulhrsw)
VITRINE_MMX_LANES(pabsb)
VITRINE_MMX_LANES(pabsw)
VITRINE_MMX_LANES(pabsd)

/// SSSE3 (model v2) by opcode of 0F 38, or null. PSHUFB's index has three bits here.
Binary supplemental(unsigned opcode) {
    switch (opcode) {
    case 0x00: return [](u64 a, u64 b) { return lanes<host_pshufb>(a, b & 0x8787878787878787); };
    case 0x01: return packed<host_phaddw>;
    case 0x02: return packed<host_phaddd>;
    case 0x03: return packed<host_phaddsw>;
    case 0x04: return lanes<host_pmaddubsw>;
    case 0x05: return packed<host_phsubw>;
    case 0x06: return packed<host_phsubd>;
    case 0x07: return packed<host_phsubsw>;
    case 0x08: return lanes<host_psignb>;
    case 0x09: return lanes<host_psignw>;
    case 0x0A: return lanes<host_psignd>;
    case 0x0B: return lanes<host_pmulhrsw>;
    case 0x1C: return lanes<host_pabsb>;
    case 0x1D: return lanes<host_pabsw>;
    case 0x1E: return lanes<host_pabsd>;
    default: return nullptr;
    }
}
bool compute_supplemental(Core& core, const Op& op) {
    u64 b = 0;
    if (!mmx_ready(core, op) || !read_mm(core, op, b)) return false;
    mm_put(core, op.reg, supplemental(op.opid & 0xFF)(mm_get(core, op.reg), b));
    return true;
}
bool align_right(Core& core, const Op& op) { // PALIGNR
    u64 b = 0;
    if (!mmx_ready(core, op) || !read_mm(core, op, b)) return false;
    const u128 pair = static_cast<u128>(mm_get(core, op.reg)) << 64 | b;
    const unsigned from = op.imm & 0xFF;
    mm_put(core, op.reg, from < 16 ? static_cast<u64>(pair >> (8 * from)) : 0);
    return true;
}
bool compute(Core& core, const Op& op) {
    u64 b = 0;
    if (!mmx_ready(core, op) || !read_mm(core, op, b)) return false;
    mm_put(core, op.reg, arithmetic(op.opid & 0xFF)(mm_get(core, op.reg), b));
    return true;
}
/// 71 72 73: `op.extra` is the opcode's low digit and /reg.
bool shift_immediate(Core& core, const Op& op) {
    if (!mmx_ready(core, op)) return false;
    const u64 by = op.imm & 0xFF;
    u64 v = mm_get(core, op.rm);
    switch (op.extra) {
    case 0x12: v = lanes<_mm_srl_epi16>(v, by); break;
    case 0x14: v = lanes<_mm_sra_epi16>(v, by); break;
    case 0x16: v = lanes<_mm_sll_epi16>(v, by); break;
    case 0x22: v = lanes<_mm_srl_epi32>(v, by); break;
    case 0x24: v = lanes<_mm_sra_epi32>(v, by); break;
    case 0x26: v = lanes<_mm_sll_epi32>(v, by); break;
    case 0x32: v = lanes<_mm_srl_epi64>(v, by); break;
    default: v = lanes<_mm_sll_epi64>(v, by); break; // 36
    }
    mm_put(core, op.rm, v);
    return true;
}
bool shuffle_words(Core& core, const Op& op) { // PSHUFW
    u64 b = 0, out = 0;
    if (!mmx_ready(core, op) || !read_mm(core, op, b)) return false;
    for (unsigned i = 0; i < 4; ++i) out |= (b >> (16 * (op.imm >> (2 * i) & 3)) & 0xFFFF) << (16 * i);
    mm_put(core, op.reg, out);
    return true;
}
bool insert_word(Core& core, const Op& op) {
    u16 value = 0;
    if (!mmx_ready(core, op) || !read_rm<u16>(core, op, value)) return false;
    const unsigned at = 16 * (op.imm & 3);
    mm_put(core, op.reg, (mm_get(core, op.reg) & ~(u64{0xFFFF} << at)) | u64{value} << at);
    return true;
}
bool extract_word(Core& core, const Op& op) {
    if (!mmx_ready(core, op)) return false;
    put<u64>(&core, op.reg, mm_get(core, op.rm) >> (16 * (op.imm & 3)) & 0xFFFF);
    transition(core);
    return true;
}
bool move_mask(Core& core, const Op& op) {
    if (!mmx_ready(core, op)) return false;
    put<u64>(&core, op.reg, static_cast<u32>(_mm_movemask_epi8(low(mm_get(core, op.rm)))));
    transition(core);
    return true;
}
template <class T> bool from_general(Core& core, const Op& op) { // MOVD/MOVQ mm, r/m
    T value{};
    if (!mmx_ready(core, op) || !read_rm<T>(core, op, value)) return false;
    mm_put(core, op.reg, value);
    return true;
}
template <class T> bool to_general(Core& core, const Op& op) {
    if (!mmx_ready(core, op) || !write_rm<T>(core, op, static_cast<T>(mm_get(core, op.reg)))) return false;
    transition(core);
    return true;
}
bool load(Core& core, const Op& op) {
    u64 value = 0;
    if (!mmx_ready(core, op) || !read_mm(core, op, value)) return false;
    mm_put(core, op.reg, value);
    return true;
}
bool store(Core& core, const Op& op) { // MOVQ, MOVNTQ
    if (!mmx_ready(core, op)) return false;
    const u64 value = mm_get(core, op.reg);
    if (op.address & RegisterOperand)
        mm_put(core, op.rm, value);
    else if (!write_memory<u64>(core, op, value))
        return false;
    transition(core);
    return true;
}
/// MASKMOVQ: bytes whose mask has bit 7 go to DS:[rDI]; all or nothing on a fault.
bool masked_store(Core& core, const Op& op) {
    if (!mmx_ready(core, op)) return false;
    const unsigned size = (op.address >> SizeShift) & 3;
    const u64 offset = core.r.gpr[RDI] & (size == 0 ? 0xFFFF : size == 1 ? 0xFFFFFFFF : ~u64{0});
    u64 linear = 0;
    if (!segment_linear(core, operand_segment(op), offset, 8, true, linear) || !core.writable(linear, 8))
        return false;
    const u64 data = mm_get(core, op.reg), mask = mm_get(core, op.rm);
    for (unsigned i = 0; i < 8; ++i)
        if ((mask >> (8 * i) & 0x80) && !core.store<u8>(linear + i, static_cast<u8>(data >> (8 * i))))
            return false;
    transition(core);
    return true;
}
bool to_xmm(Core& core, const Op& op) { // MOVQ2DQ
    if (!sse_ready(core) || !mmx_ready(core, op)) return false;
    core.r.xmm[op.reg] = {mm_get(core, op.rm), 0};
    transition(core);
    return true;
}
bool from_xmm(Core& core, const Op& op) { // MOVDQ2Q
    if (!sse_ready(core) || !mmx_ready(core, op)) return false;
    mm_put(core, op.reg, core.r.xmm[op.rm].lo);
    return true;
}

/// CVTPI2PS, CVTPI2PD. From memory neither touches the x87 state (SDM: stated for CVTPI2PD; silicon does so
/// for both).
template <bool Double> bool from_integers(Core& core, const Op& op) {
    const bool registers = op.address & RegisterOperand;
    u64 source = 0;
    if (!sse_ready(core) || (registers && !mmx_ready(core, op)) || !read_mm(core, op, source)) return false;
    __m128i in = low(source), out = xmm_get(core, op.reg);
    fp_begin(core);
    if constexpr (Double)
        asm volatile("cvtdq2pd %1, %0" : "=x"(in) : "x"(in));
    else
        asm volatile("cvtdq2ps %1, %0" : "=x"(in) : "x"(in));
    if (!fp_end(core)) return false;
    if constexpr (Double)
        out = in;
    else
        out = _mm_unpacklo_epi64(in, _mm_unpackhi_epi64(out, out)); // the upper half stays
    xmm_put(core, op.reg, out);
    if (registers) transition(core);
    return true;
}
/// CVT(T)PS2PI, CVT(T)PD2PI
template <bool Double, bool Truncate> bool to_integers(Core& core, const Op& op) {
    __m128i in;
    if (!sse_ready(core) || !mmx_ready(core, op) || !read_xmm<Double ? 16 : 8, Double>(core, op, in))
        return false;
    if constexpr (!Double) in = _mm_move_epi64(in); // zeros convert without flags
    fp_begin(core);
    if constexpr (Double && Truncate)
        asm volatile("cvttpd2dq %1, %0" : "=x"(in) : "x"(in));
    else if constexpr (Double)
        asm volatile("cvtpd2dq %1, %0" : "=x"(in) : "x"(in));
    else if constexpr (Truncate)
        asm volatile("cvttps2dq %1, %0" : "=x"(in) : "x"(in));
    else
        asm volatile("cvtps2dq %1, %0" : "=x"(in) : "x"(in));
    if (!fp_end(core)) return false;
    mm_put(core, op.reg, low_of(in));
    return true;
}

bool leave_mmx(Core& core, const Op& op) { // EMMS: TOP is 0 after it too (SDM 3A table 12-1)
    if (!mmx_ready(core, op)) return false;
    transition(core);
    core.r.x87.tag_valid = 0;
    return true;
}

Handler conversion(Emitter& e, unsigned which, bool memory) {
    const bool from_mm = (which & 0xFF) == 0x2A;
    if (from_mm)
        e.op.reg = e.d.reg; // the XMM side keeps its REX bit
    else
        e.op.reg = e.d.reg & 7;
    if (!memory) e.op.rm = static_cast<u8>(from_mm ? e.d.rm & 7 : e.d.rm);
    switch (which) {
    case 0x02A: return cold<from_integers<false>>;
    case 0x12A: return cold<from_integers<true>>;
    case 0x02C: return cold<to_integers<false, true>>;
    case 0x12C: return cold<to_integers<true, true>>;
    case 0x02D: return cold<to_integers<false, false>>;
    default: return cold<to_integers<true, false>>; // 12D
    }
}

} // namespace

Handler mmx(Emitter& e, unsigned prefix, unsigned opcode) {
    const bool memory = e.memory(), wide = e.d.rex & 8;
    if (opcode == 0xD6 && prefix >= 2) { // F3: MOVQ2DQ, F2: MOVDQ2Q
        if (memory) return nullptr;
        e.op.reg = static_cast<u8>(prefix == 2 ? e.d.reg : e.d.reg & 7);
        e.op.rm = static_cast<u8>(prefix == 2 ? e.d.rm & 7 : e.d.rm);
        return prefix == 2 ? static_cast<Handler>(cold<to_xmm>) : static_cast<Handler>(cold<from_xmm>);
    }
    if ((opcode == 0x2A || opcode == 0x2C || opcode == 0x2D) && prefix < 2)
        return conversion(e, prefix << 8 | opcode, memory);
    if (prefix != 0) return nullptr;
    const u8 reg = e.d.reg & 7, rm = static_cast<u8>(e.d.rm & 7);
    const auto registers = [&] {
        e.op.reg = reg;
        if (!memory) e.op.rm = rm;
    };
    if (arithmetic(opcode)) {
        registers();
        return opcode <= 0x62 ? static_cast<Handler>(cold<unpack_low>) : static_cast<Handler>(cold<compute>);
    }
    switch (opcode) {
    case 0x6E:
    case 0x7E:
        e.op.reg = reg;
        if (!memory) e.op.rm = slot_of(e.d.rm);
        if (opcode == 0x6E)
            return wide ? static_cast<Handler>(cold<from_general<u64>>)
                        : static_cast<Handler>(cold<from_general<u32>>);
        return wide ? static_cast<Handler>(cold<to_general<u64>>)
                    : static_cast<Handler>(cold<to_general<u32>>);
    case 0x6F: registers(); return cold<load>;
    case 0x7F: registers(); return cold<store>;
    case 0xE7: registers(); return memory ? static_cast<Handler>(cold<store>) : nullptr;
    case 0xF7: registers(); return memory ? nullptr : static_cast<Handler>(cold<masked_store>);
    case 0x70: registers(); return cold<shuffle_words>;
    case 0xC4:
        e.op.reg = reg;
        if (!memory) e.op.rm = slot_of(e.d.rm);
        return cold<insert_word>;
    case 0xC5:
    case 0xD7:
        if (memory) return nullptr;
        e.op.reg = slot_of(e.d.reg), e.op.rm = rm;
        return opcode == 0xC5 ? static_cast<Handler>(cold<extract_word>)
                              : static_cast<Handler>(cold<move_mask>);
    case 0x71:
    case 0x72:
    case 0x73: {
        const unsigned which = (opcode & 3) << 4 | (e.d.reg & 7);
        const bool known = which == 0x12 || which == 0x14 || which == 0x16 || which == 0x22 ||
                           which == 0x24 || which == 0x26 || which == 0x32 || which == 0x36;
        if (memory || !known) return nullptr;
        registers();
        e.op.extra = static_cast<u8>(which);
        return cold<shift_immediate>;
    }
    default: return nullptr;
    }
}

Handler mmx_ssse3(Emitter& e, unsigned opcode) {
    e.op.reg = e.d.reg & 7;
    if (!e.memory()) e.op.rm = e.d.rm & 7;
    if (e.d.map == 3) return opcode == 0x0F ? static_cast<Handler>(cold<align_right>) : nullptr;
    return supplemental(opcode) ? static_cast<Handler>(cold<compute_supplemental>) : nullptr;
}

namespace emit {
void emms(Emitter& e) {
    e.undefined = e.d.mandatory() != 0;
    e.handler = cold<leave_mmx>;
}
} // namespace emit

} // namespace vitrine::cpu
