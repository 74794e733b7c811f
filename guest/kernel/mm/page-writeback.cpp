// How much may be dirty, and the thread that writes it: the oldest after 30 seconds, everything when a tenth
// of what could be is dirty. Who dirties pages when a fifth is waits for the flusher. (Linux's defaults:
// dirty_background_ratio 10, dirty_ratio 20, dirty_expire_centisecs 3000, dirty_writeback_centisecs 500.)
#include "fs/fs-writeback.h"
#include "fs/vfs.h"
#include "lib/log.h"
#include "mm/reclaim.h"
#include "mm/vmstat.h"
#include "mm/zone.h"
#include "sched/scheduler.h"
#include "task/task.h"
#include "time/tick.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

constexpr u64 DirtyExpire = 30 * HZ, WritebackInterval = 5 * HZ;
constinit wait_queue_head wb_wait{"wb_wait"};         ///< the flusher
constinit wait_queue_head balance_wait{"wb_balance"}; ///< who dirties too much
constinit bool wb_requested = false, timer_fired = false;
constinit task_struct* flusher = nullptr;

u64 dirtyable_pages() {
    return nr_free_pages() + global_page_state(NR_ACTIVE_FILE) + global_page_state(NR_INACTIVE_FILE);
}
u64 dirty_pages() { return global_page_state(NR_FILE_DIRTY) + global_page_state(NR_WRITEBACK); }
bool over_limit() { return dirty_pages() > max<u64>(dirtyable_pages() / 5, 32); }
bool over_background() { return global_page_state(NR_FILE_DIRTY) > max<u64>(dirtyable_pages() / 10, 16); }

void wb_timer(void*) {
    __atomic_store_n(&timer_fired, true, __ATOMIC_RELEASE);
    wb_wait.wake_all();
}

void wb_workfn(void*) {
    flusher = get_current();
    flusher->flags |= PF_MEMALLOC; // memory comes back through it
    timer_list timer;
    timer.function = wb_timer;
    for (;;) {
        mod_timer(timer, jiffies + WritebackInterval);
        (void)___wait_event(wb_wait, TASK_IDLE, [] {
            return __atomic_load_n(&wb_requested, __ATOMIC_ACQUIRE) ||
                   __atomic_load_n(&timer_fired, __ATOMIC_ACQUIRE);
        });
        timer_fired = false;
        while (__atomic_exchange_n(&wb_requested, false, __ATOMIC_ACQ_REL) || over_background()) {
            u64 written = wb_writeback(jiffies);
            balance_wait.wake_all();
            if (!written) break;
        }
        for (struct mount* mount = mounts; mount; mount = mount->next) mount->super->write_super();
        if (jiffies > DirtyExpire) wb_writeback(jiffies - DirtyExpire);
    }
}

} // namespace

void flusher_run() {
    if (!kthread_run(wb_workfn, nullptr, "flush-8:0").ok()) panic("no flusher thread");
}

void wakeup_flusher_threads() {
    if (__atomic_exchange_n(&wb_requested, true, __ATOMIC_ACQ_REL)) return;
    wb_wait.wake_all();
}

void schedule_timeout_idle(u64 ticks) {
    timer_list timer;
    timer.function = [](void* task) { wake_up_process(static_cast<task_struct*>(task)); };
    timer.context = get_current();
    set_current_state(TASK_IDLE);
    mod_timer(timer, jiffies + ticks);
    schedule();
    set_current_state(TASK_RUNNING);
    del_timer_sync(timer);
}

void balance_dirty_pages() {
    if (over_background()) wakeup_flusher_threads();
    if (!over_limit() || !flusher || get_current() == flusher) return;
    balance_wait.wait([] { return !over_limit() || !__atomic_load_n(&wb_requested, __ATOMIC_ACQUIRE); });
}

bool wait_for_writeback_progress() {
    if (!dirty_pages() || !flusher || get_current() == flusher) return false;
    wakeup_flusher_threads();
    schedule_timeout_idle(1);
    return true;
}

} // namespace kernel
