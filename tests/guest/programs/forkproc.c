// forkproc: processes that fork and end, while others read /proc/PID files of tasks that come and go. Kernel
// stacks and the text of /proc files come from the same addresses; a reader must find a whole task or none.
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void forks(int rounds) {
    for (int i = 0; i < rounds; i++) {
        pid_t child = fork();
        if (child == 0) _exit(i & 127);
        int status;
        if (child < 0 || waitpid(child, &status, 0) != child || WEXITSTATUS(status) != (i & 127)) _exit(1);
    }
    _exit(0);
}

static void reads(int rounds) {
    static const char* const names[] = {"stat", "status", "statm", "maps", "comm", "cmdline"};
    char text[8192], path[64];
    for (int i = 0; i < rounds; i++) {
        DIR* proc = opendir("/proc");
        if (!proc) _exit(1);
        for (struct dirent* entry; (entry = readdir(proc));) {
            if (entry->d_name[0] < '0' || entry->d_name[0] > '9' || strlen(entry->d_name) > 10) continue;
            for (int n = 0; n < 6; n++) {
                snprintf(path, sizeof path, "/proc/%.10s/%s", entry->d_name, names[n]);
                int file = open(path, O_RDONLY);
                if (file < 0) continue; // it is gone
                while (read(file, text, sizeof text) > 0) {
                }
                close(file);
            }
        }
        closedir(proc);
    }
    _exit(0);
}

int main(int argc, char** argv) {
    int pairs = argc > 1 ? atoi(argv[1]) : 3, rounds = argc > 2 ? atoi(argv[2]) : 160, bad = 0, status;
    for (int i = 0; i < pairs; i++) {
        if (fork() == 0) forks(rounds);
        if (fork() == 0) reads(rounds / 20);
    }
    for (int i = 0; i < 2 * pairs; i++)
        if (wait(&status) < 0 || status) bad++;
    printf("forkproc: %d pairs, %d failed\n", pairs, bad);
    return bad;
}
