// Random system calls with random arguments. random_calls SEED [CHILDREN [CALLS]]: each child makes CALLS of them in a folder of its
// own, as root or as user 1000, and is killed when it does not come back. Prints "random: done" when the machine is still well; the
// kernel's log and e2fsck say the rest. Left out: reboot, signals to others, and what could only stop this program itself.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t state;
static uint64_t next(void) { // splitmix64
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}
static uint64_t below(uint64_t n) { return next() % n; }

static char* memory; // pages: [0, 8) read and write, [8, 12) read only, [12, 16) not there
static const char* const paths[] = {"a", "b", "d", "d/e", "d/../a", ".", "..x", "link", "loop", "fifo", "d/", "d/.", "", "a/b", "none/x",
                                    "/proc/self/fd/3", "socket", "/proc/net/unix", "/proc/self/maps", "/proc/self/task", "/proc/meminfo", "/dev/null", "/dev/zero",
                                    "/dev/full", "/proc/self/exe", "/proc/self/cwd", "/proc/sys/kernel/pid_max", "very-long"};
static char long_name[5000];

static uint64_t argument(void) {
    switch (below(16)) {
    case 0: return below(8);
    case 1: return below(32) - 8;
    case 2: return (uint64_t)1 << below(64);
    case 3: return next();
    case 4: return (uint64_t)-1 - below(4);
    case 5: return (uint64_t)1 << below(63) | below(4096);
    case 6: return 0xffffffff80000000 + below(1 << 24);
    case 7: return 0x7ffffffff000 - below(3) * 4096 + below(16);
    case 8:
    case 9: return (uint64_t)memory + below(16 * 4096);
    case 10: return (uint64_t)memory + below(8) * 4096;
    case 11:
    case 12: {
        uint64_t which = below(sizeof paths / sizeof *paths);
        return (uint64_t)(which + 1 == sizeof paths / sizeof *paths ? long_name : paths[which]);
    }
    case 13: return 3 + below(16); // descriptors
    case 14: return below(5000);
    default: return (uint64_t)(int64_t)-(int64_t)below(200);
    }
}

static int left_out(long number) {
    switch (number) {
    case SYS_reboot: case SYS_kill: case SYS_tkill: case SYS_tgkill: case SYS_rt_sigqueueinfo: case SYS_rt_tgsigqueueinfo:
    case SYS_exit: case SYS_exit_group: case SYS_rt_sigreturn: case SYS_pause: case SYS_vhangup: case SYS_clock_settime:
    case SYS_settimeofday: case SYS_sethostname: case SYS_setdomainname: case SYS_vfork: case SYS_pivot_root: return 1;
    default: return 0;
    }
}

static void fill(void) {
    mmap(memory, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0); // a call may have taken it
    for (int i = 0; i < 8 * 512; i++) ((uint64_t*)memory)[i] = below(4) ? argument() : 0;
}

static void child(long calls, int user) {
    char template[] = "/tmp/random/XXXXXX";
    int null = open("/dev/null", O_RDWR), pair[2], epoll, fd;
    if (!mkdtemp(template) || chdir(template)) _exit(3);
    chmod(".", 0777);
    for (int i = 0; i < 3; i++) dup2(null, i);
    fd = open("a", O_RDWR | O_CREAT, 0666);
    if (fd < 0 || write(fd, template, sizeof template) < 0 || pipe(pair)) _exit(3);
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &event);
    eventfd(1, EFD_NONBLOCK);
    timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    int sockets[2];
    socketpair(AF_UNIX, (int)below(2) ? SOCK_STREAM : SOCK_SEQPACKET, 0, sockets);
    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, sockets);
    struct sockaddr_un name = {AF_UNIX, "socket"};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    bind(listener, (struct sockaddr*)&name, sizeof name);
    listen(listener, 3);
    mkdir("d", 0777);
    symlink("a", "link");
    symlink("loop", "loop");
    mkfifo("fifo", 0666);
    open(".", O_RDONLY | O_DIRECTORY);
    open("fifo", O_RDWR | O_NONBLOCK);
    open("/proc/self/status", O_RDONLY);
    open("/dev/zero", O_RDWR);
    if (user) {
        gid_t none = 1000;
        if (setgroups(0, &none) || setgid(1000) || setuid(1000)) _exit(3);
    }
    pid_t self = getpid();
    for (long i = 0; i < calls; i++) {
        long number = below(100) < 95 ? below(335) : below(2) ? 41 + below(15) : 424 + below(30);
        uint64_t a[6];
        for (int n = 0; n < 6; n++) a[n] = argument();
        if (left_out(number)) continue;
        if (below(8) == 0) fill();
        if (number == SYS_umount2 || number == SYS_mount) { // not over what the machine stands on
            a[number == SYS_mount ? 1 : 0] = (uint64_t) "d";
            if (number == SYS_mount) a[0] = (uint64_t) "none", a[2] = (uint64_t) "tmpfs";
        }
        if (number == SYS_clone) a[0] &= ~(uint64_t)CLONE_VFORK; // its child may wait for ever, and so would we
        if (number == SYS_munmap || number == SYS_mremap || (number == SYS_mmap && (a[3] & MAP_FIXED)) || number == SYS_mprotect)
            if (a[0] - (uint64_t)memory >= 16 * 4096) a[0] = (uint64_t)memory + below(16) * 4096, a[1] = below(4) * 4096;
        register long r10 asm("r10") = a[3];
        register long r8 asm("r8") = a[4];
        register long r9 asm("r9") = a[5];
        long result;
        asm volatile("syscall" : "=a"(result) : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
        if ((number == SYS_fork || number == SYS_clone) && syscall(SYS_getpid) != self) _exit(0);
    }
    _exit(0);
}

int main(int argc, char** argv) {
    uint64_t seed = argc > 1 ? strtoull(argv[1], 0, 0) : 1;
    int children = argc > 2 ? atoi(argv[2]) : 24;
    long calls = argc > 3 ? atol(argv[3]) : 2000;
    memset(long_name, 'x', sizeof long_name - 1);
    mkdir("/tmp/random", 0777);
    FILE* before = fopen("/tmp/after", "w"); // has its block now: the disk may be full at the end
    if (!before || fprintf(before, "ill?\n") < 0 || fclose(before)) return perror("random: /tmp/after"), 1;
    chmod("/tmp/random", 0777);
    memory = mmap((void*)0x10000000, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    mprotect(memory + 8 * 4096, 4 * 4096, PROT_READ);
    munmap(memory + 12 * 4096, 4 * 4096);
    int ended = 0, killed = 0, crashed = 0, stuck = 0;
    for (int i = 0; i < children; i += 2) { // two at a time
        pid_t pids[2];
        for (int n = 0; n < 2; n++) {
            state = seed * 1000003 + (uint64_t)(i + n);
            if ((pids[n] = fork()) == 0) child(calls, (i + n) % 3 == 2);
        }
        for (int n = 0; n < 2; n++) {
            int status, done = 0;
            for (int wait = 0; wait < 50 && !done; wait++) {
                done = waitpid(pids[n], &status, WNOHANG) == pids[n];
                if (!done) nanosleep(&(struct timespec){0, 10000000}, 0);
            }
            if (!done) {
                kill(pids[n], SIGKILL);
                for (int wait = 0; wait < 1000 && !done; wait++) {
                    done = waitpid(pids[n], &status, WNOHANG) == pids[n];
                    if (!done) nanosleep(&(struct timespec){0, 10000000}, 0);
                }
                killed += done;
                if (!done) stuck++;
            } else if (WIFSIGNALED(status)) {
                crashed++;
            } else {
                ended++;
            }
        }
    }
    printf("random: seed %llu, %d ended, %d killed, %d by signals, %d stuck\n", (unsigned long long)seed, ended, killed, crashed, stuck);
    mount(NULL, "/", NULL, MS_REMOUNT, NULL);     // root may have made it read-only
    FILE* file = fopen("/tmp/after", "r+"); // the machine is well
    if (!file || fprintf(file, "well\n") < 0 || fclose(file)) return perror("random: /tmp/after"), 1;
    printf(stuck ? "random: STUCK\n" : "random: done\n");
    return stuck != 0;
}
