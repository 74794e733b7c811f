// /bin/hello: a second program, to be forked and executed.
#include "lib/system.h"
#include "lib/text.h"

extern "C" int program_main(int argc, char** argv, char**) {
    user::print("Hello from PID %ld", user::process_id());
    for (int i = 1; i < argc; i++) user::print(" %s", argv[i]);
    user::print("!\n");
    return 0;
}
