// Getting memory back: the LRU lists (lru.cpp), who scans them (vmscan.cpp), and what is left when that is
// not enough (oom_kill.cpp).
#pragma once

#include "lib/list.h"
#include "lib/types.h"
#include "sync/spinlock.h"

namespace kernel {

struct page;
struct task_struct;

enum lru_list : u32 {
    LRU_INACTIVE_ANON,
    LRU_ACTIVE_ANON,
    LRU_INACTIVE_FILE,
    LRU_ACTIVE_FILE,
    LRU_UNEVICTABLE, ///< locked memory (mm/mlock.cpp): nobody scans it
    NR_LRU_LISTS
};

/// The node's pages by how recently they were used; the newest are at the front.
struct lruvec {
    list_head lists[NR_LRU_LISTS];
    u64 sizes[NR_LRU_LISTS] = {};
    u64 anon_cost = 0,
        file_cost = 0; ///< what reclaim of each kind has cost of late: pages written, or used again
    spinlock_t lru_lock{"lru"};
};
extern struct lruvec node_lruvec;

void lru_init();
/// A page that user space or a file has from now on; anonymous pages and file pages have lists of their own.
void lru_cache_add(struct page* page);
void lru_cache_del(struct page* page);
/// An entry in a locked area maps the page from now on, or no more.
void mlock_page(struct page* page);
void munlock_page(struct page* page);
/// It is written, and was to be freed: the next to be looked at. From any context.
void rotate_reclaimable_page(struct page* page);
/// Used: the second time it moves to the active list.
void mark_page_accessed(struct page* page);

// --- vmscan.cpp
/// One try of a task that needs memory now; how many pages came back.
u64 try_to_free_pages(unsigned order, u32 gfp_flags);
void wakeup_kswapd();
void kswapd_run();
/// Sleeps for some ticks, undisturbed, without counting as load.
void schedule_timeout_idle(u64 ticks);
/// False when nothing is being written: waiting would not help.
bool wait_for_writeback_progress();
/// /proc/sys/vm/drop_caches.
void drop_pagecache();
u64 drop_slab();

// --- oom_kill.cpp
/// Kills the task that has most, or waits for one that dies; false when there is none.
bool out_of_memory(u32 gfp_flags, unsigned order);
bool tsk_is_oom_victim(const task_struct& task);
/// The figure of /proc/PID/oom_score, 0 to 2000; −1 when it must not be killed.
i64 oom_badness(task_struct& task, u64 total_pages);

} // namespace kernel
