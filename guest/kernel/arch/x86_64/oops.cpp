// Reports of the kernel's own faults: registers, code bytes, backtrace, panic — in the form that Linux prints
// them.
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/acpi.h"
#include "arch/x86_64/smp.h"
#include "arch/x86_64/traps.h"
#include "arch/x86_64/user_access.h"
#include "lib/format.h"
#include "lib/kallsyms.h"
#include "lib/log.h"
#include "sched/scheduler.h"

namespace kernel {

constinit bool panicking = false;

namespace {

constinit unsigned oops_count = 0;

void show_code(u64 rip) {
    char line[256];
    usize length = 0;
    for (i64 i = -16; i < 32; i++) {
        u8 byte = 0;
        if (!copy_from_kernel_nofault(&byte, rip + static_cast<u64>(i), 1)) continue;
        length += format_text(line + length, sizeof line - length, i == 0 ? " <%02x>" : " %02x", byte);
    }
    pr_alert("Code:%s\n", length ? line : " Unable to access opcode bytes");
}

} // namespace

void show_regs(const pt_regs& f) {
    char symbol[96];
    task_struct* task = get_current();
    pr_alert("CPU: %u PID: %d Comm: %s Not tainted Vitrine 0.1\n", smp_processor_id(), task->pid, task->comm);
    sprint_symbol(symbol, sizeof symbol, f.ip);
    pr_alert("RIP: %04lx:%s\n", f.cs, f.from_user() ? "user" : symbol);
    if (!f.from_user()) show_code(f.ip);
    pr_alert("RSP: %04lx:%016lx EFLAGS: %08lx\n", f.ss, f.sp, f.flags);
    pr_alert("RAX: %016lx RBX: %016lx RCX: %016lx\n", f.ax, f.bx, f.cx);
    pr_alert("RDX: %016lx RSI: %016lx RDI: %016lx\n", f.dx, f.si, f.di);
    pr_alert("RBP: %016lx R08: %016lx R09: %016lx\n", f.bp, f.r8, f.r9);
    pr_alert("R10: %016lx R11: %016lx R12: %016lx\n", f.r10, f.r11, f.r12);
    pr_alert("R13: %016lx R14: %016lx R15: %016lx\n", f.r13, f.r14, f.r15);
    pr_alert("FS:  %016lx GS:%016lx knlGS:%016lx\n", rdmsrl(Msr::FsBase), rdmsrl(Msr::GsBase),
             rdmsrl(Msr::KernelGsBase));
    pr_alert("CR2: %016lx CR3: %016lx CR4: %016lx\n", read_cr2(), read_cr3(), read_cr4());
}

void show_backtrace(u64 rip, u64 rbp) {
    char symbol[96];
    pr_alert("Call Trace:\n");
    pr_alert(" <TASK>\n");
    for (unsigned depth = 0; depth < 32; depth++) {
        if (!sprint_symbol(symbol, sizeof symbol, rip)) break; // left the kernel's text
        pr_alert(" %s\n", symbol);
        u64 pair[2];
        if (!rbp || (rbp & 7) || !copy_from_kernel_nofault(pair, rbp, sizeof pair)) break;
        if (pair[0] && pair[0] <= rbp && depth > 2 && rbp - pair[0] > THREAD_SIZE)
            break; // frames only go up, but for IST
        rbp = pair[0];
        rip = pair[1];
    }
    pr_alert(" </TASK>\n");
}

constinit bool panic_on_oops = false;

void die(const char* what, const pt_regs& frame) {
    local_irq_disable();
    bust_console_lock();
    task_struct* task = get_current();
    pr_alert("Oops: %s: %04lx [#%u] PREEMPT\n", what, frame.orig_ax, ++oops_count);
    show_regs(frame);
    show_backtrace(frame.ip, frame.bp);
    pr_alert("---[ end trace %016x ]---\n", 0);
    if (task->preempt_count & preempt::HardirqMask) panic("Fatal exception in interrupt");
    if (task->preempt_count) panic("Fatal exception with preemption off");
    if (task->pid == 0) panic("Attempted to kill the idle task!");
    if (panic_on_oops) panic("Fatal exception");
    if (oops_count > 16) panic("too many oopses");
    local_irq_enable();
    do_exit(9); // as if killed
}

void panic(const char* format, ...) {
    local_irq_disable();
    bust_console_lock();
    if (__atomic_exchange_n(&panicking, true, __ATOMIC_ACQ_REL)) machine_halt();
    smp_send_stop();
    char message[256];
    va_list arguments;
    va_start(arguments, format);
    format_arguments(message, sizeof message, format, arguments);
    va_end(arguments);
    console_loglevel = 8;
    pr_emerg("Kernel panic - not syncing: %s\n", message);
    task_struct* task = get_current();
    pr_emerg("CPU: %u PID: %d Comm: %s Not tainted Vitrine 0.1\n", smp_processor_id(), task ? task->pid : -1,
             task ? task->comm : "?");
    show_backtrace(reinterpret_cast<u64>(__builtin_return_address(0)),
                   *static_cast<u64*>(__builtin_frame_address(0)));
    pr_emerg("---[ end Kernel panic - not syncing: %s ]---\n", message);
    machine_halt();
}

} // namespace kernel
