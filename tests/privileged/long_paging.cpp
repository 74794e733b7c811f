// Page faults, accessed and dirty bits, SMEP, SMAP, large pages, what invalidations reach. Intel SDM vol. 3A
// ch. 4.
#include "tests/privileged/long.h"

namespace privileged {
namespace {

enum : u64 { P = 1, W = 2, U = 4, A = 32, D = 64, PS = 128, G = 256 };
constexpr u64 Smep = 1 << 20, Smap = 1 << 21, Pge = 128, Pcide = 1 << 17;
constexpr u64 Window = u64{1} << 30; ///< the second GiB: a row maps there what it likes
constexpr u64 WindowTable = 0x3F0000, WindowSmall = 0x3F1000;
u64 value;

/// Pages of the supervisor, but for the rows' own.
void supervisor_memory() {
    for (u64 page = 0; page < Page; page += 0x1000) pte(page) &= ~u64{U};
    entry_at(Directory, 2) &= ~u64{U};
    write_cr3(read_cr3());
}
void window(u64 pdpte) { entry_at(Pdpt, 1) = pdpte; }
void window_directory() {
    for (u64 i = 0; i < 512; ++i) entry_at(WindowTable, i) = 0, entry_at(WindowSmall, i) = 0;
    window(WindowTable | 7);
}
/// A local table in the rows' own page, with a data segment of DPL 3 in front.
void local_table() {
    entry_at(Page, 0) = gdt[UserData / 8];
    gdt[Free / 8] = descriptor(Page, 0xFF, 0x82, 0);
    asm volatile("lldt %w0" : : "r"(u32{Free}));
}
bool at_page() { return caught.cr2 == Page; }
bool at_window() { return caught.cr2 == Window; }
void execute(u64 at) { asm volatile("call *%0" : : "r"(at) : "memory"); }
void put_ret() { store(Page, 0xC3); }
void user_set() { asm volatile("pushfq\n orl $0x40000, (%%rsp)\n popfq" : : : "memory", "cc"); } // AC
u64 bits() { return pte(Page) & 0xFFF; }

constexpr Row rows[] = {
    {"read of a page that is not present", [] { map(Page, 0), load(Page); }, 14, 0, at_page},
    {"write to a page that is not present", [] { map(Page, 0), store(Page, 1); }, 14, 2, at_page},
    {"write to a read-only page", [] { map(Page, P), store(Page, 1); }, 14, 3, at_page},
    {"write to a read-only page with WP clear",
     [] { map(Page, P), write_cr0(read_cr0() & ~u64{0x10000}), store(Page, 1); }},
    {"fetch from a page that is not present", [] { map(Page, 0), execute(Page); }, 14, 0x10, at_page},
    {"fetch from a no-execute page", [] { put_ret(), map(Page, P | W | NoExecute), execute(Page); }, 14, 0x11,
     at_page},
    {"fetch bit is shown only with NXE or SMEP",
     [] { write_msr(0xC0000080, 0x501), map(Page, 0), execute(Page); }, 14, 0, at_page},
    {"NX is reserved without NXE",
     [] { write_msr(0xC0000080, 0x501), map(Page, P | W | NoExecute), load(Page); }, 14, 9, at_page},
    {"a bit above the address width is reserved", [] { map(Page, P | W | u64{1} << 51), load(Page); }, 14, 9,
     at_page},
    {"reserved bits in a write", [] { map(Page, P | W | u64{1} << 51), store(Page, 1); }, 14, 11, at_page},
    {"bits 58:52 are ignored", [] { map(Page, P | W | u64{0x7F} << 52), load(Page); }},
    {"bits 11:9 are ignored", [] { map(Page, P | W | 0xE00), load(Page); }},
    {"a reserved bit counts only in a present entry", [] { map(Page, u64{1} << 51), load(Page); }, 14, 0,
     at_page},
    {"PS in a PML4E is reserved", [] { entry_at(Pml4, 1) = Pdpt | 7 | PS, load(u64{1} << 39); }, 14, 9},
    {"read at CPL 3 of a supervisor page", [] { load(Page); }, 14, 5, at_page, User,
     [] { map(Page, P | W); }},
    {"write at CPL 3 to a supervisor page", [] { store(Page, 1); }, 14, 7, at_page, User,
     [] { map(Page, P | W); }},
    {"write at CPL 3 to a read-only page", [] { store(Page, 1); }, 14, 7, at_page, User,
     [] { map(Page, P | U); }},
    {"write at CPL 3 to a read-only page with WP clear", [] { store(Page, 1); }, 14, 7, at_page, User,
     [] { map(Page, P | U), write_cr0(read_cr0() & ~u64{0x10000}); }},
    {"fetch at CPL 3 from a supervisor page", [] { execute(Page); }, 14, 0x15, at_page, User,
     [] { put_ret(), map(Page, P | W); }},
    {"read at CPL 3 of nothing", [] { load(Page); }, 14, 4, at_page, User, [] { map(Page, 0); }},
    {"rights are the AND of all levels: W",
     [] {
         window_directory(), entry_at(WindowTable, 0) = WindowSmall | P | U,
                                                   entry_at(WindowSmall, 0) = Page | 7, store(Window, 1);
     },
     14, 3, at_window},
    {"rights are the AND of all levels: U", [] { load(Window); }, 14, 5, at_window, User,
     [] {
         window_directory(), entry_at(WindowTable, 0) = WindowSmall | P | W,
                                                   entry_at(WindowSmall, 0) = Page | 7;
     }},
    {"NX of a directory entry",
     [] {
         put_ret(), window_directory(), entry_at(WindowTable, 0) = WindowSmall | 7 | NoExecute,
                                                              entry_at(WindowSmall, 0) = Page | 7,
                                                              execute(Window);
     },
     14, 0x11, at_window},
    {"a read sets A", [] { map(Page, 7), load(Page); }, -1, 0, [] { return bits() == (7 | A); }},
    {"a write sets A and D", [] { map(Page, 7), store(Page, 1); }, -1, 0,
     [] { return bits() == (7 | A | D); }},
    {"a write behind a read sets D", [] { map(Page, 7), load(Page), store(Page, 1); }, -1, 0,
     [] { return bits() == (7 | A | D); }},
    {"a write that faults sets neither", [] { map(Page, P), store(Page, 1); }, 14, 3,
     [] { return bits() == P; }},
    {"a fetch sets A", [] { put_ret(), map(Page, 7), execute(Page); }, -1, 0,
     [] { return bits() == (7 | A); }},
    {"a directory entry gets A and no D",
     [] {
         window_directory(), entry_at(WindowTable, 0) = WindowSmall | 7, entry_at(WindowSmall, 0) = Page | 7,
                                                   store(Window, 1);
     },
     -1, 0, [] { return (entry_at(WindowTable, 0) & 0x7F) == (7 | A); }},
    {"CMPXCHG that fails writes",
     [] {
         map(Page, P), ({ asm volatile("cmpxchgl %%ecx, (%0)" : : "r"(Page), "a"(5), "c"(6) : "memory"); });
     },
     14, 3, at_page},
    {"a split read faults on the second page", [] { map(Page2, 0), load(Page2 - 4); }, 14, 0,
     [] { return caught.cr2 == Page2; }},
    {"a split write changes nothing", [] { store(Page2 - 8, 0), map(Page2, P), store(Page2 - 4, ~u64{0}); },
     14, 3, [] { return caught.cr2 == Page2 && load(Page2 - 8) == 0; }},
    {"not canonical", [] { load(NotCanonical); }, 13, 0},
    {"not canonical by RSP", [] { asm volatile("movq (%%rsp,%0), %%rax"
                                               :
                                               : "r"(NotCanonical)
                                               : "rax"); }, 12,
     0},
    {"not canonical by RBP",
     [] {
         asm volatile("pushq %%rbp\n movq %0, %%rbp\n movq (%%rbp), %%rax" : : "r"(NotCanonical) : "rax");
     },
     12, 0},
    {"last bytes not canonical", [] { load(NotCanonical - 4); }, 13, 0},
    {"PUSH with a stack that is not canonical",
     [] { asm volatile("movq %0, %%rsp\n pushq $0"
                       :
                       : "r"(NotCanonical + 0x100)); }, 12, 0},
    {"FS base is added before the check",
     [] {
         write_msr(0xC0000100, NotCanonical - 0x1000), ({
             asm volatile("movq %%fs:0x2000, %%rax" : : : "rax");
         });
     },
     13, 0},

    {"2 MiB page",
     [] {
         window_directory(), entry_at(WindowTable, 1) = 0x200087,
                                                   value = load(Window + 0x200000 + Page - 0x200000);
     },
     -1, 0, [] { return value == load(Page); }},
    {"2 MiB page: bit 13 is reserved",
     [] { window_directory(), entry_at(WindowTable, 0) = 0x202087, load(Window); }, 14, 9, at_window},
    {"2 MiB page: bit 12 is PAT",
     [] { window_directory(), entry_at(WindowTable, 0) = 0x201087, load(Window); }},
    {"2 MiB page gets A and D",
     [] { window_directory(), entry_at(WindowTable, 0) = 0x200087, store(Window + Page - 0x200000, 1); }, -1,
     0, [] { return (entry_at(WindowTable, 0) & 0x7F) == (7 | A | D); }},
    {"1 GiB page", [] { window(0x87), value = load(Window + Page); }, -1, 0,
     [] { return value == load(Page); }},
    {"1 GiB page: bit 29 is reserved", [] { window(0x87 | 1 << 29), load(Window); }, 14, 9, at_window},
    {"1 GiB page: bit 13 is reserved", [] { window(0x87 | 1 << 13), load(Window); }, 14, 9, at_window},
    {"1 GiB page: bit 12 is PAT", [] { window(0x87 | 1 << 12), load(Window); }},
    {"1 GiB page gets A and D", [] { window(0x87), store(Window + Page, 1); }, -1, 0,
     [] { return (entry_at(Pdpt, 1) & 0x7F) == (7 | A | D); }},
    {"INVLPG drops a 2 MiB page whole",
     [] {
         store(Page, 1), store(0x400000 + (Page - 0x200000), 2);
         window_directory(), entry_at(WindowTable, 0) = 0x200087;
         load(Window + Page - 0x200000), entry_at(WindowTable, 0) = 0x400087;
         invlpg(Window + 0x1FF000), value = load(Window + Page - 0x200000);
     },
     -1, 0, [] { return value == 2; }},
    {"INVLPG drops a 1 GiB page whole",
     [] {
         store(Page, 1), store(0x400000 + (Page - 0x200000), 2);
         window(0x87), load(Window + Page);
         window_directory(), entry_at(WindowTable, 1) = 0x400087;
         invlpg(Window + 0x3FFFF000), value = load(Window + Page);
     },
     -1, 0, [] { return value == 2; }},
    {"MOV CR3 drops translations",
     [] { store(Page, 1), store(Page2, 2), pte(Page) = Page2 | 7, write_cr3(Root), value = load(Page); }, -1,
     0, [] { return value == 2; }},
    {"a change of PGE drops global pages",
     [] {
         store(Page2, 2), write_cr4(read_cr4() | Pge), map(Page, 7 | G), store(Page, 1);
         pte(Page) = Page2 | 7, write_cr4(read_cr4() & ~Pge), value = load(Page);
     },
     -1, 0, [] { return value == 2; }},
    {"INVLPG drops a global page",
     [] {
         store(Page2, 2), write_cr4(read_cr4() | Pge), map(Page, 7 | G), store(Page, 1);
         pte(Page) = Page2 | 7, invlpg(Page), value = load(Page);
     },
     -1, 0, [] { return value == 2; }},
    {"MOV CR3 with PCIDE and bit 63 clear drops its PCID",
     [] {
         store(Page2, 2), write_cr4(read_cr4() | Pcide), write_cr3(Root | 5), store(Page, 1),
             pte(Page) = Page2 | 7;
         write_cr3(Root | 5), value = load(Page);
     },
     -1, 0, [] { return value == 2; }},
    {"INVPCID 0 drops an address of another PCID",
     [] {
         store(Page2, 2), write_cr4(read_cr4() | Pcide), write_cr3(Root | 5), store(Page, 1),
             pte(Page) = Page2 | 7;
         write_cr3(Root | 6);
         const u64 what[2] = {5, Page};
         asm volatile("invpcid %0, %1" : : "m"(what), "r"(u64{0}) : "memory");
         write_cr3(Root | 5 | u64{1} << 63), value = load(Page);
     },
     -1, 0, [] { return value == 2; }},
    {"a fault drops what it saw", [] { map(Page, P), load(Page), pte(Page) |= W, store(Page, 1); }},
    {"more rights need no INVLPG", [] { store(Page, 1); }, -1, 0, nullptr, User,
     [] { map(Page, P | W), load(Page), pte(Page) |= U; }},

    {"SMEP", [] { put_ret(), supervisor_memory(), write_cr4(read_cr4() | Smep), execute(Page); }, 14, 0x11,
     at_page},
    {"SMEP shows the fetch bit without NXE",
     [] {
         write_msr(0xC0000080, 0x501), supervisor_memory(), write_cr4(read_cr4() | Smep), map(Page, 0),
             execute(Page);
     },
     14, 0x10, at_page},
    {"SMEP does not concern supervisor pages",
     [] { put_ret(), supervisor_memory(), map(Page, P | W), write_cr4(read_cr4() | Smep), execute(Page); }},
    {"SMAP read", [] { supervisor_memory(), write_cr4(read_cr4() | Smap), load(Page); }, 14, 1, at_page},
    {"SMAP write", [] { supervisor_memory(), write_cr4(read_cr4() | Smap), store(Page, 1); }, 14, 3, at_page},
    {"SMAP with AC", [] { supervisor_memory(), write_cr4(read_cr4() | Smap), user_set(), load(Page); }},
    {"STAC and CLAC",
     [] {
         supervisor_memory(), write_cr4(read_cr4() | Smap);
         asm volatile("stac");
         load(Page);
         asm volatile("clac");
         load(Page);
     },
     14, 1, at_page},
    {"SMAP: AC does not help an implicit access to a descriptor table",
     [] {
         local_table(), supervisor_memory(), write_cr4(read_cr4() | Smap), user_set();
         asm volatile("mov %0, %%fs" : : "r"(u32{7}));
     },
     14, 1, at_page},
    {"a user program's access to a descriptor table is the supervisor's",
     [] {
         asm volatile("mov %0, %%fs" : : "r"(u32{7}));
     },
     -1, 0, nullptr, User, [] { local_table(), map(Page, P | W); }},
    {"a descriptor table's missing page is a supervisor read",
     [] {
         asm volatile("mov %0, %%fs" : : "r"(u32{7}));
     },
     14, 0, at_page, User, [] { local_table(), map(Page, 0); }},
    {"a descriptor's accessed bit on a read-only page is a supervisor write",
     [] {
         asm volatile("mov %0, %%fs" : : "r"(u32{7}));
     },
     14, 3, [] { return caught.cr2 >= Page && caught.cr2 < Page + 8; }, User,
     [] { local_table(), entry_at(Page, 0) &= ~(u64{1} << 40), map(Page, P); }},
    {"CLFLUSH of a missing page is a read",
     [] { map(Page, 0), ({
              asm volatile("clflush (%0)" : : "r"(Page));
          }); }, 14, 0, at_page},
    {"PREFETCH does not fault", [] { map(Page, 0), ({
                                         asm volatile("prefetcht0 (%0)" : : "r"(Page));
                                     }); }},
    {"LOCK ADD to a read-only page",
     [] { map(Page, P), ({
              asm volatile("lock addl $0, (%0)" : : "r"(Page) : "memory");
          }); }, 14, 3,
     at_page},
    {"ADD to a missing page is a write",
     [] { map(Page, 0), ({
              asm volatile("addl $0, (%0)" : : "r"(Page) : "memory");
          }); }, 14, 2, at_page},
    {"INVLPG of a missing page", [] { map(Page, 0), invlpg(Page); }},
};

} // namespace

void paging_rows() { run_rows("paging", rows); }

} // namespace privileged
