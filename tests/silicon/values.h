// Random operands that find the edges: integers, floating-point values of every kind, x87 states.
#pragma once
#include <random>
#include "tests/silicon/native.h"

namespace vitrine::silicon {

u64 interesting(std::mt19937_64& random);
u32 interesting_float(std::mt19937_64& random);
u64 interesting_double(std::mt19937_64& random);
/// 128 bits: doubles, floats, small integers or noise.
cpu::Xmm interesting_vector(std::mt19937_64& random);
/// An 80-bit value of any kind: zero, denormal, pseudo-denormal, unnormal, normal, infinity, pseudo-infinity,
/// NaN.
void extended(std::mt19937_64& random, u8* out);
/// What an x87 memory operand may hold.
void x87_operand(std::mt19937_64& random, std::array<u8, 16>& out);
/// Registers, flags, vectors, MXCSR and the x87 stack, anew.
void random_state(std::mt19937_64& random, State& s);

} // namespace vitrine::silicon
