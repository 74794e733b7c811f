// SSE4.1 and SSE4.2 (0F 38 and 0F 3A), and the emitters of those two maps. SDM vol. 1 12.8–12.12, vol. 2.
//
// Offered by processor model v2 only; otherwise #UD. Instructions whose immediate steers floating point or
// string comparison run on the host with that immediate: one instance of the host instruction a value.
#include "cpu/exec/emitters.h"
#include "cpu/exec/sse_forms.h"

namespace vitrine::cpu {
namespace {

using Bytes = std::array<u8, 16>;
template <class A> A as(__m128i v) {
    A out;
    std::memcpy(&out, &v, 16);
    return out;
}
template <class A> __m128i from(const A& a) {
    __m128i v;
    std::memcpy(&v, &a, 16);
    return v;
}

// clang-format off
VITRINE_SSE_UNARY(pmovsxbw)
VITRINE_SSE_UNARY(pmovsxbd)
VITRINE_SSE_UNARY(pmovsxbq)
VITRINE_SSE_UNARY(pmovsxwd)
VITRINE_SSE_UNARY(pmovsxwq)
VITRINE_SSE_UNARY(pmovsxdq)
VITRINE_SSE_UNARY(pmovzxbw)
VITRINE_SSE_UNARY(pmovzxbd)
VITRINE_SSE_UNARY(pmovzxbq)
VITRINE_SSE_UNARY(pmovzxwd)
VITRINE_SSE_UNARY(pmovzxwq)
VITRINE_SSE_UNARY(pmovzxdq)
VITRINE_SSE_UNARY(phminposuw)
VITRINE_SSE_OP(pmuldq)
VITRINE_SSE_OP(pcmpeqq)
VITRINE_SSE_OP(pcmpgtq)
VITRINE_SSE_OP(packusdw)
VITRINE_SSE_OP(pminsb)
VITRINE_SSE_OP(pminsd)
VITRINE_SSE_OP(pminuw)
VITRINE_SSE_OP(pminud)
VITRINE_SSE_OP(pmaxsb)
VITRINE_SSE_OP(pmaxsd)
VITRINE_SSE_OP(pmaxuw)
VITRINE_SSE_OP(pmaxud)
VITRINE_SSE_OP(pmulld)
// clang-format on

/// PBLENDVB, BLENDVPS, BLENDVPD: elements whose top bit in XMM0 is set come from the source.
template <unsigned Element> bool blend_by_mask(Core& core, const Op& op) {
    __m128i b;
    if (!sse_ready(core) || !read_xmm<16, true>(core, op, b)) return false;
    const Bytes mask = as<Bytes>(xmm_get(core, 0)), source = as<Bytes>(b);
    Bytes out = as<Bytes>(xmm_get(core, op.reg));
    for (unsigned i = 0; i < 16; ++i)
        if (mask[i / Element * Element + Element - 1] & 0x80) out[i] = source[i];
    xmm_put(core, op.reg, from(out));
    return true;
}
/// BLENDPS, BLENDPD, PBLENDW: by the immediate's bits.
template <unsigned Element> bool blend_by_immediate(Core& core, const Op& op) {
    __m128i b;
    if (!sse_ready(core) || !read_xmm<16, true>(core, op, b)) return false;
    const Bytes source = as<Bytes>(b);
    Bytes out = as<Bytes>(xmm_get(core, op.reg));
    for (unsigned i = 0; i < 16; ++i)
        if (op.imm >> (i / Element) & 1) out[i] = source[i];
    xmm_put(core, op.reg, from(out));
    return true;
}
bool test_bits(Core& core, const Op& op) { // PTEST
    __m128i b;
    if (!sse_ready(core) || !read_xmm<16, true>(core, op, b)) return false;
    const Xmm x = core.r.xmm[op.reg], y = as<Xmm>(b);
    const bool zero = ((x.lo & y.lo) | (x.hi & y.hi)) == 0, carry = ((~x.lo & y.lo) | (~x.hi & y.hi)) == 0;
    core.set_arithmetic((zero ? ZF : 0) | (carry ? CF : 0));
    return true;
}
bool load_streaming(Core& core, const Op& op) { // MOVNTDQA
    __m128i v;
    if (!sse_ready(core) || !read_xmm<16, true>(core, op, v)) return false;
    xmm_put(core, op.reg, v);
    return true;
}
/// PEXTRB, PEXTRW, PEXTRD, PEXTRQ, EXTRACTPS: registers are zero-extended.
template <class T> bool extract(Core& core, const Op& op) {
    if (!sse_ready(core)) return false;
    const auto elements = as<std::array<T, 16 / sizeof(T)>>(xmm_get(core, op.reg));
    const T value = elements[op.imm & (16 / sizeof(T) - 1)];
    if (!(op.address & RegisterOperand)) return write_memory<T>(core, op, value);
    put<u64>(&core, op.rm, value);
    return true;
}
template <class T> bool insert(Core& core, const Op& op) { // PINSRB, PINSRD, PINSRQ
    T value{};
    if (!sse_ready(core) || !read_rm<T>(core, op, value)) return false;
    auto elements = as<std::array<T, 16 / sizeof(T)>>(xmm_get(core, op.reg));
    elements[op.imm & (16 / sizeof(T) - 1)] = value;
    xmm_put(core, op.reg, from(elements));
    return true;
}
bool insert_single(Core& core,
                   const Op& op) { // INSERTPS: bits 7–6 source (registers only), 5–4 destination, 3–0 zeros
    __m128i b;
    if (!sse_ready(core) || !read_xmm<4, false>(core, op, b)) return false;
    using Longs = std::array<u32, 4>;
    const unsigned select = op.address & RegisterOperand ? op.imm >> 6 & 3 : 0;
    const u32 value = as<Longs>(b)[select];
    Longs out = as<Longs>(xmm_get(core, op.reg));
    out[op.imm >> 4 & 3] = value;
    for (unsigned i = 0; i < 4; ++i)
        if (op.imm >> i & 1) out[i] = 0;
    xmm_put(core, op.reg, from(out));
    return true;
}

/// Host instructions with an immediate: a table of one instance a value.
using Steered = __m128i (*)(__m128i, __m128i);
#define VITRINE_SSE_STEERED(name)                                                                            \
    template <unsigned I> __m128i steered_##name(__m128i a, __m128i b) {                                     \
        asm volatile(#name " %2, %1, %0" : "+x"(a) : "x"(b), "i"(I));                                        \
        return a;                                                                                            \
    }                                                                                                        \
    template <unsigned... I>                                                                                 \
    constexpr std::array<Steered, sizeof...(I)> make_##name(std::integer_sequence<unsigned, I...>) {         \
        return {steered_##name<I>...};                                                                       \
    }
VITRINE_SSE_STEERED(roundps)
VITRINE_SSE_STEERED(roundpd)
VITRINE_SSE_STEERED(roundss)
VITRINE_SSE_STEERED(roundsd)
VITRINE_SSE_STEERED(dpps)
VITRINE_SSE_STEERED(dppd)
VITRINE_SSE_STEERED(mpsadbw)
using Sixteen = std::make_integer_sequence<unsigned, 16>;
using All = std::make_integer_sequence<unsigned, 256>;
constexpr auto roundps_table = make_roundps(Sixteen{}), roundpd_table = make_roundpd(Sixteen{});
constexpr auto roundss_table = make_roundss(Sixteen{}), roundsd_table = make_roundsd(Sixteen{});
constexpr auto dpps_table = make_dpps(All{}), dppd_table = make_dppd(All{});
constexpr auto mpsadbw_table = make_mpsadbw(std::make_integer_sequence<unsigned, 8>{});

template <auto& Table, unsigned Bytes, bool Fp> bool steered(Core& core, const Op& op) {
    __m128i b;
    if (!sse_ready(core) || !read_xmm < Bytes, Bytes == 16 > (core, op, b)) return false;
    if constexpr (Fp) fp_begin(core);
    const __m128i result = Table[op.imm & (Table.size() - 1)](xmm_get(core, op.reg), b);
    if constexpr (Fp)
        if (!fp_end(core)) return false;
    xmm_put(core, op.reg, result);
    return true;
}

/// What a string comparison yields: an index or a mask, and CF ZF SF OF.
struct StringResult {
    u32 index = 0;
    __m128i mask{};
    u64 flags = 0;
};
using StringCompare = StringResult (*)(__m128i, __m128i, i32, i32);
#define VITRINE_STRING_FLAGS "=@ccc"(c), "=@ccz"(z), "=@ccs"(s), "=@cco"(o)
template <bool Explicit, bool Mask, unsigned I>
StringResult compare_strings(__m128i a, __m128i b, i32 length_a, i32 length_b) {
    StringResult r;
    bool c, z, s, o;
    if constexpr (Explicit && Mask)
        asm volatile("pcmpestrm %9, %8, %7"
                     : VITRINE_STRING_FLAGS, "=Yz"(r.mask)
                     : "a"(length_a), "d"(length_b), "x"(a), "x"(b), "i"(I));
    else if constexpr (Explicit)
        asm volatile("pcmpestri %9, %8, %7"
                     : VITRINE_STRING_FLAGS, "=c"(r.index)
                     : "a"(length_a), "d"(length_b), "x"(a), "x"(b), "i"(I));
    else if constexpr (Mask)
        asm volatile("pcmpistrm %7, %6, %5" : VITRINE_STRING_FLAGS, "=Yz"(r.mask) : "x"(a), "x"(b), "i"(I));
    else
        asm volatile("pcmpistri %7, %6, %5" : VITRINE_STRING_FLAGS, "=c"(r.index) : "x"(a), "x"(b), "i"(I));
    r.flags = (c ? CF : 0) | (z ? ZF : 0) | (s ? SF : 0) | (o ? OF : 0);
    return r;
}
template <bool Explicit, bool Mask, unsigned... I>
constexpr std::array<StringCompare, 128> string_table(std::integer_sequence<unsigned, I...>) {
    return {compare_strings<Explicit, Mask, I>...};
}
template <bool Explicit, bool Mask>
constexpr auto string_compares = string_table<Explicit, Mask>(std::make_integer_sequence<unsigned, 128>{});

/// A length saturates at the vector's size, so 64-bit lengths (REX.W, in op.extra) can be clamped first.
i32 string_length(const Core& core, unsigned gpr, bool wide) {
    const i64 n = wide ? static_cast<i64>(core.r.gpr[gpr]) : static_cast<i32>(core.r.gpr[gpr]);
    return static_cast<i32>(std::clamp<i64>(n, -17, 17));
}
template <bool Explicit, bool Mask> bool string_compare(Core& core, const Op& op) {
    __m128i b;
    if (!sse_ready(core) || !read_xmm<16, false>(core, op, b)) return false;
    const StringResult r = string_compares<Explicit, Mask>[op.imm & 127](
        xmm_get(core, op.reg), b, string_length(core, RAX, op.extra), string_length(core, RDX, op.extra));
    if constexpr (Mask)
        xmm_put(core, 0, r.mask);
    else
        core.r.gpr[RCX] = r.index;
    core.set_arithmetic(r.flags);
    return true;
}

template <class T> bool checksum(Core& core, const Op& op) { // CRC32
    T value{};
    if (!read_rm<T>(core, op, value)) return false;
    u32 crc = static_cast<u32>(core.r.gpr[op.reg / 8]);
    u64 wide = crc;
    if constexpr (sizeof(T) == 1)
        asm("crc32b %1, %0" : "+r"(crc) : "q"(value));
    else if constexpr (sizeof(T) == 2)
        asm("crc32w %1, %0" : "+r"(crc) : "r"(value));
    else if constexpr (sizeof(T) == 4)
        asm("crc32l %1, %0" : "+r"(crc) : "r"(value));
    else
        asm("crc32q %1, %0" : "+r"(wide) : "r"(value));
    put<u64>(&core, op.reg, sizeof(T) == 8 ? wide : crc);
    return true;
}

Handler map_38(unsigned opcode, bool memory) {
    switch (opcode) {
    case 0x10: return cold<blend_by_mask<1>>;
    case 0x14: return cold<blend_by_mask<4>>;
    case 0x15: return cold<blend_by_mask<8>>;
    case 0x17: return cold<test_bits>;
    case 0x20: return cold<unary<O_pmovsxbw, 8, false>>;
    case 0x21: return cold<unary<O_pmovsxbd, 4, false>>;
    case 0x22: return cold<unary<O_pmovsxbq, 2, false>>;
    case 0x23: return cold<unary<O_pmovsxwd, 8, false>>;
    case 0x24: return cold<unary<O_pmovsxwq, 4, false>>;
    case 0x25: return cold<unary<O_pmovsxdq, 8, false>>;
    case 0x28: return cold<binary<O_pmuldq, 16, true, false>>;
    case 0x29: return cold<binary<O_pcmpeqq, 16, true, false>>;
    case 0x2A: return memory ? static_cast<Handler>(cold<load_streaming>) : nullptr;
    case 0x2B: return cold<binary<O_packusdw, 16, true, false>>;
    case 0x30: return cold<unary<O_pmovzxbw, 8, false>>;
    case 0x31: return cold<unary<O_pmovzxbd, 4, false>>;
    case 0x32: return cold<unary<O_pmovzxbq, 2, false>>;
    case 0x33: return cold<unary<O_pmovzxwd, 8, false>>;
    case 0x34: return cold<unary<O_pmovzxwq, 4, false>>;
    case 0x35: return cold<unary<O_pmovzxdq, 8, false>>;
    case 0x37: return cold<binary<O_pcmpgtq, 16, true, false>>;
    case 0x38: return cold<binary<O_pminsb, 16, true, false>>;
    case 0x39: return cold<binary<O_pminsd, 16, true, false>>;
    case 0x3A: return cold<binary<O_pminuw, 16, true, false>>;
    case 0x3B: return cold<binary<O_pminud, 16, true, false>>;
    case 0x3C: return cold<binary<O_pmaxsb, 16, true, false>>;
    case 0x3D: return cold<binary<O_pmaxsd, 16, true, false>>;
    case 0x3E: return cold<binary<O_pmaxuw, 16, true, false>>;
    case 0x3F: return cold<binary<O_pmaxud, 16, true, false>>;
    case 0x40: return cold<binary<O_pmulld, 16, true, false>>;
    case 0x41: return cold<unary<O_phminposuw, 16, true>>;
    default: return ssse3(opcode);
    }
}
Handler map_3a(Emitter& e, unsigned opcode) {
    const bool wide = e.d.rex & 8;
    const auto general_rm = [&] {
        if (!e.memory()) e.op.rm = slot_of(e.d.rm);
    };
    switch (opcode) {
    case 0x08: return cold<steered<roundps_table, 16, true>>;
    case 0x09: return cold<steered<roundpd_table, 16, true>>;
    case 0x0A: return cold<steered<roundss_table, 4, true>>;
    case 0x0B: return cold<steered<roundsd_table, 8, true>>;
    case 0x0C: return cold<blend_by_immediate<4>>;
    case 0x0D: return cold<blend_by_immediate<8>>;
    case 0x0E: return cold<blend_by_immediate<2>>;
    case 0x0F: return ssse3(0x30F);
    case 0x14: general_rm(); return cold<extract<u8>>;
    case 0x15: general_rm(); return cold<extract<u16>>;
    case 0x16:
        general_rm();
        return wide ? static_cast<Handler>(cold<extract<u64>>) : static_cast<Handler>(cold<extract<u32>>);
    case 0x17: general_rm(); return cold<extract<u32>>;
    case 0x20: general_rm(); return cold<insert<u8>>;
    case 0x21: return cold<insert_single>;
    case 0x22:
        general_rm();
        return wide ? static_cast<Handler>(cold<insert<u64>>) : static_cast<Handler>(cold<insert<u32>>);
    case 0x40: return cold<steered<dpps_table, 16, true>>;
    case 0x41: return cold<steered<dppd_table, 16, true>>;
    case 0x42: return cold<steered<mpsadbw_table, 16, false>>;
    case 0x60: return cold<string_compare<true, true>>;
    case 0x61: return cold<string_compare<true, false>>;
    case 0x62: return cold<string_compare<false, true>>;
    case 0x63: return cold<string_compare<false, false>>;
    default: return nullptr;
    }
}

} // namespace

namespace emit {

/// 0F 38 and 0F 3A: 66 selects the XMM forms, no prefix the MMX forms of SSSE3.
void sse4(Emitter& e) {
    const unsigned prefix = e.d.mandatory(), opcode = e.d.opcode;
    e.op.reg = e.d.reg;
    if (!e.memory()) e.op.rm = e.d.rm;
    e.op.extra = (e.d.rex & 8) != 0;
    e.cost = cost::FpSimple;
    if (prefix == 1)
        e.handler = e.d.map == 2 ? map_38(opcode, e.memory()) : map_3a(e, opcode);
    else if (prefix == 0)
        e.handler = mmx_ssse3(e, opcode);
}
void crc32(Emitter& e) { // F2 0F 38 F0 F1; without F2 it is MOVBE, which model v2 does not offer
    if (!e.d.repne) return;
    e.op.reg = slot_of(e.d.reg);
    e.cost = cost::FpSimple;
    e.handler = by_size(e.d.size, []<class T> { return static_cast<Handler>(cold<checksum<T>>); });
}

} // namespace emit
} // namespace vitrine::cpu
