// lapic — the local APIC of one logical processor, in xAPIC and x2APIC form.
//
// Pins: LINT0 (the 8259's INT), LINT1 (NMI), INTR and NMI to the processor, the message bus to its siblings.
// Registers: FEE00000h page (xAPIC), MSRs 800h–83Fh (x2APIC), IA32_APIC_BASE, IA32_TSC_DEADLINE, CR8.
// Implements: Intel SDM vol. 3A chapter 11 (Advanced Programmable Interrupt Controller).
//
// Invariants: INTR is high exactly while acknowledge() has something to deliver. The timer derives from
// virtual time; only its expiry is an event. INIT and start-up messages are passed on whenever they come:
// whether the processor waits for one is the processor's state.
//
// Inaccuracies: LINT0 of the bootstrap processor comes up as an open ExtINT entry, as firmware leaves it
// (hardware: masked), so that code that replaces the firmware gets the 8259's interrupts; SMI messages are
// logged and dropped; thermal and performance LVT entries can be programmed and never fire; the APR and
// remote read do not exist.
#pragma once
#include <functional>
#include "cpu/bus.h"
#include "devices/chip.h"
#include "devices/interrupt_message.h"

namespace vitrine::devices {

class LocalApic final : public Chip, public MmioDevice, public cpu::InterruptController {
public:
    static constexpr u64 DefaultBase = 0xFEE00000;
    static constexpr u64 TimerFrequency = 1'000'000'000; ///< the timer's input clock, as CPUID 15h says

    struct Links {
        Wire interrupt_request{};                    ///< INTR of the processor
        std::function<void()> nmi{};                 ///< NMI of the processor (edge)
        std::function<int()> external_acknowledge{}; ///< INTA of the 8259: its vector
        std::function<void(u8 vector)>
            end_of_interrupt{}; ///< EOI broadcast to the I/O APIC (level-triggered only)
        /// Inter-processor interrupts to others; Shorthand::Self never comes here. ApicBus::send fits.
        std::function<void(LocalApic& source, const InterruptMessage&, Shorthand)> send{};
        std::function<void()> init{};              ///< INIT message, at any time
        std::function<void(u8 vector)> start_up{}; ///< SIPI, at any time: vector << 12 for one that waits
        std::function<void()> mapping_changed{};   ///< base address or enable bits changed
        std::function<u64()> tsc_offset{};         ///< guest TSC − virtual time; unset: 0
    };

    LocalApic(EventQueue& events, u32 id, bool bootstrap, Links links);

    void set_external_interrupt(bool level); ///< LINT0
    void set_nmi(bool level);                ///< LINT1
    /// Whether a message is addressed to this APIC, whether it takes such messages now, and the delivery.
    bool matches(const InterruptMessage& message) const;
    bool accepts(const InterruptMessage& message) const;
    void receive(const InterruptMessage& message);
    u8 processor_priority() const;
    /// Software wrote the TSC or its adjustment: an armed deadline is a value of the TSC and moves along.
    void tsc_offset_changed();
    u32 id() const { return id_; }

    /// The page is decoded at mmio_base() while mmio_enabled() (enabled and not in x2APIC mode).
    u64 mmio_base() const { return base_msr_ & 0xF'FFFF'F000; }
    bool mmio_enabled() const { return globally_enabled() && !x2apic(); }
    u64 mmio_read(u64 offset, unsigned size) override;
    void mmio_write(u64 offset, unsigned size, u64 value) override;

    int acknowledge() override;
    bool msr_read(u32 index, u64& value) override;
    bool msr_write(u32 index, u64 value) override;
    u8 task_priority() override { return static_cast<u8>(task_priority_ >> 4); }
    void set_task_priority(u8 priority_class) override;
    u32 apic_id() override { return id_; }
    bool apic_enabled() override { return globally_enabled(); }

    const char* name() const override { return "lapic"; }
    void reset() override;
    void serialize(Archive& archive) override;
    std::vector<Field> describe() const override;

    /// The three 256-bit registers: in service, trigger mode, request.
    struct VectorSet {
        std::array<u32, 8> words{};
        bool test(u8 vector) const { return (words[vector >> 5] >> (vector & 31) & 1) != 0; }
        void set(u8 vector) { words[vector >> 5] |= u32{1} << (vector & 31); }
        void clear(u8 vector) { words[vector >> 5] &= ~(u32{1} << (vector & 31)); }
        int highest() const;
        void serialize(Archive& archive) { archive(words); }
    };
    const VectorSet& in_service() const { return in_service_; }
    const VectorSet& requests() const { return request_; }
    const VectorSet& trigger_modes() const { return trigger_mode_; }

private:
    enum Lvt : unsigned { LvtTimer, LvtThermal, LvtPerformance, LvtLint0, LvtLint1, LvtError, LvtCount };

    bool globally_enabled() const;
    bool x2apic() const;
    bool software_enabled() const;
    bool external_passes() const;
    int deliverable() const;
    void update();
    void message_fixed(u8 vector, bool level);
    void fire_local(Lvt entry);
    void raise_error(u32 bit);
    void end_of_interrupt();
    void soft_reset();
    void reset_lvt();

    // registers.cpp
    bool register_read(unsigned index, u32& value);
    bool register_write(unsigned index, u32 value);
    bool x2apic_write_allowed(unsigned index, u64 value) const;
    void write_command(u64 command);
    bool write_base(u64 value);
    void write_spurious(u32 value);
    void write_lvt(Lvt entry, u32 value);
    u32 logical_id() const;

    // timer.cpp
    unsigned timer_mode() const;
    unsigned timer_shift() const;
    u32 timer_current() const;
    void timer_start(u32 initial);
    void timer_stop();
    void timer_divide(u32 configuration);
    void timer_schedule();
    void deadline_schedule();
    void timer_expired();
    void write_deadline(u64 value);

    EventQueue& events_;
    EventId timer_event_;
    Links links_;
    const u32 id_at_power_on_;
    const bool bootstrap_;

    u64 base_msr_ = 0;
    u32 id_ = 0;
    u32 task_priority_ = 0, logical_destination_ = 0, destination_format_ = 0xFFFFFFFF;
    u32 spurious_ = 0xFF;
    u32 error_status_ = 0, error_pending_ = 0;
    u64 command_ = 0;
    std::array<u32, LvtCount> lvt_{};
    VectorSet in_service_, trigger_mode_, request_;
    u32 timer_initial_ = 0, timer_left_ = 0, timer_divide_ = 0; ///< left: the count at timer_start_time_
    u64 timer_start_time_ = 0;
    bool timer_running_ = false;
    u64 deadline_ = 0;
    bool external_level_ = false, external_message_ = false, nmi_level_ = false;
    bool output_ = false;
};

} // namespace vitrine::devices
