// Clock event devices: what raises an interrupt at a chosen time. Each CPU has its local APIC's timer, with
// the TSC as its clock where the processor offers that ("lapic-deadline"), else with its own counter
// ("lapic"); where there is no local APIC, the PIT ticks HZ times a second for all.
//
// Invariants: a device is programmed by its own CPU, interrupts off; next_event is the time that it is
// programmed for, KTIME_MAX while it is not.
#pragma once

#include "arch/x86_64/trap_frame.h"
#include "time/hrtimer.h"

namespace kernel {

enum clock_event_state : u8 {
    CLOCK_EVT_STATE_DETACHED,
    CLOCK_EVT_STATE_SHUTDOWN,
    CLOCK_EVT_STATE_PERIODIC,
    CLOCK_EVT_STATE_ONESHOT,
    CLOCK_EVT_STATE_ONESHOT_STOPPED
};

struct clock_event_device {
    const char* name = nullptr;
    u64 max_delta_ns = 0, min_delta_ns = 0;
    u32 mult = 0, shift = 0; ///< ns × mult >> shift are its cycles
    clock_event_state state_use_accessors = CLOCK_EVT_STATE_DETACHED;
    ktime_t next_event = KTIME_MAX;
    void (*set_next_event)(u64 cycles) = nullptr;
    void (*set_state_shutdown)() = nullptr;
    void (*event_handler)(clock_event_device& device) = nullptr;
    u64 retries = 0;
};
struct tick_device {
    clock_event_device evtdev;
    bool mode = false; ///< one-shot; else periodic
};
extern tick_device tick_cpu_device[NR_CPUS];

/// What its cycles are, from their rate.
void clockevents_config(clock_event_device& device, u64 hertz, u64 min_cycles, u64 max_cycles);
/// False when the time is over, unless `force`: then it comes as soon as it can.
bool clockevents_program_event(clock_event_device& device, ktime_t expires, bool force);
/// This CPU's.
bool tick_program_event(ktime_t expires, bool force);

} // namespace kernel
