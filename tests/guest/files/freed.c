// A file's blocks are free when the call that ended it returns, whoever is writing it to the disk at that moment: after unlink, after
// the last close of a file without a name, after a rename over it, after truncation. Judge: statfs, then e2fsck.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MiB = 6, ROUNDS = 2 };
static char block[1 << 20];

static long free_blocks(void) {
    struct statfs s;
    return statfs("/tmp", &s) ? -1 : (long)s.f_bfree;
}
static int make(const char* name) {
    int file = open(name, O_CREAT | O_RDWR | O_TRUNC, 0644);
    for (int i = 0; i < MiB; i++)
        if (write(file, block, sizeof block) != sizeof block) perror("write");
    return file;
}

int main(void) {
    memset(block, 'f', sizeof block);
    close(open("/tmp/freed.keep", O_CREAT | O_RDWR, 0644));
    close(open("/tmp/freed", O_CREAT | O_RDWR, 0644)); // the directory has its blocks
    sync();
    pid_t writer = fork();
    if (!writer)
        for (;;) sync();
    int late = 0, ways = 4;
    for (int round = 0; round < ROUNDS * ways; round++) {
        unlink("/tmp/freed");
        long before = free_blocks();
        int file = make("/tmp/freed");
        if (round % 3) usleep(round * 300); // the writer is in the middle of it
        switch (round % ways) {
        case 0: close(file), unlink("/tmp/freed"); break;
        case 1: unlink("/tmp/freed"), close(file); break;
        case 2: ftruncate(file, 0), close(file); break;
        case 3:
            close(file);
            close(open("/tmp/freed.new", O_CREAT | O_RDWR, 0644));
            rename("/tmp/freed.new", "/tmp/freed");
            break;
        }
        long after = free_blocks();
        if (after < before) late++, printf("way %d: %ld blocks free, %ld before\n", round % ways, after, before);
    }
    kill(writer, SIGKILL), waitpid(writer, 0, 0);
    printf("freed: %d times late\n", late);
    return late != 0;
}
