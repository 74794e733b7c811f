// Waiting for several files at once: poll tables (after Linux's fs/select.c). A file's poll() tells its
// state, and hands every queue on which a change of it is announced to the table; who waits is then woken by
// the change, and looks again. Nothing polls in a loop.
#pragma once

#include "lib/list.h"
#include "lib/result.h"
#include "sync/wait_queue.h"
#include "time/hrtimer.h"

namespace kernel {

struct file;
struct task_struct;

inline constexpr u32 POLLIN = 1, POLLPRI = 2, POLLOUT = 4, POLLERR = 8, POLLHUP = 0x10, POLLNVAL = 0x20,
                     POLLRDNORM = 0x40, POLLWRNORM = 0x100, POLLRDHUP = 0x2000;

struct poll_table {
    void (*_qproc)(struct file& file, wait_queue_head& queue,
                   poll_table& table) = nullptr; ///< null: just asking
};
inline void poll_wait(struct file& file, wait_queue_head& queue, poll_table* table) {
    if (table && table->_qproc) table->_qproc(file, queue, *table);
}

/// One poll() or select(): the queues that it waits on, each with a reference on its file.
class poll_wqueues : public poll_table {
public:
    poll_wqueues();
    ~poll_wqueues();
    poll_wqueues(const poll_wqueues&) = delete;
    poll_wqueues& operator=(const poll_wqueues&) = delete;
    bool failed() const { return error_; } ///< no memory for an entry
    /// Sleeps until something was announced since the last call, a signal comes or the time is there.
    void sleep(ktime_t until, u64 slack);

private:
    struct Entry {
        wait_queue_entry wait;
        wait_queue_head* queue;
        struct file* file;
        poll_wqueues* owner;
        list_head node;
    };
    static void add(struct file& file, wait_queue_head& queue, poll_table& table);
    static bool wake(wait_queue_entry& entry, u32 mode, void* key);
    list_head entries_;
    task_struct* task_;
    bool triggered_ = false, error_ = false;
};

/// Sleeps in the caller's state for some ticks; what is left of them.
u64 schedule_timeout(u64 ticks);

} // namespace kernel
