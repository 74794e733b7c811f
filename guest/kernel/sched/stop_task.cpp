// The stop class: before all others, one task a CPU (sched/stop_machine.h). Nothing preempts it, and it has
// no slice.
#include "sched/scheduler.h"

namespace kernel {
namespace {

void update_curr_stop(struct rq& queue) {
    task_struct* task = queue.curr;
    if (task->sched_class != &stop_sched_class) return;
    i64 delta = static_cast<i64>(queue.clock - task->se.exec_start);
    task->se.exec_start = queue.clock;
    if (delta > 0) task->se.sum_exec_runtime += static_cast<u64>(delta);
}

void enqueue_task_stop(struct rq& queue, task_struct* task, bool) {
    queue.nr_running++;
    __atomic_store_n(&task->se.on_rq, 1, __ATOMIC_RELEASE);
}
void dequeue_task_stop(struct rq& queue, task_struct* task) {
    update_curr_stop(queue);
    queue.nr_running--;
    __atomic_store_n(&task->se.on_rq, 0, __ATOMIC_RELEASE);
}
void yield_task_stop(struct rq&) {} // it goes on
bool check_preempt_curr_stop(struct rq&, task_struct*) { return false; }

task_struct* pick_next_task_stop(struct rq& queue) {
    if (!queue.stop || !queue.stop->se.on_rq) return nullptr;
    queue.stop->se.exec_start = queue.clock;
    return queue.stop;
}
void put_prev_task_stop(struct rq& queue, task_struct*) { update_curr_stop(queue); }
bool task_tick_stop(struct rq& queue) {
    update_curr_stop(queue);
    return false;
}

} // namespace

const struct sched_class stop_sched_class = {
    "stop",
    enqueue_task_stop,
    dequeue_task_stop,
    yield_task_stop,
    check_preempt_curr_stop,
    pick_next_task_stop,
    put_prev_task_stop,
    task_tick_stop,
    update_curr_stop,
};

} // namespace kernel
