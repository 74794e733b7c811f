// See user_pages.h.
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/segments.h"
#include "fs/vfs.h"
#include "mm/reclaim.h"
#include "mm/rmap.h"
#include "mm/swap.h"
#include "mm/user_pages.h"
#include "mm/vmstat.h"
#include "mm/zone.h"

namespace kernel {
namespace {

/// Calls visit(address, entry) for each entry in [start, end) that holds a page or names one in a swap area;
/// whole absent tables are skipped.
template <typename Visit> void each_entry(PageTable* root, u64 start, u64 end, Visit visit) {
    for (u64 address = start; address < end;) {
        PageTable* table = root;
        unsigned level = 0;
        for (; level < 3; level++) {
            u64 entry = table[address >> (39 - 9 * level) & 511];
            if (!(entry & pte::Present)) break;
            table = physical_to<PageTable>(entry & pte::AddressMask);
        }
        if (level < 3) {
            u64 span = u64{1} << (39 - 9 * level);
            address = align_down(address, span) + span;
            continue;
        }
        u64 stop = min(end, align_down(address, 2 * MiB) + 2 * MiB);
        for (; address < stop; address += PAGE_SIZE) {
            u64& entry = table[address >> PAGE_SHIFT & 511];
            if (entry) visit(address, entry);
        }
    }
}

/// The first address of [address, end) that has a last-level table; `end` when there is none. A reserved
/// range may be terabytes wide and empty.
u64 next_table(PageTable* root, u64 address, u64 end) {
    while (address < end) {
        PageTable* table = root;
        unsigned level = 0;
        for (; level < 3; level++) {
            u64 entry = table[address >> (39 - 9 * level) & 511];
            if (!(entry & pte::Present)) break;
            table = physical_to<PageTable>(entry & pte::AddressMask);
        }
        if (level == 3) return address;
        u64 span = u64{1} << (39 - 9 * level);
        address = align_down(address, span) + span;
    }
    return end;
}

u64 free_table(PageTable* table, unsigned level) {
    unsigned count = level == 0 ? 256 : 512;
    u64 freed = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!(table[i] & pte::Present)) continue;
        PhysicalAddress physical = table[i] & pte::AddressMask;
        if (level < 2) freed += free_table(physical_to<PageTable>(physical), level + 1);
        put_page(phys_to_page(physical));
        table[i] = 0;
        freed++;
    }
    return freed;
}

void count_rss(mm_struct& mm, const struct page* page, i64 change) {
    mm.rss += static_cast<u64>(change);
    if (page->tag == PageType::Anonymous) mm.anon_rss += static_cast<u64>(change);
}

} // namespace

u64 page_flags(const vm_area_struct& area) {
    if (!(area.vm_flags & (VM_READ | VM_WRITE | VM_EXEC))) return pte::ProtNone | pte::User | pte::Accessed;
    u64 flags = pte::Present | pte::User | pte::Accessed;
    if (area.vm_flags & VM_WRITE) flags |= pte::Write;
    if (!(area.vm_flags & VM_EXEC) && boot_cpu_data.nx) flags |= pte::NoExecute;
    return flags;
}

u64* pte_alloc(mm_struct& mm, u64 address) {
    if (u64* entry = page_table_entry(mm.pgd, address, false, 0)) return entry;
    u64* entry = page_table_entry(mm.pgd, address, true, UserTableFlags);
    // Up to three tables came with it; the last level always.
    if (entry) __atomic_fetch_add(&mm.pgtables_bytes, PAGE_SIZE, __ATOMIC_RELAXED);
    return entry;
}

void unmap_page_range(const vm_area_struct& area, u64 start, u64 end) {
    mm_struct& mm = *area.vm_mm;
    mmu_gather tlb(mm); // flushes, and lets the pages go, after the lock
    SpinGuard guard(mm.page_table_lock);
    each_entry(mm.pgd, start, end, [&](u64 address, u64& slot) {
        u64 entry =
            __atomic_exchange_n(&slot, 0, __ATOMIC_ACQ_REL); // another CPU may be setting its dirty bit
        if (pte::is_swap(entry)) {
            mm.swap_usage--;
            free_swap_and_cache(pte_to_swp_entry(entry));
            return;
        }
        struct page* page = phys_to_page(entry & pte::AddressMask);
        if ((entry & pte::Dirty) && page->tag == PageType::PageCache) set_page_dirty(page);
        count_rss(mm, page, -1);
        page_remove_rmap(page, area);
        tlb.remove(page, address);
    });
}

void change_protection(mm_struct& mm, const vm_area_struct& area) {
    u64 flags = page_flags(area);
    SpinGuard guard(mm.page_table_lock);
    each_entry(mm.pgd, area.vm_start, area.vm_end, [&](u64, u64& slot) {
        if (pte::is_swap(slot)) return; // what comes back gets the area's rights
        u64 entry = __atomic_exchange_n(&slot, 0, __ATOMIC_ACQ_REL);
        struct page* page = phys_to_page(entry & pte::AddressMask);
        bool file = page->tag == PageType::PageCache;
        // Only a private page that is nobody else's may become writable without a copy; a shared file's page
        // is, once it was stored to.
        bool shared = (entry & pte::CopyOnWrite) ||
                      (is_private(area) && (page->tag != PageType::Anonymous || page->_refcount > 1));
        bool clean = file && !is_private(area) && !(entry & pte::Dirty);
        u64 kept = entry & (pte::AddressMask | pte::Dirty);
        entry = kept | flags;
        if (shared) entry = (entry & ~pte::Write) | pte::CopyOnWrite;
        if (clean) entry &= ~pte::Write;
        __atomic_store_n(&slot, entry, __ATOMIC_RELEASE);
    });
    flush_tlb_range(mm, area.vm_start, area.vm_end);
}

void mlock_vma_pages(vm_area_struct& area, u32 flags) {
    mm_struct& mm = *area.vm_mm;
    SpinGuard guard(mm.page_table_lock);
    u32 old = area.vm_flags;
    area.vm_flags = flags;
    if (!((old ^ flags) & VM_LOCKED)) return;
    each_entry(mm.pgd, area.vm_start, area.vm_end, [&](u64, u64& entry) {
        if (!pte::holds_page(entry)) return;
        struct page* page = phys_to_page(entry & pte::AddressMask);
        if (!page_is_permanent(page)) (flags & VM_LOCKED ? mlock_page : munlock_page)(page);
    });
}

Result<void> copy_page_range(const vm_area_struct& copy, const vm_area_struct& area) {
    mm_struct &child = *copy.vm_mm, &parent = *area.vm_mm;
    // The child's tables first: making them may sleep.
    for (u64 address = area.vm_start; address < area.vm_end;
         address = align_down(address, 2 * MiB) + 2 * MiB) {
        bool any = false;
        {
            SpinGuard guard(parent.page_table_lock);
            address = next_table(parent.pgd, address, area.vm_end);
            if (address >= area.vm_end) break;
            each_entry(parent.pgd, address, min(area.vm_end, align_down(address, 2 * MiB) + 2 * MiB),
                       [&](u64, u64&) { any = true; });
        }
        if (any && !pte_alloc(child, address)) return Errno::ENOMEM;
    }
    bool private_area = is_private(area), counted = true;
    SpinGuard guard(parent.page_table_lock);
    child.page_table_lock.lock_raw(1); // preemption is off already
    each_entry(parent.pgd, area.vm_start, area.vm_end, [&](u64 address, u64& entry) {
        u64* target = page_table_entry(child.pgd, address, false, 0);
        if (!target)
            return; // mapped since by another thread's fault? mmap_lock is held for writing: it is not
        if (pte::is_swap(entry)) {
            if (!swap_duplicate(pte_to_swp_entry(entry))) {
                counted = false;
                return;
            }
            *target = entry;
            child.swap_usage++;
            return;
        }
        struct page* page = phys_to_page(entry & pte::AddressMask);
        if (private_area) { // the caller flushes: then nobody writes any more
            __atomic_fetch_or(&entry, pte::CopyOnWrite, __ATOMIC_RELAXED);
            __atomic_fetch_and(&entry, ~pte::Write, __ATOMIC_ACQ_REL);
        }
        get_page(page);
        page_add_rmap(page, copy);
        *target = entry;
        count_rss(child, page, 1);
    });
    child.page_table_lock.unlock_raw();
    return counted ? Result<void>() : Errno::ENOMEM;
}

Result<void> move_page_tables(mm_struct& mm, struct file* file, u64 from, u64 to, u64 size) {
    // Each table of the old place may need two in the new one. mmap_lock keeps others from adding any.
    for (u64 address = from; address < from + size; address = align_down(address, 2 * MiB) + 2 * MiB) {
        {
            SpinGuard guard(mm.page_table_lock);
            address = next_table(mm.pgd, address, from + size);
        }
        if (address >= from + size) break;
        u64 last = min(from + size, align_down(address, 2 * MiB) + 2 * MiB) - PAGE_SIZE;
        if (!pte_alloc(mm, address - from + to) || !pte_alloc(mm, last - from + to)) return Errno::ENOMEM;
    }
    // Truncation finds each page in one of the two places.
    address_space* mapping = file ? file->f_mapping : nullptr;
    if (mapping) mutex_lock(mapping->i_mmap_rwsem);
    {
        SpinGuard guard(mm.page_table_lock);
        each_entry(mm.pgd, from, from + size, [&](u64 address, u64& entry) {
            *page_table_entry(mm.pgd, address - from + to, false, 0) =
                __atomic_exchange_n(&entry, 0, __ATOMIC_ACQ_REL);
        });
        flush_tlb_range(mm, from, from + size);
    }
    if (mapping) mutex_unlock(mapping->i_mmap_rwsem);
    return {};
}

void free_pgtables(mm_struct& mm) { free_table(mm.pgd, 0); }

} // namespace kernel
