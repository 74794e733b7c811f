// SSE and SSE2 arithmetic, logic, packing and conversion between packed forms: one host instruction each.
//
// Operand order, NaN selection, rounding and flags are therefore the host's, which is what the manual defines
// for all of these. The approximations RCP/RSQRT are elsewhere (sse.cpp): processors differ there. SDM vol.
// 2.
#include "cpu/exec/sse_forms.h"

namespace vitrine::cpu {
namespace {

// clang-format off
VITRINE_SSE_OP(addps)
VITRINE_SSE_OP(addpd)
VITRINE_SSE_OP(addss)
VITRINE_SSE_OP(addsd)
VITRINE_SSE_OP(mulps)
VITRINE_SSE_OP(mulpd)
VITRINE_SSE_OP(mulss)
VITRINE_SSE_OP(mulsd)
VITRINE_SSE_OP(subps)
VITRINE_SSE_OP(subpd)
VITRINE_SSE_OP(subss)
VITRINE_SSE_OP(subsd)
VITRINE_SSE_OP(minps)
VITRINE_SSE_OP(minpd)
VITRINE_SSE_OP(minss)
VITRINE_SSE_OP(minsd)
VITRINE_SSE_OP(divps)
VITRINE_SSE_OP(divpd)
VITRINE_SSE_OP(divss)
VITRINE_SSE_OP(divsd)
VITRINE_SSE_OP(maxps)
VITRINE_SSE_OP(maxpd)
VITRINE_SSE_OP(maxss)
VITRINE_SSE_OP(maxsd)
VITRINE_SSE_OP(andps)
VITRINE_SSE_OP(andpd)
VITRINE_SSE_OP(andnps)
VITRINE_SSE_OP(andnpd)
VITRINE_SSE_OP(orps)
VITRINE_SSE_OP(orpd)
VITRINE_SSE_OP(xorps)
VITRINE_SSE_OP(xorpd)
VITRINE_SSE_OP(unpcklps)
VITRINE_SSE_OP(unpcklpd)
VITRINE_SSE_OP(unpckhps)
VITRINE_SSE_OP(unpckhpd)
VITRINE_SSE_OP(cvtss2sd)
VITRINE_SSE_OP(cvtsd2ss)
VITRINE_SSE_OP(punpcklbw)
VITRINE_SSE_OP(punpcklwd)
VITRINE_SSE_OP(punpckldq)
VITRINE_SSE_OP(packsswb)
VITRINE_SSE_OP(pcmpgtb)
VITRINE_SSE_OP(pcmpgtw)
VITRINE_SSE_OP(pcmpgtd)
VITRINE_SSE_OP(packuswb)
VITRINE_SSE_OP(punpckhbw)
VITRINE_SSE_OP(punpckhwd)
VITRINE_SSE_OP(punpckhdq)
VITRINE_SSE_OP(packssdw)
VITRINE_SSE_OP(punpcklqdq)
VITRINE_SSE_OP(punpckhqdq)
VITRINE_SSE_OP(pcmpeqb)
VITRINE_SSE_OP(pcmpeqw)
VITRINE_SSE_OP(pcmpeqd)
VITRINE_SSE_OP(psrlw)
VITRINE_SSE_OP(psrld)
VITRINE_SSE_OP(psrlq)
VITRINE_SSE_OP(paddq)
VITRINE_SSE_OP(pmullw)
VITRINE_SSE_OP(psubusb)
VITRINE_SSE_OP(psubusw)
VITRINE_SSE_OP(pminub)
VITRINE_SSE_OP(pand)
VITRINE_SSE_OP(paddusb)
VITRINE_SSE_OP(paddusw)
VITRINE_SSE_OP(pmaxub)
VITRINE_SSE_OP(pandn)
VITRINE_SSE_OP(pavgb)
VITRINE_SSE_OP(psraw)
VITRINE_SSE_OP(psrad)
VITRINE_SSE_OP(pavgw)
VITRINE_SSE_OP(pmulhuw)
VITRINE_SSE_OP(pmulhw)
VITRINE_SSE_OP(psubsb)
VITRINE_SSE_OP(psubsw)
VITRINE_SSE_OP(pminsw)
VITRINE_SSE_OP(por)
VITRINE_SSE_OP(paddsb)
VITRINE_SSE_OP(paddsw)
VITRINE_SSE_OP(pmaxsw)
VITRINE_SSE_OP(pxor)
VITRINE_SSE_OP(psllw)
VITRINE_SSE_OP(pslld)
VITRINE_SSE_OP(psllq)
VITRINE_SSE_OP(pmuludq)
VITRINE_SSE_OP(pmaddwd)
VITRINE_SSE_OP(psadbw)
VITRINE_SSE_OP(psubb)
VITRINE_SSE_OP(psubw)
VITRINE_SSE_OP(psubd)
VITRINE_SSE_OP(psubq)
VITRINE_SSE_OP(paddb)
VITRINE_SSE_OP(paddw)
VITRINE_SSE_OP(paddd)
VITRINE_SSE_OP(sqrtss)
VITRINE_SSE_OP(sqrtsd)
VITRINE_SSE_UNARY(sqrtps)
VITRINE_SSE_UNARY(sqrtpd)
VITRINE_SSE_UNARY(cvtdq2ps)
VITRINE_SSE_UNARY(cvtps2dq)
VITRINE_SSE_UNARY(cvttps2dq)
VITRINE_SSE_UNARY(cvtps2pd)
VITRINE_SSE_UNARY(cvtpd2ps)
VITRINE_SSE_UNARY(cvtdq2pd)
VITRINE_SSE_UNARY(cvttpd2dq)
VITRINE_SSE_UNARY(cvtpd2dq)
// clang-format on

} // namespace

Handler sse_arithmetic(unsigned prefix, unsigned opcode) {
    switch (prefix << 8 | opcode) {
    case 0x014: return cold<binary<O_unpcklps, 16, true, false>>;
    case 0x015: return cold<binary<O_unpckhps, 16, true, false>>;
    case 0x051: return cold<unary<O_sqrtps, 16, true>>;
    case 0x054: return cold<binary<O_andps, 16, true, false>>;
    case 0x055: return cold<binary<O_andnps, 16, true, false>>;
    case 0x056: return cold<binary<O_orps, 16, true, false>>;
    case 0x057: return cold<binary<O_xorps, 16, true, false>>;
    case 0x058: return cold<binary<O_addps, 16, true, true>>;
    case 0x059: return cold<binary<O_mulps, 16, true, true>>;
    case 0x05a: return cold<unary<O_cvtps2pd, 8, false>>;
    case 0x05b: return cold<unary<O_cvtdq2ps, 16, true>>;
    case 0x05c: return cold<binary<O_subps, 16, true, true>>;
    case 0x05d: return cold<binary<O_minps, 16, true, true>>;
    case 0x05e: return cold<binary<O_divps, 16, true, true>>;
    case 0x05f: return cold<binary<O_maxps, 16, true, true>>;
    case 0x114: return cold<binary<O_unpcklpd, 16, true, false>>;
    case 0x115: return cold<binary<O_unpckhpd, 16, true, false>>;
    case 0x151: return cold<unary<O_sqrtpd, 16, true>>;
    case 0x154: return cold<binary<O_andpd, 16, true, false>>;
    case 0x155: return cold<binary<O_andnpd, 16, true, false>>;
    case 0x156: return cold<binary<O_orpd, 16, true, false>>;
    case 0x157: return cold<binary<O_xorpd, 16, true, false>>;
    case 0x158: return cold<binary<O_addpd, 16, true, true>>;
    case 0x159: return cold<binary<O_mulpd, 16, true, true>>;
    case 0x15a: return cold<unary<O_cvtpd2ps, 16, true>>;
    case 0x15b: return cold<unary<O_cvtps2dq, 16, true>>;
    case 0x15c: return cold<binary<O_subpd, 16, true, true>>;
    case 0x15d: return cold<binary<O_minpd, 16, true, true>>;
    case 0x15e: return cold<binary<O_divpd, 16, true, true>>;
    case 0x15f: return cold<binary<O_maxpd, 16, true, true>>;
    case 0x160: return cold<binary<O_punpcklbw, 16, true, false>>;
    case 0x161: return cold<binary<O_punpcklwd, 16, true, false>>;
    case 0x162: return cold<binary<O_punpckldq, 16, true, false>>;
    case 0x163: return cold<binary<O_packsswb, 16, true, false>>;
    case 0x164: return cold<binary<O_pcmpgtb, 16, true, false>>;
    case 0x165: return cold<binary<O_pcmpgtw, 16, true, false>>;
    case 0x166: return cold<binary<O_pcmpgtd, 16, true, false>>;
    case 0x167: return cold<binary<O_packuswb, 16, true, false>>;
    case 0x168: return cold<binary<O_punpckhbw, 16, true, false>>;
    case 0x169: return cold<binary<O_punpckhwd, 16, true, false>>;
    case 0x16a: return cold<binary<O_punpckhdq, 16, true, false>>;
    case 0x16b: return cold<binary<O_packssdw, 16, true, false>>;
    case 0x16c: return cold<binary<O_punpcklqdq, 16, true, false>>;
    case 0x16d: return cold<binary<O_punpckhqdq, 16, true, false>>;
    case 0x174: return cold<binary<O_pcmpeqb, 16, true, false>>;
    case 0x175: return cold<binary<O_pcmpeqw, 16, true, false>>;
    case 0x176: return cold<binary<O_pcmpeqd, 16, true, false>>;
    case 0x1d1: return cold<binary<O_psrlw, 16, true, false>>;
    case 0x1d2: return cold<binary<O_psrld, 16, true, false>>;
    case 0x1d3: return cold<binary<O_psrlq, 16, true, false>>;
    case 0x1d4: return cold<binary<O_paddq, 16, true, false>>;
    case 0x1d5: return cold<binary<O_pmullw, 16, true, false>>;
    case 0x1d8: return cold<binary<O_psubusb, 16, true, false>>;
    case 0x1d9: return cold<binary<O_psubusw, 16, true, false>>;
    case 0x1da: return cold<binary<O_pminub, 16, true, false>>;
    case 0x1db: return cold<binary<O_pand, 16, true, false>>;
    case 0x1dc: return cold<binary<O_paddusb, 16, true, false>>;
    case 0x1dd: return cold<binary<O_paddusw, 16, true, false>>;
    case 0x1de: return cold<binary<O_pmaxub, 16, true, false>>;
    case 0x1df: return cold<binary<O_pandn, 16, true, false>>;
    case 0x1e0: return cold<binary<O_pavgb, 16, true, false>>;
    case 0x1e1: return cold<binary<O_psraw, 16, true, false>>;
    case 0x1e2: return cold<binary<O_psrad, 16, true, false>>;
    case 0x1e3: return cold<binary<O_pavgw, 16, true, false>>;
    case 0x1e4: return cold<binary<O_pmulhuw, 16, true, false>>;
    case 0x1e5: return cold<binary<O_pmulhw, 16, true, false>>;
    case 0x1e6: return cold<unary<O_cvttpd2dq, 16, true>>;
    case 0x1e8: return cold<binary<O_psubsb, 16, true, false>>;
    case 0x1e9: return cold<binary<O_psubsw, 16, true, false>>;
    case 0x1ea: return cold<binary<O_pminsw, 16, true, false>>;
    case 0x1eb: return cold<binary<O_por, 16, true, false>>;
    case 0x1ec: return cold<binary<O_paddsb, 16, true, false>>;
    case 0x1ed: return cold<binary<O_paddsw, 16, true, false>>;
    case 0x1ee: return cold<binary<O_pmaxsw, 16, true, false>>;
    case 0x1ef: return cold<binary<O_pxor, 16, true, false>>;
    case 0x1f1: return cold<binary<O_psllw, 16, true, false>>;
    case 0x1f2: return cold<binary<O_pslld, 16, true, false>>;
    case 0x1f3: return cold<binary<O_psllq, 16, true, false>>;
    case 0x1f4: return cold<binary<O_pmuludq, 16, true, false>>;
    case 0x1f5: return cold<binary<O_pmaddwd, 16, true, false>>;
    case 0x1f6: return cold<binary<O_psadbw, 16, true, false>>;
    case 0x1f8: return cold<binary<O_psubb, 16, true, false>>;
    case 0x1f9: return cold<binary<O_psubw, 16, true, false>>;
    case 0x1fa: return cold<binary<O_psubd, 16, true, false>>;
    case 0x1fb: return cold<binary<O_psubq, 16, true, false>>;
    case 0x1fc: return cold<binary<O_paddb, 16, true, false>>;
    case 0x1fd: return cold<binary<O_paddw, 16, true, false>>;
    case 0x1fe: return cold<binary<O_paddd, 16, true, false>>;
    case 0x251: return cold<binary<O_sqrtss, 4, false, true>>;
    case 0x258: return cold<binary<O_addss, 4, false, true>>;
    case 0x259: return cold<binary<O_mulss, 4, false, true>>;
    case 0x25a: return cold<binary<O_cvtss2sd, 4, false, true>>;
    case 0x25b: return cold<unary<O_cvttps2dq, 16, true>>;
    case 0x25c: return cold<binary<O_subss, 4, false, true>>;
    case 0x25d: return cold<binary<O_minss, 4, false, true>>;
    case 0x25e: return cold<binary<O_divss, 4, false, true>>;
    case 0x25f: return cold<binary<O_maxss, 4, false, true>>;
    case 0x2e6: return cold<unary<O_cvtdq2pd, 8, false>>;
    case 0x351: return cold<binary<O_sqrtsd, 8, false, true>>;
    case 0x358: return cold<binary<O_addsd, 8, false, true>>;
    case 0x359: return cold<binary<O_mulsd, 8, false, true>>;
    case 0x35a: return cold<binary<O_cvtsd2ss, 8, false, true>>;
    case 0x35c: return cold<binary<O_subsd, 8, false, true>>;
    case 0x35d: return cold<binary<O_minsd, 8, false, true>>;
    case 0x35e: return cold<binary<O_divsd, 8, false, true>>;
    case 0x35f: return cold<binary<O_maxsd, 8, false, true>>;
    case 0x3e6: return cold<unary<O_cvtpd2dq, 16, true>>;
    default: return nullptr;
    }
}

} // namespace vitrine::cpu
