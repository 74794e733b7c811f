// Loading address spaces and shooting down translations; see tlb.h. Intel SDM 3A 4.10.4
// (invalidation), 4.10.5 (propagation).
#include "mm/tlb.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/segments.h"
#include "arch/x86_64/smp.h"
#include "lib/log.h"
#include "mm/memory_struct.h"
#include "mm/swap.h"
#include "mm/zone.h"
#include "sync/spinlock.h"

namespace kernel {
namespace {

constexpr u64 SinglePageCeiling = 33; ///< above this many pages one reload is cheaper

struct flush_tlb_info {
    mm_struct* mm; ///< null: the kernel's half
    u64 start, end;
};

void invalidate(u64 start, u64 end) {
    for (u64 address = start; address < end; address += PAGE_SIZE) invlpg(address);
}

/// On each CPU that has the mm loaded, interrupts off.
void flush_tlb_func(void* context) {
    const auto& info = *static_cast<const flush_tlb_info*>(context);
    if (this_cpu().loaded_mm != info.mm) return; // it has gone on meanwhile, and loaded CR3 to do so
    if ((info.end - info.start) >> PAGE_SHIFT > SinglePageCeiling)
        write_cr3(read_cr3()); // user entries are not global
    else
        invalidate(info.start, info.end);
}

void flush_kernel_func(void* context) {
    const auto& info = *static_cast<const flush_tlb_info*>(context);
    if ((info.end - info.start) >> PAGE_SHIFT > SinglePageCeiling) {
        u64 cr4 = read_cr4();
        write_cr4(cr4 & ~cr4::PGE); // global entries go only so
        write_cr4(cr4);
    } else {
        invalidate(info.start, info.end);
    }
}

void leave_mm_func(void* mm) {
    if (this_cpu().loaded_mm == mm) switch_mm(nullptr);
}

} // namespace

void switch_mm(mm_struct* next) {
    PerCpu& block = this_cpu();
    u64 bit = u64{1} << block.cpu;
    mm_struct* previous = block.loaded_mm;
    if (previous == next) return;
    // The bit first: whoever changes an entry behind this sees it and sends us a flush, or we read the
    // changed entry.
    if (next) __atomic_fetch_or(&next->cpu_bitmap, bit, __ATOMIC_SEQ_CST);
    block.loaded_mm = next;
    write_cr3(next ? next->pgd_phys : virt_to_phys(swapper_pg_dir));
    if (previous) __atomic_fetch_and(&previous->cpu_bitmap, ~bit, __ATOMIC_SEQ_CST);
}

void leave_mm_everywhere(mm_struct* mm) {
    smp_call_function_many(__atomic_load_n(&mm->cpu_bitmap, __ATOMIC_SEQ_CST), leave_mm_func, mm, true);
    bool interrupts = local_irq_save();
    leave_mm_func(mm);
    local_irq_restore(interrupts);
    KERNEL_ASSERT(!__atomic_load_n(&mm->cpu_bitmap, __ATOMIC_SEQ_CST));
}

void flush_tlb_range(mm_struct& mm, u64 start, u64 end) {
    flush_tlb_info info{&mm, start, end};
    __atomic_thread_fence(__ATOMIC_SEQ_CST); // the entries, then who may have them
    preempt_disable();
    bool interrupts = local_irq_save();
    flush_tlb_func(&info);
    local_irq_restore(interrupts);
    u64 others = __atomic_load_n(&mm.cpu_bitmap, __ATOMIC_SEQ_CST) & ~(u64{1} << smp_processor_id());
    if (others) smp_call_function_many(others, flush_tlb_func, &info, true);
    preempt_enable();
}

void flush_tlb_mm(mm_struct& mm) { flush_tlb_range(mm, 0, TASK_SIZE_MAX); }

void flush_tlb_kernel_range(u64 start, u64 end) {
    flush_tlb_info info{nullptr, start, end};
    on_each_cpu(flush_kernel_func, &info, true);
}

void mmu_gather::remove(struct page* page, u64 address) {
    start = min(start, address);
    end = max(end, address + PAGE_SIZE);
    pages[nr++] = page;
    if (nr == Batch) flush();
}

void mmu_gather::flush() {
    if (!nr) return;
    flush_tlb_range(mm, start, end);
    for (unsigned i = 0; i < nr; i++) {
        free_swap_cache(pages[i]);
        put_page(pages[i]);
    }
    nr = 0;
    start = ~u64{0}, end = 0;
}

} // namespace kernel
