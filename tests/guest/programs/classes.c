// Scheduling classes at work, as root: who runs when. It says what is wrong, and in the end how much; the same program on this machine's
// Linux (as root) finds nothing wrong either. Shares are compared with much slack: two machines do not count cycles alike.
#include "case.h"

static volatile long* counts; // shared
static int wrong;
#define CHECK(condition, ...)                                                                                                              \
    do {                                                                                                                                   \
        if (!(condition)) wrong++, printf("line %d: %s: ", __LINE__, #condition), printf(__VA_ARGS__), putchar('\n');                      \
    } while (0)

static void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    CHECK(sched_setaffinity(0, sizeof set, &set) == 0, "%d", errno);
}
static int become(int policy, int priority) {
    struct sched_param parameter = {priority};
    return RESULT(sched_setscheduler(0, policy, &parameter));
}
static long now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}
static void spin(long ms) {
    for (long end = now_us() + ms * 1000; now_us() < end;) {
    }
}
/// A child on CPU 0 that counts for ever.
static pid_t counter(int policy, int priority, int which) {
    pid_t child = fork();
    if (child) return child;
    pin(0);
    if (become(policy, priority)) _exit(9);
    for (;;) counts[which]++;
}
static void end(pid_t child) { kill(child, SIGKILL), waitpid(child, 0, 0); }

static void fifo_starves_fair(void) {
    pin(0);
    CHECK(become(SCHED_FIFO, 10) == 0, "%d", errno);
    counts[0] = 0;
    pid_t child = fork();
    if (!child) {
        become(SCHED_OTHER, 0);
        for (;;) counts[0]++;
    }
    pause_ms(60); // it is fair by now, and runs
    long before = counts[0];
    CHECK(before > 0, "%ld", before);
    spin(120);
    long during = counts[0] - before;
    CHECK(during == 0, "%ld", during);
    pause_ms(60);
    CHECK(counts[0] > before, "%ld", counts[0]);
    end(child);
}
static void higher_preempts(void) {
    pin(0);
    pid_t low = counter(SCHED_FIFO, 10, 1);
    CHECK(become(SCHED_FIFO, 20) == 0, "%d", errno);
    long worst = 0;
    for (int i = 0; i < 10; i++) {
        long begin = now_us();
        pause_ms(8);
        long late = now_us() - begin - 8000;
        if (late > worst) worst = late;
    }
    CHECK(worst < 25000, "%ld us late", worst); // a tick or two; not what the lower one would leave
    CHECK(counts[1] > 0, "the lower one never ran");
    end(low);
}
static void round_robin(void) {
    struct timespec slice;
    pin(0);
    CHECK(become(SCHED_FIFO, 60) == 0, "%d", errno);
    CHECK(sched_rr_get_interval(0, &slice) == 0 && !slice.tv_sec && !slice.tv_nsec, "%ld", slice.tv_nsec);
    pid_t pair[2];
    for (int i = 0; i < 2; i++) {
        counts[2 + i] = counts[8 + i] = 0;
        if ((pair[i] = fork())) continue;
        become(SCHED_RR, 50);
        long last = now_us();
        for (;;) { // turns: how often somebody else had the CPU for long
            long now = now_us();
            if (now - last > 40000) counts[8 + i]++;
            last = now, counts[2 + i]++;
        }
    }
    CHECK(sched_rr_get_interval(pair[0], &slice) == 0, "%d", errno);
    pause_ms(5);
    pause_ms(640);
    long a = counts[2], b = counts[3], turns = counts[8] + counts[9];
    CHECK(sched_rr_get_interval(pair[0], &slice) == 0 && slice.tv_nsec == 100000000, "%ld", slice.tv_nsec);
    end(pair[0]), end(pair[1]);
    CHECK(a > b / 3 && b > a / 3, "%ld %ld", a, b);
    CHECK(turns >= 4 && turns <= 8, "%ld turns in 640 ms", turns); // about six of 100 ms
}
static void fifo_does_not_share(void) {
    pin(0);
    CHECK(become(SCHED_FIFO, 60) == 0, "%d", errno);
    pid_t first = counter(SCHED_FIFO, 50, 4);
    pause_ms(20);
    pid_t second = counter(SCHED_FIFO, 50, 5);
    pause_ms(150);
    CHECK(counts[4] > 0 && counts[5] == 0, "%ld %ld", counts[4], counts[5]);
    end(first), end(second);
}
static void throttled(void) {
    pin(0);
    pid_t fair = counter(SCHED_OTHER, 0, 6);
    pause_ms(20);
    CHECK(become(SCHED_FIFO, 5) == 0, "%d", errno);
    spin(300); // the first period may begin anywhere
    long before = counts[6];
    spin(1100);
    CHECK(counts[6] > before, "a shell would be dead");
    become(SCHED_OTHER, 0);
    end(fair);
}
static void idle_policy(void) {
    pin(0);
    CHECK(become(SCHED_FIFO, 30) == 0, "%d", errno);
    pid_t idle = counter(SCHED_IDLE, 0, 10), fair = counter(SCHED_OTHER, 0, 11);
    pause_ms(300);
    long a = counts[10], b = counts[11];
    CHECK(b > 10 * a, "idle %ld, fair %ld", a, b);
    end(fair);
    pause_ms(100);
    CHECK(counts[10] > a, "idle does not run alone");
    end(idle);
}
static void spreads(void) {
    if (sysconf(_SC_NPROCESSORS_ONLN) < 2) return;
    CHECK(become(SCHED_FIFO, 90) == 0, "%d", errno);
    pid_t children[2];
    for (int i = 0; i < 2; i++) {
        counts[12 + i] = 0;
        if ((children[i] = fork())) continue;
        become(SCHED_FIFO, 40);
        for (;;) counts[12 + i]++;
    }
    pause_ms(150);
    CHECK(counts[12] > 0 && counts[13] > 0, "%ld %ld: one waits while a CPU has nothing better", counts[12], counts[13]);
    // Both are sent to one CPU, and one of them back.
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(1, &set);
    for (int i = 0; i < 2; i++) sched_setaffinity(children[i], sizeof set, &set);
    pause_ms(30);
    long a = counts[12], b = counts[13];
    pause_ms(60);
    CHECK((counts[12] == a) != (counts[13] == b), "%ld %ld", counts[12] - a, counts[13] - b);
    CPU_SET(0, &set);
    for (int i = 0; i < 2; i++) sched_setaffinity(children[i], sizeof set, &set);
    a = counts[12], b = counts[13];
    pause_ms(60);
    CHECK(counts[12] > a && counts[13] > b, "%ld %ld", counts[12] - a, counts[13] - b);
    end(children[0]), end(children[1]);
}
/// Two are on one processor: the one that waits may not leave it, the one that runs may. An idle processor gets that one.
static void pushed(void) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (processors < 2) return;
    for (int round = 0; round < 3; round++) {
        pid_t bound = fork();
        if (!bound) {
            pin(0);
            for (;;) {
            }
        }
        pid_t free = fork();
        if (!free) {
            pin(0);
            cpu_set_t all;
            memset(&all, 0xff, sizeof all);
            sched_setaffinity(0, sizeof all, &all);
            int cpu = 0;
            for (long until = now_ms() + 2000; now_ms() < until && !cpu;) cpu = sched_getcpu();
            _exit(cpu);
        }
        int status;
        waitpid(free, &status, 0);
        CHECK(WEXITSTATUS(status) != 0, "it stayed for two seconds beside one that cannot leave");
        end(bound);
    }
}

static void inherits(void) {
    CHECK(become(SCHED_RR, 7) == 0, "%d", errno);
    int status;
    if (!fork()) _exit(sched_getscheduler(0) == SCHED_RR);
    wait(&status);
    CHECK(WEXITSTATUS(status) == 1, "%x", status);
    CHECK(become(SCHED_FIFO | SCHED_RESET_ON_FORK, 8) == 0, "%d", errno);
    CHECK(sched_getscheduler(0) == (SCHED_FIFO | SCHED_RESET_ON_FORK), "%d", sched_getscheduler(0));
    if (!fork()) _exit(sched_getscheduler(0) == SCHED_OTHER);
    wait(&status);
    CHECK(WEXITSTATUS(status) == 1, "%x", status);
    struct sched_param parameter = {9}, got = {0};
    CHECK(sched_setparam(0, &parameter) == 0 && sched_getparam(0, &got) == 0 && got.sched_priority == 9, "%d", got.sched_priority);
    char text[1024];
    int file = open("/proc/self/stat", O_RDONLY);
    ssize_t length = read(file, text, sizeof text - 1);
    text[length > 0 ? length : 0] = 0;
    char* at = strrchr(text, ')');
    int field = 2;
    long priority = 0, rt = 0, policy = 0;
    for (char* word = strtok(at + 1, " "); word; word = strtok(NULL, " ")) {
        field++;
        if (field == 18) priority = atol(word);
        if (field == 40) rt = atol(word);
        if (field == 41) policy = atol(word);
    }
    CHECK(priority == -10 && rt == 9 && policy == SCHED_FIFO, "%ld %ld %ld", priority, rt, policy);
    // A user who may go down, but not up.
    CHECK(become(SCHED_FIFO, 9) == 0, "%d", errno);
    if (!fork()) {
        if (setgid(1000) || setuid(1000)) _exit(1);
        int lower = become(SCHED_FIFO | SCHED_RESET_ON_FORK, 5);
        int higher = become(SCHED_FIFO | SCHED_RESET_ON_FORK, 6), drop = become(SCHED_FIFO, 5);
        int fair = become(SCHED_OTHER | SCHED_RESET_ON_FORK, 0), back = become(SCHED_RR | SCHED_RESET_ON_FORK, 1);
        _exit(lower == 0 && higher == -EPERM && drop == -EPERM && fair == 0 && back == -EPERM ? 7 : 1);
    }
    wait(&status);
    CHECK(WEXITSTATUS(status) == 7, "%x", status);
}

int main(int argc, char** argv) {
    counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memset((void*)counts, 0, 4096); // (its page is there before the first fork)
    const struct {
        const char* name;
        void (*run)(void);
    } parts[] = {{"fifo_starves_fair", fifo_starves_fair}, {"higher_preempts", higher_preempts}, {"round_robin", round_robin}, {"fifo_does_not_share", fifo_does_not_share}, {"throttled", throttled}, {"idle_policy", idle_policy}, {"spreads", spreads}, {"pushed", pushed}, {"inherits", inherits}};
    int bad = 0;
    for (unsigned i = 0; i < LENGTH(parts); i++) {
        if (argc > 1 && strcmp(argv[1], parts[i].name)) continue;
        fflush(stdout);
        pid_t child = fork();
        if (!child) {
            parts[i].run();
            fflush(stdout);
            _exit(wrong);
        }
        int status;
        waitpid(child, &status, 0);
        if (status) bad++, printf("%s: %x\n", parts[i].name, status);
    }
    printf("classes: %d wrong\n", bad);
    return bad;
}
