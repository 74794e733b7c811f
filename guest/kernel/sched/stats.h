// What the scheduler counts: waiting times (sched_info), and events of each queue. After Linux's
// kernel/sched/stats.h. REQUIRES for all: the queue's lock, and its clock is up to date.
#pragma once

#include "sched/scheduler.h"

namespace kernel {

inline void sched_info_enqueue(const struct rq& queue, task_struct* task) {
    if (!task->sched_info.last_queued) task->sched_info.last_queued = queue.clock;
}

/// It waits no more: it runs, or has left.
inline void sched_info_dequeue(struct rq& queue, task_struct* task) {
    if (!task->sched_info.last_queued) return;
    u64 delta = queue.clock - task->sched_info.last_queued;
    task->sched_info.last_queued = 0;
    if (static_cast<i64>(delta) < 0) return; // queued by another CPU's clock
    task->sched_info.run_delay += delta;
    queue.rq_sched_info.run_delay += delta;
}

inline void sched_info_switch(struct rq& queue, task_struct* previous, task_struct* next) {
    if (previous != queue.idle) {
        u64 delta = queue.clock - previous->sched_info.last_arrival;
        if (static_cast<i64>(delta) > 0) queue.rq_cpu_time += delta;
        if (previous->se.on_rq) sched_info_enqueue(queue, previous);
    }
    if (next == queue.idle) {
        queue.sched_goidle++;
        return;
    }
    sched_info_dequeue(queue, next);
    next->sched_info.last_arrival = queue.clock;
    next->sched_info.pcount++;
    queue.rq_sched_info.pcount++;
}

} // namespace kernel
