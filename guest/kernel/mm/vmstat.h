// Counters of the memory manager: what there is (node_stat_item), and what happened (vm_event_item).
// /proc/vmstat prints all of them under these names.
#pragma once

#include "lib/types.h"

namespace kernel {

enum vm_stat_item : u32 {
    NR_INACTIVE_ANON,
    NR_ACTIVE_ANON,
    NR_INACTIVE_FILE,
    NR_ACTIVE_FILE,
    NR_UNEVICTABLE,
    NR_ANON_MAPPED,
    NR_FILE_MAPPED,
    NR_FILE_PAGES,
    NR_FILE_DIRTY,
    NR_WRITEBACK,
    NR_SLAB,
    NR_PAGETABLE,
    NR_KERNEL_STACK,
    NR_SHMEM,
    NR_SWAPCACHE,
    NR_MLOCK,
    NR_VM_STAT_ITEMS,
};
enum vm_event_item : u32 {
    PGPGIN,
    PGPGOUT,
    PGALLOC,
    PGFREE,
    PGACTIVATE,
    PGDEACTIVATE,
    PGFAULT,
    PGMAJFAULT,
    PGSCAN_KSWAPD,
    PGSCAN_DIRECT,
    PGSTEAL_KSWAPD,
    PGSTEAL_DIRECT,
    ALLOCSTALL,
    PAGEOUTRUN,
    SLABS_SCANNED,
    DROP_PAGECACHE,
    DROP_SLAB,
    OOM_KILL,
    NR_DIRTIED,
    NR_WRITTEN,
    PSWPIN,
    PSWPOUT,
    UNEVICTABLE_PGMLOCKED,
    UNEVICTABLE_PGMUNLOCKED,
    NR_VM_EVENT_ITEMS,
};

extern u64 vm_stat[NR_VM_STAT_ITEMS];
extern u64 vm_events[NR_VM_EVENT_ITEMS];
extern const char* const vm_stat_names[NR_VM_STAT_ITEMS];
extern const char* const vm_event_names[NR_VM_EVENT_ITEMS];

inline void mod_page_state(vm_stat_item item, i64 change) {
    __atomic_fetch_add(&vm_stat[item], static_cast<u64>(change), __ATOMIC_RELAXED);
}
inline u64 global_page_state(vm_stat_item item) {
    i64 value = static_cast<i64>(__atomic_load_n(&vm_stat[item], __ATOMIC_RELAXED));
    return value < 0 ? 0 : static_cast<u64>(value);
}
inline void count_vm_events(vm_event_item item, u64 count = 1) {
    __atomic_fetch_add(&vm_events[item], count, __ATOMIC_RELAXED);
}

} // namespace kernel
