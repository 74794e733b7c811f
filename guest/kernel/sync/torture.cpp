// See torture.h. Threads that are not bound take each kind of lock in turn; inside, they check what the lock
// promises.
#include "sync/torture.h"

#include "lib/log.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/scheduler.h"
#include "setup.h"
#include "sync/mutex.h"
#include "sync/percpu_counter.h"
#include "sync/rcu.h"
#include "sync/rwlock.h"
#include "sync/rwsem.h"
#include "sync/wait_queue.h"
#include "task/task.h"
#include "time/tick.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

constexpr unsigned Threads = 12;

/// Two words that differ only while somebody is inside.
struct Pair {
    volatile u64 first, second;
    void write() {
        first = first + 1;
        for (volatile unsigned i = 0; i < 20; i = i + 1) {
        }
        second = second + 1;
    }
    bool torn() const { return first != second; }
};

constinit struct mutex torture_mutex{"torture_mutex"};
constinit rw_semaphore torture_rwsem{"torture_rwsem"};
constinit semaphore torture_sem{"torture_sem", 3};
constinit spinlock_t torture_spin{"torture_spin"};
constinit rwlock_t torture_rwlock{"torture_rwlock"};
constinit seqlock_t torture_seq{"torture_seq"};
constinit percpu_counter torture_counter = {};
constinit Pair by_mutex = {}, by_rwsem = {}, by_spin = {}, by_rwlock = {}, by_seq = {};
constinit u32 inside_sem = 0;

struct Version {
    rcu_head head; ///< first: the callback gets it
    u64 number;
    u64 alive; ///< cleared by the callback
};
constexpr u64 Alive = 0x616c69766521;
constinit Version* current_version = nullptr;
constinit struct mutex version_lock{"torture_version"};

constinit u64 end_time = 0;
constinit u64 operations[8] = {};
constinit u32 running = 0;
constinit wait_queue_head finished{"torture_finished"};

/// Two tasks that hand a turn to and fro: a lost wake-up hangs them.
constinit wait_queue_head turn_queue{"torture_turn"};
constinit u32 turn = 0;

void check(bool good, const char* what) {
    if (!good) panic("torture: %s", what);
}

void free_version(rcu_head* head) {
    auto* version = reinterpret_cast<Version*>(head);
    version->alive = 0;
    kfree(version);
}

void replace_version() {
    auto* fresh = make<Version>();
    if (!fresh) return;
    fresh->alive = Alive;
    MutexGuard guard(version_lock);
    Version* old = current_version;
    fresh->number = old ? old->number + 1 : 1;
    rcu_assign_pointer(current_version, fresh);
    if (old) call_rcu(&old->head, free_version);
}

void one_round(u64 random) {
    switch (random % 10) {
    case 0: {
        MutexGuard guard(torture_mutex);
        check(!by_mutex.torn(), "two in a mutex");
        by_mutex.write();
        if (random % 64 == 0) schedule();
        break;
    }
    case 1: {
        WriteGuard guard(torture_rwsem);
        check(!by_rwsem.torn(), "two writers in a rwsem");
        by_rwsem.write();
        break;
    }
    case 2:
    case 3: {
        ReadGuard guard(torture_rwsem);
        check(!by_rwsem.torn(), "a reader beside a writer in a rwsem");
        break;
    }
    case 4: {
        down(torture_sem);
        check(__atomic_add_fetch(&inside_sem, 1, __ATOMIC_ACQ_REL) <= 3, "four in a semaphore of three");
        __atomic_sub_fetch(&inside_sem, 1, __ATOMIC_ACQ_REL);
        up(torture_sem);
        break;
    }
    case 5: {
        IrqSpinGuard guard(torture_spin);
        check(!by_spin.torn(), "two in a spin lock");
        by_spin.write();
        break;
    }
    case 6: {
        bool interrupts = local_irq_save();
        preempt_disable();
        if (random % 4) {
            torture_rwlock.read_lock_raw();
            check(!by_rwlock.torn(), "a reader beside a writer in a rwlock");
            torture_rwlock.read_unlock_raw();
        } else {
            torture_rwlock.write_lock_raw();
            check(!by_rwlock.torn(), "two writers in a rwlock");
            by_rwlock.write();
            torture_rwlock.write_unlock_raw();
        }
        local_irq_restore(interrupts);
        preempt_enable();
        break;
    }
    case 7: {
        if (random % 8 == 0) {
            SeqWriteGuard guard(torture_seq);
            by_seq.write();
            break;
        }
        u64 first, second;
        u32 start;
        do {
            start = torture_seq.seqcount.read_begin();
            first = by_seq.first, second = by_seq.second;
        } while (torture_seq.seqcount.read_retry(start));
        check(first == second, "a torn read under a seqlock");
        break;
    }
    case 8: {
        if (random % 16 == 0) replace_version();
        RcuReadGuard guard;
        Version* version = rcu_dereference(current_version);
        u64 number = version->number;
        for (volatile unsigned i = 0, n = random % 512 ? 50 : 60000; i < n; i = i + 1) {
        } // some outlive a tick
        check(version->alive == Alive && version->number == number, "RCU freed what a reader holds");
        break;
    }
    default: torture_counter.inc();
    }
    __atomic_fetch_add(&operations[random % 10 < 8 ? random % 10 : 7], 1, __ATOMIC_RELAXED);
}

void torture_thread(void* context) {
    u64 random = reinterpret_cast<u64>(context) * 0x9e37'79b9'7f4a'7c15 + 1;
    while (ktime_get_ns() < end_time) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        one_round(random);
        if (random % 4096 == 0) synchronize_rcu();
    }
    __atomic_sub_fetch(&running, 1, __ATOMIC_ACQ_REL);
    finished.wake_all();
    do_exit(0);
}

void turn_thread(void* context) {
    u32 mine = static_cast<u32>(reinterpret_cast<u64>(context));
    while (ktime_get_ns() < end_time) {
        turn_queue.wait([mine] {
            return __atomic_load_n(&turn, __ATOMIC_ACQUIRE) % 2 == mine || ktime_get_ns() >= end_time;
        });
        __atomic_add_fetch(&turn, 1, __ATOMIC_ACQ_REL);
        turn_queue.wake_all();
    }
    __atomic_sub_fetch(&running, 1, __ATOMIC_ACQ_REL);
    turn_queue.wake_all();
    finished.wake_all();
    do_exit(0);
}

} // namespace

void torture_locks() {
    char text[8];
    if (!command_line_value("torture", text, sizeof text)) return;
    u64 seconds = clamp<u64>(parse_number(text, nullptr), 1, 3600);
    torture_workqueues();
    torture_stop();
    end_time = ktime_get_ns() + seconds * 1'000'000'000;
    replace_version();
    running = Threads + 2;
    for (u64 i = 0; i < Threads; i++)
        if (!kthread_run(torture_thread, reinterpret_cast<void*>(i + 1), "torture").ok())
            panic("torture: no thread");
    for (u64 i = 0; i < 2; i++)
        if (!kthread_run(turn_thread, reinterpret_cast<void*>(i), "torture_turn").ok())
            panic("torture: no thread");
    finished.wait([] { return __atomic_load_n(&running, __ATOMIC_ACQUIRE) == 0; });
    synchronize_rcu();
    u64 total = 0;
    for (u64 count : operations) total += count;
    pr_info(
        "torture: %lu s on %u CPUs: %lu operations, %lu turns, %lu grace periods, counter %ld, no error\n",
        seconds, num_online_cpus(), total, u64{turn}, rcu_grace_periods, torture_counter.sum());
}

} // namespace kernel
