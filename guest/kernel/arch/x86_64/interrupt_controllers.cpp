// Interrupt controllers; see the header.
#include "arch/x86_64/interrupt_controllers.h"

#include "arch/x86_64/acpi.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/segments.h"
#include "irq/irq.h"
#include "lib/log.h"
#include "mm/vmalloc.h"
#include "time/clockevents.h"
#include "time/tick-sched.h"
#include "time/tick.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

constinit volatile u32* local_apic = nullptr;
constinit volatile u32* io_apic = nullptr;
constinit unsigned io_apic_pins = 0;
constinit u16 pic_mask = 0xffff;
constinit u64 lapic_timer_hertz = 0;

namespace lapic {
constexpr u32 Id = 0x20, Version = 0x30, TaskPriority = 0x80, Eoi = 0xb0, Spurious = 0xf0,
              ErrorStatus = 0x280, TimerLvt = 0x320, Lint0 = 0x350, Lint1 = 0x360, ErrorLvt = 0x370,
              IcrLow = 0x300, IcrHigh = 0x310, InitialCount = 0x380, CurrentCount = 0x390, Divide = 0x3e0;
constexpr u32 Masked = 1 << 16;
} // namespace lapic

u32 read_io_apic(u32 index) {
    io_apic[0] = index;
    return io_apic[4];
}
void write_io_apic(u32 index, u32 value) {
    io_apic[0] = index;
    io_apic[4] = value;
}

/// 8259A: ICW1 edge, cascade, ICW4 needed; ICW2 vectors; ICW3 wiring; ICW4 8086 mode. All lines masked.
void remap_pic() {
    out8(0x20, 0x11);
    out8(0xa0, 0x11);
    out8(0x21, FirstIrqVector);
    out8(0xa1, FirstIrqVector + 8);
    out8(0x21, 1 << 2);
    out8(0xa1, 2);
    out8(0x21, 0x01);
    out8(0xa1, 0x01);
    out8(0x21, 0xff);
    out8(0xa1, 0xff);
}

void set_pic_mask() {
    out8(0x21, static_cast<u8>(pic_mask));
    out8(0xa1, static_cast<u8>(pic_mask >> 8));
}

void enable_local_apic() {
    u64 base = rdmsrl(Msr::ApicBase);
    wrmsrl(Msr::ApicBase, base | 1 << 11);
    this_cpu().apic_id = apic_read(lapic::Id) >> 24;
    apic_write(lapic::TaskPriority, 0);
    apic_write(lapic::TimerLvt, lapic::Masked);
    apic_write(lapic::Lint0, lapic::Masked);
    apic_write(lapic::Lint1, 4 << 8); // NMI
    apic_write(lapic::ErrorStatus, 0);
    apic_write(lapic::ErrorLvt, ERROR_APIC_VECTOR);
    apic_write(lapic::Spurious, 1 << 8 | SPURIOUS_APIC_VECTOR);
}

/// REQUIRES: interrupts off, or an interrupt's own IPI would come between the two writes.
void write_icr(u8 apic_id, u32 low) {
    bool interrupts = local_irq_save();
    while (apic_read(lapic::IcrLow) & 1 << 12) cpu_relax(); // the last one is still being sent
    apic_write(lapic::IcrHigh, u32{apic_id} << 24);
    apic_write(lapic::IcrLow, low);
    local_irq_restore(interrupts);
}

} // namespace

void setup_local_APIC() { enable_local_apic(); }

void send_IPI(unsigned cpu, u8 vector) { write_icr(static_cast<u8>(per_cpu[cpu].apic_id), vector); }
void send_INIT(u8 apic_id) {
    write_icr(apic_id, 0xc500); // INIT, level, assert
    write_icr(apic_id, 0x8500); // de-assert: for old buses
}
void send_STARTUP(u8 apic_id, u64 page) { write_icr(apic_id, 0x4600 | static_cast<u32>(page)); }

u32 apic_read(u32 offset) { return local_apic[offset / 4]; }
void apic_write(u32 offset, u32 value) { local_apic[offset / 4] = value; }
bool using_apic() { return local_apic && io_apic; }

void init_IRQ() {
    remap_pic();
    if (!boot_cpu_data.apic || !acpi.local_apic_address || !acpi.io_apic_address) {
        pr_warn("APIC: not usable, using the 8259\n");
        for (unsigned line = 0; line < 16; line++) irq_desc[line].chip = "XT-PIC";
        return;
    }
    local_apic = static_cast<volatile u32*>(ioremap(acpi.local_apic_address, PAGE_SIZE));
    io_apic = static_cast<volatile u32*>(ioremap(acpi.io_apic_address, 32));
    if (!local_apic || !io_apic) panic("no memory to map the interrupt controllers");
    enable_local_apic();
    pr_info("APIC: local APIC at %#lx, id %u, version %#x\n", acpi.local_apic_address, this_cpu().apic_id,
            apic_read(lapic::Version) & 0xff);
    io_apic_pins = (read_io_apic(1) >> 16 & 0xff) + 1;
    for (unsigned pin = 0; pin < io_apic_pins; pin++) write_io_apic(0x10 + pin * 2, 1 << 16);
    for (struct irq_desc& line : irq_desc)
        if (!line.chip) line.chip = "IO-APIC";
    pr_info("IOAPIC[0]: apic_id %u, version %u, address %#lx, GSI %u-%u\n", acpi.io_apic_id,
            read_io_apic(1) & 0xff, acpi.io_apic_address, acpi.io_apic_gsi_base,
            acpi.io_apic_gsi_base + io_apic_pins - 1);
}

void route_line(unsigned line, bool pci) {
    if (!using_apic()) {
        if (line >= 16) return;
        pic_mask &= static_cast<u16>(~(1U << line));
        if (line >= 8) pic_mask &= static_cast<u16>(~(1U << 2));
        irq_desc[line].level = pci;
        set_pic_mask();
        return;
    }
    u32 pin = line, flags = pci ? 0xf : 0;
    for (unsigned i = 0; i < acpi.override_count && !pci; i++)
        if (acpi.overrides[i].source == line) pin = acpi.overrides[i].gsi, flags = acpi.overrides[i].flags;
    pin -= acpi.io_apic_gsi_base;
    if (pin >= io_apic_pins) {
        pr_err("IOAPIC: line %u needs pin %u, which does not exist\n", line, pin);
        return;
    }
    bool low = (flags & 3) == 3, level = (flags >> 2 & 3) == 3;
    irq_desc[line].pin = static_cast<u8>(pin);
    irq_desc[line].level = level;
    write_io_apic(0x11 + pin * 2, this_cpu().apic_id << 24);
    write_io_apic(0x10 + pin * 2, (FirstIrqVector + line) | (low ? 1 << 13 : 0) | (level ? 1 << 15 : 0));
}

void ack_APIC_irq(u8 vector) {
    if (local_apic && using_apic()) {
        apic_write(lapic::Eoi, 0);
    } else {
        if (vector >= FirstIrqVector + 8) out8(0xa0, 0x20);
        out8(0x20, 0x20);
    }
}

/// A line that dropped before the acknowledge shows as IRQ 7 or 15 with its in-service bit clear.
bool is_spurious_pic_interrupt(unsigned line) {
    if (using_apic() || (line != 7 && line != 15)) return false;
    u16 port = line == 7 ? 0x20 : 0xa0;
    out8(port, 0x0b);
    if (in8(port) & 0x80) return false;
    if (line == 15) out8(0x20, 0x20); // the master did see the cascade
    return true;
}

void report_apic_error() {
    apic_write(lapic::ErrorStatus, 0);
    pr_err("APIC error on CPU%u: %02x\n", this_cpu().cpu, apic_read(lapic::ErrorStatus));
}

namespace {

/// LVT timer modes (SDM 3A 10.5.4, 10.5.4.1).
constexpr u32 TimerOneShot = 0, TimerDeadline = 2 << 17;

void lapic_next_event(u64 cycles) { apic_write(lapic::InitialCount, static_cast<u32>(cycles)); }
void lapic_next_deadline(u64 cycles) { wrmsrl(Msr::TscDeadline, rdtsc() + cycles); }
void lapic_timer_shutdown() {
    if (boot_cpu_data.leaf1_ecx >> 24 & 1) wrmsrl(Msr::TscDeadline, 0);
    apic_write(lapic::InitialCount, 0);
}

/// How fast the LAPIC timer counts: the crystal's rate when CPUID 15h gives it (SDM 3A 10.5.4), but not every
/// machine agrees, so it is measured: 1 ms against the TSC. 0 when it does not count.
u64 calibrate_APIC_clock() {
    apic_write(lapic::Divide, 0b1011); // divide by 1
    apic_write(lapic::TimerLvt, lapic::Masked | LOCAL_TIMER_VECTOR);
    u64 start = ktime_get_ns();
    apic_write(lapic::InitialCount, ~0U);
    while (ktime_get_ns() - start < 1'000'000) cpu_relax();
    u64 counted = ~0U - apic_read(lapic::CurrentCount);
    u64 elapsed = ktime_get_ns() - start;
    apic_write(lapic::InitialCount, 0);
    return counted * 1'000'000'000 / elapsed;
}

} // namespace

void setup_APIC_timer() {
    bool deadline = boot_cpu_data.leaf1_ecx >> 24 & 1;
    tick_device& device = tick_cpu_device[smp_processor_id()];
    clock_event_device& lapic_events = device.evtdev;
    lapic_events.name = deadline ? "lapic-deadline" : "lapic";
    lapic_events.set_next_event = deadline ? lapic_next_deadline : lapic_next_event;
    lapic_events.set_state_shutdown = lapic_timer_shutdown;
    lapic_events.event_handler = hrtimer_interrupt;
    if (deadline)
        clockevents_config(lapic_events, tsc_khz * 1000, 0xf, ~u64{0});
    else
        clockevents_config(lapic_events, lapic_timer_hertz, 0xf, 0x7fff'ffff);
    apic_write(lapic::Divide, 0b1011);
    apic_write(lapic::TimerLvt, (deadline ? TimerDeadline : TimerOneShot) | LOCAL_TIMER_VECTOR);
    asm volatile("mfence" ::: "memory"); // the mode, then the MSR (SDM 3A 10.5.4.1)
    device.mode = true;
    tick_setup_sched_timer();
}

void tick_init() {
    hrtimers_init();
    if (using_apic()) {
        bool deadline = boot_cpu_data.leaf1_ecx >> 24 & 1;
        lapic_timer_hertz = deadline ? tsc_khz * 1000 : calibrate_APIC_clock();
        if (lapic_timer_hertz > HZ * 16) {
            setup_APIC_timer();
            pr_info("APIC timer: %lu.%03lu MHz, %s, tick at %u Hz\n", lapic_timer_hertz / 1'000'000,
                    lapic_timer_hertz / 1000 % 1000, tick_cpu_device[0].evtdev.name, HZ);
            return;
        }
        pr_warn("APIC timer does not count (%lu in 1 s), using the PIT\n", lapic_timer_hertz);
    }
    constexpr u32 Divisor = 1'193'182 / HZ;
    out8(0x43, 0x34); // channel 0, rate generator
    out8(0x40, Divisor & 0xff);
    out8(0x40, Divisor >> 8);
    irq_desc[0].chip = using_apic() ? "IO-APIC" : "XT-PIC";
    static constinit irqaction pit{[](void*) {}, nullptr, "timer", nullptr};
    irq_desc[0].action = &pit;
    clock_event_device& device = tick_cpu_device[0].evtdev;
    device.name = "pit";
    device.state_use_accessors = CLOCK_EVT_STATE_PERIODIC;
    device.event_handler = tick_handle_periodic;
    tick_setup_sched_timer();
    route_line(0, false);
    pr_info("PIT: tick at %u Hz\n", HZ);
}

} // namespace kernel
