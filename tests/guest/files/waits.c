// Waiting for several files: poll, select, epoll, eventfd, timerfd. Run under Linux too, the lines must be equal.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHOW(call)                                                                                                     \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        long result = (long)(call);                                                                                    \
        printf("%s = %ld %s\n", #call, result, result < 0 ? strerrorname_np(errno) : "");                               \
    } while (0)

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}
static void later(int file, const char* text, int microseconds) {
    fflush(stdout);
    if (fork() == 0) {
        usleep((unsigned)microseconds);
        write(file, text, strlen(text));
        _exit(0);
    }
}
static void handler(int signal) { printf("signal %d\n", signal); }

// A process's table starts with 64 descriptors and grows to 256 (128 since 6.17), 512 and so on: select() does not look beyond it. A child made when
// only the first few are open has the smallest, whatever its parent was started with.
static void table_sizes(void) {
    for (int fd = 3; fd < 4096; fd++) close(fd);
    fflush(stdout);
    if (fork() == 0) {
        static const int places[] = {50, 63, 64, 100, 256, 700};
        for (int step = 0; step < 4; step++) {
            if (step) printf("dup to %d: %d\n", step == 1 ? 70 : step == 2 ? 300 : 600, dup2(0, step == 1 ? 70 : step == 2 ? 300 : 600));
            for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
                fd_set set;
                FD_ZERO(&set);
                FD_SET(places[i], &set);
                struct timeval none = {0, 0};
                printf("%d: ", places[i]);
                SHOW(select(1000, &set, NULL, NULL, &none));
            }
        }
        struct rlimit limit = {100, 4096};
        SHOW(setrlimit(RLIMIT_NOFILE, &limit));
        SHOW(dup2(0, 100));
        SHOW(dup2(0, 99));
        SHOW(fcntl(0, F_DUPFD, 99));
        SHOW(fcntl(0, F_DUPFD, 100));
        int last = -1, fd;
        while ((fd = dup(0)) >= 0) last = fd;
        printf("the last one is %d, then %s\n", last, strerror(errno));
        struct pollfd many[101] = {{0}};
        for (int i = 0; i < 101; i++) many[i].fd = -1;
        SHOW(poll(many, 100, 0));
        SHOW(poll(many, 101, 0));
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
}

int main(void) {
    table_sizes();
    int a[2], b[2];
    char text[64];
    pipe(a), pipe(b);
    struct pollfd p[3] = {{a[0], POLLIN, 0}, {b[1], POLLOUT, 0}, {99, POLLIN, 0}};
    SHOW(poll(p, 1, 0));
    SHOW(poll(p, 2, 0));
    printf("%x %x\n", p[0].revents, p[1].revents);
    SHOW(poll(p, 3, -1));
    printf("%x %x %x\n", p[0].revents, p[1].revents, p[2].revents);
    double start = now();
    later(a[1], "one", 50000);
    SHOW(poll(p, 1, 5000));
    printf("%x %s\n", p[0].revents, now() - start < 1 ? "soon" : "late");
    SHOW(read(a[0], text, sizeof text));
    wait(NULL);
    start = now();
    SHOW(poll(p, 1, 100));
    printf("%s\n", now() - start > 0.099 && now() - start < 1 ? "in time" : "out of time");

    fd_set in, out;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(a[0], &in), FD_SET(b[0], &in), FD_SET(b[1], &out);
    struct timeval wait_for = {5, 0};
    SHOW(select(b[1] + 1, &in, &out, NULL, &wait_for));
    printf("%d %d %d\n", FD_ISSET(a[0], &in) != 0, FD_ISSET(b[0], &in) != 0, FD_ISSET(b[1], &out) != 0);
    later(b[1], "two", 30000);
    FD_SET(a[0], &in), FD_SET(b[0], &in);
    SHOW(select(b[1] + 1, &in, NULL, NULL, &wait_for));
    printf("%d %d, time left %s\n", FD_ISSET(a[0], &in) != 0, FD_ISSET(b[0], &in) != 0, wait_for.tv_sec == 4 ? "told" : "not told");
    wait(NULL);
    SHOW(select(-1, NULL, NULL, NULL, NULL));
    FD_ZERO(&in);
    // Below 64: what lies beyond the table that a process happens to have is ignored.
    FD_SET(57, &in);
    SHOW(select(58, &in, NULL, NULL, &wait_for));

    // A blocked signal arrives in pselect alone.
    sigset_t blocked, none;
    sigemptyset(&blocked), sigemptyset(&none);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    signal(SIGUSR1, handler);
    raise(SIGUSR1);
    puts("pending");
    struct timespec long_time = {5, 0};
    SHOW(pselect(0, NULL, NULL, NULL, &long_time, &none));
    sigset_t current;
    sigprocmask(SIG_BLOCK, NULL, &current);
    printf("blocked again: %d\n", sigismember(&current, SIGUSR1));

    int set = epoll_create1(0);
    struct epoll_event event = {EPOLLIN, {.u64 = 7}}, got[4];
    SHOW(epoll_ctl(set, EPOLL_CTL_ADD, a[0], &event));
    SHOW(epoll_ctl(set, EPOLL_CTL_ADD, a[0], &event));
    SHOW(epoll_ctl(set, EPOLL_CTL_ADD, set, &event));
    SHOW(epoll_ctl(set, EPOLL_CTL_DEL, b[0], &event));
    SHOW(epoll_wait(set, got, 4, 0));
    later(a[1], "three", 20000);
    SHOW(epoll_wait(set, got, 4, 5000));
    printf("%x %lu\n", got[0].events, (unsigned long)got[0].data.u64);
    SHOW(epoll_wait(set, got, 4, 0));
    wait(NULL);
    SHOW(read(a[0], text, sizeof text));
    SHOW(epoll_wait(set, got, 4, 0));
    event.events = EPOLLIN | EPOLLET;
    SHOW(epoll_ctl(set, EPOLL_CTL_MOD, a[0], &event));
    write(a[1], "x", 1);
    SHOW(epoll_wait(set, got, 4, 0));
    SHOW(epoll_wait(set, got, 4, 0));
    write(a[1], "y", 1);
    SHOW(epoll_wait(set, got, 4, 0));
    event.events = EPOLLIN | EPOLLONESHOT;
    SHOW(epoll_ctl(set, EPOLL_CTL_MOD, a[0], &event));
    SHOW(epoll_wait(set, got, 4, 0));
    write(a[1], "z", 1);
    SHOW(epoll_wait(set, got, 4, 0));
    SHOW(close(a[0]));
    SHOW(epoll_wait(set, got, 4, 0));
    SHOW(epoll_wait(set, got, 0, 0));

    int counter = eventfd(3, EFD_NONBLOCK);
    uint64_t value;
    SHOW(read(counter, &value, 8));
    printf("%lu\n", (unsigned long)value);
    SHOW(read(counter, &value, 8));
    value = 5;
    SHOW(write(counter, &value, 8));
    SHOW(write(counter, &value, 8));
    SHOW(read(counter, &value, 8));
    printf("%lu\n", (unsigned long)value);
    SHOW(read(counter, &value, 4));
    event.events = EPOLLIN;
    SHOW(epoll_ctl(set, EPOLL_CTL_ADD, counter, &event));
    SHOW(epoll_wait(set, got, 4, 0));
    value = 1;
    write(counter, &value, 8);
    SHOW(epoll_wait(set, got, 4, 0));

    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec spec = {{0, 20000000}, {0, 50000000}};
    SHOW(timerfd_settime(timer, 0, &spec, NULL));
    struct pollfd t = {timer, POLLIN, 0};
    start = now();
    SHOW(poll(&t, 1, 5000));
    printf("%s\n", now() - start > 0.045 && now() - start < 1 ? "in time" : "out of time");
    usleep(100000);
    SHOW(read(timer, &value, 8));
    printf("%s\n", value >= 4 && value < 20 ? "several times" : "wrong count");
    SHOW(timerfd_settime(timer, 0, &(struct itimerspec){0}, NULL));
    SHOW(poll(&t, 1, 50));
    // Hang-up.
    close(b[1]);
    p[0] = (struct pollfd){b[0], POLLIN, 0};
    SHOW(poll(p, 1, -1));
    printf("%x\n", p[0].revents);
    return 0;
}
