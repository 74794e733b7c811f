// Stoppers under test before init runs (torture=SECONDS): works run on their CPU, above everything else, and
// nothing moves while the machine stands still.
#include "lib/log.h"
#include "mm/reclaim.h"
#include "sched/scheduler.h"
#include "sched/stop_machine.h"
#include "sync/torture.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

constinit u64 counters[NR_CPUS] = {};
constinit u32 busy = 0, stop_counting = 0;

void check(bool good, const char* what) {
    if (!good) panic("torture: stop_machine: %s", what);
}

void count(void* number) {
    u64& counter = counters[reinterpret_cast<u64>(number)];
    while (!__atomic_load_n(&stop_counting, __ATOMIC_RELAXED))
        __atomic_fetch_add(&counter, 1, __ATOMIC_RELAXED);
    __atomic_fetch_sub(&busy, 1, __ATOMIC_ACQ_REL);
    do_exit(0);
}
u64 sum() {
    u64 total = 0;
    for (const u64& counter : counters) total += __atomic_load_n(&counter, __ATOMIC_RELAXED);
    return total;
}

int nothing_moves(void* data) {
    check(!interrupts_enabled(), "interrupts are on");
    u64 before = sum();
    udelay(50);
    check(sum() == before, "something ran while the machine stood still");
    ++*static_cast<u32*>(data);
    return 7;
}
int which_cpu(void* data) {
    check(get_current()->sched_class == &stop_sched_class, "not in the stopper");
    *static_cast<u32*>(data) = smp_processor_id();
    return 0;
}

} // namespace

void torture_stop() {
    for (u64 i = 0; i < num_online_cpus(); i++) {
        __atomic_fetch_add(&busy, 1, __ATOMIC_ACQ_REL);
        if (!kthread_run(count, reinterpret_cast<void*>(i), "torture_count").ok())
            panic("torture: no thread");
    }
    u32 runs = 0;
    for (unsigned i = 0; i < 20; i++) {
        check(stop_machine(nothing_moves, &runs) == 7, "the function's result is lost");
        for (u32 cpu = 0; cpu < num_online_cpus(); cpu++) {
            u32 seen = ~0U;
            stop_one_cpu(cpu, which_cpu, &seen);
            check(seen == cpu, "the wrong CPU was stopped");
        }
        schedule_timeout_idle(1);
    }
    check(runs == 20, "the function ran more than once");
    __atomic_store_n(&stop_counting, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&busy, __ATOMIC_ACQUIRE)) schedule_timeout_idle(1);
    pr_info("torture: stop_machine: %u times, %lu counted between\n", runs, sum());
}

} // namespace kernel
