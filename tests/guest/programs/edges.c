// Where a program does what none should: addresses that are none, areas at the edge of others, tables that two processes share, calls
// that cross each other. Linux is the judge: whatever it says here, the guest says too.
#include "case.h"
#include <linux/sched.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <ucontext.h>

static long page;
static char* area(size_t pages, int rights) {
    return mmap(0, pages * 4096, rights, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
/// How a store to, or (store < 0) a load from the address ends, in a process of its own.
static int touch(volatile char* at, int store) {
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        if (store >= 0)
            *at = store;
        else
            store = *at;
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

// --- signals
struct kernel_action {
    unsigned long handler, flags, restorer, mask;
};
extern void restorer(void);
__asm__("restorer: mov $15, %eax\n syscall");
static void set_handler(int signal, unsigned long handler) {
    struct kernel_action action = {handler, 0x04000000, (unsigned long)restorer, 0};
    syscall(SYS_rt_sigaction, signal, &action, 0, 8);
}
static const unsigned long nowhere[] = {0x8000000000000000, 0x800000000000, 0x7ffffffff000, 0xffffffff81000000, 0xfffffffffffffff0, 0x10};
static void wild_handler(void) {
    for (size_t i = 0; i < LENGTH(nowhere); i++) {
        fflush(stdout);
        pid_t child = fork();
        if (!child) {
            set_handler(SIGUSR1, nowhere[i]);
            kill(getpid(), SIGUSR1);
            _exit(0);
        }
        int status;
        waitpid(child, &status, 0);
        show_status("wild handler", status);
    }
}
static void* wild_address;
static void caught(int signal, siginfo_t* info, void* context) {
    ucontext_t* at = context;
    printf("signal %d code %d address %d at the handler %d\n", signal, info->si_code, info->si_addr == wild_address,
           at->uc_mcontext.gregs[REG_RIP] == (long)wild_address);
    fflush(stdout);
    _exit(3);
}
/// The fault of the jump to it is the program's own, which it may catch.
static void wild_handler_caught(void) {
    for (size_t i = 0; i < LENGTH(nowhere); i++) {
        fflush(stdout);
        pid_t child = fork();
        if (!child) {
            struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};
            sigaction(SIGSEGV, &action, 0);
            wild_address = (void*)nowhere[i];
            set_handler(SIGUSR1, nowhere[i]);
            kill(getpid(), SIGUSR1);
            _exit(0);
        }
        int status;
        waitpid(child, &status, 0);
        show_status("caught", status);
    }
}
/// A stack that is no address: the processor says #SS, QEMU says #GP. The program dies of either.
static int of_stack(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS ? SIGSEGV : status; }
static unsigned long wanted_rip, wanted_rsp;
static void change_frame(int signal, siginfo_t* info, void* context) {
    ucontext_t* at = context;
    if (wanted_rip) at->uc_mcontext.gregs[REG_RIP] = wanted_rip;
    if (wanted_rsp) at->uc_mcontext.gregs[REG_RSP] = wanted_rsp;
}
static void wild_return(void) {
    for (size_t i = 0; i < 2 * LENGTH(nowhere); i++) {
        fflush(stdout);
        pid_t child = fork();
        if (!child) {
            struct sigaction action = {.sa_sigaction = change_frame, .sa_flags = SA_SIGINFO};
            sigaction(SIGUSR1, &action, 0);
            *(i % 2 ? &wanted_rip : &wanted_rsp) = nowhere[i / 2];
            kill(getpid(), SIGUSR1);
            *(volatile int*)&(int){0} = 1; // something on the stack
            getpid();
            __asm__ volatile("push %rax");
            _exit(0);
        }
        int status;
        waitpid(child, &status, 0);
        show_status(i % 2 ? "wild return" : "wild stack", i % 2 ? status : of_stack(status));
    }
}
static void wild_child_stack(void) {
    for (size_t i = 0; i < LENGTH(nowhere); i++) {
        fflush(stdout);
        long child = syscall(SYS_clone, SIGCHLD, nowhere[i], 0, 0, 0);
        if (!child) {
            __asm__ volatile("push %rax");
            _exit(0);
        }
        int status;
        waitpid(child, &status, 0);
        show_status("wild child stack", of_stack(status));
    }
}
static stack_t of_handler;
static int on_it;
static void look(int signal) {
    char here;
    sigaltstack(0, &of_handler);
    on_it = &here > (char*)page && &here < (char*)page + 65536;
}
static void autodisarm(void) {
    page = (long)area(16, PROT_READ | PROT_WRITE);
    stack_t mine = {(void*)page, (int)(1u << 31), 65536}, now;
    printf("set %d\n", RESULT(sigaltstack(&mine, 0)));
    struct sigaction action = {.sa_handler = look, .sa_flags = SA_ONSTACK};
    sigaction(SIGUSR1, &action, 0);
    for (int i = 0; i < 3; i++) {
        raise(SIGUSR1);
        sigaltstack(0, &now);
        printf("in it: on %d flags %x size %zu; behind it: flags %x size %zu\n", on_it, of_handler.ss_flags, of_handler.ss_size, now.ss_flags,
               now.ss_size);
    }
    mine.ss_flags = 0;
    sigaltstack(&mine, 0);
    for (int i = 0; i < 2; i++) {
        raise(SIGUSR1);
        sigaltstack(0, &now);
        printf("in it: on %d flags %x size %zu; behind it: flags %x size %zu\n", on_it, of_handler.ss_flags, of_handler.ss_size, now.ss_flags,
               now.ss_size);
    }
}

// --- memory
static void moved_beside_its_likes(void) {
    for (int rights = 1; rights <= 3; rights += 2)
        for (int before = 0; before < 3; before++) {
            for (int i = 0; i < before; i++) area(1, rights);
            area(1, PROT_READ);
            volatile long* a = (long*)area(1, PROT_READ | PROT_WRITE);
            *a = 77;
            volatile long* b = mremap((void*)a, 4096, 16384, MREMAP_MAYMOVE);
            printf("%d %ld %ld\n", b != MAP_FAILED, b[0], b[512]);
            b[2047] = 5;
            volatile long* c = mremap((void*)b, 16384, 1 << 20, MREMAP_MAYMOVE);
            printf("%d %ld %ld\n", c != MAP_FAILED, c[0], c[2047]);
        }
}
static void forbidden(void) {
    volatile char* a = area(3, PROT_READ | PROT_WRITE);
    a[0] = 1, a[4096] = 2;
    printf("protect %d\n", RESULT(mprotect((void*)a, 3 * 4096, PROT_NONE)));
    printf("load %d store %d untouched %d\n", touch(a, -1), touch(a, 1), touch(a + 8192, -1));
    int ends[2];
    pipe(ends);
    printf("write from it %d\n", RESULT(write(ends[1], (char*)a, 1)));
    unsigned char resident[3];
    printf("mincore %d", RESULT(mincore((void*)a, 3 * 4096, resident)));
    printf(" %d %d %d\n", resident[0] & 1, resident[1] & 1, resident[2] & 1);
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        mprotect((void*)a, 4096, PROT_READ | PROT_WRITE);
        printf("child: %d", a[0]);
        a[0] = 9;
        printf(" %d\n", a[0]);
        fflush(stdout);
        _exit(touch(a + 4096, -1));
    }
    int status;
    waitpid(child, &status, 0);
    show_status("child", status);
    char* moved = mremap((void*)a, 3 * 4096, 5 * 4096, MREMAP_MAYMOVE);
    printf("moved: load %d\n", touch(moved, -1));
    printf("protect %d\n", RESULT(mprotect(moved, 4096, PROT_READ)));
    printf("%d store %d\n", moved[0], touch(moved, 3));
    printf("protect %d\n", RESULT(mprotect(moved, 2 * 4096, PROT_READ | PROT_WRITE)));
    printf("%d %d store %d\n", moved[0], moved[4096], touch(moved, 3));
    printf("%d\n", moved[0] = 4);
    mprotect(moved, 4096, PROT_NONE);
    printf("dontneed %d\n", RESULT(madvise(moved, 4096, MADV_DONTNEED)));
    mprotect(moved, 4096, PROT_READ);
    printf("%d\n", moved[0]);
    printf("unmap %d\n", RESULT(munmap(moved, 5 * 4096)));
}
static void forbidden_file(void) {
    int file = open("edges.file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    ftruncate(file, 2 * 4096);
    volatile char* a = mmap(0, 2 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    a[0] = 'a', a[4096] = 'b';
    mprotect((void*)a, 2 * 4096, PROT_NONE);
    printf("load %d\n", touch(a, -1));
    printf("sync %d\n", RESULT(fsync(file)));
    printf("truncate %d\n", RESULT(ftruncate(file, 4096)));
    mprotect((void*)a, 2 * 4096, PROT_READ | PROT_WRITE);
    printf("%c beyond the end: %d\n", a[0], touch(a + 4096, -1));
    a[0] = 'c';
    char text[2] = {0};
    pread(file, text, 1, 0);
    printf("%s\n", text);
    close(file);
    unlink("edges.file");
}
static void grows(void) {
    char* low = mmap((void*)0x20000, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
    printf("at 20000: %d\n", low == (char*)0x20000);
    printf("store %d, to 0: %d, to 800: %d\n", touch(low, 1), touch((char*)0, 1), touch((char*)0x800, 1));
    int file = open("edges.file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    ftruncate(file, 4 * 4096);
    int kinds[] = {MAP_PRIVATE, MAP_SHARED};
    for (int i = 0; i < 2; i++) {
        char* a = mmap((void*)0x500000000, 4096, PROT_READ | PROT_WRITE, kinds[i] | MAP_FIXED | MAP_GROWSDOWN, file, 2 * 4096);
        printf("a file that grows: %d\n", a == MAP_FAILED ? -errno : 0);
    }
    char* a = mmap((void*)0x500000000, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
    printf("a shared area that grows: %d\n", a == MAP_FAILED ? -errno : 0);
    a = mmap((void*)0x600000000, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
    printf("%d store below: %d\n", a == MAP_FAILED, touch(a - 4096, 1));
    close(file);
    unlink("edges.file");
}

// --- programs
static void* with_threads(void* nothing) {
    for (;;) {
        pthread_attr_t attributes;
        pthread_t thread;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, 65536);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        pthread_create(&thread, &attributes, (void* (*)(void*))pause, 0);
    }
    return nothing;
}
/// One thread makes others while another becomes a new program: none of them is left behind.
static void exec_while_cloning(void) {
    int good = 0;
    for (int round = 0; round < 40; round++) {
        pid_t child = fork();
        if (!child) {
            alarm(15);
            pthread_t thread;
            pthread_create(&thread, 0, with_threads, 0);
            pthread_create(&thread, 0, with_threads, 0);
            for (volatile int i = 0; i < round * 3000; i++) {}
            char* argv[] = {"edges", "exit", 0};
            execv("/proc/self/exe", argv);
            _exit(1);
        }
        int status;
        waitpid(child, &status, 0);
        good += WIFEXITED(status) && WEXITSTATUS(status) == 33;
    }
    printf("%d good\n", good);
}
static void shared_tables(void) {
    int kept = open("/dev/null", O_RDONLY | O_CLOEXEC), other = open("/dev/null", O_RDONLY);
    char where[4096];
    for (int share = 0; share < 2; share++) {
        fflush(stdout);
        long child = syscall(SYS_clone, SIGCHLD | (share ? CLONE_FS : CLONE_FILES), 0, 0, 0, 0);
        if (!child) {
            char number[12];
            snprintf(number, sizeof number, "%d", other);
            char* argv[] = {"edges", share ? "root" : "close", number, 0};
            execv("/proc/self/exe", argv);
            _exit(1);
        }
        int status;
        waitpid(child, &status, 0);
        show_status("child", status);
        printf("kept %d, closed by the program %d, in the root %d\n", fcntl(kept, F_GETFD) >= 0, fcntl(other, F_GETFD) < 0,
               getcwd(where, sizeof where) && !strcmp(where, "/"));
    }
}

// --- the scheduler
static volatile int stop;
static volatile unsigned turns;
static void* spin(void* nothing) {
    while (!stop) {
        for (int i = 0; i < 300; i++) turns++, sched_yield();
        pause_ms(1); // of the real-time class now and then: others must come to run
    }
    return nothing;
}
static pid_t spinner;
static void* move_it(void* nothing) {
    cpu_set_t set;
    for (int i = 0; i < 1500; i++) {
        CPU_ZERO(&set);
        CPU_SET(i % 4, &set);
        sched_setaffinity(spinner, sizeof set, &set);
    }
    return nothing;
}
static void* change_it(void* nothing) {
    for (int i = 0; i < 1500; i++) {
        struct sched_param parameter = {i % 3 == 1};
        sched_setscheduler(spinner, i % 3 == 1 ? SCHED_RR : i % 3 ? SCHED_BATCH : SCHED_OTHER, &parameter);
        if (i % 16 == 0) setpriority(PRIO_PROCESS, spinner, i / 100);
    }
    return nothing;
}
static void moved_and_changed(void) {
    spinner = fork();
    if (!spinner) {
        spin(0);
        _exit(0);
    }
    pthread_t thread[3];
    pthread_create(&thread[0], 0, move_it, 0);
    pthread_create(&thread[1], 0, change_it, 0);
    pthread_create(&thread[2], 0, change_it, 0);
    for (int i = 0; i < 3; i++) pthread_join(thread[i], 0);
    printf("%d\n", RESULT(kill(spinner, SIGKILL)));
    int status;
    waitpid(spinner, &status, 0);
    show_status("spinner", status);
}
static void short_sleeps(void) {
    pid_t hogs[2];
    for (int i = 0; i < 2; i++)
        if (!(hogs[i] = fork()))
            for (;;) {}
    sigset_t none;
    sigemptyset(&none);
    sigaddset(&none, SIGUSR2);
    sigprocmask(SIG_BLOCK, &none, 0);
    for (int process = 0; process < 3; process++)
        if (!fork()) {
            for (int i = 0; i < 12; i++) {
                struct timespec t = {0, 30000 + 3777 * i};
                if (process)
                    nanosleep(&t, 0);
                else
                    sigtimedwait(&none, 0, &t);
            }
            _exit(0);
        }
    int status, done = 0;
    for (int i = 0; i < 3; i++) done += wait(&status) > 0;
    for (int i = 0; i < 2; i++) kill(hogs[i], SIGKILL);
    printf("%d done\n", done);
}

// --- lengths that nothing has
static void lengths(void) {
    char name[] = "/tmp/edges-XXXXXX", text[16] = "lengths";
    volatile size_t huge = ~(size_t)0, large = (size_t)1 << 62; // hidden from the compiler's own checks
    volatile int negatives = -1, many = 1025;
    int file = mkstemp(name), reader = open(name, O_RDONLY), pipes[2];
    if (file < 0 || reader < 0 || pipe(pipes)) return perror("lengths");
    unlink(name);
    printf("write %d %d %d\n", RESULT(write(file, text, huge)), RESULT(write(file, text, large)), RESULT(write(reader, text, huge)));
    printf("pwrite %d, pipe %d\n", RESULT(pwrite(file, text, huge, 0)), RESULT(write(pipes[1], text, huge)));
    printf("read %d %d\n", RESULT(read(file, text, huge)), RESULT(pread(file, text, huge, 0)));
    const struct iovec negative[] = {{text, 4}, {text, huge}}, two[] = {{text, large}, {text, large}}, kernel[] = {{text, 4}, {(void*)(~0UL << 40), 4}},
                       broken[] = {{text, 4}, {(void*)16, 4}}, good[] = {{text, 3}, {text + 8, 4}};
    printf("writev %d %d %d\n", RESULT(writev(file, negative, 2)), RESULT(writev(file, two, 2)), RESULT(writev(file, kernel, 2)));
    printf("writev %d %d %d %d\n", RESULT(writev(file, good, negatives)), RESULT(writev(file, good, many)), RESULT(writev(-1, good, negatives)), RESULT(writev(reader, good, 2)));
    struct stat size;
    printf("pwritev %d %d %d %d\n", RESULT(pwritev(file, good, 2, 100)), RESULT(pwritev(file, good, 2, -1)), RESULT(pwritev(pipes[1], good, 2, 0)),
           RESULT(pwritev(file, broken, 1, 200)));
    fstat(file, &size);
    printf("%ld bytes, at %ld\n", (long)size.st_size, (long)lseek(file, 0, SEEK_CUR));
    memset(text, 0, sizeof text);
    printf("preadv %d %.3s\n", RESULT(preadv(reader, good, 2, 100)), text);
    printf("preadv %d %d\n", RESULT(preadv(reader, good, 2, 204)), RESULT(preadv(reader, negative, 2, 0)));
}

int main(int argc, char** argv) {
    if (argc > 1 && !strcmp(argv[1], "exit")) return 33;
    if (argc > 1 && !strcmp(argv[1], "root")) return chdir("/");
    if (argc > 2 && !strcmp(argv[1], "close")) return close(atoi(argv[2]));
    const struct test_case cases[] = {{"wild_handler", wild_handler},
                                      {"wild_handler_caught", wild_handler_caught},
                                      {"wild_return", wild_return},
                                      {"wild_child_stack", wild_child_stack},
                                      {"autodisarm", autodisarm},
                                      {"moved_beside_its_likes", moved_beside_its_likes},
                                      {"forbidden", forbidden},
                                      {"forbidden_file", forbidden_file},
                                      {"grows", grows},
                                      {"exec_while_cloning", exec_while_cloning},
                                      {"shared_tables", shared_tables},
                                      {"moved_and_changed", moved_and_changed},
                                      {"short_sleeps", short_sleeps},
                                      {"lengths", lengths}};
    return run_cases(cases, LENGTH(cases), argc, argv);
}
