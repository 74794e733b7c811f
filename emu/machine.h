// Machine — one whole computer: processor, board, images, input log, phases. Several can live in one process.
//
// Interface: create() from a MachineConfig, run() until a limit, input() through the one door,
// save()/restore() of the complete state, state_hash(). The command line, the app and the tests use only this
// and emu/inspect.
//
// Invariants (design.md §1): state at step N is a function of the configuration, the images and the input
// log. "At step N" means: at the first moment when N steps are done, with every event run that is due then.
// Inputs are stamped with step and virtual time, because time passes without steps while the processor is
// halted. Reading through const methods or inspect changes nothing. Thread safety: none; one thread at a time
// may touch a Machine. request_stop() alone may come from anywhere.
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
#include "emu/disk/disk.h"

namespace vitrine::emu {

class Board;
class Debugger;
class GuestSymbols;
class KnownRun;
class Probes;

struct MachineConfig {
    u64 memory_bytes = 512ull << 20;
    cpu::Options cpu{.model = cpu::Model::V3};
    unsigned processors = 1;       ///< 1 to 8; they take turns on one timeline (emu/board/turns.h)
    u64 quantum = 16384;           ///< steps of a turn
    u64 preempt_fuzz = 0;          ///< seed of the schedule fuzzer (emu/board/turns.h); 0: off
    u8 numa_nodes = 0;             ///< among which processors and memory are divided; 0: no tables say so
    bool network = false;          ///< an e1000 at 00:02.0
    std::string bios_path;         ///< empty: the bundled firmware
    std::vector<DiskConfig> disks; ///< empty and no kernel: the bundled disk
    bool boot_cdrom = false;       ///< the first optical disc comes before the disks
    std::string boot_order;  ///< 'c' disk, 'd' disc, tried in this order; empty: one device, by boot_cdrom
    bool boot_menu = false;  ///< the firmware waits for Esc, which opens its boot menu
    bool legacy_ide = false; ///< drives on a PIIX4's two IDE channels instead of AHCI
    std::string kernel_path, initrd_path, append; ///< direct kernel boot, through fw_cfg and the firmware
    std::string symbols_path;                     ///< vmlinux ELF with symbols; empty: the bundled one
    i64 wall_clock = 1'767'225'600; ///< power-on time, seconds since 1970 (2026-01-01T00:00:00Z)
    u64 entropy_seed = 0;
    bool no_reboot = false; ///< a triple fault or a guest's reset ends the run instead of rebooting
};

/// XXH3-64 of every image that the guest can see; 0 where there is none.
struct ImageHashes {
    u64 bios = 0, kernel = 0, initrd = 0;
    std::vector<u64> disks;
    bool operator==(const ImageHashes&) const = default;
};

// ---- the input log ----------------------------------------------------------------------------------------
struct KeyInput {
    std::vector<u8> scancodes;
    bool operator==(const KeyInput&) const = default;
}; ///< set 1 bytes: make, break, E0 prefixes
struct SerialInput {
    std::string bytes;
    u8 port = 0; ///< COM1; 1: COM2
    bool operator==(const SerialInput&) const = default;
};
struct ResetInput {
    bool operator==(const ResetInput&) const = default;
}; ///< the operator pressed reset
struct MouseInput {
    i32 dx = 0, dy = 0, wheel = 0;
    u8 buttons = 0;
    bool operator==(const MouseInput&) const = default;
};
struct PowerButtonInput {
    bool operator==(const PowerButtonInput&) const = default;
};
/// A debugger's write to a register: 0–15 general, 16 RIP, 17 RFLAGS, 18 and 19 the bases of FS and GS, 20
/// KERNEL_GS_BASE, 32–47 XMM, 48–63 the upper halves of YMM. Values that no processor can hold are ignored;
/// translations of that processor are dropped.
struct RegisterPoke {
    u8 processor = 0, number = 0;
    u64 low = 0, high = 0;
    bool operator==(const RegisterPoke&) const = default;
};
/// A debugger's write to RAM.
struct MemoryPoke {
    static constexpr std::size_t Longest = 64 << 10;
    u64 physical = 0;
    std::vector<u8> bytes;
    bool operator==(const MemoryPoke&) const = default;
};
/// A frame from the network, without its checksum. Ignored by a machine without a card.
struct NetworkInput {
    static constexpr std::size_t Longest = 16384;
    std::vector<u8> frame;
    bool operator==(const NetworkInput&) const = default;
};
/// The operator takes the disc out of the CD drive (no path) or puts another one in. The hash is the image's
/// (Disk::base_hash): Machine::know_medium() fills it in, and holds a replay against it.
struct MediumInput {
    std::string path;
    u64 hash = 0;
    bool operator==(const MediumInput&) const = default;
};
using InputEvent = std::variant<KeyInput, SerialInput, ResetInput, MouseInput, PowerButtonInput, RegisterPoke,
                                MemoryPoke, NetworkInput, MediumInput>;
struct LoggedInput {
    u64 step = 0;
    u64 time = 0; ///< virtual nanoseconds; later than the step's own time while the processor was halted
    InputEvent event;
    bool operator==(const LoggedInput&) const = default;
};

// ---- boot phases ------------------------------------------------------------------------------------------
struct Phase {
    std::string name;   ///< "post:memory", "mode:long64", "kernel:mm_init", "init"
    std::string source; ///< "firmware", "processor", "kernel"
    u64 step = 0;
    u64 time = 0; ///< virtual nanoseconds
    u64 rip = 0;
    double host_seconds =
        0; ///< since the machine was made, without time spent outside run(); never guest-visible
    std::string description; ///< one line for people; may be empty
};
/// Every change of processor mode, for the strip under the app. Bounded: the oldest 65536.
struct ModeChange {
    u64 step = 0, time = 0;
    cpu::Mode mode{};
};
/// "real", "long64" … as phases and breakpoints name modes.
const char* mode_short_name(cpu::Mode mode);
/// True when `wanted` names the phase: its full name, or the part after the colon.
bool phase_matches(const Phase& phase, std::string_view wanted);

// ---- running ----------------------------------------------------------------------------------------------
enum class StopReason : u8 { // recordings hold the numbers
    StepLimit = 0,
    TimeLimit = 1,
    Breakpoint = 3,
    PoweredOff = 5,
    DebugExit,
    TripleFault,
    IdleForever,
    HostRequest,
    ResetRequested, ///< the guest asked for a reset and the configuration says no_reboot
    HostTimeLimit,  ///< RunLimits::host_seconds are over
    ReplayMismatch, ///< a hash sink refused to go on
};
const char* stop_reason_name(StopReason reason);

struct RunLimits {
    u64 step_limit = ~u64{0};
    u64 time_limit = ~u64{0};   ///< virtual nanoseconds
    double host_seconds = 1e18; ///< checked between slices; never changes guest state
    /// Whose breakpoints may stop this run, wherever else than at these limits; null: none does, none counts.
    Debugger* debugger = nullptr;
    /// A search backwards: breakpoints stop, but count, log and skip nothing.
    bool searching = false;
    /// This run goes on with one that a limit of time or steps has cut: a breakpoint at the very place where
    /// it begins has not been looked at. (A run that starts on a breakpoint leaves it first.)
    bool goes_on = false;
};
struct RunReport {
    StopReason reason = StopReason::StepLimit;
    u64 steps = 0, time = 0;
    int debug_exit_value = 0;
    std::string detail; ///< what a breakpoint met, the explanation of a triple fault …
};

class Machine {
public:
    static Expected<std::unique_ptr<Machine>> create(const MachineConfig& config);
    ~Machine();

    RunReport run(const RunLimits& limits);
    /// Executes exactly one step (an idle processor first moves to its next event).
    RunReport step();
    /// Makes the current or the next run() return HostRequest soon. From any thread or a signal handler.
    void request_stop();

    /// Applies an input now and logs it. Replay feeds the same events back with input_at().
    void input(const InputEvent& event);
    /// Opens the image that a MediumInput names, so that its application cannot fail; a hash other than 0
    /// must be the image's, 0 becomes it. Refused without a CD drive.
    Expected<void> know_medium(MediumInput& medium);
    /// Schedules an input for a later step (must be >= step()). With `time`: not before that virtual time.
    void input_at(u64 step, InputEvent event, u64 time = 0);
    const std::vector<LoggedInput>& input_log() const;
    std::size_t inputs_waiting() const;

    u64 steps() const;
    u64 time() const;
    /// Host time spent inside run() so far.
    double host_seconds() const;
    const MachineConfig& config() const;
    unsigned processor_count() const;
    /// The one whose turn it is; at a breakpoint, the one that met it.
    unsigned current_processor() const;
    cpu::Cpu& processor(unsigned index);
    const cpu::Cpu& processor(unsigned index) const;
    cpu::Cpu& processor();
    const cpu::Cpu& processor() const;
    Board& board();
    const Board& board() const;
    const std::vector<Phase>& phases() const;
    const std::vector<ModeChange>& mode_changes() const;
    /// Everything COM1 has sent since power-on (bounded to the last 4 MiB).
    const std::string& serial_output() const;
    /// How many bytes COM1 has ever sent; serial_output() holds the last of them.
    u64 serial_total() const;
    /// Called with COM1's bytes as they are sent; host side only.
    void on_serial(std::function<void(std::string_view)> sink);
    /// The same for COM2, of which nothing is kept. A step that is run again is not told again.
    void on_second_serial(std::function<void(std::string_view)> sink);
    /// What the network card sends, whole frames; can_receive(): whether it would take one now.
    void on_transmit(std::function<void(std::span<const u8>)> sink);
    bool can_receive() const;
    /// Set once the machine has ended by itself: powered off, debug exit, triple fault or reset with
    /// no_reboot.
    const std::optional<RunReport>& ended() const;

    /// Where the host listens to the run: breakpoints, authors, events (machine/probes.h).
    Probes& probes();
    /// Host hooks before an address executes (linear, every address space), counted. A debugger in the run
    /// hears of each arrival; with a sink, every run tells it, also journeys. Nothing stops by itself.
    void hook(u64 address);
    void unhook(u64 address);
    void on_execute(u64 address, std::function<void()> sink);
    void forget_execute(u64 address);

    /// Symbols of the guest kernel with the slide at which it runs. Null when there is no symbol file.
    const GuestSymbols* symbols() const;
    Expected<ImageHashes> image_hashes();

    /// Complete state. Restoring into a machine of the same configuration continues bit-exactly. A snapshot
    /// that turns out corrupt leaves the machine at power-on.
    std::vector<u8> save();
    Expected<void> restore(std::span<const u8> snapshot);
    /// No state has been loaded: the input log is all that there was.
    bool began_at_power_on() const;
    /// XXH3-64 of the whole guest-visible state: processor, chips, events, memory, disk overlays.
    u64 state_hash();
    /// As state_hash() without memory, display memory and disks: cheap enough for every million steps.
    u64 rolling_hash();
    /// Writes the overlay files of disks that have one.
    Expected<void> save_overlays();
    /// Some disk keeps its changes in a file.
    bool has_overlays() const;

    // For recorder and replayer.
    /// Called with every input as it is applied.
    void on_input(std::function<void(const LoggedInput&)> sink);
    /// Called at each multiple of `interval` steps with the rolling hash; false stops the run
    /// (ReplayMismatch). `again`: also where the run has been before, in journeys of the timeline. save… may
    /// be used from there; inputs for that step are still to come.
    void on_hash(u64 interval, std::function<bool(u64 step, u64 hash)> sink, bool again = false);
    /// What is known of this run from a recording: a timeline that is made for the machine leaps by it.
    void set_known_run(std::shared_ptr<KnownRun> run);
    const std::shared_ptr<KnownRun>& known_run() const;

    // For emu/timeline (machine/travel.cpp).
    /// The position (step, time) that some run has reached before: what comes earlier is run again.
    std::pair<u64, u64> furthest() const;
    /// From here on the run is another one: what was known of its future is void.
    void begin_new_future();
    /// Called at the first pause point of a run at or after the step that the last call returned; steps(),
    /// save… and restore… may be used from there. Never changes the guest.
    void on_pause_point(std::function<u64()> sink);
    /// Called before an input from outside (input()) is applied.
    void on_live_input(std::function<void()> sink);
    /// Processors, chips and what the host knows, without RAM, display memory, disks, phases and console
    /// text. `chips` is told how many bytes of it rolling_hash() is the XXH3-64 of.
    std::vector<u8> save_without_memory(std::size_t* chips = nullptr);
    struct HostView {
        std::vector<Phase> phases;
        std::vector<ModeChange> modes;
        std::string serial;
        u64 serial_total = 0;
    };
    /// The reverse; whoever calls puts the memory back first. The first `inputs_applied` inputs of the log
    /// count as applied, the others wait for their steps.
    Expected<void> restore_without_memory(std::span<const u8> state, std::size_t inputs_applied,
                                          HostView view);
    std::vector<LoggedInput> forget_inputs_to_come();
    /// What forget_inputs_to_come() would return; the log goes before it.
    std::vector<LoggedInput> inputs_to_come() const;

private:
    Machine();
    friend struct SnapshotAccess;
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Where a shell waits for input: the last line of `output` is one word and "# " or "$ ".
bool ends_with_prompt(std::string_view output);

} // namespace vitrine::emu
