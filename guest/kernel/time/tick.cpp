// What a tick does; see tick.h.
#include "time/tick.h"

#include "lib/log.h"
#include "sched/scheduler.h"
#include "time/clockevents.h"
#include "time/itimer.h"
#include "time/tick-sched.h"
#include "time/timekeeping.h"

namespace kernel {

constinit struct kernel_cpustat cpu_times[NR_CPUS] = {};

namespace {

constinit pt_regs* __irq_regs[NR_CPUS] = {};

/// RLIMIT_CPU: SIGXCPU each second from the soft limit on, SIGKILL at the hard one.
void check_cpu_limit(task_struct& task) {
    signal_struct* shared = task.signal;
    if (!shared) return;
    u64 ticks = __atomic_add_fetch(&shared->cpu_ticks, 1, __ATOMIC_RELAXED);
    struct rlimit& limit = shared->rlim[RLIMIT_CPU];
    u64 soft = __atomic_load_n(&limit.rlim_cur, __ATOMIC_RELAXED);
    if (soft == RLIM_INFINITY || ticks % HZ || ticks / HZ < soft) return;
    if (ticks / HZ >= __atomic_load_n(&limit.rlim_max, __ATOMIC_RELAXED)) {
        (void)do_send_sig_info(SIGKILL, nullptr, &task, PIDTYPE_TGID);
        return;
    }
    (void)do_send_sig_info(SIGXCPU, nullptr, &task, PIDTYPE_TGID);
    __atomic_store_n(&limit.rlim_cur, soft + 1, __ATOMIC_RELAXED);
}

void account_process_tick(bool user) {
    struct kernel_cpustat& times = cpu_times[smp_processor_id()];
    task_struct* task = get_current();
    if (!task->is_kernel_thread()) {
        check_cpu_limit(*task);
        check_cpu_itimers(*task, user);
    }
    if (user) {
        task->utime++;
        (task->nice > 0 ? times.nice : times.user)++;
    } else if (task->flags & PF_IDLE) {
        times.idle++;
    } else {
        task->stime++;
        times.system++;
    }
}

} // namespace

pt_regs* get_irq_regs() { return __irq_regs[smp_processor_id()]; }
pt_regs* set_irq_regs(pt_regs* frame) {
    pt_regs*& slot = __irq_regs[smp_processor_id()];
    pt_regs* old = slot;
    slot = frame;
    return old;
}

void update_process_times(bool user) {
    account_process_tick(user);
    run_local_timers();
    // A reader has preemption off: what the tick interrupted with it on holds nothing. The idle task has it
    // off, and holds nothing either.
    bool idle = get_current()->flags & PF_IDLE;
    rcu_sched_clock_irq(preempt_count() == preempt::HardirqOffset + (idle ? 1 : 0));
    scheduler_tick();
}

void tick_handle_periodic(clock_event_device&) {
    tick_do_update_jiffies64(ktime_get());
    update_process_times(get_irq_regs()->from_user());
}

} // namespace kernel
