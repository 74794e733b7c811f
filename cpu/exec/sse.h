// The SSE emitter's parts. `prefix`: 0 none, 1 66, 2 F3, 3 F2.
#pragma once
#include "cpu/exec/fp.h"

namespace vitrine::cpu {
/// Handler of a one-instruction arithmetic form, or null (exec/sse_arithmetic.cpp).
Handler sse_arithmetic(unsigned prefix, unsigned opcode);
/// Loads, stores and register moves, or null (exec/sse_move.cpp). May set fields of the Op.
Handler sse_move(Emitter& e, unsigned prefix, unsigned opcode);
/// MMX forms and those between MMX and XMM registers, or null (exec/mmx.cpp). Sets the register fields of the
/// Op.
Handler mmx(Emitter& e, unsigned prefix, unsigned opcode);
/// The MMX forms of SSSE3 in 0F 38 and 0F 3A, or null.
Handler mmx_ssse3(Emitter& e, unsigned opcode);
/// SSE3 in map 0F, or null; SSSE3's XMM forms by opcode of 0F 38 (30Fh: PALIGNR), or null (exec/sse3.cpp).
Handler sse3(const Emitter& e, unsigned prefix, unsigned opcode);
Handler ssse3(unsigned opcode);
} // namespace vitrine::cpu
