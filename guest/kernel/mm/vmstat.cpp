// See vmstat.h.
#include "mm/vmstat.h"

namespace kernel {

constinit u64 vm_stat[NR_VM_STAT_ITEMS] = {};
constinit u64 vm_events[NR_VM_EVENT_ITEMS] = {};

constinit const char* const vm_stat_names[NR_VM_STAT_ITEMS] = {
    "nr_inactive_anon", "nr_active_anon", "nr_inactive_file", "nr_active_file",
    "nr_unevictable",   "nr_anon_pages",  "nr_mapped",        "nr_file_pages",
    "nr_dirty",         "nr_writeback",   "nr_slab",          "nr_page_table_pages",
    "nr_kernel_stack",  "nr_shmem",       "nr_swapcached",    "nr_mlock"};
constinit const char* const vm_event_names[NR_VM_EVENT_ITEMS] = {"pgpgin",
                                                                 "pgpgout",
                                                                 "pgalloc",
                                                                 "pgfree",
                                                                 "pgactivate",
                                                                 "pgdeactivate",
                                                                 "pgfault",
                                                                 "pgmajfault",
                                                                 "pgscan_kswapd",
                                                                 "pgscan_direct",
                                                                 "pgsteal_kswapd",
                                                                 "pgsteal_direct",
                                                                 "allocstall",
                                                                 "pageoutrun",
                                                                 "slabs_scanned",
                                                                 "drop_pagecache",
                                                                 "drop_slab",
                                                                 "oom_kill",
                                                                 "nr_dirtied",
                                                                 "nr_written",
                                                                 "pswpin",
                                                                 "pswpout",
                                                                 "unevictable_pgs_mlocked",
                                                                 "unevictable_pgs_munlocked"};

} // namespace kernel
