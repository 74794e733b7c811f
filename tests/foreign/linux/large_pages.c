/* Maps, unmaps and maps again areas of 2 MiB that transparent huge pages back, and looks whether a page of another mapping was
   touched. A processor whose INVLPG leaves pieces of a large page behind fails in the first round. argv[1]: rounds. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { AREA = 2 << 20, PAGE = 4096 };

static unsigned char *map(unsigned char *where) {
    unsigned char *area = mmap(where, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (area == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
    madvise(area, AREA, MADV_HUGEPAGE);
    return area;
}

int main(int argc, char **argv) {
    const int rounds = argc > 1 ? atoi(argv[1]) : 100;
    unsigned char *space = mmap(NULL, 4 * AREA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (space == MAP_FAILED) return 2;
    unsigned char *a = (unsigned char *)(((unsigned long)space + AREA - 1) & -(unsigned long)AREA), *b = a + AREA;
    int wrong = 0;
    for (int round = 0; round < rounds; ++round) {
        memset(map(a), 0x11, AREA);
        munmap(a, AREA);
        memset(map(b), 0x22, AREA); /* takes the frame */
        memset(map(a), 0x33, AREA);
        for (int page = 0; page < AREA / PAGE; ++page)
            if (b[page * PAGE] != 0x22 || b[page * PAGE + PAGE - 1] != 0x22) ++wrong;
        munmap(a, AREA);
        munmap(b, AREA);
    }
    char line[128];
    unsigned long huge = 0;
    FILE *f = fopen("/proc/vmstat", "r");
    while (f && fgets(line, sizeof line, f)) sscanf(line, "thp_fault_alloc %lu", &huge);
    printf("large-pages: %d rounds, %d pages wrong, %lu huge pages\n", rounds, wrong, huge);
    return wrong != 0;
}
