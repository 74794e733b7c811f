// A test of the locks themselves, on every CPU at once (as Linux's locktorture and rcutorture): command line
// torture=SECONDS.
#pragma once

namespace kernel {

/// Runs before init when the command line asks for it; panics when a lock let two in, or a reader saw freed
/// memory.
void torture_locks();
/// The same of workqueues (irq/torture_workqueue.cpp); part of it.
void torture_workqueues();
/// And of the stoppers (sched/torture_stop.cpp).
void torture_stop();

} // namespace kernel
