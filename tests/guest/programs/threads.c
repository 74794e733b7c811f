// Threads as one process: glibc's primitives, exit and signals of the group, execve, futexes.
#include "case.h"

static void* return_seven(void* x) { return (void*)((long)x + 7); }
static void join(void) {
    pthread_t t[8];
    long sum = 0;
    for (long i = 0; i < 8; i++) pthread_create(&t[i], 0, return_seven, (void*)i);
    for (int i = 0; i < 8; i++) {
        void* r;
        pthread_join(t[i], &r);
        sum += (long)r;
    }
    printf("sum %ld\n", sum);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int turn, total;
static void* ping_pong(void* which) {
    for (int i = 0; i < 500; i++) {
        pthread_mutex_lock(&lock);
        while (turn != (long)which) pthread_cond_wait(&cond, &lock);
        turn = !turn;
        total++;
        pthread_cond_broadcast(&cond);
        pthread_mutex_unlock(&lock);
    }
    return 0;
}
static void condition(void) {
    pthread_t a, b;
    pthread_create(&a, 0, ping_pong, (void*)0);
    pthread_create(&b, 0, ping_pong, (void*)1);
    pthread_join(a, 0);
    pthread_join(b, 0);
    printf("total %d turn %d\n", total, turn);
}
static void timed_wait(void) {
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_nsec += 50000000;
    if (end.tv_nsec >= 1000000000) end.tv_sec++, end.tv_nsec -= 1000000000;
    pthread_mutex_lock(&lock);
    long before = now_ms();
    int r = pthread_cond_timedwait(&cond, &lock, &end);
    long took = now_ms() - before;
    printf("timed wait %s, long enough %d, not too long %d\n", strerror(r), took >= 48, took < 1000);
}
static sem_t sem;
static void* poster(void* x) {
    for (int i = 0; i < 100; i++) sem_post(&sem);
    return x;
}
static void semaphore(void) {
    sem_init(&sem, 0, 0);
    pthread_t t;
    pthread_create(&t, 0, poster, 0);
    for (int i = 0; i < 100; i++) sem_wait(&sem);
    pthread_join(t, 0);
    printf("trywait %d %d\n", RESULT(sem_trywait(&sem)), EAGAIN);
}
static pthread_barrier_t barrier;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static int shared_value;
static void* at_barrier(void* x) {
    for (int i = 0; i < 50; i++) {
        pthread_rwlock_wrlock(&rwlock);
        shared_value++;
        pthread_rwlock_unlock(&rwlock);
        pthread_barrier_wait(&barrier);
        pthread_rwlock_rdlock(&rwlock);
        int v = shared_value;
        pthread_rwlock_unlock(&rwlock);
        if (v % 4 || v < 4 * (i + 1)) return (void*)1;
        pthread_barrier_wait(&barrier);
    }
    return 0;
}
static void barriers(void) {
    pthread_barrier_init(&barrier, 0, 4);
    pthread_t t[4];
    long bad = 0;
    for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, at_barrier, 0);
    for (int i = 0; i < 4; i++) {
        void* r;
        pthread_join(t[i], &r);
        bad += (long)r;
    }
    printf("value %d bad %ld\n", shared_value, bad);
}

static void* wait_for_ever(void* x) {
    for (;;) pause();
    return x;
}
static void* exit_seven(void* x) {
    pause_ms(20);
    exit(7);
    return x;
}
static void many_waiting(int n) {
    pthread_t t;
    for (int i = 0; i < n; i++) pthread_create(&t, 0, wait_for_ever, 0);
}
static void exit_in_thread(void) {
    many_waiting(3);
    pthread_t t;
    pthread_create(&t, 0, exit_seven, 0);
    wait_for_ever(0);
}
static void return_in_leader(void) {
    many_waiting(3);
    exit(9);
}
static void* late_exit(void* x) {
    pause_ms(50);
    printf("last thread\n");
    fflush(stdout);
    return x;
}
static void leader_exits_first(void) {
    pthread_t t;
    pthread_create(&t, 0, late_exit, 0);
    pthread_exit(0);
}
static void* segfault(void* x) {
    pause_ms(20);
    *(volatile int*)8 = 1;
    return x;
}
static void fault_in_thread(void) {
    many_waiting(2);
    pthread_t t;
    pthread_create(&t, 0, segfault, 0);
    wait_for_ever(0);
}
static void terminated(void) {
    pid_t child = fork();
    if (!child) {
        many_waiting(3);
        wait_for_ever(0);
    }
    pause_ms(50);
    kill(child, SIGTERM);
    int status;
    printf("same child %d\n", waitpid(child, &status, 0) == child);
    show_status("child", status);
}
static void* exec_true(void* path) {
    pause_ms(20);
    char* argv[] = {"threads", "hello", 0};
    execv(path, argv);
    return 0;
}
static char self_path[256];
static void exec_in_thread(void) {
    pid_t child = fork();
    if (!child) {
        many_waiting(3);
        pthread_t t;
        pthread_create(&t, 0, exec_true, self_path);
        wait_for_ever(0);
    }
    int status;
    printf("pid kept %d\n", waitpid(child, &status, 0) == child);
    show_status("child", status);
}
static void exec_in_leader(void) {
    pid_t child = fork();
    if (!child) {
        many_waiting(3);
        exec_true(self_path);
    }
    int status;
    waitpid(child, &status, 0);
    show_status("child", status);
}
static volatile sig_atomic_t got[70];
static void count(int s) { got[s]++; }
static void* block_all(void* x) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, 0);
    while (!__atomic_load_n((int*)x, __ATOMIC_ACQUIRE)) pause_ms(5);
    return 0;
}
static void process_signal_finds_a_thread(void) {
    signal(SIGUSR1, count);
    int done = 0;
    pthread_t t;
    pthread_create(&t, 0, block_all, &done);
    pause_ms(20);
    kill(getpid(), SIGUSR1);
    pause_ms(10);
    printf("handled %d\n", got[SIGUSR1]);
    __atomic_store_n(&done, 1, __ATOMIC_RELEASE);
    pthread_join(t, 0);
}
static void* take_signal(void* x) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    int s = 0;
    sigwait(&set, &s);
    *(int*)x = s;
    return 0;
}
static void thread_signal(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, 0);
    int taken = 0;
    pthread_t t;
    pthread_create(&t, 0, take_signal, &taken);
    pause_ms(20);
    pthread_kill(t, SIGUSR2);
    pthread_join(t, 0);
    sigset_t pending;
    sigpending(&pending);
    printf("taken %d pending here %d\n", taken == SIGUSR2, sigismember(&pending, SIGUSR2));
}
static void* child_of_thread(void* x) {
    pid_t child = fork();
    if (!child) _exit(33);
    *(pid_t*)x = child;
    return 0;
}
static void wait_for_other_threads_child(void) {
    pid_t child = 0;
    pthread_t t;
    pthread_create(&t, 0, child_of_thread, &child);
    pthread_join(t, 0);
    int status = 0;
    printf("reaped %d\n", waitpid(child, &status, 0) == child);
    show_status("child", status);
}
static void* vfork_thread(void* x) {
    pid_t child = vfork();
    if (!child) _exit(3);
    int status;
    waitpid(child, &status, 0);
    *(int*)x = WEXITSTATUS(status);
    return 0;
}
static void vfork_in_thread(void) {
    int code = 0;
    pthread_t t;
    pthread_create(&t, 0, vfork_thread, &code);
    pthread_join(t, 0);
    printf("code %d\n", code);
}
static void ids(void) {
    printf("leader %d, parent %d\n", getpid() == syscall(SYS_gettid), getppid() > 0);
    printf("kill(0) self %d, nobody %d %d\n", kill(getpid(), 0), RESULT(kill(999999, 0)), ESRCH);
}
static int futex(int* a, int op, int v, const struct timespec* t, int* b, int v3) {
    return syscall(SYS_futex, a, op, v, t, b, v3);
}
static void shared_futex(void) {
    int* word = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *word = 0;
    pid_t child = fork();
    if (!child) {
        int r = futex(word, FUTEX_WAIT, 0, 0, 0, 0);
        _exit(r == 0 ? 40 : 41);
    }
    pause_ms(50);
    int woken = 0;
    for (int i = 0; i < 100 && !woken; i++) woken = futex(word, FUTEX_WAKE, 1, 0, 0, 0), pause_ms(2);
    int status;
    waitpid(child, &status, 0);
    printf("woken %d\n", woken);
    show_status("child", status);
}
static int words[2];
static void* requeue_waiter(void* x) {
    futex(&words[0], FUTEX_WAIT_PRIVATE, 0, 0, 0, 0);
    __atomic_fetch_add((int*)x, 1, __ATOMIC_ACQ_REL);
    return 0;
}
static void requeue(void) {
    int done = 0;
    pthread_t t[4];
    for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, requeue_waiter, &done);
    pause_ms(50);
    printf("wrong value %d %d\n",
           RESULT(futex(&words[0], FUTEX_CMP_REQUEUE_PRIVATE, 1, (void*)2, &words[1], 5)), EAGAIN);
    printf("touched %d\n", futex(&words[0], FUTEX_CMP_REQUEUE_PRIVATE, 1, (void*)2, &words[1], 0));
    pause_ms(20);
    printf("done %d\n", __atomic_load_n(&done, __ATOMIC_ACQUIRE));
    printf("second queue %d\n", futex(&words[1], FUTEX_WAKE_PRIVATE, 10, 0, 0, 0));
    printf("first queue %d\n", futex(&words[0], FUTEX_WAKE_PRIVATE, 10, 0, 0, 0));
    for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
    printf("done %d\n", done);
}
static void bitset(void) {
    struct timespec past = {1, 0};
    printf("no bits %d %d\n", RESULT(futex(&words[0], FUTEX_WAIT_BITSET_PRIVATE, 0, 0, 0, 0)), EINVAL);
    printf("past %d %d\n", RESULT(futex(&words[0], FUTEX_WAIT_BITSET_PRIVATE, 0, &past, 0, 1)), ETIMEDOUT);
    printf("unaligned %d %d\n", RESULT(futex((int*)((char*)words + 1), FUTEX_WAKE_PRIVATE, 1, 0, 0, 0)),
           EINVAL);
}
static void robust(void) {
    pthread_mutexattr_t attr;
    pthread_mutex_t* m = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(m, &attr);
    pid_t child = fork();
    if (!child) {
        pthread_mutex_lock(m);
        _exit(0);
    }
    waitpid(child, 0, 0);
    int r = pthread_mutex_lock(m);
    printf("owner died %d consistent %d unlock %d\n", r == EOWNERDEAD, pthread_mutex_consistent(m),
           pthread_mutex_unlock(m));
}
static void* spin_create(void* x) { return x; }
static void many_threads(void) {
    int made = 0;
    for (int i = 0; i < 300; i++) {
        pthread_t t;
        if (pthread_create(&t, 0, spin_create, 0)) break;
        pthread_join(t, 0);
        made++;
    }
    printf("made %d\n", made);
}
static void* thread_clock(void* x) {
    volatile long n = 0;
    while (n < 2000000) n++;
    return x;
}
static void group_times(void) {
    pthread_t t[2];
    for (int i = 0; i < 2; i++) pthread_create(&t[i], 0, thread_clock, 0);
    for (int i = 0; i < 2; i++) pthread_join(t[i], 0);
    struct timespec process, thread;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &process);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &thread);
    printf("process has more %d\n",
           process.tv_sec * 1000000000 + process.tv_nsec > thread.tv_sec * 1000000000 + thread.tv_nsec);
}

int main(int argc, char** argv) {
    if (argc > 1 && !strcmp(argv[1], "hello")) {
        printf("hello after exec, leader %d\n", getpid() == syscall(SYS_gettid));
        return 5;
    }
    ssize_t n = readlink("/proc/self/exe", self_path, sizeof self_path - 1);
    self_path[n > 0 ? n : 0] = 0;
    static const struct test_case cases[] = {
        {"join", join},
        {"condition", condition},
        {"timed_wait", timed_wait},
        {"semaphore", semaphore},
        {"barriers", barriers},
        {"exit_in_thread", exit_in_thread},
        {"return_in_leader", return_in_leader},
        {"leader_exits_first", leader_exits_first},
        {"fault_in_thread", fault_in_thread},
        {"terminated", terminated},
        {"exec_in_thread", exec_in_thread},
        {"exec_in_leader", exec_in_leader},
        {"process_signal", process_signal_finds_a_thread},
        {"thread_signal", thread_signal},
        {"others_child", wait_for_other_threads_child},
        {"vfork_in_thread", vfork_in_thread},
        {"ids", ids},
        {"shared_futex", shared_futex},
        {"requeue", requeue},
        {"bitset", bitset},
        {"robust", robust},
        {"many_threads", many_threads},
        {"group_times", group_times},
    };
    return run_cases(cases, LENGTH(cases), argc, argv);
}
