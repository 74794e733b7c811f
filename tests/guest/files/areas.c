// Areas of an address space against Linux: what joins, what a hole does to mprotect, limits, fixed regions, locked memory. Run under
// both, the lines must be equal. An area is told by its length and its rights in /proc/self/maps: addresses differ.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { Page = 4096 };
#ifndef MAP_SHARED_VALIDATE
#define MAP_SHARED_VALIDATE 3
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

static void show(const char* what, long result) { printf("%s: %s\n", what, result < 0 ? strerrorname_np(errno) : "ok"); }
#define SHOW(call) (errno = 0, show(#call, (long)(call) == -1 ? -1 : 0))

/// The areas inside [from, from + pages): length and rights of each.
static void areas(const char* what, const char* from, size_t pages) {
    FILE* maps = fopen("/proc/self/maps", "r");
    char line[512], rights[8];
    unsigned long start, end, low = (unsigned long)from, high = low + pages * Page;
    printf("%s:", what);
    while (fgets(line, sizeof line, maps))
        if (sscanf(line, "%lx-%lx %7s", &start, &end, rights) == 3 && start < high && end > low) {
            if (start < low) start = low;
            if (end > high) end = high;
            printf(" %s%lu", rights, (end - start) / Page);
        }
    printf("\n");
    fclose(maps);
}
/// A figure of /proc/self/status, in pages.
static long status(const char* name) {
    FILE* file = fopen("/proc/self/status", "r");
    char line[256];
    long value = -1;
    while (fgets(line, sizeof line, file))
        if (!strncmp(line, name, strlen(name))) value = atol(line + strlen(name) + 1) / 4;
    fclose(file);
    return value;
}
static char* get(size_t pages, int rights) { return mmap(0, pages * Page, rights, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }
/// Room that nothing else lies next to: 16 pages of nothing on both sides of it.
static char* room(size_t pages) {
    char* at = get(pages + 32, PROT_NONE);
    munmap(at, (pages + 32) * Page);
    return mmap(at + 16 * Page, pages * Page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}
static void touch(const char* what, char* at, int write) {
    fflush(stdout);
    pid_t child = fork();
    int state;
    if (!child) {
        if (write) *(volatile char*)at = 1;
        _exit(*(volatile char*)at ? 1 : 0);
    }
    waitpid(child, &state, 0);
    printf("%s: %s %d\n", what, WIFSIGNALED(state) ? "signal" : "read", WIFSIGNALED(state) ? WTERMSIG(state) : WEXITSTATUS(state));
}

static void holes(void) {
    char* at = room(8);
    munmap(at + 3 * Page, Page);
    SHOW(mprotect(at, 8 * Page, PROT_READ));
    areas("before the hole", at, 8);
    touch("page 0", at, 1);
    touch("page 4", at + 4 * Page, 1);
    SHOW(mprotect(at + 3 * Page, 2 * Page, PROT_READ));
    areas("from the hole on", at, 8);
    SHOW(mprotect(at + 6 * Page, 4 * Page, PROT_NONE));
    areas("over the end", at, 8);
    SHOW(mprotect(at, Page, PROT_READ | PROT_GROWSDOWN));
    SHOW(mprotect(at + 3 * Page, Page, PROT_READ | PROT_GROWSDOWN));
    SHOW(mprotect(at, Page, PROT_READ | PROT_GROWSUP));
    SHOW(mprotect(at, Page, PROT_READ | PROT_GROWSUP | PROT_GROWSDOWN));
    munmap(at, 8 * Page);
    // A shared file that may not be written lies behind one that may.
    char name[] = "/tmp/areas-file";
    int writer = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600), reader = open(name, O_RDONLY);
    ftruncate(writer, 8 * Page);
    at = room(8);
    mmap(at, 4 * Page, PROT_READ, MAP_SHARED | MAP_FIXED, writer, 0);
    mmap(at + 4 * Page, 4 * Page, PROT_READ, MAP_SHARED | MAP_FIXED, reader, 4 * Page);
    SHOW(mprotect(at, 8 * Page, PROT_READ | PROT_WRITE));
    areas("as far as it is allowed", at, 8);
    munmap(at, 8 * Page);
    close(reader);
    // Pieces of one file join as memory does.
    at = room(6);
    mmap(at, 2 * Page, PROT_READ, MAP_SHARED | MAP_FIXED, writer, 0);
    mmap(at + 2 * Page, 2 * Page, PROT_READ, MAP_SHARED | MAP_FIXED, writer, 2 * Page);
    mmap(at + 4 * Page, 2 * Page, PROT_READ, MAP_SHARED | MAP_FIXED, writer, 6 * Page);
    areas("pieces of a file", at, 6);
    SHOW(mprotect(at + Page, 2 * Page, PROT_NONE));
    areas("cut", at, 6);
    SHOW(mprotect(at + Page, 2 * Page, PROT_READ));
    areas("whole again", at, 6);
    munmap(at, 6 * Page);
    close(writer);
    unlink(name);
}

static void joins(void) {
    char* at = room(8);
    areas("one", at, 8);
    SHOW(mprotect(at + 2 * Page, 2 * Page, PROT_READ));
    areas("three", at, 8);
    SHOW(mprotect(at + 2 * Page, 2 * Page, PROT_READ | PROT_WRITE));
    areas("one again", at, 8);
    memset(at, 1, 8 * Page);
    // There and back again: each page knows where it was.
    char* place = room(8);
    munmap(place, 8 * Page);
    SHOW(mremap(at + 2 * Page, 2 * Page, 2 * Page, MREMAP_MAYMOVE | MREMAP_FIXED, place));
    areas("a hole", at, 8);
    SHOW(mremap(place, 2 * Page, 2 * Page, MREMAP_MAYMOVE | MREMAP_FIXED, at + 2 * Page));
    areas("filled", at, 8);
    SHOW(mremap(at + 4 * Page, 4 * Page, 4 * Page, MREMAP_MAYMOVE | MREMAP_FIXED, place));
    SHOW(mremap(at, 4 * Page, 4 * Page, MREMAP_MAYMOVE | MREMAP_FIXED, place + 4 * Page));
    areas("in the other order", place, 8);
    munmap(place, 8 * Page);
    // Untouched memory has no place of its own yet.
    at = room(4), place = room(8);
    munmap(place, 8 * Page);
    SHOW(mremap(at, 2 * Page, 2 * Page, MREMAP_MAYMOVE | MREMAP_FIXED, place + 2 * Page));
    SHOW(mremap(at + 2 * Page, 2 * Page, 2 * Page, MREMAP_MAYMOVE | MREMAP_FIXED, place));
    areas("untouched", place, 8);
    SHOW(mremap(place, 4 * Page, 6 * Page, 0));
    areas("longer", place, 8);
    mmap(place + 7 * Page, Page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    SHOW(mremap(place, 6 * Page, 7 * Page, 0));
    areas("up to its neighbour", place, 8);
    munmap(place, 8 * Page);
}

static void kinds(void) {
    SHOW(mmap(0, Page, PROT_READ, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0));
    SHOW(mmap(0, Page, PROT_READ, MAP_ANONYMOUS, -1, 0));
    SHOW(mmap(0, Page, PROT_READ, 5 | MAP_ANONYMOUS, -1, 0));
    SHOW(mmap(0, Page, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | 0x200000, -1, 0));
    SHOW(mmap(0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    SHOW(mmap(0, -1ul, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    SHOW(mmap(0, Page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 1));
    SHOW(mmap(0, 1ul << 47, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    SHOW(mmap((void*)1, Page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    SHOW(mmap((void*)(1ul << 47), Page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    SHOW(mmap((void*)((1ul << 47) - Page), 2 * Page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    int file = open("/tmp/areas-file", O_RDWR | O_CREAT | O_TRUNC, 0600), reader = open("/tmp/areas-file", O_RDONLY);
    int writer = open("/tmp/areas-file", O_WRONLY), directory = open("/tmp", O_RDONLY), path = open("/tmp/areas-file", O_PATH);
    SHOW(mmap(0, Page, PROT_READ, MAP_SHARED_VALIDATE, file, 0));
    SHOW(mmap(0, Page, PROT_READ, MAP_SHARED_VALIDATE | 0x200000, file, 0));
    SHOW(mmap(0, Page, PROT_READ, MAP_SHARED | 0x200000, file, 0));
    SHOW(mmap(0, Page, PROT_READ, MAP_SHARED_VALIDATE | MAP_FIXED_NOREPLACE, file, 0));
    SHOW(mmap(0, Page, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE, reader, 0));
    SHOW(mmap(0, Page, PROT_READ, MAP_SHARED, writer, 0));
    SHOW(mmap(0, Page, PROT_WRITE, MAP_PRIVATE, writer, 0));
    SHOW(mmap(0, Page, PROT_READ, MAP_PRIVATE, directory, 0));
    SHOW(mmap(0, Page, PROT_READ, MAP_PRIVATE, path, 0));
    SHOW(mmap(0, Page, PROT_READ, MAP_PRIVATE, 99, 0));
    SHOW(mmap(0, Page, PROT_READ, 7, 99, 0));
    SHOW(mmap(0, Page, PROT_READ, MAP_PRIVATE | MAP_GROWSDOWN, file, 0));
    SHOW(mmap(0, Page, PROT_READ, MAP_SHARED | MAP_GROWSDOWN | MAP_ANONYMOUS, -1, 0));
    SHOW(mmap(0, 2 * Page, PROT_READ, MAP_PRIVATE, file, -Page));
    // The second GiB of addresses.
    for (int i = 0; i < 3; i++) { // in which order is Linux's chance
        unsigned long at = (unsigned long)mmap(0, 16 * Page, PROT_READ | (i & 1 ? PROT_WRITE : 0), MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
        printf("32 bit: %s\n", at >= 0x40000000 && at + 16 * Page <= 0x80000000 ? "in its place" : "elsewhere");
    }
    SHOW(mmap(0, 1ul << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT | MAP_NORESERVE, -1, 0));
    SHOW(mmap(0, 1ul << 31, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT | MAP_NORESERVE, -1, 0));
    char* hint = (char*)0x68000000;
    printf("hint: %d\n", mmap(hint, Page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0) == hint);
    hint = (char*)0x168000000;
    char* got = mmap(hint, Page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    printf("hint above: %d\n", (unsigned long)got < 1ul << 31);
    // MAP_POPULATE
    char* there = mmap(0, 4 * Page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    unsigned char in[4] = {0};
    SHOW(mincore(there, 4 * Page, in));
    printf("populated: %d%d%d%d\n", in[0] & 1, in[1] & 1, in[2] & 1, in[3] & 1);
    unlink("/tmp/areas-file");
}

/// RLIMIT_MEMLOCK is 16 pages, and nobody is root.
static void locks(void) {
    struct rlimit limit = {16 * Page, 16 * Page};
    SHOW(setrlimit(RLIMIT_MEMLOCK, &limit));
    if (!geteuid()) SHOW(setresuid(65534, 65534, 65534)); else SHOW(0);
    char* at = room(32);
    unsigned char in[32] = {0};
    SHOW(mlock(at + 10, 3 * Page));
    printf("locked: %ld\n", status("VmLck:"));
    SHOW(mincore(at, 8 * Page, in));
    printf("there: %d%d%d%d%d\n", in[0] & 1, in[1] & 1, in[2] & 1, in[3] & 1, in[4] & 1);
    areas("locked and not", at, 32);
    SHOW(mlock(at, 4 * Page));
    SHOW(mlock(at, 17 * Page));
    SHOW(mlock(at, 16 * Page));
    printf("locked: %ld\n", status("VmLck:"));
    SHOW(mlock(at + 16 * Page, Page));
    SHOW(mlock(at, 16 * Page)); // once is enough
    SHOW(mmap(0, Page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
    SHOW(mremap(at, 16 * Page, 17 * Page, MREMAP_MAYMOVE));
    SHOW(madvise(at, Page, MADV_DONTNEED));
    SHOW(madvise(at, Page, MADV_FREE));
    SHOW(madvise(at + 16 * Page, Page, MADV_DONTNEED));
    SHOW(msync(at, Page, MS_INVALIDATE));
    SHOW(munlock(at + 4 * Page, 4 * Page));
    printf("locked: %ld\n", status("VmLck:"));
    SHOW(mremap(at, 2 * Page, 2 * Page, MREMAP_MAYMOVE | MREMAP_FIXED, at + 24 * Page));
    printf("moved: %ld\n", status("VmLck:"));
    SHOW(munmap(at + 24 * Page, 2 * Page));
    printf("gone: %ld\n", status("VmLck:"));
    SHOW(munlock(at + 24 * Page, 3 * Page));
    SHOW(mlock(at, 5 * Page)); // a hole
    SHOW(munlock(at + 2 * Page, -1ul - 64 * Page));
    SHOW(mlock(at + 2 * Page, 0));
    SHOW(syscall(SYS_mlock2, at + 8 * Page, Page, 2));
    SHOW(munlockall());
    printf("unlocked: %ld\n", status("VmLck:"));
    char* fresh = room(6);
    memset(in, 0, sizeof in);
    SHOW(syscall(SYS_mlock2, fresh, 4 * Page, 1));
    fresh[Page] = 1;
    SHOW(mincore(fresh, 4 * Page, in));
    printf("on fault: %d%d%d%d, %ld\n", in[0] & 1, in[1] & 1, in[2] & 1, in[3] & 1, status("VmLck:"));
    fflush(stdout);
    if (!fork()) printf("a child: %ld\n", status("VmLck:")), fflush(stdout), _exit(0);
    wait(0);
    SHOW(munlockall());
    SHOW(mprotect(fresh, 2 * Page, PROT_NONE));
    SHOW(mlock(fresh, 4 * Page));
    printf("with a part that nobody may read: %ld\n", status("VmLck:"));
    SHOW(munlockall());
    SHOW(mlockall(0));
    SHOW(mlockall(4));
    SHOW(mlockall(8));
    SHOW(mlockall(MCL_CURRENT));
    SHOW(mlockall(MCL_FUTURE));
    SHOW(mmap(0, 17 * Page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    char* future = mmap(0, 4 * Page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(in, 0, sizeof in);
    SHOW(mincore(future, 4 * Page, in));
    printf("in future: %d%d%d%d, %ld\n", in[0] & 1, in[1] & 1, in[2] & 1, in[3] & 1, status("VmLck:"));
    SHOW(munlockall());
    printf("unlocked: %ld\n", status("VmLck:"));
    limit.rlim_cur = limit.rlim_max = 0;
    SHOW(setrlimit(RLIMIT_MEMLOCK, &limit));
    SHOW(mlock(fresh + 2 * Page, Page));
    SHOW(mlockall(MCL_FUTURE));
    SHOW(mmap(0, Page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
    SHOW(munlock(fresh, Page));
}

static void limits(void) {
    struct rlimit limit;
    // RLIMIT_DATA counts what is private and may be written.
    getrlimit(RLIMIT_DATA, &limit);
    long data = status("VmData:");
    limit.rlim_cur = (unsigned long)(data + 16) * Page;
    SHOW(setrlimit(RLIMIT_DATA, &limit));
    SHOW(get(64, PROT_READ));
    SHOW(get(64, PROT_READ | PROT_WRITE));
    char* few = get(8, PROT_READ | PROT_WRITE);
    SHOW(few);
    char* many = get(64, PROT_READ);
    SHOW(mprotect(many, 64 * Page, PROT_READ | PROT_WRITE));
    SHOW(mremap(few, 8 * Page, 64 * Page, MREMAP_MAYMOVE));
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_DATA, &limit);
    // As many areas as there may be: every second page.
    FILE* file = fopen("/proc/sys/vm/max_map_count", "r");
    long most = 0, made = 0;
    fscanf(file, "%ld", &most);
    fclose(file);
    char* at = mmap(0, 140000ul * Page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (most > 66000) return; // another machine's
    long failed = 0;
    for (long i = 0; i < 69000 && !failed; i++)
        if (mprotect(at + (2 * i + 1) * Page, Page, PROT_READ))
            failed = errno;
        else
            made++;
    printf("%s after %s\n", strerrorname_np((int)failed), made * 2 > most - 100 && made * 2 < most ? "as many as may be" : "another number");
    SHOW(munmap(at + 3 * 2 * Page, Page));            // one less
    SHOW(mprotect(at + 139000ul * Page, Page, PROT_READ)); // two more
    SHOW(mmap(0, Page, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    fflush(stdout);
    pid_t child = fork();
    if (!child) _exit(3);
    int state;
    waitpid(child, &state, 0);
    printf("forked: %d\n", WEXITSTATUS(state));
    SHOW(munmap(at, 140000ul * Page));
    for (made = 0; made < 40000; made++)
        if (get(1, made & 1 ? PROT_READ : PROT_NONE) == MAP_FAILED) break;
    printf("one by one: %ld\n", made);
}

int main(void) {
    setvbuf(stdout, 0, _IOLBF, 0);
    void (*cases[])(void) = {holes, joins, kinds, locks, limits};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        fflush(stdout);
        int state;
        if (!fork()) cases[i](), fflush(stdout), _exit(0);
        wait(&state);
        printf("-- %u: %d\n", i, state);
    }
    return 0;
}
