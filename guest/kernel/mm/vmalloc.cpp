// vmalloc areas; see vmalloc.h.
#include "mm/vmalloc.h"

#include "arch/x86_64/cpu.h"
#include "lib/log.h"
#include "mm/paging.h"
#include "mm/slab.h"

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

void vunmap_range(u64 base, u64 size) {
    for (u64 address = base; address < base + size; address += PAGE_SIZE)
        if (PhysicalAddress physical = unmap_kernel_page(address)) put_page(phys_to_page(physical));
}

void* allocate_area(u64 size, VmallocUse use, PageType tag) {
    size = align_up(size, PAGE_SIZE);
    vm_struct* area = get_vm_area(size, use);
    if (!area) return nullptr;
    for (u64 address = area->addr; address < area->addr + size; address += PAGE_SIZE) {
        struct page* page = alloc_page(__GFP_ZERO, tag);
        if (page && map_kernel_page(address, page_to_phys(page), data_flags()).ok()) continue;
        if (page) put_page(page);
        vunmap_range(area->addr, size);
        remove_vm_area(area->addr);
        kfree(area);
        return nullptr;
    }
    return reinterpret_cast<void*>(area->addr);
}

/// The addresses stay taken until nothing is mapped there: whoever gets them next maps its own pages.
void free_area_at(void* address) {
    vm_struct* area = find_vm_area(reinterpret_cast<u64>(address));
    if (!area) panic("vfree: %p is not the start of an area", address);
    vunmap_range(area->addr, area->size);
    remove_vm_area(area->addr);
    kfree(area);
}

} // namespace

void* vmalloc(usize size) { return allocate_area(size, VmallocUse::Memory, PageType::Vmalloc); }
void vfree(void* address) {
    if (address) free_area_at(address);
}

void* alloc_thread_stack() { return allocate_area(THREAD_SIZE, VmallocUse::Stack, PageType::KernelStack); }
void free_thread_stack(void* stack) { free_area_at(stack); }

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
