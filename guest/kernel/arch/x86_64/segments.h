// GDT, TSS and the per-CPU block that GS points at in kernel mode (SDM 3A chapters 3.4.5 and 8.7).
//
// Invariants: GS base is the running CPU's PerCpu whenever C++ code runs; PerCpu::current is the running
// task; kernel_stack_top (and TSS.rsp0) is the top of its kernel stack. The order of the selectors follows
// from SYSCALL and SYSRET (SDM 2B): user data = user base + 8, user code = user base + 16.
#pragma once

#include "lib/types.h"
#include "mm/layout.h"

namespace kernel {

struct task_struct;
struct mm_struct;

inline constexpr u16 KernelCode = 0x10, KernelData = 0x18, UserCode32 = 0x20 | 3, UserData = 0x28 | 3,
                     UserCode = 0x30 | 3, TssSelector = 0x40;

struct [[gnu::packed]] tss_struct {
    u32 reserved0;
    u64 rsp[3];
    u64 reserved1;
    u64 ist[7]; ///< ist[0] is IST 1
    u64 reserved2;
    u16 reserved3;
    u16 io_map_base;
};
static_assert(sizeof(tss_struct) == 104);

/// IST numbers: each of these exceptions must find a good stack whatever the interrupted code did to its own.
enum class InterruptStack : u8 { None = 0, DoubleFault = 1, Nmi = 2, Debug = 3, MachineCheck = 4 };
inline constexpr unsigned InterruptStackCount = 4;
inline constexpr u64 InterruptStackSize = 8 * KiB;

struct alignas(64) PerCpu {
    PerCpu* self; // entry.S and get_current() rely on the first four
    task_struct* current;
    u64 kernel_stack_top;
    u64 user_rsp; ///< scratch of the SYSCALL entry
    u32 cpu;
    u32 apic_id;
    u32 softirq_pending;
    u32 hardirq_depth;
    mm_struct* loaded_mm; ///< whose page tables CR3 holds; null: the kernel's own
    u64 gdt[16];
    tss_struct tss;
};
static_assert(offsetof(PerCpu, current) == 8 && offsetof(PerCpu, kernel_stack_top) == 16 &&
              offsetof(PerCpu, user_rsp) == 24);

extern PerCpu per_cpu[NR_CPUS];
extern unsigned online_cpus;

inline PerCpu& this_cpu() {
    PerCpu* self;
    asm volatile("mov %%gs:0, %0" : "=r"(self));
    return *self;
}
/// Not volatile: the running task does not change under the running task.
inline task_struct* get_current() {
    task_struct* task;
    asm("mov %%gs:8, %0" : "=r"(task));
    return task;
}

/// Loads the final GDT and TSS of the calling CPU.
void cpu_init(unsigned cpu);

} // namespace kernel
