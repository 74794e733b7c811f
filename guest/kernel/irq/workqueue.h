// Workqueues: work that an interrupt, or a task that may not wait, leaves to a kernel thread. After Linux's
// concurrency-managed workqueues.
//
// Works of all workqueues are run by the kworkers of few pools: two a CPU (nice 0 and −20), and one that is
// bound to none. A CPU's pool lets one worker run at a time; when that sleeps, the scheduler tells the pool
// (wq_worker_sleeping), and another goes on with what waits. A pool keeps an idle worker in reserve; one that
// cannot be had, because memory is short, is replaced by the rescuer of the workqueues that have one.
//
// Invariants (under worker_pool::lock, interrupts off): a work is pending from queue_work() until its
// function begins (WORK_STRUCT_PENDING, set by whoever queues it, without the lock); `pwq` is set exactly
// while it is on a list of that pool_workqueue's pool; a work runs on one worker at a time. nr_running counts
// the workers of a CPU's pool that run works and do not sleep. pwq->nr_active works are on worklist or
// running, at most max_active; the rest waits on inactive_works. A function may free its work.
#pragma once

#include "lib/list.h"
#include "mm/layout.h"
#include "sync/mutex.h"
#include "sync/wait_queue.h"
#include "time/timer.h"

namespace kernel {

struct task_struct;
struct work_struct;
struct pool_workqueue;
struct worker_pool;
struct seq_file;
using work_func_t = void (*)(work_struct& work);

inline constexpr u32 WORK_STRUCT_PENDING = 1, WORK_STRUCT_INACTIVE = 2, WORK_STRUCT_LINKED = 8,
                     WORK_OFFQ_CANCELING = 16;
inline constexpr u8 WORK_NO_COLOR = 2;

struct work_struct {
    u32 data = 0; ///< flags
    u8 color = 0; ///< of the flush that waits for it
    pool_workqueue* pwq = nullptr;
    worker_pool* pool = nullptr; ///< where it is, or was last
    list_head entry;
    work_func_t func = nullptr;
};
struct delayed_work {
    work_struct work;
    timer_list timer;
    struct workqueue_struct* wq = nullptr;
    u32 cpu = 0;
};

enum WorkerFlag : u32 {
    WORKER_DIE = 2,
    WORKER_IDLE = 4,
    WORKER_PREP = 8,
    WORKER_UNBOUND = 128,
    WORKER_NOT_RUNNING = WORKER_PREP | WORKER_UNBOUND
};
struct worker {
    list_head entry; ///< on idle_list
    list_head node;  ///< on workers
    worker_pool* pool = nullptr;
    task_struct* task = nullptr;
    work_struct* current_work = nullptr;
    work_func_t current_func = nullptr;
    pool_workqueue* current_pwq = nullptr;
    list_head scheduled; ///< must run here, behind current_work
    u32 flags = WORKER_PREP;
    u32 id = 0;
    bool sleeping = false;
    u64 last_active = 0; ///< jiffies
    struct workqueue_struct* rescue_wq = nullptr;
    struct completion started;
};

struct worker_pool {
    spinlock_t lock{"worker_pool"};
    i32 cpu = -1; ///< −1: bound to none
    i32 node_id = 0;
    i32 nice = 0;
    u32 nr_running = 0, nr_workers = 0, nr_idle = 0, next_id = 0;
    bool manager_active = false;
    list_head worklist, idle_list, workers;
    timer_list idle_timer, mayday_timer;
};

struct pool_workqueue {
    worker_pool* pool = nullptr;
    struct workqueue_struct* wq = nullptr;
    u32 nr_active = 0, max_active = 0;
    u8 work_color = 0, flush_color = WORK_NO_COLOR;
    u32 nr_in_flight[2] = {};
    u64 nr_done = 0; ///< works that have run
    list_head inactive_works;
    list_head mayday_node;
};

inline constexpr u32 WQ_UNBOUND = 2, WQ_MEM_RECLAIM = 8, WQ_HIGHPRI = 16;
inline constexpr u32 WQ_DFL_ACTIVE = 256;
struct workqueue_struct {
    list_head list; ///< workqueues
    char name[24] = {};
    u32 flags = 0;
    struct mutex mutex{"workqueue"}; ///< one flush at a time
    u8 work_color = 0;
    i32 nr_pwqs_to_flush = 0;
    struct completion flushed;
    list_head maydays; ///< pool_workqueue::mayday_node, under wq_mayday_lock
    worker* rescuer = nullptr;
    u32 nr_pwqs = 0;
    pool_workqueue* pwqs = nullptr; ///< one a CPU, or one for all
};

extern list_head workqueues;
extern worker_pool worker_pools[NR_CPUS * 2 + 1]; ///< two a CPU, then the one that is bound to none
extern workqueue_struct *system_wq, *system_highpri_wq, *system_long_wq, *system_unbound_wq;

/// Works may be queued from here on.
void workqueue_init_early();
/// And are run. REQUIRES: kthreadd, and all CPUs.
void workqueue_init();
workqueue_struct* alloc_workqueue(const char* name, u32 flags, u32 max_active);
inline workqueue_struct* alloc_ordered_workqueue(const char* name, u32 flags) {
    return alloc_workqueue(name, flags | WQ_UNBOUND, 1);
}
/// What is queued runs first. REQUIRES: nobody queues any more.
void destroy_workqueue(workqueue_struct* wq);

void INIT_WORK(work_struct& work, work_func_t func);
void INIT_DELAYED_WORK(delayed_work& work, work_func_t func);
/// False when it was pending already. Any context.
bool queue_work(workqueue_struct* wq, work_struct& work);
bool queue_work_on(unsigned cpu, workqueue_struct* wq, work_struct& work);
inline bool schedule_work(work_struct& work) { return queue_work(system_wq, work); }
bool queue_delayed_work(workqueue_struct* wq, delayed_work& work, u64 delay);
bool queue_delayed_work_on(unsigned cpu, workqueue_struct* wq, delayed_work& work, u64 delay);
/// The delay begins anew; true when it was pending.
bool mod_delayed_work(workqueue_struct* wq, delayed_work& work, u64 delay);
// REQUIRES for the rest: task context, and not from the work itself. True when there was something to wait
// for, or to cancel.
/// The last time that it was queued is over.
bool flush_work(work_struct& work);
/// All that was queued before is over.
void flush_workqueue(workqueue_struct* wq);
bool cancel_work_sync(work_struct& work);
bool cancel_delayed_work_sync(delayed_work& work);
bool flush_delayed_work(delayed_work& work);
inline bool work_pending(const work_struct& work) {
    return __atomic_load_n(&work.data, __ATOMIC_RELAXED) & WORK_STRUCT_PENDING;
}

/// From schedule(), for a task with PF_WQ_WORKER: it goes to sleep, or is back.
void wq_worker_sleeping(task_struct* task);
void wq_worker_running(task_struct* task);
/// "kworker/0:1-events": what /proc shows.
void wq_worker_comm(char* out, usize size, task_struct* task);

} // namespace kernel
