// What mprotect, madvise and getrandom refuse. What this prints on Linux, it prints here.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SHOW(call)                                                                           \
    do {                                                                                     \
        errno = 0;                                                                           \
        long result = (long)(call);                                                          \
        printf("%s: %ld %s\n", #call, result, errno ? strerrorname_np(errno) : "");          \
    } while (0)
enum { Page = 4096 };
static long getrandom_(void* to, size_t size, unsigned flags) { return syscall(SYS_getrandom, to, size, flags); }
#define getrandom getrandom_

int main(void) {
    char name[] = "/tmp/advice.XXXXXX";
    int file = mkstemp(name);
    if (file < 0 || ftruncate(file, 4 * Page)) return perror(name), 1;
    unlink(name);
    char* a = mmap(0, 8 * Page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char* mapped = mmap(0, 4 * Page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    munmap(a + 4 * Page, Page);

    SHOW(mprotect(0, -1ul, PROT_READ));
    SHOW(mprotect(0, 0, PROT_READ));
    SHOW(mprotect(a, -1ul, PROT_READ));
    SHOW(mprotect(a, -4095ul, PROT_READ));
    SHOW(mprotect(a, -8192ul, PROT_READ));
    SHOW(mprotect(a + 1, Page, PROT_READ));
    SHOW(mprotect(a + 1, 0, PROT_READ));
    SHOW(mprotect(a, Page, 0x40));
    SHOW(mprotect(a, 0, 0x40));
    SHOW(mprotect(a, Page, PROT_READ | PROT_WRITE | 8));
    SHOW(mprotect(a, Page, PROT_GROWSDOWN | PROT_GROWSUP | PROT_READ));
    SHOW(mprotect(a, Page, PROT_GROWSUP | PROT_READ));
    SHOW(mprotect(a, Page, PROT_GROWSDOWN | PROT_READ));
    SHOW(mprotect((void*)-4096ul, Page, PROT_READ));
    SHOW(mprotect((void*)0x7ffffffff000, Page, PROT_READ));
    SHOW(mprotect(a + 4 * Page, Page, PROT_READ));

    const int advices[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 16, 17, 24, 26, 50, 99, -1};
    for (unsigned i = 0; i < sizeof advices / sizeof *advices; i++) {
        printf("%d: ", advices[i]);
        SHOW(madvise(a, Page, advices[i]));
    }
    SHOW(madvise(a + 1, Page, MADV_NORMAL));
    SHOW(madvise(a, 0, MADV_NORMAL));
    SHOW(madvise(a, 0, 5));
    SHOW(madvise(a + 1, 0, MADV_NORMAL));
    SHOW(madvise(a, -1ul, MADV_DONTNEED));
    SHOW(madvise(a, -4096ul, MADV_DONTNEED));
    SHOW(madvise(0, -4096ul, 5));
    SHOW(madvise((void*)-4096ul, Page, MADV_DONTNEED));
    strcpy(a + 3 * Page, "before"), strcpy(a + 5 * Page, "behind");
    SHOW(madvise(a + 3 * Page, 3 * Page, MADV_DONTNEED)); // over a hole: both sides go all the same
    printf("<%s> <%s>\n", a + 3 * Page, a + 5 * Page);
    strcpy(mapped, "shared");
    SHOW(madvise(mapped, Page, MADV_FREE));
    SHOW(madvise(mapped, Page, MADV_DONTNEED));
    printf("<%s>\n", mapped);

    char bytes[64];
    SHOW(getrandom(bytes, 16, 0));
    SHOW(getrandom(bytes, 16, 1));
    SHOW(getrandom(bytes, 16, 2));
    SHOW(getrandom(bytes, 16, 4));
    SHOW(getrandom(bytes, 16, 5));
    SHOW(getrandom(bytes, 16, 6));
    SHOW(getrandom(bytes, 16, 7));
    SHOW(getrandom(bytes, 16, 8));
    SHOW(getrandom(bytes, 16, -1));
    SHOW(getrandom(bytes, 0, 0));
    SHOW(getrandom((void*)8, 16, 0));
    SHOW(getrandom(a + 4 * Page - 512, 4096, 0)); // up to the hole
    char* large = mmap(0, 3 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    SHOW(getrandom(large, 3 << 20, 0));
    return 0;
}
