// Signals, stops, waiting, groups and sessions, limits: what each process sees, and what its parent hears.
#include "case.h"
#include <sys/signalfd.h>
#include <poll.h>
#include <grp.h>

static volatile sig_atomic_t got[70], order[64], orders;
static void count(int s) { got[s]++; }
static void note(int s) { order[orders++] = s; }
static siginfo_t last;
static void keep(int s, siginfo_t* info, void* context) {
    (void)context;
    got[s]++;
    last = *info;
}
static void handle(int s, void (*f)(int, siginfo_t*, void*), int flags) {
    struct sigaction a = {0};
    a.sa_sigaction = f;
    a.sa_flags = SA_SIGINFO | flags;
    sigaction(s, &a, 0);
}

static void info_of_kill(void) {
    handle(SIGUSR1, keep, 0);
    kill(getpid(), SIGUSR1);
    printf("code %d pid %d uid %d\n", last.si_code, last.si_pid == getpid(), last.si_uid == getuid());
    union sigval v = {.sival_int = 4711};
    sigqueue(getpid(), SIGUSR1, v);
    printf("code %d value %d\n", last.si_code, last.si_value.sival_int);
    syscall(SYS_tkill, getpid(), SIGUSR1);
    printf("code %d\n", last.si_code);
}
static void info_of_fault(void) {
    handle(SIGSEGV, keep, SA_RESETHAND);
    if (fork() == 0) *(volatile int*)0x1234 = 1;
    int status;
    wait(&status);
    show_status("child", status);
}
static void* fault_page;
static void show_fault(int s, siginfo_t* info, void* context) {
    (void)context;
    printf("signal %d code %d address %d\n", s, info->si_code, info->si_addr == fault_page);
    fflush(stdout);
    _exit(0);
}
static void fault_codes(void) {
    for (int i = 0; i < 3; i++)
        if (fork() == 0) {
            handle(SIGSEGV, show_fault, 0);
            handle(SIGFPE, show_fault, 0);
            if (i == 0) {
                fault_page = (void*)0x5000;
                *(volatile int*)fault_page = 1;
            } else if (i == 1) {
                fault_page = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                *(volatile int*)fault_page = 1;
            } else {
                int zero = 0;
                volatile int result;
                __asm__ volatile("cltd; idivl %1" : "=a"(result) : "r"(zero), "0"(1) : "edx");
            }
        } else {
            int status;
            wait(&status);
            show_status("child", status);
        }
}
static void realtime_queue(void) {
    sigset_t set;
    sigemptyset(&set);
    for (int s = SIGRTMIN; s <= SIGRTMIN + 2; s++) sigaddset(&set, s), signal(s, note);
    sigaddset(&set, SIGUSR1);
    signal(SIGUSR1, note);
    sigprocmask(SIG_BLOCK, &set, 0);
    for (int i = 0; i < 3; i++) {
        kill(getpid(), SIGRTMIN + 2);
        kill(getpid(), SIGRTMIN);
        kill(getpid(), SIGUSR1);
    }
    sigset_t pending;
    sigpending(&pending);
    printf("pending %d %d %d\n", sigismember(&pending, SIGUSR1), sigismember(&pending, SIGRTMIN),
           sigismember(&pending, SIGRTMIN + 1));
    sigprocmask(SIG_UNBLOCK, &set, 0);
    printf("delivered %d:", orders);
    // The first handler's frame is the deepest: the last delivered runs first.
    int one = 0, two = 0, three = 0;
    for (int i = 0; i < orders; i++)
        one += order[i] == SIGUSR1, two += order[i] == SIGRTMIN, three += order[i] == SIGRTMIN + 2;
    printf(" %d %d %d\n", one, two, three);
}
/// RLIMIT_SIGPENDING: no more than so many wait; what is sent by kill() still comes; a higher limit makes
/// room. The user's other processes count as well, so on Linux nothing says how many are left for us.
static void queue_limit(void) {
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, SIGRTMIN + 3), sigaddset(&set, SIGRTMIN + 4);
    sigprocmask(SIG_BLOCK, &set, NULL);
    struct rlimit before, few;
    getrlimit(RLIMIT_SIGPENDING, &before);
    few = before, few.rlim_cur = 20;
    setrlimit(RLIMIT_SIGPENDING, &few);
    int queued = 0;
    while (queued < 100 && sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = queued}) == 0)
        queued++;
    printf("at most 20: %d, then %s\n", queued <= 20, queued < 100 ? strerrorname_np(errno) : "no end");
    printf("kill: %d\n", kill(getpid(), SIGRTMIN + 4));
    setrlimit(RLIMIT_SIGPENDING, &before);
    int more = 0;
    while (more < 50 && sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = queued + more}) == 0)
        more++;
    printf("more: %d\n", more);
    siginfo_t info;
    struct timespec none = {0, 0};
    int taken = 0, in_order = 1, signal;
    while ((signal = sigtimedwait(&set, &info, &none)) > 0)
        if (signal == SIGRTMIN + 3) in_order &= info.si_value.sival_int == taken++;
    printf("all of them: %d, in order: %d\n", taken == queued + more, in_order);
}
static void queued_values(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 3);
    sigprocmask(SIG_BLOCK, &set, 0);
    for (int i = 0; i < 5; i++) sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = i * 10});
    for (int i = 0; i < 5; i++) {
        siginfo_t info;
        int s = sigwaitinfo(&set, &info);
        printf("%d:%d ", s == SIGRTMIN + 3, info.si_value.sival_int);
    }
    struct timespec t = {0, 20000000};
    printf("\nthen %d %d\n", RESULT(sigtimedwait(&set, 0, &t)), EAGAIN);
}
static void restart(int flags, const char* name) {
    int p[2];
    if (pipe(p)) return;
    struct sigaction a = {0};
    a.sa_handler = count;
    a.sa_flags = flags;
    sigaction(SIGALRM, &a, 0);
    struct itimerval timer = {{0, 0}, {0, 30000}};
    if (fork() == 0) {
        pause_ms(120);
        if (write(p[1], "x", 1) != 1) _exit(1);
        _exit(0);
    }
    setitimer(ITIMER_REAL, &timer, 0);
    char c;
    ssize_t n = read(p[0], &c, 1);
    printf("%s: read %zd %s, handler %d\n", name, n, n < 0 ? strerror(errno) : "", got[SIGALRM]);
    wait(0);
}
static void restarted(void) { restart(SA_RESTART, "restart"); }
static void interrupted(void) { restart(0, "no restart"); }
static void sleep_over_stop(void) {
    pid_t child = fork();
    if (!child) {
        long before = now_ms();
        struct timespec t = {0, 300000000};
        int r = nanosleep(&t, 0);
        long took = now_ms() - before;
        printf("slept %d, long enough %d\n", r, took >= 300 && took < 3000);
        fflush(stdout);
        _exit(0);
    }
    pause_ms(60);
    kill(child, SIGSTOP);
    pause_ms(30);
    kill(child, SIGCONT);
    int status;
    waitpid(child, &status, 0);
    show_status("child", status);
}
static void sleep_and_handler(void) {
    signal(SIGUSR1, count);
    pid_t me = getpid();
    if (fork() == 0) {
        pause_ms(50);
        kill(me, SIGUSR1);
        _exit(0);
    }
    struct timespec t = {2, 0}, left = {0, 0};
    int r = nanosleep(&t, &left);
    printf("%d %s left %d\n", r, strerror(errno), left.tv_sec == 1);
    wait(0);
}
static void alternate_stack(void) {
    static char stack[65536];
    stack_t ss = {.ss_sp = stack, .ss_size = sizeof stack}, old;
    printf("set %d\n", sigaltstack(&ss, 0));
    struct sigaction a = {0};
    extern void on_stack(int);
    a.sa_handler = on_stack;
    a.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR1, &a, 0);
    raise(SIGUSR1);
    sigaltstack(0, &old);
    printf("same %d flags %d\n", old.ss_sp == stack && old.ss_size == sizeof stack, old.ss_flags);
    ss.ss_size = 100;
    printf("small %d %d\n", RESULT(sigaltstack(&ss, 0)), ENOMEM);
    ss.ss_flags = SS_DISABLE;
    printf("off %d\n", sigaltstack(&ss, 0));
}
void on_stack(int s) {
    (void)s;
    stack_t now;
    sigaltstack(0, &now);
    char here;
    printf("on %d inside %d\n", now.ss_flags,
           &here >= (char*)now.ss_sp && &here < (char*)now.ss_sp + now.ss_size);
    stack_t off = {.ss_flags = SS_DISABLE};
    printf("change %d %d\n", RESULT(sigaltstack(&off, 0)), EPERM);
}
static void overflow(int s, siginfo_t* info, void* context) {
    (void)info, (void)context;
    static const char text[] = "overflow caught\n";
    if (write(1, text, sizeof text - 1) < 0) _exit(2);
    _exit(s == SIGSEGV ? 0 : 1);
}
static __attribute__((noinline)) int eat_stack(volatile char* above) {
    volatile char page[4096];
    page[0] = above ? above[0] : 1;
    if (page[0] == 2) return 0; // never
    return eat_stack(page) + page[0];
}
static void stack_overflow(void) {
    static char stack[65536];
    stack_t ss = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&ss, 0);
    handle(SIGSEGV, overflow, SA_ONSTACK);
    fflush(stdout);
    eat_stack(0);
}
static void nested_masks(void) {
    struct sigaction a = {0};
    a.sa_handler = note;
    sigaddset(&a.sa_mask, SIGUSR2);
    sigaction(SIGUSR1, &a, 0);
    sigset_t before, after;
    sigprocmask(SIG_BLOCK, 0, &before);
    raise(SIGUSR1);
    sigprocmask(SIG_BLOCK, 0, &after);
    printf("restored %d\n", !memcmp(&before, &after, 8));
    a.sa_flags = SA_RESETHAND | SA_NODEFER;
    sigaction(SIGUSR1, &a, 0);
    raise(SIGUSR1);
    struct sigaction now;
    sigaction(SIGUSR1, 0, &now);
    printf("reset %d\n", now.sa_handler == SIG_DFL);
    printf("kill %d %d\n", RESULT(sigaction(SIGKILL, &a, 0)), EINVAL);
}
static void suspend(void) {
    sigset_t block, old, none;
    sigemptyset(&block);
    sigemptyset(&none);
    sigaddset(&block, SIGUSR1);
    signal(SIGUSR1, count);
    sigprocmask(SIG_BLOCK, &block, &old);
    kill(getpid(), SIGUSR1);
    printf("before %d\n", got[SIGUSR1]);
    int r = sigsuspend(&none);
    sigprocmask(SIG_BLOCK, 0, &old);
    printf("after %d %d %d blocked %d\n", r, errno == EINTR, got[SIGUSR1], sigismember(&old, SIGUSR1));
}
static volatile pid_t chld_pid;
static volatile int chld_code[8], chld_status[8], chlds;
static void on_chld(int s, siginfo_t* info, void* context) {
    (void)s, (void)context;
    if (chlds < 8) chld_code[chlds] = info->si_code, chld_status[chlds] = info->si_status;
    chlds++;
}
/// The notices come one by one, as late as the machine is busy; two that wait would be one.
static void noticed(int count) {
    for (int i = 0; i < 5000 && chlds < count; i++) pause_ms(1);
}
static void stop_and_continue(void) {
    handle(SIGCHLD, on_chld, SA_RESTART);
    pid_t child = fork();
    if (!child)
        for (;;) pause();
    int status;
    static const int stops[] = {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
    setpgid(child, child);
    for (unsigned i = 0; i < 4; i++) {
        kill(child, stops[i]);
        waitpid(child, &status, WUNTRACED);
        show_status("stop", status);
        noticed(2 * i + 1);
        printf("again %d\n", waitpid(child, &status, WUNTRACED | WNOHANG));
        kill(child, SIGCONT);
        waitpid(child, &status, WCONTINUED);
        show_status("continue", status);
        noticed(2 * i + 2);
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    show_status("end", status);
    noticed(9);
    printf("notices %d:", chlds);
    for (int i = 0; i < chlds && i < 8; i++) printf(" %d/%d", chld_code[i], chld_status[i]);
    printf("\n");
}
static void no_stop_notices(void) {
    handle(SIGCHLD, on_chld, SA_RESTART | SA_NOCLDSTOP);
    pid_t child = fork();
    if (!child)
        for (;;) pause();
    int status;
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    kill(child, SIGCONT);
    waitpid(child, &status, WCONTINUED);
    printf("notices %d\n", chlds);
    kill(child, SIGTERM);
    waitpid(child, &status, 0);
    noticed(1);
    printf("notices %d code %d\n", chlds, chld_code[0]);
}
static void kill_stopped(void) {
    pid_t child = fork();
    if (!child)
        for (;;) pause();
    int status;
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    kill(child, SIGTERM);
    pause_ms(30);
    printf("still there %d\n", waitpid(child, &status, WNOHANG));
    kill(child, SIGCONT);
    waitpid(child, &status, 0);
    show_status("after continue", status);
    child = fork();
    if (!child)
        for (;;) pause();
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    show_status("killed", status);
}
static void ignored_children(void) {
    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 3; i++)
        if (fork() == 0) _exit(i);
    int status;
    printf("wait %d %d\n", RESULT(wait(&status)), ECHILD);
}
static void wait_id(void) {
    pid_t child = fork();
    if (!child) _exit(12);
    siginfo_t info;
    memset(&info, 0, sizeof info);
    printf("nowait %d", waitid(P_PID, child, &info, WEXITED | WNOWAIT));
    printf(" code %d status %d pid %d\n", info.si_code, info.si_status, info.si_pid == child);
    memset(&info, 0, sizeof info);
    printf("again %d", waitid(P_ALL, 0, &info, WEXITED));
    printf(" code %d status %d\n", info.si_code, info.si_status);
    printf("none %d %d\n", RESULT(waitid(P_ALL, 0, &info, WEXITED)), ECHILD);
    printf("bad %d %d\n", RESULT(waitid(P_ALL, 0, &info, 0)), EINVAL);
    child = fork();
    if (!child)
        for (;;) pause();
    memset(&info, 0xff, sizeof info);
    printf("nohang %d", waitid(P_PID, child, &info, WEXITED | WNOHANG));
    printf(" pid %d\n", info.si_pid);
    kill(child, SIGINT);
    waitid(P_PGID, getpgrp(), &info, WEXITED);
    printf("killed code %d status %d\n", info.si_code, info.si_status);
}
static void wait_groups(void) {
    pid_t a = fork();
    if (!a) {
        setpgid(0, 0);
        pause_ms(30);
        _exit(1);
    }
    setpgid(a, a);
    pid_t b = fork();
    if (!b) _exit(2);
    int status;
    printf("group %d", waitpid(-a, &status, 0) == a);
    show_status("", status);
    printf("own %d", waitpid(0, &status, 0) == b);
    show_status("", status);
    printf("nobody %d %d\n", RESULT(waitpid(-a, &status, 0)), ECHILD);
}
static void reparent(void) {
    int p[2];
    if (pipe(p)) return;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t child = fork();
    if (!child) {
        if (fork() == 0) {
            pause_ms(50);
            char parent = getppid() == *(volatile pid_t*)&chld_pid;
            if (write(p[1], &parent, 1) != 1) _exit(1);
            _exit(21);
        }
        _exit(20);
    }
    int status;
    waitpid(child, &status, 0);
    show_status("child", status);
    char c;
    if (read(p[0], &c, 1) != 1) return;
    pid_t grandchild = wait(&status);
    printf("grandchild %d\n", grandchild > child);
    show_status("grandchild", status);
}
static void sessions(void) {
    pid_t child = fork();
    if (!child) {
        printf("setsid %d", setsid() == getpid());
        printf(" group %d session %d again %d %d\n", getpgrp() == getpid(), getsid(0) == getpid(),
               RESULT(setsid()), EPERM);
        printf("own group %d %d\n", RESULT(setpgid(0, 0)), EPERM);
        pid_t inner = fork();
        if (!inner) {
            printf("foreign group %d %d\n", RESULT(setpgid(0, getppid() + 12345)), EPERM);
            printf("new group %d %d\n", setpgid(0, 0), getpgrp() == getpid());
            fflush(stdout);
            _exit(0);
        }
        fflush(stdout);
        wait(0);
        fflush(stdout);
        _exit(0);
    }
    wait(0);
    printf("other session %d %d\n", RESULT(setpgid(1, 0)), ESRCH);
    printf("negative %d %d\n", RESULT(setpgid(0, -1)), EINVAL);
}
static void group_kill(void) {
    int status, killed = 0;
    pid_t leader = fork();
    if (!leader) {
        setpgid(0, 0);
        for (int i = 0; i < 3; i++)
            if (fork() == 0)
                for (;;) pause();
        while (wait(&status) > 0) killed += WIFSIGNALED(status);
        _exit(killed);
    }
    setpgid(leader, leader);
    pause_ms(60);
    printf("sent %d\n", kill(-leader, SIGHUP));
    waitpid(leader, &status, 0);
    show_status("leader", status);
    for (int i = 0; i < 500 && kill(-leader, 0) == 0; i++)
        pause_ms(10); // init may take its time to reap the orphans
    printf("gone %d %d\n", RESULT(kill(-leader, 0)), ESRCH);
}
static void orphans_hang_up(void) {
    // The middle process ends; its stopped child's group has no parent in the session any more: SIGHUP and
    // SIGCONT.
    int p[2], status;
    if (pipe(p)) return;
    pid_t middle = fork();
    if (!middle) {
        setsid();
        pid_t job = fork();
        if (!job) {
            setpgid(0, 0);
            signal(SIGHUP, count);
            raise(SIGSTOP);
            pause_ms(5);
            char hup = got[SIGHUP] == 1;
            if (write(p[1], &hup, 1) != 1) _exit(1);
            _exit(0);
        }
        waitpid(job, &status, WUNTRACED);
        _exit(0);
    }
    waitpid(middle, &status, 0);
    char c = 9;
    close(p[1]);
    printf("read %zd hangup %d\n", read(p[0], &c, 1), c);
}
static void limits(void) {
    struct rlimit l, old;
    getrlimit(RLIMIT_STACK, &l);
    printf("stack %ld\n", (long)l.rlim_cur);
    getrlimit(RLIMIT_CORE, &l);
    l.rlim_cur = l.rlim_max = 0;
    printf("lower %d\n", setrlimit(RLIMIT_CORE, &l));
    l.rlim_cur = 5, l.rlim_max = 4;
    printf("wrong %d %d\n", RESULT(setrlimit(RLIMIT_FSIZE, &l)), EINVAL);
    l.rlim_cur = 100, l.rlim_max = 200;
    printf("set %d\n", prlimit(0, RLIMIT_NPROC, &l, &old));
    pid_t child = fork();
    if (!child) {
        getrlimit(RLIMIT_NPROC, &l);
        printf("child %ld %ld\n", (long)l.rlim_cur, (long)l.rlim_max);
        fflush(stdout);
        _exit(0);
    }
    wait(0);
    printf("bad %d %d\n", RESULT(getrlimit(99, &l)), EINVAL);
}
static void no_more_processes(void) {
    // Only root may change its user; root itself has no such limit.
    pid_t child = fork();
    if (!child) {
        struct rlimit l = {3, 3};
        setrlimit(RLIMIT_NPROC, &l);
        // A user of its own: on the host other runs of this test count processes too.
        unsigned own = 100000 + (unsigned)getpid();
        if (setgid(own) || setuid(own)) _exit(1);
        int made = 0;
        while (made < 10 && (child = fork()) >= 0) {
            if (!child) {
                pause_ms(100);
                _exit(0);
            }
            made++;
        }
        printf("made %d %s\n", made, strerror(errno));
        fflush(stdout);
        while (wait(0) > 0) {
        }
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    show_status("limited", status);
}
static void identities(void) {
    pid_t child = fork();
    if (!child) {
        uid_t r, e, s;
        gid_t groups[2] = {10, 20}, back[8];
        printf("groups %d %d\n", setgroups(2, groups), getgroups(8, back));
        printf("resuid %d\n", setresuid(1, 2, 3));
        getresuid(&r, &e, &s);
        printf("%d %d %d\n", r, e, s);
        printf("swap %d", seteuid(3));
        printf(" now %d, root %d %d\n", geteuid(), RESULT(setuid(0)), EPERM);
        printf("kill init %d %d\n", RESULT(kill(1, 0)), EPERM);
        fflush(stdout);
        _exit(0);
    }
    wait(0);
}
static void usage(void) {
    pid_t child = fork();
    if (!child) {
        struct rusage own; // a machine that is short of time loses ticks: what counts is what was counted
        do getrusage(RUSAGE_SELF, &own);
        while (own.ru_utime.tv_sec + own.ru_stime.tv_sec == 0 &&
               own.ru_utime.tv_usec + own.ru_stime.tv_usec < 40000);
        _exit(0);
    }
    struct rusage u;
    int status;
    wait4(child, &status, 0, &u);
    long ms =
        (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
    printf("child used time %d\n", ms >= 20);
    getrusage(RUSAGE_CHILDREN, &u);
    printf("children too %d\n", (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
                                        (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000 >=
                                    20);
}
static void interval(void) {
    signal(SIGALRM, count);
    struct itimerval t = {{0, 20000}, {0, 20000}}, now;
    setitimer(ITIMER_REAL, &t, 0);
    for (int i = 0; i < 3; i++) pause();
    getitimer(ITIMER_REAL, &now);
    printf("ticks %d interval %ld\n", got[SIGALRM], (long)now.it_interval.tv_usec);
    memset(&t, 0, sizeof t);
    setitimer(ITIMER_REAL, &t, 0);
    alarm(30);
    printf("alarm left %u\n", alarm(0));
}
static void arch(void) {
    printf("prctl %ld", syscall(SYS_arch_prctl, 0x1001, 0x8000000000000000ul));
    printf(" %d", errno == EPERM);
    printf(" %d %d\n", RESULT(syscall(SYS_arch_prctl, 0x9999, 0)), EINVAL);
}
static void alignment_flag(void) {
    // A program's AC flag is its own: no interrupt and no call may run with it (SMAP), and it is there
    // afterwards.
    unsigned long flags;
    __asm__ volatile("pushfq; orq $0x40000, (%%rsp); popfq\n"
                     "movq $30000000, %%rcx\n"
                     "1: decq %%rcx; jnz 1b\n"
                     "movl $39, %%eax; syscall\n"
                     "pushfq; popq %0; pushfq; andq $~0x40000, (%%rsp); popfq"
                     : "=r"(flags)
                     :
                     : "rax", "rcx", "r11", "memory", "cc");
    printf("kept %d\n", (flags & 0x40000) != 0);
}
static void exec_keeps(void) {
    // Ignored stays ignored, caught becomes default, blocked and pending stay.
    pid_t child = fork();
    if (!child) {
        signal(SIGUSR1, SIG_IGN);
        signal(SIGUSR2, count);
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigprocmask(SIG_BLOCK, &set, 0);
        raise(SIGTERM);
        execl("/proc/self/exe", "signals", "after-exec", (char*)0);
        _exit(99);
    }
    wait(0);
}
static int after_exec(void) {
    struct sigaction a;
    sigset_t set;
    sigaction(SIGUSR1, 0, &a);
    printf("ignored %d", a.sa_handler == SIG_IGN);
    sigaction(SIGUSR2, 0, &a);
    printf(" default %d", a.sa_handler == SIG_DFL);
    sigprocmask(SIG_BLOCK, 0, &set);
    printf(" blocked %d", sigismember(&set, SIGTERM));
    sigpending(&set);
    printf(" pending %d\n", sigismember(&set, SIGTERM));
    return 0;
}

static void by_descriptor(void) {
    sigset_t set, other;
    sigemptyset(&set), sigaddset(&set, SIGUSR1), sigaddset(&set, SIGRTMIN), sigaddset(&set, SIGCHLD);
    sigemptyset(&other), sigaddset(&other, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL), sigprocmask(SIG_BLOCK, &other, NULL);
    int file = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    struct signalfd_siginfo info[3];
    struct pollfd p = {file, POLLIN, 0};
    printf("nothing %d\n", RESULT(read(file, info, sizeof info)));
    printf("small %d\n", RESULT(read(file, info, 100)));
    printf("write %d\n", RESULT(write(file, info, sizeof info)));
    kill(getpid(), SIGUSR2);
    printf("poll %d\n", poll(&p, 1, 0));
    union sigval value = {.sival_int = 42};
    sigqueue(getpid(), SIGRTMIN, value);
    kill(getpid(), SIGUSR1);
    printf("poll %d\n", poll(&p, 1, 0));
    printf("two %d\n", RESULT(read(file, info, sizeof info)));
    printf("%d %d %d\n", info[0].ssi_signo, info[0].ssi_code, info[0].ssi_pid == (unsigned)getpid());
    printf("%d %d %d\n", info[1].ssi_signo == (unsigned)SIGRTMIN, info[1].ssi_code, info[1].ssi_int);
    printf("mask %d\n", signalfd(file, &other, 0) == file);
    printf("%d\n", RESULT(read(file, info, sizeof info)));
    printf("%d\n", info[0].ssi_signo);
    signalfd(file, &set, 0);
    fcntl(file, F_SETFL, 0);
    pid_t child = fork();
    if (!child) {
        pause_ms(100);
        _exit(6);
    }
    printf("child %d\n", RESULT(read(file, info, sizeof info[0])));
    printf("%d %d %d %d\n", info[0].ssi_signo, info[0].ssi_code, info[0].ssi_status,
           info[0].ssi_pid == (unsigned)child);
    printf("%d\n", poll(&p, 1, 0));
    printf("no %d\n", RESULT(signalfd(1, &set, 0)));
    printf("no %d\n", RESULT(signalfd(99, &set, 0)));
    printf("no %d\n", RESULT(signalfd(-1, &set, 1)));
}

int main(int argc, char** argv) {
    if (argc > 1 && !strcmp(argv[1], "after-exec")) return after_exec();
    signal(SIGHUP, SIG_DFL);
    static const struct test_case cases[] = {
        {"info_of_kill", info_of_kill},
        {"by_descriptor", by_descriptor},
        {"info_of_fault", info_of_fault},
        {"fault_codes", fault_codes},
        {"realtime_queue", realtime_queue},
        {"queued_values", queued_values},
        {"queue_limit", queue_limit},
        {"restarted", restarted},
        {"interrupted", interrupted},
        {"sleep_over_stop", sleep_over_stop},
        {"sleep_and_handler", sleep_and_handler},
        {"alternate_stack", alternate_stack},
        {"stack_overflow", stack_overflow},
        {"nested_masks", nested_masks},
        {"suspend", suspend},
        {"stop_and_continue", stop_and_continue},
        {"no_stop_notices", no_stop_notices},
        {"kill_stopped", kill_stopped},
        {"ignored_children", ignored_children},
        {"wait_id", wait_id},
        {"wait_groups", wait_groups},
        {"reparent", reparent},
        {"sessions", sessions},
        {"group_kill", group_kill},
        {"orphans_hang_up", orphans_hang_up},
        {"limits", limits},
        {"no_more_processes", no_more_processes},
        {"identities", identities},
        {"usage", usage},
        {"interval", interval},
        {"arch", arch},
        {"alignment_flag", alignment_flag},
        {"exec_keeps", exec_keeps},
    };
    return run_cases(cases, LENGTH(cases), argc, argv);
}
