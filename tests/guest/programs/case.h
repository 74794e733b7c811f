// A case runs in a process of its own and prints what it saw; the parent prints how it ended. Linux's output
// is the judge.
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <linux/futex.h>
#include <time.h>
#include <unistd.h>

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

/// What a call gave, or minus its error: arguments of printf have no order of their own.
#define RESULT(call)                                                                                         \
    ({                                                                                                       \
        long result_ = (call);                                                                               \
        (int)(result_ < 0 ? -errno : result_);                                                               \
    })

static inline void show_status(const char* what, int status) {
    if (WIFEXITED(status))
        printf("%s: exit %d\n", what, WEXITSTATUS(status));
    else if (WIFSIGNALED(status))
        printf("%s: signal %d\n", what, WTERMSIG(status));
    else if (WIFSTOPPED(status))
        printf("%s: stopped %d\n", what, WSTOPSIG(status));
    else if (WIFCONTINUED(status))
        printf("%s: continued\n", what);
    fflush(stdout);
}
static inline void pause_ms(long ms) {
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&t, &t) && errno == EINTR) {
    }
}
static inline long now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
struct test_case {
    const char* name;
    void (*run)(void);
};
static inline int run_cases(const struct test_case* cases, int count, int argc, char** argv) {
    setvbuf(stdout, 0, _IOLBF, 0); // nothing is left over for a child to print again
    for (int i = 0; i < count; i++) {
        if (argc > 1 && strcmp(argv[1], cases[i].name)) continue;
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            alarm(20);
            cases[i].run();
            fflush(stdout);
            _exit(0);
        }
        int status = 0;
        waitpid(child, &status, 0);
        show_status(cases[i].name, status);
    }
    return 0;
}
