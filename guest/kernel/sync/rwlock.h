// Spinning locks beside spinlock_t: rwlock_t (many readers or one writer) and seqlock_t (readers never block
// a writer: they read again when one was there).
//
// rwlock_t is fair: a comer waits behind the ticket of whoever came before it, and a reader gives the ticket
// on as soon as it is in, so that the next reader follows at once. A reader in an interrupt handler on the
// same CPU does not draw a ticket (it would wait for the writer that waits for the interrupted reader): it
// only waits for a writer that is inside.
#pragma once

#include "sync/spinlock.h"

namespace kernel {

class rwlock_t {
public:
    explicit constexpr rwlock_t(const char* name) : wait_(name) {}
    void read_lock_raw() {
        if (preempt_count() & 0xf'ff00) { // hardirq or softirq
            __atomic_fetch_add(&readers_, 1, __ATOMIC_ACQUIRE);
            while (__atomic_load_n(&writer_, __ATOMIC_ACQUIRE)) cpu_relax();
            return;
        }
        wait_.lock_raw();
        __atomic_fetch_add(&readers_, 1, __ATOMIC_ACQUIRE);
        wait_.unlock_raw();
    }
    void read_unlock_raw() { __atomic_fetch_sub(&readers_, 1, __ATOMIC_RELEASE); }
    /// REQUIRES: interrupts off, when an interrupt handler reads.
    void write_lock_raw() {
        wait_.lock_raw();
        for (;;) {
            while (__atomic_load_n(&readers_, __ATOMIC_ACQUIRE)) cpu_relax();
            __atomic_store_n(&writer_, 1, __ATOMIC_SEQ_CST);
            if (!__atomic_load_n(&readers_, __ATOMIC_SEQ_CST)) return;
            __atomic_store_n(&writer_, 0,
                             __ATOMIC_RELEASE); // an interrupt's reader came in between: it goes first
        }
    }
    void write_unlock_raw() {
        __atomic_store_n(&writer_, 0, __ATOMIC_RELEASE);
        wait_.unlock_raw();
    }

private:
    spinlock_t wait_; ///< held by a writer throughout, by a reader while it enters
    u32 readers_ = 0;
    u32 writer_ = 0;
};

/// The counter alone: writers are serialised by somebody else. Odd while a write is going on.
struct seqcount_t {
    u32 sequence = 0;

    u32 read_begin() const {
        for (;;) {
            u32 start = __atomic_load_n(&sequence, __ATOMIC_ACQUIRE);
            if (!(start & 1)) return start;
            cpu_relax();
        }
    }
    /// True: what was read may be torn, read it again.
    bool read_retry(u32 start) const {
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        return __atomic_load_n(&sequence, __ATOMIC_RELAXED) != start;
    }
    void write_begin() {
        __atomic_store_n(&sequence, sequence + 1, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_RELEASE);
    }
    void write_end() { __atomic_store_n(&sequence, sequence + 1, __ATOMIC_RELEASE); }
};

struct seqlock_t {
    explicit constexpr seqlock_t(const char* name) : lock(name) {}
    seqcount_t seqcount;
    spinlock_t lock;
};
/// Writes with interrupts off: a reader in an interrupt on the writer's CPU would spin for ever.
class SeqWriteGuard {
public:
    explicit SeqWriteGuard(seqlock_t& seqlock) : seqlock_(seqlock), guard_(seqlock.lock) {
        seqlock_.seqcount.write_begin();
    }
    ~SeqWriteGuard() { seqlock_.seqcount.write_end(); }
    SeqWriteGuard(const SeqWriteGuard&) = delete;
    SeqWriteGuard& operator=(const SeqWriteGuard&) = delete;

private:
    seqlock_t& seqlock_;
    IrqSpinGuard guard_;
};

} // namespace kernel
