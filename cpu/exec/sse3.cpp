// SSE3 and SSSE3: horizontal and alternating arithmetic, duplicating moves, byte shuffles. SDM vol. 1
// 12.3–12.7, vol. 2.
//
// Offered by processor model v2 only. The MMX forms of SSSE3 are in mmx.cpp; FISTTP is in x87.cpp; MONITOR
// and MWAIT are not offered.
#include "cpu/exec/sse_forms.h"

namespace vitrine::cpu {
namespace {

VITRINE_SSE_OP(addsubps)
VITRINE_SSE_OP(addsubpd)
VITRINE_SSE_OP(haddps)
VITRINE_SSE_OP(haddpd)
VITRINE_SSE_OP(hsubps)
VITRINE_SSE_OP(hsubpd)
VITRINE_SSE_UNARY(movddup)
VITRINE_SSE_UNARY(movsldup)
VITRINE_SSE_UNARY(movshdup)
VITRINE_SSE_OP(pshufb)
VITRINE_SSE_OP(phaddw)
VITRINE_SSE_OP(phaddd)
VITRINE_SSE_OP(phaddsw)
VITRINE_SSE_OP(pmaddubsw)
VITRINE_SSE_OP(phsubw)
VITRINE_SSE_OP(phsubd)
VITRINE_SSE_OP(phsubsw)
VITRINE_SSE_OP(psignb)
VITRINE_SSE_OP(psignw)
VITRINE_SSE_OP(psignd)
VITRINE_SSE_OP(pmulhrsw)
VITRINE_SSE_UNARY(pabsb)
VITRINE_SSE_UNARY(pabsw)
VITRINE_SSE_UNARY(pabsd)

bool load_unaligned(Core& core, const Op& op) { // LDDQU
    __m128i v;
    if (!sse_ready(core) || !read_xmm<16, false>(core, op, v)) return false;
    xmm_put(core, op.reg, v);
    return true;
}
bool align_right(Core& core, const Op& op) { // PALIGNR: bytes of {destination, source} from `imm` on
    __m128i b;
    if (!sse_ready(core) || !read_xmm<16, true>(core, op, b)) return false;
    u8 pair[48] = {}, out[16] = {};
    const __m128i a = xmm_get(core, op.reg);
    std::memcpy(pair, &b, 16);
    std::memcpy(pair + 16, &a, 16);
    const unsigned from = op.imm & 0xFF;
    if (from < 32) std::memcpy(out, pair + from, 16);
    std::memcpy(&core.r.xmm[op.reg], out, 16);
    return true;
}

} // namespace

Handler sse3(const Emitter& e, unsigned prefix, unsigned opcode) {
    switch (prefix << 8 | opcode) {
    case 0x1D0: return cold<binary<O_addsubpd, 16, true, true>>;
    case 0x3D0: return cold<binary<O_addsubps, 16, true, true>>;
    case 0x17C: return cold<binary<O_haddpd, 16, true, true>>;
    case 0x37C: return cold<binary<O_haddps, 16, true, true>>;
    case 0x17D: return cold<binary<O_hsubpd, 16, true, true>>;
    case 0x37D: return cold<binary<O_hsubps, 16, true, true>>;
    case 0x312: return cold<unary<O_movddup, 8, false>>;
    case 0x212: return cold<unary<O_movsldup, 16, true>>;
    case 0x216: return cold<unary<O_movshdup, 16, true>>;
    case 0x3F0: return e.memory() ? static_cast<Handler>(cold<load_unaligned>) : nullptr;
    default: return nullptr;
    }
}

Handler ssse3(unsigned opcode) {
    switch (opcode) {
    case 0x00: return cold<binary<O_pshufb, 16, true, false>>;
    case 0x01: return cold<binary<O_phaddw, 16, true, false>>;
    case 0x02: return cold<binary<O_phaddd, 16, true, false>>;
    case 0x03: return cold<binary<O_phaddsw, 16, true, false>>;
    case 0x04: return cold<binary<O_pmaddubsw, 16, true, false>>;
    case 0x05: return cold<binary<O_phsubw, 16, true, false>>;
    case 0x06: return cold<binary<O_phsubd, 16, true, false>>;
    case 0x07: return cold<binary<O_phsubsw, 16, true, false>>;
    case 0x08: return cold<binary<O_psignb, 16, true, false>>;
    case 0x09: return cold<binary<O_psignw, 16, true, false>>;
    case 0x0A: return cold<binary<O_psignd, 16, true, false>>;
    case 0x0B: return cold<binary<O_pmulhrsw, 16, true, false>>;
    case 0x1C: return cold<unary<O_pabsb, 16, true>>;
    case 0x1D: return cold<unary<O_pabsw, 16, true>>;
    case 0x1E: return cold<unary<O_pabsd, 16, true>>;
    case 0x30F: return cold<align_right>;
    default: return nullptr;
    }
}

} // namespace vitrine::cpu
