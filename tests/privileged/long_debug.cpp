// Debug registers and single-step. Intel SDM vol. 3B 17.2–17.4.
#include "tests/privileged/long.h"

namespace privileged {
namespace {

extern "C" {
void step_nops(), at_target(), store_rdi(), load_rdi(), step_branch(), step_behind_ss(), data_behind_ss(),
    repeat_movs(), port_out();
extern const u64 AfterFirst, Target, AfterTarget, AfterStore, AfterLoad, Landed, BehindSs, DataBehindSs,
    AfterPort, Done;
}
asm(R"(
    .text
    .macro trap_flag
    pushfq
    orl $0x100, (%rsp)
    popfq
    .endm
step_nops:
    trap_flag
    nop
1:  nop
    ret
at_target:
    nop
2:  nop
3:  nop
    ret
    int $0x80
store_rdi:
    movl %eax, (%rdi)
4:  nop
    ret
load_rdi:
    movl (%rdi), %eax
5:  nop
    ret
step_branch:
    trap_flag
    nop
    nop
    jmp 6f
    nop
6:  nop
    ret
step_behind_ss:
    movl %ss, %eax
    trap_flag
    movl %eax, %ss
    nop
7:  nop
    ret
data_behind_ss:
    movw (%rdi), %ss
    nop
8:  nop
    ret
repeat_movs:
    rep movsb
    ret
port_out:
    outb %al, $0x80
9:  nop
    ret
10: int $0x80
    .balign 8
AfterFirst: .quad 1b
Target: .quad 2b
AfterTarget: .quad 3b
AfterStore: .quad 4b
AfterLoad: .quad 5b
Landed: .quad 6b
BehindSs: .quad 7b
DataBehindSs: .quad 8b
AfterPort: .quad 9b
Done: .quad 10b
)");
void call_rdi(void (*f)(), u64 rdi) { asm volatile("call *%0" : : "r"(f), "D"(rdi) : "rax", "memory"); }
constexpr u64 instruction(unsigned n) { return 1u << (2 * n); }
constexpr u64 data(unsigned n, u64 kind, u64 length) {
    return 1u << (2 * n) | kind << (16 + 4 * n) | length << (18 + 4 * n);
}
enum : u64 { Execute = 0, Write = 1, Port = 2, Any = 3, Bytes1 = 0, Bytes2 = 1, Bytes8 = 2, Bytes4 = 3 };
constexpr u64 De = 8;
bool dr6_is(u64 bits) { return (caught.dr6 & 0xE00F) == bits; }
u64 seen;
void copy(u64 from, u64 to, u64 count) {
    asm volatile("call repeat_movs" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
}

constexpr Row rows[] = {
    {"TF traps behind the next instruction", step_nops, 1, 0,
     [] { return caught.ip == AfterFirst && dr6_is(0x4000); }},
    {"the handler runs without TF", step_nops, 1, 0,
     [] { return (caught.flags & 0x100) != 0 && !(flags() & 0x100); }},
    {"TF at CPL 3", step_nops, 1, 0, [] { return caught.ip == AfterFirst; }, User},
    {"TF: MOV SS holds the trap back", step_behind_ss, 1, 0, [] { return caught.ip == BehindSs; }},
    {"TF: a trap behind a REP iteration",
     [] {
         asm volatile("pushfq\n orl $0x100, (%%rsp)\n popfq\n rep movsb"
                      :
                      : "S"(Page), "D"(Page2), "c"(5)
                      : "memory");
     },
     1, 0, [] { return *reinterpret_cast<u8*>(caught.ip) == 0xF3 && dr6_is(0x4000); }},
    {"INT1", [] { asm volatile(".byte 0xf1"); }, 1, 0,
     [] { return *reinterpret_cast<u8*>(caught.ip - 1) == 0xF1 && dr6_is(0); }},
    {"DR6 keeps old bits", [] { write_dr6(0xFFFF0FF1), step_nops(); }, 1, 0,
     [] { return (caught.dr6 & 0x4000) != 0; }},
    {"DR6 reserved bits", [] { write_dr6(0), seen = read_dr6(); }, -1, 0,
     [] { return (seen & 0xFFFFFFFF) == 0xFFFF0FF0; }},
    {"DR6 bit 12 reads as zero", [] { write_dr6(0xFFFFFFFF), seen = read_dr6(); }, -1, 0,
     [] { return !(seen & 0x1000) && (seen & 0xE00F) == 0xE00F; }},
    {"DR6 bit 32", [] { write_dr6(u64{1} << 32); }, 13, 0},
    {"DR7 bit 32", [] { write_dr7(u64{1} << 32); }, 13, 0},
    {"DR7 reserved bits", [] { write_dr7(0), seen = read_dr7(); }, -1, 0, [] { return seen == 0x400; }},
    {"DR7 bits 12, 14, 15 read as zero", [] { write_dr7(0xD400), seen = read_dr7(); }, -1, 0,
     [] { return seen == 0x400; }},
    {"DR0–3 hold 64 bits", [] { write_dr3(NotCanonical | 5), seen = read_dr3(); }, -1, 0,
     [] { return seen == (NotCanonical | 5); }},
    {"DR4 is DR6", [] { asm volatile(".byte 0x0f, 0x21, 0xe0"
                                     : "=a"(seen)); }, -1, 0,
     [] { return (seen & 0xFFFF0FF0) == 0xFFFF0FF0; }},
    {"DR5 is DR7", [] { asm volatile(".byte 0x0f, 0x21, 0xe8"
                                     : "=a"(seen)); }, -1, 0,
     [] { return seen == 0x400; }},
    {"DR4 with DE",
     [] { write_cr4(read_cr4() | De), ({
              asm volatile(".byte 0x0f, 0x21, 0xe0" : : : "rax");
          }); }, 6},
    {"DR8", [] { asm volatile(".byte 0x44, 0x0f, 0x21, 0xc0"); }, 6},
    {"GD", [] { write_dr7(0x2400), write_dr0(5); }, 1, 0, [] { return dr6_is(0x2000) && read_dr0() == 0; }},
    {"GD is cleared for the handler", [] { write_dr7(0x2400), seen = read_dr6(); }, 1, 0,
     [] { return read_dr7() == 0x400; }},
    {"GD is cleared by any #DB", [] { write_dr7(0x2400), step_nops(); }, 1, 0,
     [] { return read_dr7() == 0x400 && dr6_is(0x4000); }},
    {"GD stays behind another fault", [] { write_dr7(0x2400), ({ asm volatile("ud2"); }); }, 6, 0,
     [] {
         attempt([] { seen = read_dr7(); });
         return caught.vector == 1;
     }},

    {"instruction breakpoint", [] { write_dr0(Target), write_dr7(instruction(0)), at_target(); }, 1, 0,
     [] {
         return caught.ip == Target && dr6_is(1) && !(caught.flags & 0x10000);
     }}, // 17.3.1.1: RF is not set for it
    {"instruction breakpoint in DR3 by the global bit",
     [] { write_dr3(Target), write_dr7(instruction(3) << 1), at_target(); }, 1, 0,
     [] { return caught.ip == Target && dr6_is(8); }},
    {"instruction breakpoint not enabled", [] { write_dr0(Target), write_dr7(0x300), at_target(); }},
    {"instruction breakpoint on a second byte",
     [] { write_dr0(Target + 1000), write_dr7(instruction(0)), at_target(); }},
    {"instruction breakpoint at CPL 3", at_target, 1, 0, [] { return caught.ip == Target && dr6_is(2); },
     User, [] { write_dr1(Target), write_dr7(instruction(1)); }},
    {"RF holds an instruction breakpoint back for one instruction",
     [] {
         write_dr0(Target), write_dr1(AfterTarget), write_dr7(instruction(0) | instruction(1));
         asm volatile("pushq %0\n pushq $0x1d0000\n pushq $0x10002\n pushq %1\n pushq %2\n iretq"
                      :
                      : "r"(u64{Data}), "r"(u64{Code64}), "r"(Target)
                      : "memory");
     },
     1, 0, [] { return caught.ip == AfterTarget && dr6_is(2); }},
    {"POPF does not set RF",
     [] {
         write_dr0(Target), write_dr7(instruction(0));
         asm volatile("pushq $0x10002\n popfq\n call *%0" : : "r"(Target) : "memory");
     },
     1, 0, [] { return caught.ip == Target; }},
    {"MOV SS holds an instruction breakpoint back", // 6.8.3: one that is meant for the instruction behind it
     [] {
         write_dr0(BehindSs - 1), write_dr7(instruction(0));
         asm volatile("call *%0" : : "r"(BehindSs - 3), "a"(Data) : "memory"); // mov ss, eax; nop; 7:
     }},
    {"two breakpoints on one instruction",
     [] { write_dr0(Target), write_dr2(Target), write_dr7(instruction(0) | instruction(2)), at_target(); }, 1,
     0, [] { return dr6_is(5); }},
    {"instruction breakpoint before the fault of that instruction",
     [] {
         write_dr0(Page), write_dr7(instruction(0)), store(Page, 0x0B0F);
         asm volatile("jmp *%0" : : "r"(Page));
     },
     1, 0, [] { return caught.ip == Page && dr6_is(1); }},

    {"data breakpoint: a write",
     [] { write_dr0(Page), write_dr7(data(0, Write, Bytes4)), call_rdi(store_rdi, Page); }, 1, 0,
     [] { return caught.ip == AfterStore && dr6_is(1) && !(caught.flags & 0x10000); }},
    {"data breakpoint: the write happened",
     [] {
         store(Page, 0), write_dr0(Page), write_dr7(data(0, Write, Bytes4)), ({
             asm volatile("movl $7, (%0)" : : "r"(Page) : "memory");
         });
     },
     1, 0, [] { return load(Page) == 7; }},
    {"data breakpoint: a read is not a write",
     [] { write_dr0(Page), write_dr7(data(0, Write, Bytes4)), call_rdi(load_rdi, Page); }},
    {"data breakpoint: read or write, a read",
     [] { write_dr0(Page), write_dr7(data(0, Any, Bytes4)), call_rdi(load_rdi, Page); }, 1, 0,
     [] { return caught.ip == AfterLoad && dr6_is(1); }},
    {"data breakpoint: not a fetch", [] { write_dr0(Target), write_dr7(data(0, Any, Bytes1)), at_target(); }},
    {"data breakpoint: the last byte of the access",
     [] { write_dr1(Page + 3), write_dr7(data(1, Write, Bytes1)), call_rdi(store_rdi, Page); }, 1, 0,
     [] { return dr6_is(2); }},
    {"data breakpoint: one byte beside it",
     [] { write_dr1(Page + 4), write_dr7(data(1, Write, Bytes1)), call_rdi(store_rdi, Page); }},
    {"data breakpoint: one byte before it",
     [] { write_dr1(Page - 1), write_dr7(data(1, Write, Bytes1)), call_rdi(store_rdi, Page); }},
    {"data breakpoint: a range is aligned to its length",
     [] { write_dr0(Page + 3), write_dr7(data(0, Write, Bytes4)), call_rdi(store_rdi, Page - 4 + 4); }, 1, 0,
     [] { return dr6_is(1); }},
    {"data breakpoint: eight bytes",
     [] { write_dr0(Page), write_dr7(data(0, Write, Bytes8)), call_rdi(store_rdi, Page + 4); }, 1, 0,
     [] { return dr6_is(1); }},
    {"data breakpoint: two bytes",
     [] { write_dr0(Page + 2), write_dr7(data(0, Write, Bytes2)), call_rdi(store_rdi, Page + 4); }},
    {"data breakpoint: a split access, second page",
     [] { write_dr0(Page2), write_dr7(data(0, Write, Bytes1)), call_rdi(store_rdi, Page2 - 2); }, 1, 0,
     [] { return dr6_is(1); }},
    {"data breakpoint: not when the access faults",
     [] { map(Page, 0), write_dr0(Page), write_dr7(data(0, Write, Bytes4)), call_rdi(store_rdi, Page); }, 14,
     2},
    {"data breakpoint at CPL 3", [] { call_rdi(store_rdi, Page); }, 1, 0,
     [] { return caught.ip == AfterStore && dr6_is(1); }, User,
     [] { write_dr0(Page), write_dr7(data(0, Write, Bytes4)); }},
    {"data breakpoint of the stack: PUSH",
     [] {
         write_dr0(Page + 0x7F8), write_dr7(data(0, Write, Bytes8));
         asm volatile("movq %0, %%rsp\n pushq $5\n nop" : : "r"(Page + 0x800) : "memory");
     },
     1, 0, [] { return dr6_is(1); }},
    {"data breakpoint: REP MOVS stops behind the iteration",
     [] { write_dr0(Page2 + 3), write_dr7(data(0, Write, Bytes1)), copy(Page, Page2, 8); }, 1, 0,
     [] { return *reinterpret_cast<u8*>(caught.ip) == 0xF3 && dr6_is(1); }},
    {"data breakpoint: the last REP iteration",
     [] { write_dr0(Page2 + 7), write_dr7(data(0, Write, Bytes1)), copy(Page, Page2, 8); }, 1, 0,
     [] { return *reinterpret_cast<u8*>(caught.ip) == 0xC3 && dr6_is(1); }},
    {"data breakpoint with TF: both bits",
     [] {
         write_dr0(Page), write_dr7(data(0, Write, Bytes4));
         asm volatile("pushfq\n orl $0x100, (%%rsp)\n popfq\n movl %%eax, (%0)" : : "r"(Page) : "memory");
     },
     1, 0, [] { return dr6_is(0x4001); }},
    {"data breakpoint: MOV SS holds it back",
     [] {
         store(Page, Data), write_dr0(Page), write_dr7(data(0, Any, Bytes4)), call_rdi(data_behind_ss, Page);
     },
     1, 0, [] { return caught.ip == DataBehindSs && dr6_is(1); }},
    {"data breakpoint of SSE",
     [] {
         write_dr0(Page + 12), write_dr7(data(0, Write, Bytes4)), ({
             asm volatile("movaps %%xmm0, (%0)" : : "r"(Page) : "memory");
         });
     },
     1, 0, [] { return dr6_is(1); }},
    {"data breakpoint of x87",
     [] {
         write_dr0(Page + 8), write_dr7(data(0, Write, Bytes1)), ({
             asm volatile("fld1\n fstpt (%0)" : : "r"(Page) : "memory");
         });
     },
     1, 0, [] { return dr6_is(1); }},

    {"port breakpoint",
     [] { write_cr4(read_cr4() | De), write_dr0(0x80), write_dr7(data(0, Port, Bytes1)), port_out(); }, 1, 0,
     [] { return caught.ip == AfterPort && dr6_is(1); }},
    {"port breakpoint of another port",
     [] { write_cr4(read_cr4() | De), write_dr0(0x81), write_dr7(data(0, Port, Bytes1)), port_out(); }},
    {"port breakpoint of a range",
     [] {
         write_cr4(read_cr4() | De), write_dr0(0x80), write_dr7(data(0, Port, Bytes4)), ({
             asm volatile("outb %%al, $0x83" : : "a"(0));
         });
     },
     1, 0, [] { return dr6_is(1); }},

    {"BTF traps behind a branch", [] { write_msr(0x1D9, 2), step_branch(); }, 1, 0,
     [] { return caught.ip == Landed && dr6_is(0x4000); }},
    {"BTF is cleared by the trap", [] { write_msr(0x1D9, 2), step_branch(); }, 1, 0,
     [] { return !(read_msr(0x1D9) & 2); }},
};

} // namespace

void debug_rows() { run_rows("debug", rows); }

} // namespace privileged
