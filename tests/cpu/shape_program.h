// Random guest programs for the shape-independence tests (design.md law 3).
//
// Four kinds. Structured: CPL 0 code with loops, calls, faults with recovery, self-modifying code through two
// mappings, stale translations, REP, port and memory-mapped I/O, a timer. Chaos: random bytes and random
// instructions in user mode, in 32-bit protected mode and in real mode; a handler starts each fault's
// successor somewhere else. Programs are a pure function of their seed.
#pragma once
#include <random>
#include <vector>
#include "tests/cpu/bare_machine.h"

namespace vitrine::test {

enum class ProgramKind : u8 { Structured, Chaos64, Chaos32, ChaosReal };

/// One random instruction that decodes, from a random row of the opcode tables.
std::vector<u8> random_instruction(std::mt19937_64& random, unsigned code_size);

/// Prepares memory and registers, and returns the guest-physical addresses of immediates that a device may
/// overwrite.
std::vector<u64> load_program(BareMachine& machine, ProgramKind kind, u64 seed);

inline constexpr u64 AliasBase = 0x40000000,
                     MmioBase = 0x3F000000; ///< second mapping of RAM; a page without memory

} // namespace vitrine::test
