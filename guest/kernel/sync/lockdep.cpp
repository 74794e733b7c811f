// The validator; see lockdep.h. Its own lock is a bare flag: it cannot watch itself.
#include "sync/lockdep.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/traps.h"
#include "fs/proc/proc.h"
#include "lib/log.h"
#include "lib/string.h"
#include "sched/scheduler.h"
#include "setup.h"
#include "sync/spinlock.h"
#include "task/task.h"
#include "time/timekeeping.h"

namespace kernel {

constinit bool debug_locks = false;
constinit lock_class lock_classes[MAX_LOCKDEP_CLASSES] = {};
constinit u32 nr_lock_classes = 0;

namespace {

constinit unsigned nr_dependencies = 0, max_depth = 0;
constinit u32 graph_lock = 0;

/// Interrupts off, so that an interrupt's own acquisition cannot spin on us.
class GraphGuard {
public:
    GraphGuard() : interrupts_(local_irq_save()) {
        while (__atomic_exchange_n(&graph_lock, 1, __ATOMIC_ACQUIRE)) cpu_relax();
    }
    ~GraphGuard() {
        __atomic_store_n(&graph_lock, 0, __ATOMIC_RELEASE);
        local_irq_restore(interrupts_);
    }
    GraphGuard(const GraphGuard&) = delete;
    GraphGuard& operator=(const GraphGuard&) = delete;

private:
    bool interrupts_;
};

bool follows(const lock_class& from, const lock_class& to) {
    return from.locks_after[to.id / 64] >> (to.id % 64) & 1;
}

lock_class* register_lock_class(lockdep_map& map, unsigned subclass) {
    if (!subclass && map.class_cache) return map.class_cache;
    GraphGuard guard;
    lock_class* found = nullptr;
    for (unsigned i = 0; i < nr_lock_classes && !found; i++)
        if (lock_classes[i].subclass == subclass && strings_equal(lock_classes[i].name, map.name))
            found = &lock_classes[i];
    if (!found) {
        if (nr_lock_classes == MAX_LOCKDEP_CLASSES) return nullptr;
        found = &lock_classes[nr_lock_classes];
        found->name = map.name;
        found->id = static_cast<u16>(nr_lock_classes);
        found->subclass = static_cast<u8>(subclass);
        nr_lock_classes++;
    }
    if (!subclass) map.class_cache = found;
    return found;
}

const char* subclass_mark(const lock_class& cls) {
    return cls.subclass == 0 ? "" : cls.subclass == 1 ? "/1" : "/2";
}

void print_held_locks(const task_struct& task) {
    pr_warn("%u locks held by %s/%d:\n", task.lockdep_depth, task.comm, task.pid);
    for (unsigned i = 0; i < task.lockdep_depth; i++)
        pr_warn(" #%u: %016lx (%s%s)\n", i, reinterpret_cast<u64>(task.held_locks[i].instance),
                task.held_locks[i].hlock_class->name, subclass_mark(*task.held_locks[i].hlock_class));
}

/// One report, then the validator is off: what follows a wrong order means nothing.
void report(const char* what, const lock_class& taken, const lock_class* held) {
    debug_locks = false;
    task_struct& task = *get_current();
    pr_warn("======================================================\n");
    pr_warn("WARNING: %s\n", what);
    pr_warn("------------------------------------------------------\n");
    pr_warn("%s/%d is trying to acquire lock: (%s%s)\n", task.comm, task.pid, taken.name,
            subclass_mark(taken));
    if (held) pr_warn("but task is already holding lock: (%s%s)\n", held->name, subclass_mark(*held));
    print_held_locks(task);
    show_backtrace(reinterpret_cast<u64>(__builtin_return_address(0)),
                   *static_cast<u64*>(__builtin_frame_address(0)));
}

/// Is `to` reachable from `from`? Breadth first over the class graph. REQUIRES: the graph lock.
bool reachable(const lock_class& from, const lock_class& to) {
    u64 seen[ClassWords] = {};
    u16 queue[MAX_LOCKDEP_CLASSES];
    unsigned head = 0, tail = 0;
    queue[tail++] = from.id;
    seen[from.id / 64] |= u64{1} << (from.id % 64);
    while (head < tail) {
        const lock_class& at = lock_classes[queue[head++]];
        if (&at == &to) return true;
        for (unsigned word = 0; word < ClassWords; word++)
            for (u64 fresh = at.locks_after[word] & ~seen[word]; fresh; fresh &= fresh - 1) {
                unsigned id = word * 64 + static_cast<unsigned>(__builtin_ctzll(fresh));
                seen[word] |= fresh & -fresh;
                queue[tail++] = static_cast<u16>(id);
            }
    }
    return false;
}

/// True when a report was made.
bool check_prev_add(lock_class& held, lock_class& taken) {
    if (follows(held, taken)) return false;
    bool circle;
    {
        GraphGuard guard;
        circle = reachable(taken, held);
        if (!circle && !follows(held, taken)) {
            held.locks_after[taken.id / 64] |= u64{1} << (taken.id % 64);
            nr_dependencies++;
        }
    }
    if (circle) report("possible circular locking dependency detected", taken, &held);
    return circle;
}

u8 context_of(const task_struct& task) {
    if (task.preempt_count & (preempt::HardirqMask | preempt::NmiOffset)) return 2;
    return task.preempt_count & preempt::SoftirqOffset ? 1 : 0;
}

/// How the class is used with respect to interrupts; true when a report was made.
bool mark_lock(const task_struct& task, lock_class& cls, u8 context) {
    u8 bits = context == 2 ? UsedInHardirq : context == 1 ? UsedInSoftirq : 0;
    if (interrupts_enabled()) {
        bits |= EnabledHardirq;
        if (!(task.preempt_count & preempt::SoftirqMask)) bits |= EnabledSoftirq;
    }
    u8 all = cls.usage_mask | bits;
    if (all == cls.usage_mask) return false;
    __atomic_fetch_or(&cls.usage_mask, bits, __ATOMIC_RELAXED);
    if (((all & UsedInHardirq) && (all & EnabledHardirq)) ||
        ((all & UsedInSoftirq) && (all & EnabledSoftirq))) {
        report("inconsistent lock state: an interrupt takes a lock that is taken with interrupts on", cls,
               nullptr);
        return true;
    }
    return false;
}

u64 microseconds_x100(u64 cycles) { return tsc_khz ? cycles * 100'000 / tsc_khz : 0; }

held_lock* find_held(task_struct& task, const void* instance) {
    for (unsigned i = task.lockdep_depth; i-- > 0;)
        if (task.held_locks[i].instance == instance) return &task.held_locks[i];
    return nullptr;
}

} // namespace

void lockdep_init() {
    if (!command_line_flag("lockdep")) return;
    pr_info("Lock dependency validator: ... MAX_LOCK_DEPTH: %u, MAX_LOCKDEP_CLASSES: %u\n", MAX_LOCK_DEPTH,
            MAX_LOCKDEP_CLASSES);
    debug_locks = true;
}

void lock_acquire(lockdep_map& map, const void* instance, unsigned subclass, LockKind kind) {
    task_struct& task = *get_current();
    if (task.lockdep_recursion) return;
    task.lockdep_recursion++;
    lock_class* cls = register_lock_class(map, subclass);
    bool sleeping = kind >= LockKind::Sleep;
    bool trylock = kind == LockKind::SpinTry || kind == LockKind::SleepTry;
    bool read = kind == LockKind::SpinRead || kind == LockKind::SleepRead;
    if (!cls || task.lockdep_depth == MAX_LOCK_DEPTH) {
        debug_locks = false;
        pr_warn("lockdep: out of %s, turning off\n", cls ? "depth" : "classes");
    } else {
        u8 context = context_of(task);
        bool bad = !sleeping && mark_lock(task, *cls, context);
        for (unsigned i = 0; i < task.lockdep_depth && !bad && !trylock; i++) {
            held_lock& held = task.held_locks[i];
            if (held.context != context) continue;
            if (held.hlock_class == cls) {
                if (read && held.read) continue;
                report("possible recursive locking detected", *cls, held.hlock_class);
                bad = true;
            } else {
                bad = check_prev_add(*held.hlock_class, *cls);
            }
        }
        if (!bad) {
            u64 now = rdtsc();
            // An interrupt pushes and pops its own, so a slot that is written before it counts stays ours.
            bool interrupts = local_irq_save();
            task.held_locks[task.lockdep_depth++] = {cls, instance, now, now, context, read};
            local_irq_restore(interrupts);
            if (task.lockdep_depth > max_depth) max_depth = task.lockdep_depth;
        }
    }
    task.lockdep_recursion--;
}

void lock_contended(lockdep_map&, const void* instance) {
    held_lock* held = find_held(*get_current(), instance);
    if (held) held->hlock_class->stats[smp_processor_id()].contentions++;
}

void lock_acquired(lockdep_map&, const void* instance) {
    held_lock* held = find_held(*get_current(), instance);
    if (!held) return;
    u64 now = rdtsc();
    lock_class_stats& stats = held->hlock_class->stats[smp_processor_id()];
    stats.acquisitions++;
    // An uncontended lock has no waiting time, as in Linux.
    if (now - held->waittime_stamp > 2000) stats.waittime.add(now - held->waittime_stamp);
    held->holdtime_stamp = now;
}

void lock_release(lockdep_map&, const void* instance) {
    task_struct& task = *get_current();
    held_lock* held = find_held(task, instance);
    if (!held) return; // taken before the validator was on, or by the task that switched to us
    held->hlock_class->stats[smp_processor_id()].holdtime.add(rdtsc() - held->holdtime_stamp);
    bool interrupts = local_irq_save();
    unsigned slot = static_cast<unsigned>(held - task.held_locks);
    for (unsigned i = slot; i + 1 < task.lockdep_depth; i++) task.held_locks[i] = task.held_locks[i + 1];
    task.lockdep_depth--;
    local_irq_restore(interrupts);
}

void debug_check_no_locks_held(const char* where) {
    task_struct& task = *get_current();
    if (!debug_locks || !task.lockdep_depth) return;
    debug_locks = false;
    pr_warn("WARNING: lock held when %s: %s/%d\n", where, task.comm, task.pid);
    print_held_locks(task);
}

/// Linux's format, version 0.4: times in microseconds with two decimals.
void show_lock_stat(seq_file& out) {
    out.print("lock_stat version 0.4\n");
    for (unsigned i = 0; i < 23; i++) out.print("----------");
    out.print("\n");
    out.print("%40s %14s %14s %14s %14s %14s %14s %14s %14s %14s %14s %14s %14s\n\n", "class name",
              "con-bounces", "contentions", "waittime-min", "waittime-max", "waittime-total", "waittime-avg",
              "acq-bounces", "acquisitions", "holdtime-min", "holdtime-max", "holdtime-total",
              "holdtime-avg");
    auto times = [&](const lock_time& t) {
        u64 values[4] = {t.nr ? t.min : 0, t.max, t.total, t.nr ? t.total / t.nr : 0};
        for (u64 value : values) {
            u64 hundredths = microseconds_x100(value);
            out.print(" %11lu.%02lu", hundredths / 100, hundredths % 100);
        }
    };
    for (unsigned i = 0; i < nr_lock_classes; i++) {
        lock_class_stats sum = {};
        for (const lock_class_stats& cpu : lock_classes[i].stats) {
            sum.acquisitions += cpu.acquisitions, sum.contentions += cpu.contentions;
            auto merge = [](lock_time& to, const lock_time& from) {
                if (!from.nr) return;
                to.min = to.nr ? min(to.min, from.min) : from.min, to.max = max(to.max, from.max);
                to.total += from.total, to.nr += from.nr;
            };
            merge(sum.waittime, cpu.waittime);
            merge(sum.holdtime, cpu.holdtime);
        }
        if (!sum.acquisitions) continue;
        out.print("%37s%2s: %14u %14lu", lock_classes[i].name, subclass_mark(lock_classes[i]), 0,
                  sum.contentions);
        times(sum.waittime);
        out.print(" %14u %14lu", 0, sum.acquisitions);
        times(sum.holdtime);
        out.print("\n");
    }
}

void show_lockdep_stats(seq_file& out) {
    out.print(" lock-classes:                  %11u [max: %u]\n direct dependencies:           %11u\n",
              nr_lock_classes, MAX_LOCKDEP_CLASSES, nr_dependencies);
    out.print(" max locking depth:             %11u\n debug_locks:                   %11u\n", max_depth,
              static_cast<unsigned>(debug_locks));
}

} // namespace kernel
