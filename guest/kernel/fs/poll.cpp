// See poll.h.
#include "fs/poll.h"

#include "fs/vfs.h"
#include "mm/slab.h"
#include "sched/scheduler.h"
#include "task/task.h"
#include "time/tick.h"
#include "time/timekeeping.h"

namespace kernel {

u64 schedule_timeout(u64 ticks) {
    timer_list timer;
    timer.function = [](void* task) { wake_up_process(static_cast<task_struct*>(task)); };
    timer.context = get_current();
    u64 until = jiffies + ticks;
    mod_timer(timer, until);
    schedule();
    del_timer_sync(timer);
    return static_cast<i64>(until - jiffies) > 0 ? until - jiffies : 0;
}

poll_wqueues::poll_wqueues() : task_(get_current()) {
    _qproc = add;
    entries_.initialise();
}

poll_wqueues::~poll_wqueues() {
    while (list_head* node = entries_.pop_front()) {
        Entry* entry = container_of(node, Entry, node);
        remove_wait_queue(*entry->queue, entry->wait);
        fput(entry->file);
        destroy(entry);
    }
}

void poll_wqueues::add(struct file& file, wait_queue_head& queue, poll_table& table) {
    auto& self = static_cast<poll_wqueues&>(table);
    auto* entry = make<Entry>();
    if (!entry) {
        self.error_ = true;
        return;
    }
    get_file(entry->file = &file);
    entry->queue = &queue;
    entry->owner = &self;
    entry->wait.task = self.task_;
    entry->wait.func = wake;
    self.entries_.push_back(&entry->node);
    add_wait_queue(queue, entry->wait);
}

/// Under the queue's lock: the announcement is noted before the sleeper is woken, so one that comes too early
/// is not slept through.
bool poll_wqueues::wake(wait_queue_entry& wait, u32, void*) {
    poll_wqueues& self = *container_of(&wait, Entry, wait)->owner;
    __atomic_store_n(&self.triggered_, true, __ATOMIC_SEQ_CST);
    return wake_up_process(self.task_);
}

void poll_wqueues::sleep(ktime_t until, u64 slack) {
    set_current_state(TASK_INTERRUPTIBLE);
    if (!__atomic_load_n(&triggered_, __ATOMIC_SEQ_CST)) (void)schedule_hrtimeout_range(until, slack);
    set_current_state(TASK_RUNNING);
    __atomic_store_n(&triggered_, false, __ATOMIC_SEQ_CST);
}

} // namespace kernel
