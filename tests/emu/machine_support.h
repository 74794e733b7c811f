// A machine that boots the test's guest, and how far the tests run it.
#pragma once
#include "emu/board/board.h"
#include "emu/debugger/debugger.h"
#include "emu/inspect/inspect.h"
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

/// Runs until this place of a breakpoint is met.
inline emu::RunReport run_to_place(emu::Machine& machine, const char* place) {
    emu::Debugger debugger(machine);
    if (auto id = debugger.add(place); !id) ADD_FAILURE() << place << ": " << id.error().message;
    emu::RunLimits limits;
    limits.debugger = &debugger;
    limits.host_seconds = 120;
    return machine.run(limits);
}

/// The step at which the boot is over: the shell's prompt shows, or the tiny kernel left through the debug
/// exit.
inline u64 boot_length() {
    auto machine = boot_machine();
    const emu::RunReport report = run_to_place(*machine, "prompt");
#ifdef TEST_REAL_GUEST
    EXPECT_EQ(report.reason, emu::StopReason::Breakpoint) << report.detail;
    return report.steps + 200'000;
#else
    EXPECT_EQ(report.reason, emu::StopReason::DebugExit) << report.detail;
    return report.steps;
#endif
}

/// What a view needs: a processor's number, an address, tasks, an object.
inline std::string view_argument(const emu::inspect::ViewName& view) {
    const std::string_view wanted = view.argument;
    if (wanted == "PID,PID") return ":1,1";
    if (wanted == "TYPE@PLACE") return ":Task@init_task";
    if (wanted.find("PID") != wanted.npos && wanted[0] == '[') return ":1";
    if (wanted.find("CACHE") != wanted.npos) return ":*";
    if (wanted == "FRAME") return ":0x1000";
    return wanted.empty() ? "" : wanted.find("CPU") != wanted.npos ? ":0" : ":0xffffffff81000000";
}

} // namespace vitrine::test
