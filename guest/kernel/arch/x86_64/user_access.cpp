// User memory access; see user_access.h.
#include "arch/x86_64/user_access.h"

#include "arch/x86_64/cpu.h"
#include "lib/string.h"
#include "mm/paging.h"

namespace kernel {
namespace {

struct ExceptionEntry {
    i32 instruction; ///< relative to this field
    i32 fixup;
};
extern "C" const ExceptionEntry __start_ex_table[], __stop_ex_table[];

#define EXCEPTION_ENTRY(from, to)                                                                            \
    ".pushsection __ex_table, \"a\"\n\t.balign 4\n\t.long " from " - .\n\t.long " to " - "                   \
    ".\n\t.popsection\n\t"

/// Bytes not copied.
usize copy_bytes(void* to, const void* from, usize size) {
    if (boot_cpu_data.smap) asm volatile("stac" ::: "memory");
    usize words = size >> 3, rest = size & 7;
    asm volatile("1: rep movsq\n\t"
                 "movq %[rest], %%rcx\n\t"
                 "2: rep movsb\n\t"
                 "jmp 4f\n\t"
                 "3: leaq (%[rest],%%rcx,8), %%rcx\n\t" // faulted among the words: those left, plus the rest
                 "4:\n\t" EXCEPTION_ENTRY("1b", "3b") EXCEPTION_ENTRY("2b", "4b")
                 : "+D"(to), "+S"(from), "+c"(words)
                 : [rest] "r"(rest)
                 : "memory");
    if (boot_cpu_data.smap) asm volatile("clac" ::: "memory");
    return words;
}

} // namespace

u64 search_exception_tables(u64 rip) {
    for (const ExceptionEntry* entry = __start_ex_table; entry < __stop_ex_table; entry++)
        if (reinterpret_cast<u64>(&entry->instruction) +
                static_cast<u64>(static_cast<i64>(entry->instruction)) ==
            rip)
            return reinterpret_cast<u64>(&entry->fixup) + static_cast<u64>(static_cast<i64>(entry->fixup));
    return 0;
}

Result<void> copy_from_user(void* to, u64 from, usize size) {
    if (!access_ok(from, size)) return Errno::EFAULT;
    if (copy_bytes(to, reinterpret_cast<const void*>(from), size)) return Errno::EFAULT;
    return {};
}

Result<void> copy_to_user(u64 to, const void* from, usize size) {
    if (!access_ok(to, size)) return Errno::EFAULT;
    if (copy_bytes(reinterpret_cast<void*>(to), from, size)) return Errno::EFAULT;
    return {};
}

Result<void> clear_user(u64 to, usize size) {
    if (!access_ok(to, size)) return Errno::EFAULT;
    if (boot_cpu_data.smap) asm volatile("stac" ::: "memory");
    asm volatile("1: rep stosb\n2:\n\t" EXCEPTION_ENTRY("1b", "2b")
                 : "+D"(to), "+c"(size)
                 : "a"(0)
                 : "memory");
    if (boot_cpu_data.smap) asm volatile("clac" ::: "memory");
    if (size) return Errno::EFAULT;
    return {};
}

Result<usize> strncpy_from_user(char* to, u64 from, usize capacity) {
    usize length = 0;
    while (length < capacity) {
        // Up to the end of a page at a time: the byte after the NUL may not be mapped.
        usize run = min<usize>(capacity - length, PAGE_SIZE - ((from + length) & (PAGE_SIZE - 1)));
        TRY(copy_from_user(to + length, from + length, run));
        for (usize i = 0; i < run; i++, length++)
            if (!to[length]) return length;
    }
    return Errno::ENAMETOOLONG;
}

Result<u32> cmpxchg_user(u64 address, u32 expected, u32 fresh) {
    if (!access_ok(address, 4)) return Errno::EFAULT;
    if (boot_cpu_data.smap) asm volatile("stac" ::: "memory");
    u64 failed = 1;
    asm volatile("1: lock cmpxchgl %[fresh], (%[address])\n\t"
                 "xorl %k[failed], %k[failed]\n"
                 "2:\n\t" EXCEPTION_ENTRY("1b", "2b")
                 : "+a"(expected), [failed] "+r"(failed)
                 : [fresh] "r"(fresh), [address] "r"(address)
                 : "memory", "cc");
    if (boot_cpu_data.smap) asm volatile("clac" ::: "memory");
    if (failed) return Errno::EFAULT;
    return expected;
}

bool copy_from_kernel_nofault(void* to, u64 from, usize size) {
    auto read = [](u64 physical) { return *physical_to<u64>(physical); };
    auto* out = static_cast<u8*>(to);
    for (usize i = 0; i < size; i++) {
        u64 address = from + i;
        if (address < PAGE_OFFSET) return false;
        if (i == 0 || !(address & (PAGE_SIZE - 1)))
            if (!walk_page_tables(read_cr3(), address, read).present) return false;
        out[i] = *reinterpret_cast<const u8*>(address);
    }
    return true;
}

} // namespace kernel
