// Local sockets: descriptors and credentials on their way, waiting, cycles, crowds. Linux's output is the judge. See unix(7).
#include "sockets.h"
#include <stdatomic.h>

static void peers(void) {
    struct sockaddr_un name;
    socklen_t length = abstract_name(&name, "peers"), size = sizeof(struct ucred);
    struct ucred who;
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &who, &size);
    printf("pair: %d %d\n", who.pid == getpid(), who.uid == getuid());
    int server = socket(AF_UNIX, SOCK_STREAM, 0);
    bind(server, (struct sockaddr*)&name, length);
    listen(server, 5);
    pid_t child = fork();
    if (!child) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        connect(fd, (struct sockaddr*)&name, length);
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size);
        read(fd, text, 1); // the parent has printed its line
        printf("server is parent: %d\n", who.pid == getppid());
        fflush(stdout);
        _exit(0);
    }
    int end = accept(server, NULL, NULL);
    getsockopt(end, SOL_SOCKET, SO_PEERCRED, &who, &size);
    printf("client is child: %d\n", who.pid == child);
    close(end);
    waitpid(child, NULL, 0);
}

/// Who connects as soon as a socket listens is told who listens.
static int listener;
static atomic_int turn;
static void* listen_now(void* rounds) {
    for (int i = 1; i <= (int)(long)rounds; i++) {
        while (atomic_load(&turn) != i) sched_yield();
        listen(listener, 5);
        while (atomic_load(&turn) == i) sched_yield();
    }
    return NULL;
}
static void early_peers(void) {
    enum { Rounds = 300 };
    pthread_t thread;
    int wrong = 0;
    pthread_create(&thread, NULL, listen_now, (void*)(long)Rounds);
    for (int i = 1; i <= Rounds; i++) {
        struct sockaddr_un name;
        char word[20];
        snprintf(word, sizeof word, "early%d", i);
        socklen_t length = abstract_name(&name, word), size = sizeof(struct ucred);
        struct ucred who = {0, 0, 0};
        listener = socket(AF_UNIX, SOCK_STREAM, 0);
        bind(listener, (struct sockaddr*)&name, length);
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        atomic_store(&turn, i);
        for (int tries = 1; connect(fd, (struct sockaddr*)&name, length); tries++)
            if (tries % 64 == 0) sched_yield();
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size);
        wrong += who.pid != getpid() || who.uid != getuid();
        atomic_store(&turn, -i);
        close(fd), close(listener);
    }
    pthread_join(thread, NULL);
    printf("%d without a peer\n", wrong);
}

/// Numbers that a failed call had for a moment: nothing is left there, and nobody else's is closed.
static atomic_int fails_go_on;
static void* make_pairs_nowhere(void* ignored) {
    (void)ignored;
    while (atomic_load(&fails_go_on)) socketpair(AF_UNIX, SOCK_STREAM, 0, (int*)nowhere);
    return NULL;
}
static void failed_numbers(void) {
    SHOW(pipe((int*)nowhere));
    SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, (int*)nowhere));
    int next = dup(1), lost = 0;
    printf("next %d\n", next);
    close(next);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    SHOW(send_fds(pair[0], "m", (int[]){1, 1}, 2));
    char byte;
    struct iovec piece = {&byte, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = (void*)nowhere, .msg_controllen = 100};
    SHOW(recvmsg(pair[1], &message, 0));
    next = dup(1);
    printf("next %d\n", next);
    close(next);
    pthread_t thread;
    atomic_store(&fails_go_on, 1);
    pthread_create(&thread, NULL, make_pairs_nowhere, NULL);
    for (int i = 0; i < 5000; i++) {
        if (dup2(1, next) != next) continue; // EBUSY: it is about to be given to somebody
        lost += close(next) != 0;
    }
    atomic_store(&fails_go_on, 0);
    pthread_join(thread, NULL);
    printf("%d lost\n", lost);
}

static void rights(void) {
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    int pipes[2], fds[300];
    pipe(pipes);
    SHOW(send_fds(pair[0], "a", pipes, 2));
    write(pair[0], "bc", 2);
    close(pipes[0]);
    int count = receive(pair[1], 10, 100, 0, fds); // what follows is not joined to it
    write(pipes[1], "through", 7);
    if (count == 2) SHOW(read(fds[0], text, 10));
    receive(pair[1], 10, 100, 0, NULL);
    int bad[2] = {pipes[1], 999};
    SHOW(send_fds(pair[0], "x", bad, 2));
    SHOW(send_fds(pair[0], "", pipes + 1, 1)); // no byte, no message
    SHOW(recv(pair[1], text, 9, MSG_DONTWAIT));
    for (int i = 0; i < 300; i++) bad[0] = 1, fds[i] = 1;
    SHOW(send_fds(pair[0], "m", fds, 253));
    SHOW(send_fds(pair[0], "m", fds, 254));
    receive(pair[1], 1, CMSG_SPACE(3 * 4), 0, NULL); // room for a few
    SHOW(send_fds(pair[0], "n", fds, 3));
    receive(pair[1], 1, 0, 0, NULL); // no room
    SHOW(send_fds(pair[0], "peek", fds, 2));
    receive(pair[1], 4, 100, MSG_PEEK, NULL);
    receive(pair[1], 2, 100, MSG_CMSG_CLOEXEC, fds);
    printf("close on exec %d\n", fcntl(fds[0], F_GETFD));
    receive(pair[1], 4, 100, 0, NULL); // the rest of the bytes, without
    struct rlimit limit = {0, 0};
    getrlimit(RLIMIT_NOFILE, &limit);
    int next = dup(1);
    close(next);
    SHOW(send_fds(pair[0], "q", (int[]){1, 1, 1, 1}, 4));
    limit.rlim_cur = (rlim_t)next + 2;
    setrlimit(RLIMIT_NOFILE, &limit);
    receive(pair[1], 4, 100, 0, NULL); // two fit
    close(pair[0]), close(pair[1]);
    next = dup(1);
    printf("no descriptor is left behind: %d\n", next < 20);
}

static void rights_over_packets(void) {
    int types[] = {SOCK_DGRAM, SOCK_SEQPACKET};
    for (int t = 0; t < 2; t++) {
        socketpair(AF_UNIX, types[t], 0, pair);
        SHOW(send_fds(pair[0], "one", (int[]){1}, 1));
        SHOW(send_fds(pair[0], "", (int[]){1, 2}, 2));
        receive(pair[1], 10, 100, MSG_PEEK, NULL);
        receive(pair[1], 2, 100, 0, NULL);
        receive(pair[1], 10, 100, 0, NULL);
        SHOW(send_fds(pair[0], "dropped", (int[]){1, 2}, 2));
        SHOW(recv(pair[1], text, 100, 0));
        close(pair[0]), close(pair[1]);
    }
}

/// As a user: what root may say, the machine that runs the tests may not.
static void credentials(void) {
    int on = 1;
    if (!getuid() && (setgid(1000) || setuid(1000))) perror("setuid");
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    write(pair[0], "before ", 7);
    setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    write(pair[0], "after ", 6);
    pid_t child = fork();
    if (!child) {
        write(pair[0], "child", 5);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    write(pair[0], "parent", 6);
    receive(pair[1], 100, 100, 0, NULL);
    receive(pair[1], 100, 100, 0, NULL);
    receive(pair[1], 100, 100, 0, NULL);
    receive(pair[1], 100, 100, MSG_DONTWAIT, NULL);
    char control[CMSG_SPACE(sizeof(struct ucred))] = {0};
    struct iovec piece = {"said", 4};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){CMSG_LEN(sizeof(struct ucred)), SOL_SOCKET, SCM_CREDENTIALS};
    struct ucred* who = (struct ucred*)CMSG_DATA(header);
    *who = (struct ucred){getpid(), getuid(), getgid()};
    SHOW(sendmsg(pair[0], &message, 0));
    receive(pair[1], 100, 100, 0, NULL);
    who->pid = getppid();
    SHOW(sendmsg(pair[0], &message, 0));
    who->pid = 0x7fffff;
    SHOW(sendmsg(pair[0], &message, 0));
    *who = (struct ucred){getpid(), getuid() + 1, getgid()};
    SHOW(sendmsg(pair[0], &message, 0));
    *who = (struct ucred){getpid(), getuid(), getgid() + 1};
    SHOW(sendmsg(pair[0], &message, 0));
    header->cmsg_len = CMSG_LEN(4);
    SHOW(sendmsg(pair[0], &message, 0));
    header->cmsg_len = 3;
    SHOW(sendmsg(pair[0], &message, 0));
    header->cmsg_len = 1000;
    SHOW(sendmsg(pair[0], &message, 0));
    header->cmsg_len = CMSG_LEN(4), header->cmsg_type = 77;
    SHOW(sendmsg(pair[0], &message, 0));
    header->cmsg_level = 77;
    SHOW(sendmsg(pair[0], &message, 0));
    receive(pair[1], 100, 20, 0, NULL); // no room for all of it
}

static void bad_messages(void) {
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    struct iovec piece = {"x", 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    SHOW(sendmsg(pair[0], (void*)nowhere, 0));
    message.msg_iovlen = 1025;
    SHOW(sendmsg(pair[0], &message, 0));
    message.msg_iovlen = 1, message.msg_iov = (void*)nowhere;
    SHOW(sendmsg(pair[0], &message, 0));
    message.msg_iov = &piece, message.msg_control = (void*)nowhere, message.msg_controllen = 16;
    SHOW(sendmsg(pair[0], &message, 0));
    message.msg_controllen = 1 << 20;
    SHOW(sendmsg(pair[0], &message, 0));
    message.msg_control = NULL, message.msg_controllen = 0;
    struct sockaddr_un name = path_name("/none");
    message.msg_name = &name, message.msg_namelen = sizeof name;
    SHOW(sendmsg(pair[0], &message, 0));
    message.msg_namelen = (socklen_t)-1;
    SHOW(sendmsg(pair[0], &message, 0));
    message.msg_name = NULL;
    SHOW(sendmsg(pair[0], &message, 0));
    piece.iov_len = (size_t)-1;
    SHOW(sendmsg(pair[0], &message, 0));
    piece.iov_len = 1;
    SHOW(recvmsg(pair[1], &message, 0));
    SHOW(recv(pair[1], text, 1, MSG_DONTWAIT));
    struct mmsghdr many[3] = {{{.msg_iov = &piece, .msg_iovlen = 1}, 7}, {{.msg_iov = &piece, .msg_iovlen = 1}, 7}, {{.msg_iov = (void*)nowhere, .msg_iovlen = 1}, 7}};
    SHOW(sendmmsg(pair[0], many, 3, 0));
    printf("%d %d %d\n", many[0].msg_len, many[1].msg_len, many[2].msg_len);
    struct iovec room = {text, 1};
    many[0].msg_hdr.msg_iov = many[1].msg_hdr.msg_iov = &room;
    SHOW(recvmmsg(pair[1], many, 2, 0, NULL));
    printf("%d %d\n", many[0].msg_len, many[1].msg_len);
    SHOW(recvmmsg(pair[1], many, 2, MSG_DONTWAIT, NULL));
}

static void blocking(void) {
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    pthread_t thread;
    pthread_create(&thread, NULL, send_later, (void*)(long)pair[0]);
    SHOW(read(pair[1], text, 10));
    pthread_join(thread, NULL);
    write(pair[0], "first", 5);
    pthread_create(&thread, NULL, send_later, (void*)(long)pair[0]);
    SHOW(recv(pair[1], text, 9, MSG_WAITALL));
    pthread_join(thread, NULL);
    struct timeval limit = {0, 40000};
    setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    long start = now_ms();
    SHOW(read(pair[1], text, 10));
    printf("%s\n", now_ms() - start >= 39 ? "waited" : "did not wait");
    struct sockaddr_un name;
    socklen_t length = abstract_name(&name, "accept");
    int server = socket(AF_UNIX, SOCK_STREAM, 0);
    bind(server, (struct sockaddr*)&name, length);
    listen(server, 0);
    setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    start = now_ms();
    SHOW(accept(server, NULL, NULL));
    printf("%s\n", now_ms() - start >= 39 ? "waited" : "did not wait");
    int first = socket(AF_UNIX, SOCK_STREAM, 0), second = socket(AF_UNIX, SOCK_STREAM, 0);
    connect(first, (struct sockaddr*)&name, length);
    setsockopt(second, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    start = now_ms();
    SHOW(connect(second, (struct sockaddr*)&name, length)); // the queue is full
    printf("%s\n", now_ms() - start >= 39 ? "waited" : "did not wait");
    pid_t child = fork();
    if (!child) {
        pause_ms(30);
        close(accept(server, NULL, NULL));
        pause_ms(30);
        close(accept(server, NULL, NULL));
        _exit(0);
    }
    limit.tv_usec = 0;
    setsockopt(second, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    SHOW(connect(second, (struct sockaddr*)&name, length));
    SHOW(read(second, text, 1));
    waitpid(child, NULL, 0);
}

static void on_alarm(int signal) { (void)signal; }

static void interrupted(void) {
    for (int restart = 0; restart < 2; restart++) {
        struct sigaction action = {.sa_handler = on_alarm, .sa_flags = restart ? SA_RESTART : 0};
        sigaction(SIGALRM, &action, NULL);
        socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
        pthread_t thread;
        struct itimerval soon = {{0, 0}, {0, 20000}};
        setitimer(ITIMER_REAL, &soon, NULL);
        if (restart) pthread_create(&thread, NULL, send_later, (void*)(long)pair[0]);
        SHOW(read(pair[1], text, 10));
        if (restart) pthread_join(thread, NULL);
        struct timeval limit = {0, 80000};
        setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        setitimer(ITIMER_REAL, &soon, NULL);
        SHOW(read(pair[1], text, 10)); // one with an end is not restarted
        fcntl(pair[0], F_SETFL, O_NONBLOCK);
        while (write(pair[0], text, 4096) > 0) {
        }
        fcntl(pair[0], F_SETFL, 0);
        setitimer(ITIMER_REAL, &soon, NULL);
        if (!restart) SHOW(write(pair[0], text, 10));
        close(pair[0]), close(pair[1]);
    }
}

static void waiting(void) {
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    int set = epoll_create1(0);
    struct epoll_event event = {EPOLLIN | EPOLLRDHUP, {.u32 = 5}}, got = {0, {.u32 = 0}};
    epoll_ctl(set, EPOLL_CTL_ADD, pair[1], &event);
    SHOW(epoll_wait(set, &got, 1, 0));
    write(pair[0], "x", 1);
    SHOW(epoll_wait(set, &got, 1, 0));
    printf("%x %u\n", got.events, got.data.u32);
    read(pair[1], text, 1);
    SHOW(epoll_wait(set, &got, 1, 0));
    pthread_t thread;
    pthread_create(&thread, NULL, send_later, (void*)(long)pair[0]);
    SHOW(epoll_wait(set, &got, 1, 5000));
    pthread_join(thread, NULL);
    read(pair[1], text, 10);
    shutdown(pair[0], SHUT_WR);
    SHOW(epoll_wait(set, &got, 1, 0));
    printf("%x\n", got.events);
    close(pair[0]);
    SHOW(epoll_wait(set, &got, 1, 0));
    printf("%x\n", got.events);
    close(pair[1]);
    SHOW(epoll_wait(set, &got, 1, 0));
    fd_set in;
    FD_ZERO(&in);
    socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
    FD_SET(pair[1], &in);
    pthread_create(&thread, NULL, send_later, (void*)(long)pair[0]);
    SHOW(select(pair[1] + 1, &in, NULL, NULL, NULL));
    pthread_join(thread, NULL);
}

/// Sockets that hold each other, and nobody else: what they hold in turn is closed.
static void cycles(void) {
    int pipes[2], a[2], b[2];
    pipe(pipes);
    fcntl(pipes[0], F_SETFL, O_NONBLOCK);
    socketpair(AF_UNIX, SOCK_STREAM, 0, a); // its own end in its own queue
    send_fds(a[0], "x", (int[]){a[1], pipes[1]}, 2);
    close(a[0]), close(a[1]);
    socketpair(AF_UNIX, SOCK_DGRAM, 0, a);
    socketpair(AF_UNIX, SOCK_DGRAM, 0, b);
    send_fds(a[0], "x", (int[]){b[1], pipes[1]}, 2);
    send_fds(b[0], "x", (int[]){a[1], pipes[1]}, 2);
    close(pipes[1]);
    close(a[0]), close(a[1]), close(b[0]);
    SHOW(read(pipes[0], text, 1)); // b[1] is open: it holds all of them
    close(b[1]);
    socketpair(AF_UNIX, SOCK_STREAM, 0, a); // a close of any socket collects
    close(a[0]), close(a[1]);
    int result = -1; // Linux of today collects in a worker
    for (int i = 0; i < 200 && result; i++) pause_ms(5), result = RESULT(read(pipes[0], text, 1));
    printf("the pipe's writers are gone: %d\n", result);
    // One that can still be reached is not collected.
    socketpair(AF_UNIX, SOCK_STREAM, 0, a);
    socketpair(AF_UNIX, SOCK_STREAM, 0, b);
    send_fds(a[0], "k", (int[]){b[0]}, 1);
    send_fds(b[1], "l", (int[]){a[1]}, 1);
    write(b[1], "kept", 4);
    close(b[0]), close(b[1]);
    int pairs[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, pairs);
    close(pairs[0]), close(pairs[1]);
    int fds[4];
    if (receive(a[1], 1, 100, 0, fds) == 1) {
        receive(fds[0], 1, 100, 0, NULL);
        SHOW(read(fds[0], text, 10));
    }
}

/// A chain: each socket's other end lies in the next one's queue. The last close takes them all.
static void chains(void) {
    int pipes[2], last[2], next[2];
    pipe(pipes);
    fcntl(pipes[0], F_SETFL, O_NONBLOCK);
    socketpair(AF_UNIX, SOCK_STREAM, 0, last);
    send_fds(last[0], "x", &pipes[1], 1);
    close(pipes[1]), close(last[0]);
    for (int i = 0; i < 300; i++) {
        socketpair(AF_UNIX, SOCK_STREAM, 0, next);
        if (send_fds(next[0], "x", &last[1], 1) != 1) perror("chain");
        close(last[1]), close(next[0]);
        last[1] = next[1];
    }
    SHOW(read(pipes[0], text, 1));
    close(last[1]);
    int result = -1;
    for (int i = 0; i < 200 && result; i++) pause_ms(5), result = RESULT(read(pipes[0], text, 1));
    printf("all are gone: %d\n", result);
}

static void proc(void) {
    in_own_folder();
    struct sockaddr_un name = path_name("/tmp/vitrine-proc-net-unix");
    int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    unlink(name.sun_path);
    bind(fd, (struct sockaddr*)&name, sizeof name);
    listen(fd, 3);
    struct stat status;
    fstat(fd, &status);
    FILE* file = fopen("/proc/net/unix", "r");
    char line[512];
    if (!file) return perror("/proc/net/unix");
    fgets(line, sizeof line, file);
    printf("%s", line);
    while (fgets(line, sizeof line, file)) {
        if (!strstr(line, name.sun_path)) continue;
        char path[200], num[64];
        unsigned refs, protocol, flags, type, state;
        unsigned long inode;
        int fields = sscanf(line, "%63s %X %X %X %X %X %lu %199s", num, &refs, &protocol, &flags, &type, &state, &inode, path);
        printf("%d: %u %u %X %u %u %d %s\n", fields, refs, protocol, flags, type, state, inode == status.st_ino, path);
    }
    fclose(file);
    unlink(name.sun_path);
    char target[64] = "";
    SHOW(readlink("/proc/net", target, sizeof target - 1));
    printf("%s\n", target);
}

/// Four writers and four readers over one pair, and a server with many clients: every byte arrives once.
static int work[2];
static void* writer(void* argument) {
    char block[512];
    memset(block, 'a' + (int)(long)argument, sizeof block);
    for (int i = 0; i < 100; i++) {
        size_t done = 0;
        while (done < sizeof block) {
            ssize_t got = write(work[0], block + done, sizeof block - done);
            if (got <= 0) return perror("write"), NULL;
            done += (size_t)got;
        }
    }
    return NULL;
}
static void* reader(void* argument) {
    long* counts = argument;
    char block[700];
    ssize_t got;
    while ((got = read(work[1], block, sizeof block)) > 0)
        for (ssize_t i = 0; i < got; i++) counts[block[i] - 'a']++;
    return NULL;
}
static void crowd(void) {
    socketpair(AF_UNIX, SOCK_STREAM, 0, work);
    pthread_t writers[4], readers[4];
    long counts[4][4] = {{0}};
    for (long i = 0; i < 4; i++) pthread_create(&readers[i], NULL, reader, counts[i]), pthread_create(&writers[i], NULL, writer, (void*)i);
    for (int i = 0; i < 4; i++) pthread_join(writers[i], NULL);
    shutdown(work[0], SHUT_WR);
    for (int i = 0; i < 4; i++) pthread_join(readers[i], NULL);
    for (int i = 0; i < 4; i++) printf("%c: %ld\n", 'a' + i, counts[0][i] + counts[1][i] + counts[2][i] + counts[3][i]);
    struct sockaddr_un name;
    socklen_t length = abstract_name(&name, "crowd");
    int server = socket(AF_UNIX, SOCK_SEQPACKET, 0), sum = 0;
    bind(server, (struct sockaddr*)&name, length);
    listen(server, 2);
    for (int c = 0; c < 8; c++)
        if (!fork()) {
            for (int i = 0; i < 20; i++) {
                int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0), value = c * 100 + i, back = -1;
                if (connect(fd, (struct sockaddr*)&name, length)) perror("connect");
                if (send_fds(fd, "fd", (int[]){fd}, 1) != 2) perror("send_fds");
                write(fd, &value, sizeof value);
                read(fd, &back, sizeof back);
                if (back != value + 1) printf("client %d got %d for %d\n", c, back, value);
                close(fd);
            }
            _exit(0);
        }
    for (int i = 0; i < 160; i++) {
        int fd = accept(server, NULL, NULL), value = 0;
        char control[64], bytes[4];
        struct iovec piece = {bytes, 4};
        struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        if (recvmsg(fd, &message, 0) != 2) perror("recvmsg");
        int other;
        memcpy(&other, CMSG_DATA(CMSG_FIRSTHDR(&message)), 4);
        if (read(fd, &value, sizeof value) != sizeof value) perror("value");
        sum += value++;
        write(fd, &value, sizeof value);
        close(fd), close(other);
    }
    while (wait(NULL) > 0) {
    }
    printf("sum %d\n", sum);
}

/// Everything at once, for the schedule fuzzer: sockets made, passed and closed in cycles by several processes.
static void churn(void) {
    signal(SIGPIPE, SIG_IGN);
    for (int c = 0; c < 4; c++)
        if (!fork()) {
            unsigned state = (unsigned)c * 2654435761u + 1;
            int open_fds[16], count = 0;
            for (int step = 0; step < 400; step++) {
                state = state * 1664525u + 1013904223u;
                unsigned pick = state >> 16;
                if (count < 14 && pick % 3 == 0) {
                    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
                    if (!socketpair(AF_UNIX, types[pick % 7 % 3] | SOCK_NONBLOCK, 0, open_fds + count)) count += 2;
                } else if (count && pick % 3 == 1) {
                    send_fds(open_fds[pick / 8 % (unsigned)count], "x", &open_fds[pick / 128 % (unsigned)count], 1);
                } else if (count) {
                    unsigned which = pick / 8 % (unsigned)count;
                    if (pick & 4) {
                        char control[64];
                        struct iovec piece = {text, 10};
                        struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
                        if (recvmsg(open_fds[which], &message, 0) > 0 && message.msg_controllen && CMSG_FIRSTHDR(&message)) {
                            int fd;
                            memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), 4);
                            if (count < 16) open_fds[count++] = fd;
                            else close(fd);
                        }
                    } else {
                        close(open_fds[which]);
                        open_fds[which] = open_fds[--count];
                    }
                }
            }
            _exit(0);
        }
    int failed = 0, status;
    while (wait(&status) > 0) failed += status != 0;
    printf("%d failed\n", failed);
    FILE* file = fopen("/proc/net/unix", "r");
    if (file) fclose(file);
}

int main(int argc, char** argv) {
    static const struct test_case cases[] = {
        {"peers", peers}, {"early_peers", early_peers}, {"failed_numbers", failed_numbers}, {"rights", rights}, {"rights_over_packets", rights_over_packets}, {"credentials", credentials}, {"bad_messages", bad_messages}, {"blocking", blocking}, {"interrupted", interrupted}, {"waiting", waiting}, {"cycles", cycles}, {"chains", chains}, {"proc", proc}, {"crowd", crowd}, {"churn", churn}
    };
    for (int fd = 3; fd < 1024; fd++) close(fd); // the parent's
    return run_cases(cases, LENGTH(cases), argc, argv);
}
