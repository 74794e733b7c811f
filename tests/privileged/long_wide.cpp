// What model max adds to system software: 5-level paging (every linear address has 57 bits: accesses, branch
// targets, stacks, tables) and protection keys for user pages. Intel SDM vol. 3A 4.5, 4.6.2, 4.7, 2.7; vol. 1
// 13.
#include "tests/privileged/long.h"

namespace privileged {
extern "C" {
u64 wide_frame[5];
extern char wide_landing[];
}
namespace {

constexpr u64 Pke = 1 << 22, Osxsave = 1 << 18, Smap = 1 << 21, WriteProtect = 0x10000;
constexpr u64 High = u64{1} << 48;     ///< the second PML5 entry: all of memory a second time
constexpr u64 Highest = ~u64{0} << 56; ///< the lowest address of the upper half
u64 seen;
u32 seen32[4];

void high() { entry_at(Pml5, 1) = Pml4 | 7; }
bool at_high() { return caught.cr2 == (High | Page); }
void put_ret() { store(Page, 0xC3); }
void call_at(u64 at) { asm volatile("call *%0" : : "r"(at) : "memory"); }
void leaf(u32 number, u32 sub = 0) {
    asm volatile("cpuid"
                 : "=a"(seen32[0]), "=b"(seen32[1]), "=c"(seen32[2]), "=d"(seen32[3])
                 : "a"(number), "c"(sub));
}
asm(R"(
    .text
wide_landing:
    movq (%rsp), %rax
    movq %rax, wide_frame
    leaq 0(%rip), %rax
    movq %rax, wide_frame + 8
    movq %rsp, wide_frame + 16
    movq $leave_attempt, %rax
    jmpq *%rax
)");
u64 landing() { return High | reinterpret_cast<u64>(wide_landing); }
bool landed() { return wide_frame[1] >> 48 == 1; }
void far(bool call) {
    struct [[gnu::packed]] {
        u64 offset;
        u16 selector;
    } target{landing(), Code64};
    if (call)
        asm volatile(".byte 0x48\n lcall *(%0)" : : "a"(&target) : "memory");
    else
        asm volatile(".byte 0x48\n ljmp *(%0)" : : "a"(&target) : "memory");
}
void iret_to(u64 rip, u64 cs, u64 rsp, u64 ss) {
    asm volatile("pushq %3\n pushq %2\n pushq $2\n pushq %1\n pushq %0\n iretq"
                 :
                 : "r"(rip), "r"(cs), "r"(rsp), "r"(ss)
                 : "memory");
}

void sysret(u64 rip) { asm volatile("movl $2, %%r11d\n sysretq" : : "c"(rip) : "r11", "memory"); }

constexpr Row level_table[] = {
    {"CPUID: 57 bits", [] { leaf(0x80000008); }, -1, 0, [] { return (seen32[0] >> 8 & 0xFF) == 57; }},
    {"CPUID: LA57 and PKU", [] { leaf(7); }, -1, 0,
     [] { return (seen32[2] & (1 << 16 | 1 << 3)) == (1 << 16 | 1 << 3); }},
    {"CR4.LA57 cannot be cleared in long mode", [] { write_cr4(read_cr4() & ~u64{0x1000}); }, 13},
    {"a PML5E that is not present", [] { load(High | Page); }, 14, 0, at_high},
    {"a PML5E that is not present, written", [] { store(High | Page, 1); }, 14, 2, at_high},
    {"memory behind another PML5E", [] { high(), store(Page, 0x1234), seen = load(High | Page); }, -1, 0,
     [] { return seen == 0x1234; }},
    {"a write behind another PML5E", [] { high(), store(Page, 1), store(High | Page, 0x77); }, -1, 0,
     [] { return load(Page) == 0x77; }},
    {"the top of the lower half", [] { load((u64{1} << 56) - 8); }, 14, 0},
    {"the bottom of the upper half", [] { load(Highest); }, 14, 0, [] { return caught.cr2 == Highest; }},
    {"above the lower half", [] { load(u64{1} << 56); }, 13, 0},
    {"below the upper half", [] { load(Highest - 8); }, 13, 0},
    {"the last bytes are not canonical", [] { load((u64{1} << 56) - 4); }, 13, 0},
    {"the upper half has tables of its own",
     [] { entry_at(Pml5, 256) = Pml4 | 7, store(Page, 5), seen = load(Highest | Page); }, -1, 0,
     [] { return seen == 5; }},
    {"PS in a PML5E is reserved", [] { entry_at(Pml5, 1) = Pml4 | 0x87, load(High | Page); }, 14, 9, at_high},
    {"a PML5E above the address width",
     [] { entry_at(Pml5, 1) = Pml4 | 7 | u64{1} << 51, load(High | Page); }, 14, 9, at_high},
    {"W of a PML5E counts", [] { entry_at(Pml5, 1) = Pml4 | 5, store(High | Page, 1); }, 14, 3, at_high},
    {"U of a PML5E counts", [] { load(High | Page); }, 14, 5, at_high, User,
     [] { entry_at(Pml5, 1) = Pml4 | 3; }},
    {"NX of a PML5E counts",
     [] { put_ret(), entry_at(Pml5, 1) = Pml4 | 7 | NoExecute, call_at(High | Page); }, 14, 0x11, at_high},
    {"A is set in a PML5E", [] { high(), load(High | Page); }, -1, 0,
     [] { return (entry_at(Pml5, 1) & 0x60) == 0x20; }},
    {"INVLPG reaches 57 bits",
     [] {
         high(), store(Page, 1), store(Page2, 2), load(High | Page), pte(Page) = Page2 | 7;
         invlpg(High | Page), seen = load(High | Page);
     },
     -1, 0, [] { return seen == 2; }},
    {"a 4-level alias is another translation",
     [] { high(), load(Page), pte(Page) = Page2 | 7, store(Page2, 2), seen = load(High | Page); }, -1, 0,
     [] { return seen == 2; }},

    {"CALL to 57 bits and back", [] { put_ret(), high(), call_at(High | Page); }},
    {"CALL to a PML5E that is not present", [] { call_at(High | Page); }, 14, 0x10, at_high},
    {"CALL past the lower half", [] { call_at(u64{1} << 56); }, 13, 0, [] { return caught.ip < 0x200000; }},
    {"JMP far to 57 bits", [] { high(), far(false); }, -1, 0, landed},
    {"CALL far to 57 bits", [] { high(), far(true); }, -1, 0, landed},
    {"RET far to 57 bits",
     [] { high(), ({
              asm volatile("pushq $8\n pushq %0\n lretq" : : "r"(landing()));
          }); }, -1, 0, landed},
    {"IRET to 57 bits", [] { high(), iret_to(landing(), Code64, 0x1d0000, Data); }, -1, 0, landed},
    {"INT to 57 bits", [] { high(), set_gate(0x41, landing()), ({ asm volatile("int $0x41"); }); }, -1, 0,
     landed},
    {"INT to a target that is not canonical",
     [] { set_gate(0x41, u64{1} << 56), ({ asm volatile("int $0x41"); }); }, 13, 0},
    {"SYSCALL to 57 bits", [] { asm volatile("syscall"); }, -1, 0, landed, User,
     [] { high(), write_msr(0xC0000082, landing()); }},
    {"SYSENTER to 57 bits", [] { asm volatile("sysenter"); }, -1, 0,
     [] { return landed() && wide_frame[2] == (High | 0x1d0000); }, User,
     [] { high(), write_msr(0x176, landing()), write_msr(0x175, High | 0x1d0000); }},
    {"SYSRET to a PML5E that is not present", [] { sysret(High | Page); }, 14, 0x14,
     [] { return at_high() && caught.cs == (UserCode64 | 3); }},
    {"SYSRET past the lower half", [] { sysret(u64{1} << 56); }, 13, 0, [] { return caught.cs == Code64; }},
    {"a stack at 57 bits",
     [] {
         high();
         asm volatile("movq %%rsp, %%rbx\n movq %1, %%rsp\n pushq $0x55\n popq %0\n movq %%rbx, %%rsp"
                      : "=&r"(seen)
                      : "r"(High | (Page + 0x800))
                      : "rbx", "memory");
     },
     -1, 0, [] { return seen == 0x55 && load(Page + 0x7F8) == 0x55; }},
    {"an IST entry at 57 bits",
     [] {
         high(), tss.ist[2] = High | (Page + 0x800);
         set_gate(0x41, reinterpret_cast<u64>(wide_landing), Code64, 14, 0, true, 3);
         asm volatile("int $0x41");
     },
     -1, 0, [] { return wide_frame[2] == (High | (Page + 0x800 - 40)); }},
    {"REP MOVS from 57 bits",
     [] {
         high(), store(Page + 8, 0x99);
         const u64 from = High | Page, to = High | (Page2 + 8);
         asm volatile("rep movsb" : : "S"(from), "D"(to), "c"(u64{0x20}) : "memory");
     },
     -1, 0, [] { return load(Page2 + 16) == 0x99; }},
    {"REP STOS ends where addresses do",
     [] {
         entry_at(Pml5, 255) = Pml4 | 7, entry_at(Pml4, 511) = Pdpt | 7, entry_at(Pdpt, 511) = Directory | 7;
         entry_at(Directory, 511) = 0x304007;
         const u64 to = (u64{1} << 56) - 16;
         u64 left = 40;
         asm volatile("rep stosb" : "+c"(left) : "D"(to), "a"(0) : "memory");
     },
     13, 0},
    {"GS base at 57 bits",
     [] {
         high(), store(Page, 0xABC), write_msr(0xC0000101, High | Page), ({
             asm volatile("movq %%gs:0, %0" : "=r"(seen));
         });
     },
     -1, 0, [] { return seen == 0xABC; }},
    {"WRFSBASE of 57 bits",
     [] {
         write_cr4(read_cr4() | 1 << 16), ({
             asm volatile("wrfsbase %0\n rdfsbase %1" : : "r"(High | 5), "r"(u64{0}));
         });
     }},
    {"KernelGS base at 57 bits", [] { write_msr(0xC0000102, Highest | 5); }, -1, 0,
     [] { return read_msr(0xC0000102) == (Highest | 5); }},
    {"GDT at 57 bits",
     [] {
         high(), load_gdt({sizeof gdt - 1, High | reinterpret_cast<u64>(gdt)}), ({
             asm volatile("movl %0, %%fs" : : "r"(u32{Data}));
         });
     }},
    {"IDT at 57 bits",
     [] {
         high(), load_idt({sizeof idt - 1, High | reinterpret_cast<u64>(idt)}), ({ asm volatile("ud2"); });
     },
     6},
    {"TSS at 57 bits",
     [] {
         const u64 at = High | reinterpret_cast<u64>(&tss);
         high(), gdt[6] = descriptor(at, sizeof tss - 1, 0x89, 0), gdt[7] = at >> 32;
         asm volatile("ltr %w0" : : "r"(u32{TaskState}));
         tss.ist[2] = Page + 0x800,
         set_gate(0x41, reinterpret_cast<u64>(wide_landing), Code64, 14, 0, true, 3);
         asm volatile("int $0x41");
     },
     -1, 0, [] { return wide_frame[2] == Page + 0x800 - 40; }},
    {"a data breakpoint at 57 bits",
     [] {
         high(), write_dr0(High | Page), write_dr7(0xF0601), load(High | Page);
         asm volatile("nop");
     },
     1, 0, [] { return (caught.dr6 & 15) == 1; }},
};

// ---- protection keys
// ---------------------------------------------------------------------------------------

constexpr u64 key(u64 k) { return k << 59; }
constexpr u32 deny_access(unsigned k) { return 1u << (2 * k); }
constexpr u32 deny_write(unsigned k) { return 2u << (2 * k); }
void wrpkru(u32 rights) { asm volatile("wrpkru" : : "a"(rights), "c"(0), "d"(0) : "memory"); }
u32 rdpkru() {
    u32 a, d;
    asm volatile("rdpkru" : "=a"(a), "=d"(d) : "c"(0));
    return d ? ~0u : a;
}
void keys(u32 rights, u64 bits = 7 | key(3)) { write_cr4(read_cr4() | Pke), map(Page, bits), wrpkru(rights); }
bool at_page() { return caught.cr2 == Page; }
template <u32 Rights, u64 Bits = 7 | key(3)> void with_keys() { keys(Rights, Bits); }
void read_page() { load(Page); }
void write_page() { store(Page, 1); }
void use_keys() { write_cr4(read_cr4() | Pke | Osxsave); }
void set_xcr0(u32 value) { asm volatile("xsetbv" : : "c"(0), "a"(value), "d"(0)); }
void save_all() { use_keys(), set_xcr0(0x207); }
/// The page and its neighbour as a save area that starts with zeros.
void clean_area() {
    for (u64 i = 0; i < 512; ++i) entry_at(Page, i) = 0;
    reinterpret_cast<u32*>(Page)[6] = 0x1F80;
}
#define SAVE(name, text)                                                                                     \
    void name(u32 components) {                                                                              \
        asm volatile(text " (%0)" : : "r"(Page), "a"(components), "d"(0) : "memory");                        \
    }
SAVE(xsave, "xsave")
SAVE(xsavec, "xsavec")
SAVE(xrstor, "xrstor")
constexpr u64 State = 64, Compaction = 65, Keys = 2688 / 8, CompactKeys = 576 / 8;

constexpr Row key_table[] = {
    {"RDPKRU without PKE", [] { rdpkru(); }, 6},
    {"WRPKRU without PKE", [] { wrpkru(0); }, 6},
    {"CPUID: OSPKE follows PKE", [] { write_cr4(read_cr4() | Pke), leaf(7); }, -1, 0,
     [] { return (seen32[2] >> 4 & 1) == 1; }},
    {"CPUID: no OSPKE", [] { leaf(7); }, -1, 0, [] { return (seen32[2] >> 4 & 1) == 0; }},
    {"RDPKRU with ECX", [] { use_keys(), ({
                                 asm volatile("rdpkru" : : "c"(1) : "eax", "edx");
                             }); }, 13},
    {"WRPKRU with ECX", [] { use_keys(), ({
                                 asm volatile("wrpkru" : : "a"(0), "c"(1), "d"(0));
                             }); }, 13},
    {"WRPKRU with EDX", [] { use_keys(), ({
                                 asm volatile("wrpkru" : : "a"(0), "c"(0), "d"(1));
                             }); }, 13},
    {"WRPKRU ignores the upper halves",
     [] {
         use_keys(), ({
             asm volatile("wrpkru" : : "a"(~u64{0} << 32 | 0xC), "c"(u64{1} << 40), "d"(u64{1} << 33));
         });
     },
     -1, 0, [] { return rdpkru() == 0xC; }},
    {"RDPKRU clears the upper halves",
     [] {
         use_keys(), wrpkru(0xFFFFFFF0), ({
             asm volatile("rdpkru" : "=a"(seen) : "a"(~u64{0}), "c"(0), "d"(~u64{0}));
         }),
             wrpkru(0);
     },
     -1, 0, [] { return seen == 0xFFFFFFF0; }},
    {"LOCK RDPKRU", [] { use_keys(), ({ asm volatile(".byte 0xf0, 0x0f, 0x01, 0xee"); }); }, 6},
    {"WRPKRU at CPL 3", [] { wrpkru(deny_write(5)), seen = rdpkru(); }, -1, 0,
     [] { return seen == deny_write(5); }, User, use_keys},
    {"PKRU stays when PKE goes",
     [] { use_keys(), wrpkru(0x30), write_cr4(read_cr4() & ~Pke), write_cr4(read_cr4() | Pke); }, -1, 0,
     [] { return rdpkru() == 0x30; }},

    {"access denied: a user's read", read_page, 14, 0x25, at_page, User, with_keys<deny_access(3)>},
    {"access denied: a user's write", write_page, 14, 0x27, at_page, User, with_keys<deny_access(3)>},
    {"access denied: the supervisor's read", [] { keys(deny_access(3)), read_page(); }, 14, 0x21, at_page},
    {"access denied: the supervisor's write", [] { keys(deny_access(3)), write_page(); }, 14, 0x23, at_page},
    {"access denied: WP does not matter",
     [] { write_cr0(read_cr0() & ~WriteProtect), keys(deny_access(3)), write_page(); }, 14, 0x23, at_page},
    {"access denied: not a fetch", [] { put_ret(), keys(deny_access(3) | deny_write(3)), call_at(Page); }},
    {"access denied: not a user's fetch", [] { call_at(Page); }, -1, 0, nullptr, User,
     [] { put_ret(), keys(deny_access(3)); }},
    {"write denied: a user's read", read_page, -1, 0, nullptr, User, with_keys<deny_write(3)>},
    {"write denied: a user's write", write_page, 14, 0x27, at_page, User, with_keys<deny_write(3)>},
    {"write denied: the supervisor's read", [] { keys(deny_write(3)), read_page(); }},
    {"write denied: the supervisor's write", [] { keys(deny_write(3)), write_page(); }, 14, 0x23, at_page},
    {"write denied: the supervisor's write without WP",
     [] { write_cr0(read_cr0() & ~WriteProtect), keys(deny_write(3)), write_page(); }},
    {"write denied: WP comes back",
     [] {
         write_cr0(read_cr0() & ~WriteProtect), keys(deny_write(3)), write_page();
         write_cr0(read_cr0() | WriteProtect), write_page();
     },
     14, 0x23, at_page},
    {"write denied: a user's read-modify-write", [] { asm volatile("lock incl (%0)"
                                                                   :
                                                                   : "r"(Page)); }, 14,
     0x27, at_page, User, with_keys<deny_write(3)>},
    {"another key's rights", [] { keys(~(deny_access(3) | deny_write(3)) & ~3u), write_page(); }},
    {"key 15", read_page, 14, 0x25, at_page, User, with_keys<deny_access(15), 7 | key(15)>},
    {"without PKE nothing is denied",
     [] { keys(deny_access(3)), write_cr4(read_cr4() & ~Pke), write_page(); }},
    {"pages of the supervisor have no key", [] { keys(deny_access(3), 3 | key(3)), write_page(); }},
    {"a page that is not present: no key in the code", read_page, 14, 4, at_page, User,
     with_keys<deny_access(3), 6 | key(3)>},
    {"a read-only page and a denied write: both", write_page, 14, 0x27, at_page, User,
     with_keys<deny_write(3), 5 | key(3)>},
    {"a read-only page alone: no key in the code", write_page, 14, 7, at_page, User,
     with_keys<0, 5 | key(3)>},
    {"SMAP alone: no key in the code",
     [] {
         keys(0);
         for (u64 p = 0; p < Page; p += 0x1000) pte(p) &= ~u64{4};
         entry_at(Directory, 2) &= ~u64{4}, write_cr3(read_cr3()), write_cr4(read_cr4() | Smap), read_page();
     },
     14, 1, at_page},
    {"SMAP and a denied access: both",
     [] {
         keys(deny_access(3));
         for (u64 p = 0; p < Page; p += 0x1000) pte(p) &= ~u64{4};
         entry_at(Directory, 2) &= ~u64{4}, write_cr3(read_cr3()), write_cr4(read_cr4() | Smap), read_page();
     },
     14, 0x21, at_page},
    {"a cached translation follows PKRU", [] { keys(0), write_page(), wrpkru(deny_write(3)), write_page(); },
     14, 0x23, at_page},
    {"a cached translation follows PKRU, read",
     [] { keys(0), read_page(), wrpkru(deny_access(3)), read_page(); }, 14, 0x21, at_page},
    {"a denied access may be allowed again",
     [] {
         keys(deny_access(3)), wrpkru(0), write_page(), wrpkru(deny_write(3)), read_page(), wrpkru(0),
             write_page();
     }},
    {"a new key after INVLPG", [] { keys(deny_access(4)), read_page(), map(Page, 7 | key(4)), read_page(); },
     14, 0x21, at_page},
    {"the second page of a split access", [] { load(Page - 4); }, 14, 0x25, at_page, User,
     with_keys<deny_access(3)>},
    {"a split write changes nothing", [] { store(Page - 4, ~u64{0}); }, 14, 0x27,
     [] { return at_page() && *reinterpret_cast<u32*>(Page - 4) == 0x1111; }, User,
     [] { *reinterpret_cast<u32*>(Page - 4) = 0x1111, keys(deny_write(3)); }},
    {"the key of a large page", [] { load(0x400000); }, 14, 0x25, [] { return caught.cr2 == 0x400000; }, User,
     [] {
         use_keys(), entry_at(Directory, 2) = 0x400087 | key(7), write_cr3(read_cr3()),
                                         wrpkru(deny_access(7));
     }},
    {"the stack has a key", [] { asm volatile("movq %0, %%rsp\n pushq $1"
                                              :
                                              : "r"(Page + 0x800)); }, 14, 0x27,
     [] { return caught.cr2 == Page + 0x7F8; }, User, with_keys<deny_write(3)>},
    {"a denied access sets no A", read_page, 14, 0x25, [] { return !(pte(Page) & 0x20); }, User,
     with_keys<deny_access(3)>},
    {"a denied write sets no D", write_page, 14, 0x27, [] { return !(pte(Page) & 0x40); }, User,
     with_keys<deny_write(3)>},

    {"CPUID 0Dh: PKRU", [] { leaf(13, 9); }, -1, 0, [] { return seen32[0] == 8 && seen32[1] == 2688; }},
    {"CPUID 0Dh: the area of XCR0 207h", [] { save_all(), leaf(13, 0); }, -1, 0,
     [] { return seen32[1] == 2696 && (seen32[0] & 0x200); }},
    {"XSETBV of PKRU alone", [] { use_keys(), set_xcr0(0x201); }},
    {"XSETBV of PKRU without x87", [] { use_keys(), set_xcr0(0x200); }, 13, 0},
    {"XSAVE of PKRU", [] { save_all(), clean_area(), wrpkru(0x30), xsave(0x200), wrpkru(0); }, -1, 0,
     [] { return entry_at(Page, State) == 0x200 && entry_at(Page, Keys) == 0x30; }},
    {"XSAVE of PKRU in its initial state",
     [] { save_all(), clean_area(), entry_at(Page, State) = 0x200, entry_at(Page, Keys) = 5, xsave(0x200); },
     -1, 0, [] { return entry_at(Page, State) == 0 && entry_at(Page, Keys) == 0; }},
    {"XSAVE writes no PKRU unasked", [] { save_all(), clean_area(), wrpkru(0x30), xsave(3), wrpkru(0); }, -1,
     0, [] { return entry_at(Page, Keys) == 0; }},
    {"XRSTOR of PKRU",
     [] {
         save_all(), clean_area(), entry_at(Page, State) = 0x200, entry_at(Page, Keys) = 0xC0, xrstor(0x200);
     },
     -1, 0, [] { return rdpkru() == 0xC0; }},
    {"XRSTOR to the initial PKRU", [] { save_all(), clean_area(), wrpkru(0x30), xrstor(0x200); }, -1, 0,
     [] { return rdpkru() == 0; }},
    {"XRSTOR leaves PKRU unasked", [] { save_all(), clean_area(), wrpkru(0x30), xrstor(3); }, -1, 0,
     [] { return rdpkru() == 0x30; }},
    {"XRSTOR denies at once",
     [] {
         save_all(), clean_area(), entry_at(Page, State) = 0x200, entry_at(Page, Keys) = deny_access(3);
         map(Page2, 7 | key(3)), load(Page2), xrstor(0x200), load(Page2);
     },
     14, 0x21, [] { return caught.cr2 == Page2; }},
    {"XSAVE: PKRU lies on a missing page",
     [] {
         save_all(), map(Page2, 0), wrpkru(0x30);
         asm volatile("xsave (%0)" : : "r"(Page2 - 0x800), "a"(0x200), "d"(0) : "memory");
     },
     14, 2},
    {"XSAVEC of PKRU", [] { save_all(), clean_area(), wrpkru(0x30), xsavec(0x200), wrpkru(0); }, -1, 0,
     [] {
         return entry_at(Page, CompactKeys) == 0x30 && entry_at(Page, State) == 0x200 &&
                entry_at(Page, Compaction) == (u64{1} << 63 | 0x200);
     }},
    {"XSAVEC of AVX and PKRU", [] { save_all(), clean_area(), wrpkru(0x30), xsavec(0x204), wrpkru(0); }, -1,
     0, [] { return entry_at(Page, CompactKeys + 32) == 0x30; }},
    {"XRSTOR compact of AVX and PKRU",
     [] {
         save_all(), clean_area(), entry_at(Page, State) = 0x200,
                                                  entry_at(Page, Compaction) = u64{1} << 63 | 0x204;
         entry_at(Page, CompactKeys + 32) = 0x300, xrstor(0x204);
     },
     -1, 0, [] { return rdpkru() == 0x300; }},
    {"XGETBV of register 1: PKRU in use",
     [] {
         save_all(), wrpkru(0x30), ({
             asm volatile("xgetbv" : "=a"(seen32[0]), "=d"(seen32[1]) : "c"(1));
         }),
             wrpkru(0);
     },
     -1, 0, [] { return (seen32[0] & 0x200) != 0; }},
};

} // namespace

void wide_rows() {
    run_rows("levels", level_table);
    run_rows("keys", key_table);
}

} // namespace privileged
