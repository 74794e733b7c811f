// Timers of every kind: sleeps, interval timers, POSIX timers, timer descriptors, timeouts of waiting calls. What
// is printed does not depend on how fast the machine is.
#include "case.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/timerfd.h>

static long long now_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}
static struct timespec at(long long ns) { return (struct timespec){ns / 1000000000, ns % 1000000000}; }
static struct itimerspec every(long long value, long long interval) {
    return (struct itimerspec){at(interval), at(value)};
}

static void sleeps(void) {
    long long lengths[] = {0, 1, 1000, 50000, 999999, 1000000, 4000000, 10000001};
    for (unsigned i = 0; i < LENGTH(lengths); i++) {
        int early = 0, failed = 0;
        for (int n = 0; n < 5; n++) {
            struct timespec t = at(lengths[i]);
            long long begin = now_ns(CLOCK_MONOTONIC);
            failed += nanosleep(&t, 0) != 0;
            early += now_ns(CLOCK_MONOTONIC) < begin + lengths[i];
        }
        printf("nanosleep %lld: %d early, %d failed\n", lengths[i], early, failed);
    }
    clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI};
    for (unsigned i = 0; i < LENGTH(clocks); i++) {
        long long end = now_ns(clocks[i]) + 3000000;
        struct timespec t = at(end), past = at(1000), left = {7, 7};
        int until = clock_nanosleep(clocks[i], TIMER_ABSTIME, &t, &left);
        printf("clock %d: until %d, early %d, left %ld, past %d\n", clocks[i], until, now_ns(clocks[i]) < end, left.tv_nsec,
               clock_nanosleep(clocks[i], TIMER_ABSTIME, &past, 0));
    }
    struct timespec bad = {0, 1000000000}, negative = {-1, 0}, one = {0, 1};
    printf("bad %d, negative %d, null %d, thread clock %d, no clock %d\n", RESULT(nanosleep(&bad, 0)),
           RESULT(nanosleep(&negative, 0)), RESULT(syscall(SYS_nanosleep, 0, 0)),
           RESULT(syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &one, 0)),
           RESULT(syscall(SYS_clock_nanosleep, 99, 0, &one, 0)));
}

static volatile int alarms, overruns;
static volatile long value_seen;
static void count(int signal) { alarms++; }
static void count_info(int signal, siginfo_t* info, void* context) {
    alarms++;
    overruns += info->si_overrun;
    value_seen = info->si_code * 1000L + info->si_value.sival_int;
}
static void handle(int signal, void (*simple)(int), void (*full)(int, siginfo_t*, void*)) {
    struct sigaction action = {0};
    if (full)
        action.sa_sigaction = full, action.sa_flags = SA_SIGINFO;
    else
        action.sa_handler = simple;
    sigaction(signal, &action, 0);
}

static void interrupted(void) {
    handle(SIGALRM, count, 0);
    struct itimerval soon = {{0, 0}, {0, 20000}};
    setitimer(ITIMER_REAL, &soon, 0);
    struct timespec t = {1000, 0}, left = {0, 0};
    int result = RESULT(nanosleep(&t, &left));
    printf("nanosleep %d, alarms %d, left %d\n", result, alarms, left.tv_sec > 900);
    setitimer(ITIMER_REAL, &soon, 0);
    t = at(now_ns(CLOCK_MONOTONIC) + 5000000000LL);
    printf("absolute %d\n", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, &left));
    setitimer(ITIMER_REAL, &soon, 0);
    printf("poll %d\n", RESULT(poll(0, 0, 5000)));
    setitimer(ITIMER_REAL, &soon, 0);
    printf("epoll %d\n", RESULT(epoll_wait(epoll_create1(0), &(struct epoll_event){0}, 1, 5000)));
}

static void interval(void) {
    handle(SIGALRM, count, 0);
    struct itimerval now, old, fast = {{0, 2000}, {0, 2000}}, off = {{0, 0}, {0, 0}}, slow = {{100, 7}, {50, 0}};
    setitimer(ITIMER_REAL, &fast, 0);
    while (alarms < 10) pause();
    getitimer(ITIMER_REAL, &now);
    printf("interval %ld, running %d\n", (long)now.it_interval.tv_usec, now.it_value.tv_sec == 0 && now.it_value.tv_usec > 0);
    setitimer(ITIMER_REAL, &slow, &old);
    printf("old interval %ld\n", (long)old.it_interval.tv_usec);
    setitimer(ITIMER_REAL, &off, &old);
    printf("old %ld %ld, less than set %d\n", (long)old.it_interval.tv_sec, (long)old.it_interval.tv_usec, old.it_value.tv_sec < 51);
    getitimer(ITIMER_REAL, &now);
    printf("off: %ld %ld %ld\n", (long)now.it_value.tv_sec, (long)now.it_value.tv_usec, (long)now.it_interval.tv_usec);
    unsigned first = alarm(30), second = alarm(0);
    printf("alarm %u, again %u\n", first, second);
    struct itimerval bad = {{0, 0}, {0, 1000000}};
    printf("bad %d, no such %d %d\n", RESULT(setitimer(ITIMER_REAL, &bad, 0)), RESULT(setitimer(3, &fast, 0)), RESULT(getitimer(3, &now)));
    // A short interval leaves time: it is armed again when its signal is taken.
    alarms = 0;
    struct itimerval shortest = {{0, 300}, {0, 1}};
    setitimer(ITIMER_REAL, &shortest, 0);
    while (alarms < 100) {
    }
    setitimer(ITIMER_REAL, &off, 0);
    puts("shortest: done");
}

static void processor_time(void) {
    int kinds[] = {ITIMER_VIRTUAL, ITIMER_PROF}, signals[] = {SIGVTALRM, SIGPROF};
    for (int i = 0; i < 2; i++) {
        alarms = 0;
        handle(signals[i], count, 0);
        struct itimerval t = {{0, 20000}, {0, 20000}}, now;
        setitimer(kinds[i], &t, 0);
        while (alarms < 3) {
        }
        getitimer(kinds[i], &now);
        printf("kind %d: interval %ld, running %d\n", kinds[i], (long)now.it_interval.tv_usec, now.it_value.tv_usec > 0);
        t = (struct itimerval){{0, 0}, {0, 0}};
        setitimer(kinds[i], &t, 0);
    }
    // Who sleeps uses none.
    struct itimerval t = {{0, 0}, {0, 10000}};
    alarms = 0;
    setitimer(ITIMER_PROF, &t, 0);
    pause_ms(100);
    printf("asleep: %d\n", alarms);
}

/// Nothing that the process was given remains behind exec and fork.
static void inherited(void) {
    struct itimerval t = {{0, 0}, {100, 0}}, now;
    setitimer(ITIMER_REAL, &t, 0);
    timer_t id;
    timer_create(CLOCK_MONOTONIC, 0, &id);
    if (!fork()) {
        getitimer(ITIMER_REAL, &now);
        struct itimerspec left;
        printf("child: %ld, timer %d\n", (long)now.it_value.tv_sec, RESULT(timer_gettime(id, &left)));
        fflush(stdout);
        _exit(0);
    }
    wait(0);
    getitimer(ITIMER_REAL, &now);
    printf("parent: %d\n", now.it_value.tv_sec > 50);
}

static void posix_timers(void) {
    handle(SIGUSR1, 0, count_info);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 77};
    timer_t id, other;
    printf("create %d\n", RESULT(timer_create(CLOCK_MONOTONIC, &event, &id)));
    struct itimerspec left = every(9, 9), t = every(5000000, 0);
    printf("not armed: get %d", RESULT(timer_gettime(id, &left)));
    printf(" %ld %ld\n", left.it_value.tv_nsec, left.it_interval.tv_nsec);
    timer_settime(id, 0, &t, &left);
    while (!alarms) pause();
    printf("once: alarms %d, code and value %ld\n", alarms, value_seen);
    timer_gettime(id, &left);
    printf("over: %ld %ld\n", (long)left.it_value.tv_sec, left.it_value.tv_nsec);
    alarms = overruns = 0;
    t = every(1000000, 1000000);
    timer_settime(id, 0, &t, 0);
    while (alarms < 5) pause();
    timer_gettime(id, &left);
    printf("interval %ld, running %d\n", left.it_interval.tv_nsec, left.it_value.tv_nsec > 0);
    // Blocked for a while: one signal, the rest are overruns.
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, 0);
    alarms = overruns = 0;
    pause_ms(50);
    siginfo_t info;
    sigwaitinfo(&set, &info);
    printf("waited: code %d, timer %d, value %d, overruns %d, as told %d\n", info.si_code, info.si_timerid >= 0, info.si_value.sival_int,
           info.si_overrun >= 40, timer_getoverrun(id) == info.si_overrun);
    t = every(0, 5);
    timer_settime(id, 0, &t, &left);
    printf("old interval %ld\n", left.it_interval.tv_nsec);
    timer_gettime(id, &left);
    printf("off: %ld %ld\n", left.it_value.tv_nsec, left.it_interval.tv_nsec);
    long long when = now_ns(CLOCK_REALTIME) + 2000000;
    printf("real %d\n", RESULT(timer_create(CLOCK_REALTIME, 0, &other)));
    sigaddset(&set, SIGALRM);
    sigprocmask(SIG_BLOCK, &set, 0);
    t = (struct itimerspec){{0, 0}, at(when)};
    timer_settime(other, TIMER_ABSTIME, &t, 0);
    sigset_t alarm_only; // the other timer's last signal may have come meanwhile
    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    sigwaitinfo(&alarm_only, &info);
    printf("absolute: signal %d, early %d, own number as value %d\n", info.si_signo, now_ns(CLOCK_REALTIME) < when,
           info.si_value.sival_int == info.si_timerid);
    // Ignored: nothing comes, and the timer goes on.
    signal(SIGALRM, SIG_IGN);
    sigemptyset(&set);
    sigprocmask(SIG_SETMASK, &set, 0);
    t = every(1, 1);
    timer_settime(other, 0, &t, 0);
    pause_ms(20);
    timer_gettime(other, &left);
    printf("ignored: interval %ld, running %d\n", left.it_interval.tv_nsec, left.it_value.tv_nsec > 0);
    printf("delete %d %d, again %d", RESULT(timer_delete(id)), RESULT(timer_delete(other)), RESULT(timer_delete(id)));
    printf(", then %d %d %d\n", RESULT(timer_gettime(id, &left)), RESULT(timer_settime(id, 0, &t, 0)), RESULT(timer_getoverrun(id)));
    event.sigev_signo = 65;
    printf("bad signal %d", RESULT(timer_create(CLOCK_MONOTONIC, &event, &id)));
    event.sigev_signo = SIGUSR1, event.sigev_notify = 9;
    printf(", notify %d", RESULT(timer_create(CLOCK_MONOTONIC, &event, &id)));
    printf(", clock %d, null %d\n", RESULT(timer_create(55, 0, &id)), RESULT(syscall(SYS_timer_create, CLOCK_MONOTONIC, 0, 0)));
    event.sigev_notify = SIGEV_NONE;
    timer_create(CLOCK_MONOTONIC, &event, &id);
    t = every(1000000, 500000000);
    timer_settime(id, 0, &t, 0);
    pause_ms(20);
    timer_gettime(id, &left);
    printf("silent: interval %ld, running %d\n", left.it_interval.tv_nsec, left.it_value.tv_nsec > 1000000);
    for (int i = 0; i < 200; i++) timer_create(CLOCK_MONOTONIC, 0, &other); // what ends with the process
    struct itimerspec wrong = {{0, 0}, {0, 1000000000}};
    printf("bad time %d, null %d\n", RESULT(timer_settime(id, 0, &wrong, 0)), RESULT(syscall(SYS_timer_settime, id, 0, 0, 0)));
}

static pid_t told_thread;
static void which_thread(int signal) { told_thread = syscall(SYS_gettid); }
static void* sleeping_thread(void* target) {
    *(pid_t*)target = syscall(SYS_gettid);
    while (!told_thread) pause_ms(1);
    return 0;
}
static void to_a_thread(void) {
    handle(SIGUSR2, which_thread, 0);
    volatile pid_t tid = 0;
    pthread_t thread;
    pthread_create(&thread, 0, sleeping_thread, (void*)&tid);
    while (!tid) sched_yield();
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2};
    event._sigev_un._tid = tid;
    timer_t id;
    printf("create %d\n", RESULT(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id)));
    struct itimerspec t = every(2000000, 0);
    syscall(SYS_timer_settime, (int)(long)id, 0, &t, 0);
    pthread_join(thread, 0);
    printf("the thread: %d\n", told_thread == tid);
    event._sigev_un._tid = 1;
    printf("another process's: %d\n", RESULT(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id)));
}

static volatile int called;
static void called_back(union sigval value) { called += value.sival_int; }
static void by_thread(void) { // glibc's own: a helper thread, SIGEV_THREAD_ID
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = called_back, .sigev_value.sival_int = 5};
    timer_t id;
    printf("create %d\n", RESULT(timer_create(CLOCK_MONOTONIC, &event, &id)));
    struct itimerspec t = every(1000000, 0);
    timer_settime(id, 0, &t, 0);
    while (!called) pause_ms(1);
    printf("called with %d\n", called);
    timer_delete(id);
}

static void descriptors(void) {
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    unsigned long long ticks = 0;
    struct itimerspec left, t = every(2000000, 0);
    printf("empty %d, small %d\n", RESULT(read(fd, &ticks, 8)), RESULT(read(fd, &ticks, 4)));
    timerfd_settime(fd, 0, &t, &left);
    struct pollfd wait = {fd, POLLIN, 0};
    printf("poll %d", RESULT(poll(&wait, 1, 5000)));
    printf(", events %x, read %d", wait.revents, RESULT(read(fd, &ticks, 8)));
    printf(", ticks %llu, again %d\n", ticks, RESULT(read(fd, &ticks, 8)));
    t = every(1000000, 1000000);
    timerfd_settime(fd, 0, &t, 0);
    pause_ms(30);
    read(fd, &ticks, 8);
    printf("interval: many %d\n", ticks >= 29);
    timerfd_gettime(fd, &left);
    printf("interval %ld, running %d\n", left.it_interval.tv_nsec, left.it_value.tv_nsec > 0);
    t = every(1, 1); // a nanosecond: costs nothing until it is read
    timerfd_settime(fd, 0, &t, 0);
    pause_ms(10);
    read(fd, &ticks, 8);
    printf("nanoseconds: %d\n", ticks >= 10000000);
    t = every(0, 7);
    timerfd_settime(fd, 0, &t, &left);
    printf("old interval %ld", left.it_interval.tv_nsec);
    printf(", off %d\n", RESULT(read(fd, &ticks, 8)));
    int real = timerfd_create(CLOCK_REALTIME, 0);
    long long when = now_ns(CLOCK_REALTIME) + 3000000;
    t = (struct itimerspec){{0, 0}, at(when)};
    timerfd_settime(real, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &t, 0);
    int got = read(real, &ticks, 8);
    printf("absolute: read %d, ticks %llu, early %d\n", got, ticks, now_ns(CLOCK_REALTIME) < when);
    t = every(1, 0);
    timerfd_settime(real, TFD_TIMER_ABSTIME, &t, 0);
    got = read(real, &ticks, 8);
    printf("past: read %d, ticks %llu\n", got, ticks);
    printf("flags %d %d, clock %d, no timer %d\n", RESULT(timerfd_settime(real, 8, &t, 0)), RESULT(timerfd_create(CLOCK_MONOTONIC, 1)),
           RESULT(timerfd_create(CLOCK_THREAD_CPUTIME_ID, 0)), RESULT(timerfd_settime(0, 0, &t, 0)));
    close(fd), close(real);
}

static void timeouts(void) {
    long long begin = now_ns(CLOCK_MONOTONIC);
    struct timespec t = at(1500000);
    int result = RESULT(ppoll(0, 0, &t, 0));
    printf("ppoll %d, early %d\n", result, now_ns(CLOCK_MONOTONIC) < begin + 1500000);
    begin = now_ns(CLOCK_MONOTONIC);
    struct timeval v = {0, 700};
    result = RESULT(select(0, 0, 0, 0, &v));
    printf("select %d, early %d, left %ld\n", result, now_ns(CLOCK_MONOTONIC) < begin + 700000, (long)v.tv_usec);
    begin = now_ns(CLOCK_MONOTONIC);
    result = RESULT(epoll_wait(epoll_create1(0), &(struct epoll_event){0}, 1, 3));
    printf("epoll %d, early %d\n", result, now_ns(CLOCK_MONOTONIC) < begin + 3000000);
    int word = 0;
    begin = now_ns(CLOCK_MONOTONIC);
    t = at(900000);
    result = RESULT(syscall(SYS_futex, &word, FUTEX_WAIT, 0, &t, 0, 0));
    printf("futex %d, early %d\n", result, now_ns(CLOCK_MONOTONIC) < begin + 900000);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    begin = now_ns(CLOCK_MONOTONIC);
    t = at(1100000);
    result = RESULT(sigtimedwait(&set, 0, &t));
    printf("sigtimedwait %d, early %d\n", result, now_ns(CLOCK_MONOTONIC) < begin + 1100000);
    sem_t semaphore;
    sem_init(&semaphore, 0, 0);
    t = at(now_ns(CLOCK_REALTIME) + 2000000);
    printf("sem_timedwait %d\n", RESULT(sem_timedwait(&semaphore, &t)));
}

static void slack(void) {
    printf("default %d", prctl(PR_GET_TIMERSLACK));
    prctl(PR_SET_TIMERSLACK, 1234);
    printf(", set %d", prctl(PR_GET_TIMERSLACK));
    fflush(stdout);
    if (!fork()) {
        prctl(PR_SET_TIMERSLACK, 9);
        prctl(PR_SET_TIMERSLACK, 0);
        printf(", the child's default %d", prctl(PR_GET_TIMERSLACK));
        fflush(stdout);
        _exit(0);
    }
    wait(0);
    prctl(PR_SET_TIMERSLACK, 0);
    printf(", again %d\n", prctl(PR_GET_TIMERSLACK));
}

/// Many at once, on all processors: each of them is woken once, and not before its time.
static void* sleeper(void* number) {
    unsigned seed = (unsigned)(long)number;
    long early = 0;
    for (int i = 0; i < 100; i++) {
        seed = seed * 1103515245 + 12345;
        long long length = seed >> 8 & 0xfffff, begin = now_ns(CLOCK_MONOTONIC);
        struct timespec t = at(length);
        nanosleep(&t, 0);
        early += now_ns(CLOCK_MONOTONIC) < begin + length;
    }
    return (void*)early;
}
static void crowd(void) {
    pthread_t threads[16];
    long early = 0;
    for (long i = 0; i < 16; i++) pthread_create(&threads[i], 0, sleeper, (void*)i);
    for (int i = 0; i < 16; i++) {
        void* result;
        pthread_join(threads[i], &result);
        early += (long)result;
    }
    printf("early %ld\n", early);
}

/// One thread arms, cancels and reads what others use.
static timer_t shared_timer;
static int shared_fd;
static void* disturb(void* unused) {
    struct itimerspec left, t = every(20000, 30000);
    unsigned long long ticks;
    for (int i = 0; i < 400; i++) {
        timer_settime(shared_timer, 0, &t, &left);
        timer_gettime(shared_timer, &left);
        timer_getoverrun(shared_timer);
        timerfd_settime(shared_fd, 0, &t, &left);
        read(shared_fd, &ticks, 8);
        timerfd_gettime(shared_fd, &left);
        struct itimerval v = {{0, 40}, {0, 30}};
        setitimer(ITIMER_REAL, &v, 0);
        if (i % 50 == 0) usleep(60);
    }
    return 0;
}
static void contention(void) {
    handle(SIGALRM, count, 0);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    timer_create(CLOCK_MONOTONIC, &event, &shared_timer);
    shared_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], 0, disturb, 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], 0);
    timer_delete(shared_timer);
    close(shared_fd);
    printf("signals came: %d\n", alarms > 0);
}

static const struct test_case cases[] = {
    {"sleeps", sleeps},           {"interrupted", interrupted}, {"interval", interval},
    {"processor_time", processor_time}, {"inherited", inherited},     {"posix_timers", posix_timers},
    {"to_a_thread", to_a_thread}, {"by_thread", by_thread},     {"descriptors", descriptors},
    {"timeouts", timeouts},       {"slack", slack},             {"crowd", crowd},
    {"contention", contention},
};
int main(int argc, char** argv) { return run_cases(cases, LENGTH(cases), argc, argv); }
