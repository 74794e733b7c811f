// mx: processes that read through one open file at the same time. Every read holds its offset's lock over the
// whole copy: a mutex that loses a wake-up, or whose waiter locks itself out, leaves a process in D for ever.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char** argv) {
    int processes = argc > 1 ? atoi(argv[1]) : 2, rounds = argc > 2 ? atoi(argv[2]) : 8000;
    int file = open("/tmp/mx.data", O_CREAT | O_RDWR | O_TRUNC, 0644);
    char block[4096];
    for (int i = 0; i < 4096; i++) block[i] = (char)i;
    for (int i = 0; i < 8; i++)
        if (write(file, block, sizeof block) != sizeof block) return perror("write"), 1;
    for (int p = 0; p < processes; p++)
        if (fork() == 0) {
            for (int r = 0; r < rounds; r++) {
                static char got[8 * 4096];
                // The offset is shared: a read may find the end of the file.
                lseek(file, 0, SEEK_SET);
                ssize_t n = read(file, got, sizeof got);
                if (n && (n != sizeof got || got[7 * 4096 + 77] != 77)) _exit(1);
            }
            _exit(0);
        }
    // Disk interrupts wake this one, and it takes the CPU from a reader at places that no tick reaches.
    pid_t disturber = fork();
    if (disturber == 0) {
        int other = open("/tmp/mx.other", O_CREAT | O_RDWR | O_TRUNC, 0644);
        for (;;) {
            if (pwrite(other, block, sizeof block, 0) != sizeof block) _exit(1);
            fsync(other);
        }
    }
    int bad = 0, status;
    for (int p = 0; p < processes; p++)
        if (wait(&status) < 0 || status) bad++;
    kill(disturber, SIGKILL);
    waitpid(disturber, &status, 0);
    if (!WIFSIGNALED(status)) bad++;
    unlink("/tmp/mx.other");
    unlink("/tmp/mx.data");
    printf("mx: %d readers, %d failed\n", processes, bad);
    return bad;
}
