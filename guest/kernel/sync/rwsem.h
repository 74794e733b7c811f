// Sleeping locks that count: rw_semaphore (many readers or one writer) and semaphore.
//
// Both are fair: who comes while somebody waits queues behind. An unlocker gives the lock to the waiters at
// the front (hand-off under wait_lock), so a woken task owns it already and never has to try again. REQUIRES:
// task context.
#pragma once

#include "lib/list.h"
#include "lib/result.h"
#include "sync/spinlock.h"

namespace kernel {

struct task_struct;

struct rw_semaphore {
    explicit constexpr rw_semaphore(const char* name) : dep_map{name, nullptr} {}
    rw_semaphore(const rw_semaphore&) = delete;
    rw_semaphore& operator=(const rw_semaphore&) = delete;

    i32 count = 0;                ///< readers, or −1 for a writer; under wait_lock
    task_struct* owner = nullptr; ///< the writer
    spinlock_t wait_lock{"rwsem_wait"};
    list_head wait_list;
    lockdep_map dep_map;
};
void down_read(rw_semaphore& sem, unsigned subclass = 0);
bool down_read_trylock(rw_semaphore& sem);
void up_read(rw_semaphore& sem);
void down_write(rw_semaphore& sem, unsigned subclass = 0);
bool down_write_trylock(rw_semaphore& sem);
void up_write(rw_semaphore& sem);
void downgrade_write(rw_semaphore& sem);

class ReadGuard {
public:
    explicit ReadGuard(rw_semaphore& sem, unsigned subclass = 0) : sem_(sem) { down_read(sem_, subclass); }
    ~ReadGuard() { up_read(sem_); }
    ReadGuard(const ReadGuard&) = delete;
    ReadGuard& operator=(const ReadGuard&) = delete;

private:
    rw_semaphore& sem_;
};
class WriteGuard {
public:
    explicit WriteGuard(rw_semaphore& sem, unsigned subclass = 0) : sem_(sem) { down_write(sem_, subclass); }
    ~WriteGuard() { up_write(sem_); }
    WriteGuard(const WriteGuard&) = delete;
    WriteGuard& operator=(const WriteGuard&) = delete;

private:
    rw_semaphore& sem_;
};

struct semaphore {
    constexpr semaphore(const char* name, u32 initial) : lock(name), count(initial) {}
    spinlock_t lock;
    u32 count;
    list_head wait_list;
};
void down(semaphore& sem);
Result<void> down_interruptible(semaphore& sem);
bool down_trylock(semaphore& sem);
/// May be called from interrupts.
void up(semaphore& sem);

} // namespace kernel
