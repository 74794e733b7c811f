// Exception dispatch and handlers; see traps.h.
#include "arch/x86_64/traps.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/interrupt_descriptor_table.h"
#include "arch/x86_64/user_access.h"
#include "irq/irq.h"
#include "lib/kallsyms.h"
#include "lib/log.h"
#include "mm/gfp.h"
#include "mm/memory_struct.h"
#include "mm/reclaim.h"
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

void report_user_fault(const pt_regs& frame, u64 address, bool page_fault) {
    task_struct* task = get_current();
    if (page_fault)
        pr_info("%s[%d]: segfault at %lx ip %016lx sp %016lx error %lx\n", task->comm, task->pid, address,
                frame.ip, frame.sp, frame.orig_ax);
    else
        pr_info("traps: %s[%d] trap %s ip:%lx sp:%lx error:%lx\n", task->comm, task->pid,
                exception_name(frame.vector), frame.ip, frame.sp, frame.orig_ax);
}

void do_error_trap(pt_regs& frame) {
    if (frame.from_user()) {
        int signal = exceptions[frame.vector].signal;
        task_struct* task = get_current();
        task->trap_nr = static_cast<u32>(frame.vector);
        if (frame.vector != 1 && frame.vector != 3) report_user_fault(frame, 0, false);
        // A protection fault has no address that the processor would tell.
        if (signal == SIGSEGV || frame.vector == 11 || frame.vector == 12)
            force_sig_fault(signal, SI_KERNEL, 0);
        else
            force_sig(task, signal ? signal : SIGSEGV, frame.ip);
        return;
    }
    if (u64 fixup = search_exception_tables(frame.ip)) {
        frame.ip = fixup;
        return;
    }
    die(exception_name(frame.vector), frame);
}

/// A kernel access that nothing explains: Linux's report, and the end of the task.
[[noreturn]] void page_fault_oops(pt_regs& frame, u64 address) {
    bust_console_lock();
    if (address < PAGE_SIZE)
        pr_alert("BUG: kernel NULL pointer dereference, address: %016lx\n", address);
    else
        pr_alert("BUG: unable to handle page fault for address: %016lx\n", address);
    pr_alert("#PF: %s %s in kernel mode\n", "supervisor",
             frame.orig_ax & 16  ? "instruction fetch"
             : frame.orig_ax & 2 ? "write access"
                                 : "read access");
    pr_alert("#PF: error_code(0x%04lx) - %s\n", frame.orig_ax,
             frame.orig_ax & 1 ? "permissions violation" : "not-present page");
    PageWalk walk =
        walk_page_tables(read_cr3(), address, [](u64 physical) { return *physical_to<u64>(physical); });
    static constexpr const char* names[] = {"PGD", "PUD", "PMD", "PTE"};
    pr_alert("%s %lx", names[0], walk.entries[0]);
    for (unsigned level = 1; level < walk.levels; level++)
        pr_cont(" %s %lx", names[level], walk.entries[level]);
    pr_cont("\n");
    die("page fault", frame);
}

/// A user access that the memory manager refused.
void bad_area(pt_regs& frame, u64 address, FaultOutcome outcome) {
    task_struct* task = get_current();
    task->trap_nr = 14;
    task->cr2 = address;
    if (outcome == FaultOutcome::OutOfMemory) {
        // The OOM killer has chosen somebody, perhaps us; the access is tried again when it is done.
        if (tsk_is_oom_victim(*task) || out_of_memory(GFP_KERNEL, 0)) return;
        pr_err("Out of memory: Killed process %d (%s)\n", task->pid, task->comm);
        return force_fatal_sig(SIGKILL);
    }
    report_user_fault(frame, address, true);
    if (outcome == FaultOutcome::BusError) return force_sig_fault(SIGBUS, BUS_ADRERR, address);
    bool mapped = false; // there is an area, and it forbids the access
    if (task->mm && address < TASK_SIZE_MAX) {
        ReadGuard guard(task->mm->mmap_lock);
        const vm_area_struct* area = find_vma(*task->mm, address);
        mapped = area && area->vm_start <= address;
    }
    force_sig_fault(SIGSEGV, mapped ? SEGV_ACCERR : SEGV_MAPERR, address);
}

/// An address in the user half. False when the kernel must find another explanation.
bool do_user_addr_fault(pt_regs& frame, u64 address) {
    task_struct* task = get_current();
    bool user = frame.from_user();
    // Kernel code touches user addresses only in user_access.cpp: anything else there is a bug.
    bool may_resolve = address < TASK_SIZE_MAX && task->mm && (user || search_exception_tables(frame.ip));
    FaultOutcome outcome = FaultOutcome::BadAddress;
    if (may_resolve && !task->preempt_count) {
        u32 access = (frame.orig_ax & 2 ? FaultWrite : 0) | (frame.orig_ax & 16 ? FaultExecute : 0) |
                     (frame.orig_ax & 1 ? FaultProtection : 0);
        outcome = handle_mm_fault(*task->mm, address, access);
        if (outcome == FaultOutcome::Resolved) return true;
    }
    if (user) bad_area(frame, address, outcome);
    return user;
}

void exc_page_fault(pt_regs& frame) {
    u64 address = read_cr2();
    if (frame.flags & rflags::IF) local_irq_enable();
    if (!do_user_addr_fault(frame, address)) {
        u64 fixup = search_exception_tables(frame.ip);
        if (!fixup) page_fault_oops(frame, address);
        frame.ip = fixup;
    }
    local_irq_disable();
}

void early_page_fault(pt_regs& frame) {
    u64 address = read_cr2();
    if (early_make_pgtable(address)) return;
    pr_emerg("early page fault at %016lx, error code %lx\n", address, frame.orig_ax);
    show_regs(frame);
    panic("page fault before the page tables are final");
}

void early_exception(pt_regs& frame) {
    pr_emerg("early exception: %s, error code %lx\n", exception_name(frame.vector), frame.orig_ax);
    show_regs(frame);
    panic("exception during early boot");
}

} // namespace

void idt_setup_early_handler() {
    for (unsigned vector = 0; vector < 32; vector++)
        set_trap_handler(static_cast<u8>(vector), early_exception);
    set_trap_handler(14, early_page_fault);
    load_early_interrupt_table();
}

void trap_init() {
    for (unsigned vector = 0; vector < 32; vector++) set_trap_handler(static_cast<u8>(vector), do_error_trap);
    set_trap_handler(14, exc_page_fault);
    cpu_init(0);
    load_interrupt_table();
}

/// entry.S: everything but the IST vectors. Interrupts are off on entry and on return.
extern "C" void trap_dispatch(pt_regs* frame) {
    if (frame->vector >= FirstIrqVector)
        common_interrupt(*frame);
    else if (TrapHandler handler =
                 frame->vector < 32 ? trap_handler(static_cast<u8>(frame->vector)) : nullptr)
        handler(*frame);
    else
        pr_err("unexpected vector %lu\n", frame->vector);

    if (frame->from_user()) {
        exit_to_user_mode_prepare(frame);
    } else if ((frame->flags & rflags::IF) && get_current()->preempt_count == 0 && need_resched()) {
        preempt_schedule(); // interrupts are off; schedule() keeps it so for us
    }
}

/// #DB, NMI, #DF, #MC on their own stacks: no rescheduling here.
extern "C" void trap_dispatch_paranoid(pt_regs* frame) {
    switch (frame->vector) {
    case 1:
        if (frame->from_user()) {
            frame->flags &= ~rflags::TF;
            force_sig(get_current(), SIGTRAP, frame->ip); // delivered when it next returns to user mode
        } else {
            pr_warn("debug exception in the kernel at %016lx, DR6 %lx\n", frame->ip, read_dr6());
            write_dr6(0);
        }
        break;
    case 2: pr_emerg("Uhhuh. NMI received for unknown reason on CPU %u.\n", smp_processor_id()); break;
    case 18: panic("Machine check");
    default:
        bust_console_lock();
        pr_emerg("traps: PANIC: double fault, error_code: 0x%lx\n", frame->orig_ax);
        show_regs(*frame);
        show_backtrace(frame->ip, frame->bp);
        panic("Machine halted: double fault (a kernel stack overflow, if RSP is next to a guard page)");
    }
}

extern "C" void exit_to_user_mode_prepare(pt_regs* frame) {
    for (;;) {
        task_struct* task = get_current();
        local_irq_disable();
        if (!(task->thread_flags & (_TIF_NEED_RESCHED | _TIF_SIGPENDING))) return;
        local_irq_enable();
        if (task->thread_flags & _TIF_NEED_RESCHED) schedule();
        if (task->thread_flags & _TIF_SIGPENDING) do_signal(frame);
    }
}

} // namespace kernel
