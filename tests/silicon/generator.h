// Random user-mode instructions: an encoding from the opcode table with operands that mostly work and
// sometimes fault.
#pragma once
#include <random>
#include <string>
#include <vector>
#include "cpu/decode/decoder.h"
#include "tests/silicon/native.h"

namespace vitrine::silicon {

struct Case {
    std::vector<u8> code;
    State state;
    u64 undefined_flags = 0; ///< that the manual leaves undefined after this instruction
    cpu::Decoded decoded;
    u64 operand_at = 0;           ///< an x87 memory operand …
    std::array<u8, 16> operand{}; ///< … and what it holds
};

/// Every opcode that can be compared in user mode: (map, opcode).
std::vector<std::pair<unsigned, unsigned>> comparable_opcodes();
bool is_x87(unsigned map, unsigned opcode);
/// A random instance; nullopt-like empty code when the drawn form does not exist.
Case generate(std::mt19937_64& random, unsigned map, unsigned opcode);
std::string describe(const Case& c);

} // namespace vitrine::silicon
