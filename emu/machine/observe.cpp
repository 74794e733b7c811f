// What the host learns while the guest runs: boot phases, processor modes, the kernel's slide, console text.
//
// Three sources make phases: POST codes (roms/post_codes.h), changes of processor mode, and the hook on the
// kernel's boot_phase(const char*), whose argument is in RDI. Nothing here changes guest-visible state (law
// 4): callbacks read memory without side effects, and stopping the processor early is free of consequences
// (law 3).
#include <algorithm>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include "emu/machine/impl.h"
#include "emu/debugger/impl.h"
#include "roms/post_codes.h"

namespace vitrine::emu {

namespace {
constexpr std::size_t SerialKept = 4 << 20, MostModeChanges = 65536, MostPhases = 4096, LongestName = 64;
constexpr u64 KernelHalf = 0xFFFF'FFFF'8000'0000;

} // namespace

const char* mode_short_name(cpu::Mode mode) {
    switch (mode) {
    case cpu::Mode::Real: return "real";
    case cpu::Mode::Virtual8086: return "virtual8086";
    case cpu::Mode::Protected16: return "protected16";
    case cpu::Mode::Protected32: return "protected32";
    case cpu::Mode::Compat16: return "compat16";
    case cpu::Mode::Compat32: return "compat32";
    case cpu::Mode::Long64: return "long64";
    }
    return "?";
}

double Machine::Impl::host_now() const {
    if (run_started == std::chrono::steady_clock::time_point{}) return host_seconds;
    const std::chrono::duration<double> here = std::chrono::steady_clock::now() - run_started;
    return host_seconds + here.count();
}

void Machine::Impl::settle() {
    if (debugger) debugger->impl_->settle();
}

// ---- notices ----------------------------------------------------------------------------------------------

void Machine::Impl::delivered(const cpu::Delivery& delivery) {
    if (probes->wants(Notice::Kind::Delivered))
        probes->tell({.kind = Notice::Kind::Delivered, .address = delivery.vector, .delivery = &delivery});
}
void Machine::Impl::msr_accessed(u32 index, u64 value, bool write) {
    probes->tell({.kind = Notice::Kind::Msr, .write = write, .size = 8, .address = index, .value = value});
}
void Machine::Impl::control_written(unsigned number, u64 old, u64 value) {
    probes->tell({.kind = Notice::Kind::Control,
                  .write = true,
                  .size = 8,
                  .address = number,
                  .old_value = old,
                  .value = value});
}
void Machine::Impl::system_call(const cpu::Registers& registers) {
    probes->tell(
        {.kind = Notice::Kind::SystemCall, .address = registers.gpr[cpu::RAX], .registers = &registers});
}
void Machine::Impl::returned_to_user(const cpu::Registers& registers) {
    probes->tell({.kind = Notice::Kind::UserReturn, .registers = &registers});
}

// ---- phases -----------------------------------------------------------------------------------------------

void Machine::Impl::enter_phase(std::string name, const char* source, std::string description) {
    if (phases.size() >= MostPhases) return; // a guest that reboots forever must not fill the host's memory
    Phase phase{std::move(name), source,     cpu().steps(),         cpu().cycles(),
                cpu().rip(),     host_now(), std::move(description)};
    spdlog::debug("phase {} at step {}", phase.name, phase.step);
    phases.push_back(std::move(phase));
    if (probes) probes->tell({.kind = Notice::Kind::Phase, .text = phases.back().name});
}

void Machine::Impl::post_code(u8 code) {
    if (!board) return; // during construction
    for (const roms::PostCode& known : roms::PostCodes)
        if (known.code == code)
            return enter_phase(fmt::format("post:{}", known.name), "firmware", known.description);
    if (code != 0) enter_phase(fmt::format("post:{:02x}", code), "firmware");
}

void Machine::Impl::mode_changed(cpu::Mode, cpu::Mode to) {
    if (probes && probes->wants(Notice::Kind::Mode))
        probes->tell({.kind = Notice::Kind::Mode, .value = static_cast<u64>(to)});
    if (board->current() != 0) return; // the strip and the phases tell the bootstrap processor's story
    if (modes.size() < MostModeChanges) modes.push_back({cpu().steps(), cpu().cycles(), to});
    // Firmware goes back and forth between real and protected mode; only the first time is a phase.
    const u32 bit = 1u << static_cast<unsigned>(to);
    if (modes_seen & bit) return;
    modes_seen |= bit;
    enter_phase(fmt::format("mode:{}", mode_short_name(to)), "processor",
                fmt::format("the first code in {}", cpu::mode_name(to)));
}

void Machine::Impl::code_page_mapped(u64 linear, u64 physical) {
    // The processor asks for this translation before it executes from the page, and honours a stop before it
    // does.
    if (symbols && !symbols->slide() && linear >= KernelHalf) {
        const u8* page = board->memory().at(physical & ~(PageBytes - 1));
        if (page && symbols->try_page(linear, {page, PageBytes}))
            cpu().request_stop(); // hooks are set between runs
    }
    if (user_mode_seen || cpu().cpl() != 3 || cpu().mode() == cpu::Mode::Virtual8086) return;
    user_mode_seen = true;
    enter_phase("init", "kernel", "PID 1's first user-mode instruction");
}

void Machine::Impl::learn_kernel() {
    if (boot_phase_address || !symbols || !symbols->slide()) return;
    spdlog::debug("the kernel runs at slide {:#x}", *symbols->slide());
    if (auto address = symbols->find("boot_phase"))
        add_hook(boot_phase_address = *address);
    else
        boot_phase_address = ~u64{0}; // a kernel without the tracepoint; do not ask again
}

void Machine::Impl::kernel_phase_hook() {
    // The name is guest data: bounded, and only what can be printed.
    char text[LongestName] = {};
    const u64 address = cpu().registers().gpr[cpu::RDI];
    const std::size_t n = cpu().peek(address, {reinterpret_cast<u8*>(text), sizeof text});
    std::string name;
    for (std::size_t i = 0; i < n && text[i]; ++i) name += text[i] > ' ' && text[i] < 127 ? text[i] : '_';
    if (name.empty()) name = fmt::format("unnamed-{:x}", address);
    enter_phase("kernel:" + name, "kernel");
    // The place of the phase is its caller: the hook stands at a stub's first instruction, above its return
    // address.
    u64 caller = 0;
    if (cpu().peek(cpu().registers().gpr[cpu::RSP], {reinterpret_cast<u8*>(&caller), sizeof caller}) ==
            sizeof caller &&
        phases.back().step == cpu().steps())
        phases.back().rip = caller;
}

void Machine::Impl::forget_guest() {
    modes_seen = 0;
    user_mode_seen = false;
    phase_hook_step = ~u64{0};
    if (boot_phase_address && boot_phase_address != ~u64{0}) drop_hook(boot_phase_address);
    boot_phase_address = 0;
    if (symbols) symbols->set_slide(std::nullopt);
}

void Machine::Impl::unimplemented(u64 rip, const u8* bytes, unsigned count) {
    if (++unimplemented_lines > 64) return;
    std::string text;
    for (unsigned i = 0; i < count; ++i) text += fmt::format(" {:02X}", bytes[i]);
    spdlog::warn("unimplemented instruction at {:#x} ({}), step {}:{}", rip, cpu::mode_name(cpu().mode()),
                 cpu().steps(), text);
}

// ---- hooks ------------------------------------------------------------------------------------------------

void Machine::Impl::add_hook(u64 address) {
    if (hooks[address]++ == 0) board->code().add_hook(address);
}

void Machine::Impl::drop_hook(u64 address) {
    const auto entry = hooks.find(address);
    if (entry == hooks.end() || --entry->second > 0) return;
    hooks.erase(entry);
    board->code().remove_hook(address);
}

void Machine::hook(u64 address) { impl_->add_hook(address); }
void Machine::unhook(u64 address) { impl_->drop_hook(address); }
void Machine::on_execute(u64 address, std::function<void()> sink) {
    impl_->add_hook(address);
    impl_->execute_sinks.emplace(address, std::move(sink));
}
void Machine::forget_execute(u64 address) {
    const auto sink = impl_->execute_sinks.find(address);
    if (sink == impl_->execute_sinks.end()) return;
    impl_->execute_sinks.erase(sink);
    impl_->drop_hook(address);
}

// ---- the console ------------------------------------------------------------------------------------------

void Machine::Impl::serial_out(std::string_view bytes) {
    serial += bytes;
    serial_total += bytes.size();
    if (probes && probes->wants(Notice::Kind::Console))
        probes->tell({.kind = Notice::Kind::Console, .size = static_cast<u32>(bytes.size()), .text = bytes});
    if (serial_total > serial_told) {
        const u64 fresh = std::min<u64>(bytes.size(), serial_total - serial_told);
        serial_told = serial_total;
        if (serial_sink) serial_sink(bytes.substr(bytes.size() - fresh));
    }
    if (serial.size() > SerialKept + (SerialKept >> 2)) serial.erase(0, serial.size() - SerialKept);
}

void Machine::Impl::second_serial_out(std::string_view bytes) {
    const u64 step = board->steps();
    if (step < second_serial_told) return;
    second_serial_told = step;
    if (second_serial_sink) second_serial_sink(bytes);
}

} // namespace vitrine::emu
