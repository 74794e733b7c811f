// How late sleeps end: nanosleep of 1 µs to 10 ms, timer descriptors, poll, on every processor in turn.
// Usage: accuracy MICROSECONDS — what may be late at most. Early is always wrong.
#include "case.h"
#include <poll.h>
#include <sys/timerfd.h>

static long long now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}
static struct timespec at(long long ns) { return (struct timespec){ns / 1000000000, ns % 1000000000}; }

static void by_nanosleep(long long length) {
    struct timespec t = at(length);
    nanosleep(&t, 0);
}
static void by_descriptor(long long length) {
    static int fd = -1;
    if (fd < 0) fd = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec t = {{0, 0}, at(length)};
    unsigned long long ticks;
    timerfd_settime(fd, 0, &t, 0);
    read(fd, &ticks, 8);
}
static void by_ppoll(long long length) {
    struct timespec t = at(length);
    ppoll(0, 0, &t, 0);
}

int main(int argc, char** argv) {
    long long allowed = (argc > 1 ? atoll(argv[1]) : 100) * 1000;
    long long lengths[] = {1000, 50000, 1000000, 10000000};
    struct {
        const char* name;
        void (*sleep)(long long);
    } kinds[] = {{"nanosleep", by_nanosleep}, {"timerfd", by_descriptor}, {"ppoll", by_ppoll}};
    int wrong = 0;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    setvbuf(stdout, 0, _IOLBF, 0);
    for (long cpu = 0; cpu < processors; cpu++) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        sched_setaffinity(0, sizeof set, &set);
        for (unsigned k = 0; k < LENGTH(kinds); k++)
            for (unsigned i = 0; i < LENGTH(lengths); i++) {
                long long least = 1LL << 60, most = -(1LL << 60);
                for (int n = 0; n < 20; n++) {
                    long long begin = now_ns();
                    kinds[k].sleep(lengths[i]);
                    long long late = now_ns() - begin - lengths[i];
                    if (late < least) least = late;
                    if (late > most) most = late;
                }
                int bad = least < 0 || most > allowed;
                wrong += bad;
                printf("CPU %ld %s %lld us: late by %lld to %lld ns%s\n", cpu, kinds[k].name, lengths[i] / 1000, least, most, bad ? " WRONG" : "");
            }
    }
    printf("accuracy: %d wrong\n", wrong);
    return wrong != 0;
}
