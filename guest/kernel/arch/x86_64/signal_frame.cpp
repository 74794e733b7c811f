// What a signal handler finds on the user's stack, and the way back. The frame is Linux's rt_sigframe
// (arch/x86/include/asm/sigframe.h, uapi sigcontext.h): the restorer's address, ucontext, siginfo; the FPU
// image above.
//
// Everything that comes back from user space is untrusted: flags and selectors are forced, reserved bits of
// the FPU image that would fault when loaded are cleared.
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/segments.h"
#include "arch/x86_64/user_access.h"
#include "lib/log.h"
#include "lib/string.h"
#include "sched/scheduler.h"
#include "task/signal.h"
#include "task/task.h"

namespace kernel {
namespace {

struct sigcontext {
    u64 r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
    u16 cs, gs, fs, ss;
    u64 error_code, trap_number, old_mask, cr2, fpu_state;
    u64 reserved[8];
};
struct ucontext {
    u64 uc_flags, uc_link;
    struct {
        u64 ss_sp;
        i32 ss_flags, pad;
        u64 ss_size;
    } uc_stack;
    sigcontext uc_mcontext;
    u64 uc_sigmask;
};
static_assert(sizeof(sigcontext) == 256);
struct rt_sigframe {
    u64 pretcode;
    ucontext uc;
    kernel_siginfo info;
};
constexpr u64 UC_FP_XSTATE = 1, UC_SIGCONTEXT_SS = 2, UC_STRICT_RESTORE_SS = 4;
constexpr u32 FP_XSTATE_MAGIC1 = 0x46505853, FP_XSTATE_MAGIC2 = 0x46505845;
constexpr u32 SS_ONSTACK = 1, SS_DISABLE = 2, SS_AUTODISARM = 1U << 31;
/// The software bytes of an FXSAVE image (offset 464): how long the image is.
struct fpx_sw_bytes {
    u32 magic1, extended_size;
    u64 xfeatures;
    u32 xstate_size, padding[7];
};
static_assert(sizeof(fpx_sw_bytes) == 48);

bool on_sig_stack(const task_struct& task, u64 sp) {
    if (task.sas_ss_flags & SS_AUTODISARM) return false;
    return sp > task.sas_ss_sp && sp - task.sas_ss_sp <= task.sas_ss_size;
}
u32 sas_ss_flags(const task_struct& task, u64 sp) {
    return !task.sas_ss_size ? SS_DISABLE : on_sig_stack(task, sp) ? SS_ONSTACK : 0;
}

/// The image in memory, marked with its length. Returns nothing the handler could not rewrite.
Result<void> copy_fpstate_to_sigframe(task_struct* task, u64 to) {
    bool interrupts = local_irq_save();
    save_fpu(task);
    local_irq_restore(interrupts);
    TRY(copy_to_user(to, task->fpu, fpu_state_size()));
    fpx_sw_bytes marks = {};
    if (boot_cpu_data.xsave) {
        marks = {FP_XSTATE_MAGIC1,
                 static_cast<u32>(fpu_state_size() + 4),
                 boot_cpu_data.xsave_mask,
                 static_cast<u32>(fpu_state_size()),
                 {}};
        TRY(put_user(to + fpu_state_size(), FP_XSTATE_MAGIC2));
    }
    return copy_to_user(to + 464, &marks, sizeof marks);
}

/// Which components the image at `from` holds by its marks; none where they do not fit: then it is the legacy
/// part alone (x87 and SSE).
Result<u64> check_xstate_in_sigframe(u64 from) {
    auto marks = TRY(get_user<fpx_sw_bytes>(from + 464));
    if (marks.magic1 != FP_XSTATE_MAGIC1 || marks.xstate_size < 576 || marks.xstate_size > fpu_state_size() ||
        marks.extended_size < marks.xstate_size)
        return u64{0};
    Result<u32> end = get_user<u32>(from + marks.xstate_size);
    if (!end.ok() || end.value() != FP_XSTATE_MAGIC2) return u64{0};
    return marks.xfeatures & boot_cpu_data.xsave_mask;
}

/// The registers become what the frame says; nothing (0): as in a fresh program. Components that the image
/// does not hold start anew.
Result<void> fpu__restore_sig(task_struct* task, u64 from) {
    void* fresh = allocate_fpu_state();
    if (!fresh) return Errno::ENOMEM;
    Result<void> loaded = [&]() -> Result<void> {
        if (!from) return {};
        auto* bytes = static_cast<u8*>(fresh);
        u64 components = boot_cpu_data.xsave ? TRY(check_xstate_in_sigframe(from)) : u64{0};
        TRY(copy_from_user(fresh, from, components ? fpu_state_size() : 512));
        bytes[26] = bytes[27] = 0; // reserved MXCSR bits
        if (!boot_cpu_data.xsave) return {};
        u64 present = 3;
        if (components) {
            memcpy(&present, bytes + 512, 8);
            present &= components;
        }
        memset(bytes + 512, 0, 64);
        memcpy(bytes + 512, &present, 8);
        return {};
    }();
    if (loaded.ok()) {
        bool interrupts = local_irq_save();
        copy_fpu_state(task->fpu, fresh);
        restore_fpu(task);
        local_irq_restore(interrupts);
    }
    free_fpu_state(fresh);
    return loaded;
}

Result<void> setup_rt_frame(const ksignal& ksig, pt_regs* frame) {
    task_struct* task = get_current();
    u64 mask = task->restore_sigmask ? task->saved_sigmask : task->blocked;
    u64 stack = frame->sp - 128; // the red zone
    bool entering = false;
    if ((ksig.ka.flags & SA_ONSTACK) && sas_ss_flags(*task, frame->sp) == 0) {
        stack = task->sas_ss_sp + task->sas_ss_size;
        entering = true;
    }
    stack = align_down(stack - fpu_state_size() - 4, 64);
    u64 fpu = stack;
    stack = align_down(stack - sizeof(rt_sigframe), 16) - 8; // as after a call
    // A handler that overflows the alternate stack must not run on what lies below it.
    if ((entering || on_sig_stack(*task, frame->sp)) &&
        !(stack > task->sas_ss_sp && stack - task->sas_ss_sp <= task->sas_ss_size))
        return Errno::EFAULT;
    TRY(copy_fpstate_to_sigframe(task, fpu));
    rt_sigframe image = {};
    image.pretcode = ksig.ka.restorer;
    image.uc.uc_flags = (boot_cpu_data.xsave ? UC_FP_XSTATE : 0) | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
    image.uc.uc_stack = {task->sas_ss_sp, static_cast<i32>(task->sas_ss_flags), 0, task->sas_ss_size};
    sigcontext& c = image.uc.uc_mcontext;
    c.r8 = frame->r8, c.r9 = frame->r9, c.r10 = frame->r10, c.r11 = frame->r11;
    c.r12 = frame->r12, c.r13 = frame->r13, c.r14 = frame->r14, c.r15 = frame->r15;
    c.rdi = frame->di, c.rsi = frame->si, c.rbp = frame->bp, c.rbx = frame->bx;
    c.rdx = frame->dx, c.rax = frame->ax, c.rcx = frame->cx, c.rsp = frame->sp, c.rip = frame->ip;
    c.rflags = frame->flags, c.cs = UserCode, c.ss = UserData;
    c.error_code = frame->vector == SyscallVector ? 0 : frame->orig_ax;
    c.trap_number = task->trap_nr, c.old_mask = mask, c.cr2 = task->cr2, c.fpu_state = fpu;
    image.uc.uc_sigmask = mask;
    image.info = ksig.info;
    TRY(copy_to_user(stack, &image, sizeof image));
    if (task->sas_ss_flags & SS_AUTODISARM)
        task->sas_ss_sp = task->sas_ss_size = 0, task->sas_ss_flags = SS_DISABLE;
    frame->sp = stack;
    frame->ip = ksig.ka.handler;
    frame->di = static_cast<u64>(ksig.sig);
    frame->si = stack + offsetof(rt_sigframe, info);
    frame->dx = stack + offsetof(rt_sigframe, uc);
    frame->ax = 0;
    frame->flags &= ~(rflags::DF | rflags::TF | rflags::RF);
    return {};
}

void handle_signal(ksignal& ksig, pt_regs* frame) {
    task_struct* task = get_current();
    if (frame->vector == SyscallVector) {
        switch (static_cast<Errno>(-static_cast<i64>(frame->ax))) {
        case Errno::ERESTARTSYS:
            if (ksig.ka.flags & SA_RESTART) {
                frame->ax = frame->orig_ax, frame->ip -= 2; // SYSCALL is two bytes
                break;
            }
            [[fallthrough]];
        case Errno::ERESTART_RESTARTBLOCK:
        case Errno::ERESTARTNOHAND: frame->ax = static_cast<u64>(-static_cast<i64>(Errno::EINTR)); break;
        case Errno::ERESTARTNOINTR: frame->ax = frame->orig_ax, frame->ip -= 2; break;
        default: break;
        }
    }
    bool good = setup_rt_frame(ksig, frame).ok();
    task->restore_sigmask = false;
    if (!good) {
        pr_info("%s[%d]: bad frame in setup_rt_frame for signal %d\n", task->comm, task->pid, ksig.sig);
        force_fatal_sig(SIGSEGV);
        return;
    }
    u64 blocked = task->blocked | ksig.ka.mask;
    if (!(ksig.ka.flags & SA_NODEFER)) blocked |= sigmask(ksig.sig);
    set_current_blocked(blocked);
}

} // namespace

void do_signal(pt_regs* frame) {
    task_struct* task = get_current();
    ksignal ksig;
    if (get_signal(ksig)) {
        handle_signal(ksig, frame);
        return;
    }
    // No handler runs: the call goes on as if nothing had been.
    if (frame->vector == SyscallVector) {
        switch (static_cast<Errno>(-static_cast<i64>(frame->ax))) {
        case Errno::ERESTARTNOHAND:
        case Errno::ERESTARTSYS:
        case Errno::ERESTARTNOINTR: frame->ax = frame->orig_ax, frame->ip -= 2; break;
        case Errno::ERESTART_RESTARTBLOCK: frame->ax = 219, frame->ip -= 2; break; // restart_syscall
        default: break;
        }
    }
    if (task->restore_sigmask) {
        task->restore_sigmask = false;
        set_current_blocked(task->saved_sigmask);
    }
}

namespace {
/// As the program asked: a stack for handlers, or none.
Result<void> set_alternate_stack(task_struct* task, u64 start, u32 flags, u64 size, u64 sp) {
    if (on_sig_stack(*task, sp)) return Errno::EPERM;
    u32 mode = flags & ~SS_AUTODISARM;
    if (mode != 0 && mode != SS_ONSTACK && mode != SS_DISABLE) return Errno::EINVAL;
    if (mode == SS_DISABLE)
        start = size = 0;
    else if (size < 2048) // MINSIGSTKSZ
        return Errno::ENOMEM;
    task->sas_ss_sp = start, task->sas_ss_size = size, task->sas_ss_flags = flags;
    return {};
}
} // namespace

Result<i64> do_sigaltstack(u64 fresh_address, u64 old_address, u64 sp) {
    struct stack_t {
        u64 ss_sp;
        u32 ss_flags, pad;
        u64 ss_size;
    };
    task_struct* task = get_current();
    stack_t old = {task->sas_ss_sp, sas_ss_flags(*task, sp) | (task->sas_ss_flags & SS_AUTODISARM), 0,
                   task->sas_ss_size};
    if (fresh_address) {
        stack_t fresh = TRY(get_user<stack_t>(fresh_address));
        TRY(set_alternate_stack(task, fresh.ss_sp, fresh.ss_flags, fresh.ss_size, sp));
    }
    if (old_address) TRY(put_user(old_address, old));
    return i64{0};
}

Result<i64> return_from_signal(pt_regs* frame) {
    task_struct* task = get_current();
    ucontext uc;
    auto bad = [&]() -> Result<i64> {
        force_fatal_sig(SIGSEGV);
        return i64{0};
    };
    // The handler's RET consumed the restorer's address: RSP points at ucontext.
    if (!copy_from_user(&uc, frame->sp, sizeof uc).ok()) return bad();
    const sigcontext& c = uc.uc_mcontext;
    if (c.rip >= TASK_SIZE_MAX) return bad();
    if (task->fpu && !fpu__restore_sig(task, c.fpu_state).ok()) return bad();
    frame->r8 = c.r8, frame->r9 = c.r9, frame->r10 = c.r10, frame->r11 = c.r11;
    frame->r12 = c.r12, frame->r13 = c.r13, frame->r14 = c.r14, frame->r15 = c.r15;
    frame->di = c.rdi, frame->si = c.rsi, frame->bp = c.rbp, frame->bx = c.rbx;
    frame->dx = c.rdx, frame->cx = c.rcx, frame->sp = c.rsp, frame->ip = c.rip;
    constexpr u64 UserFlags = 0x50dd5; // arithmetic flags, DF, TF, AC, RF: nothing privileged
    frame->flags = (c.rflags & UserFlags) | rflags::IF | rflags::Fixed;
    frame->cs = UserCode, frame->ss = UserData;
    frame->vector = 0; // no restart, and leave by IRET
    set_current_blocked(uc.uc_sigmask);
    // What the frame says, with SS_AUTODISARM as it was; where that is not possible, nothing changes.
    (void)set_alternate_stack(task, uc.uc_stack.ss_sp, static_cast<u32>(uc.uc_stack.ss_flags),
                              uc.uc_stack.ss_size, frame->sp);
    return static_cast<i64>(c.rax);
}

} // namespace kernel
