// vmalloc: virtually contiguous kernel memory from single pages, each area followed by an unmapped guard
// page; kernel stacks (guard page below) and ioremap live here too.
#pragma once

#include "lib/result.h"
#include "mm/layout.h"

namespace kernel {

enum class VmallocUse : u8 { Memory, Stack, Io };

struct vm_struct {
    u64 addr;
    u64 size; ///< without the guard page
    VmallocUse use;
    vm_struct* next;                 ///< sorted by address
    vm_struct* purge_next = nullptr; ///< given back, and still mapped
};
extern vm_struct* vmlist;

void* vmalloc(usize size);
void vfree(void* address);
/// The lowest address of a THREAD_SIZE stack; an access just below it faults.
void* alloc_thread_stack();
void free_thread_stack(void* stack);
/// Uncached mapping of device registers.
volatile void* ioremap(PhysicalAddress address, usize size);

} // namespace kernel
