// Calls on files whose answers this machine's Linux gives too: run under both, the lines must be equal.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(call)                                                                                                     \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        long result = (long)(call);                                                                                    \
        printf("%s = %ld %s\n", #call, result < 0 ? -1 : result, result < 0 ? strerrorname_np(errno) : "");             \
    } while (0)

static void names(void) {
    SHOW(mkdir("d", 0755));
    SHOW(mkdir("d/e", 0755));
    SHOW(rename("d/.", "x"));
    SHOW(rename("d/..", "x"));
    SHOW(rename("d", "d/e/f"));
    SHOW(rename("d/e", "d"));
    SHOW(rename("d", "d"));
    SHOW(rename("d", "."));
    SHOW(mkdir("m", 0755));
    SHOW(chdir("d/e"));
    SHOW(rename("../../d", "../../m/moved"));
    char text[4096], *tail;
    SHOW(getcwd(text, sizeof text) != NULL);
    tail = strstr(text, "/m/");
    printf("cwd ends in %s\n", tail ? tail : "?");
    SHOW(rename("../../../m", "loop"));
    SHOW(rmdir("../e"));
    SHOW(getcwd(text, sizeof text) != NULL);
    SHOW(open("new", O_CREAT | O_WRONLY, 0644) >= 0);
    SHOW(mkdir("new", 0755));
    SHOW(chdir("../../.."));
    SHOW(chdir("/tmp/calls"));
    SHOW(rmdir("m/moved"));
    SHOW(rmdir("m"));
    SHOW(unlink("absent"));
    SHOW(unlink("absent"));
    int file;
    SHOW((file = open("absent", O_CREAT | O_EXCL | O_RDWR, 0600)) >= 0);
    close(file);
    SHOW(open("absent", O_CREAT | O_EXCL | O_RDWR, 0600));
    SHOW(link("absent", "second"));
    SHOW(rename("absent", "second"));
    SHOW(access("absent", F_OK));
    SHOW(unlink("second"));
    SHOW(unlink("absent"));
    SHOW(mkdir("a", 0755));
    SHOW(mkdir("b", 0755));
    SHOW(close(open("b/file", O_CREAT | O_WRONLY, 0644)));
    SHOW(rename("a", "b"));
    SHOW(rename("a", "b/file"));
    SHOW(rename("b/file", "a"));
    SHOW(rename("b/file", "a/file/"));
    SHOW(unlink("b/file"));
    SHOW(rename("a", "b"));
    SHOW(rmdir("a"));
    SHOW(rmdir("b"));
    SHOW(symlink("nowhere", "link"));
    SHOW(open("link", O_RDONLY));
    SHOW(close(open("link", O_CREAT | O_WRONLY, 0644)));
    SHOW(access("nowhere", F_OK));
    SHOW(open("link", O_CREAT | O_EXCL | O_WRONLY, 0644));
    SHOW(unlink("nowhere"));
    SHOW(mkdir("link", 0755));
    SHOW(unlink("link"));
    SHOW(open("no/such", O_CREAT | O_WRONLY, 0644));
    SHOW(open("directory/", O_CREAT | O_WRONLY, 0644));
    SHOW(mkdir("slash/", 0755));
    SHOW(rmdir("slash/"));
    SHOW(open(".", O_CREAT | O_WRONLY, 0644));
    SHOW(open(".", O_WRONLY));
    SHOW(unlink("."));
    SHOW(rmdir("."));
    SHOW(rmdir(".."));
    SHOW(link(".", "hard"));
}

static void deep(void) {
    char name[200], text[4096];
    int depth = 0;
    memset(name, 'x', 120);
    name[120] = 0;
    for (; depth < 11; depth++)
        if (mkdir(name, 0755) || chdir(name)) break;
    printf("%d deep, getcwd has %s\n", depth, getcwd(text, sizeof text) && strlen(text) == 10 + 121u * depth ? "all of it" : "less");
    SHOW(getcwd(text, 500) == NULL ? -1 : 0);
    for (; depth; depth--) {
        if (chdir("..") || rmdir(name)) perror("going up");
    }
}

static void nodes(void) {
    struct stat s;
    SHOW(mknod("zero", S_IFCHR | 0644, makedev(1, 5)));
    SHOW(stat("zero", &s));
    printf("mode %o device %u,%u\n", s.st_mode, major(s.st_rdev), minor(s.st_rdev));
    int file = open("zero", O_RDONLY);
    char byte = 1;
    SHOW(read(file, &byte, 1));
    printf("read %d\n", byte);
    close(file);
    SHOW(mknod("null", S_IFCHR | 0644, makedev(1, 3)));
    file = open("null", O_WRONLY);
    SHOW(write(file, "x", 1));
    close(file);
    SHOW(mknod("nobody", S_IFCHR | 0644, makedev(240, 77)));
    SHOW(open("nobody", O_RDONLY));
    SHOW(mknod("noblock", S_IFBLK | 0644, makedev(241, 77)));
    SHOW(open("noblock", O_RDONLY));
    SHOW(mknod("plain", S_IFREG | 0600, makedev(8, 1)));
    SHOW(stat("plain", &s));
    printf("mode %o size %ld device %lu\n", s.st_mode, (long)s.st_size, (unsigned long)s.st_rdev);
    SHOW(mknod("odd", 0030644, 0));
    SHOW(mknod("dir", S_IFDIR | 0755, 0));
    SHOW(mknod("sock", S_IFSOCK | 0644, 0));
    SHOW(open("sock", O_RDONLY));
    SHOW(mkfifo("fifo", 0600));
    SHOW(open("fifo", O_WRONLY | O_NONBLOCK));
    pid_t child = fork();
    if (child == 0) {
        int out = open("fifo", O_WRONLY);
        write(out, "through the fifo", 16);
        _exit(0);
    }
    char text[64] = {0};
    file = open("fifo", O_RDONLY);
    SHOW(read(file, text, sizeof text));
    printf("'%s'\n", text);
    waitpid(child, NULL, 0);
    SHOW(read(file, text, sizeof text));
    close(file);
    const char* all[] = {"zero", "null", "nobody", "noblock", "plain", "sock", "fifo"};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) SHOW(unlink(all[i]));
}

static void sizes(void) {
    int file = open("sizes", O_CREAT | O_RDWR | O_TRUNC, 0644);
    struct stat s;
    char byte = 'x';
    SHOW(ftruncate(file, 1l << 62));
    SHOW(ftruncate(file, -1));
    SHOW(pwrite(file, "y", 1, 5l << 30));
    fstat(file, &s);
    printf("size %ld\n", (long)s.st_size);
    SHOW(pread(file, &byte, 1, 4l << 30));
    printf("%d\n", byte);
    SHOW(ftruncate(file, 3));
    fstat(file, &s);
    printf("size %ld blocks %ld\n", (long)s.st_size, (long)s.st_blocks);
    // The second half of the buffer is not there: half of it is written.
    char* map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(map + 4096, 4096);
    memset(map, 'm', 4096);
    SHOW(pwrite(file, map, 8192, 0));
    fstat(file, &s);
    printf("size %ld\n", (long)s.st_size);
    SHOW(pwrite(file, map + 4096, 4096, 100000));
    SHOW(ftruncate(file, 4096));
    int appender = open("sizes", O_WRONLY | O_APPEND);
    SHOW(write(appender, "tail", 4));
    SHOW(lseek(appender, 0, SEEK_CUR));
    close(appender);
    SHOW(ftruncate(open("sizes", O_RDONLY), 0));
    close(file);
    SHOW(unlink("sizes"));
}

int main(void) {
    umask(022);
    if (mkdir("/tmp/calls", 0755) || chdir("/tmp/calls")) return perror("/tmp/calls"), 1;
    names();
    if (chdir("/tmp/calls")) perror("/tmp/calls");
    deep();
    nodes();
    sizes();
    SHOW(chdir("/tmp"));
    SHOW(rmdir("/tmp/calls"));
    return 0;
}
