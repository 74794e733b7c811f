// The task list, PIDs, creation and the last rites of tasks. See task.h.
#include "task/task.h"

#include "arch/x86_64/fpu.h"
#include "arch/x86_64/segments.h"
#include "arch/x86_64/user_access.h"
#include "fs/vfs.h"
#include "lib/format.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/memory_struct.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"
#include "mm/zone.h"
#include "sched/fair_math.h"
#include "sched/scheduler.h"
#include "task/signal.h"
#include "time/timekeeping.h"

extern "C" char init_stack[];
extern "C" char ret_from_fork[];

namespace kernel {

constinit task_struct init_task = {};
constinit list_head task_list = {};
constinit spinlock_t tasklist_lock{"tasklist_lock"};
constinit u64 total_forks = 0;
constinit u32 nr_threads = 0, max_threads = 0;

namespace {

constinit kmem_cache* task_struct_cachep = nullptr;
constinit struct pid init_struct_pid = {};
constinit signal_struct init_signals = {};
constinit sighand_struct init_sighand = {}; ///< group and session 0: kernel threads

enum CloneFlag : u64 {
    CLONE_VM = 0x100,
    CLONE_FS = 0x200,
    CLONE_FILES = 0x400,
    CLONE_SIGHAND = 0x800,
    CLONE_VFORK = 0x4000,
    CLONE_PARENT = 0x8000,
    CLONE_THREAD = 0x10000,
    CLONE_SYSVSEM = 0x40000,
    CLONE_SETTLS = 0x80000,
    CLONE_PARENT_SETTID = 0x100000,
    CLONE_CHILD_CLEARTID = 0x200000,
    CLONE_DETACHED = 0x400000,
    CLONE_CHILD_SETTID = 0x1000000,
    CLONE_CLEAR_SIGHAND = 0x100000000,
};
constexpr u64 SupportedFlags = 0xff | CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_VFORK |
                               CLONE_PARENT | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
                               CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | CLONE_DETACHED |
                               CLONE_CHILD_SETTID | CLONE_CLEAR_SIGHAND;

/// The frame that __switch_to_asm pops: r15 r14 r13 r12 rbx rbp, then the return address.
struct inactive_task_frame {
    u64 r15, r14, r13, r12, rbx, rbp, rip;
};

/// Nobody refers to it any more. Frees what copy_process made and the exit path left.
void free_task(task_struct* task) {
    if (task->mm) mmput(task->mm);
    put_files_struct(task->files);
    free_fs_struct(task->fs);
    __cleanup_sighand(task->sighand);
    put_signal_struct(task->signal);
    if (task->cred) put_cred(task->cred);
    if (task->fpu) free_fpu_state(task->fpu);
    if (task->stack) free_thread_stack(task->stack);
    kmem_cache_free(task_struct_cachep, task);
}

/// What the child has of its own, and what it shares, as the clone flags say.
Result<void> copy_resources(task_struct* child, const task_struct* parent, const kernel_clone_args& request) {
    u64 flags = request.flags;
    child->stack = alloc_thread_stack();
    if (!child->stack) return Errno::ENOMEM;
    if (request.function) { // kernel threads have no user side until they exec
        child->flags |= PF_KTHREAD;
        if (!(child->fs = parent->fs ? copy_fs_struct(*parent->fs) : alloc_fs_struct())) return Errno::ENOMEM;
        if (!(child->files = alloc_files())) return Errno::ENOMEM;
        if (!(child->sighand = alloc_sighand())) return Errno::ENOMEM;
        if (!(child->signal = alloc_signal(nullptr))) return Errno::ENOMEM;
        return {};
    }
    if (!(child->fpu = allocate_fpu_state())) return Errno::ENOMEM;
    {
        bool interrupts = local_irq_save(); // a switch between the two would save another state
        save_fpu(const_cast<task_struct*>(parent));
        copy_fpu_state(child->fpu, parent->fpu);
        local_irq_restore(interrupts);
    }
    if (flags & CLONE_VM)
        mmget(child->mm = parent->mm);
    else
        child->mm = TRY(dup_mm(*parent->mm));
    if (flags & CLONE_FILES)
        __atomic_fetch_add(&(child->files = parent->files)->count, 1, __ATOMIC_RELAXED);
    else if (!(child->files = dup_fd(*parent->files)))
        return Errno::ENOMEM;
    if (flags & CLONE_FS)
        __atomic_fetch_add(&(child->fs = parent->fs)->users, 1, __ATOMIC_RELAXED);
    else if (!(child->fs = copy_fs_struct(*parent->fs)))
        return Errno::ENOMEM;
    if (flags & CLONE_SIGHAND)
        __atomic_fetch_add(&(child->sighand = parent->sighand)->count, 1, __ATOMIC_RELAXED);
    else if (!(child->sighand = copy_sighand(*parent->sighand)))
        return Errno::ENOMEM;
    if (flags & CLONE_CLEAR_SIGHAND) flush_signal_handlers(*child->sighand);
    if (flags & CLONE_THREAD)
        __atomic_fetch_add(&(child->signal = parent->signal)->sigcnt, 1, __ATOMIC_RELAXED);
    else if (!(child->signal = alloc_signal(parent->signal)))
        return Errno::ENOMEM;
    return {};
}

} // namespace

void fork_init() {
    task_list.initialise();
    task_struct_cachep = kmem_cache_create("task_struct", sizeof(task_struct), 64);
    init_task.tasks.initialise();
    init_task.children.initialise();
    init_task.sibling.initialise();
    init_task.thread_node.initialise();
    init_task.group_leader = init_task.parent = init_task.real_parent = &init_task;
    init_task.cred = &init_cred;
    init_sigpending(init_task.pending);
    for (list_head& list : init_struct_pid.tasks) list.initialise();
    init_signals.thread_head.initialise();
    init_signals.pids[PIDTYPE_PGID] = init_signals.pids[PIDTYPE_SID] = &init_struct_pid;
    init_sigpending(init_signals.shared_pending);
    init_signals.multiprocess.initialise();
    init_task.signal = &init_signals;
    init_task.sighand = &init_sighand;
    // An eighth of memory may hold kernel stacks, as in Linux.
    max_threads =
        static_cast<u32>(clamp<u64>(totalram_pages() * PAGE_SIZE / (THREAD_SIZE * 8), 20, PID_MAX_DEFAULT));
}

i32 task_pgrp_nr(const task_struct& task) { return task.signal && task_pgrp(task) ? task_pgrp(task)->nr : 0; }
i32 task_session_nr(const task_struct& task) {
    return task.signal && task_session(task) ? task_session(task)->nr : 0;
}

mm_struct* get_task_mm(task_struct* task) {
    IrqSpinGuard guard(task->alloc_lock);
    if (task->mm) mmget(task->mm);
    return task->mm;
}

char task_state_to_char(const task_struct& task) {
    if (task.exit_state) return task.exit_state == EXIT_DEAD ? 'X' : 'Z';
    u32 state = task.__state;
    if (state == TASK_IDLE) return 'I';
    if (state & TASK_INTERRUPTIBLE) return 'S';
    if (state & TASK_UNINTERRUPTIBLE) return 'D';
    if (state & __TASK_STOPPED) return 'T';
    if (state & __TASK_TRACED) return 't';
    return state & TASK_DEAD ? 'X' : 'R';
}

namespace {

/// The child shows: in the list of processes or of its process's threads, as somebody's child, under its
/// number. REQUIRES: tasklist_lock.
Result<void> link_task(task_struct* child, task_struct* parent, u64 flags, struct pid* number,
                       const multiprocess_signals& delayed) {
    IrqSpinGuard guard(parent->sighand->siglock);
    // A process that is being killed makes no more children.
    if (parent->signal->flags & SIGNAL_GROUP_EXIT) return Errno::ERESTARTNOINTR;
    // Nor does a thread that another one's exec is about to end: its list is made.
    if (parent->signal->group_exec_task && parent->signal->group_exec_task != parent)
        return Errno::ERESTARTNOINTR;
    if (parent->pending.signal & sigmask(SIGKILL)) return Errno::EINTR;
    if (flags & (CLONE_PARENT | CLONE_THREAD))
        child->real_parent = parent->real_parent;
    else
        child->real_parent = parent;
    child->parent = child->real_parent;
    if (flags & CLONE_THREAD) {
        child->group_leader = parent->group_leader;
        child->exit_signal = -1;
        child->signal->nr_threads++;
        __atomic_fetch_add(&child->signal->live, 1, __ATOMIC_RELAXED);
        child->signal->thread_head.push_back(&child->thread_node);
        task_join_group_stop(child);
        attach_pid(child, PIDTYPE_PID, number);
    } else {
        if (flags & CLONE_PARENT) child->exit_signal = parent->group_leader->exit_signal;
        child->group_leader = child;
        child->signal->thread_head.push_back(&child->thread_node);
        attach_pid(child, PIDTYPE_PID, number);
        attach_pid(child, PIDTYPE_TGID, number);
        attach_pid(child, PIDTYPE_PGID, task_pgrp(*parent));
        attach_pid(child, PIDTYPE_SID, task_session(*parent));
        child->signal->tty = parent->signal->tty;
        child->signal->is_child_subreaper = false;
        if (number->nr == 1) child->signal->flags |= SIGNAL_UNKILLABLE;
        if ((child->signal->shared_pending.signal = delayed.signal)) child->thread_flags |= _TIF_SIGPENDING;
        child->real_parent->children.push_back(&child->sibling);
        task_list.push_back(&child->tasks);
    }
    nr_threads++;
    total_forks++;
    return {};
}

u64 processes_of(u32 uid) {
    u64 count = 0;
    IrqSpinGuard guard(tasklist_lock);
    for (LIST_EACH(node, task_list)) {
        task_struct* task = container_of(node, task_struct, tasks);
        if (task->cred->uid == uid) count += task->signal->nr_threads;
    }
    return count;
}

} // namespace

/// While one is there, what is sent to the parent's groups is collected for the child.
struct ForkUnderWay {
    explicit ForkUnderWay(task_struct* parent, bool process) : sighand(parent->sighand) {
        IrqSpinGuard guard(sighand->siglock);
        if (process) parent->signal->multiprocess.push_back(&delayed.node);
    }
    ~ForkUnderWay() {
        IrqSpinGuard guard(sighand->siglock);
        delayed.node.remove();
    }
    sighand_struct* sighand;
    multiprocess_signals delayed;
};

Result<task_struct*> copy_process(const kernel_clone_args& request, pt_regs* parent_frame) {
    task_struct* parent = get_current();
    u64 flags = request.flags;
    // What was sent before is handled before: after that, whoever is in a group gets what the group gets.
    ForkUnderWay fork(parent, !(flags & CLONE_THREAD));
    if (parent->signal_pending() && !parent->is_kernel_thread()) return Errno::ERESTARTNOINTR;
    if (nr_threads >= max_threads) return Errno::EAGAIN;
    if (!capable(*parent->cred) && parent->cred->uid &&
        processes_of(parent->cred->uid) >= rlimit(RLIMIT_NPROC))
        return Errno::EAGAIN;
    void* memory = kmem_cache_alloc(task_struct_cachep);
    if (!memory) return Errno::ENOMEM;
    auto* child = new (memory) task_struct();
    child->usage = 1; // until it can run
    child->preempt_count = 1;
    child->__state = TASK_NEW;
    child->flags = PF_FORKNOEXEC;
    child->cpu = parent->cpu;
    child->cpus_mask = parent->cpus_mask;
    child->policy = parent->policy;
    child->nice = parent->nice;
    child->rt_priority = parent->rt_priority;
    if (parent->sched_reset_on_fork) { // the child is an ordinary one
        if (rt_policy(child->policy)) child->policy = SCHED_NORMAL;
        child->rt_priority = 0;
        child->nice = max(child->nice, 0);
    }
    child->rt.run_list.initialise();
    child->rt.time_slice = RR_TIMESLICE;
    child->se.load.weight = child->policy == SCHED_IDLE ? WEIGHT_IDLEPRIO : weight_of_nice(child->nice);
    child->umask = parent->umask;
    child->oom_score_adj = parent->oom_score_adj;
    child->timer_slack_ns = child->default_timer_slack_ns = parent->timer_slack_ns;
    child->blocked = parent->blocked;
    child->cred = get_cred(parent->cred);
    child->fsbase = parent->fpu ? rdmsrl(Msr::FsBase) : 0;
    child->gsbase = parent->fpu ? rdmsrl(Msr::KernelGsBase) : 0;
    child->start_time = ktime_get_ns();
    child->tasks.initialise();
    child->children.initialise();
    child->sibling.initialise();
    child->thread_node.initialise();
    init_sigpending(child->pending);
    memcpy(child->comm, parent->comm, sizeof child->comm);
    child->exit_signal = static_cast<i32>(flags & 0xff);
    if (!(flags & CLONE_VM) || (flags & CLONE_VFORK)) // a thread has no alternate stack of its own yet
        child->sas_ss_sp = parent->sas_ss_sp, child->sas_ss_size = parent->sas_ss_size,
        child->sas_ss_flags = parent->sas_ss_flags;

    Result<void> copied = copy_resources(child, parent, request);
    if (!copied.ok()) {
        free_task(child);
        return copied.error();
    }
    Result<struct pid*> number = alloc_pid();
    if (!number.ok()) {
        free_task(child);
        return number.error();
    }
    child->pid = number.value()->nr;
    child->tgid = flags & CLONE_THREAD ? parent->tgid : child->pid;

    pt_regs* frame = child->user_frame();
    if (parent_frame)
        *frame = *parent_frame;
    else
        memset(frame, 0, sizeof *frame);
    frame->ax = 0; // what the child sees
    if (request.child_stack) frame->sp = request.child_stack;
    if (flags & CLONE_SETTLS) child->fsbase = request.tls;
    if (flags & CLONE_CHILD_SETTID) child->set_child_tid = request.child_tid;
    if (flags & CLONE_CHILD_CLEARTID) child->clear_child_tid = request.child_tid;
    auto* start =
        reinterpret_cast<inactive_task_frame*>(reinterpret_cast<u8*>(frame) - sizeof(inactive_task_frame));
    *start = {};
    start->rip = reinterpret_cast<u64>(ret_from_fork);
    start->rbx = reinterpret_cast<u64>(request.function);
    start->r12 = reinterpret_cast<u64>(request.argument);
    child->kernel_rsp = reinterpret_cast<u64>(start);

    if (flags & CLONE_PARENT_SETTID) (void)put_user<i32>(request.parent_tid, child->pid);
    Result<void> linked;
    {
        IrqSpinGuard guard(tasklist_lock);
        linked = link_task(child, parent, flags, number.value(), fork.delayed);
        if (linked.ok()) child->usage = 2;
    }
    if (!linked.ok()) {
        abandon_pid(number.value());
        free_task(child);
        return linked.error();
    }
    return child;
}

Result<i64> kernel_clone(const kernel_clone_args& request, pt_regs* frame) {
    u64 flags = request.flags;
    if (flags & ~SupportedFlags) {
        pr_warn("clone: flags %#lx are not supported\n", flags & ~SupportedFlags);
        return Errno::EINVAL;
    }
    if ((flags & CLONE_THREAD) && !(flags & CLONE_SIGHAND)) return Errno::EINVAL;
    if ((flags & CLONE_SIGHAND) && (!(flags & CLONE_VM) || (flags & CLONE_CLEAR_SIGHAND)))
        return Errno::EINVAL;
    if ((flags & CLONE_PARENT) && (get_current()->signal->flags & SIGNAL_UNKILLABLE)) return Errno::EINVAL;
    if ((flags & CLONE_SETTLS) && request.tls >= TASK_SIZE_MAX) return Errno::EPERM;
    task_struct* child = TRY(copy_process(request, frame));
    i32 pid = child->pid;
    struct completion done;
    if (flags & CLONE_VFORK) {
        child->vfork_done = &done;
        get_task_struct(child);
    }
    wake_up_new_task(child);
    if (flags & CLONE_VFORK) {
        if (!done.wait_killable().ok()) { // we die: the child must not touch our stack later
            IrqSpinGuard guard(child->alloc_lock);
            child->vfork_done = nullptr;
        }
        put_task_struct(child);
    }
    return pid;
}

task_struct* fork_idle(unsigned cpu) {
    void* memory = kmem_cache_alloc(task_struct_cachep);
    if (!memory) return nullptr;
    auto* idle = new (memory) task_struct();
    idle->stack = alloc_thread_stack();
    if (!idle->stack) {
        kmem_cache_free(task_struct_cachep, idle);
        return nullptr;
    }
    idle->preempt_count = 1;
    idle->flags = PF_KTHREAD | PF_IDLE;
    idle->cred = &init_cred;
    idle->signal = &init_signals;
    idle->sighand = &init_sighand;
    idle->group_leader = idle;
    idle->parent = idle->real_parent = &init_task;
    idle->tasks.initialise();
    idle->children.initialise();
    idle->sibling.initialise();
    idle->thread_node.initialise();
    init_sigpending(idle->pending);
    format_text(idle->comm, sizeof idle->comm, "swapper/%u", cpu);
    return idle;
}

void publish_child_tid() {
    task_struct* task = get_current();
    if (task->set_child_tid) (void)put_user<i32>(task->set_child_tid, task->pid);
    task->set_child_tid = 0;
}

void put_task_struct(task_struct* task) {
    if (__atomic_sub_fetch(&task->usage, 1, __ATOMIC_ACQ_REL)) return;
    free_task(task);
}

namespace {

struct ThreadRequest {
    KernelThreadFunction function;
    void* argument;
    const char* name;
    Result<task_struct*> result;
    struct completion done;
    list_head node;
};
constinit list_head thread_requests = {};
constinit spinlock_t thread_request_lock{"kthread_create"};
constinit wait_queue_head thread_request_queue{"kthreadd"};

} // namespace

Result<task_struct*> kernel_thread(KernelThreadFunction function, void* argument, const char* name,
                                   u32 clone_flags) {
    kernel_clone_args request;
    request.flags = clone_flags | SIGCHLD;
    request.function = function;
    request.argument = argument;
    task_struct* task = TRY(copy_process(request, nullptr));
    strscpy(task->comm, name, sizeof task->comm);
    wake_up_new_task(task);
    return task;
}

Result<task_struct*> kthread_run(KernelThreadFunction function, void* argument, const char* name) {
    ThreadRequest request{function, argument, name, Errno::EAGAIN, {}, {}};
    {
        IrqSpinGuard guard(thread_request_lock);
        if (!thread_requests.next) thread_requests.initialise();
        thread_requests.push_back(&request.node);
    }
    thread_request_queue.wake_all();
    request.done.wait();
    return request.result;
}

void kthreadd(void*) {
    // Its threads end without anybody waiting for them.
    get_current()->sighand->action[SIGCHLD - 1].handler = SIG_IGN;
    for (;;) {
        (void)thread_request_queue.wait_interruptible([] { return thread_requests.linked(); });
        ThreadRequest* request = nullptr;
        {
            IrqSpinGuard guard(thread_request_lock);
            if (list_head* node = thread_requests.pop_front())
                request = container_of(node, ThreadRequest, node);
        }
        if (!request) continue;
        request->result = kernel_thread(request->function, request->argument, request->name);
        request->done.complete();
    }
}

} // namespace kernel
