// Random user-mode instructions: an encoding from the opcode and SIMD tables with operands that mostly work
// and sometimes fault.
#pragma once
#include <random>
#include <string>
#include <vector>
#include "cpu/decode/decoder.h"
#include "cpu/exec/simd/table.h"
#include "tests/silicon/native.h"

namespace vitrine::silicon {

/// What is drawn: an opcode of the general tables, or one encoding of a row of the SIMD table.
struct Drawn {
    unsigned map = 0, opcode = 0;
    const cpu::simd::Row* row = nullptr;
    cpu::simd::Encoding encoding = cpu::simd::Encoding::Legacy;

    bool x87() const { return map == 0 && (opcode == 0x9B || (opcode >= 0xD8 && opcode <= 0xDF)); }
    std::string name() const;
};

struct Case {
    std::vector<u8> code;
    State state;
    u64 undefined_flags = 0; ///< that the manual leaves undefined after this instruction
    cpu::Decoded decoded;
    u64 operand_at = 0;           ///< an x87 memory operand …
    std::array<u8, 16> operand{}; ///< … and what it holds
};

/// Everything that can be compared in user mode with a model that offers `features`.
std::vector<Drawn> comparable(cpu::FeatureSet features);
/// A random instance; empty code when the drawn form does not exist.
Case generate(std::mt19937_64& random, const Drawn& drawn);
std::string describe(const Case& c);

// Parts of generate().
std::vector<u8> encode_simd(std::mt19937_64& random, const Drawn& drawn, std::size_t& modrm_at);
/// Values that make a SIMD form do something: gather indices, string addresses, counts.
void prepare_simd(std::mt19937_64& random, const Drawn& drawn, Case& c);
u64 undefined_after(const cpu::Decoded& d, const State& s);

} // namespace vitrine::silicon
