// ApicGate — stands between the processor and its local APIC, so that a timer armed through an MSR is noticed
// as one armed through memory is: the board then cuts the current run short.
#pragma once
#include <functional>
#include "emu/board/board.h"

namespace vitrine::emu {

class Board::ApicGate final : public cpu::InterruptController {
public:
    ApicGate(devices::LocalApic& apic, std::function<void()> after) : apic_(apic), after_(std::move(after)) {}
    int acknowledge() override { return apic_.acknowledge(); }
    bool msr_read(u32 index, u64& value) override { return apic_.msr_read(index, value); }
    bool msr_write(u32 index, u64 value) override {
        const bool known = apic_.msr_write(index, value);
        after_();
        return known;
    }
    u8 task_priority() override { return apic_.task_priority(); }
    void set_task_priority(u8 priority_class) override { apic_.set_task_priority(priority_class); }
    u32 apic_id() override { return apic_.apic_id(); }
    bool apic_enabled() override { return apic_.apic_enabled(); }

private:
    devices::LocalApic& apic_;
    std::function<void()> after_;
};

} // namespace vitrine::emu
