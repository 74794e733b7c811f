// The 64-bit program: its tables and what a row finds at its start. Intel SDM vol. 3A.
#include "tests/privileged/long.h"

namespace privileged {

alignas(16) u64 gdt[32];
alignas(16) Gate64 idt[256];
alignas(16) Tss64 tss;
extern "C" void program();

void restore_state() {
    attempt([] { read_dr7(); }); // clears DR7.GD if the last row left it
    static constexpr u64 fresh[] = {0,
                                    descriptor(0, 0xFFFFF, 0x9B, 0xA),  // 08
                                    descriptor(0, 0xFFFFF, 0x93, 0xC),  // 10
                                    descriptor(0, 0xFFFFF, 0xFB, 0xC),  // 18 user code, compatibility mode
                                    descriptor(0, 0xFFFFF, 0xF3, 0xC),  // 20
                                    descriptor(0, 0xFFFFF, 0xFB, 0xA)}; // 28
    for (unsigned i = 0; i < 32; ++i) gdt[i] = i < 6 ? fresh[i] : 0;
    const u64 at = reinterpret_cast<u64>(&tss);
    gdt[6] = descriptor(at, sizeof tss - 1, 0x89, 0);
    tss = {};
    for (u64& rsp : tss.rsp) rsp = 0x1e0000;
    for (unsigned i = 0; i < 7; ++i) tss.ist[i] = 0x1d8000 - 0x1000 * i;
    tss.map_base = 0x68;
    for (u8& byte : tss.map) byte = 0xFF;
    load_gdt({sizeof gdt - 1, reinterpret_cast<u64>(gdt)});
    for (unsigned vector = 0; vector < 256; ++vector)
        set_gate(vector, stub(vector), Code64, 14, vector == 3 || vector == 4 ? 3 : 0, true,
                 vector == 8 || vector == 12 ? 1
                 : vector == 1               ? 2
                                             : 0); // rows break the stack, or watch it
    set_gate(0x80, reinterpret_cast<u64>(user_done), Code64, 14, 3);
    load_idt({sizeof idt - 1, reinterpret_cast<u64>(idt)});
    asm volatile("mov %0, %%ds\n mov %0, %%es\n mov %0, %%ss\n mov %0, %%fs\n mov %0, %%gs\n lldt %w1"
                 :
                 : "r"(u32{Data}), "r"(0));
    asm volatile("ltr %w0" : : "r"(u32{TaskState}));
    write_dr7(0x400), write_dr0(0), write_dr1(0), write_dr2(0), write_dr3(0), write_dr6(0xFFFF0FF0);
    write_msr(0xC0000080, 0xD01);
    write_msr(0xC0000081, u64{0x18} << 48 | u64{Code64} << 32);
    write_msr(0xC0000082, reinterpret_cast<u64>(leave_attempt)), write_msr(0xC0000084, 0x700);
    write_msr(0xC0000100, 0), write_msr(0xC0000101, 0), write_msr(0xC0000102, 0);
    write_msr(0x174, Code64), write_msr(0x175, Stack), write_msr(0x176, reinterpret_cast<u64>(leave_attempt));
    write_msr(0x1D9, 0), write_msr(0x277, 0x0007040600070406);
    write_cr0(0x80010033);
    write_cr4(FreshCr4 | 0x80); // PGE
    for (u64 page = 0; page < 0x400000; page += 0x1000) pte(page) = page | 7;
    entry_at(Pml4, 1) = 0, entry_at(Pdpt, 1) = 0, entry_at(Pml4, 0) = Pdpt | 7,
                   entry_at(Pdpt, 0) = Directory | 7;
    entry_at(Directory, 2) = 0x400087;
    if (FiveLevels) {
        for (u64 i = 1; i < 512; ++i) entry_at(Pml5, i) = 0;
        entry_at(Pml5, 0) = Pml4 | 7;
    }
    write_cr3(Root);
    asm volatile("fninit");
    if (FiveLevels) { // PKRU denies nothing, as after a reset
        write_cr4(FreshCr4 | 1 << 22);
        asm volatile("wrpkru" : : "a"(0), "c"(0), "d"(0));
    }
    write_cr4(FreshCr4); // a change of PGE drops every translation
}

extern "C" void program() {
    control_rows();
    segment_rows();
    transfer_rows();
    paging_rows();
    debug_rows();
    state_rows();
    vector_rows();
    if (FiveLevels) wide_rows();
    finish();
}

} // namespace privileged
