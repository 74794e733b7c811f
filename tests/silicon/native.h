// Runs one instruction on the host's processor with given registers and memory, and says how it ended.
//
// Code, data and stack lie at the same low addresses as in BareMachine, so that results compare directly.
// Every run ends in a signal: INT3 behind the instruction (#BP), the fault it raised, or, when it goes on for
// too long, a timer. The way out assumes nothing of the state that the instruction left: FS (where the C
// library keeps its thread's data), the flags and the floating-point controls are put right before any C code
// runs. Not re-entrant.
#pragma once
#include <array>
#include <span>
#include <vector>
#include "cpu/state/registers.h"

namespace vitrine::silicon {

inline constexpr u64 CodeBase = 0x100000, CodeSize = 0x2000, DataBase = 0x200000, DataSize = 0x4000;
inline constexpr u8 DidNotEnd = 0xFF; ///< Outcome::vector when the timer ended it

struct State {
    std::array<u64, 16> gpr{};
    u64 rip = 0, rflags = 2;
    std::array<cpu::Xmm, 16> xmm{}, ymm_high{}; ///< the upper halves count where the host has AVX
    u32 mxcsr = 0x1F80;
    std::array<std::array<u8, 16>, 8> st{}; ///< x87 stack order
    u16 fcw = 0x37F, fsw = 0;
    u8 ftw = 0; ///< abridged, by physical register
};
struct Outcome {
    State state;
    u8 vector = 0; ///< 3: the instruction completed
    u32 error_code = 0;
    u64 cr2 = 0;
};

/// Maps the areas; false when the addresses are taken.
bool native_setup();
/// Memory at DataBase, shared with the native runs.
std::span<u8> native_data();
Outcome run_native(std::span<const u8> code, const State& state);
/// Selectors as user code sees them on this host, indexed by cpu::Seg.
std::array<u16, 6> native_selectors();

} // namespace vitrine::silicon
