// Several processes change the names of one directory tree at the same time. e2fsck judges the disk afterwards.
//   names excl P N   each of N names is made with O_EXCL by P processes: exactly one may win
//   names churn P N  N operations (create, unlink, rename, mkdir, rmdir, link, symlink, append) in each of P processes
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned seed;
static unsigned next(unsigned limit) {
    seed = seed * 1103515245 + 12345;
    return (seed >> 16) % limit;
}

static int excl(int processes, int names) {
    int to_parent[2], total = 0;
    if (pipe(to_parent)) return perror("pipe"), 1;
    for (int p = 0; p < processes; p++)
        if (fork() == 0) {
            int won = 0;
            for (int i = 0; i < names; i++) {
                char name[64];
                snprintf(name, sizeof name, "/tmp/excl/%d", i);
                int file = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
                if (file >= 0)
                    won++, close(file);
                else if (errno != EEXIST)
                    perror(name), _exit(1);
            }
            write(to_parent[1], &won, sizeof won);
            _exit(0);
        }
    for (int p = 0; p < processes; p++) {
        int won = 0;
        if (read(to_parent[0], &won, sizeof won) != sizeof won) return puts("a process died"), 1;
        total += won;
    }
    while (wait(NULL) > 0) {}
    for (int i = 0; i < names; i++) {
        char name[64];
        snprintf(name, sizeof name, "/tmp/excl/%d", i);
        if (unlink(name)) perror(name);
    }
    return total - names;
}

static void path(char* to) { sprintf(to, "/tmp/churn/d%u/n%u", next(2), next(6)); }

static void churn(int operations) {
    char a[64], b[64];
    static const char text[] = "some words";
    for (int i = 0; i < operations; i++) {
        path(a), path(b);
        switch (next(9)) {
        case 0:
        case 1: {
            int file = open(a, O_CREAT | O_WRONLY | O_APPEND, 0644);
            if (file >= 0) write(file, text, sizeof text), close(file);
            break;
        }
        case 2: unlink(a); break;
        case 3: rename(a, b); break;
        case 4: mkdir(a, 0755); break;
        case 5: rmdir(a); break;
        case 6: link(a, b); break;
        case 7: symlink("n1", a); break;
        case 8: {
            strcat(b, "/inside");
            rename(a, b);
            break;
        }
        }
    }
}

int main(int argc, char** argv) {
    if (argc < 4) return 2;
    int processes = atoi(argv[2]), count = atoi(argv[3]), failed = 0;
    if (!strcmp(argv[1], "excl")) {
        mkdir("/tmp/excl", 0755);
        for (int round = 0; round < 10; round++) failed += excl(processes, count);
        rmdir("/tmp/excl");
        printf("excl: %d names too many\n", failed);
        return failed != 0;
    }
    mkdir("/tmp/churn", 0755), mkdir("/tmp/churn/d0", 0755), mkdir("/tmp/churn/d1", 0755);
    for (int p = 0; p < processes; p++)
        if (fork() == 0) {
            seed = (unsigned)p * 7919 + 1;
            churn(count);
            _exit(0);
        }
    int status;
    while (wait(&status) > 0) failed += status != 0;
    printf("churn: %d processes failed\n", failed);
    return failed;
}
