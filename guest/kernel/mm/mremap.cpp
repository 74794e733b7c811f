// mremap: areas that grow, shrink and move. See memory_struct.h.
#include "fs/vfs.h"
#include "mm/overcommit.h"
#include "mm/user_pages.h"
#include "mm/vma.h"
#include "task/task.h"

namespace kernel {
namespace {

/// The pages of [old_address, +old_size) get a new place of new_size, `target` when that is fixed. `keep`:
/// the old place stays, empty. What the new place has more is charged already.
Result<u64> move_vma(mm_struct& mm, u64 old_address, u64 old_size, u64 new_size, u64 target, bool fixed,
                     bool keep) {
    if (mm.map_count + 3 >= sysctl_max_map_count) return Errno::ENOMEM;
    vm_area_struct* area = find_vma(mm, old_address);
    struct file* file = area->vm_file; // the area may be joined with the new one
    const u32 area_flags = area->vm_flags;
    if (!fixed) target = TRY(get_unmapped_area(mm, target, new_size));
    vm_area_struct like = *area;
    like.vm_start = target;
    like.vm_end = target + new_size;
    // Pages that are there are found by their offset; without any, the offset is the new place's.
    like.vm_pgoff = file || (area_flags & VM_SPECIAL) || area->anon_vma
                        ? area->vm_pgoff + ((old_address - area->vm_start) >> PAGE_SHIFT)
                        : target >> PAGE_SHIFT;
    TRY(insert_vma(mm, like, area));
    if (!old_size) return target;
    // What is taken away gives back what was committed for it: here it is committed on, by the other place or
    // by the caller.
    auto take_away = [&](u64 address, u64 size) {
        if (area_flags & VM_ACCOUNT) vm_acct_memory(size >> PAGE_SHIFT);
        return do_munmap(mm, address, size);
    };
    if (Result<void> moved = move_page_tables(mm, file, old_address, target, old_size); !moved.ok()) {
        (void)take_away(target, new_size); // no page has moved yet
        return moved.error();
    }
    if (!keep)
        (void)take_away(old_address, old_size); // else both stay, and both are committed
    else if (area_flags & VM_LOCKED)
        munlock_range(mm, old_address, old_address + old_size);
    return target;
}

/// What is at old_address may become new_size long. `charged`: the pages that were committed for that.
Result<vm_area_struct*> vma_to_resize(mm_struct& mm, u64 old_address, u64 old_size, u64 new_size, u32 flags,
                                      u64& charged) {
    charged = 0;
    vm_area_struct* area = find_vma(mm, old_address);
    if (!area || area->vm_start > old_address) return Errno::EFAULT;
    if (!old_size && !(area->vm_flags & VM_SHARED)) return Errno::EINVAL; // twice the same private memory
    // [vvar] and [vdso] are as long as they are, and stay mapped once (VM_DONTEXPAND in Linux).
    if ((flags & MREMAP_DONTUNMAP) && (area->vm_flags & VM_SPECIAL)) return Errno::EINVAL;
    if (old_size > area->vm_end - old_address) return Errno::EFAULT;
    if (new_size > old_size && (area->vm_flags & VM_SPECIAL)) return Errno::EFAULT;
    if (new_size > TASK_SIZE_MAX) return Errno::ENOMEM;
    u64 growth = new_size > old_size ? (new_size - old_size) >> PAGE_SHIFT : 0;
    TRY(mlock_future_check(mm, area->vm_flags, growth));
    if (!may_expand_vm(mm, area->vm_flags, growth)) return Errno::ENOMEM;
    if (area->vm_flags & VM_ACCOUNT) {
        u64 wanted = flags & MREMAP_DONTUNMAP ? new_size >> PAGE_SHIFT : growth;
        TRY(security_vm_enough_memory_mm(&mm, wanted));
        charged = wanted;
    }
    return area;
}

/// MREMAP_FIXED and MREMAP_DONTUNMAP.
Result<u64> mremap_to(mm_struct& mm, u64 old_address, u64 old_size, u64 new_size, u64 target, u32 flags) {
    bool fixed = flags & MREMAP_FIXED, keep = flags & MREMAP_DONTUNMAP;
    if (!is_aligned(target, PAGE_SIZE) || new_size > TASK_SIZE_MAX || target > TASK_SIZE_MAX - new_size)
        return Errno::EINVAL;
    if (old_size > TASK_SIZE_MAX) return Errno::EFAULT;
    if (old_address + old_size > target && target + new_size > old_address) return Errno::EINVAL;
    if (mm.map_count + 5 >= sysctl_max_map_count) return Errno::ENOMEM;
    if (fixed) TRY(do_munmap(mm, target, new_size));
    if (old_size > new_size) {
        TRY(do_munmap(mm, old_address + new_size, old_size - new_size));
        old_size = new_size;
    }
    u64 charged;
    TRY(vma_to_resize(mm, old_address, old_size, new_size, flags, charged));
    Result<u64> moved = move_vma(mm, old_address, old_size, new_size, target, fixed, keep);
    if (!moved.ok()) vm_unacct_memory(charged);
    return moved;
}

} // namespace

Result<u64> do_mremap(mm_struct& mm, u64 old_address, u64 old_size, u64 new_size, u64 target, u32 flags) {
    if (flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) return Errno::EINVAL;
    bool may_move = flags & MREMAP_MAYMOVE;
    if ((flags & MREMAP_FIXED) && !may_move) return Errno::EINVAL;
    if ((flags & MREMAP_DONTUNMAP) && (!may_move || old_size != new_size)) return Errno::EINVAL;
    if (!is_aligned(old_address, PAGE_SIZE)) return Errno::EINVAL;
    old_size = align_up(old_size, PAGE_SIZE);
    new_size = align_up(new_size, PAGE_SIZE);
    if (!new_size) return Errno::EINVAL;
    if (vm_area_struct* area = find_vma(mm, old_address); !area || area->vm_start > old_address)
        return Errno::EFAULT;
    if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
        return mremap_to(mm, old_address, old_size, new_size, target, flags);
    if (old_size >= new_size) {
        if (old_size > TASK_SIZE_MAX - old_address) return Errno::EINVAL;
        if (new_size < old_size) TRY(do_munmap(mm, old_address + new_size, old_size - new_size));
        return old_address;
    }
    u64 charged;
    vm_area_struct* area = TRY(vma_to_resize(mm, old_address, old_size, new_size, flags, charged));
    u64 growth = new_size - old_size;
    if (old_size && area->vm_end == old_address + old_size && growth <= TASK_SIZE_MAX - area->vm_end &&
        range_is_free(mm, area->vm_end, growth)) {
        vm_stat_account(mm, area->vm_flags, static_cast<i64>(growth >> PAGE_SHIFT));
        if (area->vm_file) mutex_lock(area->vm_file->f_mapping->i_mmap_rwsem);
        area->vm_end += growth;
        if (area->vm_file) mutex_unlock(area->vm_file->f_mapping->i_mmap_rwsem);
        vma_merge(mm, area);
        return old_address;
    }
    Result<u64> moved = Errno::ENOMEM;
    if (may_move) moved = move_vma(mm, old_address, old_size, new_size, 0, false, false);
    if (!moved.ok()) vm_unacct_memory(charged);
    return moved;
}

} // namespace kernel
