// The 32-bit program: its tables and what a row finds at its start. Intel SDM vol. 3A.
#include "tests/privileged/legacy.h"

namespace privileged {

alignas(16) u64 gdt[32];
alignas(16) u64 idt[256];
alignas(16) Tss32 tss, second, watcher;
alignas(16) Tss16 narrow;
extern "C" {
u32 far_frame[12], watched_vector;
void program();
}
asm(R"(
    .text
far_landing:
    movl (%esp), %eax
    movl %eax, %ss:far_frame
    movl 4(%esp), %eax
    movl %eax, %ss:far_frame + 4
    movl 8(%esp), %eax
    movl %eax, %ss:far_frame + 8
    movl 12(%esp), %eax
    movl %eax, %ss:far_frame + 12
    call note_registers
    jmp leave_attempt
return_landing:
    call note_registers
    int $0x80
note_registers:
    movl %cs, %eax
    movl %eax, %ss:far_frame + 16
    movl %ss, %eax
    movl %eax, %ss:far_frame + 20
    leal 4(%esp), %eax
    movl %eax, %ss:far_frame + 24
    pushfl
    popl %eax
    movl %eax, %ss:far_frame + 28
    movl %ds, %eax
    movl %eax, %ss:far_frame + 32
    movl %es, %eax
    movl %eax, %ss:far_frame + 36
    str %eax
    movl %eax, %ss:far_frame + 40
    ret
watcher_entry: # a task: what is wrong with another one cannot be handled on its stack
    popl caught + 4
    movl watched_vector, %eax
    movl %eax, caught
    movl %dr6, %eax
    movl %eax, caught + 32
    jmp leave_attempt
    .balign 8
    .globl Landing, Return, WatcherEntry
WatcherEntry: .long watcher_entry
Landing: .long far_landing
Return: .long return_landing
)");

void restore_state() {
    attempt([] { read_dr7(); }); // clears DR7.GD if the last row left it
    static constexpr u64 fresh[] = {0, descriptor(0, 0xFFFFF, 0x9B, 0xC), // 08
                                    descriptor(0, 0xFFFFF, 0x93, 0xC),    // 10
                                    descriptor(0, 0xFFFFF, 0xFB, 0xC),    // 18
                                    descriptor(0, 0xFFFFF, 0xF3, 0xC)};   // 20
    for (unsigned i = 0; i < 32; ++i) gdt[i] = i < 5 ? fresh[i] : 0;
    gdt[TaskState / 8] = descriptor(reinterpret_cast<u32>(&tss), sizeof tss - 1, 0x89, 0);
    gdt[Task2 / 8] = descriptor(reinterpret_cast<u32>(&second), sizeof second - 1, 0x89, 0);
    gdt[Watcher / 8] = descriptor(reinterpret_cast<u32>(&watcher), sizeof watcher - 1, 0x89, 0);
    gdt[Task16 / 8] = descriptor(reinterpret_cast<u32>(&narrow), sizeof narrow - 1, 0x81, 0);
    tss = {}, second = {}, watcher = {}, narrow = {};
    tss.esp0 = tss.esp1 = 0x1e0000, tss.ss0 = Data;
    tss.map_base = second.map_base = offsetof(Tss32, map);
    for (u8& byte : tss.map) byte = 0xFF;
    for (u8& byte : tss.redirection) byte = 0xFF;
    second.esp0 = 0x1e0000, second.ss0 = Data;
    second.eip = Landing, second.eflags = 2, second.gpr[4] = Stack;
    for (unsigned n = 0; n < 6; ++n) second.segment[n] = n == 1 ? Code : Data;
    watcher = second, watcher.eip = WatcherEntry;
    narrow.sp0 = 0xF000, narrow.ss0 = Data, narrow.flags = 2, narrow.gpr[4] = 0xF000;
    for (unsigned n = 0; n < 4; ++n) narrow.segment[n] = n == 1 ? Code : Data;
    write_cr0(0x11); // PE, ET; no paging, so that tables may be anything
    write_cr4(0), write_msr(0xC0000080, 0);
    load_gdt({sizeof gdt - 1, reinterpret_cast<u32>(gdt)});
    for (unsigned vector = 0; vector < 256; ++vector)
        set_gate(vector, stub(vector), Code, 14, vector == 3 || vector == 4 || vector == 5 ? 3 : 0);
    set_gate(0x80, reinterpret_cast<u32>(user_done), Code, 14, 3);
    load_idt({sizeof idt - 1, reinterpret_cast<u32>(idt)});
    asm volatile(
        "mov %0, %%ds\n mov %0, %%es\n mov %0, %%ss\n mov %0, %%fs\n mov %0, %%gs\n lldt %w1\n ltr %w2"
        :
        : "r"(u32{Data}), "r"(0), "r"(u32{TaskState}));
    write_dr7(0x400), write_dr0(0), write_dr1(0), write_dr2(0), write_dr3(0), write_dr6(0xFFFF0FF0);
    write_msr(0x174, 0), write_msr(0x175, Stack), write_msr(0x176, Landing);
    for (u32& item : far_frame) item = 0;
    asm volatile("fninit");
}

extern "C" void program() {
    segment_rows();
    transfer_rows();
    task_rows();
    virtual_rows();
    finish();
}

} // namespace privileged
