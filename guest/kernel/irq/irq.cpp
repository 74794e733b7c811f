// Interrupt dispatch; see irq.h. The controllers are in arch/x86_64/interrupt_controllers.cpp.
#include "irq/irq.h"

#include "arch/x86_64/acpi.h"
#include "arch/x86_64/interrupt_controllers.h"
#include "arch/x86_64/segments.h"
#include "arch/x86_64/smp.h"
#include "lib/log.h"
#include "mm/slab.h"
#include "sched/scheduler.h"
#include "sync/rcu.h"
#include "time/clockevents.h"
#include "time/tick-sched.h"
#include "time/tick.h"

namespace kernel {

constinit struct irq_desc irq_desc[IrqCount] = {};
constinit u64 local_timer_counts[NR_CPUS] = {};
constinit u64 irq_resched_count[NR_CPUS] = {}, irq_call_count[NR_CPUS] = {};
constinit u64 spurious_count = 0, error_count = 0;
constinit u64 softirq_counts[NR_SOFTIRQS][NR_CPUS] = {};
const char* const softirq_to_name[NR_SOFTIRQS] = {"HI",       "TIMER",   "NET_TX", "NET_RX",  "BLOCK",
                                                  "IRQ_POLL", "TASKLET", "SCHED",  "HRTIMER", "RCU"};

constinit void (*softirq_actions[NR_SOFTIRQS])() = {};

namespace {

constinit spinlock_t irq_lock{"irq_lines"};
constinit unsigned next_msi_line = 24;

Result<void> request(unsigned line, IrqHandler handler, void* context, const char* name, bool pci) {
    if (line >= IrqCount) return Errno::EINVAL;
    auto* action = make<irqaction>();
    if (!action) return Errno::ENOMEM;
    *action = {handler, context, name, nullptr};
    IrqSpinGuard guard(irq_lock);
    struct irq_desc& target = irq_desc[line];
    action->next = target.action;
    target.action = action;
    if (!action->next && line < 24) route_line(line, pci);
    return {};
}

} // namespace

Result<void> request_irq(unsigned line, IrqHandler handler, void* context, const char* name) {
    return request(line, handler, context, name, false);
}
Result<void> request_pci_irq(unsigned line, IrqHandler handler, void* context, const char* name) {
    return request(line, handler, context, name, true);
}

Result<unsigned> allocate_msi(u64* address, u32* data) {
    if (!using_apic()) return Errno::ENODEV;
    if (next_msi_line >= IrqCount) return Errno::ENOSPC;
    unsigned line = next_msi_line++;
    *address = 0xfee00000 | u64{this_cpu().apic_id} << 12; // SDM 3A 10.11: fixed destination, edge
    *data = FirstIrqVector + line;
    irq_desc[line].chip = "PCI-MSI";
    return line;
}

namespace {

/// The frame of the interrupt that this one interrupted, if it did.
pt_regs* irq_enter(pt_regs& frame) {
    task_struct* task = get_current();
    task->preempt_count += preempt::HardirqOffset;
    if (task->flags & PF_IDLE) { // the halt is over: RCU waits for this CPU again, and time is what it is
        rcu_idle_exit();
        tick_irq_enter();
    }
    return set_irq_regs(&frame);
}

void handle_clock_event(unsigned cpu) {
    clock_event_device& device = tick_cpu_device[cpu].evtdev;
    if (device.event_handler) device.event_handler(device);
}

} // namespace

void common_interrupt(pt_regs& frame) {
    task_struct* task = get_current();
    if (debug_locks && boot_cpu_data.smap && (read_flags() & rflags::AC)) [[unlikely]] {
        pr_warn("WARNING: user memory is open to an interrupt (AC is set)\n");
        asm volatile("clac" ::: "memory");
    }
    pt_regs* outer = irq_enter(frame);
    unsigned cpu = this_cpu().cpu;
    if (frame.vector == LOCAL_TIMER_VECTOR) {
        local_timer_counts[cpu]++;
        ack_APIC_irq(LOCAL_TIMER_VECTOR);
        handle_clock_event(cpu);
    } else if (frame.vector == SPURIOUS_APIC_VECTOR) {
        spurious_count++; // no EOI (SDM 3A 10.9)
    } else if (frame.vector == ERROR_APIC_VECTOR) {
        error_count++;
        report_apic_error();
        ack_APIC_irq(ERROR_APIC_VECTOR);
    } else if (frame.vector == RESCHEDULE_VECTOR) {
        irq_resched_count[cpu]++;
        // The way out of the interrupt reschedules, also when nobody here sent it: an emulator's schedule
        // fuzzer forces preemption at any instruction this way.
        __atomic_fetch_or(&task->thread_flags, u32{_TIF_NEED_RESCHED}, __ATOMIC_ACQ_REL);
        ack_APIC_irq(RESCHEDULE_VECTOR);
    } else if (frame.vector == CALL_FUNCTION_VECTOR) {
        irq_call_count[cpu]++;
        ack_APIC_irq(CALL_FUNCTION_VECTOR);
        generic_smp_call_function_interrupt();
    } else if (frame.vector == REBOOT_VECTOR) {
        machine_halt();
    } else if (frame.vector - FirstIrqVector < IrqCount) {
        unsigned line = static_cast<unsigned>(frame.vector - FirstIrqVector);
        if (is_spurious_pic_interrupt(line)) {
            spurious_count++;
        } else {
            irq_desc[line].kstat_irqs[cpu]++;
            if (!irq_desc[line].action) pr_warn("irq %u: nobody cared\n", line);
            // An edge must be acknowledged before its handler looks at the device, a level after the device
            // let go.
            bool level = irq_desc[line].level;
            if (!level) ack_APIC_irq(static_cast<u8>(frame.vector));
            if (line == 0) handle_clock_event(cpu); // the PIT is requested only when it is the tick
            for (irqaction* action = irq_desc[line].action; action; action = action->next)
                action->handler(action->dev_id);
            if (level) ack_APIC_irq(static_cast<u8>(frame.vector));
        }
    } else {
        pr_err("unexpected interrupt, vector %#lx\n", frame.vector);
        ack_APIC_irq(static_cast<u8>(frame.vector));
    }
    set_irq_regs(outer);
    task->preempt_count -= preempt::HardirqOffset;
    if (this_cpu().softirq_pending && !(task->preempt_count & (preempt::HardirqMask | preempt::SoftirqMask)))
        __do_softirq();
}

void open_softirq(Softirq number, void (*action)()) { softirq_actions[number] = action; }
void raise_softirq(Softirq number) {
    preempt_disable(); // this CPU's word
    __atomic_fetch_or(&this_cpu().softirq_pending, 1U << number, __ATOMIC_RELAXED);
    preempt_enable_no_resched();
}

/// Called with interrupts off; actions run with interrupts on. What is raised meanwhile gets up to ten more
/// rounds, then waits for the next interrupt (at most one tick).
void __do_softirq() {
    task_struct* task = get_current();
    task->preempt_count += preempt::SoftirqOffset;
    for (unsigned round = 0; round < 10; round++) {
        u32 pending = __atomic_exchange_n(&this_cpu().softirq_pending, 0, __ATOMIC_ACQ_REL);
        if (!pending) break;
        local_irq_enable();
        for (unsigned number = 0; number < NR_SOFTIRQS; number++) {
            if (!(pending >> number & 1)) continue;
            softirq_counts[number][this_cpu().cpu]++;
            if (softirq_actions[number]) softirq_actions[number]();
        }
        local_irq_disable();
    }
    task->preempt_count -= preempt::SoftirqOffset;
}

} // namespace kernel
