// Where things are in the kernel's half of the address space (Linux's Documentation/x86/x86_64/mm.rst gives
// the same places for four-level paging), and the conversions between physical and direct-map addresses.
#pragma once

#include "lib/types.h"

namespace kernel {

inline constexpr u64 TASK_SIZE_MAX = 0x0000'7fff'ffff'f000; ///< first address that user space may not map
inline constexpr u64 PAGE_OFFSET = 0xffff'8880'0000'0000;   ///< all of RAM, and the first MiB
inline constexpr u64 DirectMapEnd = 0xffff'c880'0000'0000;
inline constexpr u64 VMALLOC_START = 0xffff'c900'0000'0000;
inline constexpr u64 VMALLOC_END = 0xffff'e900'0000'0000;
inline constexpr u64 VMEMMAP_START = 0xffff'ea00'0000'0000; ///< the page array, indexed by frame number
inline constexpr u64 __START_KERNEL_map = 0xffff'ffff'8000'0000;
inline constexpr u64 KernelTextLink = 0xffff'ffff'8100'0000;

inline constexpr u64 THREAD_SIZE = 16 * KiB;
inline constexpr unsigned NR_CPUS = 8;
inline constexpr unsigned HZ = 250;

using PhysicalAddress = u64;

/// Linker symbols (kernel.ld). Their addresses are what counts.
extern "C" {
extern char _text[], _etext[], __start_rodata[], __end_rodata[], __start_data[], _edata[], __bss_start[],
    __bss_stop[], _end[], __init_begin[], __init_end[];
}

/// Physical address of _text, set by startup_64 before any C++ runs.
extern "C" u64 kernel_physical_base;
/// How far the image runs from where it was linked (0 with nokaslr).
extern "C" u64 kernel_virtual_slide;

inline void* phys_to_virt(PhysicalAddress address) { return reinterpret_cast<void*>(address + PAGE_OFFSET); }
template <typename T> T* physical_to(PhysicalAddress address) {
    return static_cast<T*>(phys_to_virt(address));
}

/// REQUIRES: `address` is in the direct map or in the kernel image.
inline PhysicalAddress virt_to_phys(const void* pointer) {
    u64 address = reinterpret_cast<u64>(pointer);
    if (address >= __START_KERNEL_map) return address - reinterpret_cast<u64>(_text) + kernel_physical_base;
    return address - PAGE_OFFSET;
}

} // namespace kernel
