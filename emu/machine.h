// Machine — one whole computer: processor, board, images, input log, phases. Several can live in one process.
//
// Interface: create() from a MachineConfig, run() until a limit, input() through the one door, save()/restore() of the
// complete state, state_hash(). The command line, the app and the tests use only this and emu/inspect.
//
// Invariants (design.md §1): state at step N is a function of the configuration, the images and the input log. Inputs
// are stamped with the step at which they are applied. Reading through const methods or inspect changes nothing.
// Thread safety: none; one thread at a time may touch a Machine.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>
#include "cpu/base/types.h"
#include "cpu/cpu.h"

namespace vitrine::emu {

class Board;

struct DiskConfig {
    std::string path;
    bool read_only = false;
    std::string overlay; ///< file that receives writes; empty: writes stay in memory and vanish (the default)
};

struct MachineConfig {
    u64 memory_bytes = 512ull << 20;
    cpu::Options cpu{};
    std::string bios_path;              ///< empty: the bundled firmware
    std::vector<DiskConfig> disks;      ///< empty and no kernel: the bundled disk
    std::string kernel_path, initrd_path, append; ///< direct kernel boot, through fw_cfg and the firmware
    std::string symbols_path;           ///< vmlinux ELF with symbols; empty: the bundled one
    i64 wall_clock = 1'767'225'600;     ///< power-on time, seconds since 1970 (2026-01-01T00:00:00Z)
    u64 entropy_seed = 0;
};

// ---- the input log ---------------------------------------------------------------------------------------------
struct KeyInput { std::vector<u8> scancodes; };  ///< set 1 bytes: make, break, E0 prefixes
struct SerialInput { std::string bytes; };       ///< arrives on COM1
struct ResetInput {};                            ///< the operator pressed reset
using InputEvent = std::variant<KeyInput, SerialInput, ResetInput>;
struct LoggedInput {
    u64 step;
    InputEvent event;
};

// ---- boot phases -----------------------------------------------------------------------------------------------
struct Phase {
    std::string name;   ///< "post:memory", "mode:long64", "kernel:mm_init", "init"
    std::string source; ///< "firmware", "processor", "kernel"
    u64 step = 0;
    u64 time = 0;       ///< virtual nanoseconds
    u64 rip = 0;
};

// ---- running ---------------------------------------------------------------------------------------------------
enum class StopReason : u8 {
    StepLimit, TimeLimit, Phase, Breakpoint, SerialText, PoweredOff, DebugExit, TripleFault, IdleForever, HostRequest,
};
struct RunLimits {
    u64 step_limit = ~u64{0};
    u64 time_limit = ~u64{0};            ///< virtual nanoseconds
    double host_seconds = 1e18;          ///< checked between slices; never changes guest state
    std::string until_phase;             ///< stop when this phase is entered; "*" for any
    std::vector<u64> breakpoints;        ///< linear addresses; stop before executing there
    std::string until_serial;            ///< stop when COM1's output contains this text
};
struct RunReport {
    StopReason reason = StopReason::StepLimit;
    u64 steps = 0, time = 0;
    int debug_exit_value = 0;
    std::string detail; ///< the phase, the address, the text …
};

class Machine {
  public:
    static Expected<std::unique_ptr<Machine>> create(const MachineConfig& config);
    ~Machine();

    RunReport run(const RunLimits& limits);
    /// Executes exactly one step (an idle processor first moves to its next event).
    RunReport step();

    /// Applies an input now and logs it. Replay feeds the same events back with input_at().
    void input(const InputEvent& event);
    /// Schedules an input for a later step (must be >= step()).
    void input_at(u64 step, InputEvent event);
    const std::vector<LoggedInput>& input_log() const;

    u64 steps() const;
    u64 time() const;
    const MachineConfig& config() const;
    cpu::Cpu& processor();
    const cpu::Cpu& processor() const;
    Board& board();
    const Board& board() const;
    const std::vector<Phase>& phases() const;
    /// Everything COM1 has sent since power-on (bounded to the last 4 MiB).
    const std::string& serial_output() const;
    /// Called with COM1's bytes as they are sent; host side only.
    void on_serial(std::function<void(std::string_view)> sink);

    /// Complete state. Restoring into a machine of the same configuration continues bit-exactly.
    std::vector<u8> save();
    Expected<void> restore(std::span<const u8> snapshot);
    /// XXH3-64 of the whole guest-visible state: processor, chips, events, memory, disk overlays.
    u64 state_hash();
    /// As state_hash() without memory and disks: cheap enough for every million steps.
    u64 rolling_hash();

  private:
    Machine();
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace vitrine::emu
