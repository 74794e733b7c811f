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

bool ignored(Task* task, int signal) {
    if (!task->signals) return true; // kernel threads
    const SignalAction& action = task->signals->actions[signal - 1];
    return action.handler == 1 || (action.handler == 0 && (bit_of(signal) & IgnoredByDefault));
}

Result<void> push_frame(Task* task, TrapFrame* frame, int signal, const SignalAction& action, u64 old_mask) {
    u64 stack = frame->rsp - 128; // the red zone
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
    c.r14 = frame->r14, c.r15 = frame->r15, c.rdi = frame->rdi, c.rsi = frame->rsi, c.rbp = frame->rbp,
    c.rbx = frame->rbx;
    c.rdx = frame->rdx, c.rax = frame->rax, c.rcx = frame->rcx, c.rsp = frame->rsp, c.rip = frame->rip,
    c.rflags = frame->rflags;
    c.cs = UserCode, c.ss = UserData;
    c.error_code = frame->error_code, c.trap_number = task->trap_number, c.old_mask = old_mask,
    c.cr2 = task->trap_address;
    c.fpu_state = fpu;
    image.user.mask = old_mask;
    image.info.number = signal;
    image.info.address = task->trap_address;
    TRY(copy_to_user(stack, &image, sizeof image));
    frame->rsp = stack;
    frame->rip = action.handler;
    frame->rdi = static_cast<u64>(signal);
    frame->rsi = stack + offsetof(SignalFrame, info);
    frame->rdx = stack + offsetof(SignalFrame, user);
    frame->rax = 0;
    frame->rflags &= ~(rflags::DF | rflags::TF | rflags::RF);
    return {};
}

/// A call that a signal interrupted: back to the instruction, or EINTR.
void settle_interrupted_call(TrapFrame* frame, bool handler, u64 flags) {
    if (frame->vector != SyscallVector ||
        static_cast<i64>(frame->rax) != -static_cast<i64>(Errno::ERESTARTSYS))
        return;
    if (handler && !(flags & SA_RESTART)) {
        frame->rax = static_cast<u64>(-static_cast<i64>(Errno::EINTR));
        return;
    }
    frame->rax = frame->error_code; // the call's number
    frame->rip -= 2;                // SYSCALL is two bytes
}

void stop_task(Task* task) {
    set_current_state(TaskStopped);
    if (task->parent) task->parent->child_exit.wake_all();
    schedule();
}

} // namespace

SignalHandlers* new_signal_handlers() { return make<SignalHandlers>(); }
SignalHandlers* copy_signal_handlers(SignalHandlers& from) {
    SignalHandlers* copy = new_signal_handlers();
    if (copy) memcpy(copy->actions, from.actions, sizeof copy->actions);
    return copy;
}
void put_signal_handlers(SignalHandlers* handlers) {
    if (handlers && __atomic_sub_fetch(&handlers->references, 1, __ATOMIC_ACQ_REL) == 0) destroy(handlers);
}
void reset_signal_handlers(SignalHandlers& handlers) {
    for (SignalAction& action : handlers.actions) action = {.handler = action.handler == 1 ? u64{1} : 0};
}

bool send_signal(Task* task, int signal) {
    if (signal <= 0 || signal > SignalCount || (task->state & (TaskZombie | TaskDead))) return false;
    if (signal == SIGCONT || signal == SIGKILL) {
        if (task->state == TaskStopped) wake_up_task(task);
    }
    if (ignored(task, signal) && !(task->blocked_signals & bit_of(signal))) return false;
    __atomic_fetch_or(&task->pending_signals, bit_of(signal), __ATOMIC_ACQ_REL);
    recompute_pending(task);
    if (task->signal_pending() && task->state == TaskInterruptible) wake_up_task(task);
    return true;
}

unsigned signal_process_group(i32 group, int signal) {
    unsigned count = 0;
    IrqSpinGuard guard(task_list_lock);
    for (LIST_EACH(node, task_list)) {
        Task* task = CONTAINER_OF(node, Task, tasks);
        if (task->process_group != group || task->is_kernel_thread()) continue;
        if (signal) send_signal(task, signal);
        count++;
    }
    return count;
}

void recompute_pending(Task* task) {
    u64 effective = task->pending_signals & ~(task->blocked_signals & ~Unblockable);
    if (effective)
        __atomic_fetch_or(&task->thread_flags, u32{SignalPending}, __ATOMIC_ACQ_REL);
    else
        __atomic_fetch_and(&task->thread_flags, ~u32{SignalPending}, __ATOMIC_ACQ_REL);
}

void force_signal(Task* task, int signal, u64 address) {
    task->trap_address = address;
    if (task->signals && ((task->blocked_signals & bit_of(signal)) || ignored(task, signal))) {
        task->signals->actions[signal - 1] = {};
        task->blocked_signals &= ~bit_of(signal);
    }
    __atomic_fetch_or(&task->pending_signals, bit_of(signal), __ATOMIC_ACQ_REL);
    recompute_pending(task);
}

void deliver_signals(TrapFrame* frame) {
    Task* task = current_task();
    for (;;) {
        u64 effective = task->pending_signals & ~(task->blocked_signals & ~Unblockable);
        if (!effective) break;
        // Faults first, then the lowest number.
        u64 faults = effective &
                     (bit_of(SIGSEGV) | bit_of(SIGBUS) | bit_of(SIGILL) | bit_of(SIGTRAP) | bit_of(SIGFPE));
        u64 first = effective & bit_of(SIGKILL) ? bit_of(SIGKILL) : faults ? faults : effective;
        int signal = __builtin_ctzll(first) + 1;
        __atomic_fetch_and(&task->pending_signals, ~bit_of(signal), __ATOMIC_ACQ_REL);
        SignalAction action = task->signals->actions[signal - 1];
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
            exit_task(signal); // core dumps do not exist: bit 7 stays clear
        }
        settle_interrupted_call(frame, true, action.flags);
        u64 old_mask = task->restore_blocked ? task->saved_blocked_signals : task->blocked_signals;
        task->restore_blocked = false;
        if (!push_frame(task, frame, signal, action, old_mask).ok()) {
            pr_info("%s[%d]: bad stack for signal %d\n", task->comm, task->pid, signal);
            exit_task(SIGSEGV);
        }
        task->blocked_signals |= action.mask & ~Unblockable;
        if (!(action.flags & SA_NODEFER)) task->blocked_signals |= bit_of(signal);
        if (action.flags & SA_RESETHAND) task->signals->actions[signal - 1] = {};
        recompute_pending(task);
        return;
    }
    recompute_pending(task);
    settle_interrupted_call(frame, false, 0);
    if (task->restore_blocked) {
        task->restore_blocked = false;
        task->blocked_signals = task->saved_blocked_signals;
        recompute_pending(task);
    }
}

Result<i64> return_from_signal(TrapFrame* frame) {
    Task* task = current_task();
    UserContext user;
    // The handler's RET consumed the restorer's address: RSP points at ucontext.
    if (!copy_from_user(&user, frame->rsp, sizeof user).ok()) exit_task(SIGSEGV);
    const SignalContext& c = user.context;
    if (c.rip >= UserEnd) exit_task(SIGSEGV);
    frame->r8 = c.r8, frame->r9 = c.r9, frame->r10 = c.r10, frame->r11 = c.r11, frame->r12 = c.r12,
    frame->r13 = c.r13;
    frame->r14 = c.r14, frame->r15 = c.r15, frame->rdi = c.rdi, frame->rsi = c.rsi, frame->rbp = c.rbp,
    frame->rbx = c.rbx;
    frame->rdx = c.rdx, frame->rcx = c.rcx, frame->rsp = c.rsp, frame->rip = c.rip;
    constexpr u64 UserFlags = 0x50dd5; // arithmetic flags, DF, TF, AC, RF: nothing privileged
    frame->rflags = (c.rflags & UserFlags) | rflags::IF | rflags::Fixed;
    frame->cs = UserCode, frame->ss = UserData;
    frame->vector = 0; // no restart, and leave by IRET
    task->blocked_signals = user.mask & ~Unblockable;
    recompute_pending(task);
    if (c.fpu_state && task->fpu) {
        void* image = allocate_fpu_state();
        if (!image) exit_task(SIGKILL);
        if (!copy_from_user(image, c.fpu_state, fpu_state_size()).ok()) exit_task(SIGSEGV);
        // Reserved MXCSR and XSAVE header bits would fault when restored.
        auto* bytes = static_cast<u8*>(image);
        bytes[26] = bytes[27] = 0;
        if (cpu_features.xsave) {
            u64 components;
            memcpy(&components, bytes + 512, 8);
            components &= cpu_features.xsave_mask;
            memset(bytes + 512, 0, 64);
            memcpy(bytes + 512, &components, 8);
        }
        bool interrupts = save_interrupts();
        copy_fpu_state(task->fpu, image);
        restore_fpu(task);
        restore_interrupts(interrupts);
        free_fpu_state(image);
    }
    return static_cast<i64>(c.rax);
}

} // namespace kernel
