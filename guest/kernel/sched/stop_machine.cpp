// The stoppers; see stop_machine.h.
#include "sched/stop_machine.h"

#include "lib/format.h"
#include "lib/log.h"
#include "sched/scheduler.h"
#include "sync/mutex.h"

namespace kernel {

constinit cpu_stopper cpu_stoppers[NR_CPUS] = {};

namespace {

constinit mutex stop_cpus_mutex{"stop_cpus_mutex"};

void cpu_stop_signal_done(cpu_stop_done* done) {
    if (done && __atomic_sub_fetch(&done->nr_todo, 1, __ATOMIC_ACQ_REL) == 0) done->completion.complete();
}

void cpu_stop_queue_work(unsigned cpu, cpu_stop_work& work) {
    cpu_stopper& stopper = cpu_stoppers[cpu];
    {
        IrqSpinGuard guard(stopper.lock);
        if (!stopper.works.next) stopper.works.initialise();
        stopper.works.push_back(&work.list);
    }
    if (stopper.thread) wake_up_process(stopper.thread);
}

void cpu_stopper_thread(void* argument) {
    auto& stopper = *static_cast<cpu_stopper*>(argument);
    unsigned cpu = static_cast<unsigned>(&stopper - cpu_stoppers);
    kthread_bind(cpu);
    stopper.thread = get_current(); // before it looks: who finds null has queued in time
    sched_set_stop_task(cpu, get_current());
    for (;;) {
        set_current_state(TASK_INTERRUPTIBLE);
        cpu_stop_work* work = nullptr;
        {
            IrqSpinGuard guard(stopper.lock);
            if (list_head* node = stopper.works.pop_front()) work = container_of(node, cpu_stop_work, list);
        }
        if (!work) {
            schedule();
            continue;
        }
        set_current_state(TASK_RUNNING);
        cpu_stop_fn_t fn = work->fn;
        void* arg = work->arg;
        cpu_stop_done* done = work->done;
        preempt_disable();
        int ret = fn(arg); // behind it a work without `done` may be queued again
        preempt_enable();
        stopper.executed++;
        if (done && ret) done->ret = ret;
        cpu_stop_signal_done(done);
    }
}

/// How far all CPUs are, together.
enum multi_stop_state : u32 {
    MULTI_STOP_NONE,
    MULTI_STOP_PREPARE,
    MULTI_STOP_DISABLE_IRQ,
    MULTI_STOP_RUN,
    MULTI_STOP_EXIT
};
struct multi_stop_data {
    cpu_stop_fn_t fn;
    void* data;
    unsigned active; ///< the CPU that runs it
    u32 threads;
    u32 state;
    u32 thread_ack;
};
void set_state(multi_stop_data& msdata, u32 state) {
    __atomic_store_n(&msdata.thread_ack, msdata.threads, __ATOMIC_RELAXED);
    __atomic_store_n(&msdata.state, state, __ATOMIC_RELEASE);
}
/// The last one to reach a state moves all to the next.
void ack_state(multi_stop_data& msdata) {
    if (__atomic_sub_fetch(&msdata.thread_ack, 1, __ATOMIC_ACQ_REL) == 0) set_state(msdata, msdata.state + 1);
}

int multi_cpu_stop(void* arg) {
    auto& msdata = *static_cast<multi_stop_data*>(arg);
    bool interrupts = interrupts_enabled();
    u32 current = MULTI_STOP_NONE;
    int result = 0;
    do {
        cpu_relax();
        u32 next = __atomic_load_n(&msdata.state, __ATOMIC_ACQUIRE);
        if (next == current) continue;
        current = next;
        if (current == MULTI_STOP_DISABLE_IRQ) local_irq_disable();
        if (current == MULTI_STOP_RUN && smp_processor_id() == msdata.active) result = msdata.fn(msdata.data);
        ack_state(msdata); // the last acknowledgement of EXIT sets a state that nobody looks at
    } while (current != MULTI_STOP_EXIT);
    local_irq_restore(interrupts);
    return result;
}

} // namespace

void cpu_stop_init() {
    for (unsigned cpu = 0; cpu < num_online_cpus(); cpu++) {
        char name[16];
        format_text(name, sizeof name, "migration/%u", cpu);
        cpu_stopper& stopper = cpu_stoppers[cpu];
        if (!stopper.works.next) stopper.works.initialise();
        if (!kthread_run(cpu_stopper_thread, &stopper, name).ok()) panic("no stopper for CPU%u", cpu);
    }
}

int stop_one_cpu(unsigned cpu, cpu_stop_fn_t fn, void* arg) {
    might_sleep();
    cpu_stop_done done;
    done.nr_todo = 1;
    cpu_stop_work work{{}, fn, arg, &done};
    cpu_stop_queue_work(cpu, work);
    wait_for_completion(done.completion);
    return done.ret;
}

void stop_one_cpu_nowait(unsigned cpu, cpu_stop_fn_t fn, void* arg, cpu_stop_work& work) {
    work.fn = fn, work.arg = arg, work.done = nullptr;
    cpu_stop_queue_work(cpu, work);
}

int stop_machine(cpu_stop_fn_t fn, void* data) {
    might_sleep();
    MutexGuard one(stop_cpus_mutex);
    u32 count = num_online_cpus();
    multi_stop_data msdata = {fn, data, 0, count, MULTI_STOP_NONE, 0};
    set_state(msdata, MULTI_STOP_PREPARE);
    cpu_stop_done done;
    done.nr_todo = count;
    cpu_stop_work works[NR_CPUS];
    preempt_disable(); // all are queued before any of them spins here
    for (u32 cpu = 0; cpu < count; cpu++) {
        works[cpu].fn = multi_cpu_stop, works[cpu].arg = &msdata, works[cpu].done = &done;
        cpu_stop_queue_work(cpu, works[cpu]);
    }
    preempt_enable();
    wait_for_completion(done.completion);
    return done.ret;
}

} // namespace kernel
