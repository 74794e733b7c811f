// /proc/timer_list: every high-resolution timer, each CPU's tick, and the clock event devices, in Linux's
// format (kernel/time/timer_list.c, version v0.9).
#include "arch/x86_64/segments.h"
#include "fs/proc/proc.h"
#include "lib/kallsyms.h"
#include "time/clockevents.h"
#include "time/tick-sched.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

const char* name_of(const void* function, Symbol& symbol) {
    return kallsyms_lookup(reinterpret_cast<u64>(function), &symbol) ? symbol.name : "0x0";
}
template <typename Function> const void* address_of(Function function) {
    return reinterpret_cast<const void*>(function);
}

/// The timers go with the lock once it is open: one at a time is copied under it.
void print_active_timers(seq_file& out, hrtimer_clock_base& base, ktime_t now) {
    for (unsigned index = 0;; index++) {
        hrtimer copy;
        const void* address = nullptr;
        {
            IrqSpinGuard guard(base.cpu_base->lock);
            const struct rb_node* node = base.active.rb_root.rb_leftmost;
            for (unsigned skip = 0; node && skip < index; skip++) node = rb_next(node);
            if (!node) return;
            address = container_of_offset<const hrtimer>(node, offsetof(hrtimer, node) +
                                                                   offsetof(timerqueue_node, node));
            copy = *static_cast<const hrtimer*>(address);
        }
        Symbol symbol;
        out.print(" #%u: <%016lx>, %s, S:%02x\n", index, reinterpret_cast<u64>(address),
                  name_of(address_of(copy.function), symbol), copy.state);
        out.print(" # expires at %ld-%ld nsecs [in %ld to %ld nsecs]\n", copy._softexpires, copy.node.expires,
                  copy._softexpires - now, copy.node.expires - now);
        if (out.length >= out.capacity) return;
    }
}

void print_base(seq_file& out, hrtimer_clock_base& base, ktime_t now) {
    Symbol symbol;
    out.print("  .base:       %016lx\n  .index:      %u\n  .resolution: %u nsecs\n",
              reinterpret_cast<u64>(&base), base.index, base.cpu_base->hres_active ? 1 : 1'000'000'000 / HZ);
    out.print("  .get_time:   %s\n  .offset:     %ld nsecs\nactive timers:\n",
              name_of(address_of(base.get_time), symbol), base.offset);
    print_active_timers(out, base, now + base.offset);
}

void print_cpu(seq_file& out, unsigned cpu, ktime_t now) {
    hrtimer_cpu_base& base = hrtimer_bases[cpu];
    const tick_sched& ts = tick_cpu_sched[cpu];
    out.print("cpu: %u\n", cpu);
    for (unsigned i = 0; i < HRTIMER_MAX_CLOCK_BASES; i++) {
        out.print(" clock %u:\n", i);
        print_base(out, base.clock_base[i], now);
    }
    auto number = [&](const char* name, u64 value) { out.print("  .%-15s: %lu\n", name, value); };
    auto time = [&](const char* name, u64 value) { out.print("  .%-15s: %lu nsecs\n", name, value); };
    auto at = [&](const char* name, ktime_t value) { time(name, static_cast<u64>(value)); };
    at("expires_next", base.expires_next);
    number("hres_active", base.hres_active);
    number("nr_events", base.nr_events);
    number("nr_retries", base.nr_retries);
    number("nr_hangs", base.nr_hangs);
    number("max_hang_time", base.max_hang_time);
    number("nohz_mode", ts.nohz_mode);
    at("last_tick", ts.last_tick);
    number("tick_stopped", ts.tick_stopped);
    number("idle_jiffies", ts.idle_jiffies);
    number("idle_calls", ts.idle_calls);
    number("idle_sleeps", ts.idle_sleeps);
    at("idle_entrytime", ts.idle_entrytime);
    at("idle_waketime", ts.idle_waketime);
    at("idle_exittime", ts.idle_exittime);
    time("idle_sleeptime", ts.idle_sleeptime);
    time("iowait_sleeptime", 0); // waiting for a disk is not told apart
    number("last_jiffies", ts.last_jiffies);
    number("next_timer", static_cast<u64>(ts.next_timer));
    at("idle_expires", ts.idle_expires);
    out.print("jiffies: %lu\n\n", jiffies);
}

void print_tickdevice(seq_file& out, unsigned cpu) {
    const tick_device& device = tick_cpu_device[cpu];
    const clock_event_device& dev = device.evtdev;
    out.print("Tick Device: mode:     %u\nPer CPU device: %u\nClock Event Device: ", device.mode, cpu);
    if (!dev.name) {
        out.print("<NULL>\n");
        return;
    }
    Symbol symbol;
    out.print("%s\n max_delta_ns:   %lu\n min_delta_ns:   %lu\n mult:           %u\n shift:          %u\n",
              dev.name, dev.max_delta_ns, dev.min_delta_ns, dev.mult, dev.shift);
    out.print(" mode:           %u\n next_event:     %ld nsecs\n", dev.state_use_accessors, dev.next_event);
    out.print(" set_next_event: %s\n", name_of(address_of(dev.set_next_event), symbol));
    if (dev.set_state_shutdown) {
        const char* shutdown = name_of(address_of(dev.set_state_shutdown), symbol);
        out.print(" shutdown:       %s\n oneshot stopped: %s\n", shutdown, shutdown);
    }
    out.print(" event_handler:  %s\n\n retries:        %lu\n", name_of(address_of(dev.event_handler), symbol),
              dev.retries);
    out.print("Wakeup Device: <NULL>\n\n");
}

} // namespace

void show_timer_list(seq_file& out) {
    ktime_t now = ktime_get();
    out.print("Timer List Version: v0.9\nHRTIMER_MAX_CLOCK_BASES: %u\nnow at %ld nsecs\n\n",
              static_cast<unsigned>(HRTIMER_MAX_CLOCK_BASES), now);
    for (unsigned cpu = 0; cpu < online_cpus; cpu++) print_cpu(out, cpu, now);
    for (unsigned cpu = 0; cpu < online_cpus; cpu++) print_tickdevice(out, cpu);
}

} // namespace kernel
