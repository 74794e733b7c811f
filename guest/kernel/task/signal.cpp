// Signals; see signal.h. The frame follows Linux's rt_sigframe (arch/x86/include/asm/sigframe.h, uapi
// sigcontext.h): the restorer's address, ucontext, siginfo, with the FPU image above them.
#include "task/signal.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/segments.h"
#include "arch/x86_64/user_access.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/scheduler.h"
#include "task/task.h"

namespace kernel {
namespace {

constexpr u64 bit_of(int signal) { return u64{1} << (signal - 1); }
constexpr u64 Unblockable = bit_of(SIGKILL) | bit_of(SIGSTOP);
constexpr u64 IgnoredByDefault = bit_of(SIGCHLD) | bit_of(SIGCONT) | bit_of(SIGURG) | bit_of(SIGWINCH);
constexpr u64 StopsByDefault = bit_of(SIGSTOP) | bit_of(SIGTSTP) | bit_of(SIGTTIN) | bit_of(SIGTTOU);

struct SignalContext {
    u64 r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
    u16 cs, gs, fs, ss;
    u64 error_code, trap_number, old_mask, cr2, fpu_state;
    u64 reserved[8];
};
struct UserContext {
    u64 flags, link;
    struct {
        u64 base;
        i32 flags, pad;
        u64 size;
    } stack;
    SignalContext context;
    u64 mask;
};
struct SignalInfo {
    i32 number, error, code, pad;
    u64 address;
    u8 rest[104];
};
static_assert(sizeof(SignalContext) == 256 && sizeof(SignalInfo) == 128);
struct SignalFrame {
    u64 restorer;
    UserContext user;
    SignalInfo info;
};

bool ignored(task_struct* task, int signal) {
    if (!task->sighand) return true; // kernel threads
    const k_sigaction& action = task->sighand->action[signal - 1];
    return action.handler == 1 || (action.handler == 0 && (bit_of(signal) & IgnoredByDefault));
}

Result<void> push_frame(task_struct* task, pt_regs* frame, int signal, const k_sigaction& action,
                        u64 old_mask) {
    u64 stack = frame->sp - 128; // the red zone
    stack = align_down(stack - fpu_state_size(), 64);
    u64 fpu = stack;
    save_fpu(task);
    TRY(copy_to_user(fpu, task->fpu, fpu_state_size()));
    stack = align_down(stack - sizeof(SignalFrame), 16) - 8; // as after a call
    SignalFrame image = {};
    image.restorer = action.restorer;
    SignalContext& c = image.user.context;
    c.r8 = frame->r8, c.r9 = frame->r9, c.r10 = frame->r10, c.r11 = frame->r11, c.r12 = frame->r12,
    c.r13 = frame->r13;
    c.r14 = frame->r14, c.r15 = frame->r15, c.rdi = frame->di, c.rsi = frame->si, c.rbp = frame->bp,
    c.rbx = frame->bx;
    c.rdx = frame->dx, c.rax = frame->ax, c.rcx = frame->cx, c.rsp = frame->sp, c.rip = frame->ip,
    c.rflags = frame->flags;
    c.cs = UserCode, c.ss = UserData;
    c.error_code = frame->orig_ax, c.trap_number = task->trap_nr, c.old_mask = old_mask, c.cr2 = task->cr2;
    c.fpu_state = fpu;
    image.user.mask = old_mask;
    image.info.number = signal;
    image.info.address = task->cr2;
    TRY(copy_to_user(stack, &image, sizeof image));
    frame->sp = stack;
    frame->ip = action.handler;
    frame->di = static_cast<u64>(signal);
    frame->si = stack + offsetof(SignalFrame, info);
    frame->dx = stack + offsetof(SignalFrame, user);
    frame->ax = 0;
    frame->flags &= ~(rflags::DF | rflags::TF | rflags::RF);
    return {};
}

/// A call that a signal interrupted: back to the instruction, or EINTR.
void settle_interrupted_call(pt_regs* frame, bool handler, u64 flags) {
    if (frame->vector != SyscallVector ||
        static_cast<i64>(frame->ax) != -static_cast<i64>(Errno::ERESTARTSYS))
        return;
    if (handler && !(flags & SA_RESTART)) {
        frame->ax = static_cast<u64>(-static_cast<i64>(Errno::EINTR));
        return;
    }
    frame->ax = frame->orig_ax; // the call's number
    frame->ip -= 2;             // SYSCALL is two bytes
}

void stop_task(task_struct* task) {
    set_current_state(TASK_STOPPED);
    if (task->parent) task->parent->wait_chldexit.wake_all();
    schedule();
}

} // namespace

sighand_struct* alloc_sighand() { return make<sighand_struct>(); }
sighand_struct* copy_sighand(sighand_struct& from) {
    sighand_struct* copy = alloc_sighand();
    if (copy) memcpy(copy->action, from.action, sizeof copy->action);
    return copy;
}
void __cleanup_sighand(sighand_struct* handlers) {
    if (handlers && __atomic_sub_fetch(&handlers->count, 1, __ATOMIC_ACQ_REL) == 0) destroy(handlers);
}
void flush_signal_handlers(sighand_struct& handlers) {
    for (k_sigaction& action : handlers.action) action = {.handler = action.handler == 1 ? u64{1} : 0};
}

bool send_sig(task_struct* task, int signal) {
    if (signal <= 0 || signal > SignalCount || (task->__state & (EXIT_ZOMBIE | TASK_DEAD))) return false;
    if (signal == SIGCONT || signal == SIGKILL) {
        if (task->__state == TASK_STOPPED) try_to_wake_up(task);
    }
    if (ignored(task, signal) && !(task->blocked & bit_of(signal))) return false;
    __atomic_fetch_or(&task->pending, bit_of(signal), __ATOMIC_ACQ_REL);
    recalc_sigpending(task);
    if (task->signal_pending() && task->__state == TASK_INTERRUPTIBLE) try_to_wake_up(task);
    return true;
}

unsigned kill_pgrp(i32 group, int signal) {
    unsigned count = 0;
    IrqSpinGuard guard(tasklist_lock);
    for (LIST_EACH(node, task_list)) {
        task_struct* task = container_of(node, task_struct, tasks);
        if (task->process_group != group || task->is_kernel_thread()) continue;
        if (signal) send_sig(task, signal);
        count++;
    }
    return count;
}

void recalc_sigpending(task_struct* task) {
    u64 effective = task->pending & ~(task->blocked & ~Unblockable);
    if (effective)
        __atomic_fetch_or(&task->thread_flags, u32{_TIF_SIGPENDING}, __ATOMIC_ACQ_REL);
    else
        __atomic_fetch_and(&task->thread_flags, ~u32{_TIF_SIGPENDING}, __ATOMIC_ACQ_REL);
}

void force_sig(task_struct* task, int signal, u64 address) {
    task->cr2 = address;
    if (task->sighand && ((task->blocked & bit_of(signal)) || ignored(task, signal))) {
        task->sighand->action[signal - 1] = {};
        task->blocked &= ~bit_of(signal);
    }
    __atomic_fetch_or(&task->pending, bit_of(signal), __ATOMIC_ACQ_REL);
    recalc_sigpending(task);
}

void do_signal(pt_regs* frame) {
    task_struct* task = get_current();
    for (;;) {
        u64 effective = task->pending & ~(task->blocked & ~Unblockable);
        if (!effective) break;
        // Faults first, then the lowest number.
        u64 faults = effective &
                     (bit_of(SIGSEGV) | bit_of(SIGBUS) | bit_of(SIGILL) | bit_of(SIGTRAP) | bit_of(SIGFPE));
        u64 first = effective & bit_of(SIGKILL) ? bit_of(SIGKILL) : faults ? faults : effective;
        int signal = __builtin_ctzll(first) + 1;
        __atomic_fetch_and(&task->pending, ~bit_of(signal), __ATOMIC_ACQ_REL);
        k_sigaction action = task->sighand->action[signal - 1];
        if (action.handler == 1 && signal != SIGKILL && signal != SIGSTOP) continue;
        if (action.handler == 0 || signal == SIGKILL || signal == SIGSTOP) {
            if (bit_of(signal) & IgnoredByDefault) continue;
            if (task->pid == 1 && signal != SIGSEGV && signal != SIGILL && signal != SIGBUS &&
                signal != SIGFPE && signal != SIGKILL)
                continue; // init gets only what it asked for, and its own faults
            if (bit_of(signal) & StopsByDefault) {
                stop_task(task);
                continue;
            }
            do_exit(signal); // core dumps do not exist: bit 7 stays clear
        }
        settle_interrupted_call(frame, true, action.flags);
        u64 old_mask = task->restore_blocked ? task->saved_sigmask : task->blocked;
        task->restore_blocked = false;
        if (!push_frame(task, frame, signal, action, old_mask).ok()) {
            pr_info("%s[%d]: bad stack for signal %d\n", task->comm, task->pid, signal);
            do_exit(SIGSEGV);
        }
        task->blocked |= action.mask & ~Unblockable;
        if (!(action.flags & SA_NODEFER)) task->blocked |= bit_of(signal);
        if (action.flags & SA_RESETHAND) task->sighand->action[signal - 1] = {};
        recalc_sigpending(task);
        return;
    }
    recalc_sigpending(task);
    settle_interrupted_call(frame, false, 0);
    if (task->restore_blocked) {
        task->restore_blocked = false;
        task->blocked = task->saved_sigmask;
        recalc_sigpending(task);
    }
}

Result<i64> return_from_signal(pt_regs* frame) {
    task_struct* task = get_current();
    UserContext user;
    // The handler's RET consumed the restorer's address: RSP points at ucontext.
    if (!copy_from_user(&user, frame->sp, sizeof user).ok()) do_exit(SIGSEGV);
    const SignalContext& c = user.context;
    if (c.rip >= TASK_SIZE_MAX) do_exit(SIGSEGV);
    frame->r8 = c.r8, frame->r9 = c.r9, frame->r10 = c.r10, frame->r11 = c.r11, frame->r12 = c.r12,
    frame->r13 = c.r13;
    frame->r14 = c.r14, frame->r15 = c.r15, frame->di = c.rdi, frame->si = c.rsi, frame->bp = c.rbp,
    frame->bx = c.rbx;
    frame->dx = c.rdx, frame->cx = c.rcx, frame->sp = c.rsp, frame->ip = c.rip;
    constexpr u64 UserFlags = 0x50dd5; // arithmetic flags, DF, TF, AC, RF: nothing privileged
    frame->flags = (c.rflags & UserFlags) | rflags::IF | rflags::Fixed;
    frame->cs = UserCode, frame->ss = UserData;
    frame->vector = 0; // no restart, and leave by IRET
    task->blocked = user.mask & ~Unblockable;
    recalc_sigpending(task);
    if (c.fpu_state && task->fpu) {
        void* image = allocate_fpu_state();
        if (!image) do_exit(SIGKILL);
        if (!copy_from_user(image, c.fpu_state, fpu_state_size()).ok()) do_exit(SIGSEGV);
        // Reserved MXCSR and XSAVE header bits would fault when restored.
        auto* bytes = static_cast<u8*>(image);
        bytes[26] = bytes[27] = 0;
        if (boot_cpu_data.xsave) {
            u64 components;
            memcpy(&components, bytes + 512, 8);
            components &= boot_cpu_data.xsave_mask;
            memset(bytes + 512, 0, 64);
            memcpy(bytes + 512, &components, 8);
        }
        bool interrupts = local_irq_save();
        copy_fpu_state(task->fpu, image);
        restore_fpu(task);
        local_irq_restore(interrupts);
        free_fpu_state(image);
    }
    return static_cast<i64>(c.rax);
}

} // namespace kernel
