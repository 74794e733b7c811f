// The vDSO in an address space: [vvar], the page that the kernel writes, and [vdso], the code right behind
// it. See vdso/data.h.
#include "arch/x86_64/vdso.h"

#include "lib/log.h"
#include "mm/memory_struct.h"
#include "mm/zone.h"
#include "vdso/data.h"

extern "C" {
extern kernel::vdso_data vvar_page;
extern const char vdso_image_start[], vdso_image_end[];
}

namespace kernel {

struct page* vdso_fault(u64 index) {
    u64 pages = 1 + divide_up(static_cast<u64>(vdso_image_end - vdso_image_start), PAGE_SIZE);
    if (index >= pages) return nullptr;
    return phys_to_page(virt_to_phys(&vvar_page) + index * PAGE_SIZE);
}

Result<u64> map_vdso(mm_struct& mm) {
    u64 image = align_up(static_cast<u64>(vdso_image_end - vdso_image_start), PAGE_SIZE);
    u64 start =
        TRY(mmap_region(mm, 0, PAGE_SIZE + image, VM_READ | VM_SPECIAL, false, false, nullptr, 0, "[vvar]"));
    find_vma(mm, start)->vm_flags &= ~u32{VM_MAYWRITE | VM_MAYEXEC};
    return mmap_region(mm, start + PAGE_SIZE, image, VM_READ | VM_EXEC | VM_SPECIAL, true, false, nullptr,
                       PAGE_SIZE, "[vdso]");
}

void update_vsyscall(u64 cycle_base, u64 nanoseconds_per_cycle, u64 wall_offset) {
    vdso_data& data = vvar_page;
    __atomic_store_n(&data.seq, data.seq + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    data.cycle_base = cycle_base;
    data.nanoseconds_per_cycle = nanoseconds_per_cycle;
    data.wall_offset = wall_offset;
    data.clock_mode = VDSO_CLOCKMODE_TSC;
    __atomic_store_n(&data.seq, data.seq + 1, __ATOMIC_RELEASE);
}

} // namespace kernel
