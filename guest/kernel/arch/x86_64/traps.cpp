// Exception dispatch and handlers; see traps.h.
#include "arch/x86_64/traps.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/interrupt_descriptor_table.h"
#include "arch/x86_64/user_access.h"
#include "irq/irq.h"
#include "lib/kallsyms.h"
#include "lib/log.h"
#include "mm/memory_struct.h"
#include "mm/paging.h"
#include "sched/scheduler.h"
#include "task/signal.h"

namespace kernel {
namespace {

struct ExceptionInfo {
    const char* name;
    int signal;
};

constexpr ExceptionInfo exceptions[32] = {
    {"divide error", SIGFPE},
    {"debug", SIGTRAP},
    {"NMI", 0},
    {"int3", SIGTRAP},
    {"overflow", SIGSEGV},
    {"bounds", SIGSEGV},
    {"invalid opcode", SIGILL},
    {"device not available", SIGFPE},
    {"double fault", 0},
    {"coprocessor segment overrun", SIGFPE},
    {"invalid TSS", SIGSEGV},
    {"segment not present", SIGBUS},
    {"stack segment", SIGBUS},
    {"general protection fault", SIGSEGV},
    {"page fault", SIGSEGV},
    {"reserved", SIGILL},
    {"x87 FPU error", SIGFPE},
    {"alignment check", SIGBUS},
    {"machine check", 0},
    {"SIMD exception", SIGFPE},
    {"virtualization exception", SIGSEGV},
    {"control protection", SIGSEGV},
    {"exception 22", SIGILL},
    {"exception 23", SIGILL},
    {"exception 24", SIGILL},
    {"exception 25", SIGILL},
    {"exception 26", SIGILL},
    {"exception 27", SIGILL},
    {"exception 28", SIGILL},
    {"exception 29", SIGILL},
    {"exception 30", SIGILL},
    {"exception 31", SIGILL},
};

const char* exception_name(u64 vector) { return vector < 32 ? exceptions[vector].name : "interrupt"; }

void report_user_fault(const TrapFrame& frame, u64 address, bool page_fault) {
    Task* task = current_task();
    if (page_fault)
        pr_info("%s[%d]: segfault at %lx ip %016lx sp %016lx error %lx\n", task->comm, task->pid, address,
                frame.rip, frame.rsp, frame.error_code);
    else
        pr_info("traps: %s[%d] trap %s ip:%lx sp:%lx error:%lx\n", task->comm, task->pid,
                exception_name(frame.vector), frame.rip, frame.rsp, frame.error_code);
}

void generic_exception(TrapFrame& frame) {
    if (frame.from_user()) {
        int signal = exceptions[frame.vector].signal;
        Task* task = current_task();
        task->trap_number = static_cast<u32>(frame.vector);
        if (frame.vector != 1 && frame.vector != 3) report_user_fault(frame, 0, false);
        force_signal(task, signal ? signal : SIGSEGV, frame.vector == 14 ? task->trap_address : frame.rip);
        return;
    }
    if (u64 fixup = find_exception_fixup(frame.rip)) {
        frame.rip = fixup;
        return;
    }
    oops(exception_name(frame.vector), frame);
}

void page_fault_exception(TrapFrame& frame) {
    u64 address = read_cr2();
    if (frame.rflags & rflags::IF) enable_interrupts();
    Task* task = current_task();
    bool user = frame.from_user();
    // Kernel code touches user addresses only in user_access.cpp: anything else there is a bug.
    bool may_resolve = address < UserEnd && task->mm && (user || find_exception_fixup(frame.rip));
    bool atomic = task->preempt_count != 0;
    if (may_resolve && !atomic) {
        u32 access = (frame.error_code & 2 ? FaultWrite : 0) | (frame.error_code & 16 ? FaultExecute : 0) |
                     (frame.error_code & 1 ? FaultProtection : 0);
        FaultOutcome outcome = handle_page_fault(*task->mm, address, access, frame.rsp);
        if (outcome == FaultOutcome::Resolved) {
            disable_interrupts();
            return;
        }
        if (user) {
            task->trap_number = 14;
            task->trap_address = address;
            if (outcome == FaultOutcome::OutOfMemory)
                pr_err("Out of memory: Killed process %d (%s)\n", task->pid, task->comm);
            else
                report_user_fault(frame, address, true);
            force_signal(task,
                         outcome == FaultOutcome::OutOfMemory ? SIGKILL
                         : outcome == FaultOutcome::BusError  ? SIGBUS
                                                              : SIGSEGV,
                         address);
            disable_interrupts();
            return;
        }
    } else if (user) {
        task->trap_address = address;
        report_user_fault(frame, address, true);
        force_signal(task, SIGSEGV, address);
        disable_interrupts();
        return;
    }
    if (u64 fixup = find_exception_fixup(frame.rip)) {
        frame.rip = fixup;
        disable_interrupts();
        return;
    }
    bust_console_lock();
    if (address < PageSize)
        pr_alert("BUG: kernel NULL pointer dereference, address: %016lx\n", address);
    else
        pr_alert("BUG: unable to handle page fault for address: %016lx\n", address);
    pr_alert("#PF: %s %s in kernel mode\n", "supervisor",
             frame.error_code & 16  ? "instruction fetch"
             : frame.error_code & 2 ? "write access"
                                    : "read access");
    pr_alert("#PF: error_code(0x%04lx) - %s\n", frame.error_code,
             frame.error_code & 1 ? "permissions violation" : "not-present page");
    PageWalk walk =
        walk_page_tables(read_cr3(), address, [](u64 physical) { return *physical_to<u64>(physical); });
    static constexpr const char* names[] = {"PGD", "PUD", "PMD", "PTE"};
    pr_alert("%s %lx", names[0], walk.entries[0]);
    for (unsigned level = 1; level < walk.levels; level++)
        pr_cont(" %s %lx", names[level], walk.entries[level]);
    pr_cont("\n");
    oops("page fault", frame);
}

void early_page_fault(TrapFrame& frame) {
    u64 address = read_cr2();
    if (early_map_on_demand(address)) return;
    pr_emerg("early page fault at %016lx, error code %lx\n", address, frame.error_code);
    show_registers(frame);
    panic("page fault before the page tables are final");
}

void early_exception(TrapFrame& frame) {
    pr_emerg("early exception: %s, error code %lx\n", exception_name(frame.vector), frame.error_code);
    show_registers(frame);
    panic("exception during early boot");
}

} // namespace

void initialise_early_traps() {
    for (unsigned vector = 0; vector < 32; vector++)
        set_trap_handler(static_cast<u8>(vector), early_exception);
    set_trap_handler(14, early_page_fault);
    load_early_interrupt_table();
}

void initialise_traps() {
    for (unsigned vector = 0; vector < 32; vector++)
        set_trap_handler(static_cast<u8>(vector), generic_exception);
    set_trap_handler(14, page_fault_exception);
    load_segments(0);
    load_interrupt_table();
}

/// entry.S: everything but the IST vectors. Interrupts are off on entry and on return.
extern "C" void trap_dispatch(TrapFrame* frame) {
    if (frame->vector >= FirstIrqVector)
        handle_interrupt(*frame);
    else if (TrapHandler handler =
                 frame->vector < 32 ? trap_handler(static_cast<u8>(frame->vector)) : nullptr)
        handler(*frame);
    else
        pr_err("unexpected vector %lu\n", frame->vector);

    if (frame->from_user()) {
        exit_to_user_mode(frame);
    } else if ((frame->rflags & rflags::IF) && current_task()->preempt_count == 0 && need_reschedule()) {
        preempt_schedule(); // interrupts are off; schedule() keeps it so for us
    }
}

/// #DB, NMI, #DF, #MC on their own stacks: no rescheduling here.
extern "C" void trap_dispatch_paranoid(TrapFrame* frame) {
    switch (frame->vector) {
    case 1:
        if (frame->from_user()) {
            frame->rflags &= ~rflags::TF;
            force_signal(current_task(), SIGTRAP, frame->rip); // delivered when it next returns to user mode
        } else {
            pr_warn("debug exception in the kernel at %016lx, DR6 %lx\n", frame->rip, read_dr6());
            write_dr6(0);
        }
        break;
    case 2: pr_emerg("Uhhuh. NMI received for unknown reason on CPU %u.\n", current_cpu()); break;
    case 18: panic("Machine check");
    default:
        bust_console_lock();
        pr_emerg("traps: PANIC: double fault, error_code: 0x%lx\n", frame->error_code);
        show_registers(*frame);
        show_backtrace(frame->rip, frame->rbp);
        panic("Machine halted: double fault (a kernel stack overflow, if RSP is next to a guard page)");
    }
}

extern "C" void exit_to_user_mode(TrapFrame* frame) {
    for (;;) {
        Task* task = current_task();
        disable_interrupts();
        if (!(task->thread_flags & (NeedReschedule | SignalPending))) return;
        enable_interrupts();
        if (task->thread_flags & NeedReschedule) schedule();
        if (task->thread_flags & SignalPending) deliver_signals(frame);
    }
}

} // namespace kernel
