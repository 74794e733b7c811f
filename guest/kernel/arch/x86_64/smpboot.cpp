// Bringing up the other processors: INIT, start-up IPI, and what each sets up for itself. Intel SDM
// 3A 8.4.4.1.
//
// The trampoline runs under page tables of its own: 2 MiB identity for its code, and the kernel's half. They
// and it live in the first MiB, which memblock reserved.
#include "arch/x86_64/acpi.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/interrupt_controllers.h"
#include "arch/x86_64/interrupt_descriptor_table.h"
#include "arch/x86_64/segments.h"
#include "arch/x86_64/smp.h"
#include "irq/irq.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/paging.h"
#include "sched/scheduler.h"
#include "setup.h"
#include "sync/rcu.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "time/tick.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

extern "C" const u8 trampoline_start[], trampoline_end[], trampoline_slots[];

constexpr u64 Trampoline = 0x8000, TrampolineTables = 0x9000; ///< three pages: levels 4, 3, 2
struct TrampolineSlots {
    u64 cr3, efer, gs, stack, entry;
};

constinit u32 callin = 0; ///< the number + 1 of the CPU that has reached start_secondary
constinit u64 boot_cr4 = 0;

void set_up_trampoline() {
    memcpy(physical_to<u8>(Trampoline), trampoline_start,
           static_cast<usize>(trampoline_end - trampoline_start));
    auto* level4 = physical_to<u64>(TrampolineTables);
    memset(level4, 0, 3 * PAGE_SIZE);
    memcpy(level4 + 256, swapper_pg_dir + 256, 256 * sizeof(u64));
    level4[0] = (TrampolineTables + PAGE_SIZE) | pte::Present | pte::Write;
    level4[512] = (TrampolineTables + 2 * PAGE_SIZE) | pte::Present | pte::Write; // level 3
    level4[1024] = 0 | pte::Present | pte::Write | pte::Large;                    // level 2: the first 2 MiB
}

/// The new CPU's first C++ code, on its idle thread's stack, interrupts off.
extern "C" [[noreturn]] void start_secondary() {
    unsigned cpu = this_cpu().cpu;
    write_cr3(virt_to_phys(swapper_pg_dir)); // the identity page goes
    write_cr4(boot_cr4);
    cpu_init(cpu);
    load_interrupt_table();
    fpu__init_cpu();
    syscall_init_cpu();
    setup_local_APIC();
    __atomic_store_n(&callin, cpu + 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&online_cpus, __ATOMIC_ACQUIRE) <= cpu) cpu_relax();
    setup_APIC_timer();
    local_irq_enable();
    preempt_enable_no_resched();
    do_idle();
}

bool do_boot_cpu(unsigned cpu, u8 apic_id) {
    task_struct* idle = fork_idle(cpu);
    if (!idle) {
        pr_err("smpboot: no memory for CPU%u's idle thread\n", cpu);
        return false;
    }
    PerCpu& block = per_cpu[cpu];
    block.self = &block;
    block.current = idle;
    block.cpu = cpu;
    block.apic_id = apic_id;
    block.kernel_stack_top = reinterpret_cast<u64>(idle->stack) + THREAD_SIZE;
    init_idle(idle, cpu);

    auto* slots =
        physical_to<TrampolineSlots>(Trampoline + static_cast<u64>(trampoline_slots - trampoline_start));
    slots->cr3 = TrampolineTables;
    slots->efer = rdmsrl(Msr::Efer) & ~efer::LMA;
    slots->gs = reinterpret_cast<u64>(&block);
    slots->stack = block.kernel_stack_top - sizeof(pt_regs);
    slots->entry = reinterpret_cast<u64>(start_secondary);

    auto called_in = [&](u64 microseconds) {
        for (u64 end = ktime_get_ns() + microseconds * 1000; ktime_get_ns() < end; cpu_relax())
            if (__atomic_load_n(&callin, __ATOMIC_ACQUIRE) == cpu + 1) return true;
        return false;
    };
    send_INIT(apic_id);
    udelay(10);
    send_STARTUP(apic_id, Trampoline >> 12);
    if (called_in(200)) return true;
    send_STARTUP(apic_id,
                 Trampoline >> 12); // the manual asks for a second one; the first is enough on what there is
    return called_in(1'000'000);
}

} // namespace

void smp_init() {
    char text[8];
    unsigned limit = NR_CPUS;
    if (command_line_value("maxcpus", text, sizeof text))
        limit = static_cast<unsigned>(clamp<u64>(parse_number(text, nullptr), 1, NR_CPUS));
    if (!using_apic() || acpi.cpu_count < 2) return;
    pr_info("smp: Bringing up secondary CPUs ...\n");
    boot_cr4 = read_cr4();
    set_up_trampoline();
    for (unsigned i = 0; i < acpi.cpu_count && online_cpus < limit; i++) {
        if (acpi.apic_ids[i] == per_cpu[0].apic_id) continue;
        unsigned cpu = online_cpus;
        if (!do_boot_cpu(cpu, acpi.apic_ids[i])) { // it may still come: its number and stack stay its own
            pr_err("smpboot: CPU%u (APIC %u) did not start\n", cpu, acpi.apic_ids[i]);
            break;
        }
        rcu_cpu_online(cpu);
        __atomic_store_n(&online_cpus, cpu + 1, __ATOMIC_RELEASE);
    }
    pr_info("smp: Brought up 1 node, %u CPUs\n", online_cpus);
}

} // namespace kernel
