// Calling other processors; see smp.h. Interprocessor interrupts: Intel SDM 3A 10.6.
#include "arch/x86_64/smp.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/interrupt_controllers.h"
#include "arch/x86_64/segments.h"
#include "irq/irq.h"
#include "lib/log.h"
#include "sync/spinlock.h"

namespace kernel {
namespace {

/// One call on its way to one CPU.
struct call_single_data {
    call_single_data* next;
    void (*func)(void*);
    void* info;
    u32 locked; ///< set by the caller, cleared by the CPU that ran it
};
constinit call_single_data call_data[NR_CPUS][NR_CPUS] = {}; ///< [caller][target]
constinit call_single_data* call_single_queue[NR_CPUS] = {};

void csd_lock_wait(const call_single_data& data) {
    while (__atomic_load_n(&data.locked, __ATOMIC_ACQUIRE)) cpu_relax();
}

} // namespace

u64 cpu_online_mask() { return (u64{1} << __atomic_load_n(&online_cpus, __ATOMIC_ACQUIRE)) - 1; }

void smp_send_reschedule(unsigned cpu) { send_IPI(cpu, RESCHEDULE_VECTOR); }

void smp_call_function_many(u64 mask, void (*func)(void*), void* info, bool wait) {
    preempt_disable();
    unsigned self = smp_processor_id();
    mask &= cpu_online_mask() & ~(u64{1} << self);
    if (mask) {
        KERNEL_ASSERT(interrupts_enabled());
        for (u64 rest = mask; rest; rest &= rest - 1) {
            unsigned cpu = static_cast<unsigned>(__builtin_ctzll(rest));
            call_single_data& data = call_data[self][cpu];
            csd_lock_wait(data); // an earlier call without wait
            data.func = func;
            data.info = info;
            __atomic_store_n(&data.locked, 1, __ATOMIC_RELAXED);
            call_single_data* head = __atomic_load_n(&call_single_queue[cpu], __ATOMIC_RELAXED);
            do data.next = head;
            while (!__atomic_compare_exchange_n(&call_single_queue[cpu], &head, &data, false,
                                                __ATOMIC_RELEASE, __ATOMIC_RELAXED));
            if (!head) send_IPI(cpu, CALL_FUNCTION_VECTOR); // else one is on its way
        }
        for (u64 rest = wait ? mask : 0; rest; rest &= rest - 1)
            csd_lock_wait(call_data[self][__builtin_ctzll(rest)]);
    }
    preempt_enable();
}

void on_each_cpu(void (*func)(void*), void* info, bool wait) {
    preempt_disable();
    smp_call_function_many(~u64{0}, func, info, wait);
    bool interrupts = local_irq_save();
    func(info);
    local_irq_restore(interrupts);
    preempt_enable();
}

void generic_smp_call_function_interrupt() {
    call_single_data* data = __atomic_exchange_n(&call_single_queue[smp_processor_id()],
                                                 static_cast<call_single_data*>(nullptr), __ATOMIC_ACQUIRE);
    while (data) {
        call_single_data* next = data->next;
        data->func(data->info);
        __atomic_store_n(&data->locked, 0, __ATOMIC_RELEASE); // the caller may use it again from here
        data = next;
    }
}

void smp_send_stop() {
    for (unsigned cpu = 0; cpu < online_cpus; cpu++)
        if (cpu != smp_processor_id()) send_IPI(cpu, REBOOT_VECTOR);
}

} // namespace kernel
