// lapic registers — the memory-mapped page (SDM 3A 11.4.1) and the x2APIC MSRs (11.12.1).
//
// Both faces share register_read/register_write; the MSR face first applies x2APIC's stricter rules, whose
// violation is #GP(0) (the caller raises it when false is returned).
#include "devices/lapic/fields.h"
#include "devices/lapic/lapic.h"

namespace vitrine::devices {

/// x2APIC: derived from the id, SDM 3A 11.12.10.2. xAPIC: as written.
u32 LocalApic::logical_id() const {
    return x2apic() ? (id_ >> 4) << 16 | u32{1} << (id_ & 15) : logical_destination_;
}

/// False: no such register.
bool LocalApic::register_read(unsigned index, u32& value) {
    value = 0;
    if (index >= RegService && index < RegService + 8)
        value = in_service_.words[index - RegService];
    else if (index >= RegTrigger && index < RegTrigger + 8)
        value = trigger_mode_.words[index - RegTrigger];
    else if (index >= RegRequest && index < RegRequest + 8)
        value = request_.words[index - RegRequest];
    else if (index >= RegLvtTimer && index <= RegLvtError)
        value = lvt_[index - RegLvtTimer];
    else
        switch (index) {
        case RegId: value = x2apic() ? id_ : id_ << 24; break;
        case RegVersion: value = 0x14 | (LvtCount - 1) << 16; break;
        case RegTaskPriority: value = task_priority_; break;
        case RegProcessorPriority: value = processor_priority(); break;
        case RegArbitration: // not in x2APIC; reads zero in xAPIC
        case RegEnd: return !x2apic();
        case RegLogical: value = logical_id(); break;
        case RegFormat: value = destination_format_; return !x2apic();
        case RegSpurious: value = spurious_; break;
        case RegError: value = error_status_; break;
        case RegCommand: value = static_cast<u32>(command_); break;
        case RegCommandHigh: value = static_cast<u32>(command_ >> 32); return !x2apic();
        case RegInitial: value = timer_initial_; break;
        case RegCurrent: value = timer_current(); break;
        case RegDivide: value = timer_divide_; break;
        default: return false;
        }
    return true;
}

/// False: no such register, or it is read-only.
bool LocalApic::register_write(unsigned index, u32 value) {
    if (index >= RegLvtTimer && index <= RegLvtError) {
        write_lvt(static_cast<Lvt>(index - RegLvtTimer), value);
        return true;
    }
    switch (index) {
    case RegTaskPriority:
        task_priority_ = value & 0xFF;
        update();
        return true;
    case RegEnd: end_of_interrupt(); return true;
    case RegLogical:
        if (x2apic()) return false;
        logical_destination_ = value & 0xFF000000;
        return true;
    case RegFormat:
        if (x2apic()) return false;
        destination_format_ = value | 0x0FFFFFFF;
        return true;
    case RegSpurious: write_spurious(value); return true;
    case RegError: // a write moves what was collected into view, 11.5.3
        error_status_ = std::exchange(error_pending_, 0);
        return true;
    case RegCommand: write_command((command_ & ~u64{0xFFFFFFFF}) | value); return true;
    case RegCommandHigh: command_ = (command_ & 0xFFFFFFFF) | u64{value & 0xFF000000} << 32; return true;
    case RegInitial: timer_start(value); return true;
    case RegDivide: timer_divide(value & 0xB); return true;
    case RegId: // read-only on this model, and writes are ignored without an error, as in P6 and later
        return !x2apic();
    default: return false;
    }
}

void LocalApic::write_spurious(u32 value) {
    spurious_ = value & 0x1FF; // no focus checking, no EOI-broadcast suppression
    if (!software_enabled())
        for (u32& entry : lvt_) LvtMask::set(entry, 1); // 11.4.7.2
    update();
}

void LocalApic::write_lvt(Lvt entry, u32 value) {
    static constexpr std::array<u32, LvtCount> Writable{0x700FF, 0x107FF, 0x107FF, 0x1A7FF, 0x1A7FF, 0x100FF};
    const u32 before = lvt_[entry];
    value &= Writable[entry];
    if (!software_enabled()) value |= static_cast<u32>(LvtMask::mask);
    lvt_[entry] = value;
    if (entry == LvtTimer && LvtTimerMode::get(before) != LvtTimerMode::get(value)) {
        // 11.5.4.1: changing to or from TSC-deadline mode disarms; between the others the count goes on.
        if (LvtTimerMode::get(before) == 2 || LvtTimerMode::get(value) == 2) timer_stop();
    }
    update();
}

/// ICR, SDM 3A 11.6.1.
void LocalApic::write_command(u64 command) {
    command_ = command & 0xFFFFFFFF'000CCFFF;
    InterruptMessage message;
    message.vector = static_cast<u8>(CommandVector::get(command));
    message.mode = static_cast<DeliveryMode>(CommandMode::get(command));
    message.logical = CommandLogical::test(command);
    // Only INIT has a level form; everything else is sent as an edge.
    message.level_triggered = false;
    message.asserted =
        message.mode != DeliveryMode::Init || !CommandLevel::test(command) || CommandAssert::test(command);
    message.destination = static_cast<u32>(command >> 32);
    if (!x2apic()) {
        message.destination >>= 24;
        if (message.destination == 0xFF && !message.logical) message.destination = BroadcastDestination;
    }
    // Reserved delivery modes of this register; nothing is sent.
    if (message.mode == DeliveryMode::Reserved || message.mode == DeliveryMode::ExtInt)
        return log("an interrupt command with a reserved delivery mode was ignored");
    const bool fixed = message.mode == DeliveryMode::Fixed || message.mode == DeliveryMode::LowestPriority;
    if (fixed && message.vector < 16) return raise_error(ErrorSendIllegal);
    const auto shorthand = static_cast<Shorthand>(CommandShorthand::get(command));
    if (shorthand == Shorthand::Self) return receive(message);
    if (links_.send)
        links_.send(*this, message, shorthand);
    else if (accepts(message) &&
             (shorthand == Shorthand::AllIncludingSelf || (shorthand == Shorthand::None && matches(message))))
        receive(message);
}

/// IA32_APIC_BASE: the legal transitions of SDM 3A 11.12.5. False → #GP(0).
bool LocalApic::write_base(u64 value) {
    if ((value & BaseReserved) != 0) return false;
    const bool enable = BaseEnable::test(value), extended = BaseExtended::test(value);
    if (extended && !enable) return false;
    if (x2apic() && enable && !extended) return false;
    if (!globally_enabled() && extended) return false;
    BaseBootstrap::set(value, bootstrap_);
    const bool was_enabled = globally_enabled(), was_extended = x2apic();
    base_msr_ = value;
    if (was_enabled && !enable) soft_reset();
    if (!was_extended && extended) command_ &= 0xFFFFFFFF;
    update();
    if (links_.mapping_changed) links_.mapping_changed();
    return true;
}

bool LocalApic::msr_read(u32 index, u64& value) {
    if (index == MsrApicBase) {
        value = base_msr_;
        return true;
    }
    if (index == MsrDeadline) {
        value = deadline_;
        return true;
    }
    if (index < MsrFirst || index > MsrLast || !x2apic()) return false;
    const unsigned reg = index - MsrFirst;
    if (reg == RegCommand) {
        value = command_;
        return true;
    }
    u32 low = 0;
    if (!register_read(reg, low)) return false;
    value = low;
    return true;
}

/// Reserved bits of x2APIC registers, SDM 3A table 11-6 and 11.12.1.2.
bool LocalApic::x2apic_write_allowed(unsigned index, u64 value) const {
    if (index != RegCommand && value >> 32 != 0) return false;
    switch (index) {
    case RegTaskPriority: return value <= 0xFF;
    case RegEnd:
    case RegError: return value == 0;
    case RegSpurious: return (value & ~u64{0x1FF}) == 0;
    case RegCommand: return (value & 0xFFF33000) == 0;
    case RegDivide: return (value & ~u64{0xB}) == 0;
    case RegSelf: return value <= 0xFF;
    case RegLvtTimer: return (value & ~u64{0x710FF}) == 0;
    case RegLvtError: return (value & ~u64{0x110FF}) == 0;
    default: return index < RegLvtTimer || index > RegLvtError || (value & ~u64{0x1F7FF}) == 0;
    }
}

bool LocalApic::msr_write(u32 index, u64 value) {
    if (index == MsrApicBase) return write_base(value);
    if (index == MsrDeadline) {
        write_deadline(value);
        return true;
    }
    if (index < MsrFirst || index > MsrLast || !x2apic()) return false;
    const unsigned reg = index - MsrFirst;
    if (!x2apic_write_allowed(reg, value)) return false;
    if (reg == RegCommandHigh) return false;
    if (reg == RegCommand) {
        write_command(value);
        return true;
    }
    if (reg == RegSelf) { // SELF IPI, 11.12.11
        if (value < 16)
            raise_error(ErrorSendIllegal);
        else if (software_enabled())
            message_fixed(static_cast<u8>(value), false);
        return true;
    }
    return register_write(reg, static_cast<u32>(value));
}

u64 LocalApic::mmio_read(u64 offset, unsigned size) {
    const unsigned index = static_cast<unsigned>(offset >> 4 & 0xFF),
                   lane = static_cast<unsigned>(offset & 15);
    u32 value = 0;
    if (lane < 4 && !register_read(index, value)) raise_error(ErrorIllegalRegister);
    return take_bytes(value, lane, size); // bytes 4–15 of a register read zero
}

void LocalApic::mmio_write(u64 offset, unsigned size, u64 value) {
    // Registers take aligned 32-bit stores only (11.4.1); anything else has no defined effect.
    if ((offset & 15) != 0 || size < 4) return log("a store that is not an aligned 32-bit one was ignored");
    if (!register_write(static_cast<unsigned>(offset >> 4 & 0xFF), static_cast<u32>(value)))
        raise_error(ErrorIllegalRegister);
}

} // namespace vitrine::devices
