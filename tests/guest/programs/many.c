// A set of many descriptors costs a little more for each, not each time all: by the guest's own clock.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}
/// ns of each step, for one socket of `count`.
static void measure(int count, double* each) {
    int (*pairs)[2] = malloc(sizeof(int[2]) * (unsigned)count), set = epoll_create1(0), got = 0;
    double at = now();
#define STEP(number)                                                                                                   \
    do {                                                                                                               \
        double next = now();                                                                                           \
        each[number] = (next - at) / count;                                                                            \
        at = next;                                                                                                     \
    } while (0)
    for (int i = 0; i < count; i++)
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i])) perror("socketpair"), exit(1);
    STEP(0);
    for (int i = 0; i < count; i++) {
        struct epoll_event event = {EPOLLIN, {.u32 = (unsigned)i}};
        if (epoll_ctl(set, EPOLL_CTL_ADD, pairs[i][0], &event)) perror("epoll_ctl"), exit(1);
    }
    STEP(1);
    for (int i = 0; i < count; i++) write(pairs[i][1], "x", 1);
    STEP(2);
    for (int i = 0; i < count; i++) { // one at a time; each stays ready
        struct epoll_event event;
        if (epoll_wait(set, &event, 1, 0) == 1) got += event.data.u32 == (unsigned)i;
    }
    STEP(3);
    for (int i = 0; i < count; i++) {
        struct epoll_event event = {EPOLLIN | EPOLLOUT, {.u32 = (unsigned)i}};
        epoll_ctl(set, EPOLL_CTL_MOD, pairs[i][0], &event);
    }
    STEP(4);
    for (int i = 0; i < count / 2; i++) epoll_ctl(set, EPOLL_CTL_DEL, pairs[i][0], 0);
    STEP(5);
    for (int i = 0; i < count; i++) close(pairs[i][0]), close(pairs[i][1]);
    STEP(6);
    close(set);
    free(pairs);
    if (got != count) printf("many: %d of %d in turn\n", got, count), exit(1);
}

int main(void) {
    static const char* const names[] = {"socketpair", "add", "write", "wait", "modify", "delete", "close"};
    struct rlimit limit = {20000, 20000};
    if (setrlimit(RLIMIT_NOFILE, &limit)) perror("setrlimit");
    double few[7], many[7];
    measure(250, few); // what is used for the first time
    measure(250, few);
    measure(4000, many);
    int bad = 0;
    for (int i = 0; i < 7; i++) {
        printf("%s: %.0f ns each of 250, %.0f of 4000\n", names[i], few[i], many[i]);
        bad += many[i] > 4 * few[i] + 2000;
    }
    printf("many: %d not linear\n", bad);
    return bad;
}
