// The run loop. One turn: run due events, take a hash if one is due, apply due inputs, check limits, let the
// processor run to the next event, handle why it stopped.
//
// Invariants: the loop leaves only after "events and inputs due" and before "the processor runs", so a stop
// at step N is always the same state, whatever stopped it. Cutting the processor's run shorter (slices, hash
// points, inputs) changes nothing.
#include <algorithm>
#include <spdlog/spdlog.h>
#include "emu/debugger/impl.h"
#include "emu/inspect/fault_report.h"
#include "emu/machine/impl.h"

namespace vitrine::emu {

namespace {
constexpr u64 SliceSteps =
    4'000'000; ///< how far the processor runs before the host's clock and stop flag are looked at
} // namespace

RunReport Machine::Impl::report(StopReason reason, std::string detail) {
    RunReport out;
    out.reason = reason;
    out.steps = cpu().steps();
    out.time = cpu().cycles();
    out.detail = std::move(detail);
    return out;
}

RunReport Machine::Impl::run(const RunLimits& wanted) {
    limits = &wanted;
    debugger = wanted.debugger;
    found.reset();
    if (debugger) {
        debugger->impl_->stop_run = [this](std::string what) {
            if (found) return; // the first one wins
            found = report(StopReason::Breakpoint, std::move(what));
            cpu().request_stop();
        };
        debugger->impl_->begin(wanted.searching, wanted.goes_on);
    }
    run_started = std::chrono::steady_clock::now();
    RunReport result = loop();
    furthest = std::max(furthest, std::pair(cpu().steps(), cpu().cycles()));
    host_seconds = host_now();
    run_started = {};
    if (debugger) debugger->impl_->end();
    limits = nullptr;
    debugger = nullptr;
    return result;
}

RunReport Machine::Impl::loop() {
    const u64 start_step = cpu().steps();
    bool fresh = true; // no instruction has run yet in this call
    for (;;) {
        board->events().run_due(cpu().cycles());
        if (auto stop = hash_point()) return *stop;
        if (apply_due_inputs()) continue;
        if (cpu().steps() >= next_pause) next_pause = pause_sink();
        if (ended) return *ended;
        settle(); // what devices did
        if (found) return *std::exchange(found, std::nullopt);
        if (auto stop = limit_reached()) return *stop;

        const u64 deadline = earliest_deadline();
        board->set_deadline(deadline);
        const cpu::Stop stop = board->run(deadline, furthest_step());
        settle(); // what the last instruction did, before any event
        if (auto done = service_request()) return *done;
        switch (stop) {
        case cpu::Stop::Deadline:
        case cpu::Stop::StepLimit:
        case cpu::Stop::Yield:
        case cpu::Stop::BusStop: break;
        case cpu::Stop::Halted:
            if (auto done = halted()) return *done;
            break;
        case cpu::Stop::Hook:
            if (auto done = hook_reached(start_step, fresh)) return *done;
            break;
        case cpu::Stop::TripleFault: {
            bool go_on = false;
            RunReport shutdown = shut_down_or_reset(go_on);
            if (!go_on) return shutdown;
            break;
        }
        }
        learn_kernel();
        if (debugger) debugger->impl_->learn();
        fresh = false;
    }
}

// ---- limits -----------------------------------------------------------------------------------------------

std::optional<RunReport> Machine::Impl::hash_point() {
    if (cpu().steps() < next_hash) return std::nullopt;
    const u64 step = cpu().steps();
    next_hash = step + hash_interval;
    if (step <= hashed && !hash_again) return std::nullopt;
    hashed = std::max(hashed, step);
    Archive digest = Archive::digester().without_bulk();
    board->serialize_chips(digest);
    if (hash_sink(step, digest.digest())) return std::nullopt;
    return report(StopReason::ReplayMismatch);
}

std::optional<RunReport> Machine::Impl::limit_reached() {
    const u64 step = cpu().steps();
    if (step >= limits->step_limit) return report(StopReason::StepLimit);
    if (cpu().cycles() >= limits->time_limit) return report(StopReason::TimeLimit);
    if (stop_requested.exchange(false, std::memory_order_relaxed)) return report(StopReason::HostRequest);
    if (limits->host_seconds < 1e17) {
        const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - run_started;
        if (spent.count() >= limits->host_seconds) return report(StopReason::HostTimeLimit);
    }
    return std::nullopt;
}

u64 Machine::Impl::earliest_deadline() const {
    u64 deadline = std::min(board->events().next(), limits->time_limit);
    // An input for this step whose time has not come: the processor is halted until then.
    if (!waiting.empty() && waiting.front().step <= cpu().steps())
        deadline = std::min(deadline, waiting.front().time);
    return deadline;
}

u64 Machine::Impl::furthest_step() const {
    const u64 now = cpu().steps();
    u64 step = std::min(limits->step_limit, now + SliceSteps);
    step = std::min({step, next_hash, std::max(next_pause, now + 1)});
    if (debugger) step = std::min(step, std::max(debugger->impl_->next_step(now), now + 1));
    if (!waiting.empty() && waiting.front().step > now) step = std::min(step, waiting.front().step);
    return step;
}

// ---- inputs -----------------------------------------------------------------------------------------------

bool Machine::Impl::apply_due_inputs() {
    bool any = false;
    while (!waiting.empty()) {
        const LoggedInput& next = waiting.front();
        const bool due =
            next.step < cpu().steps() || (next.step == cpu().steps() && next.time <= cpu().cycles());
        if (!due) break;
        LoggedInput now{cpu().steps(), cpu().cycles(), next.event};
        waiting.pop_front();
        apply(now);
        any = true;
    }
    return any;
}

void Machine::Impl::apply(const LoggedInput& input) {
    log.push_back(input);
    if (log.size() > inputs_told) {
        inputs_told = log.size();
        if (input_sink) input_sink(input);
    }
    std::visit(
        [this](const auto& event) {
            using T = std::decay_t<decltype(event)>;
            if constexpr (std::is_same_v<T, KeyInput>)
                board->key(event.scancodes);
            else if constexpr (std::is_same_v<T, SerialInput>)
                board->serial_in(event.port, event.bytes);
            else if constexpr (std::is_same_v<T, MouseInput>)
                board->mouse(event.dx, event.dy, event.wheel, event.buttons);
            else if constexpr (std::is_same_v<T, PowerButtonInput>)
                board->power_button();
            else if constexpr (std::is_same_v<T, RegisterPoke>)
                poke(event);
            else if constexpr (std::is_same_v<T, MemoryPoke>)
                board->poke(event.physical, event.bytes);
            else if constexpr (std::is_same_v<T, NetworkInput>)
                board->frame_in(event.frame);
            else if constexpr (std::is_same_v<T, MediumInput>)
                board->change_medium(event.path, event.hash);
            else
                platform_reset();
        },
        input.event);
}

void Machine::Impl::poke(const RegisterPoke& poke) {
    if (poke.processor >= board->processor_count()) return;
    cpu::Cpu& target = board->processor(poke.processor);
    cpu::Registers& r = target.mutable_registers();
    const bool canonical = static_cast<u64>(static_cast<i64>(poke.low << 16) >> 16) == poke.low;
    constexpr u64 Writable = cpu::ArithmeticFlags | cpu::TF | cpu::IF | cpu::DF | cpu::AC | cpu::ID;
    if (poke.number < 16)
        r.gpr[poke.number] = poke.low;
    else if (poke.number == 16)
        r.rip = target.mode() == cpu::Mode::Long64 ? poke.low : poke.low & 0xFFFF'FFFF;
    else if (poke.number == 17)
        r.rflags = (r.rflags & ~Writable) | (poke.low & Writable);
    else if ((poke.number == 18 || poke.number == 19) && canonical)
        r.seg[static_cast<unsigned>(poke.number == 18 ? cpu::Seg::FS : cpu::Seg::GS)].base = poke.low;
    else if (poke.number == 20 && canonical)
        r.msr.kernel_gs_base = poke.low;
    else if (poke.number >= 48 && poke.number < 64 && config.cpu.model >= cpu::Model::V3)
        r.ymm_high[poke.number - 48u] = {poke.low, poke.high};
    else if (poke.number >= 32 && poke.number < 48)
        r.xmm[poke.number - 32u] = {poke.low, poke.high};
    target.commit_registers();
}

void Machine::Impl::platform_reset() {
    forget_guest();
    ended.reset();
    board->reset();
}

// ---- why the processor stopped ----------------------------------------------------------------------------

std::optional<RunReport> Machine::Impl::service_request() {
    const BoardRequest request = board->take_request();
    switch (request.kind) {
    case BoardRequest::Kind::None: return std::nullopt;
    case BoardRequest::Kind::PowerOff: ended = report(StopReason::PoweredOff); return ended;
    case BoardRequest::Kind::DebugExit:
        ended = report(StopReason::DebugExit);
        ended->debug_exit_value = static_cast<int>(request.value & 0x7F);
        return ended;
    case BoardRequest::Kind::ResetProcessor: board->reset_processor(); return std::nullopt;
    case BoardRequest::Kind::ResetPlatform:
        if (config.no_reboot) {
            ended = report(StopReason::ResetRequested);
            return ended;
        }
        spdlog::info("the guest reset the machine at step {}", cpu().steps());
        platform_reset();
        return std::nullopt;
    }
    return std::nullopt;
}

std::optional<RunReport> Machine::Impl::hook_reached(u64 start_step, bool fresh) {
    // Hooks and breakpoints are linear addresses; outside 64-bit code rip is an offset into CS.
    const u64 base = cpu().mode() == cpu::Mode::Long64
                         ? 0
                         : cpu().registers().seg[static_cast<unsigned>(cpu::Seg::CS)].base;
    const u64 rip = cpu().rip() + base, step = cpu().steps();
    if (phase_hook_step != step) {
        // The host's own hook records a phase and goes on.
        if (boot_phase_address && rip == boot_phase_address) phase_hook_step = step, kernel_phase_hook();
        if (found) return std::exchange(found, std::nullopt);
    }
    if (execute_told != step) {
        execute_told = step;
        const auto [first, last] = execute_sinks.equal_range(rip);
        for (auto sink = first; sink != last; ++sink) sink->second();
    }
    // A run that starts on a breakpoint leaves it first.
    if (fresh && step == start_step && step != 0 && !limits->goes_on) return std::nullopt;
    if (debugger) {
        debugger->impl_->arrived(rip);
        if (found) return std::exchange(found, std::nullopt);
    }
    return std::nullopt;
}

std::optional<RunReport> Machine::Impl::halted() {
    bool can_wake = board->non_maskable_possible();
    for (unsigned i = 0; i < board->processor_count(); ++i) {
        const cpu::Cpu& each = board->processor(i);
        can_wake |= each.activity() == cpu::Activity::Halted && (each.rflags() & cpu::IF);
    }
    const u64 until = earliest_deadline();
    if ((!can_wake && waiting.empty()) || until == devices::Never)
        return report(StopReason::IdleForever,
                      can_wake ? "halted, and no event is pending" : "halted with interrupts disabled");
    if (until > cpu().cycles()) cpu().skip_to(until);
    return std::nullopt;
}

RunReport Machine::Impl::shut_down_or_reset(bool& go_on) {
    RunReport out = report(StopReason::TripleFault, inspect::explain_triple_fault(*board, symbols.get()));
    if (config.no_reboot) {
        ended = out;
        return out;
    }
    spdlog::warn("triple fault: the machine resets\n{}", out.detail);
    platform_reset();
    go_on = true;
    return out;
}

} // namespace vitrine::emu
