// Tasks and CPUs: where a task wakes, and how queues are kept even. See scheduler.h.
//
// A CPU only pulls: the tick's softirq of a less loaded CPU takes tasks from the most loaded one, and a CPU
// that would go idle takes one first. Both locks are held while a task moves (by trylock of the second, so
// that two CPUs that pull from each other cannot wait for each other), so a task on a queue is always on
// exactly one.
#include "arch/x86_64/smp.h"
#include "irq/irq.h"
#include "lib/log.h"
#include "sched/fair_math.h"
#include "sched/scheduler.h"
#include "time/tick-sched.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

bool allowed(const task_struct& task, unsigned cpu) { return task.cpus_mask >> cpu & 1; }
bool idle_cpu(unsigned cpu) {
    const struct rq& queue = runqueues[cpu];
    return __atomic_load_n(&queue.nr_running, __ATOMIC_RELAXED) == 0;
}
u64 load_of(unsigned cpu) { return __atomic_load_n(&runqueues[cpu].cfs.load.weight, __ATOMIC_RELAXED); }

/// The CPU with the most load that has a task to give, or `self`.
unsigned find_busiest_queue(unsigned self) {
    unsigned best = self;
    u64 most = 0;
    for (unsigned cpu = 0; cpu < num_online_cpus(); cpu++) {
        if (cpu == self || __atomic_load_n(&runqueues[cpu].nr_running, __ATOMIC_RELAXED) < 2) continue;
        if (load_of(cpu) > most) best = cpu, most = load_of(cpu);
    }
    return best;
}

/// Moves queued tasks from `from` until the loads are even. REQUIRES: both locks. True when one moved.
bool detach_tasks(struct rq& from, struct rq& to) {
    bool moved = false;
    struct rb_node* node = from.cfs.tasks_timeline.rb_leftmost;
    for (unsigned looked = 0; node && looked < 32; looked++) {
        sched_entity* entity = container_of(node, sched_entity, run_node);
        node = rb_next(node);
        task_struct* task = task_of(entity);
        u64 weight = entity->load.weight;
        // Only if the difference shrinks: two equal tasks on three CPUs stay where they are.
        if (!allowed(*task, to.cpu) || from.cfs.load.weight < to.cfs.load.weight + 2 * weight) {
            if (!(to.nr_running == 0 && !moved && allowed(*task, to.cpu))) continue;
        }
        dequeue_task_fair(from, task);
        set_task_cpu(task, to.cpu);
        enqueue_task_fair(to, task, false);
        moved = true;
        if (from.nr_running < 2) break;
    }
    return moved;
}

void run_rebalance_domains() {
    if (num_online_cpus() == 1) return;
    bool interrupts = local_irq_save();
    struct rq& queue = runqueues[smp_processor_id()];
    unsigned busiest = find_busiest_queue(queue.cpu);
    if (busiest != queue.cpu) {
        queue.lock.lock_raw();
        if (runqueues[busiest].lock.trylock_raw()) {
            queue.clock = max(queue.clock, ktime_get_ns());
            runqueues[busiest].clock = max(runqueues[busiest].clock, ktime_get_ns());
            bool moved = detach_tasks(runqueues[busiest], queue);
            runqueues[busiest].lock.unlock_raw();
            if (moved && queue.curr == queue.idle)
                __atomic_fetch_or(&queue.curr->thread_flags, u32{_TIF_NEED_RESCHED}, __ATOMIC_ACQ_REL);
        }
        queue.lock.unlock_raw();
    }
    local_irq_restore(interrupts);
}

} // namespace

u32 select_task_rq(task_struct* task, bool fresh) {
    if (rt_task(*task)) return select_task_rq_rt(task);
    u32 previous = task->cpu;
    if (num_online_cpus() == 1) return previous;
    if (!fresh && allowed(*task, previous) && idle_cpu(previous)) return previous;
    u32 best = allowed(*task, previous) ? previous : ~0U;
    u64 least = best == ~0U ? ~u64{0} : load_of(best);
    for (unsigned cpu = 0; cpu < num_online_cpus(); cpu++) {
        if (!allowed(*task, cpu)) continue;
        if (idle_cpu(cpu)) return cpu;
        // A busy CPU is left only for one with clearly less to do.
        if ((fresh || best == ~0U) && load_of(cpu) < least) best = cpu, least = load_of(cpu);
    }
    return best == ~0U ? previous : best;
}

void set_task_cpu(task_struct* task, u32 cpu) {
    if (task->cpu == cpu) return;
    u64 from = __atomic_load_n(&runqueues[task->cpu].cfs.min_vruntime, __ATOMIC_RELAXED);
    u64 to = __atomic_load_n(&runqueues[cpu].cfs.min_vruntime, __ATOMIC_RELAXED);
    task->se.vruntime += to - from;
    task->se.exec_start = 0;
    task->nr_migrations++;
    __atomic_store_n(&task->cpu, cpu, __ATOMIC_RELEASE);
}

void newidle_balance(struct rq& queue) {
    unsigned busiest = find_busiest_queue(queue.cpu);
    if (busiest == queue.cpu || !runqueues[busiest].lock.trylock_raw()) return;
    runqueues[busiest].clock = max(runqueues[busiest].clock, ktime_get_ns());
    detach_tasks(runqueues[busiest], queue);
    runqueues[busiest].lock.unlock_raw();
}

/// A CPU whose tick is stopped does not look whether it could help: it is woken to, and its idle loop's
/// schedule() takes a task (newidle_balance).
static void nohz_balancer_kick(const struct rq& queue) {
    if (queue.nr_running < 2) return;
    if (u64 idle = nohz_idle_cpus_mask() & ~(u64{1} << queue.cpu))
        smp_send_reschedule(static_cast<unsigned>(__builtin_ctzll(idle)));
}

void trigger_load_balance(struct rq& queue) {
    if (num_online_cpus() == 1 || jiffies < queue.next_balance) return;
    nohz_balancer_kick(queue);
    queue.next_balance = jiffies + (queue.curr == queue.idle ? 1 : 4);
    raise_softirq(SCHED_SOFTIRQ);
}

void init_load_balance() { open_softirq(SCHED_SOFTIRQ, run_rebalance_domains); }

} // namespace kernel
