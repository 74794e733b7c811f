// Address spaces: areas and page tables. See memory_struct.h; faults are in fault.cpp.
#include "mm/memory_struct.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/segments.h"
#include "fs/vfs.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/user_pages.h"
#include "task/task.h"

namespace kernel {
namespace {

constinit KmemCache* mm_cache = nullptr;
constinit KmemCache* area_cache = nullptr;

VmArea* area_of(RbNode* node) { return CONTAINER_OF(node, VmArea, node); }

VmArea* new_area(const VmArea& like) {
    void* memory = cache_allocate(area_cache);
    if (!memory) return nullptr;
    auto* area = new (memory) VmArea(like);
    area->links.initialise();
    if (area->file) get_file(area->file);
    return area;
}

void free_area(VmArea* area) {
    if (area->file) put_file(area->file);
    cache_free(area_cache, area);
}

void insert_area(MemoryStruct& mm, VmArea* area) {
    RbNode** slot = &mm.tree.node;
    RbNode* parent = nullptr;
    ListNode* before = &mm.areas;
    while (*slot) {
        parent = *slot;
        if (area->start < area_of(parent)->start) {
            slot = &parent->left;
        } else {
            before = &area_of(parent)->links;
            slot = &parent->right;
        }
    }
    mm.tree.insert(&area->node, parent, slot);
    area->links.insert_between(before, before->next);
    area->mm = &mm;
    mm.area_count++;
    mm.total_pages += (area->end - area->start) >> PageShift;
}

void remove_area(MemoryStruct& mm, VmArea* area) {
    mm.tree.erase(&area->node);
    area->links.remove();
    mm.area_count--;
    mm.total_pages -= (area->end - area->start) >> PageShift;
}

VmArea* next_area(MemoryStruct& mm, VmArea* area) {
    return area->links.next == &mm.areas ? nullptr : CONTAINER_OF(area->links.next, VmArea, links);
}

/// Makes `address` a border: cuts the area that spans it.
Result<void> split_at(MemoryStruct& mm, u64 address) {
    VmArea* area = find_area(mm, address);
    if (!area || area->start >= address) return {};
    VmArea* upper = new_area(*area);
    if (!upper) return Errno::ENOMEM;
    upper->start = address;
    if (upper->file) upper->file_offset += address - area->start;
    mm.total_pages -= (area->end - address) >> PageShift;
    area->end = address;
    insert_area(mm, upper);
    return {};
}

/// Joins an anonymous area with its neighbours of the same kind.
void merge_around(MemoryStruct& mm, VmArea* area) {
    auto same = [](const VmArea& a, const VmArea& b) {
        return a.end == b.start && a.flags == b.flags && !a.file && !b.file && strings_equal(a.name, b.name);
    };
    if (VmArea* next = next_area(mm, area); next && same(*area, *next)) {
        u64 end = next->end;
        remove_area(mm, next);
        mm.total_pages += (end - area->end) >> PageShift;
        area->end = end;
        free_area(next);
    }
    if (area->links.prev != &mm.areas) {
        VmArea* previous = CONTAINER_OF(area->links.prev, VmArea, links);
        if (same(*previous, *area)) {
            u64 end = area->end;
            remove_area(mm, area);
            mm.total_pages += (end - previous->end) >> PageShift;
            previous->end = end;
            free_area(area);
        }
    }
}

constexpr u64 LowestMapping = 0x10000; // mmap_min_addr

/// The highest gap below mmap_base that holds `size`, else the lowest above it.
u64 find_gap(MemoryStruct& mm, u64 size) {
    u64 top = mm.mmap_base;
    for (RbNode* node = mm.tree.last(); node; node = rb_prev(node)) {
        VmArea* area = area_of(node);
        if (area->end <= top) {
            if (top - area->end >= size) return top - size;
            top = min(top, area->start);
        } else if (area->start < top) {
            top = area->start;
        }
    }
    if (top > LowestMapping && top - LowestMapping >= size) return top - size;
    return 0;
}

bool range_is_free(MemoryStruct& mm, u64 start, u64 size) {
    VmArea* area = find_area(mm, start);
    return !area || area->start >= start + size;
}

} // namespace

void initialise_memory_structs() {
    mm_cache = create_cache("mm_struct", sizeof(MemoryStruct), 64);
    area_cache = create_cache("vm_area_struct", sizeof(VmArea));
}

Result<MemoryStruct*> create_memory_struct() {
    void* memory = cache_allocate(mm_cache);
    Page* tables = allocate_page(AllocateZero, PageType::PageTable);
    if (!memory || !tables) {
        if (memory) cache_free(mm_cache, memory);
        if (tables) put_page(tables);
        return Errno::ENOMEM;
    }
    auto* mm = new (memory) MemoryStruct();
    mm->areas.initialise();
    mm->page_tables = static_cast<PageTable*>(address_of(tables));
    mm->page_tables_physical = physical_of(tables);
    // The kernel half: the same level-3 tables for everybody (paging.h's invariant).
    memcpy(mm->page_tables + 256, swapper_page_tables + 256, 256 * sizeof(PageTable));
    return mm;
}

void get_memory_struct(MemoryStruct* mm) { __atomic_fetch_add(&mm->users, 1, __ATOMIC_RELAXED); }

void put_memory_struct(MemoryStruct* mm) {
    if (__atomic_sub_fetch(&mm->users, 1, __ATOMIC_ACQ_REL)) return;
    while (ListNode* node = mm->areas.front()) {
        VmArea* area = CONTAINER_OF(node, VmArea, links);
        unmap_user_pages(*mm, area->start, area->end);
        remove_area(*mm, area);
        free_area(area);
    }
    if (this_cpu().loaded_mm == mm) load_address_space(nullptr); // the exiting task's own, borrowed until now
    free_user_tables(*mm);
    put_page(page_of_physical(mm->page_tables_physical));
    cache_free(mm_cache, mm);
}

void load_address_space(MemoryStruct* mm) {
    this_cpu().loaded_mm = mm;
    write_cr3(mm ? mm->page_tables_physical : virtual_to_physical(swapper_page_tables));
}

Result<MemoryStruct*> clone_memory_struct(MemoryStruct& from) {
    MemoryStruct* mm = TRY(create_memory_struct());
    MutexGuard guard(from.lock);
    mm->start_code = from.start_code, mm->end_code = from.end_code;
    mm->start_data = from.start_data, mm->end_data = from.end_data;
    mm->start_brk = from.start_brk, mm->brk = from.brk, mm->start_stack = from.start_stack;
    mm->arg_start = from.arg_start, mm->arg_end = from.arg_end, mm->env_start = from.env_start,
    mm->env_end = from.env_end;
    mm->mmap_base = from.mmap_base;
    memcpy(mm->executable, from.executable, sizeof mm->executable);
    Result<void> result;
    for (LIST_EACH(node, from.areas)) {
        VmArea* area = CONTAINER_OF(node, VmArea, links);
        VmArea* copy = new_area(*area);
        if (!copy) {
            result = Errno::ENOMEM;
            break;
        }
        insert_area(*mm, copy);
        result = share_user_pages(*mm, from, *area);
        if (!result.ok()) break;
    }
    flush_user_tlb(); // the parent's writable pages became read-only
    if (!result.ok()) {
        put_memory_struct(mm);
        return result.error();
    }
    return mm;
}

VmArea* find_area(MemoryStruct& mm, u64 address) {
    VmArea* best = nullptr;
    for (RbNode* node = mm.tree.node; node;) {
        VmArea* area = area_of(node);
        if (area->end > address) {
            best = area;
            if (area->start <= address) break;
            node = node->left;
        } else {
            node = node->right;
        }
    }
    return best;
}

Result<u64> map_area(MemoryStruct& mm, u64 hint, u64 size, u32 area_flags, bool fixed, bool fixed_noreplace,
                     File* file, u64 offset, const char* name) {
    size = align_up(size, PageSize);
    if (!size || size > UserEnd || !is_aligned(offset, PageSize)) return Errno::EINVAL;
    u64 start = hint;
    if (fixed) {
        if (!is_aligned(start, PageSize) || start < LowestMapping || start > UserEnd - size)
            return start < LowestMapping ? Errno::EPERM : Errno::ENOMEM;
        if (fixed_noreplace && !range_is_free(mm, start, size)) return Errno::EEXIST;
        TRY(unmap_range(mm, start, size));
    } else {
        start = align_down(start, PageSize);
        if (start < LowestMapping || start > UserEnd - size || !range_is_free(mm, start, size))
            start = find_gap(mm, size);
        if (!start) return Errno::ENOMEM;
    }
    VmArea like;
    like.start = start;
    like.end = start + size;
    like.flags = area_flags;
    like.file = file;
    like.file_offset = offset;
    copy_string(like.name, name ? name : "", sizeof like.name);
    VmArea* area = new_area(like);
    if (!area) return Errno::ENOMEM;
    insert_area(mm, area);
    if (!file && !(area_flags & AreaGrowsDown)) merge_around(mm, area);
    return start;
}

Result<void> unmap_range(MemoryStruct& mm, u64 start, u64 size) {
    size = align_up(size, PageSize);
    if (!is_aligned(start, PageSize) || !size || start > UserEnd || size > UserEnd - start)
        return Errno::EINVAL;
    u64 end = start + size;
    TRY(split_at(mm, start));
    TRY(split_at(mm, end));
    for (VmArea* area = find_area(mm, start); area && area->start < end;) {
        VmArea* next = next_area(mm, area);
        unmap_user_pages(mm, area->start, area->end);
        remove_area(mm, area);
        free_area(area);
        area = next;
    }
    return {};
}

Result<void> protect_range(MemoryStruct& mm, u64 start, u64 size, u32 area_flags) {
    size = align_up(size, PageSize);
    if (!is_aligned(start, PageSize) || start > UserEnd || size > UserEnd - start) return Errno::EINVAL;
    if (!size) return {};
    u64 end = start + size;
    u64 reached = start;
    for (VmArea* area = find_area(mm, start); area && area->start <= reached && reached < end;
         area = next_area(mm, area))
        reached = area->end;
    if (reached < end) return Errno::ENOMEM; // a hole
    TRY(split_at(mm, start));
    TRY(split_at(mm, end));
    constexpr u32 Rights = AreaRead | AreaWrite | AreaExecute;
    for (VmArea* area = find_area(mm, start); area && area->start < end; area = next_area(mm, area)) {
        area->flags = (area->flags & ~Rights) | area_flags;
        protect_user_pages(mm, *area);
    }
    return {};
}

Result<u64> move_mapping(MemoryStruct& mm, u64 old_address, u64 old_size, u64 new_size, bool may_move) {
    old_size = align_up(old_size, PageSize);
    new_size = align_up(new_size, PageSize);
    VmArea* area = find_area(mm, old_address);
    if (!is_aligned(old_address, PageSize) || !new_size || !old_size) return Errno::EINVAL;
    if (!area || area->start > old_address || area->end < old_address + old_size) return Errno::EFAULT;
    if (new_size <= old_size) {
        if (new_size < old_size) TRY(unmap_range(mm, old_address + new_size, old_size - new_size));
        return old_address;
    }
    u64 growth = new_size - old_size;
    if (area->end == old_address + old_size && range_is_free(mm, area->end, growth) &&
        area->end + growth <= UserEnd) {
        mm.total_pages += growth >> PageShift;
        area->end += growth;
        return old_address;
    }
    if (!may_move) return Errno::ENOMEM;
    u64 target = TRY(map_area(mm, 0, new_size, area->flags, false, false, area->file,
                              area->file ? area->file_offset + (old_address - area->start) : 0, area->name));
    TRY(move_user_pages(mm, old_address, target, old_size));
    TRY(unmap_range(mm, old_address, old_size));
    return target;
}

Result<u64> set_program_break(MemoryStruct& mm, u64 address) {
    if (address < mm.start_brk || address > UserEnd) return mm.brk;
    u64 old_end = align_up(mm.brk, PageSize), new_end = align_up(address, PageSize);
    if (new_end > old_end) {
        if (!range_is_free(mm, old_end, new_end - old_end + PageSize)) return mm.brk;
        if (!map_area(mm, old_end, new_end - old_end, AreaRead | AreaWrite | AreaHeap, true, false, nullptr,
                      0, "[heap]")
                 .ok())
            return mm.brk;
    } else if (new_end < old_end) {
        if (!unmap_range(mm, new_end, old_end - new_end).ok()) return mm.brk;
    }
    mm.brk = address;
    return address;
}

} // namespace kernel
