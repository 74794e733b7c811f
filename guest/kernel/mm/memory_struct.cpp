// Address spaces: areas and page tables. See memory_struct.h; faults are in fault.cpp.
#include "mm/memory_struct.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/segments.h"
#include "fs/vfs.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/rmap.h"
#include "mm/slab.h"
#include "mm/user_pages.h"
#include "task/task.h"

namespace kernel {
namespace {

constinit kmem_cache* mm_cachep = nullptr;
constinit kmem_cache* vm_area_cachep = nullptr;

vm_area_struct* area_of(struct rb_node* node) { return container_of(node, vm_area_struct, vm_rb); }

vm_area_struct* vm_area_dup(const vm_area_struct& like) {
    void* memory = kmem_cache_alloc(vm_area_cachep);
    if (!memory) return nullptr;
    auto* area = new (memory) vm_area_struct(like);
    area->vm_list.initialise();
    area->shared.initialise();
    area->anon_vma = nullptr;
    area->anon_vma_chain.initialise();
    if (area->vm_file) get_file(area->vm_file);
    return area;
}

/// REQUIRES: it has no pages left, or another area has taken its place in their anon_vmas.
void vm_area_free(vm_area_struct* area) {
    unlink_anon_vmas(*area);
    if (area->vm_file) fput(area->vm_file);
    kmem_cache_free(vm_area_cachep, area);
}

/// The file's list of its areas. A copy comes behind its original, so that who walks the list sees the
/// original first.
void vma_link_file(vm_area_struct* area, vm_area_struct* after) {
    if (!area->vm_file) return;
    address_space& mapping = *area->vm_file->f_mapping;
    MutexGuard guard(mapping.i_mmap_rwsem);
    if (after)
        area->shared.insert_between(&after->shared, after->shared.next);
    else
        mapping.i_mmap.push_back(&area->shared);
}

void unlink_file_vma(vm_area_struct* area) {
    if (!area->vm_file) return;
    MutexGuard guard(area->vm_file->f_mapping->i_mmap_rwsem);
    area->shared.remove();
}

void vma_link(mm_struct& mm, vm_area_struct* area, vm_area_struct* after = nullptr,
              bool in_file_list = false) {
    struct rb_node** slot = &mm.mm_rb.rb_node;
    struct rb_node* parent = nullptr;
    list_head* before = &mm.mmap;
    while (*slot) {
        parent = *slot;
        if (area->vm_start < area_of(parent)->vm_start) {
            slot = &parent->rb_left;
        } else {
            before = &area_of(parent)->vm_list;
            slot = &parent->rb_right;
        }
    }
    mm.mm_rb.insert(&area->vm_rb, parent, slot);
    area->vm_list.insert_between(before, before->next);
    area->vm_mm = &mm;
    if (!in_file_list) vma_link_file(area, after);
    mm.map_count++;
    mm.total_vm += (area->vm_end - area->vm_start) >> PAGE_SHIFT;
}

void vma_unlink(mm_struct& mm, vm_area_struct* area) {
    unlink_file_vma(area);
    mm.mm_rb.erase(&area->vm_rb);
    area->vm_list.remove();
    mm.map_count--;
    mm.total_vm -= (area->vm_end - area->vm_start) >> PAGE_SHIFT;
}

vm_area_struct* vma_next(mm_struct& mm, vm_area_struct* area) {
    return area->vm_list.next == &mm.mmap ? nullptr
                                          : container_of(area->vm_list.next, vm_area_struct, vm_list);
}

/// Makes `address` a border: cuts the area that spans it.
Result<void> split_vma(mm_struct& mm, u64 address) {
    vm_area_struct* area = find_vma(mm, address);
    if (!area || area->vm_start >= address) return {};
    vm_area_struct* upper = vm_area_dup(*area);
    if (!upper) return Errno::ENOMEM;
    upper->anon_vma = area->anon_vma;
    if (!anon_vma_clone(*upper, *area).ok()) {
        vm_area_free(upper);
        return Errno::ENOMEM;
    }
    upper->vm_start = address;
    upper->vm_pgoff += (address - area->vm_start) >> PAGE_SHIFT;
    mm.total_vm -= (area->vm_end - address) >> PAGE_SHIFT;
    if (area->vm_file) { // both halves at once: who walks i_mmap finds every page in one of them
        MutexGuard guard(area->vm_file->f_mapping->i_mmap_rwsem);
        area->vm_end = address;
        upper->shared.insert_between(&area->shared, area->shared.next);
    } else {
        area->vm_end = address;
    }
    vma_link(mm, upper, nullptr, true);
    return {};
}

/// One anon_vma can serve both: it does already, or one of them has no pages yet and the other was never
/// copied by a fork.
bool is_mergeable_anon_vma(const vm_area_struct& a, const vm_area_struct& b) {
    auto alone = [](const vm_area_struct& area) {
        return !area.anon_vma || area.anon_vma_chain.next == area.anon_vma_chain.prev;
    };
    if (a.anon_vma && b.anon_vma) return a.anon_vma == b.anon_vma;
    return alone(a) && alone(b);
}

/// `from` becomes a part of `to`.
bool take_over_anon_vma(vm_area_struct& to, const vm_area_struct& from) {
    if (to.anon_vma || !from.anon_vma) return true;
    to.anon_vma = from.anon_vma;
    return anon_vma_clone(to, from).ok();
}

/// Joins an anonymous area with its neighbours of the same kind.
void vma_merge(mm_struct& mm, vm_area_struct* area) {
    auto same = [](const vm_area_struct& a, const vm_area_struct& b) {
        return a.vm_end == b.vm_start && a.vm_flags == b.vm_flags && !a.vm_file && !b.vm_file &&
               !(a.vm_flags & VM_SPECIAL) && strings_equal(a.vm_name, b.vm_name) &&
               a.vm_pgoff + ((a.vm_end - a.vm_start) >> PAGE_SHIFT) == b.vm_pgoff &&
               is_mergeable_anon_vma(a, b);
    };
    if (vm_area_struct* next = vma_next(mm, area);
        next && same(*area, *next) && take_over_anon_vma(*area, *next)) {
        u64 end = next->vm_end;
        vma_unlink(mm, next);
        mm.total_vm += (end - area->vm_end) >> PAGE_SHIFT;
        area->vm_end = end;
        vm_area_free(next);
    }
    if (area->vm_list.prev != &mm.mmap) {
        vm_area_struct* previous = container_of(area->vm_list.prev, vm_area_struct, vm_list);
        if (same(*previous, *area) && take_over_anon_vma(*previous, *area)) {
            u64 end = area->vm_end;
            vma_unlink(mm, area);
            mm.total_vm += (end - previous->vm_end) >> PAGE_SHIFT;
            previous->vm_end = end;
            vm_area_free(area);
        }
    }
}

/// The highest gap below mmap_base that holds `size`, else the lowest above it.
u64 vm_unmapped_area(mm_struct& mm, u64 size) {
    u64 top = mm.mmap_base;
    for (struct rb_node* node = mm.mm_rb.last(); node; node = rb_prev(node)) {
        vm_area_struct* area = area_of(node);
        if (area->vm_end <= top) {
            if (top - area->vm_end >= size) return top - size;
            top = min(top, area->vm_start);
        } else if (area->vm_start < top) {
            top = area->vm_start;
        }
    }
    if (top > LowestMapping && top - LowestMapping >= size) return top - size;
    return 0;
}

bool range_is_free(mm_struct& mm, u64 start, u64 size) {
    vm_area_struct* area = find_vma(mm, start);
    return !area || area->vm_start >= start + size;
}

/// Pages of [start, start + size) that are mapped already.
u64 count_vma_pages_range(mm_struct& mm, u64 start, u64 size) {
    u64 pages = 0, end = start + size;
    for (vm_area_struct* area = find_vma(mm, start); area && area->vm_start < end; area = vma_next(mm, area))
        pages += (min(area->vm_end, end) - max(area->vm_start, start)) >> PAGE_SHIFT;
    return pages;
}

} // namespace

bool may_expand_vm(const mm_struct& mm, u64 pages) {
    return mm.total_vm + pages <= rlimit(RLIMIT_AS) >> PAGE_SHIFT;
}

void proc_caches_init() {
    anon_vma_init();
    mm_cachep = kmem_cache_create("mm_struct", sizeof(mm_struct), 64);
    vm_area_cachep = kmem_cache_create("vm_area_struct", sizeof(vm_area_struct));
}

Result<mm_struct*> mm_alloc() {
    void* memory = kmem_cache_alloc(mm_cachep);
    struct page* tables = alloc_page(GFP_KERNEL | __GFP_ZERO, PageType::PageTable);
    if (!memory || !tables) {
        if (memory) kmem_cache_free(mm_cachep, memory);
        if (tables) put_page(tables);
        return Errno::ENOMEM;
    }
    auto* mm = new (memory) mm_struct();
    mm->mmap.initialise();
    mm->pgd = static_cast<PageTable*>(page_address(tables));
    mm->pgd_phys = page_to_phys(tables);
    // The kernel half: the same level-3 tables for everybody (paging.h's invariant).
    memcpy(mm->pgd + 256, swapper_pg_dir + 256, 256 * sizeof(PageTable));
    return mm;
}

void mmget(mm_struct* mm) { __atomic_fetch_add(&mm->mm_users, 1, __ATOMIC_RELAXED); }

void mmput(mm_struct* mm) {
    if (__atomic_sub_fetch(&mm->mm_users, 1, __ATOMIC_ACQ_REL)) return;
    leave_mm_everywhere(mm); // kernel threads and exiting tasks borrowed it until now
    while (list_head* node = mm->mmap.front()) {
        vm_area_struct* area = container_of(node, vm_area_struct, vm_list);
        unmap_page_range(*mm, area->vm_start, area->vm_end);
        vma_unlink(*mm, area);
        vm_area_free(area);
    }
    free_pgtables(*mm);
    if (mm->exe_file) allow_write_access(*mm->exe_file->f_inode);
    fput(mm->exe_file);
    put_page(phys_to_page(mm->pgd_phys));
    kmem_cache_free(mm_cachep, mm);
}

Result<mm_struct*> dup_mm(mm_struct& from) {
    mm_struct* mm = TRY(mm_alloc());
    WriteGuard guard(from.mmap_lock);
    mm->start_code = from.start_code, mm->end_code = from.end_code;
    mm->start_data = from.start_data, mm->end_data = from.end_data;
    mm->start_brk = from.start_brk, mm->brk = from.brk, mm->start_stack = from.start_stack;
    mm->arg_start = from.arg_start, mm->arg_end = from.arg_end, mm->env_start = from.env_start,
    mm->env_end = from.env_end;
    mm->mmap_base = from.mmap_base;
    if (from.exe_file) { // denied already: it is executed
        get_file(mm->exe_file = from.exe_file);
        KERNEL_ASSERT(deny_write_access(*mm->exe_file->f_inode).ok());
    }
    memcpy(mm->exe_path, from.exe_path, sizeof mm->exe_path);
    Result<void> result;
    for (LIST_EACH(node, from.mmap)) {
        vm_area_struct* area = container_of(node, vm_area_struct, vm_list);
        vm_area_struct* copy = vm_area_dup(*area);
        if (!copy) {
            result = Errno::ENOMEM;
            break;
        }
        result = anon_vma_fork(*copy, *area); // before the child's entries lead to the parent's pages
        if (!result.ok()) {
            vm_area_free(copy);
            break;
        }
        vma_link(*mm, copy, area);
        result = copy_page_range(*mm, from, *area);
        if (!result.ok()) break;
    }
    flush_tlb_mm(from); // the parent's writable pages became read-only
    if (!result.ok()) {
        mmput(mm);
        return result.error();
    }
    return mm;
}

vm_area_struct* find_vma(mm_struct& mm, u64 address) {
    vm_area_struct* best = nullptr;
    for (struct rb_node* node = mm.mm_rb.rb_node; node;) {
        vm_area_struct* area = area_of(node);
        if (area->vm_end > address) {
            best = area;
            if (area->vm_start <= address) break;
            node = node->rb_left;
        } else {
            node = node->rb_right;
        }
    }
    return best;
}

Result<u64> mmap_region(mm_struct& mm, u64 hint, u64 size, u32 area_flags, bool fixed, bool fixed_noreplace,
                        struct file* file, u64 offset, const char* name, u64 moved_from) {
    size = align_up(size, PAGE_SIZE);
    if (!size || size > TASK_SIZE_MAX || !is_aligned(offset, PAGE_SIZE)) return Errno::EINVAL;
    u64 start = hint;
    if (fixed) {
        if (!is_aligned(start, PAGE_SIZE) || start < LowestMapping || start > TASK_SIZE_MAX - size)
            return start < LowestMapping ? Errno::EPERM : Errno::ENOMEM;
        if (fixed_noreplace && !range_is_free(mm, start, size)) return Errno::EEXIST;
        u64 pages = size >> PAGE_SHIFT;
        if (!may_expand_vm(mm, pages) && !may_expand_vm(mm, pages - count_vma_pages_range(mm, start, size)))
            return Errno::ENOMEM;
        TRY(do_munmap(mm, start, size));
    } else {
        if (!may_expand_vm(mm, size >> PAGE_SHIFT)) return Errno::ENOMEM;
        start = align_down(start, PAGE_SIZE);
        if (start < LowestMapping || start > TASK_SIZE_MAX - size || !range_is_free(mm, start, size))
            start = vm_unmapped_area(mm, size);
        if (!start) return Errno::ENOMEM;
    }
    vm_area_struct like;
    like.vm_mm = &mm; // the reverse map may find the area from anon_vma_clone() on
    like.vm_start = start;
    like.vm_end = start + size;
    like.vm_flags = area_flags | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
    if (file && (area_flags & VM_SHARED) && !file->writable()) like.vm_flags &= ~u32{VM_MAYWRITE};
    like.vm_file = file;
    like.vm_pgoff = file || (area_flags & VM_SPECIAL) ? offset >> PAGE_SHIFT : start >> PAGE_SHIFT;
    const vm_area_struct* origin = moved_from ? find_vma(mm, moved_from) : nullptr;
    if (origin && !origin->anon_vma) origin = nullptr; // it has no pages that must be found
    if (origin) like.vm_pgoff = origin->vm_pgoff + ((moved_from - origin->vm_start) >> PAGE_SHIFT);
    strscpy(like.vm_name, name ? name : "", sizeof like.vm_name);
    vm_area_struct* area = vm_area_dup(like);
    if (!area) return Errno::ENOMEM;
    if (origin) {
        area->anon_vma = origin->anon_vma;
        if (!anon_vma_clone(*area, *origin).ok()) {
            vm_area_free(area);
            return Errno::ENOMEM;
        }
    }
    vma_link(mm, area);
    if (!file && !(area_flags & VM_GROWSDOWN)) vma_merge(mm, area);
    return start;
}

Result<void> do_munmap(mm_struct& mm, u64 start, u64 size) {
    size = align_up(size, PAGE_SIZE);
    if (!is_aligned(start, PAGE_SIZE) || !size || start > TASK_SIZE_MAX || size > TASK_SIZE_MAX - start)
        return Errno::EINVAL;
    u64 end = start + size;
    TRY(split_vma(mm, start));
    TRY(split_vma(mm, end));
    for (vm_area_struct* area = find_vma(mm, start); area && area->vm_start < end;) {
        vm_area_struct* next = vma_next(mm, area);
        unmap_page_range(mm, area->vm_start, area->vm_end);
        vma_unlink(mm, area);
        vm_area_free(area);
        area = next;
    }
    return {};
}

Result<void> do_mprotect(mm_struct& mm, u64 start, u64 size, u32 area_flags) {
    size = align_up(size, PAGE_SIZE);
    if (!is_aligned(start, PAGE_SIZE) || start > TASK_SIZE_MAX || size > TASK_SIZE_MAX - start)
        return Errno::EINVAL;
    if (!size) return {};
    u64 end = start + size;
    u64 reached = start;
    for (vm_area_struct* area = find_vma(mm, start); area && area->vm_start <= reached && reached < end;
         area = vma_next(mm, area))
        reached = area->vm_end;
    if (reached < end) return Errno::ENOMEM; // a hole
    TRY(split_vma(mm, start));
    TRY(split_vma(mm, end));
    constexpr u32 Rights = VM_READ | VM_WRITE | VM_EXEC;
    for (vm_area_struct* area = find_vma(mm, start); area && area->vm_start < end; area = vma_next(mm, area))
        if (area_flags & ~(area->vm_flags >> 4) & Rights)
            return Errno::EACCES; // a file that is open for reading alone
    for (vm_area_struct* area = find_vma(mm, start); area && area->vm_start < end;
         area = vma_next(mm, area)) {
        area->vm_flags = (area->vm_flags & ~Rights) | area_flags;
        change_protection(mm, *area);
    }
    return {};
}

namespace {

/// The pages of [old_address, +old_size) get a new place of new_size, `target` when that is fixed. `keep`:
/// the old place stays, empty.
Result<u64> move_vma(mm_struct& mm, u64 old_address, u64 old_size, u64 new_size, u64 target, bool fixed,
                     bool keep) {
    const vm_area_struct* area = find_vma(mm, old_address);
    struct file* file = area->vm_file; // the area may be joined with the new one
    const u32 area_flags = area->vm_flags;
    bool has_offset = file || (area_flags & VM_SPECIAL);
    u64 offset = has_offset ? (area->vm_pgoff << PAGE_SHIFT) + (old_address - area->vm_start) : 0;
    target = TRY(mmap_region(mm, target, new_size, area->vm_flags, fixed, false, file, offset, area->vm_name,
                             old_address));
    // The kernel's own area is nobody's to write behind a move either: mmap_region allows everything.
    if (area_flags & VM_SPECIAL) find_vma(mm, target)->vm_flags = area_flags;
    if (!old_size) return target;
    if (Result<void> moved = move_page_tables(mm, file, old_address, target, old_size); !moved.ok()) {
        (void)do_munmap(mm, target, new_size); // no page has moved yet
        return moved.error();
    }
    if (!keep) TRY(do_munmap(mm, old_address, old_size));
    return target;
}

/// What is at old_address may become new_size long.
Result<vm_area_struct*> vma_to_resize(mm_struct& mm, u64 old_address, u64 old_size, u64 new_size, u32 flags) {
    vm_area_struct* area = find_vma(mm, old_address);
    if (!area || area->vm_start > old_address) return Errno::EFAULT;
    if (!old_size && !(area->vm_flags & VM_SHARED)) return Errno::EINVAL; // twice the same private memory
    // [vvar] and [vdso] are as long as they are, and stay mapped once (VM_DONTEXPAND in Linux).
    if ((flags & MREMAP_DONTUNMAP) && (area->vm_flags & VM_SPECIAL)) return Errno::EINVAL;
    if (old_size > area->vm_end - old_address) return Errno::EFAULT;
    if (new_size > old_size && (area->vm_flags & VM_SPECIAL)) return Errno::EFAULT;
    return new_size > TASK_SIZE_MAX ? Result<vm_area_struct*>(Errno::ENOMEM) : area;
}

/// MREMAP_FIXED and MREMAP_DONTUNMAP.
Result<u64> mremap_to(mm_struct& mm, u64 old_address, u64 old_size, u64 new_size, u64 target, u32 flags) {
    bool fixed = flags & MREMAP_FIXED, keep = flags & MREMAP_DONTUNMAP;
    if (!is_aligned(target, PAGE_SIZE) || new_size > TASK_SIZE_MAX || target > TASK_SIZE_MAX - new_size)
        return Errno::EINVAL;
    if (old_size > TASK_SIZE_MAX) return Errno::EFAULT;
    if (old_address + old_size > target && target + new_size > old_address) return Errno::EINVAL;
    if (fixed) TRY(do_munmap(mm, target, new_size));
    if (old_size > new_size) {
        TRY(do_munmap(mm, old_address + new_size, old_size - new_size));
        old_size = new_size;
    }
    TRY(vma_to_resize(mm, old_address, old_size, new_size, flags));
    return move_vma(mm, old_address, old_size, new_size, target, fixed, keep);
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
    vm_area_struct* area = TRY(vma_to_resize(mm, old_address, old_size, new_size, flags));
    u64 growth = new_size - old_size;
    if (old_size && area->vm_end == old_address + old_size && growth <= TASK_SIZE_MAX - area->vm_end &&
        range_is_free(mm, area->vm_end, growth)) {
        if (!may_expand_vm(mm, growth >> PAGE_SHIFT)) return Errno::ENOMEM;
        mm.total_vm += growth >> PAGE_SHIFT;
        if (area->vm_file) mutex_lock(area->vm_file->f_mapping->i_mmap_rwsem);
        area->vm_end += growth;
        if (area->vm_file) mutex_unlock(area->vm_file->f_mapping->i_mmap_rwsem);
        return old_address;
    }
    if (!may_move) return Errno::ENOMEM;
    return move_vma(mm, old_address, old_size, new_size, 0, false, false);
}

Result<u64> do_brk(mm_struct& mm, u64 address) {
    if (address < mm.start_brk || address > TASK_SIZE_MAX) return mm.brk;
    if (address > mm.brk && (address - mm.start_brk) + (mm.end_data - mm.start_data) > rlimit(RLIMIT_DATA))
        return mm.brk;
    u64 old_end = align_up(mm.brk, PAGE_SIZE), new_end = align_up(address, PAGE_SIZE);
    if (new_end > old_end) {
        if (!range_is_free(mm, old_end, new_end - old_end + PAGE_SIZE)) return mm.brk;
        if (!mmap_region(mm, old_end, new_end - old_end, VM_READ | VM_WRITE | AreaHeap, true, false, nullptr,
                         0, "[heap]")
                 .ok())
            return mm.brk;
    } else if (new_end < old_end) {
        if (!do_munmap(mm, new_end, old_end - new_end).ok()) return mm.brk;
    }
    mm.brk = address;
    return address;
}

} // namespace kernel
