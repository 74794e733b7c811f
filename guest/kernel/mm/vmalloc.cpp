// vmalloc areas; see vmalloc.h.
#include "mm/vmalloc.h"

#include "arch/x86_64/cpu.h"
#include "lib/log.h"
#include "mm/paging.h"
#include "mm/slab.h"

namespace kernel {

constinit VmallocArea* vmalloc_areas = nullptr;

namespace {

constinit SpinLock vmalloc_lock{"vmalloc"};

/// First fit over the sorted list; a guard page on both sides.
VmallocArea* reserve_area(u64 size, VmallocUse use) {
    auto* area = static_cast<VmallocArea*>(kmalloc(sizeof(VmallocArea)));
    if (!area) return nullptr;
    IrqSpinGuard guard(vmalloc_lock);
    u64 base = VmallocBase + PageSize;
    VmallocArea** link = &vmalloc_areas;
    while (*link && (*link)->base < base + size + PageSize) {
        base = (*link)->base + (*link)->size + PageSize;
        link = &(*link)->next;
    }
    if (base + size > VmallocEnd) {
        kfree(area);
        return nullptr;
    }
    *area = {base, size, use, *link};
    *link = area;
    return area;
}

VmallocArea* remove_area(u64 base) {
    IrqSpinGuard guard(vmalloc_lock);
    for (VmallocArea** link = &vmalloc_areas; *link; link = &(*link)->next) {
        if ((*link)->base != base) continue;
        VmallocArea* area = *link;
        *link = area->next;
        return area;
    }
    return nullptr;
}

u64 data_flags() { return pte::Write | (cpu_features.nx ? pte::NoExecute : 0); }

void release_pages(u64 base, u64 size) {
    for (u64 address = base; address < base + size; address += PageSize)
        if (PhysicalAddress physical = unmap_kernel_page(address)) put_page(page_of_physical(physical));
}

void* allocate_area(u64 size, VmallocUse use, PageType tag) {
    size = align_up(size, PageSize);
    VmallocArea* area = reserve_area(size, use);
    if (!area) return nullptr;
    for (u64 address = area->base; address < area->base + size; address += PageSize) {
        Page* page = allocate_page(AllocateZero, tag);
        if (page && map_kernel_page(address, physical_of(page), data_flags()).ok()) continue;
        if (page) put_page(page);
        release_pages(area->base, size);
        remove_area(area->base);
        kfree(area);
        return nullptr;
    }
    return reinterpret_cast<void*>(area->base);
}

void free_area_at(void* address) {
    VmallocArea* area = remove_area(reinterpret_cast<u64>(address));
    if (!area) panic("vfree: %p is not the start of an area", address);
    release_pages(area->base, area->size);
    kfree(area);
}

} // namespace

void* vmalloc(usize size) { return allocate_area(size, VmallocUse::Memory, PageType::Vmalloc); }
void vfree(void* address) {
    if (address) free_area_at(address);
}

void* allocate_kernel_stack() {
    return allocate_area(KernelStackSize, VmallocUse::Stack, PageType::KernelStack);
}
void free_kernel_stack(void* stack) { free_area_at(stack); }

volatile void* map_device(PhysicalAddress address, usize size) {
    u64 offset = address & (PageSize - 1);
    u64 bytes = align_up(size + offset, PageSize);
    VmallocArea* area = reserve_area(bytes, VmallocUse::Io);
    if (!area) return nullptr;
    for (u64 done = 0; done < bytes; done += PageSize)
        if (!map_kernel_page(area->base + done, address - offset + done,
                             data_flags() | pte::CacheDisable | pte::WriteThrough)
                 .ok())
            panic("ioremap of %#lx: no memory for page tables", address);
    return reinterpret_cast<volatile void*>(area->base + offset);
}

} // namespace kernel
