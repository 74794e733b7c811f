// create N: N files in one directory, looked up and removed; says whether the last thousand took much longer than the first.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e3 + t.tv_nsec * 1e-6;
}

int main(int argc, char** argv) {
    int count = argc > 1 ? atoi(argv[1]) : 3500, failed = 0;
    char name[64];
    struct stat s;
    double first = 0, start;
    mkdir("/tmp/create", 0755);
    start = now();
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "/tmp/create/file-%d", i);
        int file = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
        failed += file < 0;
        close(file);
        if (i == 499) first = now() - start;
        if (i == count - 501) start = now();
    }
    double last = now() - start;
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "/tmp/create/file-%d", i);
        failed += stat(name, &s) != 0;
    }
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "/tmp/create/file-%d", i);
        failed += unlink(name) != 0;
    }
    failed += rmdir("/tmp/create") != 0;
    fprintf(stderr, "first 500: %.2f ms, last 500: %.2f ms\n", first, last);
    printf("create: %d failed, %s\n", failed, last < 10 * first ? "even" : "slower and slower");
    return failed;
}
