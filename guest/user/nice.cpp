// /bin/nice [-n N] COMMAND [WORD…]: a command at another nice level, 10 lower in importance when nothing is
// said (nice(1)). Alone it prints the level.
#include "lib/system.h"
#include "lib/text.h"

using namespace user;

extern "C" int program_main(int count, char** words, char** environment) {
    const long now = 20 - get_priority(0);
    if (count == 1) {
        print("%ld\n", now);
        return 0;
    }
    long step = 10;
    int first = 1;
    if (equal(words[1], "-n") && count > 2) {
        step = to_number(words[2], 1000);
        first = 3;
    } else if (words[1][0] == '-') {
        step = to_number(words[1] + 1, 1000);
        first = 2;
    }
    if (step == 1000 || first >= count) {
        print_to(2, "usage: nice [-n N] COMMAND [WORD...]\n");
        return 125;
    }
    if (long error = set_priority(0, static_cast<int>(now + step)); error < 0)
        print_to(2, "nice: cannot set niceness: %s\n", error_text(-error)); // and runs it all the same
    return become("nice", words + first, environment);
}
