// MMX: SDM vol. 1 ch. 9, vol. 3A 12.2 (aliasing with the x87 registers), vol. 2.
//
// MMn is the mantissa of physical x87 register n. Every MMX instruction but EMMS sets TOP to 0 and marks all
// registers as full; a written register's sign and exponent become all ones. An x87 exception that is pending
// is raised first. The arithmetic runs in the low half of a host XMM register: lane by lane both instruction
// sets agree.
//
// A fault in memory comes before the transition, an SSE exception after it, as silicon has it.
#include "cpu/exec/simd/forms.h"
#include "cpu/exec/x87.h"

namespace vitrine::cpu::simd {
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

// What an operation makes of two operands.
template <auto F> u64 lanes(u64 a, u64 b) { return low_of(F(low(a), low(b))); }
/// PUNPCKH: the upper half of what the 128-bit PUNPCKL makes of the low halves.
template <auto F> u64 upper_lanes(u64 a, u64 b) { return high_of(F(low(a), low(b))); }
/// Packs and horizontal sums: both sources side by side in one register.
template <auto F> u64 packed(u64 a, u64 b) {
    const __m128i both_sources = _mm_unpacklo_epi64(low(a), low(b));
    return low_of(F(both_sources, both_sources));
}
template <auto F> u64 unary(u64, u64 b) { return low_of(F(low(b))); }

template <auto F> bool compute(Core& core, const Op& op) {
    u64 b = 0;
    if (!mmx_ready(core, op) || !read_mm(core, op, b)) return false;
    mm_put(core, op.reg, F(mm_get(core, op.reg), b));
    return true;
}
/// PUNPCKL reads only the low half of a memory operand.
template <auto F> bool unpack_low(Core& core, const Op& op) {
    u32 b = 0;
    if (!mmx_ready(core, op)) return false;
    if (op.address & RegisterOperand)
        b = static_cast<u32>(mm_get(core, op.rm));
    else if (!read_memory<u32>(core, op, b))
        return false;
    mm_put(core, op.reg, lanes<F>(mm_get(core, op.reg), b));
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
template <auto F> bool shift_by_immediate(Core& core, const Op& op) {
    if (!mmx_ready(core, op)) return false;
    mm_put(core, op.rm, lanes<F>(mm_get(core, op.rm), op.imm & 0xFF));
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
    const __m128i in = low(source);
    __m128i out = xmm_get(core, op.reg), converted;
    const auto lane = [&] {
        if constexpr (Double)
            asm volatile("cvtdq2pd %1, %0" : "=x"(converted) : "x"(in));
        else
            asm volatile("cvtdq2ps %1, %0" : "=x"(converted) : "x"(in));
    };
    if (!fp_run(core, lane)) {
        if (registers) transition(core);
        return false;
    }
    if constexpr (Double)
        out = converted;
    else
        out = _mm_unpacklo_epi64(converted, _mm_unpackhi_epi64(out, out)); // the upper half stays
    xmm_put(core, op.reg, out);
    if (registers) transition(core);
    return true;
}
/// CVT(T)PS2PI, CVT(T)PD2PI
template <bool Double, bool Truncate> bool to_integers(Core& core, const Op& op) {
    Vector v;
    if (!sse_ready(core) || !mmx_ready(core, op) || !get_rm<Encoding::Legacy, Double ? 16 : 8>(core, op, v))
        return false;
    const __m128i in = Double ? v.low : _mm_move_epi64(v.low); // zeros convert without flags
    __m128i out;
    const auto lane = [&] {
        if constexpr (Double && Truncate)
            asm volatile("cvttpd2dq %1, %0" : "=x"(out) : "x"(in));
        else if constexpr (Double)
            asm volatile("cvtpd2dq %1, %0" : "=x"(out) : "x"(in));
        else if constexpr (Truncate)
            asm volatile("cvttps2dq %1, %0" : "=x"(out) : "x"(in));
        else
            asm volatile("cvtps2dq %1, %0" : "=x"(out) : "x"(in));
    };
    if (!fp_run(core, lane)) return transition(core), false; // #XM comes after it, a page fault before
    mm_put(core, op.reg, low_of(out));
    return true;
}

bool leave_mmx(Core& core, const Op& op) { // EMMS: TOP is 0 after it too (SDM 3A table 12-1)
    if (!mmx_ready(core, op)) return false;
    transition(core);
    core.r.x87.tag_valid = 0;
    return true;
}

// clang-format off
#define MMX(opcode, name) Row{#name, 1, NP, opcode, Form::PQ, Mmx, 1, only_legacy(cold<compute<lanes<HOST2(name)>>>)}
#define MMX_LOW(opcode, name) Row{#name, 1, NP, opcode, Form::PQ, Mmx, 1, only_legacy(cold<unpack_low<HOST2(name)>>)}
#define MMX_HIGH(opcode, name, low_name) Row{#name, 1, NP, opcode, Form::PQ, Mmx, 1, only_legacy(cold<compute<upper_lanes<HOST2(low_name)>>>)}
#define MMX_PACK(opcode, name) Row{#name, 1, NP, opcode, Form::PQ, Mmx, 1, only_legacy(cold<compute<packed<HOST2(name)>>>)}
#define SSSE3(opcode, name) Row{#name, 2, NP, opcode, Form::PQ, MmxSsse3, 3, only_legacy(cold<compute<lanes<HOST2(name)>>>)}
#define SSSE3_PAIRS(opcode, name) Row{#name, 2, NP, opcode, Form::PQ, MmxSsse3, 3, only_legacy(cold<compute<packed<HOST2(name)>>>)}
#define SSSE3_UNARY(opcode, name) Row{#name, 2, NP, opcode, Form::PQ, MmxSsse3, 3, only_legacy(cold<compute<unary<HOST1(name)>>>)}
#define SHIFT(opcode, digit, name) Row{#name, 1, NP, opcode, Form::Q, Mmx, 1, only_legacy(cold<shift_by_immediate<HOST2(name)>>)}.group(digit).registers().ib()
#define FORM(name, map, prefix, opcode, form, cost, function) Row{name, map, prefix, opcode, Form::form, Mmx, cost, only_legacy(cold<function>)}

/// PSHUFB's index has three bits here.
u64 shuffle_bytes(u64 a, u64 b) { return lanes<HOST2(pshufb)>(a, b & 0x8787878787878787); }

constexpr Row rows[] = {
    MMX_LOW(0x60, punpcklbw), MMX_LOW(0x61, punpcklwd), MMX_LOW(0x62, punpckldq),
    MMX_PACK(0x63, packsswb), MMX_PACK(0x67, packuswb), MMX_PACK(0x6B, packssdw),
    MMX_HIGH(0x68, punpckhbw, punpcklbw), MMX_HIGH(0x69, punpckhwd, punpcklwd), MMX_HIGH(0x6A, punpckhdq, punpckldq),
    MMX(0x64, pcmpgtb), MMX(0x65, pcmpgtw), MMX(0x66, pcmpgtd), MMX(0x74, pcmpeqb), MMX(0x75, pcmpeqw), MMX(0x76, pcmpeqd),
    MMX(0xD1, psrlw), MMX(0xD2, psrld), MMX(0xD3, psrlq), MMX(0xE1, psraw), MMX(0xE2, psrad),
    MMX(0xF1, psllw), MMX(0xF2, pslld), MMX(0xF3, psllq),
    MMX(0xD4, paddq), MMX(0xD5, pmullw), MMX(0xD8, psubusb), MMX(0xD9, psubusw), MMX(0xDA, pminub), MMX(0xDB, pand),
    MMX(0xDC, paddusb), MMX(0xDD, paddusw), MMX(0xDE, pmaxub), MMX(0xDF, pandn), MMX(0xE0, pavgb), MMX(0xE3, pavgw),
    MMX(0xE4, pmulhuw), MMX(0xE5, pmulhw), MMX(0xE8, psubsb), MMX(0xE9, psubsw), MMX(0xEA, pminsw), MMX(0xEB, por),
    MMX(0xEC, paddsb), MMX(0xED, paddsw), MMX(0xEE, pmaxsw), MMX(0xEF, pxor), MMX(0xF4, pmuludq), MMX(0xF5, pmaddwd),
    MMX(0xF6, psadbw), MMX(0xF8, psubb), MMX(0xF9, psubw), MMX(0xFA, psubd), MMX(0xFB, psubq), MMX(0xFC, paddb),
    MMX(0xFD, paddw), MMX(0xFE, paddd),
    SHIFT(0x71, 2, psrlw), SHIFT(0x71, 4, psraw), SHIFT(0x71, 6, psllw), SHIFT(0x72, 2, psrld), SHIFT(0x72, 4, psrad),
    SHIFT(0x72, 6, pslld), SHIFT(0x73, 2, psrlq), SHIFT(0x73, 6, psllq),

    FORM("movd", 1, NP, 0x6E, PE, 1, from_general<u32>).w0(), FORM("movq", 1, NP, 0x6E, PE, 1, from_general<u64>).w1(),
    FORM("movd", 1, NP, 0x7E, EP, 1, to_general<u32>).w0(), FORM("movq", 1, NP, 0x7E, EP, 1, to_general<u64>).w1(),
    FORM("movq", 1, NP, 0x6F, PQ, 1, load), FORM("movq", 1, NP, 0x7F, QP, 1, store),
    FORM("movntq", 1, NP, 0xE7, QP, 1, store).memory(), FORM("maskmovq", 1, NP, 0xF7, PQ, 4, masked_store).registers(),
    FORM("pshufw", 1, NP, 0x70, PQ, 1, shuffle_words).ib(), FORM("pinsrw", 1, NP, 0xC4, PE, 1, insert_word).ib(),
    FORM("pextrw", 1, NP, 0xC5, GQ, 1, extract_word).registers().ib(), FORM("pmovmskb", 1, NP, 0xD7, GQ, 1, move_mask).registers(),
    FORM("movq2dq", 1, F3, 0xD6, VQ, 1, to_xmm).registers(), FORM("movdq2q", 1, F2, 0xD6, PW, 1, from_xmm).registers(),
    FORM("cvtpi2ps", 1, NP, 0x2A, VQ, 3, from_integers<false>), FORM("cvtpi2pd", 1, P66, 0x2A, VQ, 3, from_integers<true>),
    FORM("cvttps2pi", 1, NP, 0x2C, PW, 3, (to_integers<false, true>)), FORM("cvttpd2pi", 1, P66, 0x2C, PW, 3, (to_integers<true, true>)),
    FORM("cvtps2pi", 1, NP, 0x2D, PW, 3, (to_integers<false, false>)), FORM("cvtpd2pi", 1, P66, 0x2D, PW, 3, (to_integers<true, false>)),
    FORM("emms", 1, NP, 0x77, None, 1, leave_mmx),

    Row{"pshufb", 2, NP, 0x00, Form::PQ, MmxSsse3, 3, only_legacy(cold<compute<shuffle_bytes>>)},
    SSSE3_PAIRS(0x01, phaddw), SSSE3_PAIRS(0x02, phaddd), SSSE3_PAIRS(0x03, phaddsw), SSSE3(0x04, pmaddubsw),
    SSSE3_PAIRS(0x05, phsubw), SSSE3_PAIRS(0x06, phsubd), SSSE3_PAIRS(0x07, phsubsw), SSSE3(0x08, psignb),
    SSSE3(0x09, psignw), SSSE3(0x0A, psignd), SSSE3(0x0B, pmulhrsw),
    SSSE3_UNARY(0x1C, pabsb), SSSE3_UNARY(0x1D, pabsw), SSSE3_UNARY(0x1E, pabsd),
    Row{"palignr", 3, NP, 0x0F, Form::PQ, MmxSsse3, 3, only_legacy(cold<align_right>)}.ib(),
};
// clang-format on

} // namespace

constinit const std::span<const Row> mmx_rows = rows;

} // namespace vitrine::cpu::simd
