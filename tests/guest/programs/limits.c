// What one user can make the kernel do without end: lines in its log, a walk over all descriptors, realtime
// tasks that are stopped for ever. For the machine's own time and log; prints "limits: 0 wrong".
#include "case.h"
#include <sys/klog.h>
#include <sys/stat.h>

static int wrong;
#define CHECK(condition, ...)                                                                                \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            wrong++, printf("%s:%d: %s: ", __func__, __LINE__, #condition), printf(__VA_ARGS__), puts("");   \
    } while (0)

static int lines_with(const char* text) {
    static char log[1 << 18];
    int size = klogctl(3, log, sizeof log - 1), count = 0;
    log[size > 0 ? size : 0] = 0;
    for (char* at = log; (at = strstr(at, text)); at++) count++;
    return count;
}
static void unknown_calls(void) {
    int before = lines_with("is not implemented"), errors = 0;
    for (int i = 0; i < 5000; i++) errors += syscall(900 + i % 50) == -1 && errno == ENOSYS;
    int after = lines_with("is not implemented");
    CHECK(errors == 5000, "%d", errors);
    CHECK(after > before && after <= before + 10, "%d to %d lines", before, after);
    pause_ms(5100); // the next interval says how many there were
    syscall(999);
    CHECK(lines_with("callbacks suppressed") == 1, "%d", lines_with("callbacks suppressed"));
    CHECK(lines_with("is not implemented") == after + 1, "%d", lines_with("is not implemented"));
}

static long now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}
static void descriptors(void) {
    enum { MANY = 20000 };
    struct rlimit limit = {MANY + 100, MANY + 100};
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0, "%d", errno);
    long first = 0, last = 0;
    for (int i = 3; i < MANY; i++) {
        long begin = now_us();
        int got = dup(0);
        long took = now_us() - begin;
        if (got != i) {
            CHECK(got == i, "%d instead of %d, %d", got, i, errno);
            return;
        }
        if (i >= 300 && i < 1300) first += took; // between the table's enlargements
        if (i >= MANY - 1000) last += took;
    }
    CHECK(last < 3 * first + 200, "1000 dups at 300: %ld us, at %d: %ld us", first, MANY, last);
    // The lowest free one, from anywhere, across words and words of words.
    static const int holes[] = {MANY - 1, 4096, 4095, 64, 63, 12287, 8192, 3};
    for (unsigned i = 0; i < LENGTH(holes); i++) close(holes[i]);
    CHECK(fcntl(0, F_DUPFD, 4000) == 4095, "%d", errno);
    CHECK(fcntl(0, F_DUPFD, 4096) == 4096, "%d", errno);
    CHECK(fcntl(0, F_DUPFD, 4096) == 8192, "%d", errno);
    CHECK(dup(0) == 3 && dup(0) == 63 && dup(0) == 64 && dup(0) == 12287 && dup(0) == MANY - 1 &&
              dup(0) == MANY,
          "%d", errno);
    CHECK(dup2(0, MANY + 50) == MANY + 50 && fcntl(0, F_DUPFD, MANY + 50) == MANY + 51, "%d", errno);
    CHECK(fcntl(0, F_DUPFD, MANY + 99) == MANY + 99 && RESULT(fcntl(0, F_DUPFD, MANY + 99)) == -EMFILE, "%d",
          errno);
    pid_t child = fork(); // whose table is as large as it must be
    if (!child) {
        close(5), close(5000);
        _exit(dup(0) == 5 && dup(0) == 5000 && dup(0) == MANY + 1 ? 7 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7, "%x", status);
    for (int i = 200; i < MANY + 100; i++) close(i);
    child = fork(); // with a smaller one, the last word of which was full
    if (!child)
        _exit(dup(0) == 200 && fcntl(0, F_DUPFD, 255) == 255 && fcntl(0, F_DUPFD, 255) == 256 && dup(0) == 201
                  ? 7
                  : 1);
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7, "%x", status);
    for (int i = 64; i < 200; i++) close(i);
    child = fork(); // back in the table of 64, all of them taken
    if (!child) _exit(dup(0) == 64 && dup(0) == 65 && close(10) == 0 && dup(0) == 10 ? 7 : 1);
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7, "%x", status);
    for (int i = 3; i < 64; i++) close(i);
}

static void set_runtime(const char* text) {
    int file = open("/proc/sys/kernel/sched_rt_runtime_us", O_WRONLY);
    CHECK(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text), "%s: %d", text, errno);
    close(file);
}
/// Linux without group scheduling: with a runtime of 0 realtime tasks are not stopped, and those that were go
/// on.
static void no_runtime(void) {
    for (int before = 0; before < 2; before++) { // 0 from the start, or while it is throttled
        set_runtime(before ? "950000" : "0");
        pid_t child = fork();
        if (!child) {
            struct sched_param one = {1};
            if (sched_setscheduler(0, SCHED_FIFO, &one)) _exit(1);
            for (long begin = now_us(); now_us() - begin < 1200000;) {
            }
            _exit(7);
        }
        if (before) pause_ms(970), set_runtime("0");
        int status = 0, done = 0;
        for (int i = 0; i < 500 && !done; i++) done = waitpid(child, &status, WNOHANG) == child, pause_ms(10);
        CHECK(done && WIFEXITED(status) && WEXITSTATUS(status) == 7, "%d: done %d, %x", before, done, status);
        if (!done) set_runtime("950000"), waitpid(child, &status, 0);
    }
    set_runtime("950000");
    int file = open("/proc/sys/kernel/sched_rt_runtime_us", O_WRONLY);
    CHECK(RESULT(write(file, "1000001", 7)) == -EINVAL, "%d", errno);
    close(file);
}

int main(void) {
    unknown_calls();
    descriptors();
    no_runtime();
    printf("limits: %d wrong\n", wrong);
    return wrong;
}
