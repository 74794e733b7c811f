// System calls on address spaces: mmap, munmap, mprotect, mremap, brk, madvise.
#include "fs/tmpfs.h"
#include "fs/vfs.h"
#include "arch/x86_64/user_access.h"
#include "mm/memory_struct.h"
#include "mm/user_pages.h"
#include "mm/zone.h"
#include "syscall/syscall.h"
#include "task/task.h"

namespace kernel {
namespace {

constexpr u32 PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4;
constexpr u32 MAP_SHARED = 1, MAP_PRIVATE = 2, MAP_SHARED_VALIDATE = 3, MAP_TYPE = 15, MAP_FIXED = 0x10,
              MAP_ANONYMOUS = 0x20, MAP_GROWSDOWN = 0x100, MAP_FIXED_NOREPLACE = 0x100000;

u32 area_rights(u32 protection) {
    return (protection & PROT_READ ? u32{VM_READ} : 0) | (protection & PROT_WRITE ? u32{VM_WRITE} : 0) |
           (protection & PROT_EXEC ? u32{VM_EXEC} : 0);
}

Result<i64> sys_mmap(u64 address, usize size, u32 protection, u32 flags, i32 descriptor, u64 offset) {
    u32 kind = flags & MAP_TYPE;
    if (kind != MAP_SHARED && kind != MAP_PRIVATE && kind != MAP_SHARED_VALIDATE) return Errno::EINVAL;
    if (!size || !is_aligned(offset, PAGE_SIZE)) return Errno::EINVAL;
    mm_struct& mm = *get_current()->mm;
    u32 rights = area_rights(protection) | (kind != MAP_PRIVATE ? u32{VM_SHARED} : 0) |
                 (flags & MAP_GROWSDOWN ? u32{VM_GROWSDOWN} : 0);
    struct file* file = nullptr;
    char path_buffer[128];
    const char* name = "";
    if (!(flags & MAP_ANONYMOUS)) {
        file = TRY(fget(descriptor));
        bool shared_write = (rights & VM_SHARED) && (rights & VM_WRITE);
        if (!is_regular(file->f_inode->i_mode) || !file->f_dentry || !file->readable() ||
            (shared_write && !file->writable())) {
            bool regular = is_regular(file->f_inode->i_mode);
            fput(file);
            return regular ? Errno::EACCES : Errno::ENODEV;
        }
        if (rights & VM_GROWSDOWN) { // growth would not move the file's offset
            fput(file);
            return Errno::EINVAL;
        }
        name = d_path_or_name(file->f_dentry, path_buffer, sizeof path_buffer);
    }
    if ((flags & MAP_ANONYMOUS) &&
        kind != MAP_PRIVATE) { // a file without a name, shared by whoever inherits it
        if (rights & VM_GROWSDOWN) return Errno::EINVAL;
        file = TRY(shmem_file_setup(align_up(size, PAGE_SIZE)));
        offset = 0;
        name = "/dev/zero (deleted)";
    }
    Result<u64> mapped = [&] {
        WriteGuard guard(mm.mmap_lock);
        return mmap_region(mm, address, size, rights, flags & (MAP_FIXED | MAP_FIXED_NOREPLACE),
                           flags & MAP_FIXED_NOREPLACE, file, offset, name);
    }();
    if (file) fput(file); // the area holds its own reference
    if (!mapped.ok()) return mapped.error();
    return static_cast<i64>(mapped.value());
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
    if (address > TASK_SIZE_MAX || length > TASK_SIZE_MAX - address) return Errno::ENOMEM; // nothing is there
    if (grows) return Errno::EINVAL; // areas that grow are not asked for by their middle
    mm_struct& mm = *get_current()->mm;
    WriteGuard guard(mm.mmap_lock);
    TRY(do_mprotect(mm, address, size, area_rights(protection)));
    return i64{0};
}

Result<i64> sys_mremap(u64 address, usize old_size, usize new_size, u32 flags, u64 target) {
    mm_struct& mm = *get_current()->mm;
    WriteGuard guard(mm.mmap_lock);
    return static_cast<i64>(TRY(do_mremap(mm, address, old_size, new_size, target, flags)));
}

Result<i64> sys_brk(u64 address) {
    mm_struct& mm = *get_current()->mm;
    WriteGuard guard(mm.mmap_lock);
    return static_cast<i64>(TRY(do_brk(mm, address)));
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
        if (advice == MADV_DONTNEED || advice == MADV_FREE || advice == MADV_DONTNEED_LOCKED)
            unmap_page_range(mm, from, to);
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
