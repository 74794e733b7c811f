// Pseudo-terminals: pairs, the line discipline between their ends, job control of a session on one, hang-up. Linux is the judge.
#include "case.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>

static int master;
static char name[64];

static void pair(void) {
    int unlock = 0;
    unsigned number;
    master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    if (master < 0 || ioctl(master, TIOCGPTN, &number) || ioctl(master, TIOCSPTLCK, &unlock)) perror("ptmx");
    snprintf(name, sizeof name, "/dev/pts/%u", number);
}
static int slave(int flags) { return open(name, O_RDWR | O_NOCTTY | flags); }
static void show(const char* what, int file) {
    char text[512];
    int got = RESULT(read(file, text, sizeof text - 1));
    printf("%s: %d ", what, got);
    for (int i = 0; i < got; i++) printf(text[i] < 32 || text[i] > 126 ? "<%02x>" : "%c", (unsigned char)text[i]);
    putchar('\n');
}
static void say(int file, const char* text) {
    int done = RESULT(write(file, text, strlen(text)));
    if (done != (int)strlen(text)) printf("wrote %d of %d\n", done, (int)strlen(text));
}
/// Reads until `wanted` has come. Who writes beside us prints in his own time: nothing is printed here.
/// What has come behind it waits for the next call.
static char seen[4096];
static size_t seen_length;
static void until(int file, const char* wanted) {
    char* found;
    while (!(found = strstr(seen, wanted))) {
        ssize_t got = read(file, seen + seen_length, sizeof seen - 1 - seen_length);
        if (got <= 0) return;
        seen[seen_length += got] = 0;
    }
    found += strlen(wanted);
    seen_length -= found - seen;
    memmove(seen, found, seen_length + 1);
}
static int polled(int file) {
    struct pollfd p = {file, POLLIN | POLLOUT, 0};
    poll(&p, 1, 0);
    return p.revents;
}
static void raw(int file, int min, int tenths) {
    struct termios t;
    tcgetattr(file, &t);
    cfmakeraw(&t);
    t.c_cc[VMIN] = min, t.c_cc[VTIME] = tenths;
    printf("raw: %d\n", RESULT(tcsetattr(file, TCSANOW, &t)));
}

static void opens(void) {
    int lock = 1, locked = 0;
    pair();
    ioctl(master, TIOCSPTLCK, &lock);
    ioctl(master, TIOCGPTLCK, &locked);
    printf("locked %d: %d\n", locked, RESULT(slave(0)));
    lock = 0;
    ioctl(master, TIOCSPTLCK, &lock);
    int s = slave(0);
    struct stat st;
    fstat(s, &st);
    printf("%d %d %d\n", S_ISCHR(st.st_mode), major(st.st_rdev), isatty(s));
    printf("named %d\n", ttyname(s) && !strcmp(ttyname(s), name));
    fstat(master, &st);
    printf("%d %d %d %d\n", S_ISCHR(st.st_mode), major(st.st_rdev), minor(st.st_rdev), isatty(master));
    char first[64];
    strcpy(first, name);
    pair();
    printf("another %d\n", strcmp(first, name) != 0);
}
static void defaults(void) {
    pair();
    struct termios t, m;
    struct winsize w;
    int s = slave(0);
    tcgetattr(s, &t), tcgetattr(master, &m);
    printf("%x %x %x %x same %d\n", t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag, !memcmp(t.c_cc, m.c_cc, 17) && t.c_lflag == m.c_lflag);
    for (int i = 0; i < 17; i++) printf("%d ", t.c_cc[i]);
    printf("\n%d\n", RESULT(ioctl(s, TIOCGWINSZ, &w)));
    printf("%d %d\n", w.ws_row, w.ws_col);
}
static void lines(void) {
    pair();
    int s = slave(0), count;
    say(master, "hello\n");
    show("slave", s), show("master", master);
    say(s, "one\ntwo\n");
    show("master", master);
    say(master, "ab\x7f" "c\x15" "new word\x17gone\r");
    show("slave", s), show("master", master);
    say(master, "a\x16\x03z\n");
    show("literal", s), show("master", master);
    say(master, "end\x04");
    show("slave", s);
    say(master, "\x04");
    show("end of file", s);
    say(master, "1\n2\n");
    pause_ms(200); // Linux hands on in its own time
    ioctl(s, FIONREAD, &count);
    printf("waiting %d\n", count);
    show("slave", s);
    char two[2];
    printf("%d\n", RESULT(read(s, two, 1)));
    printf("%d\n", RESULT(read(s, two, 2)));
    say(master, "x\ny\n");
    pause_ms(200);
    tcflush(s, TCIFLUSH);
    fcntl(s, F_SETFL, O_NONBLOCK);
    show("flushed", s);
    say(master, "part");
    pause_ms(100);
    show("no line yet", s);
    printf("%x\n", polled(s) & POLLIN);
    say(master, "ial\n");
    pause_ms(200);
    printf("%x\n", polled(s) & POLLIN);
    show("line", s);
}
static void ends(void) {
    pair();
    fcntl(master, F_SETFL, O_NONBLOCK);
    show("never open", master);
    printf("poll %x\n", polled(master));
    int s = slave(0);
    printf("poll %x %x\n", polled(master), polled(s));
    say(s, "last words\n");
    close(s);
    printf("poll %x\n", polled(master));
    show("master", master);
    show("master", master);
    printf("poll %x\n", polled(master));
    s = slave(0);
    show("open again", master);
    say(master, "still\n");
    show("slave", s);
    close(master);
    printf("poll %x\n", polled(s));
    show("after the end", s);
    printf("write %d\n", RESULT(write(s, "x", 1)));
    struct termios t;
    printf("ioctl %d %d\n", RESULT(tcgetattr(s, &t)), RESULT(tcsetpgrp(s, 1)));
}
static void blocks(void) {
    pair();
    int s = slave(0);
    pid_t child = fork();
    if (!child) {
        close(master);
        show("child", s);
        pause_ms(100);
        say(s, "reply\n");
        _exit(0);
    }
    close(s);
    pause_ms(100);
    say(master, "question\n");
    until(master, "question\r\n");
    until(master, "reply\r\n");
    waitpid(child, 0, 0);
    show("master", master);
}
static void raw_mode(void) {
    pair();
    int s = slave(0);
    raw(s, 1, 0);
    say(master, "\x03\x04\r\x7f");
    show("slave", s);
    say(s, "a\nb");
    show("master", master);
    raw(s, 0, 0);
    show("nothing", s);
    raw(s, 0, 2);
    long begin = now_ms();
    show("nothing after a while", s);
    long took = now_ms() - begin;
    printf("%d\n", took >= 150 && took < 2000);
    raw(s, 5, 0);
    pid_t child = fork();
    if (!child) {
        say(master, "123"), pause_ms(150), say(master, "45");
        _exit(0);
    }
    show("five", s);
    waitpid(child, 0, 0);
    raw(s, 5, 2);
    say(master, "123");
    show("a pause ends it", s);
    raw(s, 1, 0);
    fcntl(s, F_SETFL, O_NONBLOCK);
    show("empty", s);
}
static void typed_ahead(void) { // in raw mode, and read in canonical mode: no line is left over
    pair();
    int s = slave(0);
    struct termios cooked;
    tcgetattr(s, &cooked);
    raw(s, 1, 0);
    say(master, "fo");
    pause_ms(200);
    printf("%d\n", RESULT(tcsetattr(s, TCSADRAIN, &cooked)));
    say(master, "o\n");
    pause_ms(200);
    fcntl(s, F_SETFL, O_NONBLOCK);
    char text[16];
    int got = RESULT(read(s, text, sizeof text)), more = RESULT(read(s, text, sizeof text));
    printf("%d %d\n", (got > 0 ? got : 0) + (more > 0 ? more : 0), RESULT(read(s, text, sizeof text)));
}
static void full(void) {
    pair();
    int s = slave(O_NONBLOCK), total = 0, got;
    fcntl(master, F_SETFL, O_NONBLOCK);
    char text[1024];
    memset(text, 'x', sizeof text);
    while ((got = write(s, text, sizeof text)) > 0) total += got;
    printf("slave: %d %d, writable %d\n", total >= 2048, RESULT(got), (polled(s) & POLLOUT) != 0);
    int back = 0;
    while ((got = read(master, text, sizeof text)) > 0) back += got;
    printf("all back %d, writable %d\n", back == total, (polled(s) & POLLOUT) != 0);
    raw(s, 1, 0);
    total = 0;
    while ((got = write(master, text, sizeof text)) > 0) total += got;
    printf("master: %d %d\n", total >= 2048, RESULT(got));
    back = 0;
    for (int quiet = 0; quiet < 20; quiet++) {
        while ((got = read(s, text, sizeof text)) > 0) back += got, quiet = 0;
        pause_ms(5);
    }
    printf("all back %d\n", back == total);
}
static void stopped_output(void) {
    pair();
    int s = slave(O_NONBLOCK);
    fcntl(master, F_SETFL, O_NONBLOCK);
    say(master, "\x13");
    pause_ms(100); // Linux hands on in its own time
    printf("stopped %d\n", RESULT(write(s, "x", 1)));
    say(master, "\x11");
    pause_ms(100);
    printf("goes on %d\n", RESULT(write(s, "x", 1)));
    show("master", master);
    tcflow(s, TCOOFF);
    printf("stopped %d\n", RESULT(write(s, "x", 1)));
    tcflow(s, TCOON);
    printf("goes on %d\n", RESULT(write(s, "y", 1)));
    show("master", master);
}

static volatile sig_atomic_t caught;
static void catch (int number) { caught = number; }

/// A session of its own on the slave; what it does, seen from the master.
static pid_t session(void (*run)(int s)) {
    pair();
    pid_t child = fork();
    if (!child) {
        setsid();
        int s = open(name, O_RDWR);
        close(master);
        signal(SIGHUP, catch), signal(SIGWINCH, catch);
        run(s);
        fflush(stdout);
        _exit(0);
    }
    return child;
}
static void leader(int s) {
    int t = open("/dev/tty", O_RDWR);
    printf("controls %d, group %d, session %d\n", t >= 0, tcgetpgrp(s) == getpid(), tcgetsid(s) == getpid());
    say(t, "through tty\n");
    pid_t job = fork();
    if (!job) {
        setpgid(0, 0);
        char c;
        printf("background read %d\n", RESULT(read(s, &c, 1)));
        _exit(5);
    }
    setpgid(job, job);
    int status;
    waitpid(job, &status, WUNTRACED);
    show_status("background", status);
    signal(SIGTTOU, SIG_IGN);
    printf("foreground %d\n", RESULT(tcsetpgrp(s, job)));
    kill(job, SIGCONT);
    say(s, "ready\n");
    waitpid(job, &status, WUNTRACED);
    show_status("job", status); // ^Z
    kill(job, SIGCONT);
    say(s, "again\n");
    waitpid(job, &status, WUNTRACED);
    show_status("job", status); // ^C
    tcsetpgrp(s, getpid());
    printf("other's group %d\n", RESULT(tcsetpgrp(s, 1)));
    printf("let go %d %d\n", RESULT(ioctl(s, TIOCNOTTY)), RESULT(open("/dev/tty", O_RDWR)));
    printf("take %d\n", RESULT(ioctl(s, TIOCSCTTY, 0)));
}
static void job_control(void) {
    pid_t child = session(leader);
    until(master, "through tty\r\n");
    until(master, "ready\r\n");
    say(master, "\x1a");
    until(master, "again\r\n");
    say(master, "\x03");
    int status;
    waitpid(child, &status, 0);
    show_status("leader", status);
}
static void waits_for_hangup(int s) {
    say(s, "up\n");
    while (caught != SIGHUP) pause_ms(10);
    printf("SIGHUP; read %d, /dev/tty %d\n", RESULT(read(s, name, 1)), RESULT(open("/dev/tty", O_RDWR)));
}
static void hang_up(void) {
    pid_t child = session(waits_for_hangup);
    until(master, "up\r\n");
    close(master);
    int status;
    waitpid(child, &status, 0);
    show_status("leader", status);
}
static void resized(int s) {
    struct winsize w;
    say(s, "up\n");
    while (caught != SIGWINCH) pause_ms(10);
    printf("SIGWINCH %d\n", RESULT(ioctl(s, TIOCGWINSZ, &w)));
    printf("%d %d\n", w.ws_row, w.ws_col);
}
static void window(void) {
    pid_t child = session(resized);
    until(master, "up\r\n");
    struct winsize w = {40, 120, 0, 0};
    int done = RESULT(ioctl(master, TIOCSWINSZ, &w));
    waitpid(child, 0, 0);
    printf("resize %d\n", done);
    memset(&w, 0, sizeof w);
    ioctl(master, TIOCGWINSZ, &w);
    printf("%d %d\n", w.ws_row, w.ws_col);
}
static void leaves_heir(int s) {
    pid_t heir = fork();
    if (!heir) {
        signal(SIGHUP, SIG_IGN);
        setpgid(0, 0);
        pause_ms(300);
        fcntl(s, F_SETFL, O_NONBLOCK);
        printf("heir: read %d ", RESULT(read(s, name, 1)));
        printf("write %d ", RESULT(write(s, "x", 1)));
        printf("/dev/tty %d ", RESULT(open("/dev/tty", O_RDWR)));
        printf("group %d\n", RESULT(tcgetpgrp(s)));
        fflush(stdout);
        _exit(0);
    }
    setpgid(heir, heir);
    pause_ms(100);
}
static void leader_ends(void) {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    session(leaves_heir);
    while (wait(0) > 0) {
    }
    show("master", master);
    show("master", master);
}
static void reader_at_the_end(void) {
    pair();
    int s = slave(0);
    pid_t child = fork();
    if (!child) {
        close(master);
        show("blocked reader", s);
        show("next", s);
        _exit(0);
    }
    pause_ms(200);
    close(master);
    waitpid(child, 0, 0);
}
static void through_master(void) {
    pair();
    int s = slave(0);
    printf("%d\n", RESULT(tcgetpgrp(master)));
    printf("%d\n", RESULT(ioctl(s, TIOCGPTN, &(int){0})));
    printf("%d\n", RESULT(ioctl(master, TIOCSIG, 99)));
    struct termios t;
    tcgetattr(master, &t);
    t.c_lflag &= ~ECHO;
    tcsetattr(master, TCSANOW, &t);
    say(master, "silent\n");
    show("slave", s);
    fcntl(master, F_SETFL, O_NONBLOCK);
    show("no echo", master);
    printf("%d\n", RESULT(lseek(master, 0, SEEK_SET)));
    printf("%d\n", RESULT(read(s, NULL, 0)));
    say(master, "x\n");
    printf("%d\n", RESULT(syscall(SYS_read, s, 8L, 4L)));
}
static void many(void) {
    int masters[40], slaves[40], good = 0;
    for (int i = 0; i < 40; i++) {
        pair();
        masters[i] = master, slaves[i] = slave(0);
        dprintf(masters[i], "%d\n", i);
    }
    for (int i = 0; i < 40; i++) {
        char text[32] = {0};
        read(slaves[i], text, sizeof text);
        good += atoi(text) == i;
        close(i % 2 ? masters[i] : slaves[i]);
    }
    for (int i = 0; i < 40; i++) close(i % 2 ? slaves[i] : masters[i]);
    printf("%d good\n", good);
}

/// Linux types for the master in a worker of its own: waits until all of it can be read.
static void arrived(int file, int bytes) {
    int waiting = 0;
    for (int i = 0; i < 500 && (ioctl(file, FIONREAD, &waiting) || waiting != bytes); i++) pause_ms(2);
    printf("%d bytes\n", waiting);
}
/// Every byte is text: nothing stands for the end of file or of a line but where it was typed as that.
static void any_byte(void) {
    pair();
    int s = slave(0);
    struct termios t;
    tcgetattr(s, &t);
    t.c_lflag &= ~ECHO;
    t.c_cc[VEOL] = ';';
    tcsetattr(s, TCSANOW, &t);
    say(master, "a\377b\n\377\377\n");
    show("line", s);
    show("line", s);
    say(master, "a\026\nb\026\004c\026;d\n");
    arrived(s, 8);
    show("quoted", s);
    write(master, "x\026\0y\0z;", 8);
    arrived(s, 6);
    show("NULs", s);
    fcntl(s, F_SETFL, O_NONBLOCK);
    show("nothing", s);
    say(master, "ab\004cd\n");
    arrived(s, 5);
    show("pushed", s);
    show("rest", s);
    say(master, "abc\004def\n\004");
    arrived(s, 7);
    char three[3];
    printf("%d %.3s\n", RESULT(read(s, three, 3)), three);
    printf("%d %.3s\n", RESULT(read(s, three, 3)), three);
    show("end of the line", s);
    show("end of file", s);
    show("nothing", s);
}
/// What was typed raw can be read when lines are turned on: all of it.
static void raw_to_lines(void) {
    pair();
    int s = slave(0);
    struct termios lines, other;
    tcgetattr(s, &lines);
    raw(s, 1, 0);
    say(master, "l1\nl2\nl3");
    arrived(s, 8);
    tcsetattr(s, TCSANOW, &lines);
    arrived(s, 8);
    printf("%d\n", polled(s));
    char two[2];
    printf("%d %.2s\n", RESULT(read(s, two, 2)), two);
    show("rest", s);
    fcntl(s, F_SETFL, O_NONBLOCK);
    show("nothing", s);
    say(master, "l4\nl5\n");
    arrived(s, 6);
    say(master, "l6");
    pause_ms(50);
    other = lines;
    cfmakeraw(&other);
    tcsetattr(s, TCSANOW, &other);
    printf("%d %.2s\n", RESULT(read(s, two, 2)), two);
    tcsetattr(s, TCSANOW, &lines);
    show("rest", s);
    show("nothing", s);
    say(master, "x\ny\n");
    arrived(s, 4);
    show("a line", s);
    show("a line", s);
}
/// Dropping input makes room for who types.
static void flushes(void) {
    pair();
    int s = slave(0);
    raw(s, 1, 0);
    fcntl(master, F_SETFL, O_NONBLOCK);
    static char text[1000];
    memset(text, 'x', sizeof text);
    while (write(master, text, sizeof text) > 0) {}
    while (write(master, text, 1) > 0) {}
    fcntl(master, F_SETFL, 0);
    pid_t child = fork();
    if (!child) {
        write(master, "more", 4);
        _exit(0);
    }
    pause_ms(50);
    int status = -1;
    for (int i = 0; i < 500 && !waitpid(child, &status, WNOHANG); i++) {
        if (i % 50 == 0 && tcflush(s, TCIFLUSH)) perror("flush"); // Linux's may cross the typing
        pause_ms(10);
    }
    printf("writer %d\n", status);
    if (status) kill(child, SIGKILL);
}
/// The master closes while a session leader opens the slave and makes it its own: in no order is it left with a terminal that is none.
static void hang_up_race(void) {
    int dangling = 0, spins = 2000;
    for (int round = 0; round < 150; round++) {
        pair();
        fflush(stdout);
        pid_t child = fork();
        if (!child) {
            close(master);
            signal(SIGHUP, SIG_IGN);
            setsid();
            for (volatile int i = 0; i < round * 7 % 400; i++) {}
            int s = open(name, O_RDWR);
            if (s < 0) _exit(1);
            ioctl(s, TIOCSCTTY, 0);
            close(s);
            pause_ms(2);
            _exit(open("/dev/tty", O_RDWR | O_NOCTTY) >= 0 ? 7 : 2);
        }
        for (volatile int i = 0; i < spins; i++) {}
        close(master);
        int status;
        waitpid(child, &status, 0);
        dangling += WEXITSTATUS(status) == 7;
        if (WEXITSTATUS(status) == 2 && spins > 300) spins -= 300;
        if (WEXITSTATUS(status) == 1) spins += 300;
    }
    printf("%d dangling\n", dangling);
}

int main(int argc, char** argv) {
    signal(SIGTTOU, SIG_DFL);
    const struct test_case cases[] = {{"opens", opens},       {"defaults", defaults}, {"lines", lines},
                                      {"ends", ends},         {"blocks", blocks},     {"raw_mode", raw_mode},
                                      {"typed_ahead", typed_ahead}, {"full", full},         {"stopped_output", stopped_output}, {"job_control", job_control},
                                      {"hang_up", hang_up},   {"window", window},     {"leader_ends", leader_ends},
                                      {"reader_at_the_end", reader_at_the_end}, {"through_master", through_master}, {"many", many},
                                      {"any_byte", any_byte}, {"raw_to_lines", raw_to_lines}, {"flushes", flushes}, {"hang_up_race", hang_up_race}};
    return run_cases(cases, LENGTH(cases), argc, argv);
}
