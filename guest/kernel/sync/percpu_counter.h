// A counter that many CPUs change: each adds to its own share, and a share that grows beyond the batch goes
// to the sum.
//
// read() is off by at most batch × CPUs; sum() is exact for additions that happened before it.
#pragma once

#include "mm/layout.h"
#include "sync/spinlock.h"

namespace kernel {

struct percpu_counter {
    static constexpr i32 Batch = 32;

    void add(i64 amount) {
        preempt_disable();
        i32& share = counters[smp_processor_id()];
        // An interrupt may add between the load and the store: one atomic (not locked) instruction is enough,
        // but the compiler offers none, so the locked one is taken.
        i32 now = __atomic_add_fetch(&share, static_cast<i32>(amount), __ATOMIC_RELAXED);
        if (now >= Batch || now <= -Batch)
            __atomic_fetch_add(&count, __atomic_exchange_n(&share, 0, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
        preempt_enable();
    }
    void inc() { add(1); }
    void dec() { add(-1); }
    i64 read() const { return __atomic_load_n(&count, __ATOMIC_RELAXED); }
    u64 read_positive() const { return read() > 0 ? static_cast<u64>(read()) : 0; }
    i64 sum() const {
        i64 total = read();
        for (const i32& share : counters) total += __atomic_load_n(&share, __ATOMIC_RELAXED);
        return total;
    }

    i64 count = 0;
    i32 counters[NR_CPUS] = {};
};

} // namespace kernel
