// Segments in 32-bit protected mode: limits, expand-down, loads, stack widths. PAE and 32-bit paging. Intel
// SDM vol. 3A 4–5.
#include "tests/privileged/legacy.h"

namespace privileged {
namespace {

template <u32 Base, u32 Limit, u8 Access, u8 Flags> void put() {
    gdt[Free / 8] = descriptor(Base, Limit, Access, Flags);
}
u32 value;
template <u32 At> void read4() {
    load_es(Free), ({ asm volatile("movl %%es:%1, %0" : "=r"(value) : "m"(*reinterpret_cast<u32*>(At))); });
}
template <u32 At> void write1() {
    load_es(Free), ({ asm volatile("movb $1, %%es:%0" : "=m"(*reinterpret_cast<u8*>(At))); });
}
/// Loads through SS, with room for the exception's frame: #SS.
void read_stack() {
    asm volatile("mov %0, %%ss\n movl $0x80, %%esp\n movl %%ss:0xFD, %%eax\n jmp leave_attempt"
                 :
                 : "r"(u32{Free})
                 : "eax", "memory");
}
constexpr u32 Tables = 0x300000, Pse = 16, Pae = 32, Paging = 0x80000000;
u32& word32(u32 at) { return *reinterpret_cast<u32*>(at); }
u64& word64(u32 at) { return *reinterpret_cast<u64*>(at); }
/// Identity by 4 MiB pages; 80000000h is the row's.
void legacy_paging(u32 entry) {
    for (u32 i = 0; i < 1024; ++i) word32(Tables + 4 * i) = i < 4 ? i << 22 | 0x87 : 0;
    word32(Tables + 4 * 512) = entry;
    write_cr4(Pse), write_cr3(Tables), write_cr0(read_cr0() | Paging);
}
void pae_tables(u64 third) {
    for (u32 i = 0; i < 1024; ++i) word64(Tables + 8 * i) = 0;
    word64(Tables) = Tables + 0x1001, word64(Tables + 16) = third;
    for (u64 i = 0; i < 8; ++i) word64(static_cast<u32>(Tables + 0x1000 + 8 * i)) = i << 21 | 0x87;
}
void pae_paging(u64 third) {
    pae_tables(third);
    write_cr4(Pae), write_cr3(Tables), write_cr0(read_cr0() | Paging);
}

constexpr Row rows[] = {
    {"limit: the last bytes", [] { put<Page, 0xFF, 0x93, 4>(), read4<0xFC>(); }},
    {"limit: one byte beyond", [] { put<Page, 0xFF, 0x93, 4>(), read4<0xFD>(); }, 13, 0},
    {"limit: wraps around", [] { put<Page, 0xFFFFF, 0x93, 0xC>(), read4<0xFFFFFFFE>(); }, 13, 0},
    {"limit in pages", [] { put<Page, 0, 0x93, 0xC>(), read4<0xFFC>(); }},
    {"limit in pages, beyond", [] { put<Page, 0, 0x93, 0xC>(), read4<0x1000>(); }, 13, 0},
    {"expand-down: above the limit", [] { put<Page - 0x1000, 0xFFF, 0x97, 4>(), read4<0x1000>(); }},
    {"expand-down: at the limit", [] { put<Page - 0x1000, 0xFFF, 0x97, 4>(), read4<0xFFF>(); }, 13, 0},
    {"expand-down: 16-bit top", [] { put<Page - 0xF000, 0xFFF, 0x97, 0>(), read4<0xFFFC>(); }},
    {"expand-down: beyond the 16-bit top", [] { put<Page - 0xF000, 0xFFF, 0x97, 0>(), read4<0xFFFD>(); }, 13,
     0},
    {"expand-down: 32-bit goes on there", [] { put<Page - 0xF000, 0xFFF, 0x97, 4>(), read4<0xFFFD>(); }},
    {"write to read-only data", [] { put<Page, 0xFF, 0x91, 4>(), write1<0>(); }, 13, 0},
    {"write to code", [] { put<Page, 0xFF, 0x9B, 4>(), write1<0>(); }, 13, 0},
    {"read of readable code", [] { put<Page, 0xFF, 0x9B, 4>(), read4<0>(); }},
    {"use of a null segment", [] { load_es(0), ({ asm volatile("movl %%es:0, %0"
                                                               : "=r"(value)); }); }, 13,
     0},
    {"SS null", [] { load_ss(0); }, 13, 0},
    {"SS limit", [] { put<Page, 0xFF, 0x93, 4>(), read_stack(); }, 12, 0},
    {"accessed bit", [] { put<Page, 0xFF, 0x92, 4>(), load_es(Free); }, -1, 0,
     [] { return (gdt[Free / 8] >> 40 & 1) == 1; }},
    {"LLDT of a 16-bit TSS",
     [] { put<Page, 0xFF, 0x81, 0>(), ({
              asm volatile("lldt %w0" : : "r"(u32{Free}));
          }); }, 13, Free},
    {"LTR takes a 16-bit TSS", [] { asm volatile("ltr %w0"
                                                 :
                                                 : "r"(u32{Task16})); }, -1, 0,
     [] { return (gdt[Task16 / 8] >> 40 & 15) == 3; }},
    {"LTR busy", [] { asm volatile("ltr %w0"
                                   :
                                   : "r"(u32{TaskState})); }, 13, TaskState},
    {"CR0 PG with LME and no PAE",
     [] { write_msr(0xC0000080, 0x100), write_cr3(Tables), write_cr0(read_cr0() | Paging); }, 13, 0},
    {"BOUND inside",
     [] {
         const u32 range[2] = {1, 5};
         asm volatile("bound %1, %0" : : "m"(range), "r"(3));
     }},
    {"BOUND outside",
     [] {
         const u32 range[2] = {1, 5};
         asm volatile("bound %1, %0" : : "m"(range), "r"(6));
     },
     5, 0, [] { return *reinterpret_cast<u8*>(caught.ip) == 0x62; }},
    {"INTO without OF", [] { asm volatile("xorl %%eax, %%eax\n into"
                                          :
                                          :
                                          : "eax"); }},
    {"INTO with OF", [] { asm volatile("movb $0x7f, %%al\n incb %%al\n into"
                                       :
                                       :
                                       : "eax"); }, 4, 0,
     [] { return *reinterpret_cast<u8*>(caught.ip - 1) == 0xCE; }},
    {"ARPL raises the RPL",
     [] {
         bool changed;
         asm volatile("arpl %w2, %w0" : "=r"(value), "=@ccz"(changed) : "r"(3), "0"(0x41));
         value |= changed ? 0x10000u : 0;
     },
     -1, 0, [] { return (value & 0x1FFFF) == 0x10043; }},
    {"SYSCALL outside 64-bit code", [] { asm volatile("syscall"
                                                      :
                                                      :
                                                      : "ecx"); }, 6},
    {"SWAPGS outside 64-bit code", [] { asm volatile(".byte 0x0f, 0x01, 0xf8"); }, 6},
    {"PUSH ES writes two bytes of four",
     [] {
         word32(Page + 0xFC) = 0x55555555;
         asm volatile("movl %%esp, %%ecx\n movl %0, %%esp\n pushl %%es\n movl %%ecx, %%esp"
                      :
                      : "r"(Page + 0x100)
                      : "ecx", "memory");
     },
     -1, 0, [] { return word32(Page + 0xFC) == (0x55550000 | Data); }},
    {"SGDT stores a 32-bit base",
     [] {
         TablePointer p{};
         asm volatile("sgdt %0" : "=m"(p));
         value = p.base;
     },
     -1, 0, [] { return value == reinterpret_cast<u32>(gdt); }},

    {"4 MiB page", [] { word32(Page) = 5, legacy_paging(0x87), value = word32(0x80000000 + Page); }, -1, 0,
     [] { return value == 5; }},
    {"4 MiB page: bit 21 is reserved", [] { legacy_paging(0x87 | 1 << 21), value = word32(0x80000000); }, 14,
     9},
    {"4 MiB page: bits 20:13 are address bits 39:32",
     [] { legacy_paging(0x87 | 1 << 13), value = word32(0x80000000); }, -1, 0,
     [] { return value == 0xFFFFFFFF || value == 0; }},
    {"INVLPG drops a 4 MiB page whole",
     [] {
         word32(Page) = 5, word32(0x400000 + Page) = 6, legacy_paging(0x87),
         value = word32(0x80000000 + Page);
         word32(Tables + 4 * 512) = 0x400087;
         asm volatile("invlpg (%0)" : : "r"(0x803FF000) : "memory");
         value = word32(0x80000000 + Page);
     },
     -1, 0, [] { return value == 6; }},
    {"PAE 2 MiB page",
     [] { word32(Page) = 7, pae_paging(Tables + 0x1001), value = word32(0x80000000 + Page); }, -1, 0,
     [] { return value == 7; }},
    {"PAE: a PDPTE with bit 1", [] { pae_paging(Tables + 0x1003); }, 13, 0,
     [] { return !(read_cr0() & Paging); }},
    {"PAE: a PDPTE with bit 5", [] { pae_paging(Tables + 0x1021); }, 13, 0},
    {"PAE: a PDPTE with bit 8", [] { pae_paging(Tables + 0x1101); }, 13, 0},
    {"PAE: a PDPTE with bit 63", [] { pae_paging(u64{1} << 63 | (Tables + 0x1001)); }, 13, 0},
    {"PAE: a PDPTE above the address width", [] { pae_paging(u64{1} << 51 | (Tables + 0x1001)); }, 13, 0},
    {"PAE: a PDPTE without P is not checked", [] { pae_paging(u64{1} << 51 | 0x1E6); }},
    {"PAE: MOV CR3 checks them",
     [] { pae_paging(Tables + 0x1001), word64(Tables + 16) |= 2, write_cr3(Tables); }, 13, 0},
    {"PAE: PDPTEs are registers",
     [] {
         pae_paging(Tables + 0x1001), word64(Tables + 16) = 0, word32(Page) = 9,
                                                      value = word32(0x80000000 + Page);
     },
     -1, 0, [] { return value == 9; }},
    {"PAE: MOV CR3 loads them",
     [] {
         pae_paging(Tables + 0x1001), word64(Tables + 16) = 0, write_cr3(Tables), value = word32(0x80000000);
     },
     14, 0, [] { return caught.cr2 == 0x80000000; }},
};

} // namespace

void segment_rows() { run_rows("segments", rows); }

} // namespace privileged
