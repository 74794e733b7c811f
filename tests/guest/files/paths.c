// O_PATH against Linux, and what /proc/self/io counts. Run under both, the lines must be equal.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void show(const char* what, long result) {
    if (result < 0)
        printf("%s: %s\n", what, strerrorname_np(errno));
    else
        printf("%s: ok\n", what);
}
#define SHOW(call) (errno = 0, show(#call, (long)(call)))

static void every_call(const char* name, int fd) {
    char buffer[64];
    struct stat status;
    struct statfs fs;
    struct epoll_event event = {EPOLLIN, {0}};
    struct iovec vector = {buffer, 8};
    struct pollfd polled = {fd, POLLIN, 0};
    int flags = fcntl(fd, F_GETFL), set = epoll_create1(0);
    printf("-- %s: %s\n", name, fd < 0 ? strerrorname_np(errno) : "open");
    if (fd < 0) return;
    printf("flags: %o\n", flags & ~O_CLOEXEC);
    SHOW(fstat(fd, &status));
    printf("kind: %o\n", status.st_mode & S_IFMT);
    SHOW(fstatat(fd, "", &status, AT_EMPTY_PATH));
    SHOW(fstatfs(fd, &fs));
    SHOW(read(fd, buffer, 8));
    SHOW(write(fd, buffer, 8));
    SHOW(pread(fd, buffer, 8, 0));
    SHOW(readv(fd, &vector, 1));
    SHOW(lseek(fd, 0, SEEK_SET));
    SHOW(ftruncate(fd, 0));
    SHOW(fsync(fd));
    SHOW(fchmod(fd, 0700));
    SHOW(fchown(fd, -1, -1));
    SHOW(fchdir(fd));
    SHOW(ioctl(fd, FIONREAD, buffer));
    SHOW(fcntl(fd, F_SETFL, O_NONBLOCK));
    SHOW(fcntl(fd, F_SETFD, FD_CLOEXEC));
    printf("close on exec: %d\n", fcntl(fd, F_GETFD));
    SHOW(fcntl(fd, F_GETLK, buffer));
    SHOW(close(fcntl(fd, F_DUPFD, 20)));
    SHOW(close(dup(fd)));
    SHOW(close(dup2(fd, 30)));
    SHOW(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
    SHOW(readlinkat(fd, "", buffer, sizeof buffer));
    SHOW(openat(fd, "inside", O_RDONLY));
    poll(&polled, 1, 0);
    printf("poll: %x\n", polled.revents);
    close(set);
    close(fd);
}

static void paths(void) {
    char folder[] = "/tmp/paths-XXXXXX", name[200];
    if (!mkdtemp(folder) || chdir(folder)) return;
    mkdir("directory", 0755);
    close(open("file", O_CREAT | O_WRONLY, 0600));
    close(open("directory/inside", O_CREAT | O_WRONLY, 0600));
    symlink("file", "link");
    symlink("nowhere", "dangling");
    mkfifo("fifo", 0600);
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    bind(listener, (struct sockaddr*)&address, sizeof address);
    listen(listener, 1);
    every_call("file", open("file", O_PATH));
    every_call("more flags", open("file", O_PATH | O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_NONBLOCK | O_CLOEXEC));
    every_call("directory", open("directory", O_PATH | O_DIRECTORY));
    chdir(folder);
    every_call("no directory", open("file", O_PATH | O_DIRECTORY));
    every_call("socket", open("socket", O_PATH));
    every_call("link", open("link", O_PATH | O_NOFOLLOW));
    every_call("through it", open("link", O_PATH));
    every_call("dangling", open("dangling", O_PATH));
    every_call("the dangling one", open("dangling", O_PATH | O_NOFOLLOW));
    every_call("fifo", open("fifo", O_PATH));
    every_call("nothing", open("nothing", O_PATH | O_CREAT, 0600));
    SHOW(open("socket", O_RDONLY));
    // Through /proc: the file itself.
    int fd = open("file", O_PATH);
    sprintf(name, "/proc/self/fd/%d", fd);
    int again = open(name, O_WRONLY);
    SHOW(write(again, "text", 4));
    SHOW(chmod(name, 0640));
    struct stat status;
    fstat(fd, &status);
    printf("%ld bytes, %o\n", (long)status.st_size, status.st_mode & 07777);
    SHOW(mmap(0, 4096, PROT_READ, MAP_PRIVATE, fd, 0));
    fd = open("socket", O_PATH);
    sprintf(address.sun_path, "/proc/self/fd/%d", fd);
    SHOW(connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr*)&address, sizeof address));
    // To others.
    int pair[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    char control[CMSG_SPACE(sizeof(int))] = {0}, byte = 'x';
    struct iovec vector = {&byte, 1};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS, header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    SHOW(sendmsg(pair[0], &message, 0));
    SHOW(recvmsg(pair[1], &message, 0));
    memcpy(&again, CMSG_DATA(header), sizeof again);
    SHOW(fstat(again, &status));
    SHOW(read(again, &byte, 1));
    char command[100];
    sprintf(command, "rm -r %s", folder);
    chdir("/");
    unlinkat(AT_FDCWD, folder, 0);
    system(command);
}

static unsigned long counts[7];
static void io(const char* what) {
    char text[600] = {0}, *at = text;
    unsigned long now[7];
    int fd = open("/proc/self/io", O_RDONLY);
    read(fd, text, sizeof text - 1);
    close(fd);
    for (int i = 0; i < 7; i++) now[i] = strtoul(strchr(at, ':') + 1, &at, 10);
    // The last look read its text after it was made.
    printf("%s:", what);
    static unsigned long length;
    for (int i = 0; i < 4; i++) printf(" %ld", (long)(now[i] - counts[i] - (i == 0 ? length : i == 2 ? 1 : 0)));
    printf("\n");
    length = strlen(text);
    memcpy(counts, now, sizeof now);
}

static void accounting(void) {
    char buffer[8192] = {0}, name[] = "/tmp/io-XXXXXX";
    setvbuf(stdout, malloc(65536), _IOFBF, 65536); // its writes would count
    int fd = mkstemp(name), pipes[2], pair[2];
    pipe(pipes);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    struct iovec vectors[3] = {{buffer, 100}, {buffer, 200}, {buffer, 300}};
    io("start"), io("nothing");
    write(fd, buffer, 8192), io("write");
    pwrite(fd, buffer, 100, 0), io("pwrite");
    writev(fd, vectors, 3), io("writev");
    lseek(fd, 0, SEEK_SET), io("lseek");
    read(fd, buffer, 1000), io("read");
    pread(fd, buffer, 500, 8000), io("pread");
    lseek(fd, 0, SEEK_SET), readv(fd, vectors, 3), io("readv");
    lseek(fd, 0, SEEK_END), read(fd, buffer, 10), io("at the end");
    write(pipes[1], buffer, 64), read(pipes[0], buffer, 64), io("pipe");
    write(pair[0], buffer, 10), read(pair[1], buffer, 64), io("socket");
    send(pair[0], buffer, 10, 0), recv(pair[1], buffer, 64, 0), io("send");
    read(99, buffer, 1), write(99, buffer, 1), io("bad descriptor");
    read(pipes[1], buffer, 1), write(pipes[0], buffer, 1), io("the wrong end");
    readv(99, vectors, 1), io("readv of none");
    void* volatile nowhere = (void*)8;
    read(fd, nowhere, 10), write(fd, nowhere, 10), io("bad address");
    signal(SIGPIPE, SIG_IGN), close(pipes[0]), write(pipes[1], buffer, 4), io("broken pipe");
    off_t at = 0;
    sendfile(pair[0], fd, &at, 5000), io("sendfile");
    unlink(name);
}

/// What goes to disks: by pages; the figures behind are of a file system's own making.
static void disk(void) {
    char buffer[65536], name[] = "/var/tmp/io-XXXXXX", name2[] = "/io-XXXXXX";
    int fd = mkstemp(name);
    if (fd < 0) fd = mkstemp(name2);
    memset(buffer, 1, sizeof buffer);
    io("before");
    unsigned long before = counts[5];
    for (int i = 0; i < 16; i++) write(fd, buffer, sizeof buffer);
    io("a mebibyte");
    printf("written: %s\n", counts[5] - before >= 1 << 20 && counts[5] - before < 2 << 20 ? "as much" : "another figure");
    before = counts[6];
    ftruncate(fd, 0), io("cut");
    printf("cancelled: %s\n", counts[6] - before == 1 << 20 ? "as much" : "another figure");
    unlink(name), unlink(name2);
}

int main(int argc, char** argv) {
    setvbuf(stdout, 0, _IOLBF, 0);
    if (argc > 1) return disk(), 0;
    void (*cases[])(void) = {paths, accounting};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        fflush(stdout);
        int state;
        if (!fork()) cases[i](), fflush(stdout), _exit(0);
        wait(&state);
        printf("-- %u: %d\n", i, state);
    }
    return 0;
}
