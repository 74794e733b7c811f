// The vector registers, as wide as CPUID and XCR0 offer: they belong to their thread across switches, signals and fork; a program starts
// with zeros; a signal's frame shows them in Linux's format, and what the handler writes there comes back. No line says how wide they are.
#include "case.h"
#include <cpuid.h>
#include <stdint.h>
#include <ucontext.h>

static int avx;
static unsigned high_offset; // of the YMM halves in the XSAVE image

static int has_avx(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX)) return 0;
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if ((low & 6) != 6) return 0;
    __cpuid_count(13, 2, a, high_offset, c, d);
    return 1;
}
static int offered(void) {
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_AVX) && (c & bit_XSAVE);
}

typedef struct { uint64_t lane[4]; } __attribute__((aligned(32))) vector;
static void fill(vector* v, uint64_t seed) {
    for (int i = 0; i < 16; i++)
        for (int lane = 0; lane < 4; lane++) v[i].lane[lane] = (seed + i * 4 + lane) * 0x9e3779b97f4a7c15;
}
static int same(const vector* a, const vector* b) {
    for (int i = 0; i < 16; i++)
        for (int lane = 0; lane < (avx ? 4 : 2); lane++)
            if (a[i].lane[lane] != b[i].lane[lane]) return 0;
    return 1;
}

#define EACH(what) what(0) what(1) what(2) what(3) what(4) what(5) what(6) what(7) what(8) what(9) what(10) what(11) what(12) what(13) what(14) what(15)
#define LOADY(n) "vmovdqa 32*" #n "(%[from]), %%ymm" #n "\n"
#define STOREY(n) "vmovdqa %%ymm" #n ", 32*" #n "(%[to])\n"
#define LOADX(n) "movdqa 32*" #n "(%[from]), %%xmm" #n "\n"
#define STOREX(n) "movdqa %%xmm" #n ", 32*" #n "(%[to])\n"
#define CLOBBERED                                                                                                                          \
    "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", \
        "xmm14", "xmm15"

/// Loads all registers, turns for a while, makes one system call, turns again, and stores them.
static long through(const vector* from, vector* to, long number, long a, long b, long turns) {
    long result = number, left = turns;
#define BODY(load, store)                                                                                                                  \
    __asm__ volatile(EACH(load) "mov %[turns], %%rcx\n1: dec %%rcx\n jnz 1b\n syscall\n mov %[turns], %%rcx\n2: dec %%rcx\n jnz 2b\n" EACH(store) \
                     : "+a"(result), [turns] "+r"(left) : [from] "r"(from), [to] "r"(to), "D"(a), "S"(b), "d"(0) : CLOBBERED)
    if (avx)
        BODY(LOADY, STOREY);
    else
        BODY(LOADX, STOREX);
    return result;
}

static int wrong;
static void* turner(void* argument) {
    vector mine, *from = aligned_alloc(32, 16 * sizeof mine), *to = aligned_alloc(32, 16 * sizeof mine);
    for (int i = 0; i < 60; i++) {
        fill(from, (uint64_t)argument * 1000003 + i);
        through(from, to, SYS_sched_yield, 0, 0, 2000 + 997 * (i % 7));
        if (!same(from, to)) __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
    }
    free(from), free(to);
    return NULL;
}
static void switches(void) {
    for (int process = 0; process < 4; process++) {
        if (fork()) continue;
        pthread_t threads[4];
        for (long i = 0; i < 4; i++) pthread_create(&threads[i], NULL, turner, (void*)(process * 16 + i));
        for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
        _exit(wrong != 0);
    }
    int status, bad = 0;
    while (wait(&status) > 0) bad += status != 0;
    printf("%d processes lost a register\n", bad);
}

static void forks(void) {
    vector from[16], to[16];
    int bad = 0, status;
    for (int i = 0; i < 10; i++) {
        fill(from, i);
        long child = through(from, to, SYS_fork, 0, 0, 100);
        if (child == 0) syscall(SYS_exit_group, !same(from, to));
        bad += !same(from, to);
        waitpid(child, &status, 0);
        bad += status != 0;
    }
    printf("%d forks lost a register\n", bad);
}

static vector in_handler[16];
static volatile int frames;
static void clobber(int number, siginfo_t* info, void* context) {
    vector other[16], back[16];
    fill(other, 77);
    through(other, back, SYS_getppid, 0, 0, 5000);
    uint8_t* image = (uint8_t*)((ucontext_t*)context)->uc_mcontext.fpregs;
    uint32_t marks[12];
    memcpy(marks, image + 464, sizeof marks); // struct _fpx_sw_bytes
    int good = (uintptr_t)image % 64 == 0;
    for (int i = 0; i < 16; i++) good &= !memcmp(image + 160 + 16 * i, &in_handler[i], 16);
    if (avx) {
        uint64_t present;
        uint32_t magic2;
        memcpy(&present, image + 512, 8);
        memcpy(&magic2, image + marks[4], 4);
        good &= marks[0] == 0x46505853 && marks[1] == marks[4] + 4 && magic2 == 0x46505845 && (marks[2] & 7) == 7 && (present & 4);
        for (int i = 0; i < 16; i++) good &= !memcmp(image + high_offset + 16 * i, &in_handler[i].lane[2], 16);
    }
    frames += good;
    if (number == SIGUSR2) { // what is written here comes back
        memset(image + 160 + 16 * 5, 0x5a, 16);
        if (avx) memset(image + high_offset + 16 * 5, 0xa5, 16);
    }
    if (number == SIGURG) ((ucontext_t*)context)->uc_mcontext.fpregs = NULL;
    if (number == SIGWINCH) { // no marks: the legacy part alone comes back, the rest starts anew
        memset(image + 464, 0, 48);
    }
    if (number == SIGIO && avx) memset(image + 512, 0, 8); // nothing in use: all starts anew
}
static void signals(void) {
    struct sigaction action = {.sa_sigaction = clobber, .sa_flags = SA_SIGINFO};
    int numbers[] = {SIGUSR1, SIGUSR2, SIGURG, SIGWINCH, SIGIO};
    vector to[16], expected[16];
    for (unsigned i = 0; i < LENGTH(numbers); i++) {
        sigaction(numbers[i], &action, NULL);
        fill(in_handler, 100 + i);
        memcpy(expected, in_handler, sizeof expected);
        if (numbers[i] == SIGUSR2) memset(&expected[5].lane[0], 0x5a, 16), memset(&expected[5].lane[2], 0xa5, 16);
        if (numbers[i] == SIGURG || (avx && numbers[i] == SIGIO)) memset(expected, 0, sizeof expected);
        if (numbers[i] == SIGWINCH)
            for (int n = 0; n < 16; n++) expected[n].lane[2] = expected[n].lane[3] = 0;
        through(in_handler, to, SYS_kill, getpid(), numbers[i], 3000);
        printf("signal %d: %s\n", (int)i, same(expected, to) ? "as expected" : "lost");
    }
    printf("%d frames are right\n", frames);
}
static void ticks(int number) {
    vector other[16], back[16];
    fill(other, number);
    through(other, back, SYS_getppid, 0, 0, 10);
    frames++;
}
static void timers(void) { // a signal at any instruction
    signal(SIGALRM, ticks);
    struct itimerval often = {{0, 4000}, {0, 4000}};
    setitimer(ITIMER_REAL, &often, NULL);
    vector from[16], to[16];
    int bad = 0;
    while (frames < 20) {
        fill(from, frames);
        through(from, to, SYS_getppid, 0, 0, 50000);
        bad += !same(from, to);
    }
    printf("%d rounds lost a register\n", bad);
}
static void starts_clean(void) {
    vector from[16], to[16];
    fill(from, 5);
    char path[256];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 8);
    path[length > 0 ? length : 0] = 0;
    strcpy(strrchr(path, '/') + 1, "fresh");
    char* arguments[] = {path, NULL};
    pid_t child = fork();
    if (!child) {
        through(from, to, SYS_execve, (long)path, (long)arguments, 10);
        _exit(127);
    }
    int status;
    waitpid(child, &status, 0);
    show_status("fresh", status);
}
static void as_offered(void) {
    printf("XCR0 holds what CPUID offers: %d\n", avx == offered());
    unsigned a, b, c, d;
    if (!offered()) return (void)puts("as large as it says: 1");
    __cpuid_count(13, 0, a, b, c, d);
    printf("as large as it says: %d\n", b >= 832 && c >= b);
}
int main(int argc, char** argv) {
    avx = has_avx();
    const struct test_case cases[] = {{"as_offered", as_offered}, {"switches", switches}, {"forks", forks}, {"signals", signals}, {"timers", timers}, {"starts_clean", starts_clean}};
    return run_cases(cases, LENGTH(cases), argc, argv);
}
