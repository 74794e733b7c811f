// GDT and TSS; see segments.h.
#include "arch/x86_64/segments.h"

#include "arch/x86_64/cpu.h"

namespace kernel {

constinit PerCpu per_cpu[NR_CPUS] = {};
constinit unsigned online_cpus = 1;
alignas(16) static u8 interrupt_stacks[NR_CPUS][InterruptStackCount][InterruptStackSize];

namespace {

struct [[gnu::packed]] DescriptorTableRegister {
    u16 limit;
    u64 base;
};

} // namespace

void cpu_init(unsigned cpu) {
    PerCpu& block = per_cpu[cpu];
    block.self = &block;
    block.cpu = cpu;
    block.tss = {};
    block.tss.rsp[0] = block.kernel_stack_top;
    block.tss.io_map_base = sizeof(tss_struct); // no I/O bitmap: ring 3 has no ports
    for (unsigned i = 0; i < InterruptStackCount; i++)
        block.tss.ist[i] = reinterpret_cast<u64>(&interrupt_stacks[cpu][i][0]) + InterruptStackSize;

    u64 tss = reinterpret_cast<u64>(&block.tss);
    u64 limit = sizeof(tss_struct) - 1;
    u64* gdt = block.gdt;
    gdt[0] = 0;
    gdt[1] = 0x00cf'9b00'0000'ffff; // 32-bit kernel code
    gdt[2] = 0x00af'9b00'0000'ffff; // 64-bit kernel code
    gdt[3] = 0x00cf'9300'0000'ffff; // kernel data
    gdt[4] = 0x00cf'fb00'0000'ffff; // 32-bit user code
    gdt[5] = 0x00cf'f300'0000'ffff; // user data
    gdt[6] = 0x00af'fb00'0000'ffff; // 64-bit user code
    gdt[7] = 0;
    gdt[8] =
        limit | (tss & 0xff'ffff) << 16 | u64{0x89} << 40 | (tss >> 24 & 0xff) << 56; // available 64-bit TSS
    gdt[9] = tss >> 32;
    gdt[15] = 0x0040'f500'0000'0000 | cpu; // data that grows down: its limit tells user mode the CPU (vdso/)

    DescriptorTableRegister gdtr{sizeof(block.gdt) - 1, reinterpret_cast<u64>(gdt)};
    asm volatile(
        "lgdt %0\n\t"
        "pushq %1\n\t"
        "leaq 1f(%%rip), %%rax\n\t"
        "pushq %%rax\n\t"
        "lretq\n"
        "1:\n\t"
        "movl %2, %%eax\n\t"
        "movl %%eax, %%ds\n\t"
        "movl %%eax, %%es\n\t"
        "movl %%eax, %%ss\n\t"
        "xorl %%eax, %%eax\n\t"
        "movl %%eax, %%fs\n\t"
        "movl %%eax, %%gs\n\t" // clears GS base too: it is written again below, before anything uses it
        :
        : "m"(gdtr), "i"(KernelCode), "i"(KernelData)
        : "rax", "memory");
    wrmsrl(Msr::GsBase, reinterpret_cast<u64>(&block));
    wrmsrl(Msr::KernelGsBase, 0);
    asm volatile("ltr %w0" ::"r"(TssSelector));
}

} // namespace kernel
