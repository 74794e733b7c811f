// More than fits into memory.
//   pressure read FILE MIB   makes a file of this size and reads it twice, checking every word
//   pressure hold MIB S      writes to this much memory again and again for S seconds, checking what it finds
//   pressure both MIB MIB    both at the same time: a file of the first size beside a working set of the second
//   pressure hog             takes memory until it is killed
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { Words = 65536 / 8 };
static unsigned long block[Words];

static int make(const char* name, long mib) {
    int file = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0644);
    for (long i = 0; i < mib * 16; i++) {
        for (long w = 0; w < Words; w++) block[w] = (unsigned long)i * Words + (unsigned long)w;
        if (write(file, block, sizeof block) != sizeof block) return perror(name), 1;
    }
    return close(file);
}

static int check(const char* name, long mib) {
    int file = open(name, O_RDONLY), bad = 0;
    for (long i = 0; i < mib * 16; i++) {
        if (read(file, block, sizeof block) != sizeof block) return perror(name), 1;
        for (long w = 0; w < Words; w++) bad += block[w] != (unsigned long)i * Words + (unsigned long)w;
    }
    close(file);
    if (bad) printf("%s: %d words are wrong\n", name, bad);
    return bad != 0;
}

static int hold(long mib, double seconds, volatile int* stop) {
    unsigned long words = (unsigned long)mib << 17, *memory = mmap(NULL, words * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct timespec start, now;
    int rounds = 0;
    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        for (unsigned long w = 0; w < words; w += 512) {
            if (rounds && memory[w] != w + (unsigned long)rounds - 1) return printf("word %lu is wrong\n", w), 1;
            memory[w] = w + (unsigned long)rounds;
        }
        rounds++;
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (stop ? !*stop : (double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) * 1e-9 < seconds);
    return 0;
}

int main(int argc, char** argv) {
    if (argc > 3 && !strcmp(argv[1], "read")) {
        long mib = atol(argv[3]);
        int bad = make(argv[2], mib) || check(argv[2], mib) || check(argv[2], mib);
        unlink(argv[2]);
        printf("read: %s\n", bad ? "FAILED" : "all there");
        return bad;
    }
    if (argc > 3 && !strcmp(argv[1], "hold")) return printf("hold: %s\n", hold(atol(argv[2]), atof(argv[3]), NULL) ? "FAILED" : "all there");
    if (argc > 3 && !strcmp(argv[1], "both")) {
        volatile int* stop = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        int status;
        *stop = 0; // the page is there before the fork
        pid_t child = fork();
        if (child == 0) _exit(hold(atol(argv[3]), 0, stop));
        long mib = atol(argv[2]);
        int bad = make("/tmp/both", mib) || check("/tmp/both", mib) || check("/tmp/both", mib);
        *stop = 1;
        waitpid(child, &status, 0);
        unlink("/tmp/both");
        printf("both: file %s, memory %s\n", bad ? "FAILED" : "all there", status ? "FAILED" : "all there");
        return bad || status;
    }
    for (long i = 1;; i++) { // hog
        char* memory = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) return puts("hog: no memory"), 1;
        memset(memory, (int)i, 1 << 20);
    }
}
