// Machine::Impl — the machine's own state around the board: limits of the current run, hooks, phases, inputs,
// sinks.
//
// Split by aspect: machine.cpp (creation, inputs, accessors), run.cpp (the loop), observe.cpp (phases, hooks,
// serial text), snapshot.cpp (save, restore, hashes). Invariant: nothing below "host side" reaches the guest.
#pragma once
#include <atomic>
#include <chrono>
#include <deque>
#include <map>
#include "emu/board/board.h"
#include "emu/machine.h"
#include "emu/machine/probes.h"
#include "emu/symbols/guest_symbols.h"

namespace vitrine::emu {

struct Machine::Impl final : cpu::CpuObserver {
    MachineConfig config;
    std::unique_ptr<Board> board;
    std::unique_ptr<Probes> probes; ///< made with the board
    std::unique_ptr<GuestSymbols> symbols;
    ImageHashes images; ///< disks are hashed when first asked for
    bool disks_hashed = false;

    // ---- guest-visible through the input log --------------------------------------------------------------
    std::deque<LoggedInput> waiting; ///< ordered by (step, time)
    std::vector<LoggedInput> log;
    bool state_loaded = false; ///< the log does not go back to power-on
    std::optional<RunReport> ended;

    // ---- host side ----------------------------------------------------------------------------------------
    std::vector<Phase> phases;
    std::vector<ModeChange> modes;
    u32 modes_seen = 0; ///< bit per cpu::Mode entered since the last reset
    bool user_mode_seen = false;
    u64 boot_phase_address = 0;    ///< hooked: the kernel's phase tracepoint; 0: not yet known
    u64 phase_hook_step = ~u64{0}; ///< the step at which a hook's phase was recorded already
    std::map<u64, unsigned> hooks; ///< address → users (reference count)
    std::multimap<u64, std::function<void()>> execute_sinks;
    u64 execute_told = ~u64{0}; ///< the step whose arrival was told
    std::string serial;
    u64 serial_total = 0;
    std::function<void(std::string_view)> serial_sink, second_serial_sink;
    u64 second_serial_told = 0; ///< the step whose bytes on COM2 were told last
    std::function<void(const LoggedInput&)> input_sink;
    std::function<bool(u64, u64)> hash_sink;
    u64 hash_interval = 0, next_hash = ~u64{0};
    bool hash_again = false;
    std::shared_ptr<KnownRun> known_run;
    u64 hashed = 0;      ///< the last step whose hash was told; travelling back does not tell it again
    u64 serial_told = 0; ///< console bytes that the sink has seen
    std::size_t inputs_told = 0;
    std::function<u64()> pause_sink;
    u64 next_pause = ~u64{0};
    std::function<void()> live_input_sink;
    std::pair<u64, u64> furthest{}; ///< step and time that a run has reached
    std::atomic<bool> stop_requested{false};
    double host_seconds = 0; ///< spent inside run() so far
    std::chrono::steady_clock::time_point run_started{};
    u32 unimplemented_lines = 0;

    // The current run.
    Debugger* debugger = nullptr; ///< limits->debugger
    const RunLimits* limits = nullptr;
    std::optional<RunReport> found; ///< a breakpoint that was met during the last slice

    cpu::Cpu& cpu() { return board->processor(); }
    const cpu::Cpu& cpu() const { return board->processor(); }

    // run.cpp
    RunReport run(const RunLimits& wanted);
    RunReport loop();
    RunReport report(StopReason reason, std::string detail = {});
    std::optional<RunReport> hash_point();
    std::optional<RunReport> limit_reached();
    std::optional<RunReport> service_request();
    std::optional<RunReport> hook_reached(u64 start_step, bool fresh);
    std::optional<RunReport> halted();
    RunReport shut_down_or_reset(bool& go_on);
    bool apply_due_inputs();
    void apply(const LoggedInput& input);
    void poke(const RegisterPoke& poke);
    void platform_reset();
    u64 earliest_deadline() const;
    u64 furthest_step() const;

    // observe.cpp
    double host_now() const;
    void enter_phase(std::string name, const char* source, std::string description = {});
    void post_code(u8 code);
    void serial_out(std::string_view bytes);
    void second_serial_out(std::string_view bytes);
    void add_hook(u64 address);
    void drop_hook(u64 address);
    void kernel_phase_hook();
    void learn_kernel();
    void forget_guest();
    void serialize_host(Archive& archive); // travel.cpp
    void mode_changed(cpu::Mode from, cpu::Mode to) override;
    void delivered(const cpu::Delivery& delivery) override;
    void msr_accessed(u32 index, u64 value, bool write) override;
    void control_written(unsigned number, u64 old, u64 value) override;
    void system_call(const cpu::Registers& registers) override;
    void returned_to_user(const cpu::Registers& registers) override;
    void settle();
    void code_page_mapped(u64 linear, u64 physical) override;
    void unimplemented(u64 rip, const u8* bytes, unsigned count) override;
};

} // namespace vitrine::emu
