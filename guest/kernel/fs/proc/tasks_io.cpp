// /proc/PID/io and wchan, /proc/ioports, devices, kallsyms. Formats: proc(5).
#include "arch/x86_64/acpi.h"
#include "block/block.h"
#include "fs/proc/proc.h"
#include "lib/kallsyms.h"
#include "lib/string.h"
#include "sched/scheduler.h"
#include "task/task.h"

namespace kernel {

void show_task_io(seq_file& out, task_struct& task) {
    task_io_accounting total;
    {
        IrqSpinGuard guard(tasklist_lock);
        if (!task.signal) return;
        total = task.signal->ioac;
        for (THREAD_EACH(node, task.signal)) total.add(thread_of(node)->ioac);
    }
    out.print("rchar: %lu\nwchar: %lu\nsyscr: %lu\nsyscw: %lu\nread_bytes: %lu\nwrite_bytes: %lu\n"
              "cancelled_write_bytes: %lu\n",
              total.rchar, total.wchar, total.syscr, total.syscw, total.read_bytes, total.write_bytes,
              total.cancelled_write_bytes);
}

namespace {

/// Functions that only carry out the sleep: who called them waits.
bool in_sched_functions(const char* name) {
    static constexpr const char* names[] = {
        "schedule",         "__schedule",      "wait_schedule",           "schedule_timeout",
        "preempt_schedule", "__switch_to_asm", "schedule_hrtimeout_range"};
    for (const char* known : names)
        if (strings_equal(name, known)) return true;
    return name[0] == '_' && name[1] == 'Z'; // instances of the wait loop's template
}

} // namespace

/// The function in which the task sleeps. What it reads of the stack may be out of date a moment later: every
/// step is checked against the stack's bounds, and a wrong name is the worst that happens.
void show_task_wchan(seq_file& out, task_struct& task) {
    u64 stack = reinterpret_cast<u64>(task.stack);
    u64 saved = __atomic_load_n(&task.kernel_rsp, __ATOMIC_RELAXED);
    auto inside = [&](u64 address) {
        return address >= stack && address <= stack + THREAD_SIZE - 16 && address % 8 == 0;
    };
    if (task.__state == TASK_RUNNING || task.on_cpu || task.exit_state || !inside(saved) ||
        !inside(saved + 40)) {
        out.print("0");
        return;
    }
    u64 frame = reinterpret_cast<const u64*>(saved)[5]; // __switch_to_asm pushed RBP first
    for (unsigned depth = 0; depth < 16 && inside(frame); depth++) {
        const u64* pair = reinterpret_cast<const u64*>(frame);
        Symbol symbol;
        if (!kallsyms_lookup(pair[1], &symbol)) break;
        if (!in_sched_functions(symbol.name)) {
            out.print("%s", symbol.name);
            return;
        }
        if (pair[0] <= frame) break;
        frame = pair[0];
    }
    out.print("0");
}

/// The ports that this kernel's drivers use, where they always are on a PC, and those that ACPI names.
void show_ioports(seq_file& out) {
    out.print("0020-0021 : pic1\n0040-0043 : timer0\n0060-0060 : keyboard\n0064-0064 : keyboard\n"
              "0070-0071 : rtc0\n00a0-00a1 : pic2\n03c0-03df : vga+\n03f8-03ff : serial\n");
    const struct {
        u16 port;
        u16 length;
        const char* name;
    } ports[] = {{acpi.pm1a_event_port, 4, "ACPI PM1a_EVT_BLK"},
                 {acpi.pm1a_control_port, 2, "ACPI PM1a_CNT_BLK"},
                 {acpi.pm_timer_port, 4, "ACPI PM_TMR"}};
    for (const auto& entry : ports)
        if (entry.port) out.print("%04x-%04x : %s\n", entry.port, entry.port + entry.length - 1, entry.name);
    out.print("0cf8-0cff : PCI conf1\n");
}

void show_devices(seq_file& out) {
    out.print("Character devices:\n  1 mem\n  4 tty\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n136 "
              "pts\n\nBlock devices:\n");
    u32 last = 0;
    for (const struct block_device* device = block_devices; device; device = device->next)
        if (u32 major = device_major(device->i_rdev); major != last) out.print("%3u sd\n", last = major);
}

void show_kallsyms(seq_file& out) {
    bool root = capable(*current_cred()); // others see no addresses
    Symbol symbol;
    for (u32 i = 0; kallsyms_entry(i, &symbol); i++)
        out.print("%016lx T %s\n", root ? symbol.address : 0, symbol.name);
}

} // namespace kernel
