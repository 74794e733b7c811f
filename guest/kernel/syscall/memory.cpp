// System calls on address spaces: mmap, munmap, mprotect, mremap, brk, madvise.
#include "fs/vfs.h"
#include "mm/memory_struct.h"
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
        name = d_path_or_name(file->f_dentry, path_buffer, sizeof path_buffer);
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
    mm_struct& mm = *get_current()->mm;
    WriteGuard guard(mm.mmap_lock);
    TRY(do_mprotect(mm, address, size, area_rights(protection)));
    return i64{0};
}

Result<i64> sys_mremap(u64 address, usize old_size, usize new_size, u32 flags) {
    if (flags & ~1U) return Errno::EINVAL; // MREMAP_FIXED is not offered
    mm_struct& mm = *get_current()->mm;
    WriteGuard guard(mm.mmap_lock);
    return static_cast<i64>(TRY(do_mremap(mm, address, old_size, new_size, flags & 1)));
}

Result<i64> sys_brk(u64 address) {
    mm_struct& mm = *get_current()->mm;
    WriteGuard guard(mm.mmap_lock);
    return static_cast<i64>(TRY(do_brk(mm, address)));
}

/// Advice may be ignored, but MADV_DONTNEED promises zeroes: refused, as only a range of anonymous memory
/// could keep it.
Result<i64> sys_madvise(u64 address, usize size, i32 advice) {
    if (!is_aligned(address, PAGE_SIZE)) return Errno::EINVAL;
    (void)size;
    if (advice == 4) return Errno::EINVAL;
    return i64{0};
}

using enum ArgumentKind;
constexpr SyscallRow rows[] = {
    row<sys_mmap>(9, "mmap", Pointer, Unsigned, Flags, Flags, Descriptor, Hex),
    row<sys_mprotect>(10, "mprotect", Pointer, Unsigned, Flags),
    row<sys_munmap>(11, "munmap", Pointer, Unsigned),
    row<sys_brk>(12, "brk", Pointer),
    row<sys_mremap>(25, "mremap", Pointer, Unsigned, Unsigned, Flags),
    row<sys_madvise>(28, "madvise", Pointer, Unsigned, Int),
};

} // namespace

SyscallSpan memory_syscalls() { return {rows, array_size(rows)}; }

} // namespace kernel
