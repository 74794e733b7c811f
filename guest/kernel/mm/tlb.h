// Who has which page tables loaded, and how stale translations go away on every processor.
//
// A CPU keeps the address space of its last user task while it runs kernel threads (lazily):
// PerCpu::loaded_mm says which, and the mm's cpu_bitmap has the CPU's bit exactly while it is that. Whoever
// takes a translation away changes the table entry first, then flushes here, then lets the page go. The last
// user of an mm makes every CPU leave it before its tables are freed, so no CPU's CR3 ever points at freed
// memory.
#pragma once

#include "lib/types.h"

namespace kernel {

struct mm_struct;
struct page;

/// Loads the address space; null: the kernel's own tables. REQUIRES: interrupts off.
void switch_mm(mm_struct* next);
/// No CPU has it loaded any more when this returns. REQUIRES: interrupts on; nobody can load it again.
void leave_mm_everywhere(mm_struct* mm);

// REQUIRES for all: interrupts on, no spin lock that an interrupts-off section waits for.
void flush_tlb_range(mm_struct& mm, u64 start, u64 end);
void flush_tlb_mm(mm_struct& mm);
void flush_tlb_kernel_range(u64 start, u64 end);
inline void flush_tlb_page(mm_struct& mm, u64 address) { flush_tlb_range(mm, address, address + 4096); }

/// Pages whose mappings are being taken away: they go when no CPU can reach them.
struct mmu_gather {
    explicit mmu_gather(mm_struct& owner) : mm(owner) {}
    ~mmu_gather() { flush(); }
    mmu_gather(const mmu_gather&) = delete;
    mmu_gather& operator=(const mmu_gather&) = delete;

    /// The page's entry at `address` has been cleared; takes over the entry's reference.
    void remove(struct page* page, u64 address);
    /// tlb_flush_mmu.
    void flush();

    static constexpr unsigned Batch = 64;
    mm_struct& mm;
    u64 start = ~u64{0}, end = 0;
    unsigned nr = 0;
    struct page* pages[Batch];
};

} // namespace kernel
