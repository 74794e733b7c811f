// Overcommit: what mmap, brk, mprotect, mremap and fork commit, and who is refused, in the three modes of vm.overcommit_memory. As root.
// Checked on Debian's Linux 6.1, which says "0 wrong" too.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { Page = 4096 };
static int wrong = 0;
static long meminfo(const char* name) { // in pages
    FILE* file = fopen("/proc/meminfo", "r");
    char line[256];
    long value = -1;
    while (fgets(line, sizeof line, file))
        if (!strncmp(line, name, strlen(name))) value = atol(line + strlen(name) + 1) / 4;
    fclose(file);
    return value;
}
static int put(const char* name, const char* text) {
    char path[100];
    sprintf(path, "/proc/sys/vm/%s", name);
    int fd = open(path, O_WRONLY), result = write(fd, text, strlen(text)) < 0 ? errno : 0;
    close(fd);
    return result;
}
static long get(const char* name) {
    char path[100], text[64] = {0};
    sprintf(path, "/proc/sys/vm/%s", name);
    int fd = open(path, O_RDONLY);
    read(fd, text, sizeof text - 1);
    close(fd);
    return atol(text);
}
static void expect(const char* what, long got, long wanted) {
    if (got == wanted) return;
    printf("%s: %ld instead of %ld\n", what, got, wanted);
    wrong++;
}
static char* map(long pages, int rights, int flags) {
    char* at = mmap(0, (size_t)pages * Page, rights, flags | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? 0 : at;
}
static void refused(const char* what, const char* at, long pages, int wanted) {
    expect(what, !at, wanted);
    if (at) munmap((void*)at, (size_t)pages * Page);
}

static void counts(void) {
    const int RW = PROT_READ | PROT_WRITE;
    long begin = meminfo("Committed_AS");
#define COUNTS(pages) expect(__func__, meminfo("Committed_AS") - begin, pages)
#define STEP(what, change)                                                                                             \
    do {                                                                                                               \
        long now = meminfo("Committed_AS");                                                                            \
        expect(what, now - begin, change);                                                                             \
        begin = now;                                                                                                   \
    } while (0)
    STEP("nothing", 0);
    char* at = map(1000, RW, MAP_PRIVATE);
    STEP("private", 1000);
    munmap(at + 100 * Page, 300 * Page);
    STEP("a piece of it goes", -300);
    munmap(at, 1000 * Page);
    STEP("all of it", -700);
    at = map(1000, PROT_READ, MAP_PRIVATE);
    STEP("read-only", 0);
    mprotect(at, 400 * Page, RW);
    STEP("made writable", 400);
    mprotect(at, 400 * Page, PROT_READ);
    STEP("and back: it may be changed already", 0);
    at = mremap(at, 1000 * Page, 1000 * Page, 0);
    munmap(at, 1000 * Page);
    STEP("gone", -400);
    at = map(1000, RW, MAP_PRIVATE | MAP_NORESERVE);
    STEP("not reserved", 0);
    mprotect(at, 1000 * Page, PROT_READ), mprotect(at, 1000 * Page, RW);
    STEP("still not", 0);
    munmap(at, 1000 * Page);
    at = map(500, RW, MAP_PRIVATE);
    at[0] = 1;
    STEP("private", 500);
    at = mremap(at, 500 * Page, 900 * Page, MREMAP_MAYMOVE);
    STEP("grown", 400);
    char* place = map(900, PROT_NONE, MAP_PRIVATE);
    at = mremap(at, 900 * Page, 900 * Page, MREMAP_MAYMOVE | MREMAP_FIXED, place);
    STEP("moved", 0);
    at = mremap(at, 900 * Page, 800 * Page, 0);
    STEP("shrunk", -100);
    char* twin = mremap(at, 800 * Page, 800 * Page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
    STEP("moved, and the place kept", 800);
    munmap(at, 800 * Page), munmap(twin, 800 * Page);
    STEP("both gone", -1600);
    at = map(600, RW, MAP_SHARED);
    STEP("shared", 600);
    memset(at, 1, 600 * Page);
    STEP("touched", 0);
    munmap(at, 600 * Page);
    STEP("gone", -600);
    at = map(600, RW, MAP_SHARED | MAP_NORESERVE);
    STEP("shared, not reserved", 0);
    memset(at, 1, 100 * Page);
    STEP("a page when it comes", 100);
    munmap(at, 600 * Page);
    STEP("gone", -100);
    void* before = sbrk(0);
    brk((char*)before + 700 * Page);
    STEP("brk", 700);
    brk(before);
    STEP("brk back", -700);
    at = map(2000, RW, MAP_PRIVATE);
    STEP("private", 2000);
    int go[2];
    pipe(go);
    pid_t child = fork();
    if (!child) {
        char byte;
        close(go[1]);
        _exit((int)read(go[0], &byte, 1));
    }
    long now = meminfo("Committed_AS");
    if (now - begin < 2000 || now - begin > 2600) expect("a child", now - begin, 2000);
    close(go[0]), close(go[1]);
    waitpid(child, 0, 0);
    STEP("it ends", 0);
    munmap(at, 2000 * Page);
    STEP("the end", -2000);
}

int main(void) {
    const int RW = PROT_READ | PROT_WRITE;
    long total = meminfo("MemTotal") + meminfo("SwapTotal");
    put("overcommit_memory", "0");
    counts();
    expect("mode", get("overcommit_memory"), 0);
    expect("ratio", get("overcommit_ratio"), 50);
    expect("areas", get("max_map_count"), 65530);
    expect("mode 3", put("overcommit_memory", "3"), EINVAL);
    expect("mode -1", put("overcommit_memory", "-1"), EINVAL);
    // 0: what could never be.
    refused("0: all there is", map(total - 100, RW, MAP_PRIVATE), total - 100, 0);
    refused("0: more than there is", map(total + 100, RW, MAP_PRIVATE), total + 100, 1);
    refused("0: shared", map(total + 100, RW, MAP_SHARED), total + 100, 1);
    refused("0: shared, not reserved", map(total + 100, RW, MAP_SHARED | MAP_NORESERVE), total + 100, 0);
    refused("0: not reserved", map(total * 100, RW, MAP_PRIVATE | MAP_NORESERVE), total * 100, 0);
    char* at = map(total * 2, PROT_READ, MAP_PRIVATE);
    expect("0: read-only", !at, 0);
    expect("0: made writable", mprotect(at, (size_t)total * 2 * Page, RW) ? errno : 0, ENOMEM);
    expect("0: a part", mprotect(at, 100 * Page, RW), 0);
    munmap(at, (size_t)total * 2 * Page);
    for (int i = 0; i < 3; i++) expect("0: again and again", !map(total - 100, RW, MAP_PRIVATE), 0);
    expect("0: brk", brk((char*)sbrk(0) + (size_t)(total + 100) * Page) ? errno : 0, ENOMEM);
    // 1: whatever is asked.
    put("overcommit_memory", "1");
    refused("1", map(total * 100, RW, MAP_PRIVATE), total * 100, 0);
    // 2: never more than the limit. What the three above took is beyond it.
    put("overcommit_memory", "2");
    refused("2: beyond it already", map(10, RW, MAP_PRIVATE), 10, 1);
    put("overcommit_ratio", "1000");
    expect("2: CommitLimit", meminfo("CommitLimit"), meminfo("MemTotal") * 10 + meminfo("SwapTotal"));
    refused("2: below it", map(100, RW, MAP_PRIVATE), 100, 0);
    long left = meminfo("CommitLimit") - meminfo("Committed_AS");
    refused("2: what is left", map(left + 10, RW, MAP_PRIVATE), left + 10, 1);
    refused("2: not reserved", map(left + 10, RW, MAP_PRIVATE | MAP_NORESERVE), left + 10, 1);
    refused("2: shared", map(left + 10, RW, MAP_SHARED | MAP_NORESERVE), left + 10, 1);
    refused("2: read-only", map(left + 10, PROT_READ, MAP_PRIVATE), left + 10, 0);
    put("overcommit_ratio", "400"); // this process alone has three times memory
    fflush(stdout);
    pid_t child = fork();
    if (!child) _exit(0);
    expect("2: fork", child < 0 ? errno : 0, ENOMEM);
    char kilobytes[32];
    sprintf(kilobytes, "%ld", meminfo("MemTotal") * 40);
    put("overcommit_kbytes", kilobytes);
    expect("2: kbytes take the ratio's place", get("overcommit_ratio"), 0);
    expect("2: CommitLimit by kbytes", meminfo("CommitLimit"), meminfo("MemTotal") * 10 + meminfo("SwapTotal"));
    child = fork();
    if (!child) _exit(0);
    expect("2: fork below it", child < 0 ? errno : 0, 0);
    waitpid(child, 0, 0);
    put("overcommit_ratio", "50"), put("overcommit_memory", "0");
    expect("kbytes", get("overcommit_kbytes"), 0);
    printf("commit: %d wrong\n", wrong);
    return wrong != 0;
}
