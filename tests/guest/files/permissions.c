// Who may do what on a path (path_resolution(7), and the errors of open(2), unlink(2), rename(2), access(2), execve(2)). Run as root, in
// an empty folder of /tmp; part of it runs as user 1000. Prints what differs and "permissions: N wrong".
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int wrong;
static void expect(const char* what, long result, int error) {
    int got = result < 0 ? errno : 0;
    if (got == error) return;
    printf("%s: %s instead of %s\n", what, strerror(got), strerror(error));
    wrong++;
}
#define EXPECT(call, error) (errno = 0, expect(#call, (call), error))
static void make(const char* name, mode_t mode, uid_t user, gid_t group) {
    int fd = open(name, O_CREAT | O_WRONLY, 0600);
    if (fd < 0 || write(fd, "x", 1) != 1 || close(fd) || chown(name, user, group) || chmod(name, mode)) printf("make %s: %s\n", name, strerror(errno));
}
static int run_with(const char* path, const char* what) {
    pid_t child = fork();
    if (!child) {
        execl(path, path, what, (char*)0);
        _exit(errno);
    }
    int status;
    waitpid(child, &status, 0);
    errno = WEXITSTATUS(status);
    return errno ? -1 : 0;
}
static int run(const char* path) { return run_with(path, "nothing"); }

/// Who changes a program takes its set-user-ID and set-group-ID away; the latter means something else where the group may not execute.
static mode_t rewritten(const char* name, mode_t mode, int how) {
    struct stat st = {0};
    int fd = open(name, O_CREAT | O_RDWR, 0600);
    if (fd < 0 || write(fd, "text", 4) != 4 || fchmod(fd, mode)) printf("rewritten %s: %s\n", name, strerror(errno)), wrong++;
    if (how == 0 && write(fd, "x", 1) != 1) wrong++;
    if (how == 1 && pwrite(fd, "x", 1, 0) != 1) wrong++;
    if (how == 2 && ftruncate(fd, 1)) wrong++;
    if (how == 3 && truncate(name, 2)) wrong++;
    if (how == 4) close(open(name, O_RDWR | O_TRUNC));
    if (how == 5 && write(fd, "", 0)) wrong++; // nothing is written
    fstat(fd, &st);
    close(fd);
    unlink(name);
    return st.st_mode & 07777;
}
#define EXPECT_MODE(mode, how, wanted)                                                                                                      \
    if ((got = rewritten("program_of_mine", mode, how)) != (wanted)) printf("%o written (%d): %o instead of %o\n", mode, how, got, wanted), wrong++

static void as_user(void) {
    gid_t groups[] = {1000, 2000};
    if (setgroups(2, groups) || setgid(1000) || setuid(1000)) _exit(99);
    struct stat st;
    mode_t got;
    if (chdir("open")) _exit(98);
    for (int how = 0; how < 5; how++) {
        EXPECT_MODE(06777, how, 0777);
        EXPECT_MODE(04700, how, 0700);
        EXPECT_MODE(02700, how, 02700);
        EXPECT_MODE(0755, how, 0755);
    }
    EXPECT_MODE(06777, 5, 06777);
    if (chdir("..")) _exit(98);
    EXPECT(setpriority(PRIO_PROCESS, getppid(), 19), EPERM);
    EXPECT(setpriority(PRIO_PROCESS, getppid(), -20), EPERM);
    EXPECT(setpriority(PRIO_PROCESS, 0, -1), EACCES);
    EXPECT(setpriority(PRIO_PROCESS, 0, 5), 0);
    EXPECT(setpriority(PRIO_PROCESS, 0, 4), EACCES);
    EXPECT(setpriority(PRIO_PROCESS, 0, 1000), 0); // the most there is
    if (getpriority(PRIO_PROCESS, 0) != 19) printf("nice is %d\n", getpriority(PRIO_PROCESS, 0)), wrong++;
    EXPECT(open("/proc/vmallocinfo", O_RDONLY), EACCES);
    EXPECT(run_with("./program", "fdinfo"), 0);
    EXPECT(open("mine", O_RDWR), 0);
    EXPECT(open("secret", O_RDONLY), EACCES);
    EXPECT(open("secret", O_WRONLY), EACCES);
    EXPECT(open("readable", O_RDONLY), 0);
    EXPECT(open("readable", O_RDWR), EACCES);
    EXPECT(open("readable", O_RDONLY | O_TRUNC), EACCES);
    EXPECT(truncate("readable", 0), EACCES);
    EXPECT(open("group", O_RDWR), 0);
    EXPECT(open("othergroup", O_RDONLY), EACCES);
    EXPECT(open("not_owner", O_RDONLY), EACCES); // the owner's bits count for the owner, even when others have more
    EXPECT(access("readable", R_OK), 0);
    EXPECT(access("readable", W_OK), EACCES);
    EXPECT(access("secret", F_OK), 0);
    EXPECT(open("closed/file", O_RDONLY), EACCES);
    EXPECT(stat("closed/file", &st), EACCES);
    EXPECT(chdir("closed"), EACCES);
    EXPECT(open("closed", O_RDONLY), 0); // r without x
    EXPECT(open("search/file", O_RDONLY), 0);
    EXPECT(open("search", O_RDONLY), EACCES); // x without r
    EXPECT(open("search/new", O_CREAT | O_WRONLY, 0600), EACCES);
    EXPECT(mkdir("search/new", 0700), EACCES);
    EXPECT(symlink("x", "search/new"), EACCES);
    EXPECT(link("mine", "search/new"), EACCES);
    EXPECT(unlink("search/file"), EACCES);
    EXPECT(rename("search/file", "open/x"), EACCES);
    EXPECT(open("open/new", O_CREAT | O_WRONLY, 0640), 0);
    if (stat("open/new", &st) || st.st_uid != 1000 || st.st_gid != 1000) printf("the new file's owner: %d:%d\n", st.st_uid, st.st_gid), wrong++;
    EXPECT(mkdir("gid/new", 0755), 0);
    if (stat("gid/new", &st) || st.st_gid != 2000 || !(st.st_mode & S_ISGID)) printf("the new directory: %d %o\n", st.st_gid, st.st_mode), wrong++;
    EXPECT(unlink("sticky/theirs"), EPERM);
    EXPECT(rename("sticky/theirs", "sticky/mine2"), EPERM);
    EXPECT(rename("sticky/mine", "sticky/theirs"), EPERM);
    EXPECT(unlink("sticky/mine"), 0);
    EXPECT(rename("theirs_dir", "open/moved"), EACCES);
    EXPECT(chmod("mine", 0600), 0);
    EXPECT(chmod("readable", 0666), EPERM);
    EXPECT(chown("mine", 0, -1), EPERM);
    EXPECT(chown("mine", -1, 2000), 0);
    EXPECT(chown("mine", -1, 3000), EPERM);
    EXPECT(utimensat(AT_FDCWD, "readable", 0, 0), EACCES);
    EXPECT(utimensat(AT_FDCWD, "group", 0, 0), 0);
    EXPECT(utimensat(AT_FDCWD, "group", (struct timespec[2]){{1, 0}, {1, 0}}, 0), EPERM);
    EXPECT(run("./program"), 0);
    EXPECT(run("./unexecutable"), EACCES);
    EXPECT(run("closed/file"), EACCES);
    EXPECT(chroot("open"), EPERM);
    EXPECT(open("/proc/1/environ", O_RDONLY), EACCES);
    EXPECT(mknod("open/device", S_IFCHR | 0666, 0x103), EPERM);
    EXPECT(mkfifo("open/fifo", 0600), 0);
    EXPECT(sethostname("x", 1), EPERM);
    pid_t child = fork();
    if (!child) {
        execl("./setuid", "setuid", "identity", (char*)0);
        _exit(98);
    }
    int status;
    waitpid(child, &status, 0);
    if (WEXITSTATUS(status) != 1) printf("a set-user-ID program: %d\n", WEXITSTATUS(status)), wrong++;
    fflush(stdout);
    _exit(wrong);
}

int main(int argc, char** argv) {
    if (argc > 1 && !strcmp(argv[1], "nothing")) return 0;
    if (argc > 1 && !strcmp(argv[1], "fdinfo")) return open("/proc/self/fdinfo/0", O_RDONLY) < 0 ? errno : 0;
    if (argc > 1) return getuid() == 1000 && geteuid() == 0 && getegid() == 1000; // ./setuid identity
    char folder[] = "/tmp/permissions.XXXXXX", self[256];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (getuid() || length < 0 || !mkdtemp(folder) || chdir(folder) || chmod(".", 0777)) return printf("permissions: not as root\n"), 1;
    self[length] = 0;
    umask(022);
    make("mine", 0600, 1000, 1000);
    make("secret", 0600, 0, 0);
    make("readable", 0644, 0, 0);
    make("group", 0660, 0, 2000);
    make("othergroup", 0660, 0, 3000);
    make("not_owner", 0066, 1000, 1000);
    make("unexecutable", 0644, 0, 0);
    const char* folders[] = {"closed", "search", "open", "sticky", "gid", "theirs_dir"};
    const mode_t modes[] = {0744, 0711, 0777, 01777, 02777, 0755};
    for (int i = 0; i < 6; i++) mkdir(folders[i], 0777), chmod(folders[i], modes[i]);
    if (chown("gid", 0, 2000) || chmod("gid", 02777)) return 1;
    make("closed/file", 0777, 0, 0);
    make("search/file", 0644, 0, 0);
    make("sticky/theirs", 0666, 0, 0);
    make("sticky/mine", 0666, 1000, 1000);
    char command[600];
    snprintf(command, sizeof command, "cp %s setuid && chmod 4755 setuid && cp %s program", self, self);
    if (system(command)) return printf("permissions: cp failed\n"), 1;
    chmod("theirs_dir", 0755);
    chmod(".", 0755);
    // root
    EXPECT(open("secret", O_RDWR), 0);
    EXPECT(open("not_owner", O_RDWR), 0);
    EXPECT(access("unexecutable", X_OK), EACCES);
    EXPECT(run("./unexecutable"), EACCES);
    int fd = open("program", O_WRONLY);
    EXPECT(run("./program"), ETXTBSY);
    close(fd);
    EXPECT(run("./program"), 0);
    EXPECT(open("/proc/self/exe", O_WRONLY), ETXTBSY);
    EXPECT(truncate(self, 0), ETXTBSY);
    int ends[2]; // what was changed and has no place on a disk must not be left for the next sync
    if (pipe(ends)) return 1;
    EXPECT(fchmod(ends[0], 0600), 0);
    close(ends[0]), close(ends[1]);
    EXPECT(chmod("/proc/self/stat", 0444) < 0 && errno != EPERM ? -1 : 0, 0);
    sync();
    fflush(stdout);
    pid_t child = fork();
    if (!child) as_user();
    int status;
    waitpid(child, &status, 0);
    printf("permissions: %d wrong\n", wrong + (WIFEXITED(status) ? WEXITSTATUS(status) : 1));
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (chdir("/") || system(command)) return 1;
    return 0;
}
