// Turns: see turns.h.
#include "emu/board/turns.h"
#include <algorithm>
#include <iterator>

namespace vitrine::emu {

namespace {
constexpr u8 RescheduleVector = 0xFD; // Linux: arch/x86/include/asm/irq_vectors.h
/// Steps between forced preemptions, on average: bursts are as likely as long stretches.
constexpr u64 Means[] = {150, 1500, 15'000};
} // namespace

u64 Turns::random() { // splitmix64
    u64 z = random_ += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
}

/// Firmware and loaders are left alone: the vector means something only to a 64-bit kernel that takes
/// interrupts.
void Turns::preempt() {
    const u64 mean = Means[random() % std::size(Means)];
    next_preemption_ = cpu().steps() + 1 + random() % (2 * mean);
    if (cpu().mode() != cpu::Mode::Long64 || !(cpu().rflags() & cpu::IF)) return;
    sockets_[current_]->apic.receive({.vector = RescheduleVector});
}

/// The next processor that can run, the current one last. False: nobody.
bool Turns::pass() {
    const u64 steps = cpu().steps(), cycles = cpu().cycles();
    const auto count = static_cast<u32>(sockets_.size());
    for (u32 i = 1; i <= count; ++i) {
        const u32 next = (current_ + i) % count;
        if (!sockets_[next]->cpu->can_run()) continue;
        current_ = next;
        cpu().set_position(steps, cycles);
        end_ = steps + (fuzz_seed_ ? 1 + random() % (2 * quantum_) : quantum_);
        return true;
    }
    return false;
}

bool Turns::others_can_run() const {
    for (u32 i = 0; i < sockets_.size(); ++i)
        if (i != current_ && sockets_[i]->cpu->can_run()) return true;
    return false;
}

cpu::Stop Turns::run(u64 deadline, u64 step_limit) {
    if (sockets_.size() == 1 && !fuzz_seed_) return cpu().run(deadline, step_limit);
    // Limits first: a turn may only pass when something can run after it.
    if (cpu().steps() >= step_limit) return cpu::Stop::StepLimit;
    if (cpu().cycles() >= deadline) return cpu::Stop::Deadline;
    alone_ = !fuzz_seed_ && cpu().can_run() && !others_can_run();
    if (!alone_ && (cpu().steps() >= end_ || !cpu().can_run()) && !pass()) return cpu::Stop::Halted;
    if (fuzz_seed_) {
        if (cpu().steps() >= next_preemption_) preempt();
        step_limit = std::min(step_limit, next_preemption_);
    }
    const cpu::Stop stop = cpu().run(deadline, alone_ ? step_limit : std::min(step_limit, end_));
    if (cpu().take_yield()) end_ = 0;
    // Who waits gives its turn away at the next call, when what is due by then has happened.
    return stop == cpu::Stop::Halted || stop == cpu::Stop::Yield ? cpu::Stop::StepLimit : stop;
}

void Turns::reset() {
    const u64 steps = cpu().steps(), cycles = cpu().cycles();
    current_ = 0;
    end_ = 0;
    cpu().set_position(steps, cycles);
}

void Turns::serialize(Archive& archive) {
    archive.section("turns", 3);
    u64 quantum = quantum_, seed = fuzz_seed_;
    archive(quantum, seed, current_, end_, random_, next_preemption_);
    if (!archive.loading() || !archive.ok()) return;
    if (quantum != quantum_ || seed != fuzz_seed_ || current_ >= sockets_.size()) {
        current_ = 0;
        archive.fail("the turns belong to another machine");
    }
}

} // namespace vitrine::emu
