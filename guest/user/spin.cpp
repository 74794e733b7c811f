// /bin/spin [N] [SECONDS]: N children that only count, at nice 0, 5, 10 …, all bound to one processor: its
// run queue has something to show. At the end each child's share of it, as /proc/PID/sched tells it.
#include "lib/system.h"
#include "lib/text.h"

using namespace user;

namespace {

constexpr long MaxChildren = 16;

/// "/proc/PID/sched"
void sched_path(char* path, long pid) {
    size_t at = 0;
    for (const char* c = "/proc/"; *c; c++) path[at++] = *c;
    char digits[20];
    int used = 0;
    for (long n = pid; n; n /= 10) digits[used++] = static_cast<char>('0' + n % 10);
    while (used) path[at++] = digits[--used];
    for (const char* c = "/sched"; *c; c++) path[at++] = *c;
    path[at] = 0;
}

void show_runtime(long pid) {
    char path[48], text[2048];
    sched_path(path, pid);
    long file = open(path, 0);
    if (file < 0) return print("spin: %s: %s\n", path, error_text(-file));
    long got = read(static_cast<int>(file), text, sizeof text - 1);
    close(static_cast<int>(file));
    if (got <= 0) return;
    text[got] = 0;
    for (char* line = text; *line; line++) {
        if (!starts_with(line, "se.sum_exec_runtime")) continue;
        char* end = line;
        while (*end && *end != '\n') end++;
        *end = 0;
        return print("spin: PID %ld %s ms\n", pid, line);
    }
}

} // namespace

extern "C" int program_main(int count, char** words, char**) {
    long children = count > 1 ? to_number(words[1], 3) : 3,
         seconds = count > 2 ? to_number(words[2], 10) : 10;
    if (children < 1 || children > MaxChildren || seconds < 1 || seconds > 3600) {
        print("usage: spin [1..%ld] [seconds]\n", MaxChildren);
        return 2;
    }
    const long processor = current_processor();
    if (long error = processor < 0 ? processor : bind_to_processor(processor); error < 0) {
        print("spin: one processor for all: %s\n", error_text(-error));
        return 1;
    }
    long pids[MaxChildren];
    for (long i = 0; i < children; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            for (volatile unsigned long n = 0;; n = n + 1) {
            }
        if (pids[i] < 0) {
            print("spin: fork: %s\n", error_text(-pids[i]));
            return 1;
        }
        int nice = static_cast<int>(i * 5 % 20);
        set_priority(pids[i], nice);
        print("spin: PID %ld at nice %d\n", pids[i], nice);
    }
    print("spin: on processor %ld, for %ld s\n", processor, seconds);
    sleep({seconds, 0});
    for (long i = 0; i < children; i++) {
        show_runtime(pids[i]);
        kill(pids[i], 9);
        int status;
        wait_for(pids[i], &status, 0);
    }
    return 0;
}
