// Stopping, continuing and ending in one breath: whatever thread was where, the order in which the signals
// were sent decides.
#include "case.h"

static void* spinner(void* x) {
    for (;;) getppid();
    return x;
}
static void* sleeper(void* x) {
    for (;;) pause_ms(1);
    return x;
}
/// A child that is stopped, continued and ended at once; false when it is seen to be stopped, or does not
/// end.
static int stop_continue_end(int signal, int kind, int gap) {
    pid_t child = fork();
    if (!child) {
        setpgid(0, 0);
        pthread_t thread;
        if (kind >= 2) pthread_create(&thread, 0, kind == 2 ? spinner : sleeper, 0);
        if (kind == 0 || kind == 3) spinner(0);
        sleeper(0);
    }
    setpgid(child, child);
    for (volatile int i = 0; i < 1000 + gap * 3000; i++) {
    }
    kill(child, signal);
    for (volatile int i = 0; i < gap * 37 % 1500; i++) {
    }
    kill(child, SIGCONT);
    for (volatile int i = 0; i < gap * 91 % 1100; i++) {
    }
    kill(child, SIGTERM);
    int status = 0, wrong = 0;
    for (int i = 0; i < 3000; i++) {
        pid_t got = waitpid(child, &status, WUNTRACED | WNOHANG);
        if (got == child && WIFSIGNALED(status)) return wrong + (WTERMSIG(status) != SIGTERM);
        if (got == child) wrong += 1;
        pause_ms(1);
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return wrong + 100;
}
static void leave(int signal) { _exit(signal); }
/// What is sent to a group reaches whoever is being forked: nobody survives.
static int group_that_forks(int gap) {
    pid_t leader = fork();
    if (!leader) {
        setpgid(0, 0);
        signal(SIGCHLD, SIG_IGN);
        signal(SIGUSR1, leave);
        for (;;)
            if (fork() == 0)
                for (;;) pause_ms(1000);
    }
    setpgid(leader, leader);
    for (volatile int i = 0; i < 100000 + gap * 7919; i++) {
    }
    kill(-leader, SIGUSR1);
    int left = 0;
    for (int i = 0; i < 3000; i++) {
        while (waitpid(-1, 0, WNOHANG) > 0) {
        } // the orphans are ours: we are their subreaper
        if (kill(-leader, 0)) return left;
        if (i == 1000) left = 1, kill(-leader, SIGKILL);
        pause_ms(1);
    }
    return left;
}
int main(int argc, char** argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 20;
    static const int signals[] = {SIGSTOP, SIGTSTP, SIGTTIN};
    int total = 0;
    for (int kind = 0; kind < 4; kind++)
        for (int s = 0; s < 3; s++) {
            int wrong = 0;
            for (int round = 0; round < rounds; round++) wrong += stop_continue_end(signals[s], kind, round);
            printf("kind %d signal %d: %d wrong\n", kind, signals[s], wrong);
            total += wrong;
        }
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    int survived = 0;
    for (int round = 0; round < rounds; round++) survived += group_that_forks(round);
    printf("groups with survivors: %d\n", survived);
    return total + survived != 0;
}
