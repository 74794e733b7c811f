// What an instruction costs, in cycles, before cache and branch effects.
//
// An in-order, single-issue approximation: throughput-bound operations cost 1; others their latency on a
// small modern core (Agner Fog, "Instruction tables", Gracemont/Skylake columns, rounded). The costs are
// model parameters, not measurements of any one chip; every instruction costs at least 1, which the step
// budget relies on.
#pragma once
#include "cpu/base/types.h"

namespace vitrine::cpu::cost {

inline constexpr u8 Simple = 1, Load = 1, Store = 1, ReadModifyWrite = 2, Multiply = 3, Divide = 18,
                    Branch = 1;
inline constexpr u8 Call = 2, Locked = 18, SegmentLoad = 12, FarTransfer = 40, Syscall = 30, Serializing = 60;
inline constexpr u8 PortIo = 200, FpSimple = 3, FpDivide = 13, FpSqrt = 18, X87Long = 60, SaveArea = 60;
inline constexpr u64 Mispredict = 14, TlbMissLevel = 8, Mmio = 100, Deliver = 60;

} // namespace vitrine::cpu::cost
