// /proc's system-wide files: processor, time, interrupts, scheduler, block devices.
#include "arch/x86_64/cpu.h"
#include "block/block.h"
#include "fs/proc/proc.h"
#include "irq/irq.h"
#include "lib/log.h"
#include "sched/fair_math.h"
#include "sched/scheduler.h"
#include "setup.h"
#include "time/tick.h"
#include "time/timekeeping.h"

namespace kernel {

void show_cpuinfo(TextBuffer& out) {
    char flags[1024];
    cpu_flags_text(flags, sizeof flags);
    for (unsigned cpu = 0; cpu < online_cpus; cpu++) {
        out.print("processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\nmodel name\t: "
                  "%s\nstepping\t: %u\n",
                  cpu, cpu_features.vendor, cpu_features.family, cpu_features.model, cpu_features.model_name,
                  cpu_features.stepping);
        out.print("cpu MHz\t\t: %lu.%03lu\napicid\t\t: %u\nfpu\t\t: yes\ncpuid level\t: %u\nflags\t\t: %s\n",
                  tsc_khz / 1000, tsc_khz % 1000, per_cpu[cpu].apic_id, cpu_features.max_leaf, flags);
        out.print("bogomips\t: %lu.%02lu\naddress sizes\t: %u bits physical, %u bits virtual\n\n",
                  tsc_khz / 500, tsc_khz / 5 % 100, cpu_features.physical_bits, cpu_features.linear_bits);
    }
}

void show_uptime(TextBuffer& out) {
    u64 now = clock_nanoseconds() / 10'000'000, idle = 0;
    for (unsigned cpu = 0; cpu < online_cpus; cpu++) idle += cpu_times[cpu].idle * 100 / HZ;
    out.print("%lu.%02lu %lu.%02lu\n", now / 100, now % 100, idle / 100, idle % 100);
}

void show_version(TextBuffer& out) { out.print("%s\n", kernel_banner); }
void show_cmdline(TextBuffer& out) { out.print("%s\n", command_line); }

void show_interrupts(TextBuffer& out) {
    out.print("    ");
    for (unsigned cpu = 0; cpu < online_cpus; cpu++) out.print("       CPU%u", cpu);
    out.print("\n");
    for (unsigned line = 0; line < IrqCount; line++) {
        const IrqLine& irq = irq_lines[line];
        if (!irq.actions) continue;
        out.print("%3u:", line);
        for (unsigned cpu = 0; cpu < online_cpus; cpu++) out.print(" %10lu", irq.counts[cpu]);
        out.print("   %s %u-%s      ", irq.chip ? irq.chip : "?", irq.pin, irq.level ? "fasteoi" : "edge");
        for (IrqAction* action = irq.actions; action; action = action->next)
            out.print("%s%s", action == irq.actions ? "" : ", ", action->name);
        out.print("\n");
    }
    out.print("LOC:");
    for (unsigned cpu = 0; cpu < online_cpus; cpu++) out.print(" %10lu", local_timer_counts[cpu]);
    out.print("   Local timer interrupts\nSPU: %10lu   Spurious interrupts\nERR: %10lu\n", spurious_count,
              error_count);
}

void show_softirqs(TextBuffer& out) {
    out.print("                ");
    for (unsigned cpu = 0; cpu < online_cpus; cpu++) out.print("    CPU%u       ", cpu);
    out.print("\n");
    for (unsigned number = 0; number < SoftirqCount; number++) {
        out.print("%12s:", softirq_names[number]);
        for (unsigned cpu = 0; cpu < online_cpus; cpu++) out.print(" %10lu", softirq_counts[number][cpu]);
        out.print("\n");
    }
}

void show_stat(TextBuffer& out) {
    auto row = [&](const char* name, const CpuTimes& t) { // in units of 1/100 s
        out.print("%s %lu %lu %lu %lu 0 %lu 0 0 0 0\n", name, t.user * 100 / HZ, t.nice * 100 / HZ,
                  t.system * 100 / HZ, t.idle * 100 / HZ, t.irq * 100 / HZ);
    };
    CpuTimes all;
    u64 switches = 0, interrupts = 0, running = 0, processes = 0, blocked = 0;
    for (unsigned cpu = 0; cpu < online_cpus; cpu++) {
        const CpuTimes& t = cpu_times[cpu];
        all.user += t.user, all.nice += t.nice, all.system += t.system, all.idle += t.idle, all.irq += t.irq;
        switches += run_queues[cpu].switches;
        running += run_queues[cpu].running;
        interrupts += local_timer_counts[cpu];
        for (const IrqLine& line : irq_lines) interrupts += line.counts[cpu];
    }
    row("cpu ", all);
    for (unsigned cpu = 0; cpu < online_cpus; cpu++) {
        char name[8] = {'c', 'p', 'u', static_cast<char>('0' + cpu), 0};
        row(name, cpu_times[cpu]);
    }
    {
        IrqSpinGuard guard(task_list_lock);
        for (LIST_EACH(node, task_list)) {
            processes++;
            blocked += CONTAINER_OF(node, Task, tasks)->state == TaskUninterruptible;
        }
    }
    out.print("intr %lu\nctxt %lu\nbtime %lu\nprocesses %lu\nprocs_running %lu\nprocs_blocked %lu\n",
              interrupts, switches, (wall_clock_nanoseconds() - clock_nanoseconds()) / 1'000'000'000,
              processes, running, blocked);
}

void show_loadavg(TextBuffer& out) {
    u64 running = 0, total = 0;
    for (unsigned cpu = 0; cpu < online_cpus; cpu++) running += run_queues[cpu].running;
    i32 last = 0;
    {
        IrqSpinGuard guard(task_list_lock);
        for (LIST_EACH(node, task_list)) total++, last = max(last, CONTAINER_OF(node, Task, tasks)->pid);
    }
    for (u64 load : load_averages) {
        load += 2048 / 200; // rounds
        out.print("%lu.%02lu ", load >> 11, (load & 2047) * 100 >> 11);
    }
    out.print("%lu/%lu %d\n", running, total, last);
}

static void print_milliseconds(TextBuffer& out, u64 nanoseconds) {
    out.print("%lu.%06lu", nanoseconds / 1'000'000, nanoseconds % 1'000'000);
}

void show_sched_debug(TextBuffer& out) {
    out.print("Sched Debug Version: v0.11, Vitrine 0.1\njiffies : %lu\n", jiffies);
    u64 factor = cpu_factor(online_cpus);
    out.print("sysctl_sched_latency : %lu.000000\nsysctl_sched_min_granularity : %lu.%06lu\n",
              BaseLatency * factor / 1'000'000, BaseMinGranularity * factor / 1'000'000,
              BaseMinGranularity * factor % 1'000'000);
    for (unsigned cpu = 0; cpu < online_cpus; cpu++) {
        RunQueue& queue = run_queues[cpu];
        out.print("\ncpu#%u, %lu.%03lu MHz\n  .nr_running : %u\n  .nr_switches : %lu\n  .curr->pid : %d\n  "
                  ".clock : ",
                  cpu, tsc_khz / 1000, tsc_khz % 1000, queue.running, queue.switches, queue.current->pid);
        print_milliseconds(out, queue.clock);
        out.print("\n\ncfs_rq[%u]:\n  .min_vruntime : ", cpu);
        print_milliseconds(out, queue.fair.min_vruntime);
        out.print("\n  .nr_running : %lu\n  .load : %lu\n\nrunnable tasks:\n S            task   PID         "
                  "tree-key  switches  prio     sum-exec\n",
                  queue.fair.running, queue.fair.load);
        IrqSpinGuard guard(task_list_lock);
        for (LIST_EACH(node, task_list)) {
            Task* task = CONTAINER_OF(node, Task, tasks);
            if (task->cpu != cpu || !task->se.on_run_queue) continue;
            out.print("%s%c %15s %5d ", task->on_cpu ? ">" : " ", task_state_letter(*task), task->comm,
                      task->pid);
            print_milliseconds(out, task->se.vruntime);
            out.print(" %9lu %5d ", task->se.voluntary_switches + task->se.involuntary_switches,
                      120 + task->nice);
            print_milliseconds(out, task->se.sum_exec_runtime);
            out.print("\n");
        }
    }
}

void show_mounts(TextBuffer& out) {
    for (const MountRecord* mount = mounts; mount; mount = mount->next)
        out.print("%s %s %s %s 0 0\n", mount->source, mount->target, mount->super->type,
                  mount->super->read_only ? "ro" : "rw");
}
void show_filesystems(TextBuffer& out) { out.print("nodev\tproc\nnodev\tdevtmpfs\n\text2\n"); }

void show_partitions(TextBuffer& out) {
    out.print("major minor  #blocks  name\n\n");
    for (const BlockInode* device = block_devices; device; device = device->next)
        out.print("%4u  %7u %10lu %s\n", device_major(device->device), device_minor(device->device),
                  device->sectors / 2, device->name);
}

void show_diskstats(TextBuffer& out) {
    for (Disk* disk = disks; disk; disk = disk->next) {
        const DiskStatistics& s = disk->statistics;
        out.print("%4u %7u %s %lu 0 %lu %lu %lu 0 %lu %lu %u %lu %lu\n", 8U, disk->first_minor, disk->name,
                  s.reads, s.read_sectors, s.read_nanoseconds / 1'000'000, s.writes, s.write_sectors,
                  s.write_nanoseconds / 1'000'000, disk->in_flight,
                  (s.read_nanoseconds + s.write_nanoseconds) / 1'000'000,
                  (s.read_nanoseconds + s.write_nanoseconds) / 1'000'000);
    }
}

} // namespace kernel
