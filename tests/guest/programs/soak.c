// All the other programs at once, again and again, for as long as asked: nothing may hang or fail. With a
// second argument, says how many runs there were and how much memory went.
#include "case.h"
#include <sys/stat.h>

static long free_kib(void) {
    FILE* f = fopen("/proc/meminfo", "r");
    char line[128];
    long value = 0;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "MemFree: %ld", &value) == 1) break;
    if (f) fclose(f);
    return value;
}
static const char* const programs[][3] = {{"threads", "join", 0},
                                          {"threads", "condition", 0},
                                          {"threads", "barriers", 0},
                                          {"threads", "exec_in_thread", 0},
                                          {"threads", "terminated", 0},
                                          {"threads", "requeue", 0},
                                          {"signals", "realtime_queue", 0},
                                          {"signals", "kill_stopped", 0},
                                          {"signals", "group_kill", 0},
                                          {"signals", "wait_groups", 0},
                                          {"smp", "shoot_down", 0},
                                          {"smp", "fork_snapshot", 0},
                                          {"smp", "storm", 0},
                                          {"smp", "contended", 0},
                                          {"forkproc", "1", "20"}};
static char folder[200];

static pid_t start(unsigned n) {
    const char* const* p = programs[n % LENGTH(programs)];
    pid_t child = fork();
    if (child) return child;
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, p[0]);
    int null = open("/dev/null", O_WRONLY);
    dup2(null, 1);
    char* argv[] = {(char*)p[0], (char*)p[1], (char*)p[2], 0};
    execv(path, argv);
    _exit(126);
}

int main(int argc, char** argv) {
    long seconds = argc > 1 ? atoi(argv[1]) : 5;
    ssize_t n = readlink("/proc/self/exe", folder, sizeof folder - 1);
    folder[n > 0 ? n : 0] = 0;
    if (strrchr(folder, '/')) *strrchr(folder, '/') = 0;
    long end = now_ms() + seconds * 1000, failed = 0, done = 0;
    unsigned next = 0;
    long before = 0;
    for (int i = 0; i < 6; i++) start(next++);
    for (int running = 6; running;) {
        int status;
        if (wait(&status) < 0) break;
        done++;
        if (status) failed++;
        running--;
        if (done == 60) before = free_kib();
        if (now_ms() < end) start(next++), running++;
    }
    pause_ms(100);
    long lost = before ? before - free_kib() : 0;
    printf("failed %ld\n", failed);
    if (argc > 2) printf("%ld runs, %ld KiB less than in the beginning\n", done, lost);
    return failed != 0;
}
