// Far transfers and gates in 32-bit protected mode. Intel SDM vol. 3A 5.8, 6.12.
#include "tests/privileged/legacy.h"

namespace privileged {
namespace {

void put(u16 at, u8 access, u8 flag_bits = 0xC, u32 limit = 0xFFFFF, u32 base = 0) {
    gdt[at / 8] = descriptor(base, limit, access, flag_bits);
}
void put_gate(u16 selector, u32 offset, u8 dpl = 0, u8 count = 0, bool present = true, u8 type = 12) {
    gdt[Gate / 8] = gate(offset, selector, type, dpl, present, count);
}
void retf(u32 ip, u32 cs, u32 sp = 0x1d0000, u32 ss = UserData | 3) {
    asm volatile("pushl %0\n pushl %1\n pushl %2\n pushl %3\n lretl"
                 :
                 : "r"(ss), "r"(sp), "r"(cs), "r"(ip)
                 : "memory");
}
void iret(u32 ip, u32 cs, u32 flag_image, u32 sp, u32 ss) {
    asm volatile("pushl %0\n pushl %1\n pushl %2\n pushl %3\n pushl %4\n iretl"
                 :
                 : "g"(ss), "g"(sp), "g"(flag_image), "r"(cs), "r"(ip)
                 : "memory");
}
template <u8 N> void interrupt() { asm volatile("int %0" : : "i"(N)); }
void undefined() { asm volatile("ud2"); }
void push_parameters() {
    asm volatile("pushl $0x22222222\n pushl $0x11111111\n lcall *(%0)" : : "a"(Page) : "memory");
}

constexpr Row rows[] = {
    {"JMP far", [] { jump_far(Code, Landing); }, -1, 0, [] { return far_frame[4] == Code; }},
    {"JMP far null", [] { jump_far(0); }, 13, 0},
    {"JMP far data", [] { jump_far(Data); }, 13, Data},
    {"JMP far beyond the limit", [] { put(Free, 0x9B, 4, 0xFFF), jump_far(Free, 0x1000); }, 13, 0},
    {"JMP far not present", [] { put(Free, 0x1B), jump_far(Free, Landing); }, 11, Free},
    {"JMP far conforming from CPL 3 keeps CPL", [] { jump_far(Free | 3, Return); }, -1, 0,
     [] { return far_frame[4] == (Free | 3); }, User, [] { put(Free, 0x9F); }},
    {"JMP far DPL 0 from CPL 3", [] { jump_far(Code | 3, Return); }, 13, Code, nullptr, User},
    {"JMP far interrupt gate", [] { gdt[Gate / 8] = gate(Landing, Code, 14, 0), jump_far(Gate); }, 13, Gate},
    {"CALL far", [] { call_far(Code, Landing); }, -1, 0,
     [] { return far_frame[1] == Code && far_frame[0] > 0x100000; }},
    {"call gate, same level", [] { put_gate(Code, Landing), call_far(Gate); }, -1, 0,
     [] { return far_frame[1] == Code; }},
    {"16-bit call gate pushes words",
     [] { put_gate(Free, 0, 0, 0, true, 4), put(Free, 0x9B, 0xC, 0xFFFFF, Landing), call_far(Gate); }, -1, 0,
     [] { return far_frame[0] >> 16 == Code; }},
    {"call gate not present", [] { put_gate(Code, Landing, 0, 0, false), call_far(Gate); }, 11, Gate},
    {"call gate DPL below CPL", [] { call_far(Gate | 3); }, 13, Gate, nullptr, User,
     [] { put_gate(Code, Landing); }},
    {"call gate to null", [] { put_gate(0, Landing), call_far(Gate); }, 13, 0},
    {"call gate to data", [] { put_gate(Data, Landing), call_far(Gate); }, 13, Data},
    {"call gate to code not present", [] { put_gate(Free, Landing), put(Free, 0x1B), call_far(Gate); }, 11,
     Free},
    {"call gate beyond the limit", [] { put_gate(Free, 0x2000), put(Free, 0x9B, 4, 0xFFF), call_far(Gate); },
     13, 0},
    {"call gate inwards copies parameters", push_parameters, -1, 0,
     [] {
         return far_frame[1] == (UserCode | 3) && far_frame[2] == 0x11111111 && far_frame[3] == 0x22222222 &&
                far_frame[4] == Code && far_frame[5] == Data && far_frame[6] == 0x1e0000 - 24;
     },
     User,
     [] {
         put_gate(Code, Landing, 3, 2);
         *reinterpret_cast<u32*>(Page) = 0, *reinterpret_cast<u16*>(Page + 4) = Gate | 3;
     }},
    {"call gate inwards by JMP", [] { jump_far(Gate | 3); }, 13, Code, nullptr, User,
     [] { put_gate(Code, Landing, 3); }},
    {"call gate inwards, SS1 null", [] { call_far(Gate | 3); }, 10, 0, nullptr, User,
     [] { put_gate(Free, Landing, 3), put(Free, 0xBB), tss.ss1 = 0; }},
    {"call gate inwards, SS1 of DPL 3", [] { call_far(Gate | 3); }, 10, UserData, nullptr, User,
     [] { put_gate(Free, Landing, 3), put(Free, 0xBB), tss.ss1 = UserData | 1; }},
    {"call gate inwards, SS1 read-only", [] { call_far(Gate | 3); }, 10, Free2, nullptr, User,
     [] { put_gate(Free, Landing, 3), put(Free, 0xBB), put(Free2, 0xB1), tss.ss1 = Free2 | 1; }},
    {"call gate inwards, SS1 not present", [] { call_far(Gate | 3); }, 12, Free2, nullptr, User,
     [] { put_gate(Free, Landing, 3), put(Free, 0xBB), put(Free2, 0x33), tss.ss1 = Free2 | 1; }},
    {"call gate inwards, SS1 for ring 1", [] { call_far(Gate | 3); }, -1, 0,
     [] { return far_frame[4] == (Free | 1) && far_frame[5] == (Free2 | 1); }, User,
     [] { put_gate(Free, Return, 3), put(Free, 0xBB), put(Free2, 0xB3), tss.ss1 = Free2 | 1; }},
    {"RETF same level", [] { retf(Landing, Code); }, -1, 0, [] { return far_frame[4] == Code; }},
    {"RETF null", [] { retf(Landing, 0); }, 13, 0},
    {"RETF inwards", [] { retf(Landing, Code); }, 13, Code, nullptr, User},
    {"RETF outwards", [] { retf(Return, UserCode | 3); }, -1, 0,
     [] {
         return far_frame[4] == (UserCode | 3) && far_frame[5] == (UserData | 3) && far_frame[6] == 0x1d0000;
     }},
    {"RETF outwards nulls inner segments", [] { load_es(UserData | 3), retf(Return, UserCode | 3); }, -1, 0,
     [] { return far_frame[8] == 0 && far_frame[9] == (UserData | 3); }},
    {"RETF outwards, SS null", [] { retf(Return, UserCode | 3, 0x1d0000, 3); }, 13, 0},
    {"RETF outwards, SS of DPL 0", [] { retf(Return, UserCode | 3, 0x1d0000, Data | 3); }, 13, Data},
    {"RETF outwards, SS not present", [] { put(Free, 0x73), retf(Return, UserCode | 3, 0x1d0000, Free | 3); },
     12, Free},
    {"RETF beyond the limit", [] { put(Free, 0x9B, 4, 0xFFF), retf(0x1000, Free); }, 13, 0},
    {"IRET same level", [] { iret(Landing, Code, 2, 0, 0); }, -1, 0, [] { return far_frame[4] == Code; }},
    {"IRET outwards", [] { iret(Return, UserCode | 3, 0x3002, 0x1d0000, UserData | 3); }, -1, 0,
     [] { return far_frame[4] == (UserCode | 3) && (far_frame[7] & 0x3000) == 0x3000; }},
    {"IRET outwards, SS RPL 0", [] { iret(Return, UserCode | 3, 2, 0x1d0000, UserData); }, 13, UserData},
    {"IRET at CPL 3 keeps IOPL and IF", [] { iret(Return, UserCode | 3, 0x3202, 0x1d0000, UserData | 3); },
     -1, 0, [] { return !(far_frame[7] & 0x3200); }, User},
    {"IRET not present", [] { put(Free, 0x1B), iret(Landing, Free, 2, 0, 0); }, 11, Free},
    {"INT through a trap gate keeps IF", [] { set_gate(0x41, Landing, Code, 15), interrupt<0x41>(); }, -1, 0,
     [] { return far_frame[1] == Code; }},
    {"INT through a 16-bit gate pushes words",
     [] { idt[0x41] = gate(0, Free, 6, 0), put(Free, 0x9B, 0xC, 0xFFFFF, Landing), interrupt<0x41>(); }, -1,
     0, [] { return far_frame[0] >> 16 == Code; }},
    {"INT gate not present", [] { set_gate(0x41, Landing, Code, 14, 0, false), interrupt<0x41>(); }, 11,
     0x41 * 8 + 2},
    {"INT beyond the table", [] { load_idt({0x41 * 8 + 6, reinterpret_cast<u32>(idt)}), interrupt<0x41>(); },
     13, 0x41 * 8 + 2},
    {"INT to DPL 3 from CPL 0", [] { set_gate(0x41, Landing, UserCode), interrupt<0x41>(); }, 13, UserCode},
    {"INT to data", [] { set_gate(0x41, Landing, Data), interrupt<0x41>(); }, 13, Data},
    {"INT beyond the limit",
     [] { set_gate(0x41, 0x2000, Free), put(Free, 0x9B, 4, 0xFFF), interrupt<0x41>(); }, 13, 0},
    {"INT at CPL 3 behind DPL 0", interrupt<0x41>, 13, 0x41 * 8 + 2, nullptr, User},
    {"INT inwards", interrupt<0x41>, 0x41, 0,
     [] { return caught.cs == (UserCode | 3) && caught.ss == (UserData | 3); }, User,
     [] { set_gate(0x41, stub(0x41), Code, 14, 3); }},
    {"INT to conforming code keeps CPL", interrupt<0x41>, -1, 0, [] { return far_frame[4] == (Free | 3); },
     User, [] { put(Free, 0x9F), set_gate(0x41, Return, Free, 14, 3); }},
    {"INT inwards, SS0 null", interrupt<0x41>, 10, 0, nullptr, User,
     [] { set_gate(0x41, Landing, Free, 14, 3), put(Free, 0xBB), tss.ss1 = 0; }},
    {"a fault inwards, SS1 null, has EXT", undefined, 10, 1, nullptr, User,
     [] { set_gate(6, Landing, Free, 14, 3), put(Free, 0xBB), tss.ss1 = 0; }},
    {"a fault behind a gate not present has EXT",
     [] { set_gate(6, Landing, Code, 14, 0, false), undefined(); }, 11, 6 * 8 + 3},
    {"INT inwards, no room on the stack", interrupt<0x41>, 12, Free2, nullptr, User,
     [] {
         set_gate(0x41, Landing, Free, 14, 3), put(Free, 0xBB), put(Free2, 0xB3, 4, 0xF), tss.ss1 = Free2 | 1,
                                                                                          tss.esp1 = 0x10;
     }},
    {"INT inwards, the task's stack is beyond its limit", interrupt<0x41>, 10, TaskState, nullptr, User,
     [] {
         set_gate(0x41, Landing, Free, 14, 3), put(Free, 0xBB),
             gdt[TaskState / 8] = descriptor(reinterpret_cast<u32>(&tss), 0xF, 0x89, 0);
         asm volatile("ltr %w0" : : "r"(u32{TaskState}));
     }},
    {"SYSENTER without a selector", [] { asm volatile("sysenter"); }, 13, 0},
    {"SYSENTER", [] { write_msr(0x174, Code), ({ asm volatile("sysenter"); }); }, -1, 0,
     [] { return far_frame[4] == Code && far_frame[5] == Data && far_frame[6] == Stack; }},
    {"SYSENTER from CPL 3", [] { asm volatile("sysenter"); }, -1, 0, [] { return far_frame[4] == Code; },
     User, [] { write_msr(0x174, Code); }},
    {"SYSEXIT", [] { write_msr(0x174, Code), ({
                         asm volatile("sysexit" : : "d"(Return), "c"(0x1d0000));
                     }); },
     -1, 0,
     [] {
         return far_frame[4] == (UserCode | 3) && far_frame[5] == (UserData | 3) && far_frame[6] == 0x1d0000;
     }},
    {"STI with PVI sets VIF", [] { asm volatile("sti\n int3"); }, 3, 0,
     [] { return (caught.flags & 0x80200) == 0x80000; }, User, [] { write_cr4(2); }},
    {"CLI with PVI clears VIF", [] { asm volatile("sti\n cli\n int3"); }, 3, 0,
     [] { return (caught.flags & 0x80200) == 0; }, User, [] { write_cr4(2); }},
    {"STI with PVI and VIP", [] { asm volatile("sti"); }, 13, 0, nullptr, UserPending, [] { write_cr4(2); }},
    {"STI without PVI", [] { asm volatile("sti"); }, 13, 0, nullptr, User},
    {"POPF does not know PVI", [] { asm volatile("pushl $0x202\n popfl\n int3"); }, 3, 0,
     [] { return !(caught.flags & 0x80200); }, User, [] { write_cr4(2); }},
};

} // namespace

void transfer_rows() { run_rows("transfer", rows); }

} // namespace privileged
