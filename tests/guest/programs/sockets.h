// What the programs about local sockets share.
#pragma once
#include "case.h"
#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>

#define SHOW(call)                                                                                           \
    do {                                                                                                     \
        errno = 0;                                                                                           \
        long shown_ = (long)(call);                                                                          \
        printf("%s = %ld %s\n", #call, shown_, shown_ < 0 ? strerrorname_np(errno) : "");                    \
    } while (0)

static char* volatile nowhere = (char*)8; // not mapped
static int pair[2] __attribute__((unused));
static char text[1 << 18];

static inline struct sockaddr_un path_name(const char* path) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    strncpy(name.sun_path, path, sizeof name.sun_path);
    return name;
}
/// Abstract: "@name" with a NUL for '@'; its length counts.
static inline socklen_t abstract_name(struct sockaddr_un* name, const char* suffix) {
    memset(name, 0, sizeof *name);
    name->sun_family = AF_UNIX;
    int length = snprintf(name->sun_path + 1, sizeof name->sun_path - 1, "vitrine-%08d-%s", getpid(), suffix);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
}
static inline void show_name(const char* what, int fd, int peer) {
    struct sockaddr_un name;
    memset(&name, '#', sizeof name);
    socklen_t length = sizeof name;
    int result = RESULT((peer ? getpeername : getsockname)(fd, (struct sockaddr*)&name, &length));
    printf("%s: %d, %d bytes", what, result, result < 0 ? 0 : (int)length);
    if (!result) printf(", family %d", name.sun_family);
    if (!result && length > 2 && name.sun_path[0]) printf(", %s", name.sun_path);
    if (!result && length > 2 && !name.sun_path[0]) printf(", abstract");
    printf("\n");
}
static inline void show_poll(const char* what, int fd) {
    struct pollfd p = {fd, POLLIN | POLLOUT | POLLRDHUP, 0};
    int ready = poll(&p, 1, 0);
    printf("%s: poll %d %x\n", what, ready, p.revents);
}
static inline int option(int fd, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &length) ? -errno : value;
}
static inline void in_own_folder(void) {
    char folder[] = "/tmp/sockets-XXXXXX";
    if (!mkdtemp(folder) || chdir(folder)) perror("folder");
}
static inline long send_fds(int to, const char* bytes, const int* fds, int count) {
    char control[CMSG_SPACE(300 * sizeof(int))];
    memset(control, 0, sizeof control);
    struct iovec piece = {(void*)bytes, strlen(bytes)};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int))};
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS,
    header->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    memcpy(CMSG_DATA(header), fds, (size_t)count * sizeof(int));
    return sendmsg(to, &message, 0);
}
/// Prints what came, and gives the descriptors.
static inline int receive(int from, size_t room, size_t control_room, int flags, int* fds) {
    static char control[8192];
    memset(text, 0, room + 1);
    struct sockaddr_un name;
    struct iovec piece = {text, room};
    struct msghdr message = {.msg_name = &name,
                             .msg_namelen = sizeof name,
                             .msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = control_room};
    int got = RESULT(recvmsg(from, &message, flags)), count = 0;
    printf("recvmsg: %d '%.*s' flags %x control %zu name %d", got, got > 40 ? 40 : got, text,
           message.msg_flags, got < 0 ? 0 : message.msg_controllen, got < 0 ? 0 : (int)message.msg_namelen);
    if (got >= 0)
        for (struct cmsghdr* header = CMSG_FIRSTHDR(&message); header;
             header = CMSG_NXTHDR(&message, header)) {
            int size = (int)(header->cmsg_len - CMSG_LEN(0));
            if (header->cmsg_type == SCM_RIGHTS) {
                printf(", %d files", size / 4);
                for (int i = 0; i < size / 4; i++) {
                    int fd;
                    memcpy(&fd, CMSG_DATA(header) + i * 4, 4);
                    if (fds)
                        fds[count] = fd;
                    else
                        close(fd);
                    count++;
                }
            } else if (header->cmsg_type == SCM_CREDENTIALS) {
                struct ucred* who = (struct ucred*)CMSG_DATA(header);
                printf(", from %s %s",
                       who->pid == getpid()    ? "me"
                       : who->pid == getppid() ? "parent"
                       : who->pid              ? "other"
                                               : "nobody",
                       who->uid == getuid() && who->gid == getgid() ? "as me"
                       : who->uid == 65534                          ? "as nobody"
                                                                    : "as another");
            }
        }
    printf("\n");
    return count;
}
static inline void* send_later(void* argument) {
    pause_ms(30);
    write((int)(long)argument, "late", 4);
    return NULL;
}
