// The realtime class: SCHED_FIFO runs until it sleeps or yields, SCHED_RR for 100 ms at a time beside its
// equals; a higher priority preempts at once (sched(7)). Throttled to 950 ms a second on each CPU, so that a
// runaway leaves a shell. On several CPUs the highest priorities run: tasks that wait are pushed to where
// something lower runs, and pulled by a CPU whose own have gone.
#include "arch/x86_64/smp.h"
#include "lib/log.h"
#include "sched/scheduler.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

u32 highest_bit(const struct rt_rq& rt) {
    if (rt.bitmap[1]) return 127 - static_cast<u32>(__builtin_clzll(rt.bitmap[1]));
    return rt.bitmap[0] ? 63 - static_cast<u32>(__builtin_clzll(rt.bitmap[0])) : 0;
}

task_struct* task_of_rt(list_head* node) {
    return container_of_offset<task_struct>(node,
                                            offsetof(task_struct, rt) + offsetof(sched_rt_entity, run_list));
}

void resched(struct rq& queue) {
    u32 before = __atomic_fetch_or(&queue.curr->thread_flags, u32{_TIF_NEED_RESCHED}, __ATOMIC_ACQ_REL);
    if (!(before & _TIF_NEED_RESCHED) && queue.cpu != smp_processor_id()) smp_send_reschedule(queue.cpu);
}

/// What whole periods give back. True: one was over.
bool replenish(struct rt_rq& rt, u64 now) {
    u64 periods = now > rt.rt_period_start ? (now - rt.rt_period_start) / sysctl_sched_rt_period : 0;
    if (!periods) return false;
    rt.rt_period_start += periods * sysctl_sched_rt_period;
    rt.rt_time -= min(rt.rt_time, periods * sysctl_sched_rt_runtime);
    return true;
}

void update_curr_rt(struct rq& queue) {
    task_struct* task = queue.curr;
    if (task->sched_class != &rt_sched_class) return;
    u64 delta = queue.clock - task->se.exec_start;
    task->se.exec_start = queue.clock;
    if (static_cast<i64>(delta) <= 0) return;
    task->se.sum_exec_runtime += delta;
    struct rt_rq& rt = queue.rt;
    replenish(rt, queue.clock); // an idle CPU has no tick that would
    rt.rt_time += delta;
    if (rt.rt_throttled || rt.rt_time <= sysctl_sched_rt_runtime) return;
    if (!sysctl_sched_rt_runtime) { // nothing would ever be given back: without a runtime nobody is stopped
        rt.rt_time = 0;
        return;
    }
    rt.rt_throttled = true;
    sched_rt_throttled_once = true; // the tick says so, without the lock
    resched(queue);
}

void enqueue_task_rt(struct rq& queue, task_struct* task, bool) {
    struct rt_rq& rt = queue.rt;
    if (!rt.rt_nr_running && !rt.rt_time) rt.rt_period_start = queue.clock;
    u32 priority = task->rt_priority;
    rt.queue[priority].push_back(&task->rt.run_list);
    rt.bitmap[priority / 64] |= u64{1} << priority % 64;
    rt.rt_nr_running++;
    queue.nr_running++;
    __atomic_store_n(&task->se.on_rq, 1, __ATOMIC_RELEASE);
}

void dequeue_task_rt(struct rq& queue, task_struct* task) {
    update_curr_rt(queue);
    struct rt_rq& rt = queue.rt;
    u32 priority = task->rt_priority;
    task->rt.run_list.remove();
    if (rt.queue[priority].empty()) rt.bitmap[priority / 64] &= ~(u64{1} << priority % 64);
    rt.rt_nr_running--;
    queue.nr_running--;
    __atomic_store_n(&task->se.on_rq, 0, __ATOMIC_RELEASE);
}

void requeue_task_rt(struct rq& queue, task_struct* task) {
    task->rt.run_list.remove();
    queue.rt.queue[task->rt_priority].push_back(&task->rt.run_list);
}

void yield_task_rt(struct rq& queue) { requeue_task_rt(queue, queue.curr); }

bool check_preempt_curr_rt(struct rq& queue, task_struct* woken) {
    return woken->rt_priority > queue.curr->rt_priority;
}

task_struct* pick_next_task_rt(struct rq& queue) {
    u32 priority = rt_highest(queue);
    if (!priority) return nullptr;
    task_struct* task = task_of_rt(queue.rt.queue[priority].front());
    task->se.exec_start = queue.clock;
    return task;
}

void put_prev_task_rt(struct rq& queue, task_struct*) { update_curr_rt(queue); }

bool task_tick_rt(struct rq& queue) {
    update_curr_rt(queue);
    task_struct* task = queue.curr;
    if (task->policy != SCHED_RR || (task->rt.time_slice && --task->rt.time_slice)) return false;
    task->rt.time_slice = RR_TIMESLICE;
    list_head& list = queue.rt.queue[task->rt_priority];
    if (list.next == list.prev) return false; // alone
    requeue_task_rt(queue, task);
    return true;
}

/// Of a CPU: the priority of what runs there; idle and fair are below every realtime task. Read without the
/// lock, so a hint.
i32 running_priority(unsigned cpu) {
    const struct rq& queue = runqueues[cpu];
    if (u32 highest = rt_highest(queue)) return static_cast<i32>(highest);
    return __atomic_load_n(&queue.nr_running, __ATOMIC_RELAXED) ? 0 : -1;
}

/// The allowed CPU where the lowest runs, if that is below the task; else `none`.
unsigned find_lowest_rq(const task_struct& task, unsigned preferred, unsigned none) {
    unsigned best = none;
    i32 lowest = static_cast<i32>(task.rt_priority);
    for (unsigned n = 0; n < num_online_cpus(); n++) {
        unsigned cpu = (preferred + n) % num_online_cpus(); // the preferred one wins among equals
        if (!(task.cpus_mask >> cpu & 1)) continue;
        if (i32 priority = running_priority(cpu); priority < lowest) best = cpu, lowest = priority;
    }
    return best;
}

/// The highest that waits on a queue, is allowed on `cpu`, and is above `floor`; its registers are saved.
task_struct* pick_pushable(struct rq& queue, unsigned cpu, u32 floor) {
    for (u32 priority = highest_bit(queue.rt); priority > floor; priority--) {
        if (!(queue.rt.bitmap[priority / 64] >> priority % 64 & 1)) continue;
        for (LIST_EACH(node, queue.rt.queue[priority])) {
            task_struct* task = task_of_rt(node);
            if (task == queue.curr || __atomic_load_n(&task->on_cpu, __ATOMIC_ACQUIRE)) continue;
            if (task->cpus_mask >> cpu & 1) return task;
        }
    }
    return nullptr;
}

/// REQUIRES: both locks.
void move_task_rt(task_struct* task, struct rq& from, struct rq& to) {
    to.clock = max(to.clock, from.clock);
    dequeue_task_rt(from, task);
    set_task_cpu(task, to.cpu);
    enqueue_task_rt(to, task, false);
}

} // namespace

constinit bool sched_rt_throttled_once = false;
constinit u64 sysctl_sched_rt_period = 1'000'000'000, sysctl_sched_rt_runtime = 950'000'000;

const struct sched_class rt_sched_class = {
    "rt",
    enqueue_task_rt,
    dequeue_task_rt,
    yield_task_rt,
    check_preempt_curr_rt,
    pick_next_task_rt,
    put_prev_task_rt,
    task_tick_rt,
    update_curr_rt,
};

void init_rt_rq(struct rt_rq& rt) {
    for (list_head& list : rt.queue) list.initialise();
}

u32 rt_highest(const struct rq& queue) { return queue.rt.rt_throttled ? 0 : highest_bit(queue.rt); }

u32 select_task_rq_rt(task_struct* task) {
    u32 previous = task->cpu;
    if (num_online_cpus() == 1) return previous;
    bool here = task->cpus_mask >> previous & 1;
    // Its own CPU, where its caches are, if it runs there at once.
    if (here && running_priority(previous) < static_cast<i32>(task->rt_priority)) return previous;
    unsigned none =
        here ? previous
             : static_cast<unsigned>(__builtin_ctz(task->cpus_mask & ((1U << num_online_cpus()) - 1)));
    return find_lowest_rq(*task, previous, none);
}

void push_rt_tasks(struct rq& queue) {
    if (queue.rt.rt_nr_running < 2 || num_online_cpus() == 1) return;
    for (unsigned cpu = 0; cpu < num_online_cpus(); cpu++) {
        i32 running = running_priority(cpu);
        if (cpu == queue.cpu || !runqueues[cpu].lock.trylock_raw()) continue;
        struct rq& target = runqueues[cpu];
        running = running_priority(cpu);
        if (!target.rt.rt_throttled)
            if (task_struct* task = pick_pushable(queue, cpu, static_cast<u32>(max(running, 0)))) {
                move_task_rt(task, queue, target);
                resched(target);
            }
        target.lock.unlock_raw();
        if (queue.rt.rt_nr_running < 2) return;
    }
}

void pull_rt_tasks(struct rq& queue) {
    if (num_online_cpus() == 1 || queue.rt.rt_throttled) return;
    for (unsigned cpu = 0; cpu < num_online_cpus(); cpu++) {
        struct rq& source = runqueues[cpu];
        if (cpu == queue.cpu || __atomic_load_n(&source.rt.rt_nr_running, __ATOMIC_RELAXED) < 2 ||
            !source.lock.trylock_raw())
            continue;
        if (task_struct* task = pick_pushable(source, queue.cpu, rt_highest(queue)))
            move_task_rt(task, source, queue);
        source.lock.unlock_raw();
    }
}

void sched_rt_period_tick(struct rq& queue) {
    struct rt_rq& rt = queue.rt;
    if (!rt.rt_throttled && !rt.rt_time) return;
    (void)replenish(rt, queue.clock);
    if (!rt.rt_throttled || (rt.rt_time >= sysctl_sched_rt_runtime && sysctl_sched_rt_runtime)) return;
    rt.rt_throttled = false;
    if (rt.rt_nr_running) resched(queue);
}

} // namespace kernel
