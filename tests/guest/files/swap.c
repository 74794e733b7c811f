// Anonymous memory that is larger than the machine's.
//   swap hog MIB      MIB of memory is filled, read back in another order, half of it changed, and read back again
//   swap fork MIB     the same is shared with children: each sees what was there at its birth, and its own changes
//   swap mixed MIB    by four processes at once, with mremap, mprotect, madvise and pieces that go
//   swap off MIB AREA fills MIB, turns AREA off, and reads everything back
//   swap race MIB AREA  three processes read and change their memory while AREA goes off and on again
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

enum { Page = 4096 };
static uint64_t value(uint64_t page, uint64_t salt) {
    uint64_t z = page * 0x9e3779b97f4a7c15 + salt * 0xd1342543de82ef95;
    return (z ^ z >> 29) * 0xbf58476d1ce4e5b9;
}
static void put(char* memory, size_t page, uint64_t salt) {
    uint64_t* words = (uint64_t*)(memory + page * Page);
    words[0] = value(page, salt), words[100] = value(page, salt + 1), words[511] = value(page, salt + 2);
}
static int good(const char* memory, size_t page, uint64_t salt) {
    const uint64_t* words = (const uint64_t*)(memory + page * Page);
    return words[0] == value(page, salt) && words[100] == value(page, salt + 1) && words[511] == value(page, salt + 2) && !words[50];
}
static char* get(size_t pages) {
    char* memory = mmap(0, pages * Page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) perror("mmap"), exit(2);
    return memory;
}
static size_t wrong(const char* memory, size_t pages, uint64_t even, uint64_t odd, size_t step) {
    size_t bad = 0;
    for (size_t i = 0, at = 0; i < pages; i++, at = (at + step) % pages) bad += !good(memory, at, at % 2 ? odd : even);
    return bad;
}

static size_t hog(size_t pages, uint64_t salt) {
    char* memory = get(pages);
    for (size_t i = 0; i < pages; i++) put(memory, i, salt);
    size_t bad = wrong(memory, pages, salt, salt, 1);
    for (size_t i = 1; i < pages; i += 2) put(memory, i, salt + 7);
    bad += wrong(memory, pages, salt, salt + 7, pages - 1);
    munmap(memory, pages * Page);
    return bad;
}

static size_t forks(size_t pages) {
    char* memory = get(pages);
    size_t bad = 0;
    for (size_t i = 0; i < pages; i++) put(memory, i, 1);
    for (int child = 0; child < 3; child++) {
        for (size_t i = 0; i < pages; i += 2) put(memory, i, 10 + (unsigned)child);
        if (fork()) continue;
        bad = wrong(memory, pages, 10 + (unsigned)child, 1, 1);
        for (size_t i = 1; i < pages; i += 2) put(memory, i, 100 + (unsigned)child);
        bad += wrong(memory, pages, 10 + (unsigned)child, 100 + (unsigned)child, 1);
        if (fork() == 0) _exit(wrong(memory, pages, 10 + (unsigned)child, 100 + (unsigned)child, 1) != 0);
        int status = 1;
        wait(&status);
        _exit(bad || status);
    }
    bad += wrong(memory, pages, 12, 1, 1);
    for (int status; wait(&status) > 0;) bad += status != 0;
    return bad + wrong(memory, pages, 12, 1, pages - 1);
}

static size_t mixed(size_t pages, uint64_t salt) {
    char* memory = get(pages);
    size_t bad = 0, part = pages / 4;
    for (size_t i = 0; i < pages; i++) put(memory, i, salt);
    for (int round = 0; round < 3; round++) {
        if (mprotect(memory + part * Page, part * Page, PROT_NONE)) perror("mprotect");
        char* moved = mremap(memory + 2 * part * Page, part * Page, part * Page, MREMAP_MAYMOVE | MREMAP_FIXED, get(part));
        if (moved == MAP_FAILED) perror("mremap"), exit(2);
        bad += wrong(memory, part, salt, salt, 1);
        for (size_t i = 0; i < part; i++) bad += !good(moved - 2 * part * Page, 2 * part + i, salt);
        if (mremap(moved, part * Page, part * Page, MREMAP_MAYMOVE | MREMAP_FIXED, memory + 2 * part * Page) == MAP_FAILED) perror("mremap"), exit(2);
        if (mprotect(memory + part * Page, part * Page, PROT_READ | PROT_WRITE)) perror("mprotect");
        madvise(memory + 3 * part * Page, part * Page, MADV_DONTNEED);
        for (size_t i = 3 * part; i < pages; i++) {
            bad += memory[i * Page] != 0;
            put(memory, i, salt);
        }
        bad += wrong(memory, pages, salt, salt, 1);
    }
    return bad;
}

/// The area goes while others fault: each finds what it wrote.
static size_t race(size_t pages, const char* area) {
    size_t bad = 0;
    volatile int* stop = mmap(0, Page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (uint64_t child = 0; child < 3; child++) {
        if (fork()) continue;
        char* memory = get(pages / 3);
        for (size_t i = 0; i < pages / 3; i++) put(memory, i, child);
        while (!*stop) {
            bad += wrong(memory, pages / 3, child, child, 1);
            for (size_t i = 0; i < pages / 3; i += 3) put(memory, i, child);
        }
        _exit(bad != 0);
    }
    for (int round = 0; round < 4; round++) {
        usleep(300000);
        if (swapoff(area)) perror("swapoff"), bad++;
        if (swapon(area, 0)) perror("swapon"), bad++;
    }
    *stop = 1;
    for (int status; wait(&status) > 0;) bad += status != 0;
    return bad;
}

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    size_t pages = (size_t)atoi(argv[2]) * 256, bad = 0;
    if (!strcmp(argv[1], "hog")) {
        bad = hog(pages, 1);
    } else if (!strcmp(argv[1], "fork")) {
        bad = forks(pages);
    } else if (!strcmp(argv[1], "mixed")) {
        for (uint64_t child = 0; child < 4; child++)
            if (!fork()) _exit(mixed(pages / 4, child * 1000) != 0);
        for (int status; wait(&status) > 0;) bad += status != 0;
    } else if (!strcmp(argv[1], "race")) {
        bad = race(pages, argv[3]);
    } else {
        char* memory = get(pages);
        for (size_t i = 0; i < pages; i++) put(memory, i, 3);
        if (swapoff(argv[3])) return perror("swapoff"), 1;
        bad = wrong(memory, pages, 3, 3, 1);
    }
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("swap: %s: %zu wrong%s\n", argv[1], bad, used.ru_majflt ? ", with major faults" : "");
    return bad != 0;
}
