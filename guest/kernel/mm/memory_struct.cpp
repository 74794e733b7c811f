// Address spaces: how they are made, copied and given back. See memory_struct.h; areas are in mmap.cpp,
// faults in fault.cpp.
#include "mm/memory_struct.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/segments.h"
#include "fs/vfs.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/overcommit.h"
#include "mm/rmap.h"
#include "mm/slab.h"
#include "mm/user_pages.h"
#include "mm/vma.h"
#include "task/task.h"

namespace kernel {
namespace {

constinit kmem_cache* mm_cachep = nullptr;

} // namespace

void proc_caches_init() {
    anon_vma_init();
    mm_cachep = kmem_cache_create("mm_struct", sizeof(mm_struct), 64);
    vma_caches_init();
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
        unmap_page_range(*area, area->vm_start, area->vm_end);
        remove_vma(*mm, area);
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
        u64 charge = area->vm_flags & VM_ACCOUNT ? vma_pages(*area) : 0;
        result = security_vm_enough_memory_mm(&from, charge);
        if (!result.ok()) break;
        vm_area_struct* copy = vm_area_dup(*area);
        result = Errno::ENOMEM;
        if (copy)
            result = anon_vma_fork(*copy, *area); // before the child's entries lead to the parent's pages
        if (!result.ok()) {
            if (copy) vm_area_free(copy);
            vm_unacct_memory(charge);
            break;
        }
        copy->vm_flags &= VM_LOCKED_CLEAR_MASK; // locks are not inherited
        vma_link(*mm, copy, area);
        result = copy_page_range(*copy, *area);
        if (!result.ok()) break;
    }
    flush_tlb_mm(from); // the parent's writable pages became read-only
    if (!result.ok()) {
        mmput(mm);
        return result.error();
    }
    return mm;
}

} // namespace kernel
