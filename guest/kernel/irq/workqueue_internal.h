// What workqueue.cpp (queueing) and workers.cpp (running) know of each other. REQUIRES: the pool's lock,
// where nothing else is said.
#pragma once

#include "irq/workqueue.h"

namespace kernel {

extern bool workqueue_online; ///< there are workers
/// For torture_workqueues(): no worker can be had.
extern bool workqueue_fail_workers;
extern spinlock_t wq_mayday_lock; ///< workqueue_struct::maydays; inside a pool's lock

/// Works wait, and nobody works at them.
inline bool need_more_worker(const worker_pool& pool) { return !pool.worklist.empty() && !pool.nr_running; }
void wake_up_worker(worker_pool& pool);
worker* find_worker_executing_work(worker_pool& pool, const work_struct& work);
/// A work that waited for its workqueue's limit goes to the pool.
void pwq_activate_work(pool_workqueue& pwq, work_struct& work);
/// One of its works is over, or cancelled.
void pwq_dec_nr_in_flight(pool_workqueue& pwq, u8 color);

// Without it:
void init_worker_pool(worker_pool& pool, u32 index);
void start_rescuer(workqueue_struct& wq);
void start_rescuers();
void stop_rescuer(workqueue_struct& wq);

} // namespace kernel
