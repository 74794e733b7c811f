// Locked memory stays, whatever else is wanted: MIB of it beside HOG that is more than the machine has (a swap area is on).
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { Page = 4096 };
static long figure(const char* file, const char* name) {
    FILE* in = fopen(file, "r");
    char line[256];
    long value = -1;
    while (fgets(line, sizeof line, in))
        if (!strncmp(line, name, strlen(name))) value = atol(line + strlen(name));
    fclose(in);
    return value;
}
static size_t away(char* at, size_t pages) {
    unsigned char* in = malloc(pages);
    mincore(at, pages * Page, in);
    size_t count = 0;
    for (size_t i = 0; i < pages; i++) count += !(in[i] & 1);
    free(in);
    return count;
}
static void hog(size_t pages) {
    if (!fork()) {
        char* at = mmap(0, pages * Page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (int round = 0; round < 2; round++)
            for (size_t i = 0; i < pages; i++) at[i * Page] = (char)i;
        _exit(0);
    }
    wait(0);
}

int main(int argc, char** argv) {
    size_t pages = (size_t)atoi(argv[1]) * 256, more = (size_t)atoi(argv[2]) * 256;
    (void)argc;
    char* at = mmap(0, 2 * pages * Page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < 2 * pages; i++) memset(at + i * Page, (int)(i % 251), Page);
    long before = figure("/proc/vmstat", "nr_mlock ");
    if (mlock(at, pages * Page)) return perror("mlock"), 1;
    printf("locked: %ld pages more of %zu, %ld unevictable\n", figure("/proc/vmstat", "nr_mlock ") - before, pages,
           figure("/proc/vmstat", "nr_unevictable "));
    hog(more);
    printf("locked ones away: %zu, others: %s\n", away(at, pages), away(at + pages * Page, pages) ? "some" : "none");
    // A child's copy is not locked, the parent's pages are.
    fflush(stdout);
    if (!fork()) {
        hog(more);
        _exit(0);
    }
    wait(0);
    printf("after a fork: %zu\n", away(at, pages));
    munlock(at, pages * Page);
    printf("unlocked: %ld, %ld\n", figure("/proc/vmstat", "nr_mlock "), figure("/proc/vmstat", "nr_unevictable "));
    hog(more);
    printf("away now: %s\n", away(at, pages) ? "some" : "none");
    size_t wrong = 0;
    for (size_t i = 0; i < 2 * pages; i++) wrong += at[i * Page + 7] != (char)(i % 251);
    // Locked when it ends.
    mlockall(MCL_CURRENT | MCL_FUTURE);
    printf("locked: %zu wrong\n", wrong);
    return 0;
}
