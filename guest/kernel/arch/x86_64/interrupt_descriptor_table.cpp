// IDT construction; see the header.
#include "arch/x86_64/interrupt_descriptor_table.h"

extern "C" char trap_stubs[];

namespace kernel {

alignas(4096) [[gnu::section(".data..page_aligned")]] constinit gate_struct idt_table[256] = {};

constinit TrapHandler trap_handlers[256] = {};

namespace {

void set_gate(unsigned vector, InterruptStack stack, unsigned privilege) {
    u64 target = reinterpret_cast<u64>(trap_stubs) + vector * 16;
    idt_table[vector] = {
        .offset_low = static_cast<u16>(target),
        .selector = KernelCode,
        .ist = static_cast<u8>(stack),
        .type_attributes = static_cast<u8>(0x8E | privilege << 5), // present, 64-bit interrupt gate
        .offset_middle = static_cast<u16>(target >> 16),
        .offset_high = static_cast<u32>(target >> 32),
        .reserved = 0,
    };
}

void load() {
    struct [[gnu::packed]] {
        u16 limit;
        u64 base;
    } idtr{sizeof(idt_table) - 1, reinterpret_cast<u64>(idt_table)};
    asm volatile("lidt %0" ::"m"(idtr) : "memory");
}

} // namespace

void load_early_interrupt_table() {
    for (unsigned vector = 0; vector < 256; vector++) set_gate(vector, InterruptStack::None, 0);
    load();
}

void load_interrupt_table() {
    set_gate(1, InterruptStack::Debug, 0);
    set_gate(2, InterruptStack::Nmi, 0);
    set_gate(8, InterruptStack::DoubleFault, 0);
    set_gate(18, InterruptStack::MachineCheck, 0);
    set_gate(3, InterruptStack::None, 3); // INT3 and INTO are for user programs too
    set_gate(4, InterruptStack::None, 3);
    load();
}

void set_trap_handler(u8 vector, TrapHandler handler) { trap_handlers[vector] = handler; }
TrapHandler trap_handler(u8 vector) { return trap_handlers[vector]; }

} // namespace kernel
