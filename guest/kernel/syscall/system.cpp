// System calls on the machine: time, uname, sysinfo, random numbers, log, reboot.
#include "arch/x86_64/acpi.h"
#include "arch/x86_64/user_access.h"
#include "fs/timerfd.h"
#include "fs/vfs.h"
#include "lib/log.h"
#include "lib/random.h"
#include "mm/slab.h"
#include "mm/swap.h"
#include "mm/zone.h"
#include "sched/scheduler.h"
#include "syscall/syscall.h"
#include "syscall/utsname.h"
#include "task/task.h"
#include "time/tick.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

struct TimeSpec {
    i64 seconds, nanoseconds;
};
/// Nanoseconds fill 63 bits; a clock that is set leaves 30 years before that.
constexpr i64 KTIME_SEC_MAX = 9'223'372'036, TIME_SETTOD_SEC_MAX = KTIME_SEC_MAX - 30LL * 365 * 24 * 3600;

Result<u64> read_time(u64 address) {
    TimeSpec time = TRY(get_user<TimeSpec>(address));
    if (time.seconds < 0 || time.nanoseconds < 0 || time.nanoseconds >= 1'000'000'000) return Errno::EINVAL;
    return static_cast<u64>(min(time.seconds, KTIME_SEC_MAX)) * 1'000'000'000 +
           static_cast<u64>(time.nanoseconds);
}
TimeSpec to_time(u64 nanoseconds) {
    return {static_cast<i64>(nanoseconds / 1'000'000'000), static_cast<i64>(nanoseconds % 1'000'000'000)};
}

Result<u64> clock_now(u32 clock) {
    switch (clock) {
    case 0: // REALTIME
    case 5:
    case 11: return ktime_get_real_ns(); // TAI: no leap seconds are announced to us
    case 1:                              // MONOTONIC, MONOTONIC_RAW, MONOTONIC_COARSE, BOOTTIME
    case 4:
    case 6:
    case 7: return ktime_get_ns();
    case 2: { // PROCESS_CPUTIME_ID: what other threads run right now counts at their next tick
        IrqSpinGuard guard(tasklist_lock);
        return thread_group_times(get_current()).runtime + (ktime_get_ns() - get_current()->se.exec_start);
    }
    case 3: { // THREAD_CPUTIME_ID
        bool interrupts =
            local_irq_save(); // a tick between the two looks would move time from one to the other
        u64 runtime = get_current()->se.sum_exec_runtime + (ktime_get_ns() - get_current()->se.exec_start);
        local_irq_restore(interrupts);
        return runtime;
    }
    default: return Errno::EINVAL;
    }
}

/// A relative sleep that a stop or a handled signal interrupts: restart_syscall goes on to the same end.
Result<i64> nanosleep_until(u64 end, u64 remaining) {
    if (hrtimer_nanosleep(static_cast<ktime_t>(end), CLOCK_MONOTONIC).ok()) return i64{0};
    u64 now = ktime_get_ns();
    if (remaining) TRY(put_user(remaining, to_time(now < end ? end - now : 0)));
    auto& block = get_current()->restart_block;
    block.fn = [](task_struct& task) {
        return nanosleep_until(task.restart_block.expires, task.restart_block.address);
    };
    block.expires = end;
    block.address = remaining;
    return Errno::ERESTART_RESTARTBLOCK;
}

Result<i64> sys_nanosleep(u64 wanted, u64 remaining) {
    u64 time = TRY(read_time(wanted));
    return nanosleep_until(static_cast<u64>(ktime_add_safe(ktime_get(), time)), remaining);
}

/// A relative sleep does not care when the wall clock is set (POSIX): it is one of the monotonic clock.
Result<i64> sys_clock_nanosleep(u32 clock, u32 flags, u64 wanted, u64 remaining) {
    if (clock == 2 || clock == 3) return Errno::EOPNOTSUPP; // processor time: nothing sleeps on it
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME && clock != CLOCK_TAI)
        return Errno::EINVAL;
    if (!(flags & 1)) return sys_nanosleep(wanted, remaining);
    u64 time = TRY(read_time(wanted)); // TIMER_ABSTIME
    if (!hrtimer_nanosleep(static_cast<ktime_t>(min<u64>(time, KTIME_MAX)), clock).ok())
        return Errno::ERESTARTNOHAND;
    return i64{0};
}

Result<i64> sys_clock_gettime(u32 clock, u64 target) {
    TRY(put_user(target, to_time(TRY(clock_now(clock)))));
    return i64{0};
}
Result<i64> sys_clock_getres(u32 clock, u64 target) {
    TRY(clock_now(clock));
    if (target)
        TRY(put_user(target,
                     TimeSpec{0, clock == 5 || clock == 6 ? static_cast<i64>(NanosecondsPerTick) : 1}));
    return i64{0};
}
Result<i64> sys_clock_settime(u32 clock, u64 source) {
    if (clock != 0) return Errno::EINVAL;
    u64 now = TRY(read_time(source));
    if (now / 1'000'000'000 >= u64{TIME_SETTOD_SEC_MAX}) return Errno::EINVAL;
    do_settimeofday64(now);
    clock_was_set();
    timerfd_clock_was_set();
    return i64{0};
}

Result<i64> sys_gettimeofday(u64 target, u64 zone) {
    u64 now = ktime_get_real_ns();
    if (target)
        TRY(put_user(target, TimeSpec{static_cast<i64>(now / 1'000'000'000),
                                      static_cast<i64>(now / 1000 % 1'000'000)}));
    if (zone) TRY(put_user<u64>(zone, 0));
    return i64{0};
}
Result<i64> sys_time(u64 target) {
    i64 now = static_cast<i64>(ktime_get_real_ns() / 1'000'000'000);
    if (target) TRY(put_user(target, now));
    return now;
}

/// struct new_utsname: sysname, nodename, release, version, machine, domainname. The names change under
/// uts_lock.
struct new_utsname {
    char fields[6][65];
};
constinit new_utsname init_uts = {{"Linux", "(none)", "6.1.0-vitrine", "#1 SMP PREEMPT", "x86_64", "(none)"}};
constinit spinlock_t uts_lock{"uts"};
Result<i64> sys_uname(u64 target) {
    new_utsname names;
    {
        SpinGuard guard(uts_lock);
        names = init_uts;
    }
    TRY(copy_to_user(target, &names, sizeof names));
    return i64{0};
}

Result<i64> set_uts_name(unsigned field, u64 name, i32 length) {
    if (!capable(*current_cred())) return Errno::EPERM;
    if (length < 0 || length > 64) return Errno::EINVAL;
    char fresh[65] = {};
    TRY(copy_from_user(fresh, name, static_cast<usize>(length)));
    TRY(utsname_write(field, fresh, static_cast<usize>(length)));
    return i64{0};
}
Result<i64> sys_sethostname(u64 name, i32 length) { return set_uts_name(UtsNodeName, name, length); }
Result<i64> sys_setdomainname(u64 name, i32 length) { return set_uts_name(UtsDomainName, name, length); }

Result<i64> sys_sysinfo(u64 target) {
    struct {
        i64 uptime;
        u64 loads[3], total_ram, free_ram, shared_ram, buffer_ram, total_swap, free_swap;
        u16 processes, pad;
        u32 pad2;
        u64 total_high, free_high;
        u32 unit;
        u32 pad3;
    } info = {};
    static_assert(sizeof info == 112);
    info.uptime = static_cast<i64>(ktime_get_ns() / 1'000'000'000);
    for (unsigned i = 0; i < 3; i++) info.loads[i] = avenrun[i] << 5;
    info.total_ram = totalram_pages() * PAGE_SIZE;
    info.free_ram = nr_free_pages() * PAGE_SIZE;
    info.total_swap = total_swap_pages * PAGE_SIZE;
    info.free_swap = nr_swap_pages * PAGE_SIZE;
    info.unit = 1;
    {
        IrqSpinGuard guard(tasklist_lock);
        for (LIST_EACH(node, task_list)) info.processes++;
    }
    TRY(copy_to_user(target, &info, sizeof info));
    return i64{0};
}

Result<i64> sys_getrandom(u64 target, usize size, u32 flags) {
    constexpr u32 GRND_NONBLOCK = 1, GRND_RANDOM = 2, GRND_INSECURE = 4;
    if (flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) return Errno::EINVAL;
    if ((flags & GRND_RANDOM) && (flags & GRND_INSECURE)) return Errno::EINVAL;
    u8 chunk[256];
    size = min<usize>(size, 0x7fff'f000);
    usize done = 0;
    while (done < size) {
        usize count = min<usize>(sizeof chunk, size - done);
        random_bytes(chunk, count);
        if (!copy_to_user(target + done, chunk, count).ok())
            return done ? Result<i64>(static_cast<i64>(done)) : Errno::EFAULT;
        done += count;
        if (!(done % PAGE_SIZE) && signal_pending_state(TASK_INTERRUPTIBLE, *get_current())) break;
    }
    return static_cast<i64>(done);
}

/// READ_ALL (3) and SIZE_BUFFER (10); console levels (6, 7, 8).
Result<i64> sys_syslog(u32 action, u64 target, i32 size) {
    if (action == 10) return i64{128 * 1024};
    if (action == 6)
        console_loglevel = 1;
    else if (action == 7)
        console_loglevel = 7;
    else if (action == 8)
        console_loglevel = static_cast<unsigned>(clamp(size, 1, 8));
    if (action >= 6 && action <= 8) return i64{0};
    if (action != 3 || size < 0) return Errno::EINVAL;
    auto* chunk = static_cast<char*>(kmalloc(PAGE_SIZE));
    if (!chunk) return Errno::ENOMEM;
    u64 cursor = 0;
    usize done = 0;
    Result<void> copied;
    while (done < static_cast<usize>(size) && copied.ok()) {
        usize count = read_log(&cursor, chunk, min<usize>(PAGE_SIZE, static_cast<usize>(size) - done));
        if (!count) break;
        copied = copy_to_user(target + done, chunk, count);
        done += count;
    }
    kfree(chunk);
    TRY(copied);
    return static_cast<i64>(done);
}

Result<i64> sys_reboot(u32 magic1, u32 magic2, u32 command) {
    if (!capable(*current_cred())) return Errno::EPERM;
    if (magic1 != 0xfee1dead ||
        (magic2 != 672274793 && magic2 != 85072278 && magic2 != 369367448 && magic2 != 537993216))
        return Errno::EINVAL;
    if (command == 0 || command == 0x89abcdef) return i64{0}; // CAD off and on: there is no Ctrl-Alt-Del
    if (command != 0x4321fedc && command != 0x1234567 && command != 0xcdef0123) return Errno::EINVAL;
    kill_all_supers();
    if (command == 0x1234567) machine_restart();
    if (command == 0xcdef0123) {
        pr_emerg("reboot: System halted\n");
        machine_halt();
    }
    machine_power_off();
}

using enum ArgumentKind;
constexpr SyscallRow rows[] = {
    row<sys_nanosleep>(35, "nanosleep", Pointer, Pointer),
    row<sys_uname>(63, "uname", Pointer),
    row<sys_gettimeofday>(96, "gettimeofday", Pointer, Pointer),
    row<sys_sysinfo>(99, "sysinfo", Pointer),
    row<sys_syslog>(103, "syslog", Int, Buffer, Int),
    row<sys_reboot>(169, "reboot", Hex, Hex, Hex),
    row<sys_sethostname>(170, "sethostname", Pointer, Int),
    row<sys_setdomainname>(171, "setdomainname", Pointer, Int),
    row<sys_time>(201, "time", Pointer),
    row<sys_clock_settime>(227, "clock_settime", Int, Pointer),
    row<sys_clock_gettime>(228, "clock_gettime", Int, Pointer),
    row<sys_clock_getres>(229, "clock_getres", Int, Pointer),
    row<sys_clock_nanosleep>(230, "clock_nanosleep", Int, Flags, Pointer, Pointer),
    row<sys_getrandom>(318, "getrandom", Buffer, Unsigned, Flags),
};

} // namespace

void utsname_read(unsigned field, char* out, usize capacity) {
    SpinGuard guard(uts_lock);
    strscpy(out, init_uts.fields[field], capacity);
}

Result<void> utsname_write(unsigned field, const char* text, usize length) {
    if (length > 64) return Errno::EINVAL;
    char fresh[65] = {};
    memcpy(fresh, text, length);
    SpinGuard guard(uts_lock);
    memcpy(init_uts.fields[field], fresh, sizeof fresh);
    return {};
}

SyscallSpan system_syscalls() { return {rows, array_size(rows)}; }

} // namespace kernel
