// What the kernel tells the vDSO: one page, read-only in every address space ([vvar]), just below the image.
//
// Invariants: seq is odd while the kernel changes the rest; a reader that saw another seq at its end begins
// anew. Times are computed as ktime_get_ns() computes them, from the same numbers.
#pragma once

namespace kernel {

struct vdso_data {
    unsigned seq = 0;
    unsigned clock_mode = 0;                 ///< VDSO_CLOCKMODE_TSC, or NONE: make the system call
    unsigned long cycle_base = 0;            ///< the TSC when time began
    unsigned long nanoseconds_per_cycle = 0; ///< 32 bits of fraction
    unsigned long wall_offset = 0;           ///< ns: the wall clock then
};
inline constexpr unsigned VDSO_CLOCKMODE_NONE = 0, VDSO_CLOCKMODE_TSC = 1;
/// The descriptor whose limit is the processor's number (getcpu by LSL).
inline constexpr unsigned CpuNodeSelector = 15 * 8 + 3;

} // namespace kernel
