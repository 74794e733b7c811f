// Turns: see turns.h.
#include "emu/board/turns.h"
#include <algorithm>

namespace vitrine::emu {

/// The next processor that can run, the current one last. False: nobody.
bool Turns::pass() {
    const u64 steps = cpu().steps(), cycles = cpu().cycles();
    const auto count = static_cast<u32>(sockets_.size());
    for (u32 i = 1; i <= count; ++i) {
        const u32 next = (current_ + i) % count;
        if (!sockets_[next]->cpu->can_run()) continue;
        current_ = next;
        cpu().set_position(steps, cycles);
        end_ = steps + quantum_;
        return true;
    }
    return false;
}

cpu::Stop Turns::run(u64 deadline, u64 step_limit) {
    if (sockets_.size() == 1) return cpu().run(deadline, step_limit);
    // Limits first: a turn may only pass when something can run after it.
    if (cpu().steps() >= step_limit) return cpu::Stop::StepLimit;
    if (cpu().cycles() >= deadline) return cpu::Stop::Deadline;
    if ((cpu().steps() >= end_ || !cpu().can_run()) && !pass()) return cpu::Stop::Halted;
    const cpu::Stop stop = cpu().run(deadline, std::min(step_limit, end_));
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
    archive.section("turns", 1);
    u64 quantum = quantum_;
    archive(quantum, current_, end_);
    if (!archive.loading() || !archive.ok()) return;
    if (quantum != quantum_ || current_ >= sockets_.size()) {
        current_ = 0;
        archive.fail("the turns belong to another machine");
    }
}

} // namespace vitrine::emu
