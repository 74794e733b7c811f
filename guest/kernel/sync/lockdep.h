// The lock-order validator (after Linux's lockdep), and the figures of /proc/lock_stat.
//
// Every lock belongs to a class, named where the lock is declared. While a task holds a lock of class A and
// takes one of class B, the pair A → B is remembered. A pair that would close a circle is reported the first
// time that it is seen, even if nothing hangs: two tasks that take the pairs at the same time would. Also
// reported: a lock taken twice by its holder, and a class that an interrupt (or softirq) takes while it is
// elsewhere taken with interrupts (softirqs) on.
//
// Off unless the command line says `lockdep`: then `debug_locks` is true until the first report.
#pragma once

#include "lib/types.h"
#include "mm/layout.h"

namespace kernel {

struct lock_class;
struct task_struct;
struct seq_file;

/// What a lock carries: its class's name, and the class once it is known.
struct lockdep_map {
    const char* name;
    lock_class* class_cache;
};

enum class LockKind : u8 { Spin, SpinTry, SpinRead, Sleep, SleepTry, SleepRead };

/// One lock that a task holds.
struct held_lock {
    lock_class* hlock_class;
    const void* instance;
    u64 waittime_stamp; ///< when it was asked for
    u64 holdtime_stamp; ///< when it was had
    u8 context;         ///< 0 task, 1 softirq, 2 hardirq: orders of different contexts are different chains
    u8 read;
};
inline constexpr unsigned MAX_LOCK_DEPTH = 24;

/// Locks of one declaration that are used in different orders are of different classes. Before the first use.
template <typename Lock> void lockdep_set_class(Lock& lock, const char* name) {
    lock.dep_map = {name, nullptr};
}

inline constexpr unsigned MAX_LOCKDEP_CLASSES = 192, ClassWords = MAX_LOCKDEP_CLASSES / 64;

/// Times are TSC cycles until they are printed.
struct lock_time {
    u64 min, max, total, nr; ///< min means something when nr does
    void add(u64 value) {
        min = !nr || value < min ? value : min;
        max = value > max ? value : max;
        total += value;
        nr++;
    }
};
struct lock_class_stats {
    u64 acquisitions, contentions;
    lock_time waittime, holdtime;
};
enum LockUsage : u8 { UsedInHardirq = 1, UsedInSoftirq = 2, EnabledHardirq = 4, EnabledSoftirq = 8 };

struct lock_class {
    const char* name;
    u16 id;
    u8 subclass;
    u8 usage_mask;
    u64 locks_after[ClassWords]; ///< classes that were taken while this one was held
    lock_class_stats stats[NR_CPUS];
};
/// For inspection; they change under the validator's own lock.
extern lock_class lock_classes[MAX_LOCKDEP_CLASSES];
extern u32 nr_lock_classes;

extern bool debug_locks;
void lockdep_init();
/// Before a lock is waited for.
void lock_acquire(lockdep_map& map, const void* instance, unsigned subclass, LockKind kind);
/// The lock was not free: it counts as contended.
void lock_contended(lockdep_map& map, const void* instance);
/// After it was had.
void lock_acquired(lockdep_map& map, const void* instance);
void lock_release(lockdep_map& map, const void* instance);
/// A task ends or returns to user mode: it must hold nothing.
void debug_check_no_locks_held(const char* where);

void show_lock_stat(seq_file& out);
void show_lockdep_stats(seq_file& out);

} // namespace kernel
