// Interrupt dispatch; see irq.h. The controllers are in arch/x86_64/interrupt_controllers.cpp.
#include "irq/irq.h"

#include "arch/x86_64/interrupt_controllers.h"
#include "arch/x86_64/segments.h"
#include "lib/log.h"
#include "mm/slab.h"
#include "sched/scheduler.h"
#include "time/tick.h"

namespace kernel {

constinit IrqLine irq_lines[IrqCount] = {};
constinit u64 local_timer_counts[MaxCpus] = {};
constinit u64 spurious_count = 0, error_count = 0;
constinit u64 softirq_counts[SoftirqCount][MaxCpus] = {};
const char* const softirq_names[SoftirqCount] = {"HI",       "TIMER",   "NET_TX", "NET_RX",  "BLOCK",
                                                 "IRQ_POLL", "TASKLET", "SCHED",  "HRTIMER", "RCU"};

namespace {

constinit void (*softirq_actions[SoftirqCount])() = {};
constinit SpinLock irq_lock{"irq_lines"};
constinit unsigned next_msi_line = 24;

Result<void> request(unsigned line, IrqHandler handler, void* context, const char* name, bool pci) {
    if (line >= IrqCount) return Errno::EINVAL;
    auto* action = make<IrqAction>();
    if (!action) return Errno::ENOMEM;
    *action = {handler, context, name, nullptr};
    IrqSpinGuard guard(irq_lock);
    IrqLine& target = irq_lines[line];
    action->next = target.actions;
    target.actions = action;
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
    irq_lines[line].chip = "PCI-MSI";
    return line;
}

void handle_interrupt(TrapFrame& frame) {
    Task* task = current_task();
    task->preempt_count += preempt::HardirqOffset;
    unsigned cpu = this_cpu().cpu;
    if (frame.vector == LocalTimerVector) {
        local_timer_counts[cpu]++;
        end_of_interrupt(LocalTimerVector);
        timer_tick(frame);
    } else if (frame.vector == SpuriousVector) {
        spurious_count++; // no EOI (SDM 3A 10.9)
    } else if (frame.vector == ErrorVector) {
        error_count++;
        report_apic_error();
        end_of_interrupt(ErrorVector);
    } else if (frame.vector == RescheduleVector) {
        end_of_interrupt(RescheduleVector);
    } else if (frame.vector - FirstIrqVector < IrqCount) {
        unsigned line = static_cast<unsigned>(frame.vector - FirstIrqVector);
        if (is_spurious_pic_interrupt(line)) {
            spurious_count++;
        } else {
            irq_lines[line].counts[cpu]++;
            if (!irq_lines[line].actions) pr_warn("irq %u: nobody cared\n", line);
            // An edge must be acknowledged before its handler looks at the device, a level after the device
            // let go.
            bool level = irq_lines[line].level;
            if (!level) end_of_interrupt(static_cast<u8>(frame.vector));
            if (line == 0) timer_tick(frame); // the PIT is requested only when it is the tick
            for (IrqAction* action = irq_lines[line].actions; action; action = action->next)
                action->handler(action->context);
            if (level) end_of_interrupt(static_cast<u8>(frame.vector));
        }
    } else {
        pr_err("unexpected interrupt, vector %#lx\n", frame.vector);
        end_of_interrupt(static_cast<u8>(frame.vector));
    }
    task->preempt_count -= preempt::HardirqOffset;
    if (this_cpu().softirq_pending && !(task->preempt_count & (preempt::HardirqMask | preempt::SoftirqMask)))
        run_pending_softirqs();
}

void open_softirq(Softirq number, void (*action)()) { softirq_actions[number] = action; }
void raise_softirq(Softirq number) {
    __atomic_fetch_or(&this_cpu().softirq_pending, 1U << number, __ATOMIC_RELAXED);
}

/// Called with interrupts off; actions run with interrupts on. What is raised meanwhile gets up to ten more
/// rounds, then waits for the next interrupt (at most one tick).
void run_pending_softirqs() {
    Task* task = current_task();
    task->preempt_count += preempt::SoftirqOffset;
    for (unsigned round = 0; round < 10; round++) {
        u32 pending = __atomic_exchange_n(&this_cpu().softirq_pending, 0, __ATOMIC_ACQ_REL);
        if (!pending) break;
        enable_interrupts();
        for (unsigned number = 0; number < SoftirqCount; number++) {
            if (!(pending >> number & 1)) continue;
            softirq_counts[number][this_cpu().cpu]++;
            if (softirq_actions[number]) softirq_actions[number]();
        }
        disable_interrupts();
    }
    task->preempt_count -= preempt::SoftirqOffset;
}

} // namespace kernel
