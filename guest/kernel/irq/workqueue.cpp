// Queueing, flushing and cancelling works; see workqueue.h. Running them: workers.cpp.
#include "irq/workqueue_internal.h"

#include "arch/x86_64/segments.h"
#include "lib/format.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/scheduler.h"
#include "time/timekeeping.h"

namespace kernel {

constinit list_head workqueues = {};
constinit worker_pool worker_pools[NR_CPUS * 2 + 1] = {};
constinit workqueue_struct *system_wq = nullptr, *system_highpri_wq = nullptr, *system_long_wq = nullptr,
                           *system_unbound_wq = nullptr;
constinit spinlock_t wq_mayday_lock{"wq_mayday"};

namespace {

constinit spinlock_t wq_list_lock{"workqueues"};
constinit wait_queue_head cancel_wait{"wq_cancel"}; ///< for who cancels the same work

/// True when it was not pending: it is now, and the caller's.
bool take_pending(work_struct& work) {
    return !(__atomic_fetch_or(&work.data, WORK_STRUCT_PENDING, __ATOMIC_ACQ_REL) & WORK_STRUCT_PENDING);
}

pool_workqueue& pwq_of(workqueue_struct& wq, unsigned cpu) {
    return wq.pwqs[wq.flags & WQ_UNBOUND ? 0 : cpu];
}

/// REQUIRES: the pool's lock.
void insert_work(pool_workqueue& pwq, work_struct& work, list_head* before) {
    work.pwq = &pwq;
    __atomic_store_n(&work.pool, pwq.pool, __ATOMIC_RELEASE);
    work.entry.insert_between(before->prev, before);
}

/// REQUIRES: interrupts off; the work is the caller's to queue.
void __queue_work(unsigned cpu, workqueue_struct& wq, work_struct& work) {
    pool_workqueue* pwq = &pwq_of(wq, cpu);
    // While it runs elsewhere it is queued there: a work never runs on two workers.
    if (worker_pool* last = __atomic_load_n(&work.pool, __ATOMIC_ACQUIRE); last && last != pwq->pool) {
        SpinGuard guard(last->lock);
        const worker* running = find_worker_executing_work(*last, work);
        if (running && running->current_pwq->wq == &wq) pwq = running->current_pwq;
    }
    SpinGuard guard(pwq->pool->lock);
    pwq->nr_in_flight[pwq->work_color]++;
    work.color = pwq->work_color;
    if (pwq->nr_active < pwq->max_active) {
        pwq->nr_active++;
        insert_work(*pwq, work, &pwq->pool->worklist);
        if (need_more_worker(*pwq->pool)) wake_up_worker(*pwq->pool);
    } else {
        __atomic_fetch_or(&work.data, WORK_STRUCT_INACTIVE, __ATOMIC_RELAXED);
        insert_work(*pwq, work, &pwq->inactive_works);
    }
}

void delayed_work_timer_fn(void* context) {
    auto& work = *static_cast<delayed_work*>(context);
    bool interrupts = local_irq_save();
    __queue_work(work.cpu < NR_CPUS ? work.cpu : smp_processor_id(), *work.wq, work.work);
    local_irq_restore(interrupts);
}

/// REQUIRES: interrupts off; the work is the caller's to queue.
void __queue_delayed_work(unsigned cpu, workqueue_struct& wq, delayed_work& work, u64 delay) {
    if (!delay) return __queue_work(cpu < NR_CPUS ? cpu : smp_processor_id(), wq, work.work);
    work.wq = &wq;
    work.cpu = cpu;
    work.timer.expires = jiffies + delay;
    if (cpu < NR_CPUS)
        add_timer_on(work.timer, cpu);
    else
        mod_timer(work.timer, work.timer.expires);
}

constexpr unsigned WORK_CPU_UNBOUND = NR_CPUS; ///< the calling CPU

/// Takes a work off whatever it waits on: 1 it was pending, 0 it was not; in both cases it is the caller's
/// now. −1: try again; −2: somebody else cancels it.
int try_to_grab_pending(work_struct& work, delayed_work* delayed) {
    if (delayed && del_timer(delayed->timer)) return 1;
    if (take_pending(work)) return 0;
    bool interrupts = local_irq_save();
    int result = -1;
    if (worker_pool* pool = __atomic_load_n(&work.pool, __ATOMIC_ACQUIRE)) {
        SpinGuard guard(pool->lock);
        if (work.pwq && work.pwq->pool == pool && __atomic_load_n(&work.pool, __ATOMIC_RELAXED) == pool) {
            pool_workqueue& pwq = *work.pwq;
            // Barriers that hang on it go on without it.
            if (work.data & WORK_STRUCT_INACTIVE) pwq_activate_work(pwq, work);
            work.entry.remove();
            work.pwq = nullptr;
            u8 color = work.color;
            __atomic_fetch_and(&work.data, ~WORK_STRUCT_LINKED, __ATOMIC_RELAXED);
            pwq_dec_nr_in_flight(pwq, color);
            result = 1;
        }
    }
    local_irq_restore(interrupts);
    if (result < 0 && (__atomic_load_n(&work.data, __ATOMIC_RELAXED) & WORK_OFFQ_CANCELING)) return -2;
    return result;
}

/// A work that tells when those before it are through.
struct wq_barrier {
    work_struct work;
    struct completion done;
};
void wq_barrier_func(work_struct& work) { container_of(&work, wq_barrier, work)->done.complete(); }

/// Queues the barrier directly behind the work, if that is queued or runs. −1: the work has just moved.
int start_flush_work(work_struct& work, wq_barrier& barrier) {
    worker_pool* pool = __atomic_load_n(&work.pool, __ATOMIC_ACQUIRE);
    if (!pool) return 0;
    IrqSpinGuard guard(pool->lock);
    if (__atomic_load_n(&work.pool, __ATOMIC_RELAXED) != pool) return -1;
    pool_workqueue* pwq = work.pwq;
    list_head* before;
    if (pwq) {
        if (pwq->pool != pool) return -1;
        before = work.entry.next;
        // It goes where the work goes, and so does what hangs on that already: behind it.
        if (work.data & WORK_STRUCT_LINKED) barrier.work.data |= WORK_STRUCT_LINKED;
        __atomic_fetch_or(&work.data, WORK_STRUCT_LINKED, __ATOMIC_RELAXED);
    } else {
        worker* running = find_worker_executing_work(*pool, work);
        if (!running) return 0;
        pwq = running->current_pwq;
        before = running->scheduled.next;
        if (before != &running->scheduled) barrier.work.data |= WORK_STRUCT_LINKED;
    }
    barrier.work.color = WORK_NO_COLOR;
    insert_work(*pwq, barrier.work, before);
    return 1;
}

bool __cancel_work(work_struct& work, delayed_work* delayed) {
    might_sleep();
    int pending;
    for (;;) {
        pending = try_to_grab_pending(work, delayed);
        if (pending >= 0) break;
        if (pending == -2)
            cancel_wait.wait(
                [&] { return !(__atomic_load_n(&work.data, __ATOMIC_RELAXED) & WORK_OFFQ_CANCELING); });
        else
            cpu_relax();
    }
    __atomic_fetch_or(&work.data, WORK_OFFQ_CANCELING,
                      __ATOMIC_RELAXED); // it stays pending: nobody queues it
    flush_work(work);
    __atomic_fetch_and(&work.data, ~(WORK_OFFQ_CANCELING | WORK_STRUCT_PENDING), __ATOMIC_RELEASE);
    cancel_wait.wake_all();
    return pending;
}

} // namespace

void pwq_activate_work(pool_workqueue& pwq, work_struct& first) {
    // With the barriers that hang on it.
    for (list_head* node = &first.entry;;) {
        work_struct& work = *container_of(node, work_struct, entry);
        list_head* next = node->next;
        bool linked = work.data & WORK_STRUCT_LINKED;
        __atomic_fetch_and(&work.data, ~WORK_STRUCT_INACTIVE, __ATOMIC_RELAXED);
        node->remove();
        pwq.pool->worklist.push_back(node);
        if (!linked) break;
        node = next;
    }
    pwq.nr_active++;
}

void pwq_dec_nr_in_flight(pool_workqueue& pwq, u8 color) {
    if (color == WORK_NO_COLOR) return;
    pwq.nr_in_flight[color]--;
    pwq.nr_active--;
    pwq.nr_done++;
    if (list_head* node = pwq.inactive_works.front(); node && pwq.nr_active < pwq.max_active) {
        pwq_activate_work(pwq, *container_of(node, work_struct, entry));
        if (need_more_worker(*pwq.pool)) wake_up_worker(*pwq.pool);
    }
    if (pwq.flush_color != color || pwq.nr_in_flight[color]) return;
    pwq.flush_color = WORK_NO_COLOR;
    if (__atomic_sub_fetch(&pwq.wq->nr_pwqs_to_flush, 1, __ATOMIC_ACQ_REL) == 0) pwq.wq->flushed.complete();
}

void INIT_WORK(work_struct& work, work_func_t func) {
    work.data = 0, work.pwq = nullptr, work.pool = nullptr;
    work.entry.initialise();
    work.func = func;
}
void INIT_DELAYED_WORK(delayed_work& work, work_func_t func) {
    INIT_WORK(work.work, func);
    work.timer.function = delayed_work_timer_fn;
    work.timer.context = &work;
}

bool queue_work_on(unsigned cpu, workqueue_struct* wq, work_struct& work) {
    if (!take_pending(work)) return false;
    bool interrupts = local_irq_save();
    __queue_work(cpu < num_online_cpus() ? cpu : smp_processor_id(), *wq, work);
    local_irq_restore(interrupts);
    return true;
}
bool queue_work(workqueue_struct* wq, work_struct& work) { return queue_work_on(WORK_CPU_UNBOUND, wq, work); }

bool queue_delayed_work_on(unsigned cpu, workqueue_struct* wq, delayed_work& work, u64 delay) {
    if (!take_pending(work.work)) return false;
    bool interrupts = local_irq_save();
    __queue_delayed_work(cpu, *wq, work, delay);
    local_irq_restore(interrupts);
    return true;
}
bool queue_delayed_work(workqueue_struct* wq, delayed_work& work, u64 delay) {
    return queue_delayed_work_on(WORK_CPU_UNBOUND, wq, work, delay);
}

bool mod_delayed_work(workqueue_struct* wq, delayed_work& work, u64 delay) {
    int pending;
    while ((pending = try_to_grab_pending(work.work, &work)) == -1) cpu_relax();
    if (pending < 0) return false; // it is being cancelled
    bool interrupts = local_irq_save();
    __queue_delayed_work(WORK_CPU_UNBOUND, *wq, work, delay);
    local_irq_restore(interrupts);
    return pending;
}

bool flush_work(work_struct& work) {
    might_sleep();
    wq_barrier barrier;
    INIT_WORK(barrier.work, wq_barrier_func);
    barrier.work.data = WORK_STRUCT_PENDING;
    int queued;
    while ((queued = start_flush_work(work, barrier)) < 0) cpu_relax();
    if (queued) barrier.done.wait();
    return queued;
}

bool flush_delayed_work(delayed_work& work) {
    if (del_timer_sync(work.timer)) {
        bool interrupts = local_irq_save();
        __queue_work(smp_processor_id(), *work.wq, work.work);
        local_irq_restore(interrupts);
    }
    return flush_work(work.work);
}

bool cancel_work_sync(work_struct& work) { return __cancel_work(work, nullptr); }
bool cancel_delayed_work_sync(delayed_work& work) { return __cancel_work(work.work, &work); }

void flush_workqueue(workqueue_struct* wq) {
    might_sleep();
    MutexGuard one(wq->mutex);
    u8 color = wq->work_color;
    wq->work_color = color ^ 1; // nothing of that colour is in flight: the last flush waited for it
    wq->flushed.reset();
    __atomic_store_n(&wq->nr_pwqs_to_flush, 1, __ATOMIC_RELAXED);
    for (u32 i = 0; i < wq->nr_pwqs; i++) {
        pool_workqueue& pwq = wq->pwqs[i];
        IrqSpinGuard guard(pwq.pool->lock);
        pwq.work_color = wq->work_color;
        if (!pwq.nr_in_flight[color]) continue;
        pwq.flush_color = color;
        __atomic_add_fetch(&wq->nr_pwqs_to_flush, 1, __ATOMIC_RELAXED);
    }
    if (__atomic_sub_fetch(&wq->nr_pwqs_to_flush, 1, __ATOMIC_ACQ_REL)) wq->flushed.wait();
}

workqueue_struct* alloc_workqueue(const char* name, u32 flags, u32 max_active) {
    auto* wq = make<workqueue_struct>();
    u32 count = flags & WQ_UNBOUND ? 1 : NR_CPUS;
    auto* pwqs = static_cast<pool_workqueue*>(kmalloc(count * sizeof(pool_workqueue)));
    if (!wq || !pwqs) {
        if (wq) destroy(wq);
        kfree(pwqs);
        return nullptr;
    }
    strscpy(wq->name, name, sizeof wq->name);
    wq->flags = flags;
    wq->maydays.initialise();
    wq->nr_pwqs = count;
    wq->pwqs = pwqs;
    for (u32 i = 0; i < count; i++) {
        auto* pwq = new (&pwqs[i]) pool_workqueue();
        pwq->pool = flags & WQ_UNBOUND ? &worker_pools[NR_CPUS * 2]
                                       : &worker_pools[i * 2 + (flags & WQ_HIGHPRI ? 1 : 0)];
        pwq->wq = wq;
        pwq->max_active = max_active ? max_active : WQ_DFL_ACTIVE;
        pwq->inactive_works.initialise();
    }
    if ((flags & WQ_MEM_RECLAIM) && workqueue_online) start_rescuer(*wq);
    SpinGuard guard(wq_list_lock);
    if (!workqueues.next) workqueues.initialise();
    workqueues.push_back(&wq->list);
    return wq;
}

void destroy_workqueue(workqueue_struct* wq) {
    flush_workqueue(wq);
    {
        SpinGuard guard(wq_list_lock);
        wq->list.remove();
    }
    if (wq->rescuer) stop_rescuer(*wq);
    // The last worker may still be in pwq_dec_nr_in_flight() of one of ours.
    for (u32 i = 0; i < wq->nr_pwqs; i++) IrqSpinGuard guard(wq->pwqs[i].pool->lock);
    kfree(wq->pwqs);
    destroy(wq);
}

void start_rescuers() {
    // Nobody else makes any yet.
    for (LIST_EACH(node, workqueues)) {
        workqueue_struct& wq = *container_of(node, workqueue_struct, list);
        if ((wq.flags & WQ_MEM_RECLAIM) && !wq.rescuer) start_rescuer(wq);
    }
}

void workqueue_init_early() {
    for (u32 i = 0; i < array_size(worker_pools); i++) init_worker_pool(worker_pools[i], i);
    system_wq = alloc_workqueue("events", 0, 0);
    system_highpri_wq = alloc_workqueue("events_highpri", WQ_HIGHPRI, 0);
    system_long_wq = alloc_workqueue("events_long", 0, 0);
    system_unbound_wq = alloc_workqueue("events_unbound", WQ_UNBOUND, 0);
    if (!system_wq || !system_highpri_wq || !system_long_wq || !system_unbound_wq)
        panic("no memory for workqueues");
}

} // namespace kernel
