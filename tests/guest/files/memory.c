// Mappings against Linux: what mremap, mprotect, truncation and fsync do to them. Run under both, the lines must be equal.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(call)                                                                                                     \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        long result = (long)(call);                                                                                    \
        printf("%s = %s %s\n", #call, result < 0 ? "error" : "ok", result < 0 ? strerrorname_np(errno) : "");           \
    } while (0)
enum { Page = 4096 };

/// What touching an address does, in a child: exit status or signal.
static void touch(const char* what, volatile char* at, int write) {
    fflush(stdout);
    pid_t child = fork();
    int status;
    if (child == 0) {
        if (write) *at = 'T';
        _exit(*at ? 1 : 0);
    }
    waitpid(child, &status, 0);
    printf("%s: %s %d\n", what, WIFSIGNALED(status) ? "signal" : "read", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

int main(void) {
    char name[] = "/tmp/mapped";
    int file = open(name, O_CREAT | O_RDWR | O_TRUNC, 0644), reader;
    char buffer[Page];
    memset(buffer, 'a', Page);
    for (int i = 0; i < 4; i++) write(file, buffer, Page);

    char* area = mmap(NULL, 4 * Page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    SHOW(mremap(area, Page, -1ul, 0));
    SHOW(mremap(area, Page, -1ul, MREMAP_MAYMOVE));
    SHOW(mremap(area, 4 * Page, 1ul << 46, 0));
    SHOW(mremap(area, 2 * Page, 4 * Page, 0));
    strcpy(area, "moved");
    SHOW((area = mremap(area, 4 * Page, 64 * Page, MREMAP_MAYMOVE)) != MAP_FAILED);
    printf("%s\n", area);
    munmap(area, 64 * Page);

    // A place of one's own choice: 16 pages in the middle of nothing.
    char* free_place = mmap(NULL, 64 * Page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    area = mmap(NULL, 4 * Page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy(area, "first"), strcpy(area + 3 * Page, "last");
    SHOW(mremap(area, 4 * Page, 4 * Page, MREMAP_FIXED, free_place));
    SHOW(mremap(area, 4 * Page, 4 * Page, 8));
    SHOW(mremap(area, 4 * Page, 4 * Page, MREMAP_MAYMOVE | MREMAP_FIXED, free_place + 1));
    SHOW(mremap(area + 1, 4 * Page, 4 * Page, MREMAP_MAYMOVE | MREMAP_FIXED, free_place));
    SHOW(mremap(area, 4 * Page, 0, MREMAP_MAYMOVE | MREMAP_FIXED, free_place));
    SHOW(mremap(area, 4 * Page, 4 * Page, MREMAP_MAYMOVE | MREMAP_FIXED, area + Page)); // into itself
    SHOW(mremap(area, 4 * Page, 4 * Page, MREMAP_MAYMOVE | MREMAP_FIXED, area));
    SHOW(mremap(area, 4 * Page, 4 * Page, MREMAP_MAYMOVE | MREMAP_FIXED, (void*)-0x2000l));
    SHOW(mremap(area, 6 * Page, 4 * Page, MREMAP_MAYMOVE | MREMAP_FIXED, free_place + 40 * Page) == MAP_FAILED || errno == 0);
    area = mmap(NULL, 4 * Page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy(area, "first"), strcpy(area + 3 * Page, "last");
    SHOW(mremap(area, 4 * Page, 8 * Page, MREMAP_MAYMOVE | MREMAP_FIXED, free_place + 4 * Page) == free_place + 4 * Page);
    printf("%s %s %d\n", free_place + 4 * Page, free_place + 7 * Page, free_place[11 * Page]);
    touch("behind it", free_place + 12 * Page, 0);
    touch("the old place", area, 0);
    SHOW(mremap(free_place + 4 * Page, 8 * Page, 2 * Page, MREMAP_MAYMOVE | MREMAP_FIXED, free_place + 20 * Page) == free_place + 20 * Page);
    printf("%s\n", free_place + 20 * Page);
    touch("cut off", free_place + 22 * Page, 0);
    touch("what was there", free_place + 4 * Page, 0);
    // The old place stays, empty.
    SHOW(mremap(free_place + 20 * Page, 2 * Page, 3 * Page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
    SHOW(mremap(free_place + 20 * Page, 2 * Page, 2 * Page, MREMAP_DONTUNMAP, NULL));
    char* twin = mremap(free_place + 20 * Page, 2 * Page, 2 * Page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
    printf("%s, and '%s'\n", twin, free_place + 20 * Page);
    strcpy(free_place + 20 * Page, "again");
    SHOW(mremap(free_place + 20 * Page, 2 * Page, 2 * Page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP | MREMAP_FIXED, twin) == twin);
    printf("%s, and '%s'\n", twin, free_place + 20 * Page);
    munmap(twin, 2 * Page);
    // Shared memory twice: an old size of nothing.
    area = mmap(NULL, 2 * Page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    twin = mremap(area, 0, 2 * Page, MREMAP_MAYMOVE);
    if (twin != MAP_FAILED) strcpy(area + Page, "both"), printf("%s\n", twin + Page), munmap(twin, 2 * Page);
    SHOW(mremap(area, 0, Page, 0));
    munmap(area, 2 * Page);
    SHOW(mremap(free_place, 0, Page, MREMAP_MAYMOVE));
    munmap(free_place, 64 * Page);

    reader = open(name, O_RDONLY);
    SHOW(mmap(NULL, Page, PROT_READ | PROT_WRITE, MAP_SHARED, reader, 0));
    SHOW((area = mmap(NULL, Page, PROT_READ, MAP_SHARED, reader, 0)) != MAP_FAILED);
    SHOW(mprotect(area, Page, PROT_READ | PROT_WRITE));
    touch("store to it", area, 1);
    munmap(area, Page);
    SHOW((area = mmap(NULL, Page, PROT_READ, MAP_PRIVATE, reader, 0)) != MAP_FAILED);
    SHOW(mprotect(area, Page, PROT_READ | PROT_WRITE));
    touch("store to a private one", area, 1);
    munmap(area, Page);

    // Truncation takes pages away, private copies too; growth brings zeroes.
    char* shared = mmap(NULL, 4 * Page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    char* private = mmap(NULL, 4 * Page, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    for (int i = 0; i < 4; i++) shared[i * Page] = 's', private[i * Page] = 'p';
    SHOW(ftruncate(file, Page + 10));
    touch("shared, before the end", shared + Page + 9, 0);
    touch("shared, in the last page", shared + Page + 11, 0);
    touch("shared, behind it", shared + 2 * Page, 0);
    touch("private, before the end", private + Page, 0);
    touch("private, behind it", private + 2 * Page, 0);
    SHOW(ftruncate(file, 4 * Page));
    touch("shared, grown again", shared + 2 * Page, 0);
    touch("private, grown again", private + 2 * Page, 0);
    shared[2 * Page] = 'Z';
    SHOW(pread(file, buffer, 1, 2 * Page));
    printf("%c\n", buffer[0]);

    // A page that is stored to again after fsync is written again.
    for (int i = 0; i < 3; i++) {
        shared[0] = (char)('0' + i);
        SHOW(fsync(file));
        pread(file, buffer, 1, 0);
        printf("%c\n", buffer[0]);
    }
    munmap(private, 4 * Page);

    // One object in several processes.
    shared[Page] = 0;
    if (fork() == 0) {
        shared[Page] = 'c';
        _exit(0);
    }
    wait(NULL);
    printf("the child wrote %c\n", shared[Page]);
    munmap(shared, 4 * Page);
    SHOW(unlink(name));

    // Room for a sparse array: what forks and moves costs what is there, not what could be.
    const unsigned long large = 100ul << 40, part = 256ul << 30;
    char* room = mmap(NULL, large, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    printf("room: %s\n", room == MAP_FAILED ? strerrorname_np(errno) : "ok");
    if (room == MAP_FAILED) return 1;
    room[0] = 'a', room[part + 5 * Page] = 'b', room[large - 1] = 'c';
    fflush(stdout);
    for (int i = 0; i < 20; i++) {
        int status = 0;
        if (fork() == 0) _exit(room[0] == 'a' && room[part + 5 * Page] == 'b' && room[large - 1] == 'c' ? 7 : 1);
        wait(&status);
        if (WEXITSTATUS(status) != 7) printf("a child found other bytes: %x\n", status);
    }
    char* moved = mremap(room + part, part, 2 * part, MREMAP_MAYMOVE);
    printf("moved: %s, %c\n", moved == MAP_FAILED ? strerrorname_np(errno) : "ok", moved == MAP_FAILED ? '-' : moved[5 * Page]);
    SHOW(munmap(room, large));
    return 0;
}
