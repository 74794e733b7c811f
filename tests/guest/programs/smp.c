// Many processors: affinity, threads that change each other's mappings, locks under contention, processes
// that come and go. What is printed does not depend on how many processors there are.
#include "case.h"
#include <sys/sysinfo.h>
#include <sys/types.h>

static int processors(void) {
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    return CPU_COUNT(&set);
}

static void affinity(void) {
    cpu_set_t all, one, now;
    sched_getaffinity(0, sizeof all, &all);
    int wrong = 0;
    for (int round = 0; round < 20; round++)
        for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
            if (!CPU_ISSET(cpu, &all)) continue;
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            wrong += sched_setaffinity(0, sizeof one, &one) != 0;
            wrong += sched_getcpu() != cpu;
            sched_yield();
            wrong += sched_getcpu() != cpu;
            sched_getaffinity(0, sizeof now, &now);
            wrong += !CPU_EQUAL(&one, &now);
        }
    CPU_ZERO(&one);
    printf("wrong %d, none %d %d\n", wrong, RESULT(sched_setaffinity(0, sizeof one, &one)), EINVAL);
}
static int processor_of(pid_t pid) { // field 39 of /proc/PID/stat
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE* file = fopen(path, "r");
    if (!file) return -1;
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = 0;
    char* at = strrchr(text, ')');
    for (int field = 2; at && field < 39; field++) at = strchr(at + 1, ' ');
    return at ? atoi(at) : -1;
}
/// A running task has moved when the call returns.
static void moved_at_once(void) {
    cpu_set_t all, one;
    sched_getaffinity(0, sizeof all, &all);
    pid_t children[3];
    for (int i = 0; i < 3; i++)
        if (!(children[i] = fork()))
            for (;;) {
            }
    int wrong = 0;
    for (int round = 0; round < 30; round++)
        for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
            if (!CPU_ISSET(cpu, &all)) continue;
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            pid_t child = children[round % 3];
            wrong += sched_setaffinity(child, sizeof one, &one) != 0;
            wrong += processor_of(child) != cpu;
        }
    printf("wrong %d\n", wrong);
    for (int i = 0; i < 3; i++) kill(children[i], SIGKILL), wait(0);
}
static void affinity_of_others(void) {
    cpu_set_t all, one;
    sched_getaffinity(0, sizeof all, &all);
    int last = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &all)) last = cpu;
    int* seen = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *seen = -1;
    pid_t child = fork();
    if (!child)
        for (;;) __atomic_store_n(seen, sched_getcpu(), __ATOMIC_RELAXED);
    CPU_ZERO(&one);
    CPU_SET(last, &one);
    pause_ms(20);
    printf("set %d\n", sched_setaffinity(child, sizeof one, &one));
    pause_ms(40);
    int wrong = 0;
    for (int i = 0; i < 50; i++) wrong += __atomic_load_n(seen, __ATOMIC_RELAXED) != last, pause_ms(1);
    printf("elsewhere %d\n", wrong);
    kill(child, SIGKILL);
    wait(0);
}

// One thread unmaps and maps the page again with other contents; readers must never see what is older than
// the last map.
static volatile unsigned long* window;
static volatile unsigned long current_value;
static volatile int stop, faults;
static void* reader(void* x) {
    long bad = 0, rounds = 0;
    while (!stop) {
        unsigned long least = __atomic_load_n(&current_value, __ATOMIC_SEQ_CST);
        unsigned long value = __atomic_load_n(&window[0], __ATOMIC_SEQ_CST);
        if (value < least) bad++;
        rounds++;
    }
    (void)x;
    return (void*)(rounds ? bad : -1);
}
static void shoot_down(void) {
    window = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_t t[3];
    for (int i = 0; i < 3; i++) pthread_create(&t[i], 0, reader, 0);
    for (unsigned long i = 1; i <= 400; i++) {
        // A page with the next value takes the place of the one that everybody reads.
        unsigned long* fresh = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        *fresh = i;
        if (mremap(fresh, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, (void*)window) == MAP_FAILED) {
            window[0] = i; // no MREMAP_FIXED here: at least the store is seen
            munmap(fresh, 4096);
        }
        __atomic_store_n(&current_value, i, __ATOMIC_SEQ_CST);
        if (i % 20 == 0) pause_ms(1);
    }
    stop = 1;
    long bad = 0;
    for (int i = 0; i < 3; i++) {
        void* r;
        pthread_join(t[i], &r);
        bad += (long)r;
    }
    printf("stale reads %ld\n", bad);
}

// A page that is made read-only must not be written by anybody afterwards.
static void* writer(void* x) {
    (void)x;
    while (!stop) window[0]++;
    return 0;
}
static void on_fault(int s, siginfo_t* info, void* context) {
    (void)s, (void)info, (void)context;
    faults++;
    while (!stop) sched_yield();
    pthread_exit(0);
}
static void protect(void) {
    int changed = 0;
    for (int round = 0; round < 30; round++) {
        stop = 0;
        window = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        struct sigaction a = {0};
        a.sa_sigaction = on_fault;
        a.sa_flags = SA_SIGINFO;
        sigaction(SIGSEGV, &a, 0);
        pthread_t t[3];
        for (int i = 0; i < 3; i++) pthread_create(&t[i], 0, writer, 0);
        pause_ms(3);
        mprotect((void*)window, 4096, PROT_READ);
        unsigned long before = window[0];
        for (volatile int i = 0; i < 200000; i++) {
        }
        changed += window[0] != before;
        pause_ms(3);
        changed += window[0] != before;
        stop = 1;
        for (int i = 0; i < 3; i++) pthread_join(t[i], 0);
        munmap((void*)window, 4096);
    }
    printf("changed %d, faults %d\n", changed, faults > 0);
}

// fork while threads write: the child's copy must not change any more.
static void fork_snapshot(void) {
    int wrong = 0;
    stop = 0;
    window = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_t t[3];
    for (int i = 0; i < 3; i++) pthread_create(&t[i], 0, writer, 0);
    for (int round = 0; round < 60; round++) {
        pid_t child = fork();
        if (!child) {
            unsigned long first = window[0];
            for (volatile int i = 0; i < 100000; i++) {
            }
            _exit(window[0] != first);
        }
        int status;
        waitpid(child, &status, 0);
        wrong += status != 0;
    }
    stop = 1;
    for (int i = 0; i < 3; i++) pthread_join(t[i], 0);
    printf("wrong %d\n", wrong);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long guarded, bare;
static void* add(void* x) {
    for (int i = 0; i < 20000; i++) {
        pthread_mutex_lock(&lock);
        guarded++;
        pthread_mutex_unlock(&lock);
        __atomic_fetch_add(&bare, 1, __ATOMIC_RELAXED);
    }
    return x;
}
static void contended(void) {
    pthread_t t[6];
    for (int i = 0; i < 6; i++) pthread_create(&t[i], 0, add, 0);
    for (int i = 0; i < 6; i++) pthread_join(t[i], 0);
    printf("%ld %ld\n", guarded, bare);
}
static void ping(void) {
    int a[2], b[2];
    if (pipe(a) || pipe(b)) return;
    pid_t child = fork();
    char c = 0;
    if (!child) {
        close(a[1]);
        for (;;) {
            if (read(a[0], &c, 1) != 1) _exit(0);
            c++;
            if (write(b[1], &c, 1) != 1) _exit(1);
        }
    }
    int wrong = 0;
    for (int i = 0; i < 3000; i++) {
        char sent = (char)i;
        if (write(a[1], &sent, 1) != 1 || read(b[0], &c, 1) != 1) wrong++;
        wrong += c != (char)(i + 1);
    }
    close(a[1]);
    int status;
    waitpid(child, &status, 0);
    printf("wrong %d status %d\n", wrong, status);
}
static void storm(void) {
    int failed = 0, status;
    for (int p = 0; p < 6; p++)
        if (fork() == 0) {
            for (int i = 0; i < 60; i++) {
                pid_t child = fork();
                if (child == 0) {
                    volatile char page[8192];
                    for (int k = 0; k < 8192; k += 512) page[k] = 1;
                    _exit(page[512] ? i & 63 : 1);
                }
                if (child < 0 || waitpid(child, &status, 0) != child || WEXITSTATUS(status) != (i & 63))
                    _exit(1);
            }
            _exit(0);
        }
    for (int p = 0; p < 6; p++)
        if (wait(&status) < 0 || status) failed++;
    printf("failed %d\n", failed);
}
static volatile sig_atomic_t caught;
static void count_signal(int s) { (void)s, caught++; }
static void* wait_stop(void* x) {
    while (!stop) sched_yield();
    return x;
}
static void signal_shower(void) {
    struct sigaction a = {0};
    a.sa_handler = count_signal;
    sigaction(SIGUSR1, &a, 0);
    stop = 0;
    pthread_t t[3];
    for (int i = 0; i < 3; i++) pthread_create(&t[i], 0, wait_stop, 0);
    for (int i = 0; i < 300; i++) pthread_kill(t[i % 3], SIGUSR1);
    stop = 1;
    for (int i = 0; i < 3; i++) pthread_join(t[i], 0);
    printf("some %d\n", caught > 0);
}
static void spread(void) {
    // As many spinning processes as processors: each gets one, whatever the number.
    int n = processors();
    if (n > 8) n = 8;
    int* where = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memset(where, 0, 4096);
    pid_t child[8];
    for (int i = 0; i < n; i++)
        if (!(child[i] = fork()))
            for (;;) __atomic_store_n(&where[i], sched_getcpu() + 1, __ATOMIC_RELAXED);
    int best = 0;
    for (int tries = 0; tries < 100 && best < n; tries++) {
        pause_ms(10);
        int seen = 0;
        for (int i = 0; i < n; i++) {
            int again = 0;
            for (int k = 0; k < i; k++) again |= where[k] == where[i];
            seen += !again && where[i];
        }
        if (seen > best) best = seen;
    }
    for (int i = 0; i < n; i++) kill(child[i], SIGKILL);
    while (wait(0) > 0) {
    }
    printf("spread %d\n", best == n);
}

int main(int argc, char** argv) {
    if (argc > 1 && !strcmp(argv[1], "spread")) { // only on a machine that has nothing else to do
        spread();
        return 0;
    }
    static const struct test_case cases[] = {
        {"affinity", affinity},
        {"affinity_of_others", affinity_of_others},
        {"moved_at_once", moved_at_once},
        {"shoot_down", shoot_down},
        {"protect", protect},
        {"fork_snapshot", fork_snapshot},
        {"contended", contended},
        {"ping", ping},
        {"storm", storm},
        {"signal_shower", signal_shower},
    };
    return run_cases(cases, LENGTH(cases), argc, argv);
}
