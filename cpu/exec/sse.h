// The SSE emitter's parts. `prefix`: 0 none, 1 66, 2 F3, 3 F2.
#pragma once
#include "cpu/exec/fp.h"

namespace vitrine::cpu {
/// Handler of a one-instruction arithmetic form, or null (exec/sse_arithmetic.cpp).
Handler sse_arithmetic(unsigned prefix, unsigned opcode);
/// Loads, stores and register moves, or null (exec/sse_move.cpp). May set fields of the Op.
Handler sse_move(Emitter& e, unsigned prefix, unsigned opcode);
/// MMX forms and those between MMX and XMM registers, or null (exec/mmx.cpp). Sets the register fields of the Op.
Handler mmx(Emitter& e, unsigned prefix, unsigned opcode);
} // namespace vitrine::cpu
