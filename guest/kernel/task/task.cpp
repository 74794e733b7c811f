// The task list, PIDs, creation and the last rites of tasks. See task.h.
#include "task/task.h"

#include "arch/x86_64/fpu.h"
#include "arch/x86_64/segments.h"
#include "arch/x86_64/user_access.h"
#include "fs/vfs.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/memory_struct.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"
#include "sched/fair_math.h"
#include "sched/scheduler.h"
#include "task/signal.h"
#include "time/timekeeping.h"

extern "C" char init_stack[];
extern "C" char return_from_fork[];

namespace kernel {

constinit Task init_task = {};
constinit ListNode task_list = {};
constinit SpinLock task_list_lock{"tasklist"};

namespace {

constinit Task* pid_table[MaxPids] = {};
constinit i32 last_pid = 0;
constinit SpinLock pid_lock{"pidmap"};
constinit KmemCache* task_cache = nullptr;

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
};
constexpr u64 SupportedFlags = 0xff | CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_VFORK |
                               CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
                               CLONE_CHILD_CLEARTID | CLONE_DETACHED | CLONE_CHILD_SETTID;

/// The frame that switch_to pops: r15 r14 r13 r12 rbx rbp, then the return address.
struct SwitchFrame {
    u64 r15, r14, r13, r12, rbx, rbp, rip;
};

void release_resources(Task* task) {
    if (task->mm) put_memory_struct(task->mm);
    put_file_table(task->files);
    put_fs_context(task->fs);
    put_signal_handlers(task->signals);
    if (task->fpu) free_fpu_state(task->fpu);
    if (task->stack) free_kernel_stack(task->stack);
    if (task->pid) free_pid(task->pid);
    cache_free(task_cache, task);
}

/// What the child has of its own, and what it shares, as the clone flags say.
Result<void> copy_resources(Task* child, const Task* parent, const CloneRequest& request) {
    u64 flags = request.flags;
    child->stack = allocate_kernel_stack();
    if (!child->stack) return Errno::ENOMEM;
    if (request.function) { // kernel threads have no user side until they exec
        child->flags |= TaskKernelThread;
        if (!(child->fs = parent->fs ? copy_fs_context(*parent->fs) : new_fs_context())) return Errno::ENOMEM;
        if (!(child->files = new_file_table())) return Errno::ENOMEM;
        if (!(child->signals = new_signal_handlers())) return Errno::ENOMEM;
        return {};
    }
    if (!(child->fpu = allocate_fpu_state())) return Errno::ENOMEM;
    save_fpu(const_cast<Task*>(parent));
    copy_fpu_state(child->fpu, parent->fpu);
    if (flags & CLONE_VM)
        get_memory_struct(child->mm = parent->mm);
    else
        child->mm = TRY(clone_memory_struct(*parent->mm));
    if (flags & CLONE_FILES)
        __atomic_fetch_add(&(child->files = parent->files)->references, 1, __ATOMIC_RELAXED);
    else if (!(child->files = copy_file_table(*parent->files)))
        return Errno::ENOMEM;
    if (flags & CLONE_FS)
        __atomic_fetch_add(&(child->fs = parent->fs)->references, 1, __ATOMIC_RELAXED);
    else if (!(child->fs = copy_fs_context(*parent->fs)))
        return Errno::ENOMEM;
    if (flags & CLONE_SIGHAND)
        __atomic_fetch_add(&(child->signals = parent->signals)->references, 1, __ATOMIC_RELAXED);
    else if (!(child->signals = copy_signal_handlers(*parent->signals)))
        return Errno::ENOMEM;
    return {};
}

} // namespace

void initialise_tasks() {
    task_list.initialise();
    task_cache = create_cache("task_struct", sizeof(Task), 64);
    init_task.tasks.initialise();
    init_task.children.initialise();
    init_task.sibling.initialise();
}

Task* find_task(i32 pid) { return pid > 0 && pid < MaxPids ? pid_table[pid] : nullptr; }

Result<i32> allocate_pid(Task* task) {
    IrqSpinGuard guard(pid_lock);
    for (i32 tries = 0; tries < MaxPids; tries++) {
        last_pid =
            last_pid + 1 < MaxPids ? last_pid + 1 : 300; // as Linux: low numbers are for the boot's threads
        if (pid_table[last_pid]) continue;
        pid_table[last_pid] = task;
        return last_pid;
    }
    return Errno::EAGAIN;
}

void free_pid(i32 pid) {
    IrqSpinGuard guard(pid_lock);
    pid_table[pid] = nullptr;
}

char task_state_letter(const Task& task) {
    switch (task.state) {
    case TaskRunning: return 'R';
    case TaskInterruptible: return 'S';
    case TaskUninterruptible: return 'D';
    case TaskStopped: return 'T';
    case TaskZombie: return 'Z';
    case TaskDead: return 'X';
    case TaskIdle: return 'I';
    default: return '?';
    }
}

Result<Task*> copy_process(const CloneRequest& request, TrapFrame* parent_frame) {
    Task* parent = current_task();
    void* memory = cache_allocate(task_cache);
    if (!memory) return Errno::ENOMEM;
    auto* child = new (memory) Task();
    child->references = 1; // until it can run
    child->preempt_count = 1;
    child->state = TaskUninterruptible;
    child->process_group = parent->process_group;
    child->session = parent->session;
    child->cpu = parent->cpu;
    child->policy = parent->policy;
    child->nice = parent->nice;
    child->se.weight = weight_of_nice(child->nice);
    child->umask = parent->umask;
    child->blocked_signals = parent->blocked_signals;
    child->fs_base = parent->fpu ? read_msr(Msr::FsBase) : 0;
    child->gs_base = parent->fpu ? read_msr(Msr::KernelGsBase) : 0;
    child->start_time = clock_nanoseconds();
    child->tasks.initialise();
    child->children.initialise();
    child->sibling.initialise();
    memcpy(child->comm, parent->comm, sizeof child->comm);
    child->exit_signal = static_cast<i32>(request.flags & 0xff);

    Result<void> copied = copy_resources(child, parent, request);
    if (!copied.ok()) {
        release_resources(child);
        return copied.error();
    }
    Result<i32> pid = allocate_pid(child);
    if (!pid.ok()) {
        release_resources(child);
        return pid.error();
    }
    child->pid = pid.value();
    child->tgid = request.flags & CLONE_THREAD ? parent->tgid : child->pid;

    TrapFrame* frame = child->user_frame();
    if (parent_frame)
        *frame = *parent_frame;
    else
        memset(frame, 0, sizeof *frame);
    frame->rax = 0; // what the child sees
    if (request.child_stack) frame->rsp = request.child_stack;
    if (request.flags & CLONE_SETTLS) child->fs_base = request.tls;
    if (request.flags & CLONE_CHILD_SETTID) child->set_child_tid = request.child_tid;
    if (request.flags & CLONE_CHILD_CLEARTID) child->clear_child_tid = request.child_tid;
    auto* start = reinterpret_cast<SwitchFrame*>(reinterpret_cast<u8*>(frame) - sizeof(SwitchFrame));
    *start = {};
    start->rip = reinterpret_cast<u64>(return_from_fork);
    start->rbx = reinterpret_cast<u64>(request.function);
    start->r12 = reinterpret_cast<u64>(request.argument);
    child->kernel_rsp = reinterpret_cast<u64>(start);

    if (request.flags & CLONE_PARENT_SETTID) (void)put_user<i32>(request.parent_tid, child->pid);
    {
        IrqSpinGuard guard(task_list_lock);
        child->references = 2;
        child->parent = request.flags & CLONE_THREAD ? parent->parent : parent;
        child->parent->children.push_back(&child->sibling);
        task_list.push_back(&child->tasks);
    }
    return child;
}

Result<i64> clone_and_run(const CloneRequest& request, TrapFrame* frame) {
    if (request.flags & ~SupportedFlags) {
        pr_warn("clone: flags %#lx are not supported\n", request.flags & ~SupportedFlags);
        return Errno::EINVAL;
    }
    if ((request.flags & CLONE_THREAD) && !(request.flags & CLONE_SIGHAND)) return Errno::EINVAL;
    if ((request.flags & CLONE_SIGHAND) && !(request.flags & CLONE_VM)) return Errno::EINVAL;
    Task* child = TRY(copy_process(request, frame));
    i32 pid = child->pid;
    bool done = false;
    if (request.flags & CLONE_VFORK) child->vfork_done = &done;
    wake_up_new_task(child);
    if (request.flags & CLONE_VFORK)
        current_task()->child_exit.wait([&] { return __atomic_load_n(&done, __ATOMIC_ACQUIRE); });
    return pid;
}

void publish_child_tid() {
    Task* task = current_task();
    if (task->set_child_tid) (void)put_user<i32>(task->set_child_tid, task->pid);
    task->set_child_tid = 0;
}

void put_task(Task* task) {
    if (__atomic_sub_fetch(&task->references, 1, __ATOMIC_ACQ_REL)) return;
    task->pid = 0; // release_task gave it back
    release_resources(task);
}

namespace {

struct ThreadRequest {
    KernelThreadFunction function;
    void* argument;
    const char* name;
    Result<Task*> result;
    Completion done;
    ListNode node;
};
constinit ListNode thread_requests = {};
constinit SpinLock thread_request_lock{"kthread_create"};
constinit WaitQueue thread_request_queue{"kthreadd"};

} // namespace

Result<Task*> create_kernel_thread(KernelThreadFunction function, void* argument, const char* name,
                                   u32 clone_flags) {
    CloneRequest request;
    request.flags = clone_flags | SIGCHLD;
    request.function = function;
    request.argument = argument;
    Task* task = TRY(copy_process(request, nullptr));
    copy_string(task->comm, name, sizeof task->comm);
    wake_up_new_task(task);
    return task;
}

Result<Task*> run_kernel_thread(KernelThreadFunction function, void* argument, const char* name) {
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

void kthreadd_main(void*) {
    for (;;) {
        (void)thread_request_queue.wait_interruptible([] { return thread_requests.linked(); });
        ThreadRequest* request = nullptr;
        {
            IrqSpinGuard guard(thread_request_lock);
            if (ListNode* node = thread_requests.pop_front())
                request = CONTAINER_OF(node, ThreadRequest, node);
        }
        if (!request) continue;
        request->result = create_kernel_thread(request->function, request->argument, request->name);
        request->done.complete();
    }
}

} // namespace kernel
