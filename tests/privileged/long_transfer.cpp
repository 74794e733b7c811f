// Far transfers, gates, interrupts, IRET, SYSCALL and SYSENTER in 64-bit mode. Intel SDM vol.
// 3A 5.8, 6.10–6.15.
#include "tests/privileged/long.h"

namespace privileged {
namespace {

u64 seen[8];
extern "C" {
u64 far_frame[8];
extern const u64
    Landing; // CALL far and JMP far end there: it copies the stack and goes back to the caller of attempt()
extern const u64 Return; // the same at any privilege, by INT 80h
void kernel_syscall();
u64 syscall_rcx, syscall_r11, syscall_flags, syscall_cs, syscall_ss;
}
asm(R"(
    .text
far_landing:
    movq (%rsp), %rax
    movq %rax, far_frame
    movq 8(%rsp), %rax
    movq %rax, far_frame + 8
    movq 16(%rsp), %rax
    movq %rax, far_frame + 16
    movq 24(%rsp), %rax
    movq %rax, far_frame + 24
    movl %cs, %eax
    movq %rax, far_frame + 32
    movl %ss, %eax
    movq %rax, far_frame + 40
    movq %rsp, far_frame + 48
    jmp leave_attempt
return_landing:
    movl %cs, %eax
    movq %rax, far_frame + 32
    movl %ss, %eax
    movq %rax, far_frame + 40
    movq %rsp, far_frame + 48
    pushfq
    popq far_frame + 56
    int $0x80
kernel_syscall:
    movq %rcx, syscall_rcx
    movq %r11, syscall_r11
    pushfq
    popq syscall_flags
    movl %cs, %eax
    movq %rax, syscall_cs
    movl %ss, %eax
    movq %rax, syscall_ss
    jmp leave_attempt
    .balign 8
Landing: .quad far_landing
Return: .quad return_landing
)");
constexpr u16 At = Free, Target = Free2;
void put(u16 at, u8 access, u8 flag_bits = 0xA, u32 size = 0xFFFFF) {
    gdt[at / 8] = descriptor(0, size, access, flag_bits);
}
void put_call_gate(u16 selector, u64 offset, u8 dpl = 0, bool present = true, u64 upper_type = 0) {
    gdt[At / 8] = gate(offset, selector, 12, dpl, present);
    gdt[At / 8 + 1] = offset >> 32 | upper_type << 40;
}
/// IRETQ with a frame of one's own.
void iret(u64 rip, u64 cs, u64 rflags, u64 rsp, u64 ss) {
    asm volatile("pushq %0\n pushq %1\n pushq %2\n pushq %3\n pushq %4\n iretq"
                 :
                 : "r"(ss), "r"(rsp), "r"(rflags), "r"(cs), "r"(rip)
                 : "memory");
}
void retf(u64 rip, u64 cs, u64 rsp = 0x1d0000, u64 ss = UserData | 3) {
    asm volatile("pushq %0\n pushq %1\n pushq %2\n pushq %3\n lretq"
                 :
                 : "r"(ss), "r"(rsp), "r"(cs), "r"(rip)
                 : "memory");
}
template <u8 N> void interrupt() { asm volatile("int %0" : : "i"(N)); }
void bad_segment() { asm volatile("mov %0, %%es" : : "r"(0x100)); } // #GP(100h)
void undefined() { asm volatile("ud2"); }
void syscall() { asm volatile("syscall" : : : "rcx", "r11", "memory"); }
void sysret(u64 rip, u64 flags_image) {
    asm volatile("movq %0, %%rcx\n movq %1, %%r11\n sysretq" : : "r"(rip), "r"(flags_image) : "rcx", "r11");
}
void here_syscall() { write_msr(0xC0000082, reinterpret_cast<u64>(kernel_syscall)); }

constexpr Row rows[] = {
    // ---- far JMP and CALL
    {"JMP far null", [] { jump_far(0); }, 13, 0},
    {"JMP far null with RPL", [] { jump_far(3); }, 13, 0},
    {"JMP far beyond the table", [] { jump_far(0x100); }, 13, 0x100},
    {"JMP far data", [] { jump_far(Data); }, 13, Data},
    {"JMP far 64-bit code", [] { put(At, 0x9B), jump_far(At, Landing); }, -1, 0,
     [] { return far_frame[4] == At; }},
    {"JMP far not present", [] { put(At, 0x1B), jump_far(At, Landing); }, 11, At},
    {"JMP far L and D", [] { put(At, 0x9B, 0xE), jump_far(At, Landing); }, 13, At},
    {"JMP far DPL 3", [] { put(At, 0xFB), jump_far(At, Landing); }, 13, At},
    {"JMP far RPL 3", [] { put(At, 0x9B), jump_far(At | 3, Landing); }, 13, At},
    {"JMP far conforming, RPL 3", [] { put(At, 0x9F), jump_far(At | 3, Landing); }, -1, 0,
     [] { return far_frame[4] == At; }},
    {"JMP far conforming of DPL 3", [] { put(At, 0xFF), jump_far(At, Landing); }, 13, At},
    {"JMP far not canonical", [] { put(At, 0x9B), jump_far(At, NotCanonical); }, 13, 0},
    {"JMP far offset beyond a compatibility segment", [] { put(At, 0x9B, 0x4, 0xFFF), jump_far(At, 0x1000); },
     13, 0},
    {"JMP far to a TSS", [] { put(At, 0x89, 0), jump_far(At); }, 13, At},
    {"JMP far to a task gate", [] { put(At, 0x85, 0), jump_far(At); }, 13, At},
    {"JMP far to an LDT", [] { put(At, 0x82, 0), jump_far(At); }, 13, At},
    {"JMP far sets accessed", [] { put(At, 0x9A), jump_far(At, Landing); }, -1, 0,
     [] { return (gdt[At / 8] >> 40 & 1) == 1; }},
    {"CALL far pushes 8-byte items", [] { put(At, 0x9B), call_far(At, Landing); }, -1, 0,
     [] { return far_frame[1] == Code64 && far_frame[4] == At && far_frame[0] > 0x100000; }},
    {"CALL far stack not canonical",
     [] {
         put(At, 0x9B);
         struct [[gnu::packed]] {
             u64 offset;
             u16 selector;
         } target{Landing, At};
         asm volatile("movq %0, %%rsp\n .byte 0x48\n lcall *(%1)"
                      :
                      : "r"(NotCanonical + 0x100), "a"(&target)
                      : "memory");
     },
     12, 0},
    // ---- call gates
    {"call gate", [] { put_call_gate(Code64, Landing), call_far(At); }, -1, 0,
     [] { return far_frame[1] == Code64; }},
    {"call gate by JMP", [] { put_call_gate(Code64, Landing), jump_far(At); }, -1, 0,
     [] { return far_frame[4] == Code64; }},
    {"call gate not present", [] { put_call_gate(Code64, Landing, 0, false), call_far(At); }, 11, At},
    {"call gate RPL above DPL", [] { put_call_gate(Code64, Landing), call_far(At | 3); }, 13, At},
    {"call gate of DPL 0 at CPL 3", [] { call_far(At | 3); }, 13, At, nullptr, User,
     [] { put_call_gate(Code64, Landing); }},
    {"call gate to null", [] { put_call_gate(0, Landing), call_far(At); }, 13, 0},
    {"call gate to data", [] { put_call_gate(Data, Landing), call_far(At); }, 13, Data},
    {"call gate beyond the table", [] { put_call_gate(0x100, Landing), call_far(At); }, 13, 0x100},
    {"call gate to compatibility code",
     [] { put_call_gate(Target, Landing), put(Target, 0x9B, 0xC), call_far(At); }, 13, Target},
    {"call gate to L and D", [] { put_call_gate(Target, Landing), put(Target, 0x9B, 0xE), call_far(At); }, 13,
     Target},
    {"call gate to code not present", [] { put_call_gate(Target, Landing), put(Target, 0x1B), call_far(At); },
     11, Target},
    {"call gate to DPL 3", [] { put_call_gate(Target, Landing), put(Target, 0xFB), call_far(At); }, 13,
     Target},
    {"call gate not canonical", [] { put_call_gate(Code64, NotCanonical), call_far(At); }, 13, 0},
    {"call gate: upper half has a type", [] { put_call_gate(Code64, Landing, 0, true, 4), call_far(At); }, 13,
     At},
    {"16-bit call gate", [] { gdt[At / 8] = gate(Landing, Code64, 4, 0), call_far(At); }, 13, At},
    {"call gate inwards", [] { call_far(At | 3); }, -1, 0,
     [] {
         return far_frame[1] == (UserCode64 | 3) && far_frame[3] == (UserData | 3) && far_frame[5] == 0 &&
                far_frame[6] == 0x1e0000 - 32 && far_frame[4] == Code64;
     },
     User, [] { put_call_gate(Code64, Landing, 3); }},
    {"call gate inwards by JMP", [] { jump_far(At | 3); }, 13, Code64, nullptr, User,
     [] { put_call_gate(Code64, Landing, 3); }},
    {"call gate to conforming code keeps CPL", [] { call_far(At | 3); }, -1, 0,
     [] { return far_frame[4] == (Target | 3); }, User,
     [] { put_call_gate(Target, Return, 3), put(Target, 0x9F); }},
    // ---- RETF
    {"RETF null", [] { retf(Landing, 0); }, 13, 0},
    {"RETF same level", [] { retf(Landing, Code64); }, -1, 0, [] { return far_frame[4] == Code64; }},
    {"RETF data", [] { retf(Landing, Data); }, 13, Data},
    {"RETF not canonical", [] { retf(NotCanonical, Code64); }, 13, 0},
    {"RETF inwards", [] { retf(Landing, Code64); }, 13, Code64, nullptr, User},
    {"RETF outwards", [] { retf(Return, UserCode64 | 3); }, -1, 0,
     [] {
         return far_frame[4] == (UserCode64 | 3) && far_frame[5] == (UserData | 3) &&
                far_frame[6] == 0x1d0000;
     }},
    {"RETF outwards, SS null", [] { retf(Return, UserCode64 | 3, 0x1d0000, 3); }, 13, 0},
    {"RETF outwards, SS of DPL 0", [] { retf(Return, UserCode64 | 3, 0x1d0000, Data | 3); }, 13, Data},
    {"RETF outwards, SS RPL 0", [] { retf(Return, UserCode64 | 3, 0x1d0000, UserData); }, 13, UserData},
    {"RETF outwards, SS not present",
     [] { put(At, 0x73, 0xC), retf(Return, UserCode64 | 3, 0x1d0000, At | 3); }, 12, At},
    {"RETF not present", [] { put(At, 0x1B), retf(Landing, At); }, 11, At},
    // ---- IRET
    {"IRET with NT", [] { asm volatile("pushq $0x4002\n popfq\n iretq"); }, 13, 0},
    {"IRET null", [] { iret(Return, 0, 2, 0x1d0000, Data); }, 13, 0},
    {"IRET not canonical", [] { iret(NotCanonical, Code64, 2, 0x1d0000, Data); }, 13, 0},
    {"IRET L and D", [] { put(At, 0x9B, 0xE), iret(Return, At, 2, 0x1d0000, Data); }, 13, At},
    {"IRET code not present", [] { put(At, 0x1B), iret(Return, At, 2, 0x1d0000, Data); }, 11, At},
    {"IRET data", [] { iret(Return, Data, 2, 0x1d0000, Data); }, 13, Data},
    {"IRET same level loads SS:RSP", [] { iret(Landing, Code64, 2, 0x1d0000, 0); }, -1, 0,
     [] { return far_frame[6] == 0x1d0000 && far_frame[5] == 0; }},
    {"IRET SS with RPL 3 at CPL 0", [] { iret(Landing, Code64, 2, 0x1d0000, UserData | 3); }, 13, UserData},
    {"IRET outwards", [] { iret(Return, UserCode64 | 3, 0x3202 & ~0x200, 0x1d0000, UserData | 3); }, -1, 0,
     [] { return far_frame[4] == (UserCode64 | 3) && (far_frame[7] & 0x3000) == 0x3000; }},
    {"IRET outwards, SS null", [] { iret(Return, UserCode64 | 3, 2, 0x1d0000, 3); }, 13, 0},
    {"IRET outwards, SS null RPL 0", [] { iret(Return, UserCode64 | 3, 2, 0x1d0000, 0); }, 13, 0},
    {"IRET outwards, SS code", [] { iret(Return, UserCode64 | 3, 2, 0x1d0000, UserCode64 | 3); }, 13,
     UserCode64},
    {"IRET outwards, SS not present",
     [] { put(At, 0x73, 0xC), iret(Return, UserCode64 | 3, 2, 0x1d0000, At | 3); }, 12, At},
    {"IRET inwards", [] { iret(Return, Code64, 2, 0x1d0000, Data); }, 13, Code64, nullptr, User},
    {"IRET at CPL 3 keeps IF and IOPL", [] { iret(Return, UserCode64 | 3, 0x3202, 0x1d0000, UserData | 3); },
     -1, 0, [] { return !(far_frame[7] & 0x3200); }, User},
    {"IRET to compatibility mode beyond the limit",
     [] { put(At, 0xFB, 0x4, 0xFFF), iret(0x1000, At | 3, 2, 0x1d0000, UserData | 3); }, 13, 0},
    {"IRET not canonical stack pointer is not looked at",
     [] { iret(Return, UserCode64 | 3, 2, 0x1d0000, UserData | 3); }},
    // ---- interrupts
    {"INT pushes", [] { interrupt<0x41>(); }, 0x41, 0,
     [] { return caught.cs == Code64 && caught.ss == Data && !(caught.flags & 0x10000); }},
    {"INT at CPL 3 behind DPL 3", [] { interrupt<0x41>(); }, 0x41, 0,
     [] { return caught.cs == (UserCode64 | 3); }, User, [] { set_gate(0x41, stub(0x41), Code64, 14, 3); }},
    {"INT beyond the table", [] { load_idt({0x40F, reinterpret_cast<u64>(idt)}), interrupt<0x41>(); }, 13,
     0x41 * 8 + 2},
    {"INT gate not present", [] { set_gate(0x41, stub(0x41), Code64, 14, 0, false), interrupt<0x41>(); }, 11,
     0x41 * 8 + 2},
    {"INT through a call gate", [] { set_gate(0x41, stub(0x41), Code64, 12), interrupt<0x41>(); }, 13,
     0x41 * 8 + 2},
    {"INT through a task gate", [] { set_gate(0x41, stub(0x41), TaskState, 5), interrupt<0x41>(); }, 13,
     0x41 * 8 + 2},
    {"INT through a 16-bit gate", [] { set_gate(0x41, stub(0x41), Code64, 6), interrupt<0x41>(); }, 13,
     0x41 * 8 + 2},
    {"INT through a code descriptor", [] { set_gate(0x41, stub(0x41), Code64, 0x1E), interrupt<0x41>(); }, 13,
     0x41 * 8 + 2},
    {"INT to null", [] { set_gate(0x41, stub(0x41), 0), interrupt<0x41>(); }, 13, 0},
    {"INT to data", [] { set_gate(0x41, stub(0x41), Data), interrupt<0x41>(); }, 13, Data},
    {"INT to compatibility code",
     [] { put(At, 0x9B, 0xC), set_gate(0x41, stub(0x41), At), interrupt<0x41>(); }, 13, At},
    {"INT to L and D", [] { put(At, 0x9B, 0xE), set_gate(0x41, stub(0x41), At), interrupt<0x41>(); }, 13, At},
    {"INT to code not present", [] { put(At, 0x1B), set_gate(0x41, stub(0x41), At), interrupt<0x41>(); }, 11,
     At},
    {"INT to DPL 3 from CPL 0", [] { set_gate(0x41, stub(0x41), UserCode64), interrupt<0x41>(); }, 13,
     UserCode64},
    {"INT beyond the descriptor table", [] { set_gate(0x41, stub(0x41), 0x100), interrupt<0x41>(); }, 13,
     0x100},
    {"INT target not canonical", [] { set_gate(0x41, NotCanonical), interrupt<0x41>(); }, 13, 0},
    {"a fault behind a gate not present has EXT",
     [] { set_gate(6, stub(6), Code64, 14, 0, false), undefined(); }, 11, 6 * 8 + 3},
    {"a fault behind a call gate has EXT", [] { set_gate(6, stub(6), Code64, 12), undefined(); }, 13,
     6 * 8 + 3},
    {"a fault to null has EXT", [] { set_gate(6, stub(6), 0), undefined(); }, 13, 1},
    {"a fault to data has EXT", [] { set_gate(6, stub(6), Data), undefined(); }, 13, Data | 1},
    {"a fault target not canonical has EXT", [] { set_gate(6, NotCanonical), undefined(); }, 13, 1},
    {"a fault does not look at the gate's DPL", [] { undefined(); }, 6, 0, nullptr, User},
    {"#UD image has RF", [] { undefined(); }, 6, 0, [] { return (caught.flags & 0x10000) != 0; }},
    {"interrupt gate clears IF TF", [] { asm volatile("pushfq\n orl $0x200, (%rsp)\n popfq\n int $0x41"); },
     0x41, 0, [] { return (caught.flags & 0x200) != 0; }},
    {"the new stack is aligned to 16", [] { asm volatile("subq $5, %rsp\n int $0x41"); }, 0x41},
    {"IST", [] { set_gate(0x41, Landing, Code64, 14, 0, true, 3), interrupt<0x41>(); }, -1, 0,
     [] { return far_frame[6] == 0x1d6000 - 40; }},
    {"IST not canonical",
     [] { tss.ist[2] = NotCanonical, set_gate(0x41, Landing, Code64, 14, 0, true, 3), interrupt<0x41>(); },
     12, 0},
    {"IST not canonical at a fault has EXT",
     [] { tss.ist[2] = NotCanonical, set_gate(6, Landing, Code64, 14, 0, true, 3), undefined(); }, 12, 1},
    {"double fault: #GP behind a #GP gate that is not there",
     [] { set_gate(13, stub(13), Code64, 14, 0, false), bad_segment(); }, 8, 0},
    {"double fault: #PF delivering #PF",
     [] { set_gate(14, stub(14), Code64, 14, 0, false), map(Page, 0), load(Page); }, 8, 0},
    {"no double fault: #NP delivering #UD", [] { set_gate(6, stub(6), Code64, 14, 0, false), undefined(); },
     11, 6 * 8 + 3},
    {"no double fault: #PF delivering #GP",
     [] {
         map(Page2, 0);
         tss.ist[0] = Page2 + 0x800;
         set_gate(13, stub(13), Code64, 14, 0, true, 1);
         bad_segment();
     },
     14, 2, [] { return caught.cr2 == Page2 + 0x7F8; }},
    {"INTO", [] { asm volatile(".byte 0xce"); }, 6},
    {"BOUND (EVEX without AVX-512 state)", [] { asm volatile(".byte 0x62, 0x00, 0x00, 0x00, 0x00, 0x00"); },
     6},
    {"INT3 at CPL 3 behind DPL 0", [] { asm volatile("int3"); }, 13, 3 * 8 + 2, nullptr, User,
     [] { set_gate(3, stub(3)); }},
    {"INT3 saves the next instruction", [] { asm volatile("int3"); }, 3, 0,
     [] { return *reinterpret_cast<u8*>(caught.ip - 1) == 0xCC; }},
    // ---- near transfers
    {"JMP to an address that is not canonical faults at the jump",
     [] { asm volatile("jmp *%0"
                       :
                       : "r"(NotCanonical)); }, 13, 0, [] { return caught.ip < 0x200000; }},
    {"CALL to an address that is not canonical pushes nothing",
     [] {
         asm volatile("movq %%rsp, %0\n call *%1" : "=m"(seen[0]) : "r"(NotCanonical));
     },
     13, 0, [] { return caught.sp == seen[0] && caught.ip < 0x200000; }},
    {"RET to an address that is not canonical", [] { asm volatile("pushq %0\n ret"
                                                                  :
                                                                  : "r"(NotCanonical)); },
     13, 0, [] { return caught.ip < 0x200000; }},
    // ---- SYSCALL
    {"SYSCALL", [] { syscall(); }, -1, 0,
     [] {
         return syscall_cs == Code64 && syscall_ss == Data && syscall_rcx < 0x120000 &&
                !(syscall_flags & 0x700);
     },
     User, here_syscall},
    {"SYSCALL keeps the flags in R11",
     [] { asm volatile("stc\n std\n syscall"
                       :
                       :
                       : "rcx", "r11", "memory", "cc"); }, -1, 0,
     [] { return (syscall_r11 & 0x401) == 0x401 && (syscall_flags & 0x401) == 1; }, User, here_syscall},
    {"SYSCALL without SCE", [] { syscall(); }, 6, 0, nullptr, User, [] { write_msr(0xC0000080, 0xD00); }},
    {"SYSCALL takes the selectors from STAR without a look at the table", [] { syscall(); }, -1, 0,
     [] { return syscall_cs == 0x70 && syscall_ss == 0x78; }, User,
     [] { here_syscall(), write_msr(0xC0000081, u64{0x73} << 32); }},
    {"SYSCALL with TF and FMASK.TF: no trap in the kernel",
     [] {
         asm volatile("pushfq\n orl $0x100, (%%rsp)\n popfq\n syscall" : : : "rcx", "r11", "memory");
     },
     -1, 0, [] { return (syscall_r11 & 0x100) != 0; }, User, here_syscall},
    {"SYSRET", [] { sysret(Return, 2); }, -1, 0,
     [] { return far_frame[4] == (UserCode64 | 3) && far_frame[5] == (UserData | 3); }},
    {"SYSRET sets the flags", [] { sysret(Return, 0x3C7FD7 & ~0x100); }, -1, 0,
     [] { return (far_frame[7] & 0x247ED7) == 0x247ED7 - 0 && !(far_frame[7] & 0x30000); }},
    {"SYSRET not canonical", [] { sysret(NotCanonical, 2); }, 13, 0, [] { return caught.cs == Code64; }},
    {"SYSRET without SCE", [] { write_msr(0xC0000080, 0xD00), sysret(Return, 2); }, 6},
    {"SYSRET restores TF: the trap comes at once", [] { sysret(Return, 0x102); }, 1, 0,
     [] { return caught.ip == Return; }},
    {"SYSENTER", [] { asm volatile("sysenter"); }, -1, 0,
     [] { return far_frame[4] == Code64 && far_frame[5] == Data && far_frame[6] == Stack; }, User,
     [] { write_msr(0x176, Landing); }},
    {"SYSENTER without a selector", [] { asm volatile("sysenter"); }, 13, 0, nullptr, User,
     [] { write_msr(0x174, 3); }},
    {"SYSENTER with TF: the trap comes at the entry",
     [] { asm volatile("pushfq\n orl $0x100, (%rsp)\n popfq\n sysenter"); }, 1, 0,
     [] { return caught.ip == Landing && (caught.dr6 & 0x4000); }, User, [] { write_msr(0x176, Landing); }},
    {"SYSEXIT", [] { asm volatile("sysexitq"
                                  :
                                  : "d"(Return), "c"(0x1d0000)); }, -1, 0,
     [] {
         return far_frame[4] == (Code64 + 32 | 3) && far_frame[5] == (Code64 + 40 | 3) &&
                far_frame[6] == 0x1d0000;
     }},
    {"SYSEXIT not canonical", [] { asm volatile("sysexitq"
                                                :
                                                : "d"(NotCanonical), "c"(0x1d0000)); }, 13, 0},
    {"SYSEXIT stack not canonical", [] { asm volatile("sysexitq"
                                                      :
                                                      : "d"(Return), "c"(NotCanonical)); }, 13,
     0},
    {"SYSEXIT without a selector",
     [] { write_msr(0x174, 0), ({
              asm volatile("sysexitq" : : "d"(Return), "c"(0x1d0000));
          }); }, 13, 0},
};

} // namespace

void transfer_rows() { run_rows("transfer", rows); }

} // namespace privileged
