// MUL, IMUL, DIV, IDIV of group 3: used by exec/unary.cpp.
#pragma once
#include "cpu/decode/emit.h"

namespace vitrine::cpu::emit {
/// `which`: 4 MUL, 5 IMUL, 6 DIV, 7 IDIV.
void multiply_divide(Emitter& e, unsigned which);
} // namespace vitrine::cpu::emit
