// The vDSO: found by its auxiliary vector, read by its ELF tables, and true beside the system calls. Linux's output is the judge; that no
// system call is made is another test's matter (vdso_calls.py). See vdso(7).
#include "case.h"
#include <elf.h>
#include <sys/auxv.h>

static const char* base;
static const void* lookup(const char* wanted) {
    const Elf64_Ehdr* header = (const void*)base;
    const Elf64_Phdr* segment = (const void*)(base + header->e_phoff);
    const Elf64_Dyn* dynamic = NULL;
    for (int i = 0; i < header->e_phnum; i++)
        if (segment[i].p_type == PT_DYNAMIC) dynamic = (const void*)(base + segment[i].p_offset);
    const Elf64_Sym* symbols = NULL;
    const char* strings = NULL;
    const uint32_t* gnu = NULL;
    for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
        const void* at = base + dynamic->d_un.d_ptr;
        if (dynamic->d_tag == DT_SYMTAB) symbols = at;
        if (dynamic->d_tag == DT_STRTAB) strings = at;
        if (dynamic->d_tag == DT_GNU_HASH) gnu = at;
    }
    if (!symbols || !strings || !gnu) return NULL;
    uint32_t hash = 5381;
    for (const char* c = wanted; *c; c++) hash = hash * 33 + (unsigned char)*c;
    const uint32_t* buckets = gnu + 4 + gnu[2] * 2;
    const uint32_t* chain = buckets + gnu[0];
    for (uint32_t n = buckets[hash % gnu[0]]; n; n++) {
        if ((chain[n - gnu[1]] | 1) == (hash | 1) && !strcmp(strings + symbols[n].st_name, wanted)) return base + symbols[n].st_value;
        if (chain[n - gnu[1]] & 1) break;
    }
    return NULL;
}

static void image(void) {
    printf("there: %d, on a page: %d, ELF: %d\n", base != NULL, !((uintptr_t)base & 4095), base && !memcmp(base, ELFMAG, SELFMAG));
    static const char* const names[] = {"__vdso_clock_gettime", "__vdso_gettimeofday", "__vdso_time", "__vdso_getcpu", "__vdso_clock_getres", "clock_gettime", "__vdso_nothing"};
    for (unsigned i = 0; i < LENGTH(names); i++) printf("%s: %d\n", names[i], lookup(names[i]) != NULL);
    FILE* maps = fopen("/proc/self/maps", "r");
    char line[256];
    while (fgets(line, sizeof line, maps)) {
        unsigned long start, end;
        char rights[8];
        if (sscanf(line, "%lx-%lx %7s", &start, &end, rights) != 3) continue;
        if (strstr(line, "[vdso]")) printf("[vdso] %s, at its place: %d\n", rights, start == (uintptr_t)base);
        if (strstr(line, "[vvar]")) printf("[vvar] %s\n", rights);
    }
    fclose(maps);
}

/// What the kernel has put there is as long as it is; where it goes, it stays read-only.
static void moved(void) {
    char *data = NULL, *code = NULL;
    unsigned long start, end, pages = 0;
    FILE* maps = fopen("/proc/self/maps", "r");
    char line[256];
    while (fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx", &start, &end) != 2) continue;
        if (strstr(line, "[vdso]")) code = (char*)start, pages = (end - start) / 4096;
        if (strstr(line, "[vvar]")) data = (char*)start;
    }
    fclose(maps);
    char* area = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("%d\n", RESULT((long)mremap(code, pages * 4096, (pages + 1) * 4096, 0)));
    printf("%d\n", RESULT((long)mremap(code, pages * 4096, (pages + 1) * 4096, MREMAP_MAYMOVE)));
    printf("%d\n", RESULT((long)mremap(code, pages * 4096, (pages + 1) * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, area)));
    printf("%d\n", RESULT((long)mremap(data, 4096, 5 << 12, MREMAP_MAYMOVE)));
    area = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!fork()) { // the parent goes on with its clock where it was
        char* there = mremap(code, pages * 4096, pages * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, area);
        printf("the code moves: %d\n", there == area && !memcmp(there, ELFMAG, SELFMAG));
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
}
static void data_moved(void) {
    char* data = NULL;
    unsigned long start, end, size = 0;
    FILE* maps = fopen("/proc/self/maps", "r");
    char line[256];
    while (fgets(line, sizeof line, maps))
        if (strstr(line, "[vvar]") && sscanf(line, "%lx-%lx", &start, &end) == 2) data = (char*)start, size = end - start;
    fclose(maps);
    char* area = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char* there = mremap(data, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, area);
    printf("moves: %d\n", there == area);
    printf("%d\n", RESULT(mprotect(there, size, PROT_READ | PROT_WRITE)));
    printf("%d\n", RESULT(mprotect(there, size, PROT_READ | PROT_EXEC)));
}

static long nanoseconds(struct timespec t) { return t.tv_sec * 1000000000 + t.tv_nsec; }
static long by_call(int clock) {
    struct timespec t;
    syscall(SYS_clock_gettime, clock, &t);
    return nanoseconds(t);
}

/// What it says lies between two system calls.
static void clocks(void) {
    int (*get)(int, struct timespec*) = lookup("__vdso_clock_gettime");
    static const int list[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME,
                               CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
    for (unsigned c = 0; c < LENGTH(list); c++) {
        int wrong = 0;
        for (int i = 0; i < 300; i++) {
            struct timespec direct, libc;
            long before = by_call(list[c]);
            get(list[c], &direct);
            clock_gettime(list[c], &libc);
            long after = by_call(list[c]);
            wrong += before > nanoseconds(direct) || nanoseconds(direct) > nanoseconds(libc) || nanoseconds(libc) > after;
        }
        printf("clock %d: %d wrong\n", list[c], wrong);
    }
    struct timespec t;
    printf("no clock: %d %d %d\n", get(99, &t), get(-1 & 0xffff, &t), RESULT(clock_gettime(99, &t)));
    int (*resolution)(int, struct timespec*) = lookup("__vdso_clock_getres");
    int told = resolution(CLOCK_MONOTONIC, &t);
    printf("resolution: %d %ld\n", told, t.tv_nsec);
    int wrong = 0;
    for (int i = 0; i < 300; i++) {
        struct timeval value;
        long before = by_call(CLOCK_REALTIME) / 1000;
        gettimeofday(&value, NULL);
        long after = by_call(CLOCK_REALTIME) / 1000, now = value.tv_sec * 1000000 + value.tv_usec;
        wrong += before > now || now > after;
        long seconds = by_call(CLOCK_REALTIME_COARSE) / 1000000000; // time() may be as coarse as that
        long now_seconds = time(NULL);
        wrong += now_seconds < seconds || now_seconds > by_call(CLOCK_REALTIME) / 1000000000;
    }
    printf("time of day: %d wrong\n", wrong);
}

static void processors(void) {
    cpu_set_t allowed, one;
    sched_getaffinity(0, sizeof allowed, &allowed);
    long (*get)(unsigned*, unsigned*, void*) = lookup("__vdso_getcpu");
    int wrong = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed)) continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        sched_setaffinity(0, sizeof one, &one);
        unsigned direct = 999, node = 999, called = 999;
        get(&direct, &node, NULL);
        syscall(SYS_getcpu, &called, NULL, NULL);
        wrong += (int)direct != cpu || (int)called != cpu || sched_getcpu() != cpu || node == 999;
    }
    printf("processors: %d wrong\n", wrong);
}

/// No thread sees a time before one that another has seen.
static long latest;
static int behind;
static void* watch(void* argument) {
    for (int i = 0; i < 3000; i++) {
        long seen = __atomic_load_n(&latest, __ATOMIC_SEQ_CST);
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        long now = nanoseconds(t);
        if (now < seen) __atomic_fetch_add(&behind, 1, __ATOMIC_SEQ_CST);
        while (now > seen && !__atomic_compare_exchange_n(&latest, &seen, now, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        }
    }
    return argument;
}
static void threads(void) {
    pthread_t ids[4];
    for (int i = 0; i < 4; i++) pthread_create(&ids[i], NULL, watch, NULL);
    for (int i = 0; i < 4; i++) pthread_join(ids[i], NULL);
    printf("behind: %d\n", behind);
}

static void protection(void) {
    const char* vvar = NULL;
    FILE* maps = fopen("/proc/self/maps", "r");
    char line[256];
    while (fgets(line, sizeof line, maps))
        if (strstr(line, "[vvar]")) vvar = (const char*)strtoul(line, NULL, 16);
    fclose(maps);
    for (int i = 0; i < 2; i++) {
        fflush(stdout);
        pid_t child = fork();
        if (!child) {
            *(volatile char*)(i ? base : vvar) = 1;
            _exit(0);
        }
        int status;
        waitpid(child, &status, 0);
        show_status(i ? "store to the code" : "store to the data", status);
    }
    printf("data writable: %d\n", RESULT(mprotect((void*)vvar, 4096, PROT_READ | PROT_WRITE)));
    if (!fork()) {
        struct timespec t;
        int result = clock_gettime(CLOCK_MONOTONIC, &t);
        printf("in a child: %d %d\n", *base, result);
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
}

/// For vdso_calls.py: between the two lines nothing is called but write.
static void quiet(void) {
    struct timespec t;
    struct timeval v;
    write(1, "quiet begins\n", 13);
    long sum = 0;
    for (int i = 0; i < 500; i++) {
        clock_gettime(CLOCK_MONOTONIC, &t);
        clock_gettime(CLOCK_REALTIME, &t);
        gettimeofday(&v, NULL);
        sum += time(NULL) + sched_getcpu();
    }
    write(1, "quiet ends\n", 11);
    if (sum < 0) printf("never\n");
}

int main(int argc, char** argv) {
    static const struct test_case cases[] = {{"image", image},     {"clocks", clocks},         {"processors", processors},
                                             {"threads", threads}, {"protection", protection}, {"quiet", quiet},
                                             {"moved", moved}, {"data_moved", data_moved}};
    base = (const char*)getauxval(AT_SYSINFO_EHDR);
    return run_cases(cases, LENGTH(cases), argc, argv);
}
