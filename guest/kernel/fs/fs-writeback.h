// Write-back: the flusher thread, and the limits on what may be dirty. Dirty inodes: fs-writeback.cpp; the
// limits: mm/page-writeback.cpp.
#pragma once

#include "lib/types.h"

namespace kernel {

void flusher_run();
/// Asks for everything to be written.
void wakeup_flusher_threads();
/// Inodes that were dirtied at `before` (jiffies) or earlier; returns how many were written.
u64 wb_writeback(u64 before);
/// After a write: waits while more is dirty than the limit allows.
void balance_dirty_pages();

} // namespace kernel
