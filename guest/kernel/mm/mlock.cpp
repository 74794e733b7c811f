// Locked memory: mlock, mlock2, munlock, mlockall, munlockall.
//
// VM_LOCKED is a property of an area. Every page-table entry in such an area that holds a page counts in the
// page's mlock_count, and a page with a count is on the unevictable list, where reclaim does not look
// (mm/lru.cpp). Flag and counts change together, under page_table_lock.
#include "mm/page.h"
#include "mm/reclaim.h"
#include "mm/rmap.h"
#include "mm/user_pages.h"
#include "mm/vma.h"
#include "mm/zone.h"
#include "sched/scheduler.h"
#include "syscall/syscall.h"
#include "task/cred.h"
#include "task/signal.h"
#include "task/task.h"

namespace kernel {
namespace {

constexpr u32 MLOCK_ONFAULT = 1, MCL_CURRENT = 1, MCL_FUTURE = 2, MCL_ONFAULT = 4;

u64 lock_limit() { return rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT; }
bool free_of_limit() { return capable(*current_cred()); }

/// [start, end) of one area gets these lock flags.
Result<void> mlock_fixup(mm_struct& mm, vm_area_struct* area, u64 start, u64 end, u32 locks) {
    u32 flags = (area->vm_flags & VM_LOCKED_CLEAR_MASK) | locks;
    if (flags == area->vm_flags || (area->vm_flags & VM_SPECIAL)) return {};
    TRY(split_vma(mm, start));
    TRY(split_vma(mm, end));
    area = find_vma(mm, start);
    vm_stat_account(mm, area->vm_flags, -static_cast<i64>(vma_pages(*area)));
    mlock_vma_pages(*area, flags);
    vm_stat_account(mm, flags, static_cast<i64>(vma_pages(*area)));
    vma_merge(mm, area);
    return {};
}

Result<void> apply_vma_lock_flags(mm_struct& mm, u64 start, u64 size, u32 locks) {
    u64 end = start + size;
    if (end < start) return Errno::EINVAL;
    while (start < end) {
        vm_area_struct* area = find_vma(mm, start);
        if (!area || area->vm_start > start) return Errno::ENOMEM; // what lies before the hole is done
        u64 to = min(end, area->vm_end);
        TRY(mlock_fixup(mm, area, start, to, locks));
        start = to;
    }
    return {};
}

/// Pages of the range that are locked already.
u64 count_mm_mlocked_pages(mm_struct& mm, u64 start, u64 size) {
    u64 pages = 0, end = start + size < start ? ~u64{0} : start + size;
    for (vm_area_struct* area = find_vma(mm, start); area && area->vm_start < end; area = vma_next(mm, area))
        if (area->vm_flags & VM_LOCKED)
            pages += (min(area->vm_end, end) - max(area->vm_start, start)) >> PAGE_SHIFT;
    return pages;
}

Result<i64> do_mlock(u64 start, u64 size, u32 locks) {
    if (!can_do_mlock()) return Errno::EPERM;
    mm_struct& mm = *get_current()->mm;
    size = align_up(size + (start & (PAGE_SIZE - 1)), PAGE_SIZE);
    start = align_down(start, PAGE_SIZE);
    {
        WriteGuard guard(mm.mmap_lock);
        u64 locked = (size >> PAGE_SHIFT) + mm.locked_vm;
        if (locked > lock_limit() && !free_of_limit()) locked -= count_mm_mlocked_pages(mm, start, size);
        if (locked > lock_limit() && !free_of_limit()) return Errno::ENOMEM;
        TRY(apply_vma_lock_flags(mm, start, size, locks));
    }
    if (Result<void> there = mm_populate(mm, start, start + size, false); !there.ok()) // POSIX's errors
        return there.error() == Errno::EFAULT   ? Errno::ENOMEM
               : there.error() == Errno::ENOMEM ? Errno::EAGAIN
                                                : there.error();
    return i64{0};
}

Result<i64> sys_mlock(u64 start, usize size) { return do_mlock(start, size, VM_LOCKED); }

Result<i64> sys_mlock2(u64 start, usize size, u32 flags) {
    if (flags & ~MLOCK_ONFAULT) return Errno::EINVAL;
    return do_mlock(start, size, VM_LOCKED | (flags & MLOCK_ONFAULT ? u32{VM_LOCKONFAULT} : 0));
}

Result<i64> sys_munlock(u64 start, usize size) {
    mm_struct& mm = *get_current()->mm;
    size = align_up(size + (start & (PAGE_SIZE - 1)), PAGE_SIZE);
    WriteGuard guard(mm.mmap_lock);
    TRY(apply_vma_lock_flags(mm, align_down(start, PAGE_SIZE), size, 0));
    return i64{0};
}

/// REQUIRES: mmap_lock for writing.
void apply_mlockall_flags(mm_struct& mm, u32 flags) {
    u32 wanted = VM_LOCKED | (flags & MCL_ONFAULT ? u32{VM_LOCKONFAULT} : 0);
    mm.def_flags = flags & MCL_FUTURE ? wanted : 0;
    if (flags && !(flags & MCL_CURRENT)) return;
    u32 locks = flags & MCL_CURRENT ? wanted : 0;
    for (u64 at = 0; vm_area_struct* area = find_vma(mm, at);) {
        at = area->vm_end;
        (void)mlock_fixup(mm, area, area->vm_start, area->vm_end, locks); // as much as can be
    }
}

Result<i64> sys_mlockall(u32 flags) {
    if (!flags || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) || flags == MCL_ONFAULT)
        return Errno::EINVAL;
    if (!can_do_mlock()) return Errno::EPERM;
    mm_struct& mm = *get_current()->mm;
    {
        WriteGuard guard(mm.mmap_lock);
        if ((flags & MCL_CURRENT) && mm.total_vm > lock_limit() && !free_of_limit()) return Errno::ENOMEM;
        apply_mlockall_flags(mm, flags);
    }
    if (flags & MCL_CURRENT) (void)mm_populate(mm, 0, TASK_SIZE_MAX, true);
    return i64{0};
}

Result<i64> sys_munlockall() {
    mm_struct& mm = *get_current()->mm;
    WriteGuard guard(mm.mmap_lock);
    apply_mlockall_flags(mm, 0);
    return i64{0};
}

using enum ArgumentKind;
constexpr SyscallRow rows[] = {
    row<sys_mlock>(149, "mlock", Pointer, Unsigned),
    row<sys_munlock>(150, "munlock", Pointer, Unsigned),
    row<sys_mlockall>(151, "mlockall", Flags),
    row<sys_munlockall>(152, "munlockall"),
    row<sys_mlock2>(325, "mlock2", Pointer, Unsigned, Flags),
};

} // namespace

bool can_do_mlock() { return rlimit(RLIMIT_MEMLOCK) || free_of_limit(); }

Result<void> mlock_future_check(const mm_struct& mm, u32 flags, u64 pages) {
    if (!(flags & VM_LOCKED) || mm.locked_vm + pages <= lock_limit() || free_of_limit()) return {};
    return Errno::EAGAIN;
}

void munlock_range(mm_struct& mm, u64 start, u64 end) {
    (void)apply_vma_lock_flags(mm, start, end - start, 0);
}

Result<void> mm_populate(mm_struct& mm, u64 start, u64 end, bool ignore_errors) {
    for (u64 at = start; at < end;) {
        bool write;
        {
            ReadGuard guard(mm.mmap_lock);
            const vm_area_struct* area = find_vma(mm, at);
            if (!area || area->vm_start >= end) return {};
            at = max(at, area->vm_start);
            if ((area->vm_flags & (VM_SPECIAL | VM_LOCKONFAULT))) {
                at = area->vm_end;
                continue;
            }
            write =
                (area->vm_flags & (VM_WRITE | VM_SHARED)) == VM_WRITE; // private memory gets pages of its own
            const u64* entry = page_table_entry(mm.pgd, at, false, 0);
            u64 value = entry ? __atomic_load_n(entry, __ATOMIC_RELAXED) : 0;
            if ((value & pte::Present) && (!write || (value & pte::Write))) {
                at += PAGE_SIZE;
                continue;
            }
        }
        FaultOutcome outcome = handle_mm_fault(mm, at, write ? u32{FaultWrite} : 0);
        if (outcome != FaultOutcome::Resolved && !ignore_errors)
            return outcome == FaultOutcome::OutOfMemory ? Errno::ENOMEM : Errno::EFAULT;
        if (signal_pending_state(TASK_KILLABLE, *get_current())) return Errno::EINTR;
        if (outcome != FaultOutcome::Resolved || !write)
            at += PAGE_SIZE; // else a look whether it is writable
    }
    return {};
}

SyscallSpan mlock_syscalls() { return {rows, array_size(rows)}; }

} // namespace kernel
