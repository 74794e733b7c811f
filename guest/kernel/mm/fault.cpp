// Page faults of user addresses, and the page-table side of address spaces.
//
// A present page that two address spaces share is read-only in both; the first write copies it, unless it is
// the last reference, which just becomes writable again (copy-on-write).
#include "arch/x86_64/cpu.h"
#include "fs/vfs.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/user_pages.h"
#include "mm/zone.h"
#include "task/task.h"

namespace kernel {
namespace {

constexpr u64 UserTableFlags = pte::Present | pte::Write | pte::User | pte::Accessed;
constexpr u64 StackLimit = 8 * MiB; // RLIMIT_STACK's default

/// All anonymous read faults share this page; it is Reserved, so it is never freed.
struct page* zero_page() {
    alignas(4096) [[gnu::section(".bss..page_aligned")]] static u8 zeros[PAGE_SIZE];
    return phys_to_page(virt_to_phys(zeros));
}

bool is_private(const vm_area_struct& area) { return !(area.vm_flags & VM_SHARED); }

FaultOutcome map_page(mm_struct& mm, u64 address, struct page* page, u64 flags) {
    u64* entry = page_table_entry(mm.pgd, address, true, UserTableFlags);
    if (!entry) {
        put_page(page);
        return FaultOutcome::OutOfMemory;
    }
    if (*entry & pte::Present) { // another thread was faster
        put_page(page);
        return FaultOutcome::Resolved;
    }
    *entry = page_to_phys(page) | flags;
    mm.rss++;
    return FaultOutcome::Resolved;
}

FaultOutcome do_anonymous_page(mm_struct& mm, const vm_area_struct& area, u64 address, bool write) {
    if (!write && is_private(area))
        return map_page(mm, address, zero_page(), (page_flags(area) & ~pte::Write) | pte::CopyOnWrite);
    struct page* page = alloc_page(__GFP_ZERO, PageType::Anonymous);
    if (!page) return FaultOutcome::OutOfMemory;
    return map_page(mm, address, page, page_flags(area) | (write ? pte::Dirty : 0));
}

// The three take over the reference on the cached page.
FaultOutcome do_read_fault(mm_struct& mm, const vm_area_struct& area, u64 address, struct page* page) {
    return map_page(mm, address, page, (page_flags(area) & ~pte::Write) | pte::CopyOnWrite);
}

FaultOutcome do_cow_fault(mm_struct& mm, const vm_area_struct& area, u64 address, struct page* page) {
    struct page* copy = alloc_page(GFP_KERNEL, PageType::Anonymous);
    if (copy) memcpy(page_address(copy), page_address(page), PAGE_SIZE);
    put_page(page);
    if (!copy) return FaultOutcome::OutOfMemory;
    return map_page(mm, address, copy, page_flags(area) | pte::Dirty);
}

FaultOutcome do_shared_fault(mm_struct& mm, const vm_area_struct& area, u64 address, struct page* page,
                             bool write) {
    if (write) set_page_dirty(page);
    return map_page(mm, address, page, page_flags(area));
}

FaultOutcome do_fault(mm_struct& mm, const vm_area_struct& area, u64 address, bool write) {
    u64 offset = (area.vm_pgoff << PAGE_SHIFT) + (address - area.vm_start);
    if (offset >= align_up(area.vm_file->f_inode->i_size, PAGE_SIZE)) return FaultOutcome::BusError;
    Result<struct page*> cached = filemap_get_page(*area.vm_file->f_inode, offset >> PAGE_SHIFT);
    if (!cached.ok())
        return cached.error() == Errno::ENOMEM ? FaultOutcome::OutOfMemory : FaultOutcome::BusError;
    if (!is_private(area)) return do_shared_fault(mm, area, address, cached.value(), write);
    return write ? do_cow_fault(mm, area, address, cached.value())
                 : do_read_fault(mm, area, address, cached.value());
}

FaultOutcome do_wp_page(const vm_area_struct& area, u64 address, u64& entry) {
    struct page* page = phys_to_page(entry & pte::AddressMask);
    if (page->tag == PageType::Anonymous && page->_refcount == 1) {
        entry = (entry | pte::Write | pte::Dirty) & ~pte::CopyOnWrite;
    } else {
        struct page* copy = alloc_page(GFP_KERNEL, PageType::Anonymous);
        if (!copy) return FaultOutcome::OutOfMemory;
        memcpy(page_address(copy), page_address(page), PAGE_SIZE);
        __atomic_store_n(&entry, page_to_phys(copy) | page_flags(area) | pte::Dirty, __ATOMIC_RELEASE);
        flush_tlb_page(*area.vm_mm, address); // other threads read the old page until here
        put_page(page);
        return FaultOutcome::Resolved;
    }
    invlpg(address); // others fault once more and find it writable
    return FaultOutcome::Resolved;
}

/// The area allows the access: what the page-table entry says decides.
FaultOutcome handle_pte_fault(mm_struct& mm, const vm_area_struct& area, u64 address, bool write) {
    if (u64* entry = page_table_entry(mm.pgd, address, false, 0); entry && (*entry & pte::Present)) {
        if (write && !(*entry & pte::Write)) return do_wp_page(area, address, *entry);
        invlpg(address); // a stale TLB entry
        return FaultOutcome::Resolved;
    }
    return area.vm_file ? do_fault(mm, area, address, write) : do_anonymous_page(mm, area, address, write);
}

/// A stack grows down to the fault when that is near its pointer and within the limit; a guard gap stays
/// below it.
bool expand_stack(mm_struct& mm, vm_area_struct& area, u64 address) {
    constexpr u64 GuardGap = 256 * PAGE_SIZE;
    u64 start = align_down(address, PAGE_SIZE);
    if (area.vm_end - start > StackLimit) return false;
    if (area.vm_list.prev != &mm.mmap) {
        vm_area_struct* below = container_of(area.vm_list.prev, vm_area_struct, vm_list);
        if (below->vm_end + GuardGap > start) return false;
    }
    mm.total_vm += (area.vm_start - start) >> PAGE_SHIFT;
    area.vm_start = start; // the tree's order does not change
    return true;
}

/// Calls visit(address, entry) for each present entry in [start, end); whole absent tables are skipped.
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
            if (entry & pte::Present) visit(address, entry);
        }
    }
}

void free_table(PageTable* table, unsigned level) {
    unsigned count = level == 0 ? 256 : 512;
    for (unsigned i = 0; i < count; i++) {
        if (!(table[i] & pte::Present)) continue;
        PhysicalAddress physical = table[i] & pte::AddressMask;
        if (level < 2) free_table(physical_to<PageTable>(physical), level + 1);
        put_page(phys_to_page(physical));
        table[i] = 0;
    }
}

} // namespace

u64 page_flags(const vm_area_struct& area) {
    u64 flags = pte::Present | pte::User | pte::Accessed;
    if (area.vm_flags & VM_WRITE) flags |= pte::Write;
    if (!(area.vm_flags & VM_EXEC) && boot_cpu_data.nx) flags |= pte::NoExecute;
    return flags;
}

FaultOutcome handle_mm_fault(mm_struct& mm, u64 address, u32 access, u64 user_rsp) {
    (void)user_rsp;
    MutexGuard guard(mm.mmap_lock);
    vm_area_struct* area = find_vma(mm, address);
    if (!area) return FaultOutcome::BadAddress;
    if (area->vm_start > address && !((area->vm_flags & VM_GROWSDOWN) && expand_stack(mm, *area, address)))
        return FaultOutcome::BadAddress;
    bool write = access & FaultWrite;
    if (write                   ? !(area->vm_flags & VM_WRITE)
        : access & FaultExecute ? !(area->vm_flags & VM_EXEC)
                                : !(area->vm_flags & (VM_READ | VM_WRITE | VM_EXEC)))
        return FaultOutcome::BadAddress;
    get_current()->min_flt++;
    return handle_pte_fault(mm, *area, align_down(address, PAGE_SIZE), write);
}

void unmap_page_range(mm_struct& mm, u64 start, u64 end) {
    u64 count = 0;
    mmu_gather tlb(mm);
    each_entry(mm.pgd, start, end, [&](u64 address, u64& slot) {
        u64 entry =
            __atomic_exchange_n(&slot, 0, __ATOMIC_ACQ_REL); // another CPU may be setting its dirty bit
        struct page* page = phys_to_page(entry & pte::AddressMask);
        if ((entry & pte::Dirty) && page->tag == PageType::PageCache) set_page_dirty(page);
        tlb.remove(page, address);
        count++;
    });
    mm.rss -= count;
}

void change_protection(mm_struct& mm, const vm_area_struct& area) {
    u64 flags = page_flags(area);
    each_entry(mm.pgd, area.vm_start, area.vm_end, [&](u64, u64& slot) {
        u64 entry = __atomic_exchange_n(&slot, 0, __ATOMIC_ACQ_REL);
        struct page* page = phys_to_page(entry & pte::AddressMask);
        // Only a private page that is nobody else's may become writable without a copy.
        bool shared = (entry & pte::CopyOnWrite) ||
                      (is_private(area) && (page->tag != PageType::Anonymous || page->_refcount > 1));
        u64 kept = entry & (pte::AddressMask | pte::Dirty);
        entry = kept | flags;
        if (shared) entry = (entry & ~pte::Write) | pte::CopyOnWrite;
        __atomic_store_n(&slot, entry, __ATOMIC_RELEASE);
    });
    flush_tlb_range(mm, area.vm_start, area.vm_end);
}

Result<void> copy_page_range(mm_struct& child, mm_struct& parent, const vm_area_struct& area) {
    bool private_area = is_private(area), failed = false;
    each_entry(parent.pgd, area.vm_start, area.vm_end, [&](u64 address, u64& entry) {
        if (failed) return;
        u64* target = page_table_entry(child.pgd, address, true, UserTableFlags);
        if (!target) {
            failed = true;
            return;
        }
        if (private_area) { // the caller flushes: then nobody writes any more
            __atomic_fetch_or(&entry, pte::CopyOnWrite, __ATOMIC_RELAXED);
            __atomic_fetch_and(&entry, ~pte::Write, __ATOMIC_ACQ_REL);
        }
        get_page(phys_to_page(entry & pte::AddressMask));
        *target = entry;
        child.rss++;
    });
    if (failed) return Errno::ENOMEM;
    return {};
}

Result<void> move_page_tables(mm_struct& mm, u64 from, u64 to, u64 size) {
    bool failed = false;
    each_entry(mm.pgd, from, from + size, [&](u64 address, u64& entry) {
        u64* target = failed ? nullptr : page_table_entry(mm.pgd, address - from + to, true, UserTableFlags);
        if (!target) {
            failed = true;
            return;
        }
        *target = __atomic_exchange_n(&entry, 0, __ATOMIC_ACQ_REL);
    });
    flush_tlb_range(mm, from, from + size);
    if (failed) return Errno::ENOMEM;
    return {};
}

void free_pgtables(mm_struct& mm) { free_table(mm.pgd, 0); }

} // namespace kernel
