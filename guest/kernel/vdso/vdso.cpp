// The vDSO: what a program asks so often that a system call is too much, answered in user mode. A shared
// object that exec maps into every program (vdso(7)); compiled for user mode and linked by itself (vdso.lds).
#include "vdso/data.h"

using kernel::vdso_data;

extern "C" const char __ehdr_start __attribute__((visibility("hidden")));

namespace {

struct timespec {
    long tv_sec, tv_nsec;
};
struct timeval {
    long tv_sec, tv_usec;
};
constexpr unsigned long Second = 1'000'000'000;

const volatile vdso_data& data() {
    return *reinterpret_cast<const volatile vdso_data*>(&__ehdr_start - 4096);
}

long system_call(long number, long a, long b, long c) {
    long result;
    asm volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

unsigned long rdtsc_ordered() {
    unsigned low, high;
    asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
    return static_cast<unsigned long>(high) << 32 | low;
}

/// False: the TSC is not the clock.
bool do_hres(bool wall, unsigned long& nanoseconds) {
    const volatile vdso_data& vd = data();
    unsigned seq;
    do {
        while ((seq = __atomic_load_n(&vd.seq, __ATOMIC_ACQUIRE)) & 1) asm volatile("pause");
        if (vd.clock_mode != kernel::VDSO_CLOCKMODE_TSC) return false;
        const unsigned __int128 product =
            static_cast<unsigned __int128>(rdtsc_ordered() - vd.cycle_base) * vd.nanoseconds_per_cycle;
        nanoseconds = static_cast<unsigned long>(product >> 32) + (wall ? vd.wall_offset : 0);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while (vd.seq != seq);
    return true;
}

bool is_wall(int clock) { return clock == 0 || clock == 5; } // REALTIME, its COARSE
bool is_known(int clock) { return clock >= 0 && clock <= 7 && clock != 2 && clock != 3; } // not CPU time

} // namespace

extern "C" {

int __vdso_clock_gettime(int clock, timespec* time) {
    unsigned long now;
    if (!is_known(clock) || !do_hres(is_wall(clock), now))
        return static_cast<int>(system_call(228, clock, reinterpret_cast<long>(time), 0));
    time->tv_sec = static_cast<long>(now / Second);
    time->tv_nsec = static_cast<long>(now % Second);
    return 0;
}

int __vdso_clock_getres(int clock, timespec* time) {
    return static_cast<int>(system_call(229, clock, reinterpret_cast<long>(time), 0));
}

int __vdso_gettimeofday(timeval* time, void* zone) {
    unsigned long now;
    if (zone || !do_hres(true, now))
        return static_cast<int>(
            system_call(96, reinterpret_cast<long>(time), reinterpret_cast<long>(zone), 0));
    if (!time) return 0;
    time->tv_sec = static_cast<long>(now / Second);
    time->tv_usec = static_cast<long>(now % Second / 1000);
    return 0;
}

long __vdso_time(long* time) {
    unsigned long now;
    if (!do_hres(true, now)) return system_call(201, reinterpret_cast<long>(time), 0, 0);
    const long seconds = static_cast<long>(now / Second);
    if (time) *time = seconds;
    return seconds;
}

long __vdso_getcpu(unsigned* cpu, unsigned* node, void*) {
    unsigned long limit;
    asm volatile("lsl %1, %0" : "=r"(limit) : "r"(static_cast<unsigned long>(kernel::CpuNodeSelector)));
    if (cpu) *cpu = static_cast<unsigned>(limit & 0xfff);
    if (node) *node = static_cast<unsigned>(limit >> 12);
    return 0;
}

// The plain names, for programs that bring their own: Linux exports them too.
[[gnu::weak, gnu::alias("__vdso_clock_gettime")]] int clock_gettime(int clock, timespec* time);
[[gnu::weak, gnu::alias("__vdso_clock_getres")]] int clock_getres(int clock, timespec* time);
[[gnu::weak, gnu::alias("__vdso_gettimeofday")]] int gettimeofday(timeval* time, void* zone);
[[gnu::weak, gnu::alias("__vdso_time")]] long time(long* result);
[[gnu::weak, gnu::alias("__vdso_getcpu")]] long getcpu(unsigned* cpu, unsigned* node, void* unused);
}
