// Hardware task switching. Intel SDM vol. 3A ch. 7.
#include "tests/privileged/legacy.h"

namespace privileged {
namespace {

extern "C" {
extern const u32 TaskReturns, TaskSpins;
u32 task_eax;
}
asm(R"(
    .text
1:  movl %eax, task_eax
    iretl
    movl $2, task_eax
    iretl
2:  jmp 2b
    .balign 8
TaskReturns: .long 1b
TaskSpins: .long 2b
)");
bool busy(u16 selector) { return (gdt[selector / 8] >> 41 & 1) == 1; }
u32 flags_now() { return far_frame[7]; }
void put(u16 at, u8 access, u8 flag_bits = 0xC, u32 limit = 0xFFFFF, u32 base = 0) {
    gdt[at / 8] = descriptor(base, limit, access, flag_bits);
}
void task_gate(u8 dpl = 0, bool present = true, u16 selector = Task2) {
    gdt[Gate / 8] = gate(0, selector, 5, dpl, present);
}
void task_gate_at(unsigned vector, u8 dpl = 0, u16 selector = Task2) {
    idt[vector] = gate(0, selector, 5, dpl);
}
void jump() { jump_far(Task2); }
void call() { call_far(Task2); }
/// The fault came in the second task, before its first instruction.
bool in_second() { return watcher.link == Task2 && second.eip == Landing; }

constexpr Row rows[] = {
    {"JMP to a TSS", jump, -1, 0, [] { return far_frame[10] == Task2 && !busy(TaskState) && busy(Task2); }},
    {"JMP to a TSS leaves the link and NT", jump, -1, 0,
     [] { return second.link == 0 && !(flags_now() & 0x4000); }},
    {"JMP to a TSS sets CR0.TS", jump, -1, 0, [] { return (read_cr0() & 8) != 0; }},
    {"JMP to a TSS saves the old task", jump, -1, 0,
     [] {
         return tss.eip > 0x100000 && tss.segment[1] == Code && tss.segment[2] == Data &&
                tss.gpr[4] > 0x1e0000 && (tss.eflags & 2);
     }},
    {"JMP to a TSS loads registers",
     [] {
         second.gpr[0] = 0x1234, second.eip = TaskReturns, second.eflags = 0x4002, second.link = TaskState,
         call();
     },
     -1, 0, [] { return task_eax == 0x1234; }},
    {"CALL to a TSS", call, -1, 0,
     [] {
         return far_frame[10] == Task2 && busy(TaskState) && busy(Task2) && second.link == TaskState &&
                (flags_now() & 0x4000);
     }},
    {"CALL and IRET come back", [] { second.eip = TaskReturns, call(); }, -1, 0,
     [] { return busy(TaskState) && !busy(Task2) && (tss.eflags & 0x4000) == 0; }},
    {"IRET from a task saves where it goes on, without NT", [] { second.eip = TaskReturns, call(); }, -1, 0,
     [] { return second.eip > TaskReturns && second.eip < TaskSpins && !(second.eflags & 0x4000); }},
    {"a task runs on where it left", [] { second.eip = TaskReturns, call(), task_eax = 0, call(); }, -1, 0,
     [] { return task_eax == 2; }},
    {"IRET with NT and a null link",
     [] { tss.link = 0, ({ asm volatile("pushl $0x4002\n popfl\n iretl"); }); }, 10, 0},
    {"IRET to a task that is not busy",
     [] { tss.link = Task2, ({ asm volatile("pushl $0x4002\n popfl\n iretl"); }); }, 10, Task2},
    {"IRET to no task", [] { tss.link = Data, ({ asm volatile("pushl $0x4002\n popfl\n iretl"); }); }, 10,
     Data},
    {"JMP to a busy task", [] { jump_far(TaskState); }, 13, TaskState},
    {"CALL to a busy task", [] { call_far(TaskState); }, 13, TaskState},
    {"JMP to a task that is not present", [] { gdt[Task2 / 8] &= ~(u64{1} << 47), jump(); }, 11, Task2},
    {"JMP to a short task",
     [] { gdt[Task2 / 8] = descriptor(reinterpret_cast<u32>(&second), 0x66, 0x89, 0), jump(); }, 10, Task2},
    {"JMP to a task of DPL 0 with RPL 3", [] { jump_far(Task2 | 3); }, 13, Task2},
    {"JMP to a task of DPL 0 at CPL 3", [] { jump_far(Task2); }, 13, Task2, nullptr, User},
    {"JMP to a task of DPL 3 at CPL 3", [] { jump_far(Task2); }, -1, 0, [] { return far_frame[10] == Task2; },
     User, [] { gdt[Task2 / 8] |= u64{3} << 45; }},
    {"JMP through a task gate", [] { task_gate(), jump_far(Gate); }, -1, 0,
     [] { return far_frame[10] == Task2; }},
    {"CALL through a task gate", [] { task_gate(), call_far(Gate); }, -1, 0,
     [] { return second.link == TaskState; }},
    {"task gate of DPL 0 at CPL 3", [] { jump_far(Gate | 3); }, 13, Gate, nullptr, User, [] { task_gate(); }},
    {"task gate of DPL 3 at CPL 3 to a task of DPL 0", [] { jump_far(Gate | 3); }, -1, 0,
     [] { return far_frame[10] == Task2; }, User, [] { task_gate(3); }},
    {"task gate not present", [] { task_gate(0, false), jump_far(Gate); }, 11, Gate},
    {"task gate to data", [] { task_gate(0, true, Data), jump_far(Gate); }, 13, Data},
    {"task gate to a busy task", [] { task_gate(0, true, TaskState), jump_far(Gate); }, 13, TaskState},
    {"task gate to the local table", [] { task_gate(0, true, Task2 | 4), jump_far(Gate); }, 13, Task2 | 4},
    {"INT through a task gate", [] { task_gate_at(0x41), ({ asm volatile("int $0x41"); }); }, -1, 0,
     [] { return far_frame[10] == Task2 && second.link == TaskState; }},
    {"INT through a task gate of DPL 0 at CPL 3", [] { asm volatile("int $0x41"); }, 13, 0x41 * 8 + 2,
     nullptr, User, [] { task_gate_at(0x41); }},
    {"a fault through a task gate", [] { task_gate_at(6), ({ asm volatile("ud2"); }); }, -1, 0,
     [] { return *reinterpret_cast<u16*>(tss.eip) == 0x0B0F; }},
    {"a fault through a task gate saves RF", [] { task_gate_at(6), ({ asm volatile("ud2"); }); }, -1, 0,
     [] { return (tss.eflags & 0x10000) != 0; }},
    {"INT through a task gate saves the next instruction and no RF",
     [] { task_gate_at(0x41), ({ asm volatile("int $0x41"); }); }, -1, 0,
     [] { return *reinterpret_cast<u16*>(tss.eip - 2) == 0x41CD && !(tss.eflags & 0x10000); }},
    {"an error code lies on the new task's stack", [] { task_gate_at(13), load_es(Local | 4); }, -1, 0,
     [] { return far_frame[0] == (Local | 4) && far_frame[6] == Stack - 4; }},
    {"a fault through a task gate to a busy task has EXT",
     [] { task_gate_at(6, 0, TaskState), ({ asm volatile("ud2"); }); }, 13, TaskState | 1},
    {"a double fault through a task gate",
     [] { task_gate_at(8), set_gate(13, Landing, Code, 14, 0, false), load_es(Local | 4); }, -1, 0,
     [] { return far_frame[10] == Task2 && far_frame[0] == 0; }},

    {"new task: CS null", [] { second.segment[1] = 0, jump(); }, 10, 0, in_second, Kernel, watch<10>},
    {"new task: CS data", [] { second.segment[1] = Data, jump(); }, 10, Data, in_second, Kernel, watch<10>},
    {"new task: CS RPL and DPL differ", [] { second.segment[1] = Code | 3, jump(); }, 10, Code, in_second,
     Kernel, watch<10>},
    {"new task: CS not present", [] { put(Free, 0x1B), second.segment[1] = Free, jump(); }, 11, Free,
     in_second, Kernel, watch<11>},
    {"new task: SS null", [] { second.segment[2] = 0, jump(); }, 10, 0, in_second, Kernel, watch<10>},
    {"new task: SS of DPL 3", [] { second.segment[2] = UserData, jump(); }, 10, UserData, in_second, Kernel,
     watch<10>},
    {"new task: SS not present", [] { put(Free, 0x13), second.segment[2] = Free, jump(); }, 12, Free,
     in_second, Kernel, watch<12>},
    {"new task: DS code that cannot be read", [] { put(Free, 0x99), second.segment[3] = Free, jump(); }, 10,
     Free, in_second, Kernel, watch<10>},
    {"new task: DS null", [] { second.segment[5] = 0, jump(); }, -1, 0,
     [] { return far_frame[10] == Task2; }},
    {"new task: FS not present", [] { put(Free, 0x13), second.segment[4] = Free, jump(); }, 11, Free,
     in_second, Kernel, watch<11>},
    {"new task: LDT is no LDT", [] { second.ldt = Data, jump(); }, 10, Data, in_second, Kernel, watch<10>},
    {"new task: LDT not present", [] { put(Free, 0x02, 0), second.ldt = Free, jump(); }, 10, Free, in_second,
     Kernel, watch<10>},
    {"new task: its LDT is used",
     [] {
         gdt[16] = gdt[2], put(Free, 0x82, 0, 7, reinterpret_cast<u32>(&gdt[16])), second.ldt = Free,
         second.segment[0] = 4, jump();
     },
     -1, 0, [] { return far_frame[9] == 4; }},
    {"new task: EIP beyond the limit",
     [] { put(Free, 0x9B, 4, 0xFFF), second.segment[1] = Free, second.eip = 0x1000, jump(); }, 13, 0,
     [] { return watcher.link == Task2 && second.eip == 0x1000; }, Kernel, watch<13>},
    {"new task: T flag", [] { second.trap = 1, jump(); }, 1, 0,
     [] { return (caught.dr6 & 0x8000) && caught.ip == Landing; }},
    {"a task switch clears the local breakpoints", [] { write_dr7(0x3FF), jump(); }, -1, 0,
     [] { return read_dr7() == 0x6AA; }},
    {"new task: outer level",
     [] {
         second.segment[1] = UserCode | 3, second.segment[2] = UserData | 3,
         second.segment[0] = second.segment[3] = UserData | 3, second.segment[4] = second.segment[5] = 0,
         second.eip = Return, jump();
     },
     -1, 0, [] { return far_frame[4] == (UserCode | 3) && far_frame[10] == Task2; }},
    {"new task: virtual-8086 mode",
     [] {
         *reinterpret_cast<u8*>(0x20000) = 0xF4;
         second.eflags = 0x20002, second.eip = 0, second.gpr[4] = 0x1000;
         for (u32& selector : second.segment) selector = 0x3000;
         second.segment[1] = 0x2000, jump();
     },
     13, 0, [] { return caught.cs == 0x2000 && (caught.flags & 0x20000) && caught.ip == 0; }},
    {"16-bit task",
     [] { put(Free, 0x9B, 0xC, 0xFFFFF, Landing), narrow.segment[1] = Free, jump_far(Task16); }, -1, 0,
     [] { return far_frame[10] == Task16; }},
    {"16-bit task: too short",
     [] { gdt[Task16 / 8] = descriptor(reinterpret_cast<u32>(&narrow), 0x2A, 0x81, 0), jump_far(Task16); },
     10, Task16},
    {"a new task's page directory is loaded",
     [] {
         u32* const first = reinterpret_cast<u32*>(0x300000);
         u32* const other = reinterpret_cast<u32*>(0x301000);
         for (u32 i = 0; i < 1024; ++i) first[i] = other[i] = i < 4 ? i << 22 | 0x87 : 0;
         write_cr4(16), write_cr3(0x300000), write_cr0(read_cr0() | 0x80000000);
         tss.cr3 = 0x300000, second.cr3 = 0x301000, jump();
     },
     -1, 0, [] { return read_cr3() == 0x301000; }},
};

} // namespace

void task_rows() { run_rows("tasks", rows); }

} // namespace privileged
