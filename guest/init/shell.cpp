// The shell's commands. Anything that is not one of them is a program: as a path, or in /bin and /sbin.
#include "shell.h"

#include "lib/system.h"
#include "lib/text.h"

using namespace user;

namespace {

constexpr int MaxWords = 32, WNOHANG = 1;
constexpr int O_RDONLY = 0, O_WRONLY = 1, O_CREAT = 0100, O_TRUNC = 01000, O_APPEND = 02000,
              O_DIRECTORY = 0200000;
constexpr unsigned TIOCSPGRP = 0x5410;

char** shell_environment;

void set_foreground(long group) {
    int value = static_cast<int>(group);
    // From the background this would stop us (SIGTTOU, number 22): shells block it.
    set_signal_mask(0, uint64_t{1} << 21);
    control(0, TIOCSPGRP, as_long(&value));
    set_signal_mask(1, uint64_t{1} << 21);
}

void complain(const char* command, const char* what, long error) {
    print("%s: %s: %s\n", command, what, error_text(-error));
}

/// Whole small files: /proc's.
long read_file(const char* path, char* to, size_t capacity) {
    long file = open(path, O_RDONLY);
    if (file < 0) return file;
    size_t used = 0;
    for (;;) {
        long got = read(static_cast<int>(file), to + used, capacity - 1 - used);
        if (got <= 0) break;
        used += static_cast<size_t>(got);
    }
    close(static_cast<int>(file));
    to[used] = 0;
    return static_cast<long>(used);
}

/// Calls visit(name, type) for each entry.
template <typename Visit> long each_entry(const char* path, Visit visit) {
    long directory = open(path, O_RDONLY | O_DIRECTORY);
    if (directory < 0) return directory;
    alignas(8) char buffer[2048];
    long got;
    while ((got = list_directory(static_cast<int>(directory), buffer, sizeof buffer)) > 0)
        for (long at = 0; at < got;) {
            auto* record = reinterpret_cast<DirectoryRecord*>(buffer + at);
            visit(record->name, record->type);
            at += record->length;
        }
    close(static_cast<int>(directory));
    return got;
}

void command_help(int, char**) {
    print("Commands:\n"
          "  help                this list\n"
          "  echo WORDS [> FILE] print words, or write them to a file (>> appends)\n"
          "  cat FILE...         print files; /proc holds the kernel's own\n"
          "  ls [DIRECTORY]      list a directory\n"
          "  cd, pwd, mkdir, rm  move around and change the disk\n"
          "  ps                  the tasks\n"
          "  free, uptime, uname memory, time, system\n"
          "  dmesg               the kernel's log\n"
          "  spin [N] [SECONDS]  N busy children at different nice levels: watch the run queue\n"
          "  sleep SECONDS, kill PID\n"
          "  crash               a program that follows a null pointer\n"
          "  panic               crash the kernel (through /proc/sysrq-trigger)\n"
          "  sync, poweroff, reboot\n"
          "Anything else is a program in /bin or /sbin: try hello.\n");
}

void command_echo(int count, char** words) {
    int file = 1;
    if (count >= 3 && (equal(words[count - 2], ">") || equal(words[count - 2], ">>"))) {
        bool append = words[count - 2][1] == '>';
        long opened = open(words[count - 1], O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC), 0644);
        if (opened < 0) return complain("echo", words[count - 1], opened);
        file = static_cast<int>(opened);
        count -= 2;
    }
    for (int i = 1; i < count; i++) print_to(file, i > 1 ? " %s" : "%s", words[i]);
    print_to(file, "\n");
    if (file != 1) close(file);
}

void command_cat(int count, char** words) {
    for (int i = 1; i < count; i++) show_file(words[i]);
    if (count == 1) print("cat: which file?\n");
}

void command_ls(int count, char** words) {
    const char* path = count > 1 ? words[1] : ".";
    int column = 0;
    long result = each_entry(path, [&](const char* name, int type) {
        if (name[0] == '.') return;
        print("%s%s", name, type == 4 ? "/" : type == 10 ? "@" : "");
        size_t used = length(name) + (type == 4 || type == 10);
        if (++column % 5 == 0)
            print("\n");
        else
            for (; used < 16; used++) print(" ");
    });
    if (column % 5) print("\n");
    if (result < 0) complain("ls", path, result);
}

void command_cd(int count, char** words) {
    long result = change_directory(count > 1 ? words[1] : "/");
    if (result < 0) complain("cd", count > 1 ? words[1] : "/", result);
}
void command_pwd(int, char**) {
    char path[512];
    if (current_directory(path, sizeof path) > 0) print("%s\n", path);
}
void command_mkdir(int count, char** words) {
    for (int i = 1; i < count; i++)
        if (long result = make_directory(words[i], 0755); result < 0) complain("mkdir", words[i], result);
}
void command_rm(int count, char** words) {
    for (int i = 1; i < count; i++)
        if (long result = unlink(words[i]); result < 0) complain("rm", words[i], result);
}

/// The field after the last ')' of /proc/PID/stat is the state: comm may hold anything.
void command_ps(int, char**) {
    print("  PID  PPID S  NI     TIME COMMAND\n");
    each_entry("/proc", [](const char* name, int) {
        if (name[0] < '0' || name[0] > '9') return;
        char path[64] = "/proc/", stat[768];
        size_t at = 6;
        for (const char* c = name; *c && at < 40; c++) path[at++] = *c;
        for (const char* c = "/stat"; *c; c++) path[at++] = *c;
        path[at] = 0;
        if (read_file(path, stat, sizeof stat) <= 0) return;
        char *open_paren = nullptr, *close_paren = nullptr;
        for (char* c = stat; *c; c++) {
            if (*c == '(' && !open_paren) open_paren = c;
            if (*c == ')') close_paren = c;
        }
        if (!open_paren || !close_paren) return;
        *close_paren = 0;
        const char* fields[20] = {};
        int count = 0;
        for (char* c = close_paren + 1; *c && count < 20; c++) {
            if (*c != ' ') continue;
            *c = 0;
            fields[count++] = c + 1;
        }
        if (count < 17) return;
        long ticks = to_number(fields[11], 0) + to_number(fields[12], 0);
        print("%5s %5s %s %3s %5ld.%02ld %s\n", name, fields[1], fields[0], fields[16], ticks / 100,
              ticks % 100, open_paren + 1);
    });
}

void command_free(int, char**) {
    char text[4096];
    if (read_file("/proc/meminfo", text, sizeof text) <= 0)
        return print("free: /proc/meminfo cannot be read\n");
    for (char* line = text; *line;) {
        char* end = line;
        while (*end && *end != '\n') end++;
        bool more = *end;
        *end = 0;
        static constexpr const char* rows[] = {
            "MemTotal:", "MemFree:", "MemAvailable:", "Cached:", "AnonPages:", "Slab:", "PageTables:"};
        for (const char* wanted : rows)
            if (starts_with(line, wanted)) print("%s\n", line);
        line = end + more;
    }
}

void command_uptime(int, char**) {
    char up[64], load[64];
    if (read_file("/proc/uptime", up, sizeof up) <= 0 || read_file("/proc/loadavg", load, sizeof load) <= 0)
        return;
    for (char* c = up; *c; c++)
        if (*c == ' ') *c = 0;
    print("up %s s, load average %s", up, load);
}

void command_uname(int, char**) {
    char names[6][65];
    if (uname(names) == 0) print("%s %s %s %s %s\n", names[0], names[1], names[2], names[3], names[4]);
}

void command_dmesg(int, char**) {
    static char text[128 * 1024];
    long got = system_call(103, 3, as_long(text), sizeof text);
    if (got > 0) write(1, text, static_cast<size_t>(got));
}

/// Children at nice 0, 5, 10 … : the run queue's view has something to show.
void command_spin(int count, char** words) {
    long children = count > 1 ? to_number(words[1], 3) : 3,
         seconds = count > 2 ? to_number(words[2], 10) : 10;
    if (children < 1 || children > 16) children = 3;
    if (seconds < 1 || seconds > 3600) seconds = 10;
    long pids[16];
    for (long i = 0; i < children; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            set_process_group(0, 0);
            for (volatile unsigned long n = 0;; n = n + 1) {
            }
        }
        if (pids[i] < 0) return complain("spin", "fork", pids[i]);
        int nice = static_cast<int>(i * 5 % 20);
        set_priority(pids[i], nice);
        print("spin: PID %ld at nice %d\n", pids[i], nice);
    }
    print("spin: for %ld s\n", seconds);
    sleep({seconds, 0});
    for (long i = 0; i < children; i++) {
        char path[48] = "/proc/", text[768];
        size_t at = 6;
        char digits[12];
        int used = 0;
        for (long n = pids[i]; n; n /= 10) digits[used++] = static_cast<char>('0' + n % 10);
        while (used) path[at++] = digits[--used];
        for (const char* c = "/sched"; *c; c++) path[at++] = *c;
        path[at] = 0;
        if (read_file(path, text, sizeof text) > 0)
            for (char* line = text; *line; line++)
                if (starts_with(line, "se.sum_exec_runtime")) {
                    char* end = line;
                    while (*end && *end != '\n') end++;
                    *end = 0;
                    print("spin: PID %ld %s ms\n", pids[i], line);
                    break;
                }
        kill(pids[i], 9);
        int status;
        wait_for(pids[i], &status, 0);
    }
}

void command_sleep(int count, char** words) { sleep({count > 1 ? to_number(words[1], 1) : 1, 0}); }
void command_kill(int count, char** words) {
    if (count < 2) return print("kill: which PID?\n");
    if (long result =
            kill(to_number(words[1], 0), count > 2 ? static_cast<int>(to_number(words[2], 15)) : 15);
        result < 0)
        complain("kill", words[1], result);
}

void command_crash(int, char**) {
    long pid = fork();
    if (pid == 0) {
        set_process_group(0, 0);
        *reinterpret_cast<volatile int*>(8) = 1; // the deliberate fault
        exit(0);
    }
    int status = 0;
    wait_for(pid, &status, 0);
    report_status("crash", status);
}

void command_panic(int, char**) {
    // In this very process: an oops kills it, and init's death is a panic.
    long file = open("/proc/sysrq-trigger", O_WRONLY);
    if (file < 0) return complain("panic", "/proc/sysrq-trigger", file);
    write(static_cast<int>(file), "c", 1);
}

void command_sync(int, char**) { sync(); }
void command_poweroff(int, char**) { reboot(0x4321fedc); }
void command_reboot(int, char**) { reboot(0x1234567); }

struct Command {
    const char* name;
    void (*run)(int, char**);
};
constexpr Command commands[] = {
    {"help", command_help},     {"echo", command_echo},
    {"cat", command_cat},       {"ls", command_ls},
    {"cd", command_cd},         {"pwd", command_pwd},
    {"mkdir", command_mkdir},   {"rm", command_rm},
    {"ps", command_ps},         {"free", command_free},
    {"uptime", command_uptime}, {"uname", command_uname},
    {"dmesg", command_dmesg},   {"spin", command_spin},
    {"sleep", command_sleep},   {"kill", command_kill},
    {"crash", command_crash},   {"panic", command_panic},
    {"sync", command_sync},     {"poweroff", command_poweroff},
    {"reboot", command_reboot},
};

void run_words(int count, char** words) {
    for (const Command& command : commands)
        if (equal(command.name, words[0])) return command.run(count, words);
    bool is_path = false;
    for (const char* c = words[0]; *c; c++) is_path |= *c == '/';
    long status = -2;
    static constexpr const char* folders[] = {"", "/bin/", "/sbin/"};
    for (const char* folder : folders) {
        if (is_path != !*folder) continue;
        char path[256];
        size_t at = 0;
        for (const char* c = folder; *c; c++) path[at++] = *c;
        for (const char* c = words[0]; *c && at + 1 < sizeof path; c++) path[at++] = *c;
        path[at] = 0;
        status = run_program(path, words, shell_environment);
        if (status != -2) break;
    }
    if (status == -2)
        print("%s: not found; help lists the commands\n", words[0]);
    else if (status < 0)
        print("%s: %s\n", words[0], error_text(-status));
    else
        report_status(words[0], static_cast<int>(status));
}

} // namespace

bool show_file(const char* path) {
    long file = open(path, O_RDONLY);
    if (file < 0) {
        complain("cat", path, file);
        return false;
    }
    char buffer[1024];
    long got;
    while ((got = read(static_cast<int>(file), buffer, sizeof buffer)) > 0)
        write(1, buffer, static_cast<size_t>(got));
    close(static_cast<int>(file));
    if (got < 0) complain("cat", path, got);
    return got == 0;
}

void report_status(const char* name, int status) {
    int signal = status & 0x7f;
    if (signal)
        print("%s: killed by signal %d%s\n", name, signal,
              signal == 11  ? " (segmentation fault)"
              : signal == 2 ? " (interrupt)"
                            : "");
    else if (status >> 8 & 0xff)
        print("%s: exit status %d\n", name, status >> 8 & 0xff);
}

/// The child tells through its exit status 127 that execve failed; the error itself is known by trying to
/// open the file first.
long run_program(const char* path, char** arguments, char** environment) {
    long file = open(path, O_RDONLY);
    if (file < 0) return file;
    close(static_cast<int>(file));
    long pid = fork();
    if (pid < 0) return pid;
    if (pid == 0) {
        set_process_group(0, 0);
        long error = execute(path, arguments, environment);
        print("%s: %s\n", path, error_text(-error));
        exit(127);
    }
    set_process_group(pid, pid);
    set_foreground(pid);
    int status = 0;
    long waited = wait_for(pid, &status, 0);
    set_foreground(process_id());
    return waited < 0 ? waited : status;
}

void run_shell(char** environment) {
    shell_environment = environment;
    char line[512];
    for (;;) {
        for (int status; wait_for(-1, &status, WNOHANG) > 0;) {
        } // orphans
        print("vitrine# ");
        long got = read(0, line, sizeof line - 1);
        if (got == -4) { // interrupted
            print("\n");
            continue;
        }
        if (got <= 0) return;
        line[got] = 0;
        char* words[MaxWords + 1];
        int count = 0;
        for (char* c = line; *c;) {
            while (*c == ' ' || *c == '\t' || *c == '\n') *c++ = 0;
            if (!*c) break;
            if (count < MaxWords) words[count++] = c;
            while (*c && *c != ' ' && *c != '\t' && *c != '\n') c++;
        }
        words[count] = nullptr;
        if (count) run_words(count, words);
    }
}
