// /bin/crash: follows a null pointer, to be seen in the log and in the shell's answer.
#include "lib/system.h"

extern "C" int program_main(int, char**, char**) {
    *reinterpret_cast<volatile int*>(8) = 1; // the deliberate fault
    return 0;
}
