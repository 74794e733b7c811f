// /bin/chrt [-f|-r|-o|-b|-i] PRIORITY COMMAND [WORD…]: a command in another scheduling class (chrt(1),
// sched(7)): FIFO, RR (the default) at 1–99, other, batch, idle at 0. chrt -p PID tells a task's; chrt -m all
// limits.
#include "lib/system.h"
#include "lib/text.h"

using namespace user;

namespace {

constexpr const char* names[] = {"SCHED_OTHER", "SCHED_FIFO", "SCHED_RR", "SCHED_BATCH", "?", "SCHED_IDLE"};

int usage() {
    print_to(2,
             "usage: chrt [-f|-r|-o|-b|-i] PRIORITY COMMAND [WORD...]\n       chrt -p PID\n       chrt -m\n");
    return 1;
}

int show(long pid) {
    const long policy = get_scheduler(pid), priority = get_scheduling_priority(pid);
    if (policy < 0) {
        print_to(2, "chrt: failed to get pid %ld's policy: %s\n", pid, error_text(-policy));
        return 1;
    }
    print("pid %ld's current scheduling policy: %s\npid %ld's current scheduling priority: %ld\n", pid,
          policy < 6 ? names[policy] : names[4], pid, priority);
    return 0;
}

int show_limits() {
    const int policies[] = {0, 1, 2, 3, 5};
    for (int policy : policies)
        print("%s min/max priority\t: %ld/%ld\n", names[policy], system_call(147, policy),
              system_call(146, policy));
    return 0;
}

} // namespace

extern "C" int program_main(int count, char** words, char** environment) {
    if (count == 2 && equal(words[1], "-m")) return show_limits();
    if (count == 3 && equal(words[1], "-p")) return show(to_number(words[2], 0));
    int policy = 2, at = 1;
    if (count > 1 && words[1][0] == '-') {
        switch (words[1][1]) {
        case 'f': policy = 1; break;
        case 'r': policy = 2; break;
        case 'o': policy = 0; break;
        case 'b': policy = 3; break;
        case 'i': policy = 5; break;
        default: return usage();
        }
        at = 2;
    }
    if (at + 1 >= count) return usage();
    const long priority = to_number(words[at], -1);
    if (long error = set_scheduler(0, policy, static_cast<int>(priority)); error < 0) {
        print_to(2, "chrt: failed to set pid 0's policy: %s\n", error_text(-error));
        return 1;
    }
    return become("chrt", words + at + 1, environment);
}
