// System calls on address spaces: mmap, munmap, mprotect, mremap, brk, madvise.
#include "fs/tmpfs.h"
#include "fs/vfs.h"
#include "arch/x86_64/user_access.h"
#include "mm/memory_struct.h"
#include "mm/overcommit.h"
#include "mm/user_pages.h"
#include "mm/zone.h"
#include "syscall/syscall.h"
#include "task/task.h"

namespace kernel {
namespace {

constexpr u32 PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4;
constexpr u32 MAP_SHARED = 1, MAP_PRIVATE = 2, MAP_SHARED_VALIDATE = 3, MAP_TYPE = 15, MAP_FIXED = 0x10,
              MAP_ANONYMOUS = 0x20, MAP_32BIT = 0x40, MAP_GROWSDOWN = 0x100, MAP_DENYWRITE = 0x800,
              MAP_EXECUTABLE = 0x1000, MAP_LOCKED = 0x2000, MAP_NORESERVE = 0x4000, MAP_POPULATE = 0x8000,
              MAP_NONBLOCK = 0x10000, MAP_STACK = 0x20000, MAP_HUGETLB = 0x40000,
              MAP_FIXED_NOREPLACE = 0x100000;
/// What MAP_SHARED_VALIDATE lets pass; MAP_FIXED_NOREPLACE is younger and not among them.
constexpr u32 LEGACY_MAP_MASK =
    MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_32BIT | MAP_GROWSDOWN | MAP_DENYWRITE |
    MAP_EXECUTABLE | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB |
    0x4000000 /* MAP_UNINITIALIZED */ | 21u << 26 | 30u << 26 /* MAP_HUGE_2MB, MAP_HUGE_1GB */;

u32 area_rights(u32 protection) {
    return (protection & PROT_READ ? u32{VM_READ} : 0) | (protection & PROT_WRITE ? u32{VM_WRITE} : 0) |
           (protection & PROT_EXEC ? u32{VM_EXEC} : 0);
}

/// A file's mapping: what its rights and flags allow.
Result<void> may_map(const struct file& file, u32 flags, u32 rights) {
    if ((flags & MAP_TYPE) == MAP_SHARED_VALIDATE && (flags & ~LEGACY_MAP_MASK)) return Errno::EOPNOTSUPP;
    if ((rights & VM_SHARED) && (rights & VM_WRITE) && !file.writable()) return Errno::EACCES;
    if (!file.readable()) return Errno::EACCES;
    if (!is_regular(file.f_inode->i_mode) || !file.f_dentry) return Errno::ENODEV;
    if (rights & VM_GROWSDOWN) return Errno::EINVAL; // growth would not move the file's offset
    return {};
}

Result<i64> sys_mmap(u64 address, usize size, u32 protection, u32 flags, i32 descriptor, u64 offset) {
    if (!is_aligned(offset, PAGE_SIZE)) return Errno::EINVAL;
    mm_struct& mm = *get_current()->mm;
    u32 kind = flags & MAP_TYPE;
    struct file* file = nullptr;
    if (!(flags & MAP_ANONYMOUS)) file = TRY(fget(descriptor));
    char path_buffer[128];
    const char* name = "";
    u32 rights = 0;
    Result<void> fine = [&]() -> Result<void> {
        if (flags & MAP_HUGETLB) return file ? Errno::EINVAL : Errno::ENOMEM; // there are no huge pages
        if (!size) return Errno::EINVAL;
        if (align_up(size, PAGE_SIZE) < size) return Errno::ENOMEM;
        if (offset + align_up(size, PAGE_SIZE) < offset) return Errno::EOVERFLOW;
        if ((flags & MAP_LOCKED) && !can_do_mlock()) return Errno::EPERM;
        if (kind != MAP_SHARED && kind != MAP_PRIVATE && !(file && kind == MAP_SHARED_VALIDATE))
            return Errno::EINVAL;
        rights = area_rights(protection) | (kind != MAP_PRIVATE ? u32{VM_SHARED} : 0) |
                 (flags & MAP_GROWSDOWN ? u32{VM_GROWSDOWN} : 0) | (flags & MAP_LOCKED ? u32{VM_LOCKED} : 0) |
                 mm.def_flags;
        if ((flags & MAP_NORESERVE) && sysctl_overcommit_memory != OVERCOMMIT_NEVER) rights |= VM_NORESERVE;
        if (file) {
            TRY(may_map(*file, flags, rights));
            name = d_path_or_name(file->f_dentry, path_buffer, sizeof path_buffer);
        } else if (kind == MAP_SHARED) { // a file without a name, shared by whoever inherits it
            if (rights & VM_GROWSDOWN) return Errno::EINVAL;
            file = TRY(shmem_file_setup(align_up(size, PAGE_SIZE), rights & VM_NORESERVE));
            offset = 0;
            name = "/dev/zero (deleted)";
        }
        return {};
    }();
    Result<u64> mapped = fine.ok() ? Result<u64>(u64{0}) : fine.error();
    bool fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
    if (fine.ok()) {
        WriteGuard guard(mm.mmap_lock);
        Result<u64> place = address;
        if ((flags & MAP_32BIT) && !fixed)
            place = get_unmapped_area_32bit(mm, address, align_up(size, PAGE_SIZE));
        mapped = place;
        if (place.ok())
            mapped = mmap_region(mm, place.value(), size, rights, fixed, flags & MAP_FIXED_NOREPLACE, file,
                                 offset, name);
    }
    if (file) fput(file); // the area holds its own reference
    u64 start = TRY(mapped);
    if ((rights & VM_LOCKED) || (flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE)
        (void)mm_populate(mm, start, start + align_up(size, PAGE_SIZE), true);
    return static_cast<i64>(start);
}

/// Those areas of the range that are locked get their pages.
void populate_locked(mm_struct& mm, u64 start, u64 end) {
    while (start < end) {
        u64 to;
        bool locked;
        {
            ReadGuard guard(mm.mmap_lock);
            const vm_area_struct* area = find_vma(mm, start);
            if (!area || area->vm_start >= end) return;
            start = max(start, area->vm_start), to = min(end, area->vm_end);
            locked = area->vm_flags & VM_LOCKED;
        }
        if (locked) (void)mm_populate(mm, start, to, true);
        start = to;
    }
}

Result<i64> sys_munmap(u64 address, usize size) {
    mm_struct& mm = *get_current()->mm;
    WriteGuard guard(mm.mmap_lock);
    TRY(do_munmap(mm, address, size));
    return i64{0};
}

Result<i64> sys_mprotect(u64 address, usize size, u32 protection) {
    constexpr u32 PROT_SEM = 8, PROT_GROWSDOWN = 0x0100'0000, PROT_GROWSUP = 0x0200'0000;
    u32 grows = protection & (PROT_GROWSDOWN | PROT_GROWSUP);
    if (grows == (PROT_GROWSDOWN | PROT_GROWSUP) || !is_aligned(address, PAGE_SIZE)) return Errno::EINVAL;
    if (!size) return i64{0};
    u64 length = align_up(size, PAGE_SIZE);
    if (address + length <= address) return Errno::ENOMEM;
    if (protection & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM | grows)) return Errno::EINVAL;
    if (grows & PROT_GROWSUP) return Errno::EINVAL; // no area does
    mm_struct& mm = *get_current()->mm;
    Result<void> changed;
    bool locked = false;
    {
        WriteGuard guard(mm.mmap_lock);
        changed = do_mprotect(mm, address, address + length, area_rights(protection), grows & PROT_GROWSDOWN);
        locked = mm.locked_vm;
    }
    // Locked memory that may be written has pages of its own.
    if (locked && (protection & PROT_WRITE)) populate_locked(mm, address, address + length);
    TRY(changed);
    return i64{0};
}

Result<i64> sys_mremap(u64 address, usize old_size, usize new_size, u32 flags, u64 target) {
    mm_struct& mm = *get_current()->mm;
    u64 moved = 0;
    {
        WriteGuard guard(mm.mmap_lock);
        moved = TRY(do_mremap(mm, address, old_size, new_size, target, flags));
    }
    if (new_size > old_size)
        populate_locked(mm, moved + align_up(old_size, PAGE_SIZE), moved + align_up(new_size, PAGE_SIZE));
    return static_cast<i64>(moved);
}

Result<i64> sys_brk(u64 address) {
    mm_struct& mm = *get_current()->mm;
    u64 before = 0, now = 0;
    {
        WriteGuard guard(mm.mmap_lock);
        before = mm.brk;
        now = TRY(do_brk(mm, address));
    }
    if (now > before) populate_locked(mm, align_down(before, PAGE_SIZE), align_up(now, PAGE_SIZE));
    return static_cast<i64>(now);
}

/// Every page of [start, end) lies in an area; visit(area, from, to) for each piece.
template <typename Visit> Result<void> each_area(mm_struct& mm, u64 start, u64 end, Visit visit) {
    u64 reached = start;
    for (vm_area_struct* area = find_vma(mm, start); area && area->vm_start <= reached && reached < end;
         area = find_vma(mm, reached)) {
        u64 to = min(end, area->vm_end);
        visit(*area, reached, to);
        reached = to;
    }
    return reached < end ? Errno::ENOMEM : Result<void>();
}

Result<u64> range_end(u64 address, usize size) {
    if (!is_aligned(address, PAGE_SIZE)) return Errno::EINVAL;
    u64 length = align_up(size, PAGE_SIZE);
    if (length < size || address > TASK_SIZE_MAX || length > TASK_SIZE_MAX - address)
        return size ? Errno::ENOMEM : Errno::EINVAL;
    return address + length;
}

/// MADV_DONTNEED takes the pages away: anonymous ones read as zero afterwards, a file's come back from the
/// file.
Result<i64> sys_madvise(u64 address, usize size, i32 advice) {
    constexpr i32 MADV_DONTNEED = 4, MADV_FREE = 8, MADV_DONTNEED_LOCKED = 24;
    // Without KSM and huge pages (12 to 15) Linux refuses their advice too.
    bool known = (advice >= 0 && advice <= 4) || (advice >= 8 && advice <= 11) ||
                 (advice >= 16 && advice <= 21) || advice == MADV_DONTNEED_LOCKED;
    u64 length = align_up(size, PAGE_SIZE), end = address + length;
    if (!known || !is_aligned(address, PAGE_SIZE) || (size && !length) || end < address) return Errno::EINVAL;
    if (end == address) return i64{0};
    mm_struct& mm = *get_current()->mm;
    ReadGuard guard(mm.mmap_lock);
    bool hole = false; // is told at the end: the rest is done all the same
    for (u64 at = address; at < end;) {
        const vm_area_struct* area = find_vma(mm, at);
        if (!area) return Errno::ENOMEM;
        hole |= at < area->vm_start;
        if (area->vm_start >= end) break;
        u64 from = max(at, area->vm_start), to = min(end, area->vm_end);
        if (advice == MADV_FREE && area->vm_file) return Errno::EINVAL;
        constexpr i32 MADV_COLD = 20, MADV_PAGEOUT = 21;
        bool takes = advice == MADV_DONTNEED || advice == MADV_FREE;
        if ((takes || advice == MADV_COLD || advice == MADV_PAGEOUT) && (area->vm_flags & VM_LOCKED))
            return Errno::EINVAL;
        if (takes || advice == MADV_DONTNEED_LOCKED) unmap_page_range(*area, from, to);
        at = to;
    }
    return hole ? Result<i64>(Errno::ENOMEM) : i64{0};
}

Result<i64> sys_msync(u64 address, usize size, u32 flags) {
    constexpr u32 MS_ASYNC = 1, MS_INVALIDATE = 2, MS_SYNC = 4;
    if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) || ((flags & MS_ASYNC) && (flags & MS_SYNC)))
        return Errno::EINVAL;
    u64 end = TRY(range_end(address, size));
    mm_struct& mm = *get_current()->mm;
    Result<void> whole, written;
    for (u64 at = address; at < end;) {
        struct file* file = nullptr;
        {
            ReadGuard guard(mm.mmap_lock);
            vm_area_struct* area = find_vma(mm, at);
            if (!area) return Errno::ENOMEM;
            if (area->vm_start > at) whole = Errno::ENOMEM; // a hole: the rest is done all the same
            if ((flags & MS_INVALIDATE) && area->vm_start < end && (area->vm_flags & VM_LOCKED))
                return Errno::EBUSY;
            at = area->vm_end;
            if ((flags & MS_SYNC) && area->vm_start < end && (area->vm_flags & VM_SHARED) && area->vm_file)
                get_file(file = area->vm_file);
        }
        if (!file) continue;
        if (Result<void> synced = vfs_fsync(*file); !synced.ok()) written = synced;
        fput(file);
    }
    TRY(written);
    TRY(whole);
    return i64{0};
}

Result<i64> sys_mincore(u64 address, usize size, u64 vector) {
    if (!is_aligned(address, PAGE_SIZE)) return Errno::EINVAL;
    u64 end = TRY(range_end(address, size));
    mm_struct& mm = *get_current()->mm;
    u8 resident[256];
    for (u64 at = address; at < end;) {
        u64 stop = min(end, at + sizeof resident * PAGE_SIZE);
        {
            ReadGuard guard(mm.mmap_lock);
            TRY(each_area(mm, at, stop, [&](vm_area_struct& area, u64 from, u64 to) {
                for (u64 page = from; page < to; page += PAGE_SIZE) {
                    u64* entry = page_table_entry(mm.pgd, page, false, 0);
                    bool there = entry && pte::holds_page(*entry);
                    if (!there && area.vm_file) {
                        struct page* cached = find_get_page(
                            *area.vm_file->f_mapping, area.vm_pgoff + ((page - area.vm_start) >> PAGE_SHIFT));
                        there = cached && cached->has(PageUptodate);
                        if (cached) put_page(cached);
                    }
                    resident[(page - at) >> PAGE_SHIFT] = there;
                }
            }));
        }
        TRY(copy_to_user(vector + ((at - address) >> PAGE_SHIFT), resident, (stop - at) >> PAGE_SHIFT));
        at = stop;
    }
    return i64{0};
}

using enum ArgumentKind;
constexpr SyscallRow rows[] = {
    row<sys_mmap>(9, "mmap", Pointer, Unsigned, Flags, Flags, Descriptor, Hex),
    row<sys_mprotect>(10, "mprotect", Pointer, Unsigned, Flags),
    row<sys_munmap>(11, "munmap", Pointer, Unsigned),
    row<sys_brk>(12, "brk", Pointer),
    row<sys_mremap>(25, "mremap", Pointer, Unsigned, Unsigned, Flags, Pointer),
    row<sys_msync>(26, "msync", Pointer, Unsigned, Flags),
    row<sys_mincore>(27, "mincore", Pointer, Unsigned, Pointer),
    row<sys_madvise>(28, "madvise", Pointer, Unsigned, Int),
};

} // namespace

SyscallSpan memory_syscalls() { return {rows, array_size(rows)}; }

} // namespace kernel
