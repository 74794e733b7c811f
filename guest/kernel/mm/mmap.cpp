// Areas: how they are found, entered, cut, joined and taken away; mmap, munmap, brk. See memory_struct.h,
// vma.h.
#include "fs/vfs.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/overcommit.h"
#include "mm/rmap.h"
#include "mm/slab.h"
#include "mm/user_pages.h"
#include "mm/vma.h"
#include "task/cred.h"
#include "task/signal.h"
#include "task/task.h"

namespace kernel {

constinit u32 sysctl_max_map_count = 65530;

namespace {

constinit kmem_cache* vm_area_cachep = nullptr;

vm_area_struct* area_of(struct rb_node* node) { return container_of(node, vm_area_struct, vm_rb); }

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

void vma_unlink(mm_struct& mm, vm_area_struct* area) {
    unlink_file_vma(area);
    mm.mm_rb.erase(&area->vm_rb);
    area->vm_list.remove();
    mm.map_count--;
    vm_stat_account(mm, area->vm_flags, -static_cast<i64>(vma_pages(*area)));
}

/// Makes `address` a border: cuts the area that spans it.
Result<void> __split_vma(mm_struct& mm, u64 address) {
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
    vm_stat_account(mm, area->vm_flags, -static_cast<i64>(vma_pages(*upper)));
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

/// `upper` lies right behind `lower`, and differs in nothing. VM_SPECIAL areas stay what they are.
bool can_vma_merge(const vm_area_struct& lower, const vm_area_struct& upper) {
    return lower.vm_end == upper.vm_start && lower.vm_flags == upper.vm_flags &&
           lower.vm_file == upper.vm_file && !(lower.vm_flags & VM_SPECIAL) &&
           lower.vm_pgoff + vma_pages(lower) == upper.vm_pgoff &&
           strings_equal(lower.vm_name, upper.vm_name) && is_mergeable_anon_vma(lower, upper);
}

/// `upper` becomes a part of `lower`. Who walks the file's list finds every page in one of the two.
bool join_vmas(mm_struct& mm, vm_area_struct* lower, vm_area_struct* upper) {
    if (!can_vma_merge(*lower, *upper) || !take_over_anon_vma(*lower, *upper)) return false;
    if (lower->vm_file) {
        MutexGuard guard(lower->vm_file->f_mapping->i_mmap_rwsem);
        lower->vm_end = upper->vm_end;
        upper->shared.remove();
    } else {
        lower->vm_end = upper->vm_end;
    }
    mm.mm_rb.erase(&upper->vm_rb);
    upper->vm_list.remove();
    mm.map_count--;
    vm_area_free(upper);
    return true;
}

/// The last area that begins below `address`, or null.
vm_area_struct* find_vma_below(mm_struct& mm, u64 address) {
    vm_area_struct* best = nullptr;
    for (struct rb_node* node = mm.mm_rb.rb_node; node;) {
        vm_area_struct* area = area_of(node);
        bool below = area->vm_start < address;
        if (below) best = area;
        node = below ? node->rb_right : node->rb_left;
    }
    return best;
}

/// The highest gap below mmap_base that holds `size`. No gap between free_area_cache and mmap_base is larger
/// than cached_hole_size: what needs more begins below, so many areas do not make each new one slow.
u64 vm_unmapped_area(mm_struct& mm, u64 size) {
    if (size <= mm.cached_hole_size || !mm.free_area_cache) {
        mm.cached_hole_size = 0;
        mm.free_area_cache = mm.mmap_base;
    }
    u64 top = mm.free_area_cache;
    for (vm_area_struct* area = find_vma_below(mm, top); area;
         area = area->vm_list.prev == &mm.mmap ? nullptr
                                               : container_of(area->vm_list.prev, vm_area_struct, vm_list)) {
        u64 gap = top > area->vm_end ? top - area->vm_end : 0;
        if (gap >= size) break;
        mm.cached_hole_size = max(mm.cached_hole_size, gap);
        top = area->vm_start;
    }
    mm.free_area_cache = top;
    if (top <= LowestMapping || top - LowestMapping < size) return 0;
    return top - size;
}

/// What lies around [start, end) is free from now on: the gap may be the largest.
void note_unmapped(mm_struct& mm, u64 end) {
    if (!mm.free_area_cache) return;
    vm_area_struct* next = find_vma(mm, end);
    u64 gap_end = next ? min(next->vm_start, mm.mmap_base) : mm.mmap_base;
    mm.free_area_cache = max(mm.free_area_cache, gap_end);
}

/// Pages of [start, start + size) that are mapped already.
u64 count_vma_pages_range(mm_struct& mm, u64 start, u64 size) {
    u64 pages = 0, end = start + size;
    for (vm_area_struct* area = find_vma(mm, start); area && area->vm_start < end; area = vma_next(mm, area))
        pages += (min(area->vm_end, end) - max(area->vm_start, start)) >> PAGE_SHIFT;
    return pages;
}

/// Private and writable: what the process may come to own (RLIMIT_DATA).
bool is_data_mapping(u32 flags) { return (flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) == VM_WRITE; }

} // namespace

void vma_caches_init() { vm_area_cachep = kmem_cache_create("vm_area_struct", sizeof(vm_area_struct)); }

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

void vm_area_free(vm_area_struct* area) {
    unlink_anon_vmas(*area);
    if (area->vm_file) fput(area->vm_file);
    kmem_cache_free(vm_area_cachep, area);
}

void vma_link(mm_struct& mm, vm_area_struct* area, vm_area_struct* after, bool in_file_list) {
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
    vm_stat_account(mm, area->vm_flags, static_cast<i64>(vma_pages(*area)));
}

vm_area_struct* vma_next(mm_struct& mm, vm_area_struct* area) {
    return area->vm_list.next == &mm.mmap ? nullptr
                                          : container_of(area->vm_list.next, vm_area_struct, vm_list);
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

void remove_vma(mm_struct& mm, vm_area_struct* area) {
    if (area->vm_flags & VM_ACCOUNT) vm_unacct_memory(vma_pages(*area));
    vma_unlink(mm, area);
    vm_area_free(area);
}

Result<void> split_vma(mm_struct& mm, u64 address) {
    const vm_area_struct* area = find_vma(mm, address);
    if (!area || area->vm_start >= address) return {};
    if (mm.map_count >= sysctl_max_map_count) return Errno::ENOMEM;
    return __split_vma(mm, address);
}

vm_area_struct* vma_merge(mm_struct& mm, vm_area_struct* area) {
    if (vm_area_struct* next = vma_next(mm, area)) (void)join_vmas(mm, area, next);
    if (area->vm_list.prev == &mm.mmap) return area;
    vm_area_struct* previous = container_of(area->vm_list.prev, vm_area_struct, vm_list);
    return join_vmas(mm, previous, area) ? previous : area;
}

void vm_stat_account(mm_struct& mm, u32 flags, i64 pages) {
    u64 change = static_cast<u64>(pages);
    mm.total_vm += change;
    if ((flags & (VM_EXEC | VM_WRITE | VM_GROWSDOWN)) == VM_EXEC)
        mm.exec_vm += change;
    else if (flags & VM_GROWSDOWN)
        mm.stack_vm += change;
    else if (is_data_mapping(flags))
        mm.data_vm += change;
    if ((flags & VM_LOCKED) && !(flags & VM_SPECIAL)) mm.locked_vm += change;
}

bool may_expand_vm(const mm_struct& mm, u32 flags, u64 pages) {
    if (mm.total_vm + pages > rlimit(RLIMIT_AS) >> PAGE_SHIFT) return false;
    return !is_data_mapping(flags) || mm.data_vm + pages <= rlimit(RLIMIT_DATA) >> PAGE_SHIFT;
}

bool range_is_free(mm_struct& mm, u64 start, u64 size) {
    vm_area_struct* area = find_vma(mm, start);
    return !area || area->vm_start >= start + size;
}

Result<u64> get_unmapped_area(mm_struct& mm, u64 hint, u64 size) {
    u64 start = align_down(hint, PAGE_SIZE);
    if (start < LowestMapping || start > TASK_SIZE_MAX - size || !range_is_free(mm, start, size))
        start = vm_unmapped_area(mm, size);
    return start ? Result<u64>(start) : Errno::ENOMEM;
}

Result<u64> get_unmapped_area_32bit(mm_struct& mm, u64 hint, u64 size) {
    constexpr u64 Begin = 0x4000'0000, End = 0x8000'0000;
    if (size > End - Begin) return Errno::ENOMEM;
    hint = align_up(hint, PAGE_SIZE);
    if (hint >= LowestMapping && hint <= End - size && range_is_free(mm, hint, size)) return hint;
    u64 at = Begin;
    for (vm_area_struct* area = find_vma(mm, at); area && area->vm_start < at + size;
         area = vma_next(mm, area))
        at = max(at, area->vm_end);
    return at <= End - size ? Result<u64>(at) : Errno::ENOMEM;
}

Result<vm_area_struct*> insert_vma(mm_struct& mm, const vm_area_struct& like, const vm_area_struct* origin) {
    vm_area_struct* area = vm_area_dup(like);
    if (!area) return Errno::ENOMEM;
    if (origin && origin->anon_vma) {
        area->anon_vma = origin->anon_vma;
        if (!anon_vma_clone(*area, *origin).ok()) {
            vm_area_free(area);
            return Errno::ENOMEM;
        }
    }
    vma_link(mm, area);
    return area->vm_flags & VM_GROWSDOWN ? area : vma_merge(mm, area);
}

Result<u64> mmap_region(mm_struct& mm, u64 hint, u64 size, u32 area_flags, bool fixed, bool fixed_noreplace,
                        struct file* file, u64 offset, const char* name) {
    size = align_up(size, PAGE_SIZE);
    if (!size || size > TASK_SIZE_MAX || !is_aligned(offset, PAGE_SIZE))
        return size > TASK_SIZE_MAX ? Errno::ENOMEM : Errno::EINVAL;
    if (mm.map_count > sysctl_max_map_count) return Errno::ENOMEM;
    u64 start = hint, pages = size >> PAGE_SHIFT;
    if (fixed) {
        if (start > TASK_SIZE_MAX - size) return Errno::ENOMEM;
        if (!is_aligned(start, PAGE_SIZE)) return Errno::EINVAL;
        if (start < LowestMapping) return Errno::EPERM;
        if (fixed_noreplace && !range_is_free(mm, start, size)) return Errno::EEXIST;
    } else {
        start = TRY(get_unmapped_area(mm, hint, size));
    }
    TRY(mlock_future_check(mm, area_flags, pages));
    if (!may_expand_vm(mm, area_flags, pages) &&
        (!fixed || !may_expand_vm(mm, area_flags, pages - count_vma_pages_range(mm, start, size))))
        return Errno::ENOMEM;
    if (fixed) TRY(do_munmap(mm, start, size));
    if ((area_flags & (VM_NORESERVE | VM_SHARED | VM_WRITE)) == VM_WRITE) {
        TRY(security_vm_enough_memory_mm(&mm, pages));
        area_flags |= VM_ACCOUNT;
    }
    vm_area_struct like;
    like.vm_start = start;
    like.vm_end = start + size;
    like.vm_flags = area_flags | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
    if (file && (area_flags & VM_SHARED) && !file->writable()) like.vm_flags &= ~u32{VM_MAYWRITE};
    like.vm_file = file;
    like.vm_pgoff = file || (area_flags & VM_SPECIAL) ? offset >> PAGE_SHIFT : start >> PAGE_SHIFT;
    strscpy(like.vm_name, name ? name : "", sizeof like.vm_name);
    if (Result<vm_area_struct*> area = insert_vma(mm, like, nullptr); !area.ok()) {
        if (area_flags & VM_ACCOUNT) vm_unacct_memory(pages);
        return area.error();
    }
    return start;
}

Result<void> do_munmap(mm_struct& mm, u64 start, u64 size) {
    size = align_up(size, PAGE_SIZE);
    if (!is_aligned(start, PAGE_SIZE) || !size || start > TASK_SIZE_MAX || size > TASK_SIZE_MAX - start)
        return Errno::EINVAL;
    u64 end = start + size;
    const vm_area_struct* first = find_vma(mm, start);
    if (first && first->vm_start < start && first->vm_end > end && mm.map_count >= sysctl_max_map_count)
        return Errno::ENOMEM; // a hole makes two of one
    TRY(__split_vma(mm, start));
    TRY(__split_vma(mm, end));
    bool any = false;
    for (vm_area_struct* area = find_vma(mm, start); area && area->vm_start < end;) {
        vm_area_struct* next = vma_next(mm, area);
        unmap_page_range(*area, area->vm_start, area->vm_end);
        remove_vma(mm, area);
        area = next;
        any = true;
    }
    if (any) note_unmapped(mm, end);
    return {};
}

Result<u64> do_brk(mm_struct& mm, u64 address) {
    if (address < mm.start_brk || address > TASK_SIZE_MAX) return mm.brk;
    if (address > mm.brk && (address - mm.start_brk) + (mm.end_data - mm.start_data) > rlimit(RLIMIT_DATA))
        return mm.brk;
    u64 old_end = align_up(mm.brk, PAGE_SIZE), new_end = align_up(address, PAGE_SIZE);
    if (new_end > old_end) {
        if (!range_is_free(mm, old_end, new_end - old_end + PAGE_SIZE)) return mm.brk;
        if (!mmap_region(mm, old_end, new_end - old_end, VM_READ | VM_WRITE | AreaHeap | mm.def_flags, true,
                         false, nullptr, 0, "[heap]")
                 .ok())
            return mm.brk;
    } else if (new_end < old_end) {
        if (!do_munmap(mm, new_end, old_end - new_end).ok()) return mm.brk;
    }
    mm.brk = address;
    return address;
}

} // namespace kernel
