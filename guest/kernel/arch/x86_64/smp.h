// More than one processor: starting the others (smpboot.cpp), and calling them (smp.cpp).
//
// Invariants: CPUs are numbered 0 … online_cpus − 1, 0 started first. A CPU takes part in scheduling, RCU and
// shoot-downs from the moment that online_cpus counts it.
#pragma once

#include "lib/types.h"

namespace kernel {

struct pt_regs;

/// Starts every processor that the ACPI MADT lists, one by one. maxcpus=N on the command line stops earlier.
void smp_init();

/// Enters the scheduler there.
void smp_send_reschedule(unsigned cpu);
/// Runs func(info) on each CPU of the mask but this one, in interrupt context. With `wait`, returns when all
/// have. REQUIRES: interrupts on (two CPUs that call each other must answer), unless only one CPU is online.
void smp_call_function_many(u64 mask, void (*func)(void*), void* info, bool wait);
/// The same on every CPU, this one included.
void on_each_cpu(void (*func)(void*), void* info, bool wait);
/// A panic: the others halt, whatever they do.
void smp_send_stop();

// From common_interrupt.
void generic_smp_call_function_interrupt();

/// The mask of online CPUs.
u64 cpu_online_mask();

} // namespace kernel
