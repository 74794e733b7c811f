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
Page* zero_page() {
    alignas(4096) [[gnu::section(".bss..page_aligned")]] static u8 zeros[PageSize];
    return page_of_physical(virtual_to_physical(zeros));
}

bool is_private(const VmArea& area) { return !(area.flags & AreaShared); }

FaultOutcome map_page(MemoryStruct& mm, u64 address, Page* page, u64 flags) {
    u64* entry = page_table_entry(mm.page_tables, address, true, UserTableFlags);
    if (!entry) {
        put_page(page);
        return FaultOutcome::OutOfMemory;
    }
    if (*entry & pte::Present) { // another thread was faster
        put_page(page);
        return FaultOutcome::Resolved;
    }
    *entry = physical_of(page) | flags;
    mm.resident_pages++;
    return FaultOutcome::Resolved;
}

FaultOutcome anonymous_fault(MemoryStruct& mm, const VmArea& area, u64 address, bool write) {
    if (!write && is_private(area))
        return map_page(mm, address, zero_page(), (page_flags(area) & ~pte::Write) | pte::CopyOnWrite);
    Page* page = allocate_page(AllocateZero, PageType::Anonymous);
    if (!page) return FaultOutcome::OutOfMemory;
    return map_page(mm, address, page, page_flags(area) | (write ? pte::Dirty : 0));
}

FaultOutcome file_fault(MemoryStruct& mm, const VmArea& area, u64 address, bool write) {
    u64 offset = area.file_offset + (address - area.start);
    if (offset >= align_up(area.file->inode->size, PageSize)) return FaultOutcome::BusError;
    Result<Page*> cached = cached_page(*area.file->inode, offset >> PageShift);
    if (!cached.ok())
        return cached.error() == Errno::ENOMEM ? FaultOutcome::OutOfMemory : FaultOutcome::BusError;
    if (!is_private(area)) {
        if (write) cached.value()->flags |= PageDirty;
        return map_page(mm, address, cached.value(), page_flags(area));
    }
    if (!write)
        return map_page(mm, address, cached.value(), (page_flags(area) & ~pte::Write) | pte::CopyOnWrite);
    Page* copy = allocate_page(AllocateKernel, PageType::Anonymous);
    if (copy) memcpy(address_of(copy), address_of(cached.value()), PageSize);
    put_page(cached.value());
    if (!copy) return FaultOutcome::OutOfMemory;
    return map_page(mm, address, copy, page_flags(area) | pte::Dirty);
}

FaultOutcome copy_on_write(const VmArea& area, u64 address, u64& entry) {
    Page* page = page_of_physical(entry & pte::AddressMask);
    if (page->tag == PageType::Anonymous && page->refcount == 1) {
        entry = (entry | pte::Write | pte::Dirty) & ~pte::CopyOnWrite;
    } else {
        Page* copy = allocate_page(AllocateKernel, PageType::Anonymous);
        if (!copy) return FaultOutcome::OutOfMemory;
        memcpy(address_of(copy), address_of(page), PageSize);
        entry = physical_of(copy) | page_flags(area) | pte::Dirty;
        put_page(page);
    }
    invalidate_page(address);
    return FaultOutcome::Resolved;
}

/// A stack grows down to the fault when that is near its pointer and within the limit; a guard gap stays
/// below it.
bool grow_stack(MemoryStruct& mm, VmArea& area, u64 address) {
    constexpr u64 GuardGap = 256 * PageSize;
    u64 start = align_down(address, PageSize);
    if (area.end - start > StackLimit) return false;
    if (area.links.prev != &mm.areas) {
        VmArea* below = CONTAINER_OF(area.links.prev, VmArea, links);
        if (below->end + GuardGap > start) return false;
    }
    mm.total_pages += (area.start - start) >> PageShift;
    area.start = start; // the tree's order does not change
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
        for (; address < stop; address += PageSize) {
            u64& entry = table[address >> PageShift & 511];
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
        put_page(page_of_physical(physical));
        table[i] = 0;
    }
}

} // namespace

u64 page_flags(const VmArea& area) {
    u64 flags = pte::Present | pte::User | pte::Accessed;
    if (area.flags & AreaWrite) flags |= pte::Write;
    if (!(area.flags & AreaExecute) && cpu_features.nx) flags |= pte::NoExecute;
    return flags;
}

FaultOutcome handle_page_fault(MemoryStruct& mm, u64 address, u32 access, u64 user_rsp) {
    (void)user_rsp;
    MutexGuard guard(mm.lock);
    VmArea* area = find_area(mm, address);
    if (!area) return FaultOutcome::BadAddress;
    if (area->start > address && !((area->flags & AreaGrowsDown) && grow_stack(mm, *area, address)))
        return FaultOutcome::BadAddress;
    bool write = access & FaultWrite;
    if (write                   ? !(area->flags & AreaWrite)
        : access & FaultExecute ? !(area->flags & AreaExecute)
                                : !(area->flags & (AreaRead | AreaWrite | AreaExecute)))
        return FaultOutcome::BadAddress;
    current_task()->minor_faults++;
    address = align_down(address, PageSize);
    if (u64* entry = page_table_entry(mm.page_tables, address, false, 0); entry && (*entry & pte::Present)) {
        if (write && !(*entry & pte::Write)) return copy_on_write(*area, address, *entry);
        invalidate_page(address); // a stale TLB entry
        return FaultOutcome::Resolved;
    }
    return area->file ? file_fault(mm, *area, address, write) : anonymous_fault(mm, *area, address, write);
}

void unmap_user_pages(MemoryStruct& mm, u64 start, u64 end) {
    u64 count = 0;
    each_entry(mm.page_tables, start, end, [&](u64 address, u64& entry) {
        Page* page = page_of_physical(entry & pte::AddressMask);
        if ((entry & pte::Dirty) && page->tag == PageType::PageCache) page->flags |= PageDirty;
        entry = 0;
        invalidate_page(address);
        put_page(page);
        count++;
    });
    mm.resident_pages -= count;
}

void protect_user_pages(MemoryStruct& mm, const VmArea& area) {
    u64 flags = page_flags(area);
    each_entry(mm.page_tables, area.start, area.end, [&](u64 address, u64& entry) {
        Page* page = page_of_physical(entry & pte::AddressMask);
        // Only a private page that is nobody else's may become writable without a copy.
        bool shared = (entry & pte::CopyOnWrite) ||
                      (is_private(area) && (page->tag != PageType::Anonymous || page->refcount > 1));
        u64 kept = entry & (pte::AddressMask | pte::Dirty);
        entry = kept | flags;
        if (shared) entry = (entry & ~pte::Write) | pte::CopyOnWrite;
        invalidate_page(address);
    });
}

Result<void> share_user_pages(MemoryStruct& child, MemoryStruct& parent, const VmArea& area) {
    bool private_area = is_private(area), failed = false;
    each_entry(parent.page_tables, area.start, area.end, [&](u64 address, u64& entry) {
        if (failed) return;
        u64* target = page_table_entry(child.page_tables, address, true, UserTableFlags);
        if (!target) {
            failed = true;
            return;
        }
        if (private_area) entry = (entry & ~pte::Write) | pte::CopyOnWrite;
        get_page(page_of_physical(entry & pte::AddressMask));
        *target = entry;
        child.resident_pages++;
    });
    if (failed) return Errno::ENOMEM;
    return {};
}

Result<void> move_user_pages(MemoryStruct& mm, u64 from, u64 to, u64 size) {
    bool failed = false;
    each_entry(mm.page_tables, from, from + size, [&](u64 address, u64& entry) {
        u64* target =
            failed ? nullptr : page_table_entry(mm.page_tables, address - from + to, true, UserTableFlags);
        if (!target) {
            failed = true;
            return;
        }
        *target = entry;
        entry = 0;
        invalidate_page(address);
    });
    if (failed) return Errno::ENOMEM;
    return {};
}

void free_user_tables(MemoryStruct& mm) { free_table(mm.page_tables, 0); }

void flush_user_tlb() { write_cr3(read_cr3()); } // user entries are not global

} // namespace kernel
