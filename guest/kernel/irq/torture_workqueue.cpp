// Workqueues under test before init runs (torture=SECONDS on the command line): what irq/workqueue.h
// promises, as Linux's Documentation/core-api/workqueue.rst does.
#include "irq/workqueue_internal.h"
#include "lib/log.h"
#include "mm/reclaim.h"
#include "sched/scheduler.h"
#include "sync/torture.h"
#include "task/task.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

void check(bool good, const char* what) {
    if (!good) panic("torture: workqueues: %s", what);
}

struct Waiter {
    work_struct work;
    struct completion* waits_for;
    struct completion done;
};
void wait_for_other(work_struct& work) {
    auto& self = *container_of(&work, Waiter, work);
    if (self.waits_for) self.waits_for->wait();
    self.done.complete();
}

/// Works that sleep do not hold up those behind them, on the same CPU.
void concurrency() {
    for (unsigned cpu = 0; cpu < num_online_cpus(); cpu++) {
        struct completion last;
        Waiter waiters[4];
        for (Waiter& each : waiters) {
            INIT_WORK(each.work, wait_for_other);
            each.waits_for = &last;
            check(queue_work_on(cpu, system_wq, each.work), "a work was pending before it was queued");
        }
        Waiter frees;
        INIT_WORK(frees.work, [](work_struct& work) {
            auto& self = *container_of(&work, Waiter, work);
            self.waits_for->complete_all();
            self.done.complete();
        });
        frees.waits_for = &last;
        queue_work_on(cpu, system_wq, frees.work);
        for (Waiter& each : waiters) flush_work(each.work);
        flush_work(frees.work);
        for (Waiter& each : waiters)
            check(each.done.done() && !work_pending(each.work), "flush_work came back early");
        check(!flush_work(frees.work), "there was something to flush");
    }
}

struct Numbered {
    work_struct work;
    u32 number;
};
constinit u32 next_number = 0, inside = 0;

/// An ordered workqueue runs one at a time, in order.
void ordered() {
    workqueue_struct* wq = alloc_ordered_workqueue("torture_ordered", 0);
    check(wq, "no memory");
    static constinit Numbered works[64] = {};
    next_number = 0;
    for (u32 i = 0; i < array_size(works); i++) {
        works[i].number = i;
        INIT_WORK(works[i].work, [](work_struct& work) {
            check(__atomic_fetch_add(&inside, 1, __ATOMIC_ACQ_REL) == 0,
                  "two works of an ordered workqueue run");
            check(container_of(&work, Numbered, work)->number == next_number++, "works out of order");
            if (next_number % 8 == 0) schedule_timeout_idle(1);
            __atomic_fetch_sub(&inside, 1, __ATOMIC_ACQ_REL);
        });
        queue_work(wq, works[i].work);
    }
    u32 cancelled = cancel_work_sync(works[63].work);
    flush_workqueue(wq);
    check(next_number == 64 - cancelled, "flush_workqueue came back early, or a cancelled work ran");
    destroy_workqueue(wq);
}

struct Timed {
    delayed_work work;
    u64 not_before;
    u32 runs;
};
void timed(work_struct& work) {
    auto& self = *container_of(&work, Timed, work.work);
    check(static_cast<i64>(jiffies - self.not_before) >= 0, "a delayed work is early");
    self.runs++;
}
void delayed() {
    Timed work = {};
    INIT_DELAYED_WORK(work.work, timed);
    for (u64 delay = 0; delay < 12; delay += 3) {
        work.not_before = jiffies + delay;
        check(queue_delayed_work(system_wq, work.work, delay), "it was pending");
        while (work_pending(work.work.work)) schedule_timeout_idle(1);
        flush_work(work.work.work);
    }
    check(work.runs == 4, "delayed works were lost");
    queue_delayed_work(system_wq, work.work, 1000 * HZ);
    check(!queue_delayed_work(system_wq, work.work, 0), "it was not pending");
    work.not_before = jiffies + 2;
    check(mod_delayed_work(system_wq, work.work, 2), "it was not pending");
    work.not_before = jiffies;
    flush_delayed_work(work.work);
    check(cancel_delayed_work_sync(work.work) == false && work.runs <= 5, "it ran twice");
    u32 runs = work.runs;
    work.not_before = jiffies;
    queue_delayed_work_on(num_online_cpus() - 1, system_wq, work.work, 2);
    check(cancel_delayed_work_sync(work.work) && !work_pending(work.work.work), "it was not cancelled");
    schedule_timeout_idle(6);
    check(work.runs == runs, "a cancelled work ran");
}

/// Many CPUs queue the same works: each runs on one worker at a time, and once at least after the last
/// queueing.
struct Shared {
    work_struct work;
    u32 inside, queued, seen;
};
constinit Shared shared[8] = {};
constinit u32 queuers = 0;
void run_shared(work_struct& work) {
    auto& self = *container_of(&work, Shared, work);
    check(__atomic_fetch_add(&self.inside, 1, __ATOMIC_ACQ_REL) == 0, "a work runs on two workers");
    self.seen = __atomic_load_n(&self.queued, __ATOMIC_ACQUIRE);
    if (self.seen % 16 == 0) schedule_timeout_idle(1);
    __atomic_fetch_sub(&self.inside, 1, __ATOMIC_ACQ_REL);
}
void queuer(void* seed) {
    u64 random = reinterpret_cast<u64>(seed);
    for (unsigned i = 0; i < 400; i++) {
        random = random * 6364136223846793005 + 1442695040888963407;
        Shared& one = shared[random >> 33 & 7];
        __atomic_fetch_add(&one.queued, 1, __ATOMIC_ACQ_REL);
        queue_work_on(random >> 40 & 3, system_wq, one.work);
        if ((random >> 55 & 15) == 0) cancel_work_sync(one.work), queue_work(system_wq, one.work);
        if ((random >> 55 & 15) == 1) flush_work(one.work);
        if ((random >> 55 & 15) == 2) schedule_timeout_idle(1);
    }
    __atomic_fetch_sub(&queuers, 1, __ATOMIC_ACQ_REL);
    do_exit(0);
}
void crowd() {
    for (Shared& one : shared) INIT_WORK(one.work, run_shared);
    for (unsigned i = 0; i < 6; i++) {
        __atomic_fetch_add(&queuers, 1, __ATOMIC_ACQ_REL);
        if (!kthread_run(queuer, reinterpret_cast<void*>(u64{i} * 7919 + 1), "torture_queue").ok())
            panic("torture: no thread");
    }
    while (__atomic_load_n(&queuers, __ATOMIC_ACQUIRE)) schedule_timeout_idle(1);
    flush_workqueue(system_wq);
    for (Shared& one : shared) check(one.seen == one.queued && !work_pending(one.work), "a work was lost");
}

/// No memory for workers: a workqueue that memory comes back through goes on all the same.
void rescue() {
    workqueue_struct* wq = alloc_workqueue("torture_rescue", WQ_MEM_RECLAIM, 0);
    check(wq, "no memory");
    worker_pool& pool = worker_pools[0];
    __atomic_store_n(&workqueue_fail_workers, true, __ATOMIC_RELEASE);
    struct completion release;
    static constinit Waiter blockers[64] = {};
    u32 idle = min<u32>(__atomic_load_n(&pool.nr_idle, __ATOMIC_RELAXED) + 2, array_size(blockers));
    for (u32 i = 0; i < idle; i++) {
        INIT_WORK(blockers[i].work, wait_for_other);
        blockers[i].waits_for = &release;
        queue_work_on(0, system_wq, blockers[i].work);
    }
    Waiter frees;
    INIT_WORK(frees.work,
              [](work_struct& work) { container_of(&work, Waiter, work)->waits_for->complete_all(); });
    frees.waits_for = &release;
    queue_work_on(0, wq, frees.work);
    flush_work(frees.work);
    __atomic_store_n(&workqueue_fail_workers, false, __ATOMIC_RELEASE);
    for (u32 i = 0; i < idle; i++) flush_work(blockers[i].work);
    destroy_workqueue(wq);
}

} // namespace

void torture_workqueues() {
    u64 begin = ktime_get_ns();
    concurrency();
    ordered();
    delayed();
    crowd();
    rescue();
    u64 works = 0;
    for (LIST_EACH(node, workqueues)) {
        workqueue_struct& wq = *container_of(node, workqueue_struct, list);
        for (u32 i = 0; i < wq.nr_pwqs; i++) works += wq.pwqs[i].nr_done;
    }
    pr_info("torture: workqueues: %lu works in %lu ms\n", works, (ktime_get_ns() - begin) / 1'000'000);
}

} // namespace kernel
