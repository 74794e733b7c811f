// Local sockets: names, types, ends and buffers. Each case prints what it saw; Linux's output is the judge. See unix(7).
#include "sockets.h"

static void creation(void) {
    SHOW(socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
    SHOW(socket(AF_UNIX, SOCK_STREAM, 1) >= 0);
    SHOW(socket(AF_UNIX, SOCK_STREAM, 2));
    SHOW(socket(AF_UNIX, 4, 0));
    SHOW(socket(AF_UNIX, 77, 0));
    SHOW(socket(-1, SOCK_STREAM, 0));
    SHOW(socket(1000, SOCK_STREAM, 0));
    SHOW(socket(AF_UNIX, SOCK_STREAM | 0x10000000, 0));
    int raw = socket(AF_UNIX, SOCK_RAW, 0);
    printf("raw is type %d\n", option(raw, SO_TYPE));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    printf("flags %x %x\n", fcntl(fd, F_GETFD), fcntl(fd, F_GETFL));
    struct stat status;
    fstat(fd, &status);
    printf("mode %o size %ld\n", status.st_mode, (long)status.st_size);
    char link[64], target[64] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    printf("link %d", (int)readlink(link, target, 7) > 0);
    printf(" %s\n", target);
    SHOW(open(link, O_RDONLY));
    SHOW(lseek(fd, 0, SEEK_SET));
    SHOW(pread(fd, text, 1, 0));
    SHOW(ftruncate(fd, 0));
    SHOW(fsync(fd));
    SHOW(bind(0, NULL, 0));
    SHOW(bind(-1, NULL, 0));
    SHOW(send(1, "x", 1, 0));
    SHOW(listen(1, 1));
    SHOW(getsockopt(1, SOL_SOCKET, SO_TYPE, text, (socklen_t*)(text + 8)));
    SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, (int*)nowhere));
    SHOW(socketpair(AF_UNIX, SOCK_STREAM, 9, pair));
    int next = dup(0);
    printf("nothing is left open: %d\n", next - fd);
}

static void stream_pair(void) {
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    show_poll("fresh", pair[0]);
    SHOW(write(pair[0], "hello", 5));
    SHOW(send(pair[0], " world", 6, 0));
    show_poll("full", pair[1]);
    int waiting = 0;
    SHOW(ioctl(pair[1], FIONREAD, &waiting));
    printf("%d\n", waiting);
    SHOW(recv(pair[1], text, 3, MSG_PEEK));
    SHOW(recv(pair[1], text, 100, MSG_PEEK));
    SHOW(read(pair[1], text, 7));
    printf("%.7s\n", text);
    SHOW(recv(pair[1], text, 100, MSG_TRUNC));
    SHOW(recv(pair[1], text, 100, MSG_DONTWAIT));
    SHOW(read(pair[1], text, 0));
    SHOW(write(pair[0], "x", 0));
    fcntl(pair[1], F_SETFL, O_NONBLOCK);
    SHOW(read(pair[1], text, 1));
    struct iovec pieces[3] = {{"one ", 4}, {"", 0}, {"two", 3}};
    SHOW(writev(pair[0], pieces, 3));
    struct iovec rooms[2] = {{text, 2}, {text + 10, 20}};
    SHOW(readv(pair[1], rooms, 2));
    printf("%.2s %.5s\n", text, text + 10);
    SHOW(send(pair[0], "x", 1, MSG_OOB | 0x8000000) >= -1);
    SHOW(recv(pair[1], (void*)nowhere, 1, 0));
    struct sockaddr_un name = path_name("/none");
    SHOW(sendto(pair[0], "x", 1, 0, (struct sockaddr*)&name, sizeof name));
    SHOW(write(pair[0], (void*)nowhere, 4));
    SHOW(connect(pair[0], (struct sockaddr*)&name, sizeof name));
    SHOW(listen(pair[0], 1));
    SHOW(accept(pair[0], NULL, NULL));
    show_name("own", pair[0], 0);
    show_name("peer", pair[0], 1);
}

static void caught(int signal) { printf("signal %d\n", signal); }

static void ends(void) {
    signal(SIGPIPE, caught);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    write(pair[0], "left", 4);
    close(pair[0]);
    show_poll("closed", pair[1]);
    SHOW(read(pair[1], text, 10));
    SHOW(read(pair[1], text, 10));
    SHOW(send(pair[1], "x", 1, MSG_NOSIGNAL));
    SHOW(write(pair[1], "x", 1));
    close(pair[1]);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair); // closed with something unread
    write(pair[0], "unread", 6);
    close(pair[1]);
    show_poll("reset", pair[0]);
    printf("error %d\n", option(pair[0], SO_ERROR));
    printf("error %d\n", option(pair[0], SO_ERROR));
    SHOW(read(pair[0], text, 1));
    close(pair[0]);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    write(pair[0], "unread", 6);
    close(pair[1]);
    SHOW(read(pair[0], text, 1));
    SHOW(read(pair[0], text, 1));
    SHOW(send(pair[0], "x", 1, MSG_NOSIGNAL));
    close(pair[0]);
    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
    write(pair[0], "last", 4);
    close(pair[0]);
    show_poll("closed seqpacket", pair[1]);
    SHOW(read(pair[1], text, 10));
    SHOW(read(pair[1], text, 10));
    SHOW(write(pair[1], "x", 1));
    close(pair[1]);
    socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
    write(pair[0], "last", 4);
    close(pair[0]);
    show_poll("closed dgram", pair[1]);
    SHOW(read(pair[1], text, 10));
    SHOW(recv(pair[1], text, 10, MSG_DONTWAIT));
    SHOW(write(pair[1], "x", 1));
    SHOW(write(pair[1], "x", 1));
    show_poll("alone", pair[1]);
}

static void shutdowns(void) {
    signal(SIGPIPE, caught);
    for (int type = 0; type < 3; type++) {
        static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
        printf("type %d\n", types[type]);
        for (int how = SHUT_RD; how <= SHUT_RDWR; how++) {
            socketpair(AF_UNIX, types[type], 0, pair);
            write(pair[0], "ab", 2), write(pair[1], "cd", 2);
            SHOW(shutdown(pair[0], how));
            show_poll("this", pair[0]);
            show_poll("that", pair[1]);
            SHOW(recv(pair[0], text, 9, MSG_DONTWAIT));
            SHOW(recv(pair[0], text, 9, MSG_DONTWAIT));
            SHOW(recv(pair[1], text, 9, MSG_DONTWAIT));
            SHOW(recv(pair[1], text, 9, MSG_DONTWAIT));
            SHOW(send(pair[0], "x", 1, 0));
            SHOW(send(pair[1], "x", 1, 0));
            close(pair[0]), close(pair[1]);
        }
    }
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(shutdown(fd, 3));
    SHOW(shutdown(fd, SHUT_RDWR));
    show_poll("unconnected", fd);
}

static void binding(void) {
    in_own_folder();
    struct sockaddr_un name = path_name("a"), other = path_name("none/b");
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), second = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(listen(fd, 1));
    SHOW(bind(fd, (struct sockaddr*)&name, 1));
    SHOW(bind(fd, (struct sockaddr*)&name, 111));
    SHOW(bind(fd, (struct sockaddr*)&name, 1000));
    SHOW(bind(fd, (struct sockaddr*)&name, (socklen_t)-1));
    SHOW(bind(fd, (struct sockaddr*)&other, sizeof other));
    umask(027);
    SHOW(bind(fd, (struct sockaddr*)&name, sizeof name));
    struct stat status;
    stat("a", &status);
    printf("mode %o\n", status.st_mode);
    show_name("bound", fd, 0);
    SHOW(bind(fd, (struct sockaddr*)&name, sizeof name));
    other = path_name("b");
    SHOW(bind(fd, (struct sockaddr*)&other, sizeof other));
    SHOW(access("b", F_OK));
    SHOW(bind(second, (struct sockaddr*)&name, sizeof name));
    name.sun_family = 99;
    SHOW(bind(second, (struct sockaddr*)&name, sizeof name));
    SHOW(open("a", O_RDWR));
    close(fd);
    name = path_name("a");
    SHOW(connect(second, (struct sockaddr*)&name, sizeof name));
    SHOW(unlink("a"));
    SHOW(connect(second, (struct sockaddr*)&name, sizeof name));
    close(open("file", O_CREAT | O_RDWR, 0600));
    name = path_name("file");
    SHOW(bind(second, (struct sockaddr*)&name, sizeof name));
    SHOW(connect(second, (struct sockaddr*)&name, sizeof name));
    memset(name.sun_path, 'x', sizeof name.sun_path); // 108 characters and no NUL
    SHOW(bind(second, (struct sockaddr*)&name, sizeof name));
    show_name("long", second, 0);
    mknod("node", S_IFSOCK | 0600, 0);
    name = path_name("node");
    SHOW(connect(second, (struct sockaddr*)&name, sizeof name));
    int third = socket(AF_UNIX, SOCK_DGRAM, 0);
    struct sockaddr_un automatic = {.sun_family = AF_UNIX};
    SHOW(bind(third, (struct sockaddr*)&automatic, 2));
    show_name("automatic", third, 0);
    SHOW(bind(third, (struct sockaddr*)&automatic, 2));
    SHOW(fchmod(socket(AF_UNIX, SOCK_DGRAM, 0), 0700));
}

static void abstract(void) {
    struct sockaddr_un name, shorter;
    socklen_t length = abstract_name(&name, "x");
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), second = socket(AF_UNIX, SOCK_STREAM, 0), other = socket(AF_UNIX, SOCK_DGRAM, 0);
    SHOW(bind(fd, (struct sockaddr*)&name, length));
    SHOW(bind(second, (struct sockaddr*)&name, length));
    SHOW(bind(other, (struct sockaddr*)&name, length)); // another type, another name
    SHOW(connect(second, (struct sockaddr*)&name, length));
    SHOW(listen(fd, 1));
    shorter = name;
    SHOW(connect(second, (struct sockaddr*)&shorter, length - 1));
    SHOW(connect(second, (struct sockaddr*)&shorter, length + 1));
    SHOW(connect(second, (struct sockaddr*)&name, length));
    SHOW(connect(second, (struct sockaddr*)&name, length));
    SHOW(connect(fd, (struct sockaddr*)&name, length));
    int end = accept(fd, NULL, NULL);
    show_name("accepted", end, 0);
    show_name("its peer", end, 1);
    show_name("peer's peer", second, 1);
    close(fd);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(bind(fd, (struct sockaddr*)&name, length)); // the accepted one does not hold it
}

static void listening(void) {
    in_own_folder();
    struct sockaddr_un name = path_name("server");
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), clients[5];
    bind(server, (struct sockaddr*)&name, sizeof name);
    show_poll("bound", server);
    SHOW(accept(server, NULL, NULL));
    SHOW(listen(server, 2));
    printf("listens %d %d\n", option(server, SO_ACCEPTCONN), option(server, SO_TYPE));
    show_poll("listens", server);
    SHOW(accept(server, NULL, NULL));
    for (int i = 0; i < 5; i++) {
        clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        SHOW(connect(clients[i], (struct sockaddr*)&name, sizeof name));
    }
    show_poll("asked for", server);
    show_poll("not accepted", clients[0]);
    SHOW(write(clients[0], "early", 5));
    struct sockaddr_un from;
    socklen_t length = sizeof from;
    int end = accept4(server, (struct sockaddr*)&from, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    printf("accepted: length %d flags %x %x\n", (int)length, fcntl(end, F_GETFD), fcntl(end, F_GETFL));
    SHOW(read(end, text, 10));
    SHOW(accept4(server, NULL, NULL, 5));
    SHOW(accept(end, NULL, NULL));
    SHOW(listen(end, 1));
    SHOW(write(server, "x", 1));
    SHOW(read(server, text, 1));
    int waiting;
    SHOW(ioctl(server, FIONREAD, &waiting));
    close(server); // two were not accepted
    show_poll("refused later", clients[1]);
    printf("error %d\n", option(clients[1], SO_ERROR));
    SHOW(read(clients[1], text, 1));
    SHOW(send(clients[1], "x", 1, MSG_NOSIGNAL));
    SHOW(connect(clients[4], (struct sockaddr*)&name, sizeof name));
    SHOW(write(clients[4], "x", 1));
    SHOW(read(clients[4], text, 1));
    int other = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    SHOW(connect(other, (struct sockaddr*)&name, sizeof name));
}

/// Without room for a descriptor nobody is taken from the queue.
static void no_descriptor(void) {
    struct sockaddr_un name;
    socklen_t length = abstract_name(&name, "full");
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    bind(server, (struct sockaddr*)&name, length);
    listen(server, 1);
    connect(client, (struct sockaddr*)&name, length);
    write(client, "kept", 4);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = (rlim_t)client + 1;
    setrlimit(RLIMIT_NOFILE, &limit);
    SHOW(accept(server, NULL, NULL));
    SHOW(socket(AF_UNIX, SOCK_STREAM, 0));
    SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    limit.rlim_cur = (rlim_t)client + 2;
    setrlimit(RLIMIT_NOFILE, &limit);
    SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    limit.rlim_cur = before;
    setrlimit(RLIMIT_NOFILE, &limit);
    int end = accept(server, NULL, NULL);
    SHOW(read(end, text, 10));
}

static void wrong_type(void) {
    in_own_folder();
    struct sockaddr_un name = path_name("server");
    int server = socket(AF_UNIX, SOCK_SEQPACKET, 0), client = socket(AF_UNIX, SOCK_STREAM, 0), box = socket(AF_UNIX, SOCK_DGRAM, 0);
    bind(server, (struct sockaddr*)&name, sizeof name);
    listen(server, 1);
    SHOW(connect(client, (struct sockaddr*)&name, sizeof name));
    SHOW(connect(box, (struct sockaddr*)&name, sizeof name));
    SHOW(sendto(box, "x", 1, 0, (struct sockaddr*)&name, sizeof name));
    SHOW(listen(box, 1));
    SHOW(accept(box, NULL, NULL));
    SHOW(write(client, "x", 1));
    SHOW(read(client, text, 1));
    SHOW(write(box, "x", 1));
    SHOW(recv(box, text, 1, MSG_DONTWAIT));
    int packets = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    SHOW(write(packets, "x", 1));
    SHOW(read(packets, text, 1));
    SHOW(shutdown(server, SHUT_RD));
    SHOW(connect(packets, (struct sockaddr*)&name, sizeof name));
    SHOW(accept(server, NULL, NULL));
}

static void dgrams(void) {
    in_own_folder();
    struct sockaddr_un a = path_name("a"), b = path_name("b"), from;
    int one = socket(AF_UNIX, SOCK_DGRAM, 0), two = socket(AF_UNIX, SOCK_DGRAM, 0), three = socket(AF_UNIX, SOCK_DGRAM, 0);
    bind(one, (struct sockaddr*)&a, sizeof a);
    bind(two, (struct sockaddr*)&b, sizeof b);
    SHOW(sendto(three, "unbound", 7, 0, (struct sockaddr*)&a, sizeof a));
    SHOW(sendto(two, "bound", 5, 0, (struct sockaddr*)&a, sizeof a));
    SHOW(sendto(two, "", 0, 0, (struct sockaddr*)&a, sizeof a));
    SHOW(sendto(two, "long message", 12, 0, (struct sockaddr*)&a, sizeof a));
    show_poll("three messages", one);
    socklen_t length = sizeof from;
    SHOW(recvfrom(one, text, 100, 0, (struct sockaddr*)&from, &length));
    printf("length %d\n", (int)length);
    length = sizeof from;
    SHOW(recvfrom(one, text, 100, MSG_PEEK, (struct sockaddr*)&from, &length));
    SHOW(recvfrom(one, text, 100, 0, (struct sockaddr*)&from, &length));
    printf("length %d %s\n", (int)length, from.sun_path);
    SHOW(recv(one, text, 100, 0));
    SHOW(recv(one, text, 4, MSG_PEEK | MSG_TRUNC));
    receive(one, 4, 0, 0, NULL);
    SHOW(recv(one, text, 100, MSG_DONTWAIT));
    SHOW(connect(three, (struct sockaddr*)&a, sizeof a));
    SHOW(send(three, "connected", 9, 0));
    SHOW(sendto(three, "elsewhere", 9, 0, (struct sockaddr*)&b, sizeof b));
    show_name("peer", three, 1);
    SHOW(connect(one, (struct sockaddr*)&b, sizeof b)); // now one hears two only
    SHOW(send(three, "again", 5, 0));
    SHOW(connect(three, (struct sockaddr*)&a, sizeof a));
    SHOW(recv(one, text, 100, MSG_DONTWAIT));
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    SHOW(connect(three, &none, sizeof none));
    SHOW(send(three, "alone", 5, 0));
    show_name("peer", three, 1);
    SHOW(connect(three, &none, 1));
    close(two);
    SHOW(send(one, "gone", 4, 0));
    SHOW(send(one, "gone", 4, 0));
    SHOW(sendto(one, "refused", 7, 0, (struct sockaddr*)&b, sizeof b));
    unlink("b");
    SHOW(sendto(one, "no name", 7, 0, (struct sockaddr*)&b, sizeof b));
    SHOW(sendto(one, "self", 4, 0, (struct sockaddr*)&a, sizeof a));
    SHOW(recv(one, text, 100, MSG_DONTWAIT));
}

static void queue_limits(void) {
    in_own_folder();
    struct sockaddr_un a = path_name("a");
    int box = socket(AF_UNIX, SOCK_DGRAM, 0), from = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0), count = 0;
    bind(box, (struct sockaddr*)&a, sizeof a);
    connect(from, (struct sockaddr*)&a, sizeof a);
    while (send(from, "m", 1, 0) == 1) count++;
    printf("%d messages, then %s\n", count, strerrorname_np(errno));
    show_poll("full", from);
    struct epoll_event event = {EPOLLOUT | EPOLLET, {.u32 = 1}};
    int set = epoll_create1(0);
    epoll_ctl(set, EPOLL_CTL_ADD, from, &event);
    SHOW(epoll_wait(set, &event, 1, 0));
    SHOW(recv(box, text, 9, 0));
    SHOW(epoll_wait(set, &event, 1, 1000));
    show_poll("room", from);
    SHOW(sendto(from, "m", 1, MSG_DONTWAIT, (struct sockaddr*)&a, sizeof a));
    SHOW(sendto(from, "m", 1, MSG_DONTWAIT, (struct sockaddr*)&a, sizeof a));
    struct timeval limit = {0, 30000};
    SHOW(setsockopt(from, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
    fcntl(from, F_SETFL, 0);
    long start = now_ms();
    SHOW(send(from, "m", 1, 0));
    printf("%s\n", now_ms() - start >= 29 ? "waited" : "did not wait");
}

static void buffers(void) {
    int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    size_t sizes[] = {1, 100, 1000, 4096, 20000, 65536, 200000};
    for (int t = 0; t < 3; t++)
        for (unsigned s = 0; s < LENGTH(sizes); s++) {
            socketpair(AF_UNIX, types[t] | SOCK_NONBLOCK, 0, pair);
            long total = 0, got;
            int calls = 0;
            while ((got = send(pair[0], text, sizes[s], MSG_NOSIGNAL)) > 0) total += got, calls++;
            printf("type %d by %zu: %ld bytes in %d, then %s\n", types[t], sizes[s], total, calls, strerrorname_np(errno));
            show_poll("full", pair[0]);
            int queued = 0;
            ioctl(pair[1], FIONREAD, &queued);
            printf("to read %d\n", queued);
            long back = 0;
            while ((got = recv(pair[1], text, sizeof text, 0)) > 0) back += got;
            printf("back %s\n", back == total ? "all" : "not all");
            show_poll("empty", pair[0]);
            close(pair[0]), close(pair[1]);
        }
    socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
    SHOW(send(pair[0], text, 212992 - 32, MSG_DONTWAIT));
    SHOW(send(pair[0], text, 212992 - 31, MSG_DONTWAIT));
    int value = 5000;
    SHOW(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &value, sizeof value));
    printf("%d %d\n", option(pair[0], SO_SNDBUF), option(pair[1], SO_RCVBUF));
    SHOW(send(pair[0], text, 10000, MSG_DONTWAIT));
    value = 1;
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &value, sizeof value);
    setsockopt(pair[0], SOL_SOCKET, SO_RCVBUF, &value, sizeof value);
    printf("%d %d\n", option(pair[0], SO_SNDBUF), option(pair[0], SO_RCVBUF));
}

static void options(void) {
    int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0), value = 1;
    static const int names[] = {SO_DEBUG, SO_REUSEADDR, SO_TYPE, SO_ERROR, SO_DONTROUTE, SO_BROADCAST, SO_SNDBUF, SO_RCVBUF, SO_KEEPALIVE, SO_PASSCRED,
                                SO_RCVLOWAT, SO_SNDLOWAT, SO_ACCEPTCONN, SO_PROTOCOL, SO_DOMAIN, 9999};
    for (unsigned i = 0; i < LENGTH(names); i++) printf("option %d: %d\n", names[i], option(fd, names[i]));
    SHOW(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &value, sizeof value));
    SHOW(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, sizeof value));
    SHOW(setsockopt(fd, SOL_SOCKET, SO_TYPE, &value, sizeof value));
    SHOW(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &value, 2));
    SHOW(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, (void*)nowhere, 4));
    SHOW(setsockopt(fd, SOL_SOCKET, 9999, &value, 4));
    SHOW(setsockopt(fd, 77, 1, &value, 4));
    printf("%d %d\n", option(fd, SO_PASSCRED), option(fd, SO_KEEPALIVE));
    struct timeval time = {2, 500000}, got = {9, 9};
    socklen_t length = sizeof got;
    SHOW(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
    SHOW(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &got, &length));
    printf("%ld.%06ld\n", (long)got.tv_sec, (long)got.tv_usec);
    time.tv_usec = 1000000;
    SHOW(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
    struct linger linger = {1, 5}, back = {9, 9};
    SHOW(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    length = sizeof back;
    getsockopt(fd, SOL_SOCKET, SO_LINGER, &back, &length);
    printf("%d %d\n", back.l_onoff, back.l_linger);
    length = 2;
    short small = 77;
    SHOW(getsockopt(fd, SOL_SOCKET, SO_TYPE, &small, &length));
    printf("%d %d\n", small, (int)length);
    length = (socklen_t)-1;
    SHOW(getsockopt(fd, SOL_SOCKET, SO_TYPE, &small, &length));
    struct ucred who = {7, 7, 7};
    length = sizeof who;
    SHOW(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length));
    printf("%d %d %d\n", who.pid, (int)who.uid, (int)who.gid);
}

int main(int argc, char** argv) {
    static const struct test_case cases[] = {
        {"creation", creation}, {"stream_pair", stream_pair}, {"ends", ends}, {"shutdowns", shutdowns}, {"binding", binding}, {"abstract", abstract}, {"listening", listening}, {"no_descriptor", no_descriptor}, {"wrong_type", wrong_type}, {"dgrams", dgrams}, {"queue_limits", queue_limits}, {"buffers", buffers}, {"options", options}
    };
    for (int fd = 3; fd < 1024; fd++) close(fd); // the parent's
    return run_cases(cases, LENGTH(cases), argc, argv);
}
