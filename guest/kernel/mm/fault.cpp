// Page faults of user addresses.
//
// A present page that two address spaces share is read-only in both; the first write copies it, unless it is
// the last reference, which just becomes writable again (copy-on-write). A page of a shared file mapping is
// read-only until the first store, which marks it dirty.
//
// A file's page is entered under its page lock, after a look whether it still belongs to the file: truncation
// takes the same lock, so it finds every entry.
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/vdso.h"
#include "fs/vfs.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/overcommit.h"
#include "mm/reclaim.h"
#include "mm/rmap.h"
#include "mm/swap.h"
#include "mm/user_pages.h"
#include "mm/vma.h"
#include "mm/vmstat.h"
#include "mm/zone.h"
#include "sched/scheduler.h"
#include "task/task.h"

namespace kernel {
namespace {

/// All anonymous read faults share this page; it is Reserved, so it is never freed.
struct page* zero_page() {
    alignas(4096) [[gnu::section(".bss..page_aligned")]] static u8 zeros[PAGE_SIZE];
    return phys_to_page(virt_to_phys(zeros));
}

/// Takes over the reference. REQUIRES: an anonymous page is new, and its area has an anon_vma.
FaultOutcome set_pte(mm_struct& mm, const vm_area_struct& area, u64 address, struct page* page, u64 flags) {
    u64* entry = pte_alloc(mm, address);
    if (!entry) {
        put_page(page);
        return FaultOutcome::OutOfMemory;
    }
    bool anonymous = page->tag == PageType::Anonymous;
    {
        SpinGuard guard(mm.page_table_lock);
        if (!*entry) { // else another thread was faster
            *entry = page_to_phys(page) | flags;
            mm.rss++;
            if (anonymous) {
                mm.anon_rss++;
                page_add_anon_rmap(page, area, address, true);
            } else {
                page_add_rmap(page, area);
            }
            page = nullptr;
        }
    }
    if (page) put_page(page);
    return FaultOutcome::Resolved;
}

struct page* new_anonymous_page(u32 flags) {
    struct page* page = alloc_page(GFP_KERNEL | flags, PageType::Anonymous);
    if (page) lru_cache_add(page);
    return page;
}

FaultOutcome do_anonymous_page(mm_struct& mm, vm_area_struct& area, u64 address, bool write) {
    if (!write && is_private(area))
        return set_pte(mm, area, address, zero_page(), (page_flags(area) & ~pte::Write) | pte::CopyOnWrite);
    if (!anon_vma_prepare(area).ok()) return FaultOutcome::OutOfMemory;
    struct page* page = new_anonymous_page(__GFP_ZERO);
    if (!page) return FaultOutcome::OutOfMemory;
    return set_pte(mm, area, address, page, page_flags(area) | (write ? pte::Dirty : 0));
}

/// The page of a file, up to date, locked and still the file's; null with `outcome` when there is none.
struct page* filemap_fault(struct file& file, u64 index, FaultOutcome& outcome) {
    struct inode& inode = *file.f_mapping->host;
    struct page* known = find_get_page(inode.i_data, index);
    if (!known) {
        get_current()->maj_flt++;
        count_vm_events(PGMAJFAULT);
        page_cache_sync_ra(file, index, 4);
    } else {
        put_page(known);
    }
    for (;;) {
        outcome = FaultOutcome::BusError;
        if (index >= divide_up(inode.i_size, PAGE_SIZE)) return nullptr;
        Result<struct page*> page = filemap_get_page(inode, index);
        if (!page.ok()) {
            if (page.error() == Errno::ENOMEM) outcome = FaultOutcome::OutOfMemory;
            return nullptr;
        }
        lock_page(page.value());
        if (page.value()->mapping == &inode.i_data && index < divide_up(inode.i_size, PAGE_SIZE)) {
            mark_page_accessed(page.value());
            return page.value();
        }
        unlock_page(page.value());
        put_page(page.value());
    }
}

// The three take over a reference on the locked page.
FaultOutcome do_read_fault(mm_struct& mm, const vm_area_struct& area, u64 address, struct page* page) {
    u64 flags = page_flags(area) & ~pte::Write;
    return set_pte(mm, area, address, page, is_private(area) ? flags | pte::CopyOnWrite : flags);
}

FaultOutcome do_shared_fault(mm_struct& mm, const vm_area_struct& area, u64 address, struct page* page) {
    wait_on_page_writeback(page);
    set_page_dirty(page);
    return set_pte(mm, area, address, page, page_flags(area) | pte::Dirty);
}

FaultOutcome do_cow_fault(mm_struct& mm, vm_area_struct& area, u64 address, struct page* page) {
    struct page* copy = anon_vma_prepare(area).ok() ? new_anonymous_page(0) : nullptr;
    if (copy) memcpy(page_address(copy), page_address(page), PAGE_SIZE);
    // Still under the file page's lock: a truncation that comes now finds the copy too.
    FaultOutcome outcome =
        copy ? set_pte(mm, area, address, copy, page_flags(area) | pte::Dirty) : FaultOutcome::OutOfMemory;
    put_page(page);
    return outcome;
}

FaultOutcome do_fault(mm_struct& mm, vm_area_struct& area, u64 address, bool write) {
    u64 index = area.vm_pgoff + ((address - area.vm_start) >> PAGE_SHIFT);
    FaultOutcome outcome;
    struct page* page = filemap_fault(*area.vm_file, index, outcome);
    if (!page) return outcome;
    get_page(page); // for the unlock at the end
    outcome = !write             ? do_read_fault(mm, area, address, page)
              : is_private(area) ? do_cow_fault(mm, area, address, page)
                                 : do_shared_fault(mm, area, address, page);
    unlock_page(page);
    put_page(page);
    return outcome;
}

/// The first store to a page of a shared file mapping.
FaultOutcome do_shared_wp(mm_struct& mm, const vm_area_struct& area, u64 address, u64* entry,
                          struct page* page) {
    lock_page(page);
    wait_on_page_writeback(page);
    if (page->mapping) {
        set_page_dirty(page);
        SpinGuard guard(mm.page_table_lock);
        if ((*entry & pte::Present) && phys_to_page(*entry & pte::AddressMask) == page)
            *entry = page_to_phys(page) | page_flags(area) | pte::Dirty;
        invlpg(address);
    }
    unlock_page(page);
    put_page(page);
    return FaultOutcome::Resolved; // what changed meanwhile faults again
}

/// Nobody but one entry has the page, the swap cache included, which lets it go if need be. REQUIRES:
/// page_table_lock.
bool reuse_anon_page(struct page* page) {
    if (page->_refcount == 1) return true;
    if (!page->has(PageSwapCache) || page->_refcount != 2 || !trylock_page(page)) return false;
    bool ours = try_to_free_swap(page) && page->_refcount == 1;
    unlock_page(page);
    return ours;
}

FaultOutcome do_wp_page(mm_struct& mm, vm_area_struct& area, u64 address, u64* entry) {
    struct page *page, *copy = nullptr;
    {
        SpinGuard guard(mm.page_table_lock);
        u64 old = *entry;
        if (!(old & pte::Present) || (old & pte::Write)) return FaultOutcome::Resolved;
        page = phys_to_page(old & pte::AddressMask);
        if (is_private(area) && page->tag == PageType::Anonymous && reuse_anon_page(page)) {
            *entry = (old | pte::Write | pte::Dirty) & ~pte::CopyOnWrite;
            invlpg(address); // others fault once more and find it writable
            return FaultOutcome::Resolved;
        }
        get_page(page);
    }
    if (!is_private(area) && page->tag == PageType::PageCache)
        return do_shared_wp(mm, area, address, entry, page);
    copy = anon_vma_prepare(area).ok() ? new_anonymous_page(0) : nullptr;
    if (!copy) {
        put_page(page);
        return FaultOutcome::OutOfMemory;
    }
    memcpy(page_address(copy), page_address(page), PAGE_SIZE);
    {
        SpinGuard guard(mm.page_table_lock);
        if ((*entry & pte::Present) && phys_to_page(*entry & pte::AddressMask) == page &&
            !(*entry & pte::Write)) {
            __atomic_store_n(entry, page_to_phys(copy) | page_flags(area) | pte::Dirty, __ATOMIC_RELEASE);
            flush_tlb_page(mm, address); // other threads read the old page until here
            if (page->tag != PageType::Anonymous) mm.anon_rss++;
            page_remove_rmap(page, area);
            page_add_anon_rmap(copy, area, address, true);
            copy = nullptr;
        }
    }
    if (copy)
        put_page(copy);
    else
        put_page(page); // the entry's
    put_page(page);
    return FaultOutcome::Resolved;
}

/// The kernel's own pages: read-only, so a debugger's store to the code makes a copy.
FaultOutcome special_mapping_fault(mm_struct& mm, const vm_area_struct& area, u64 address) {
    struct page* page = vdso_fault(area.vm_pgoff + ((address - area.vm_start) >> PAGE_SHIFT));
    if (!page) return FaultOutcome::BusError;
    return set_pte(mm, area, address, page, (page_flags(area) & ~pte::Write) | pte::CopyOnWrite);
}

/// The page of a swap entry, up to date and locked, with a reference; null with `outcome` when there is none
/// (Resolved: the entry has changed meanwhile).
struct page* swap_in(swp_entry_t entry, FaultOutcome& outcome) {
    struct page* page = lookup_swap_cache(entry);
    if (!page) {
        get_current()->maj_flt++;
        count_vm_events(PGMAJFAULT);
        page = swapin_readahead(entry);
        outcome = page_is_named(entry) ? FaultOutcome::OutOfMemory : FaultOutcome::Resolved;
        if (!page) return nullptr;
    }
    lock_page(page);
    outcome = FaultOutcome::Resolved;
    if (page->has(PageSwapCache) && page->private_ == entry.val) {
        outcome = FaultOutcome::BusError;
        if (page->has(PageUptodate)) return page;
    }
    unlock_page(page);
    put_page(page);
    return nullptr;
}

/// The entry names a place in a swap area.
FaultOutcome do_swap_page(mm_struct& mm, vm_area_struct& area, u64 address, u64* entry, u64 old, bool write) {
    swp_entry_t place = pte_to_swp_entry(old);
    FaultOutcome outcome;
    struct page* page = swap_in(place, outcome);
    if (!page) return outcome;
    mark_page_accessed(page);
    bool mapped = false, writable = false;
    {
        SpinGuard guard(mm.page_table_lock);
        if (*entry == old) { // else another thread was faster
            swap_free(place);
            bool exclusive = !page_mapped(page) && !page_swapcount(page);
            // Who wants to write gets it without a copy; so does anybody when places are scarce.
            if (exclusive && (write || vm_swap_full())) writable = try_to_free_swap(page);
            u64 flags = page_flags(area) | (writable ? pte::Dirty : 0);
            if (!writable && (area.vm_flags & VM_WRITE)) flags = (flags & ~pte::Write) | pte::CopyOnWrite;
            __atomic_store_n(entry, page_to_phys(page) | flags, __ATOMIC_RELEASE);
            mm.rss++;
            mm.anon_rss++;
            mm.swap_usage--;
            page_add_anon_rmap(page, area, address, exclusive);
            mapped = true;
        }
    }
    unlock_page(page);
    if (!mapped) put_page(page);
    if (mapped && write && !writable) return do_wp_page(mm, area, address, entry);
    return FaultOutcome::Resolved;
}

/// The area allows the access: what the page-table entry says decides.
FaultOutcome handle_pte_fault(mm_struct& mm, vm_area_struct& area, u64 address, bool write) {
    if (u64* entry = page_table_entry(mm.pgd, address, false, 0)) {
        u64 value = __atomic_load_n(entry, __ATOMIC_ACQUIRE);
        if (value & pte::Present) {
            if (write && !(value & pte::Write)) return do_wp_page(mm, area, address, entry);
            invlpg(address); // a stale TLB entry
            return FaultOutcome::Resolved;
        }
        if (pte::is_swap(value)) return do_swap_page(mm, area, address, entry, value, write);
    }
    if (area.vm_flags & VM_SPECIAL) return special_mapping_fault(mm, area, address);
    return area.vm_file ? do_fault(mm, area, address, write) : do_anonymous_page(mm, area, address, write);
}

/// A stack grows down to the fault within the limit; a guard gap stays below it. REQUIRES: mmap_lock for
/// writing.
bool expand_stack(mm_struct& mm, vm_area_struct& area, u64 address) {
    constexpr u64 GuardGap = 256 * PAGE_SIZE;
    u64 start = align_down(address, PAGE_SIZE);
    if (start < LowestMapping || area.vm_end - start > rlimit(RLIMIT_STACK)) return false;
    u64 grow = (area.vm_start - start) >> PAGE_SHIFT;
    if (!may_expand_vm(mm, area.vm_flags, grow) || !mlock_future_check(mm, area.vm_flags, grow).ok())
        return false;
    if (area.vm_list.prev != &mm.mmap) {
        vm_area_struct* below = container_of(area.vm_list.prev, vm_area_struct, vm_list);
        if (below->vm_end + GuardGap > start) return false;
    }
    if (area.vm_pgoff < grow || !security_vm_enough_memory_mm(&mm, grow).ok()) return false;
    vm_stat_account(mm, area.vm_flags, static_cast<i64>(grow));
    area.vm_pgoff -= grow;
    area.vm_start = start; // the tree's order does not change
    return true;
}

FaultOutcome fault_in_area(mm_struct& mm, vm_area_struct& area, u64 address, u32 access) {
    bool write = access & FaultWrite;
    if (write                   ? !(area.vm_flags & VM_WRITE)
        : access & FaultExecute ? !(area.vm_flags & VM_EXEC)
                                : !(area.vm_flags & (VM_READ | VM_WRITE | VM_EXEC)))
        return FaultOutcome::BadAddress;
    get_current()->min_flt++;
    count_vm_events(PGFAULT);
    return handle_pte_fault(mm, area, align_down(address, PAGE_SIZE), write);
}

/// The page of a readable address with a reference, or null: it is not there now.
struct page* follow_page(mm_struct& mm, u64 address) {
    SpinGuard guard(mm.page_table_lock); // who takes the page out of the table waits, and with him its end
    u64* entry = page_table_entry(mm.pgd, address, false, 0);
    if (!entry || !(*entry & pte::Present)) return nullptr;
    struct page* page = phys_to_page(*entry & pte::AddressMask);
    get_page(page);
    return page;
}

} // namespace

FaultOutcome unuse_pte(mm_struct& mm, u64 address) {
    vm_area_struct* area = find_vma(mm, address);
    u64* entry = page_table_entry(mm.pgd, address, false, 0);
    if (!area || area->vm_start > address || !entry) return FaultOutcome::Resolved;
    u64 value = __atomic_load_n(entry, __ATOMIC_ACQUIRE);
    return pte::is_swap(value) ? do_swap_page(mm, *area, address, entry, value, false)
                               : FaultOutcome::Resolved;
}

usize access_remote_vm(mm_struct& mm, u64 address, void* to, usize size) {
    usize done = 0;
    while (done < size) {
        u64 at = address + done;
        struct page* page = at < TASK_SIZE_MAX ? follow_page(mm, at) : nullptr;
        if (!page) {
            if (at >= TASK_SIZE_MAX || handle_mm_fault(mm, at, 0) != FaultOutcome::Resolved) break;
            if (signal_pending_state(TASK_KILLABLE, *get_current()))
                break; // it may be taken away as fast as it comes
            continue;
        }
        usize within = at & (PAGE_SIZE - 1), count = min<usize>(size - done, PAGE_SIZE - within);
        memcpy(static_cast<u8*>(to) + done, static_cast<const u8*>(page_address(page)) + within, count);
        put_page(page);
        done += count;
    }
    return done;
}

FaultOutcome handle_mm_fault(mm_struct& mm, u64 address, u32 access) {
    {
        ReadGuard guard(mm.mmap_lock);
        vm_area_struct* area = find_vma(mm, address);
        if (!area) return FaultOutcome::BadAddress;
        if (area->vm_start <= address) return fault_in_area(mm, *area, address, access);
        if (!(area->vm_flags & VM_GROWSDOWN)) return FaultOutcome::BadAddress;
    }
    WriteGuard guard(mm.mmap_lock); // areas change: the stack grows
    vm_area_struct* area = find_vma(mm, address);
    if (!area) return FaultOutcome::BadAddress;
    if (area->vm_start > address && (!(area->vm_flags & VM_GROWSDOWN) || !expand_stack(mm, *area, address)))
        return FaultOutcome::BadAddress;
    return fault_in_area(mm, *area, address, access);
}

} // namespace kernel
