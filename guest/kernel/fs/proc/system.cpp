// /proc's system-wide files: processor, time, interrupts, scheduler, block devices.
#include "arch/x86_64/cpu.h"
#include "block/block.h"
#include "fs/proc/proc.h"
#include "irq/irq.h"
#include "lib/log.h"
#include "sched/fair_math.h"
#include "sched/scheduler.h"
#include "setup.h"
#include "time/tick-sched.h"
#include "time/tick.h"
#include "time/timekeeping.h"

namespace kernel {

void show_cpuinfo(seq_file& out) {
    char flags[1024];
    cpu_flags_text(flags, sizeof flags);
    for (unsigned cpu = 0; cpu < online_cpus; cpu++) {
        out.print("processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\nmodel name\t: "
                  "%s\nstepping\t: %u\n",
                  cpu, boot_cpu_data.vendor, boot_cpu_data.family, boot_cpu_data.model,
                  boot_cpu_data.model_name, boot_cpu_data.stepping);
        out.print("cpu MHz\t\t: %lu.%03lu\napicid\t\t: %u\nfpu\t\t: yes\ncpuid level\t: %u\nflags\t\t: %s\n",
                  tsc_khz / 1000, tsc_khz % 1000, per_cpu[cpu].apic_id, boot_cpu_data.max_leaf, flags);
        out.print("bogomips\t: %lu.%02lu\naddress sizes\t: %u bits physical, %u bits virtual\n\n",
                  tsc_khz / 500, tsc_khz / 5 % 100, boot_cpu_data.physical_bits, boot_cpu_data.linear_bits);
    }
}

void show_uptime(seq_file& out) {
    u64 now = ktime_get_ns() / 10'000'000, idle = 0;
    for (unsigned cpu = 0; cpu < online_cpus; cpu++) idle += get_cpu_idle_time_ns(cpu) / 10'000'000;
    out.print("%lu.%02lu %lu.%02lu\n", now / 100, now % 100, idle / 100, idle % 100);
}

void show_version(seq_file& out) { out.print("%s\n", kernel_banner); }
void show_cmdline(seq_file& out) { out.print("%s\n", command_line); }

void show_interrupts(seq_file& out) {
    out.print("    ");
    for (unsigned cpu = 0; cpu < online_cpus; cpu++) out.print("       CPU%u", cpu);
    out.print("\n");
    for (unsigned line = 0; line < IrqCount; line++) {
        const struct irq_desc& irq = irq_desc[line];
        if (!irq.action) continue;
        out.print("%3u:", line);
        for (unsigned cpu = 0; cpu < online_cpus; cpu++) out.print(" %10lu", irq.kstat_irqs[cpu]);
        out.print("   %s %u-%s      ", irq.chip ? irq.chip : "?", irq.pin, irq.level ? "fasteoi" : "edge");
        for (irqaction* action = irq.action; action; action = action->next)
            out.print("%s%s", action == irq.action ? "" : ", ", action->name);
        out.print("\n");
    }
    out.print("LOC:");
    for (unsigned cpu = 0; cpu < online_cpus; cpu++) out.print(" %10lu", local_timer_counts[cpu]);
    out.print("   Local timer interrupts\nRES:");
    for (unsigned cpu = 0; cpu < online_cpus; cpu++) out.print(" %10lu", irq_resched_count[cpu]);
    out.print("   Rescheduling interrupts\nCAL:");
    for (unsigned cpu = 0; cpu < online_cpus; cpu++) out.print(" %10lu", irq_call_count[cpu]);
    out.print("   Function call interrupts\nSPU: %10lu   Spurious interrupts\nERR: %10lu\n", spurious_count,
              error_count);
}

void show_softirqs(seq_file& out) {
    out.print("                ");
    for (unsigned cpu = 0; cpu < online_cpus; cpu++) out.print("    CPU%u       ", cpu);
    out.print("\n");
    for (unsigned number = 0; number < NR_SOFTIRQS; number++) {
        out.print("%12s:", softirq_to_name[number]);
        for (unsigned cpu = 0; cpu < online_cpus; cpu++) out.print(" %10lu", softirq_counts[number][cpu]);
        out.print("\n");
    }
}

void show_stat(seq_file& out) {
    auto row = [&](const char* name, const struct kernel_cpustat& t, u64 idle) { // in units of 1/100 s
        out.print("%s %lu %lu %lu %lu 0 %lu 0 0 0 0\n", name, t.user * 100 / HZ, t.nice * 100 / HZ,
                  t.system * 100 / HZ, idle / 10'000'000, t.irq * 100 / HZ);
    };
    u64 all_idle = 0;
    for (unsigned cpu = 0; cpu < online_cpus; cpu++) all_idle += get_cpu_idle_time_ns(cpu);
    struct kernel_cpustat all;
    u64 switches = 0, interrupts = 0, running = 0, processes = 0, blocked = 0;
    for (unsigned cpu = 0; cpu < online_cpus; cpu++) {
        const struct kernel_cpustat& t = cpu_times[cpu];
        all.user += t.user, all.nice += t.nice, all.system += t.system, all.irq += t.irq;
        switches += runqueues[cpu].nr_switches;
        running += runqueues[cpu].nr_running;
        interrupts += local_timer_counts[cpu];
        for (const struct irq_desc& line : irq_desc) interrupts += line.kstat_irqs[cpu];
    }
    row("cpu ", all, all_idle);
    for (unsigned cpu = 0; cpu < online_cpus; cpu++) {
        char name[8] = {'c', 'p', 'u', static_cast<char>('0' + cpu), 0};
        row(name, cpu_times[cpu], get_cpu_idle_time_ns(cpu));
    }
    {
        IrqSpinGuard guard(tasklist_lock);
        for (LIST_EACH(node, task_list)) {
            processes++;
            blocked += container_of(node, task_struct, tasks)->__state == TASK_UNINTERRUPTIBLE;
        }
    }
    out.print("intr %lu\nctxt %lu\nbtime %lu\nprocesses %lu\nprocs_running %lu\nprocs_blocked %lu\n",
              interrupts, switches, (ktime_get_real_ns() - ktime_get_ns()) / 1'000'000'000, processes,
              running, blocked);
}

void show_loadavg(seq_file& out) {
    u64 running = 0, total = 0;
    for (unsigned cpu = 0; cpu < online_cpus; cpu++) running += runqueues[cpu].nr_running;
    i32 last = 0;
    {
        IrqSpinGuard guard(tasklist_lock);
        for (LIST_EACH(node, task_list))
            total++, last = max(last, container_of(node, task_struct, tasks)->pid);
    }
    for (u64 load : avenrun) {
        load += 2048 / 200; // rounds
        out.print("%lu.%02lu ", load >> 11, (load & 2047) * 100 >> 11);
    }
    out.print("%lu/%lu %d\n", running, total, last);
}

void show_mounts(seq_file& out) {
    for (const struct mount* mount = mounts; mount; mount = mount->next)
        out.print("%s %s %s %s 0 0\n", mount->source, mount->target, mount->super->s_type,
                  mount->super->s_readonly ? "ro" : "rw");
}
void show_filesystems(seq_file& out) {
    out.print("nodev\tsysfs\nnodev\tproc\nnodev\tdevtmpfs\nnodev\ttmpfs\n\text2\n");
}

void show_partitions(seq_file& out) {
    out.print("major minor  #blocks  name\n\n");
    for (const struct block_device* device = block_devices; device; device = device->next)
        out.print("%4u  %7u %10lu %s\n", device_major(device->i_rdev), device_minor(device->i_rdev),
                  device->sectors / 2, device->name);
}

void show_diskstats(seq_file& out) {
    for (struct block_device* device = block_devices; device; device = device->next) {
        disk_stats s;
        {
            IrqSpinGuard guard(device->disk->queue.lock);
            update_io_ticks(device->bd_stats, ktime_get_ns());
            s = device->bd_stats;
        }
        auto ms = [](u64 nanoseconds) { return nanoseconds / 1'000'000; };
        out.print("%4u %7u %s %lu %lu %lu %lu %lu %lu %lu %lu %u %lu %lu 0 0 0 0 %lu %lu\n",
                  device_major(device->i_rdev), device_minor(device->i_rdev), device->name, s.ios[0],
                  s.merges[0], s.sectors[0], ms(s.nsecs[0]), s.ios[1], s.merges[1], s.sectors[1],
                  ms(s.nsecs[1]), s.in_flight, ms(s.io_ticks), ms(s.nsecs[0] + s.nsecs[1] + s.nsecs[2]),
                  s.ios[2], ms(s.nsecs[2]));
    }
}

} // namespace kernel
