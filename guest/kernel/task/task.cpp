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
extern "C" char ret_from_fork[];

namespace kernel {

constinit task_struct init_task = {};
constinit list_head task_list = {};
constinit spinlock_t tasklist_lock{"tasklist"};

namespace {

constinit task_struct* pid_table[PID_MAX_DEFAULT] = {};
constinit i32 last_pid = 0;
constinit spinlock_t pid_lock{"pidmap"};
constinit kmem_cache* task_struct_cachep = nullptr;

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

/// The frame that __switch_to_asm pops: r15 r14 r13 r12 rbx rbp, then the return address.
struct inactive_task_frame {
    u64 r15, r14, r13, r12, rbx, rbp, rip;
};

void free_task(task_struct* task) {
    if (task->mm) mmput(task->mm);
    put_files_struct(task->files);
    free_fs_struct(task->fs);
    __cleanup_sighand(task->sighand);
    if (task->fpu) free_fpu_state(task->fpu);
    if (task->stack) free_thread_stack(task->stack);
    if (task->pid) free_pid(task->pid);
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
        return {};
    }
    if (!(child->fpu = allocate_fpu_state())) return Errno::ENOMEM;
    save_fpu(const_cast<task_struct*>(parent));
    copy_fpu_state(child->fpu, parent->fpu);
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
    return {};
}

} // namespace

void fork_init() {
    task_list.initialise();
    task_struct_cachep = kmem_cache_create("task_struct", sizeof(task_struct), 64);
    init_task.tasks.initialise();
    init_task.children.initialise();
    init_task.sibling.initialise();
}

task_struct* find_task_by_vpid(i32 pid) {
    return pid > 0 && pid < PID_MAX_DEFAULT ? pid_table[pid] : nullptr;
}

Result<i32> alloc_pid(task_struct* task) {
    IrqSpinGuard guard(pid_lock);
    for (i32 tries = 0; tries < PID_MAX_DEFAULT; tries++) {
        last_pid = last_pid + 1 < PID_MAX_DEFAULT ? last_pid + 1
                                                  : 300; // as Linux: low numbers are for the boot's threads
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

char task_state_to_char(const task_struct& task) {
    switch (task.__state) {
    case TASK_RUNNING: return 'R';
    case TASK_INTERRUPTIBLE: return 'S';
    case TASK_UNINTERRUPTIBLE: return 'D';
    case TASK_STOPPED: return 'T';
    case EXIT_ZOMBIE: return 'Z';
    case TASK_DEAD: return 'X';
    case TASK_IDLE: return 'I';
    default: return '?';
    }
}

Result<task_struct*> copy_process(const kernel_clone_args& request, pt_regs* parent_frame) {
    task_struct* parent = get_current();
    void* memory = kmem_cache_alloc(task_struct_cachep);
    if (!memory) return Errno::ENOMEM;
    auto* child = new (memory) task_struct();
    child->usage = 1; // until it can run
    child->preempt_count = 1;
    child->__state = TASK_UNINTERRUPTIBLE;
    child->process_group = parent->process_group;
    child->session = parent->session;
    child->cpu = parent->cpu;
    child->policy = parent->policy;
    child->nice = parent->nice;
    child->se.load.weight = weight_of_nice(child->nice);
    child->umask = parent->umask;
    child->blocked = parent->blocked;
    child->fsbase = parent->fpu ? rdmsrl(Msr::FsBase) : 0;
    child->gsbase = parent->fpu ? rdmsrl(Msr::KernelGsBase) : 0;
    child->start_time = ktime_get_ns();
    child->tasks.initialise();
    child->children.initialise();
    child->sibling.initialise();
    memcpy(child->comm, parent->comm, sizeof child->comm);
    child->exit_signal = static_cast<i32>(request.flags & 0xff);

    Result<void> copied = copy_resources(child, parent, request);
    if (!copied.ok()) {
        free_task(child);
        return copied.error();
    }
    Result<i32> pid = alloc_pid(child);
    if (!pid.ok()) {
        free_task(child);
        return pid.error();
    }
    child->pid = pid.value();
    child->tgid = request.flags & CLONE_THREAD ? parent->tgid : child->pid;

    pt_regs* frame = child->user_frame();
    if (parent_frame)
        *frame = *parent_frame;
    else
        memset(frame, 0, sizeof *frame);
    frame->ax = 0; // what the child sees
    if (request.child_stack) frame->sp = request.child_stack;
    if (request.flags & CLONE_SETTLS) child->fsbase = request.tls;
    if (request.flags & CLONE_CHILD_SETTID) child->set_child_tid = request.child_tid;
    if (request.flags & CLONE_CHILD_CLEARTID) child->clear_child_tid = request.child_tid;
    auto* start =
        reinterpret_cast<inactive_task_frame*>(reinterpret_cast<u8*>(frame) - sizeof(inactive_task_frame));
    *start = {};
    start->rip = reinterpret_cast<u64>(ret_from_fork);
    start->rbx = reinterpret_cast<u64>(request.function);
    start->r12 = reinterpret_cast<u64>(request.argument);
    child->kernel_rsp = reinterpret_cast<u64>(start);

    if (request.flags & CLONE_PARENT_SETTID) (void)put_user<i32>(request.parent_tid, child->pid);
    {
        IrqSpinGuard guard(tasklist_lock);
        child->usage = 2;
        child->parent = request.flags & CLONE_THREAD ? parent->parent : parent;
        child->parent->children.push_back(&child->sibling);
        task_list.push_back(&child->tasks);
    }
    return child;
}

Result<i64> kernel_clone(const kernel_clone_args& request, pt_regs* frame) {
    if (request.flags & ~SupportedFlags) {
        pr_warn("clone: flags %#lx are not supported\n", request.flags & ~SupportedFlags);
        return Errno::EINVAL;
    }
    if ((request.flags & CLONE_THREAD) && !(request.flags & CLONE_SIGHAND)) return Errno::EINVAL;
    if ((request.flags & CLONE_SIGHAND) && !(request.flags & CLONE_VM)) return Errno::EINVAL;
    task_struct* child = TRY(copy_process(request, frame));
    i32 pid = child->pid;
    bool done = false;
    if (request.flags & CLONE_VFORK) child->vfork_done = &done;
    wake_up_new_task(child);
    if (request.flags & CLONE_VFORK)
        get_current()->wait_chldexit.wait([&] { return __atomic_load_n(&done, __ATOMIC_ACQUIRE); });
    return pid;
}

void publish_child_tid() {
    task_struct* task = get_current();
    if (task->set_child_tid) (void)put_user<i32>(task->set_child_tid, task->pid);
    task->set_child_tid = 0;
}

void put_task_struct(task_struct* task) {
    if (__atomic_sub_fetch(&task->usage, 1, __ATOMIC_ACQ_REL)) return;
    task->pid = 0; // release_task gave it back
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
