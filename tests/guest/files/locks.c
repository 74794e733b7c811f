// Locks on files: fcntl's ranges (of a process, and of an open file) and flock. What this prints on Linux, it prints here.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[] = "/tmp/locks.XXXXXX";
static int fd;

static const char* lock(int on, int command, short type, short whence, off_t start, off_t length) {
    struct flock l = {.l_type = type, .l_whence = whence, .l_start = start, .l_len = length};
    return fcntl(on, command, &l) ? strerrorname_np(errno) : "ok";
}
/// What stands in the way of another process, as it sees it; our PID is "me".
static void seen(const char* when) {
    fflush(stdout);
    pid_t parent = getpid();
    if (fork() == 0) {
        printf("%s:", when);
        for (off_t at = 0; at < 400; at += 10) {
            struct flock l = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 10}, w = l;
            w.l_type = F_WRLCK;
            if (fcntl(fd, F_GETLK, &l) || fcntl(fd, F_GETLK, &w)) printf(" %s", strerrorname_np(errno));
            putchar(l.l_type == F_WRLCK ? 'W' : w.l_type == F_RDLCK ? 'r' : w.l_type == F_UNLCK ? '.' : '?');
            if (at == 0 && w.l_type != F_UNLCK)
                printf("[%ld+%ld %s]", (long)w.l_start, (long)w.l_len, w.l_pid == parent ? "me" : w.l_pid == -1 ? "-1" : "?");
        }
        putchar('\n');
        fflush(stdout);
        _exit(0);
    }
    wait(0);
}
static void say(const char* what, const char* result) { printf("%s: %s\n", what, result); }
static void go(int to) { if (write(to, "", 1) != 1) _exit(9); }
static void come(int from) { char c; if (read(from, &c, 1) != 1) _exit(9); }
/// Waits until /proc/locks shows a waiter.
static void waited_for(void) {
    for (int tries = 0; tries < 2000; tries++) {
        char text[8192];
        int locks = open("/proc/locks", O_RDONLY);
        ssize_t got = read(locks, text, sizeof text - 1), waiter = 0;
        close(locks);
        text[got > 0 ? got : 0] = 0;
        struct stat status;
        fstat(fd, &status);
        char inode[40];
        snprintf(inode, sizeof inode, ":%lu ", (unsigned long)status.st_ino);
        for (char* line = strtok(text, "\n"); line; line = strtok(0, "\n"))
            waiter |= strstr(line, "-> ") && strstr(line, inode);
        if (waiter) return;
        usleep(1000);
    }
    puts("nobody waits");
}
static void nothing(int signal) { (void)signal; }

static void ranges(void) {
    say("read 0+100", lock(fd, F_SETLK, F_RDLCK, SEEK_SET, 0, 100));
    seen("read 0+100");
    say("write 20+20", lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 20, 20));
    seen("write 20+20");
    say("unlock 30+100", lock(fd, F_SETLK, F_UNLCK, SEEK_SET, 30, 100));
    seen("unlock 30+100");
    say("read 30+70", lock(fd, F_SETLK, F_RDLCK, SEEK_SET, 30, 70));
    say("read 20+10", lock(fd, F_SETLK, F_RDLCK, SEEK_SET, 20, 10));
    seen("joined");
    say("unlock 40+10", lock(fd, F_SETLK, F_UNLCK, SEEK_SET, 40, 10));
    seen("a hole");
    say("write -50 from 200", lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 200, -50));
    say("write from the end", lock(fd, F_SETLK, F_WRLCK, SEEK_END, -20, 0));
    seen("to the end");
    say("before the start", lock(fd, F_SETLK, F_WRLCK, SEEK_SET, -1, 5));
    say("length before the start", lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 10, -20));
    say("whence 7", lock(fd, F_SETLK, F_WRLCK, 7, 0, 1));
    say("type 7", lock(fd, F_SETLK, 7, SEEK_SET, 0, 1));
    say("get unlock", lock(fd, F_GETLK, F_UNLCK, SEEK_SET, 0, 1));
    say("too far", lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 0x7fffffffffffffff, 5));
    say("the last byte", lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 0x7fffffffffffffff, 1));
    printf("bad pointer: %s\n", fcntl(fd, F_SETLK, (void*)8) ? strerrorname_np(errno) : "ok");
    int reader = open(path, O_RDONLY), writer = open(path, O_WRONLY);
    say("write through a reader", lock(reader, F_SETLK, F_WRLCK, SEEK_SET, 0, 1));
    say("read through a writer", lock(writer, F_SETLK, F_RDLCK, SEEK_SET, 0, 1));
    seen("before a close");
    close(reader);
    seen("any close gives all up");
    close(writer);
}

static void waiting(void) {
    int there[2], back[2], status;
    char c = 0;
    if (pipe(there) || pipe(back)) return;
    lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 0, 10);
    fflush(stdout);
    if (fork() == 0) {
        say("child tries", lock(fd, F_SETLK, F_RDLCK, SEEK_SET, 5, 1));
        say("child's own", lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 100, 10));
        fflush(stdout);
        go(back[1]);
        say("child waited", lock(fd, F_SETLKW, F_WRLCK, SEEK_SET, 0, 10));
        fflush(stdout);
        _exit(3);
    }
    come(back[0]);
    waited_for();
    say("both wait", lock(fd, F_SETLKW, F_WRLCK, SEEK_SET, 105, 1));
    fflush(stdout);
    lock(fd, F_SETLK, F_UNLCK, SEEK_SET, 0, 10);
    wait(&status);
    printf("child: %d\n", WEXITSTATUS(status));
    lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 0, 10);
    fflush(stdout);
    if (fork() == 0) {
        signal(SIGALRM, nothing);
        struct sigaction action = {.sa_handler = nothing};
        sigaction(SIGALRM, &action, 0);
        alarm(1);
        say("interrupted", lock(fd, F_SETLKW, F_WRLCK, SEEK_SET, 0, 10));
        fflush(stdout);
        _exit(0);
    }
    wait(&status);
    lock(fd, F_SETLK, F_UNLCK, SEEK_SET, 0, 0);
    (void)c;
}

static void open_files(void) {
    int a = open(path, O_RDWR), b = open(path, O_RDWR);
    say("ofd a", lock(a, F_OFD_SETLK, F_WRLCK, SEEK_SET, 0, 10));
    say("ofd b", lock(b, F_OFD_SETLK, F_WRLCK, SEEK_SET, 5, 10));
    say("posix", lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 5, 10));
    seen("ofd");
    struct flock l = {.l_type = F_WRLCK, .l_pid = 1};
    printf("ofd with a pid: %s\n", fcntl(a, F_OFD_SETLK, &l) ? strerrorname_np(errno) : "ok");
    int copy = dup(a);
    close(a);
    seen("ofd after a close");
    close(copy);
    seen("ofd after the last close");
    close(b);
}

static void flocks(void) {
    int a = open(path, O_RDONLY), b = open(path, O_RDONLY), status;
    int first = flock(a, LOCK_SH), second = flock(b, LOCK_SH), third = flock(b, LOCK_EX | LOCK_NB) ? errno == EAGAIN : 9;
    printf("flock: %d %d %d\n", first, second, third);
    printf("flock b is lost: %d\n", flock(a, LOCK_EX | LOCK_NB));
    printf("flock and fcntl: %s\n", lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 0, 0));
    fflush(stdout);
    if (fork() == 0) {
        printf("child: %d\n", flock(b, LOCK_EX) ? errno : 0);
        fflush(stdout);
        _exit(0);
    }
    waited_for();
    puts("parent lets go");
    fflush(stdout);
    flock(a, LOCK_UN);
    wait(&status);
    printf("flock %d, %d\n", flock(a, 77) ? errno == EINVAL : 9, flock(99, LOCK_EX) ? errno == EBADF : 9);
    close(a);
    close(b);
}

static void sparse(void) {
    static const char* const places[] = {"/tmp", "/dev/shm"};
    for (int place = 0; place < 2; place++) {
        char name[64];
        snprintf(name, sizeof name, "%s/sparse.XXXXXX", places[place]);
        int file = mkstemp(name);
        if (file < 0) continue;
        unlink(name);
        if (pwrite(file, "x", 1, 0) != 1 || pwrite(file, "y", 1, 40960) != 1 || pwrite(file, "z", 1, 100000) != 1 || ftruncate(file, 200000)) return;
        fsync(file);
        const off_t from[] = {0, 1, 4096, 5000, 40959, 40960, 45056, 98304, 100000, 110000, 199999, 200000, -1};
        for (unsigned i = 0; i < sizeof from / sizeof *from; i++) {
            off_t data = lseek(file, from[i], SEEK_DATA);
            int why = errno;
            off_t hole = lseek(file, from[i], SEEK_HOLE);
            printf("%s %ld: data %ld%s hole %ld%s\n", places[place], (long)from[i], (long)data, data < 0 ? strerrorname_np(why) : "", (long)hole,
                   hole < 0 ? strerrorname_np(errno) : "");
        }
        close(file);
    }
}

int main(void) {
    mkdir("/tmp", 01777);
    mkdir("/dev/shm", 01777);
    fd = mkstemp(path);
    if (fd < 0 || ftruncate(fd, 300)) return perror(path), 1;
    ranges();
    waiting();
    open_files();
    flocks();
    sparse();
    unlink(path);
    return 0;
}
