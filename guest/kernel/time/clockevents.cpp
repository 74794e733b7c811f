// Programming clock event devices; see clockevents.h.
#include "time/clockevents.h"

#include "time/timekeeping.h"

namespace kernel {

constinit tick_device tick_cpu_device[NR_CPUS] = {};

void clockevents_config(clock_event_device& device, u64 hertz, u64 min_cycles, u64 max_cycles) {
    constexpr u64 Second = 1'000'000'000;
    u32 shift = 32;
    while (shift && hertz / Second + 1 > u64{1} << (32 - shift)) shift--; // mult has 32 bits
    // Rounded up, so that no event comes before its time.
    u64 whole = hertz / Second, rest = hertz % Second; // hertz << shift would not fit 64 bits
    device.mult = static_cast<u32>((whole << shift) + divide_up(rest << shift, Second));
    device.shift = shift;
    auto ns = [&](u64 cycles) {
        return cycles > ~u64{0} >> shift ? ~u64{0} >> 1 : (cycles << shift) / device.mult;
    };
    device.min_delta_ns = max<u64>(ns(min_cycles), 1000);
    device.max_delta_ns = ns(max_cycles);
}

bool clockevents_program_event(clock_event_device& device, ktime_t expires, bool force) {
    if (expires == KTIME_MAX) {
        if (device.state_use_accessors != CLOCK_EVT_STATE_ONESHOT_STOPPED) device.set_state_shutdown();
        device.state_use_accessors = CLOCK_EVT_STATE_ONESHOT_STOPPED;
        device.next_event = KTIME_MAX;
        return true;
    }
    ktime_t delta = expires - ktime_get();
    if (delta <= 0 && !force) return false;
    device.state_use_accessors = CLOCK_EVT_STATE_ONESHOT;
    device.next_event = expires;
    u64 wait = clamp(static_cast<u64>(max<ktime_t>(delta, 0)), device.min_delta_ns, device.max_delta_ns);
    if (delta <= 0) device.retries++;
    device.set_next_event(
        static_cast<u64>(static_cast<unsigned __int128>(wait) * device.mult >> device.shift) + 1);
    return true;
}

bool tick_program_event(ktime_t expires, bool force) {
    return clockevents_program_event(tick_cpu_device[smp_processor_id()].evtdev, expires, force);
}

} // namespace kernel
