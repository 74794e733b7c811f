// /bin/crash: follows a null pointer, to be seen in the log and in the shell's answer. `crash by-proxy` lets
// the kernel follow it: write(2) from an address where nothing is, which answers EFAULT (lesson 6).
#include "lib/system.h"
#include "lib/text.h"

extern "C" int program_main(int argc, char**, char**) {
    auto* const nowhere = reinterpret_cast<volatile int*>(8);
    if (argc > 1) {
        const long answer = user::write(1, const_cast<int*>(nowhere), 4);
        user::print("write(1, 8, 4) = %ld%s\n", answer, answer == -14 ? " (EFAULT)" : "");
        return 1;
    }
    *nowhere = 1; // the deliberate fault
    return 0;
}
