// What cannot be compared with the host's processor, as an exact list with reasons: whole opcodes here, and
// single forms once they are decoded. Everything else that the tables hold is drawn.
#pragma once
#include "cpu/decode/decoder.h"

namespace vitrine::silicon {

/// Why this opcode is never drawn, or null.
const char* excluded_opcode(unsigned map, unsigned opcode);
/// Why this decoded form is not compared, or null.
const char* excluded_form(const cpu::Decoded& d);

} // namespace vitrine::silicon
