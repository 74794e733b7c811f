// What the firmware leaves in the processors of a machine when it passes control on.
#include "tests/emu/machine_support.h"

namespace vitrine::test {
namespace {

/// SDM 3A 12.11.8: memory types must be the same on all processors. The others wait, halted, for their INIT.
TEST(Firmware, EveryProcessorHasTheSameMemoryTypes) {
    for (const unsigned count : {1u, 3u, 8u}) {
        emu::MachineConfig config = boot_config();
        config.processors = count;
        auto machine = boot_machine(config);
        const emu::RunReport report = run_to_place(*machine, "phase:mbr");
        ASSERT_EQ(report.reason, emu::StopReason::Breakpoint) << report.detail;
        const cpu::Msrs& first = machine->processor(0).registers().msr;
        EXPECT_EQ(first.mtrr_def_type, 0xC06u);
        EXPECT_EQ(first.mtrr_fixed[0], 0x0606060606060606u);
        for (unsigned n = 1; n < count; ++n) {
            const cpu::Msrs& other = machine->processor(n).registers().msr;
            EXPECT_EQ(other.mtrr_def_type, first.mtrr_def_type) << n;
            EXPECT_EQ(other.mtrr_fixed, first.mtrr_fixed) << n;
            EXPECT_EQ(other.mtrr_variable, first.mtrr_variable) << n;
        }
    }
}

} // namespace
} // namespace vitrine::test
