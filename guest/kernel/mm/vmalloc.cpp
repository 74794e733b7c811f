// vmalloc areas; see vmalloc.h.
#include "mm/vmalloc.h"

#include "arch/x86_64/cpu.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/paging.h"
#include "mm/slab.h"
#include "mm/tlb.h"
#include "sched/scheduler.h"
#include "sync/mutex.h"

namespace kernel {

constinit vm_struct* vmlist = nullptr;

namespace {

constinit spinlock_t vmalloc_lock{"vmalloc"};

/// First fit over the sorted list; a guard page on both sides.
vm_struct* get_vm_area(u64 size, VmallocUse use) {
    auto* area = static_cast<vm_struct*>(kmalloc(sizeof(vm_struct)));
    if (!area) return nullptr;
    IrqSpinGuard guard(vmalloc_lock);
    u64 base = VMALLOC_START + PAGE_SIZE;
    vm_struct** link = &vmlist;
    while (*link && (*link)->addr < base + size + PAGE_SIZE) {
        base = (*link)->addr + (*link)->size + PAGE_SIZE;
        link = &(*link)->next;
    }
    if (base + size > VMALLOC_END) {
        kfree(area);
        return nullptr;
    }
    *area = {base, size, use, *link};
    *link = area;
    return area;
}

/// The caller owns the area, so it stays while it looks at it.
vm_struct* find_vm_area(u64 base) {
    IrqSpinGuard guard(vmalloc_lock);
    for (vm_struct* area = vmlist; area; area = area->next)
        if (area->addr == base) return area;
    return nullptr;
}

vm_struct* remove_vm_area(u64 base) {
    IrqSpinGuard guard(vmalloc_lock);
    for (vm_struct** link = &vmlist; *link; link = &(*link)->next) {
        if ((*link)->addr != base) continue;
        vm_struct* area = *link;
        *link = area->next;
        return area;
    }
    return nullptr;
}

u64 data_flags() { return pte::Write | (boot_cpu_data.nx ? pte::NoExecute : 0); }

constinit vm_struct* vmap_purge_list = nullptr; ///< pushed by anybody, emptied by purge_vmap_area_lazy()
constinit struct mutex vmap_purge_lock{"vmap_purge_lock"};

/// Other processors have to be asked: not where they cannot answer.
bool may_purge() { return interrupts_enabled() && !preempt_count(); }

/// Clears the entries; the pages wait on the list until every CPU has forgotten them.
void vunmap_range(u64 start, u64 end, list_head& pages) {
    for (u64 address = start; address < end; address += PAGE_SIZE)
        if (PhysicalAddress physical = unmap_kernel_page(address))
            pages.push_back(&phys_to_page(physical)->lru);
}

/// Unmaps what was given back: clears the entries, has every CPU forget them, and only then frees pages and
/// addresses.
void purge_vmap_area_lazy() {
    MutexGuard guard(vmap_purge_lock);
    vm_struct* list =
        __atomic_exchange_n(&vmap_purge_list, static_cast<vm_struct*>(nullptr), __ATOMIC_ACQUIRE);
    if (!list) return;
    list_head pages;
    pages.initialise();
    u64 start = ~u64{0}, end = 0;
    for (vm_struct* area = list; area; area = area->purge_next) {
        start = min(start, area->addr), end = max(end, area->addr + area->size);
        vunmap_range(area->addr, area->addr + area->size, pages);
    }
    flush_tlb_kernel_range(start, end);
    while (list_head* node = pages.pop_front()) put_page(container_of(node, struct page, lru));
    while (list) {
        vm_struct* next = list->purge_next;
        remove_vm_area(list->addr);
        kfree(list);
        list = next;
    }
}

/// The addresses stay taken until nothing is mapped there: whoever gets them next maps its own pages.
void free_area_lazily(vm_struct* area) {
    vm_struct* head = __atomic_load_n(&vmap_purge_list, __ATOMIC_RELAXED);
    do area->purge_next = head;
    while (!__atomic_compare_exchange_n(&vmap_purge_list, &head, area, false, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED));
    if (may_purge()) purge_vmap_area_lazy();
}

void* allocate_area(u64 size, VmallocUse use, PageType tag) {
    size = align_up(size, PAGE_SIZE);
    vm_struct* area = get_vm_area(size, use);
    if (!area) return nullptr;
    for (u64 address = area->addr; address < area->addr + size; address += PAGE_SIZE) {
        struct page* page = alloc_page(GFP_KERNEL | __GFP_ZERO, tag);
        if (page && map_kernel_page(address, page_to_phys(page), data_flags()).ok()) continue;
        if (page) put_page(page);
        free_area_lazily(area);
        return nullptr;
    }
    return reinterpret_cast<void*>(area->addr);
}

void free_area_at(void* address) {
    vm_struct* area = find_vm_area(reinterpret_cast<u64>(address));
    if (!area) panic("vfree: %p is not the start of an area", address);
    free_area_lazily(area);
}

/// Stacks of tasks that ended, still mapped: the next task takes one and no CPU has to be asked. A free
/// stack's first word links to the next.
constinit void* cached_stacks = nullptr;
constinit unsigned nr_cached_stacks = 0;
constinit spinlock_t cached_stacks_lock{"cached_stacks"};
constexpr unsigned NR_CACHED_STACKS = 2; ///< a CPU

} // namespace

void* vmalloc(usize size) { return allocate_area(size, VmallocUse::Memory, PageType::Vmalloc); }
void vfree(void* address) {
    if (address) free_area_at(address);
}

void* alloc_thread_stack() {
    if (vmap_purge_list && may_purge()) purge_vmap_area_lazy();
    {
        IrqSpinGuard guard(cached_stacks_lock);
        if (void* stack = cached_stacks) {
            memcpy(&cached_stacks, stack, sizeof(void*));
            nr_cached_stacks--;
            return stack;
        }
    }
    return allocate_area(THREAD_SIZE, VmallocUse::Stack, PageType::KernelStack);
}

void free_thread_stack(void* stack) {
    {
        IrqSpinGuard guard(cached_stacks_lock);
        if (nr_cached_stacks < NR_CACHED_STACKS * num_online_cpus()) {
            memcpy(stack, &cached_stacks, sizeof(void*));
            cached_stacks = stack;
            nr_cached_stacks++;
            return;
        }
    }
    free_area_at(stack);
}

volatile void* ioremap(PhysicalAddress address, usize size) {
    u64 offset = address & (PAGE_SIZE - 1);
    u64 bytes = align_up(size + offset, PAGE_SIZE);
    vm_struct* area = get_vm_area(bytes, VmallocUse::Io);
    if (!area) return nullptr;
    for (u64 done = 0; done < bytes; done += PAGE_SIZE)
        if (!map_kernel_page(area->addr + done, address - offset + done,
                             data_flags() | pte::CacheDisable | pte::WriteThrough)
                 .ok())
            panic("ioremap of %#lx: no memory for page tables", address);
    return reinterpret_cast<volatile void*>(area->addr + offset);
}

} // namespace kernel
