// System calls for the bundled programs: Linux's numbers for x86-64, results as they come (minus the error).
// No C library is involved, so the product builds without one.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace user {

inline long system_call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
    long result;
    register long r10 asm("r10") = d;
    register long r8 asm("r8") = e;
    register long r9 asm("r9") = f;
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                 : "rcx", "r11", "memory");
    return result;
}
template <typename T> long as_long(T* pointer) { return reinterpret_cast<long>(pointer); }

struct TimeSpec {
    long seconds, nanoseconds;
};

inline long read(int file, void* to, size_t size) {
    return system_call(0, file, as_long(to), static_cast<long>(size));
}
inline long write(int file, const void* from, size_t size) {
    return system_call(1, file, as_long(from), static_cast<long>(size));
}
inline long open(const char* path, int flags, int mode = 0) {
    return system_call(2, as_long(path), flags, mode);
}
inline long close(int file) { return system_call(3, file); }
inline long sleep(const TimeSpec& time) { return system_call(35, as_long(&time)); }
inline long process_id() { return system_call(39); }
inline long fork() { return system_call(57); }
[[noreturn]] inline void exit(int code) {
    for (;;) system_call(231, code);
}
inline long wait_for(long pid, int* status, int options) {
    return system_call(61, pid, as_long(status), options);
}
inline long kill(long pid, int signal) { return system_call(62, pid, signal); }
/// The processor that this runs on; below 0: an error.
inline long current_processor() {
    unsigned processor = 0;
    const long result = system_call(309, as_long(&processor));
    return result < 0 ? result : static_cast<long>(processor);
}
/// Binds the caller, and children to come, to one processor below 64.
inline long bind_to_processor(long processor) {
    const unsigned long mask = 1ul << processor;
    return system_call(203, 0, sizeof mask, as_long(&mask));
}
inline long set_priority(long pid, int nice) { return system_call(141, 0, pid, nice); }
/// 0–39: 20 minus the nice value.
inline long get_priority(long pid) { return system_call(140, 0, pid); }
/// struct sched_param is one int: the priority.
inline long set_scheduler(long pid, int policy, int priority) {
    return system_call(144, pid, policy, as_long(&priority));
}
inline long get_scheduler(long pid) { return system_call(145, pid); }
inline long get_scheduling_priority(long pid) {
    int priority = 0;
    const long result = system_call(143, pid, as_long(&priority));
    return result < 0 ? result : priority;
}
inline long execute(const char* path, char** words, char** environment) {
    return system_call(59, as_long(path), as_long(words), as_long(environment));
}

} // namespace user
