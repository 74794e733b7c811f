// N threads that are busy for ever, each with a name; on SIGUSR1 the last of them says so. For thread_views.py.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_int told;
static int count;

static void on_signal(int signal) {
    (void)signal;
    atomic_store(&told, 1);
}

static void* busy(void* argument) {
    const int number = (int)(long)argument;
    char name[16];
    snprintf(name, sizeof name, "busy%d", number);
    pthread_setname_np(pthread_self(), name);
    for (;;)
        if (number == count && atomic_load(&told) == 1) {
            static const char words[] = "crowd: all are busy\n";
            atomic_store(&told, 2);
            write(1, words, sizeof words - 1);
        }
    return NULL;
}

int main(int argc, char** argv) {
    count = argc > 1 ? atoi(argv[1]) : 8;
    signal(SIGUSR1, on_signal);
    for (long i = 1; i <= count; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, busy, (void*)i)) return 1;
    }
    for (;;) pause();
}
