// vmalloc: virtually contiguous kernel memory from single pages, each area followed by an unmapped guard
// page; kernel stacks (guard page below) and ioremap live here too.
#pragma once

#include "lib/result.h"
#include "mm/layout.h"

namespace kernel {

enum class VmallocUse : u8 { Memory, Stack, Io };

struct VmallocArea {
    u64 base;
    u64 size; ///< without the guard page
    VmallocUse use;
    VmallocArea* next; ///< sorted by address
};
extern VmallocArea* vmalloc_areas;

void* vmalloc(usize size);
void vfree(void* address);
/// The lowest address of a KernelStackSize stack; an access just below it faults.
void* allocate_kernel_stack();
void free_kernel_stack(void* stack);
/// Uncached mapping of device registers.
volatile void* map_device(PhysicalAddress address, usize size);

} // namespace kernel
