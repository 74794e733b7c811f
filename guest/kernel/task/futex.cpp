// See futex.h.
#include "task/futex.h"

#include "arch/x86_64/user_access.h"
#include "fs/vfs.h"
#include "mm/memory_struct.h"
#include "mm/page.h"
#include "mm/page_walk.h"
#include "sched/scheduler.h"
#include "task/task.h"
#include "time/tick.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

struct futex_key {
    u64 object = 0; ///< mm, inode or page frame
    u64 offset = 0;
    bool operator==(const futex_key& other) const { return object == other.object && offset == other.offset; }
};

struct futex_hash_bucket {
    spinlock_t lock{"futex_bucket"};
    list_head chain;
};

struct futex_q {
    list_head list;
    task_struct* task;
    futex_key key;
    u32 bitset;
    futex_hash_bucket*
        bucket; ///< changes under both buckets' locks when the waiter is requeued; null once woken
};

constexpr unsigned Buckets = 64;
struct BucketTable {
    futex_hash_bucket buckets[Buckets];
};
constinit BucketTable futex_queues = {};

futex_hash_bucket& hash_bucket(const futex_key& key) {
    u64 mixed = (key.object ^ key.offset) * 0x9e37'79b9'7f4a'7c15;
    return futex_queues.buckets[mixed >> 58];
}

Result<futex_key> get_futex_key(u64 address, u32 flags) {
    if (address & 3) return Errno::EINVAL;
    if (!access_ok(address, 4)) return Errno::EFAULT;
    mm_struct* mm = get_current()->mm;
    futex_key key{reinterpret_cast<u64>(mm), address};
    if (!(flags & FutexShared)) return key;
    (void)TRY(get_user<u32>(address)); // the page is there now
    ReadGuard guard(mm->mmap_lock);
    vm_area_struct* area = find_vma(*mm, address);
    if (!area || area->vm_start > address) return Errno::EFAULT;
    if (!(area->vm_flags & VM_SHARED)) return key;
    u64 offset = address - area->vm_start + (area->vm_pgoff << PAGE_SHIFT);
    if (area->vm_file) return futex_key{reinterpret_cast<u64>(area->vm_file->f_inode), offset};
    PageWalk walk =
        walk_page_tables(mm->pgd_phys, address, [](u64 physical) { return *physical_to<u64>(physical); });
    if (!walk.present) return Errno::EFAULT;
    return futex_key{walk.physical >> PAGE_SHIFT | 1, walk.physical & (PAGE_SIZE - 1)};
}

void queue_me(futex_q& q) {
    futex_hash_bucket& bucket = hash_bucket(q.key);
    IrqSpinGuard guard(bucket.lock);
    if (!bucket.chain.next) bucket.chain.initialise();
    q.bucket = &bucket;
    bucket.chain.push_back(&q.list);
}

/// False when a waker has taken it off already.
bool unqueue_me(futex_q& q) {
    for (;;) {
        futex_hash_bucket* bucket = __atomic_load_n(&q.bucket, __ATOMIC_ACQUIRE);
        if (!bucket) return false;
        IrqSpinGuard guard(bucket->lock);
        if (q.bucket != bucket) continue; // requeued meanwhile
        q.list.remove();
        q.bucket = nullptr;
        return true;
    }
}

/// REQUIRES: the bucket's lock. Behind the store the waiter may be gone.
void mark_wake(futex_q& q) {
    task_struct* task = q.task;
    get_task_struct(task);
    q.list.remove();
    __atomic_store_n(&q.bucket, static_cast<futex_hash_bucket*>(nullptr), __ATOMIC_RELEASE);
    wake_up_process(task);
    put_task_struct(task);
}

Result<i64> futex_wait_restart(task_struct& task) {
    auto& block = task.restart_block;
    return futex_wait(block.address, block.flags, block.value, block.expires, block.bitset);
}

/// Both buckets' locks, in order of address.
class BucketPair {
public:
    BucketPair(futex_hash_bucket& a, futex_hash_bucket& b)
        : first_(&a < &b ? a : b), second_(&a < &b ? b : a), interrupts_(local_irq_save()) {
        preempt_disable();
        first_.lock.lock_raw();
        if (&first_ != &second_) second_.lock.lock_raw(1);
        if (!first_.chain.next) first_.chain.initialise();
        if (!second_.chain.next) second_.chain.initialise();
    }
    ~BucketPair() {
        if (&first_ != &second_) second_.lock.unlock_raw();
        first_.lock.unlock_raw();
        local_irq_restore(interrupts_);
        preempt_enable();
    }
    BucketPair(const BucketPair&) = delete;
    BucketPair& operator=(const BucketPair&) = delete;

private:
    futex_hash_bucket &first_, &second_;
    bool interrupts_;
};

} // namespace

Result<i64> futex_wait(u64 address, u32 flags, u32 expected, u64 end, u32 bitset) {
    if (!bitset) return Errno::EINVAL;
    task_struct* task = get_current();
    futex_q q{{}, task, TRY(get_futex_key(address, flags)), bitset, nullptr};
    queue_me(q);
    Result<u32> value = get_user<u32>(address);
    Result<i64> result = i64{0};
    if (!value.ok())
        result = value.error();
    else if (value.value() != expected)
        result = Errno::EAGAIN;
    else
        for (;;) {
            set_current_state(TASK_INTERRUPTIBLE);
            if (!__atomic_load_n(&q.bucket, __ATOMIC_ACQUIRE)) break;
            if (task->signal_pending()) {
                result = end ? Errno::ERESTART_RESTARTBLOCK : Errno::ERESTARTSYS;
                break;
            }
            if (end && ktime_get_ns() >= end) {
                result = Errno::ETIMEDOUT;
                break;
            }
            (void)schedule_hrtimeout_range(end ? static_cast<ktime_t>(end) : KTIME_MAX,
                                           current_timer_slack());
        }
    set_current_state(TASK_RUNNING);
    if (!unqueue_me(q)) return i64{0}; // woken, whatever else happened
    if (!result.ok() && result.error() == Errno::ERESTART_RESTARTBLOCK) {
        auto& block = task->restart_block;
        block.fn = futex_wait_restart;
        block.address = address, block.flags = flags, block.value = expected, block.expires = end,
        block.bitset = bitset;
    }
    return result;
}

Result<i64> futex_wake(u64 address, u32 flags, u32 count, u32 bitset) {
    if (!bitset) return Errno::EINVAL;
    futex_key key = TRY(get_futex_key(address, flags));
    // The word in shared memory may belong to a private waiter of this process too (a thread's
    // clear_child_tid).
    futex_hash_bucket& bucket = hash_bucket(key);
    IrqSpinGuard guard(bucket.lock);
    i64 woken = 0;
    if (!bucket.chain.next) return i64{0};
    for (LIST_EACH_SAFE(node, bucket.chain)) {
        if (woken == count) break;
        auto* q = container_of(node, futex_q, list);
        if (!(q->key == key) || !(q->bitset & bitset)) continue;
        mark_wake(*q);
        woken++;
    }
    return woken;
}

Result<i64> futex_requeue(u64 from, u64 to, u32 flags, u32 wake, u32 move, const u32* compare) {
    futex_key source = TRY(get_futex_key(from, flags)), target = TRY(get_futex_key(to, flags));
    if (compare && TRY(get_user<u32>(from)) != *compare) return Errno::EAGAIN;
    futex_hash_bucket &source_bucket = hash_bucket(source), &target_bucket = hash_bucket(target);
    BucketPair pair(source_bucket, target_bucket);
    u32 woken = 0, moved = 0;
    for (LIST_EACH_SAFE(node, source_bucket.chain)) {
        auto* q = container_of(node, futex_q, list);
        if (!(q->key == source)) continue;
        if (woken < wake) {
            mark_wake(*q);
            woken++;
        } else if (moved < move) {
            if (!(source == target)) {
                node->remove();
                q->key = target;
                __atomic_store_n(&q->bucket, &target_bucket, __ATOMIC_RELEASE);
                target_bucket.chain.push_back(node);
            }
            moved++;
        } else {
            break;
        }
    }
    return i64{woken} + moved;
}

namespace {

constexpr u32 FUTEX_WAITERS = 0x80000000, FUTEX_OWNER_DIED = 0x40000000, FUTEX_TID_MASK = 0x3fffffff;

void handle_futex_death(u64 address, i32 tid) {
    for (;;) {
        Result<u32> value = get_user<u32>(address);
        if (!value.ok() || (value.value() & FUTEX_TID_MASK) != static_cast<u32>(tid)) return;
        u32 fresh = (value.value() & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
        Result<u32> seen = cmpxchg_user(address, value.value(), fresh);
        if (!seen.ok()) return;
        if (seen.value() != value.value()) continue;
        if (value.value() & FUTEX_WAITERS) (void)futex_wake(address, FutexShared, 1, FUTEX_BITSET_MATCH_ANY);
        return;
    }
}

} // namespace

void exit_robust_list(task_struct* task) {
    struct robust_list_head {
        u64 next;
        i64 offset;
        u64 pending;
    } head;
    if (!task->mm || !copy_from_user(&head, task->robust_list, sizeof head).ok()) return;
    u64 entry = head.next & ~u64{1};
    for (unsigned limit = 2048; limit && entry != task->robust_list; limit--) {
        Result<u64> next = get_user<u64>(entry);
        if (entry != (head.pending & ~u64{1}))
            handle_futex_death(entry + static_cast<u64>(head.offset), task->pid);
        if (!next.ok()) return;
        entry = next.value() & ~u64{1};
    }
    if (head.pending & ~u64{1})
        handle_futex_death((head.pending & ~u64{1}) + static_cast<u64>(head.offset), task->pid);
}

} // namespace kernel
