// /sbin/init, PID 1: shows the message of the day, runs a second program, then is the shell. Children that
// lose their parent are reaped between commands.
#include "lib/system.h"
#include "lib/text.h"
#include "shell.h"

extern "C" int program_main(int, char**, char** environment) {
    using namespace user;
    print("\ninit: PID %ld, the first user program\n\n", process_id());
    show_file("/etc/motd");
    char program[] = "/bin/hello";
    char* arguments[] = {program, nullptr};
    long status = run_program(program, arguments, environment);
    if (status < 0)
        print("init: %s: %s\n", program, error_text(-status));
    else
        report_status(program, static_cast<int>(status));
    for (;;) {
        run_shell(environment);
        print("init: the console ended; starting again\n");
        sleep({1, 0});
    }
}
