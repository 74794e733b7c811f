// The kworkers: running works, keeping as many awake as there are CPUs, making and ending them; see
// workqueue.h.
#include "irq/workqueue_internal.h"
#include "lib/format.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/reclaim.h"
#include "mm/slab.h"
#include "sched/fair_math.h"
#include "sched/scheduler.h"
#include "time/timekeeping.h"

namespace kernel {

constinit bool workqueue_online = false, workqueue_fail_workers = false;

namespace {

constexpr u64 IDLE_WORKER_TIMEOUT = 300 * HZ, MAYDAY_INITIAL_TIMEOUT = 2, MAYDAY_INTERVAL = HZ / 10;
constexpr u32 MAX_IDLE_WORKERS_RATIO = 4;

// --- REQUIRES: the pool's lock
bool keep_working(const worker_pool& pool) { return !pool.worklist.empty() && pool.nr_running <= 1; }
bool too_many_workers(const worker_pool& pool) {
    u32 idle = pool.nr_idle, busy = pool.nr_workers - idle;
    return idle > 2 && (idle - 2) * MAX_IDLE_WORKERS_RATIO >= busy;
}

void worker_set_flags(worker& worker, u32 flags) {
    if ((flags & WORKER_NOT_RUNNING) && !(worker.flags & WORKER_NOT_RUNNING)) worker.pool->nr_running--;
    worker.flags |= flags;
}
void worker_clr_flags(worker& worker, u32 flags) {
    u32 before = worker.flags;
    worker.flags &= ~flags;
    if ((before & WORKER_NOT_RUNNING) && !(worker.flags & WORKER_NOT_RUNNING)) worker.pool->nr_running++;
}

void worker_enter_idle(worker& worker) {
    worker_pool& pool = *worker.pool;
    worker.flags |= WORKER_IDLE;
    pool.nr_idle++;
    worker.last_active = jiffies;
    pool.idle_list.push_front(&worker.entry);
    if (too_many_workers(pool) && !timer_pending(pool.idle_timer))
        mod_timer(pool.idle_timer, jiffies + IDLE_WORKER_TIMEOUT);
}
void worker_leave_idle(worker& worker) {
    worker.flags &= ~u32{WORKER_IDLE};
    worker.pool->nr_idle--;
    worker.entry.remove();
}

/// The work and what hangs on it go to the end of a list.
void move_linked_works(work_struct& first, list_head& to) {
    for (list_head* node = &first.entry;;) {
        list_head* next = node->next;
        bool linked = container_of(node, work_struct, entry)->data & WORK_STRUCT_LINKED;
        node->remove();
        to.push_back(node);
        if (!linked) return;
        node = next;
    }
}

/// REQUIRES: the pool's lock; dropped while the function runs.
void process_one_work(worker& worker, work_struct& work) {
    worker_pool& pool = *worker.pool;
    // It still runs on another worker, and was queued again: that one does it when it is through.
    if (struct worker* running = find_worker_executing_work(pool, work))
        return move_linked_works(work, running->scheduled);
    pool_workqueue& pwq = *work.pwq;
    work_func_t func = work.func;
    u8 color = work.color;
    worker.current_work = &work;
    worker.current_func = func;
    worker.current_pwq = &pwq;
    work.entry.remove();
    work.pwq = nullptr;
    if (need_more_worker(pool)) wake_up_worker(pool); // workers that are not counted wake each other
    // From here on it may be queued again, or freed by its function.
    __atomic_fetch_and(&work.data, ~(WORK_STRUCT_PENDING | WORK_STRUCT_LINKED), __ATOMIC_RELEASE);
    pool.lock.unlock_raw();
    local_irq_enable();
    preempt_enable();
    func(work);
    if (get_current()->preempt_count || !interrupts_enabled())
        panic("BUG: workqueue leaked lock or atomic: %s/0x%08x", get_current()->comm,
              get_current()->preempt_count);
    debug_check_no_locks_held("behind a work");
    local_irq_disable();
    preempt_disable();
    pool.lock.lock_raw();
    worker.current_work = nullptr;
    worker.current_func = nullptr;
    worker.current_pwq = nullptr;
    pwq_dec_nr_in_flight(pwq, color);
}

void process_scheduled_works(worker& worker) {
    while (list_head* node = worker.scheduled.front())
        process_one_work(worker, *container_of(node, work_struct, entry));
}

int worker_thread(void* argument);

/// Another worker for the pool, idle. REQUIRES: task context, no lock.
bool create_worker(worker_pool& pool) {
    if (__atomic_load_n(&workqueue_fail_workers, __ATOMIC_ACQUIRE)) [[unlikely]]
        return false;
    auto* fresh = make<worker>();
    if (!fresh) return false;
    fresh->pool = &pool;
    fresh->scheduled.initialise();
    if (pool.cpu < 0) fresh->flags |= WORKER_UNBOUND;
    {
        IrqSpinGuard guard(pool.lock);
        fresh->id = pool.next_id++;
    }
    char name[16];
    if (pool.cpu < 0)
        format_text(name, sizeof name, "kworker/u%u:%u", static_cast<u32>(pool.node_id), fresh->id);
    else
        format_text(name, sizeof name, "kworker/%d:%u%s", pool.cpu, fresh->id, pool.nice < 0 ? "H" : "");
    Result<task_struct*> task = kthread_run([](void* self) { worker_thread(self); }, fresh, name);
    if (!task.ok()) {
        destroy(fresh);
        return false;
    }
    {
        IrqSpinGuard guard(pool.lock);
        fresh->task = task.value();
        pool.nr_workers++;
        pool.workers.push_back(&fresh->node);
        worker_enter_idle(*fresh);
    }
    fresh->started.complete();
    return true;
}

/// The last idle worker sees to it that there is another before it works. True when the lock was dropped.
bool manage_workers(worker& worker) {
    worker_pool& pool = *worker.pool;
    if (pool.manager_active) return false;
    pool.manager_active = true;
    pool.lock.unlock_raw();
    local_irq_enable();
    preempt_enable();
    mod_timer(pool.mayday_timer,
              jiffies + MAYDAY_INITIAL_TIMEOUT); // it may take memory that works would free
    while (!create_worker(pool)) schedule_timeout_idle(HZ / 10);
    del_timer_sync(pool.mayday_timer);
    local_irq_disable();
    preempt_disable();
    pool.lock.lock_raw();
    pool.manager_active = false;
    return true;
}

/// What a kworker is: bound to its CPU for good, with its pool's nice value.
void become_worker(worker& worker) {
    task_struct* task = get_current();
    worker.started.wait();
    task->worker = &worker;
    __atomic_fetch_or(&task->flags, u32{PF_WQ_WORKER}, __ATOMIC_RELAXED);
    if (worker.pool->nice) set_user_nice(task, worker.pool->nice);
    if (worker.pool->cpu >= 0) kthread_bind(static_cast<unsigned>(worker.pool->cpu));
    task->flags |= PF_NO_SETAFFINITY;
}

int worker_thread(void* argument) {
    auto& worker = *static_cast<struct worker*>(argument);
    become_worker(worker);
    worker_pool& pool = *worker.pool;
    auto lock = [&] {
        local_irq_disable();
        preempt_disable();
        pool.lock.lock_raw();
    };
    auto unlock = [&] {
        pool.lock.unlock_raw();
        local_irq_enable();
        preempt_enable();
    };
    for (;;) {
        lock();
        if (worker.flags & WORKER_DIE) {
            worker.node.remove();
            unlock();
            get_current()->flags &= ~u32{PF_WQ_WORKER};
            get_current()->worker = nullptr;
            destroy(&worker);
            do_exit(0);
        }
        worker_leave_idle(worker);
        while (need_more_worker(pool)) {
            if (!pool.nr_idle && manage_workers(worker)) continue; // things have changed meanwhile
            worker_clr_flags(worker, WORKER_PREP);
            do {
                work_struct& work = *container_of(pool.worklist.front(), work_struct, entry);
                if (!(work.data & WORK_STRUCT_LINKED)) {
                    process_one_work(worker, work);
                    process_scheduled_works(worker);
                } else {
                    move_linked_works(work, worker.scheduled);
                    process_scheduled_works(worker);
                }
            } while (keep_working(pool));
            worker_set_flags(worker, WORKER_PREP);
        }
        worker_enter_idle(worker);
        set_current_state(TASK_IDLE);
        unlock();
        schedule();
    }
}

/// The oldest that has been idle for five minutes ends, while there are too many.
void idle_worker_timeout(void* context) {
    auto& pool = *static_cast<worker_pool*>(context);
    IrqSpinGuard guard(pool.lock);
    while (too_many_workers(pool)) {
        worker& oldest = *container_of(pool.idle_list.prev, worker, entry);
        u64 expires = oldest.last_active + IDLE_WORKER_TIMEOUT;
        if (static_cast<i64>(jiffies - expires) < 0) {
            mod_timer(pool.idle_timer, expires);
            return;
        }
        worker_leave_idle(oldest);
        pool.nr_workers--;
        oldest.flags |= WORKER_DIE;
        wake_up_process(oldest.task);
    }
}

// --- rescue

/// No new worker for so long: what waits is taken over by its workqueues' rescuers.
void pool_mayday_timeout(void* context) {
    auto& pool = *static_cast<worker_pool*>(context);
    IrqSpinGuard guard(pool.lock);
    if (!need_more_worker(pool)) return;
    SpinGuard maydays(wq_mayday_lock);
    for (LIST_EACH(node, pool.worklist)) {
        pool_workqueue& pwq = *container_of(node, work_struct, entry)->pwq;
        worker* rescuer = pwq.wq->rescuer;
        if (!rescuer || pwq.mayday_node.linked()) continue;
        pwq.wq->maydays.push_back(&pwq.mayday_node);
        wake_up_process(rescuer->task);
    }
    mod_timer(pool.mayday_timer, jiffies + MAYDAY_INTERVAL);
}

void rescuer_thread(void* argument) {
    auto& rescuer = *static_cast<worker*>(argument);
    workqueue_struct& wq = *rescuer.rescue_wq;
    rescuer.started.wait();
    set_user_nice(get_current(), MIN_NICE);
    get_current()->flags |= PF_MEMALLOC; // memory comes back through it
    for (;;) {
        set_current_state(TASK_IDLE);
        pool_workqueue* pwq = nullptr;
        {
            IrqSpinGuard guard(wq_mayday_lock);
            if (list_head* node = wq.maydays.pop_front())
                pwq = container_of(node, pool_workqueue, mayday_node);
        }
        if (!pwq) {
            if (__atomic_load_n(&rescuer.flags, __ATOMIC_ACQUIRE) & WORKER_DIE) break;
            schedule();
            continue;
        }
        set_current_state(TASK_RUNNING);
        worker_pool& pool = *pwq->pool;
        if (pool.cpu >= 0) (void)set_cpus_allowed(get_current(), 1U << pool.cpu);
        local_irq_disable();
        preempt_disable();
        pool.lock.lock_raw();
        rescuer.pool = &pool;
        pool.workers.push_back(&rescuer.node);
        for (list_head *node = pool.worklist.next, *next; node != &pool.worklist; node = next) {
            work_struct &work = *container_of(node, work_struct, entry), *last = &work;
            while (last->data & WORK_STRUCT_LINKED) last = container_of(last->entry.next, work_struct, entry);
            next = last->entry.next;
            if (work.pwq == pwq) move_linked_works(work, rescuer.scheduled);
        }
        process_scheduled_works(rescuer);
        rescuer.node.remove();
        rescuer.pool = nullptr;
        if (need_more_worker(pool)) wake_up_worker(pool);
        pool.lock.unlock_raw();
        local_irq_enable();
        preempt_enable();
        (void)set_cpus_allowed(get_current(), ~0U);
    }
    set_current_state(TASK_RUNNING);
    struct completion& done = rescuer.started; // who ends us waits on it
    done.complete();
    do_exit(0);
}

} // namespace

void start_rescuer(workqueue_struct& wq) {
    auto* rescuer = make<worker>();
    if (!rescuer) panic("no memory for the rescuer of %s", wq.name);
    rescuer->scheduled.initialise();
    rescuer->rescue_wq = &wq;
    Result<task_struct*> task = kthread_run(rescuer_thread, rescuer, wq.name);
    if (!task.ok()) panic("no rescuer for %s", wq.name);
    rescuer->task = task.value();
    wq.rescuer = rescuer;
    rescuer->started.complete();
}

void stop_rescuer(workqueue_struct& wq) {
    worker* rescuer = wq.rescuer;
    wq.rescuer = nullptr;
    __atomic_fetch_or(&rescuer->flags, u32{WORKER_DIE}, __ATOMIC_RELEASE);
    while (!try_to_wake_up(rescuer->task) && !rescuer->started.done()) cpu_relax();
    rescuer->started.wait();
    destroy(rescuer);
}

void wake_up_worker(worker_pool& pool) {
    if (list_head* node = pool.idle_list.front()) wake_up_process(container_of(node, worker, entry)->task);
}

worker* find_worker_executing_work(worker_pool& pool, const work_struct& work) {
    for (LIST_EACH(node, pool.workers)) {
        worker* each = container_of(node, worker, node);
        // A freed work's memory may be another's now: its function tells them apart.
        if (each->current_work == &work && each->current_func == work.func) return each;
    }
    return nullptr;
}

void wq_worker_sleeping(task_struct* task) {
    worker* worker = task->worker;
    if (!worker || (worker->flags & WORKER_NOT_RUNNING) || worker->sleeping) return;
    worker_pool& pool = *worker->pool;
    IrqSpinGuard guard(pool.lock);
    if (worker->flags & WORKER_NOT_RUNNING) return;
    worker->sleeping = true;
    pool.nr_running--;
    if (need_more_worker(pool)) wake_up_worker(pool);
}

void wq_worker_running(task_struct* task) {
    worker* worker = task->worker;
    if (!worker || !worker->sleeping) return;
    IrqSpinGuard guard(worker->pool->lock);
    if (!(worker->flags & WORKER_NOT_RUNNING)) worker->pool->nr_running++;
    worker->sleeping = false;
}

void wq_worker_comm(char* out, usize size, task_struct* task) {
    usize length = strscpy(out, task->comm, size);
    if (!(task->flags & PF_WQ_WORKER)) return;
    struct worker* worker = task->worker;
    if (!worker || !worker->pool) return;
    IrqSpinGuard guard(worker->pool->lock);
    if (worker->current_pwq) format_text(out + length, size - length, "+%s", worker->current_pwq->wq->name);
}

void init_worker_pool(worker_pool& pool, u32 index) {
    bool unbound = index == NR_CPUS * 2;
    pool.cpu = unbound ? -1 : static_cast<i32>(index / 2);
    pool.node_id = static_cast<i32>(index);
    pool.nice = !unbound && index % 2 ? MIN_NICE : 0;
    pool.worklist.initialise();
    pool.idle_list.initialise();
    pool.workers.initialise();
    pool.idle_timer.function = idle_worker_timeout;
    pool.mayday_timer.function = pool_mayday_timeout;
    pool.idle_timer.context = pool.mayday_timer.context = &pool;
}

void workqueue_init() {
    worker_pools[NR_CPUS * 2].node_id = static_cast<i32>(num_online_cpus() * 2); // kworker/u8:0 on four CPUs
    workqueue_online = true;
    start_rescuers();
    for (u32 i = 0; i < array_size(worker_pools); i++) {
        worker_pool& pool = worker_pools[i];
        if (pool.cpu >= static_cast<i32>(num_online_cpus())) continue;
        if (!create_worker(pool)) panic("no worker for pool %u", i);
        IrqSpinGuard guard(pool.lock); // what was queued until now
        if (need_more_worker(pool)) wake_up_worker(pool);
    }
}

} // namespace kernel
