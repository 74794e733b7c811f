// A machine that boots the test's guest, and how far the tests run it.
#pragma once
#include "emu/board/board.h"
#include "emu/machine.h"
#include "tests/emu/support.h"

namespace vitrine::test {

inline emu::MachineConfig boot_config() {
    emu::MachineConfig config;
    config.memory_bytes = 64 << 20;
    config.bios_path = TEST_BIOS;
    config.disks.push_back({TEST_DISK, false, {}, false});
    config.symbols_path = TEST_SYMBOLS;
    config.no_reboot = true;
    return config;
}

inline std::unique_ptr<emu::Machine> boot_machine(const emu::MachineConfig& config = boot_config()) {
    auto machine = emu::Machine::create(config);
    if (!machine) {
        ADD_FAILURE() << machine.error().message;
        std::abort();
    }
    return std::move(*machine);
}

inline emu::RunReport run_to(emu::Machine& machine, u64 step) {
    emu::RunLimits limits;
    limits.step_limit = step;
    return machine.run(limits);
}

/// The step at which the boot is over: the shell's prompt shows, or the tiny kernel left through the debug
/// exit.
inline u64 boot_length() {
    auto machine = boot_machine();
    emu::RunLimits limits;
    limits.conditions.push_back({emu::StopCondition::Kind::Prompt, 0, {}, 0});
    limits.host_seconds = 120;
    const emu::RunReport report = machine->run(limits);
#ifdef TEST_REAL_GUEST
    EXPECT_EQ(report.reason, emu::StopReason::SerialText) << report.detail;
    return report.steps + 200'000;
#else
    EXPECT_EQ(report.reason, emu::StopReason::DebugExit) << report.detail;
    return report.steps;
#endif
}

} // namespace vitrine::test
