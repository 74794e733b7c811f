// mount, umount and tmpfs; memory that is first touched after fork; /proc/PID/fd. Prints one line that says
// "mounts: 0 wrong".
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

static int wrong;
#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        errno = 0;                                                                                           \
        if (!(condition)) wrong++, printf("line %d: %s: %s\n", __LINE__, #condition, strerror(errno));       \
    } while (0)

int main(int argc, char** argv) {
    struct statfs fs;
    struct stat s;
    char text[256];
    const char* place = argc > 1 ? argv[1] : "/tmp/mounted";
    mkdir(place, 0755);
    CHECK(mount("none", place, "nosuchfs", 0, NULL) == -1 && errno == ENODEV);
    CHECK(mount("none", "/tmp/absent", "tmpfs", 0, NULL) == -1 && errno == ENOENT);
    CHECK(mount("/dev/sda1", place, "ext2", 0, NULL) == -1 && errno == EBUSY);
    CHECK(umount(place) == -1 && errno == EINVAL);
    CHECK(mount("none", place, "tmpfs", 0, NULL) == 0);
    CHECK(statfs(place, &fs) == 0 && fs.f_type == 0x01021994);
    CHECK(chdir(place) == 0);
    CHECK(mkdir("a", 0755) == 0 && mkdir("a/b", 0755) == 0);
    int file = open("a/file", O_CREAT | O_RDWR, 0644);
    CHECK(write(file, "contents", 8) == 8 && lseek(file, 10000, SEEK_SET) == 10000 &&
          write(file, "end", 3) == 3);
    CHECK(fstat(file, &s) == 0 && s.st_size == 10003);
    CHECK(pread(file, text, 3, 10000) == 3 && !memcmp(text, "end", 3));
    CHECK(ftruncate(file, 4) == 0 && ftruncate(file, 100) == 0 && pread(file, text, 8, 0) == 8 &&
          !memcmp(text, "cont\0\0\0\0", 8));
    CHECK(rename("a/file", "a/b/moved") == 0 && symlink("a/b/moved", "link") == 0 &&
          open("link", O_RDONLY) >= 0);
    CHECK(rmdir("a/b") == -1 && errno == ENOTEMPTY);
    CHECK(link("a/b/moved", "/tmp/elsewhere") == -1 && errno == EXDEV);
    CHECK(rename("a", "a/b/inside") == -1 && errno == EINVAL);
    CHECK(getcwd(text, sizeof text) && !strcmp(text, place));
    CHECK(umount(place) == -1 && errno == EBUSY);
    CHECK(chdir("/") == 0);
    for (int i = 3; i < 20; i++) close(i);
    CHECK(umount(place) == 0);
    snprintf(text, sizeof text, "%s/a", place);
    CHECK(access(text, F_OK) == -1);
    int writes = open("/tmp/writes", O_CREAT | O_WRONLY, 0644);
    CHECK(mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL) == -1 && errno == EBUSY);
    CHECK(umount("/") == -1 && errno == EBUSY);
    CHECK(unlink("/tmp/writes") == 0 && write(writes, "x", 1) == 1);
    int orphan = open("/tmp/orphan", O_CREAT | O_RDWR, 0644), orphan_read = open("/tmp/orphan", O_RDONLY);
    CHECK(close(orphan) == 0 && unlink("/tmp/orphan") == 0 && close(writes) == 0);
    CHECK(mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL) == -1 && errno == EBUSY);
    CHECK(close(orphan_read) == 0);
    CHECK(umount("/") == 0); // the root stays, read-only
    CHECK(open("/tmp/readonly", O_CREAT | O_WRONLY, 0644) == -1 && errno == EROFS);
    CHECK(mkdir("/tmp/readonly", 0755) == -1 && errno == EROFS);
    CHECK(chmod("/tmp", 01777) == -1 && errno == EROFS);
    CHECK(truncate("/etc/motd", 0) == -1 && errno == EROFS);
    CHECK(access("/etc/motd", W_OK) == -1 && errno == EROFS && access("/etc/motd", R_OK) == 0);
    CHECK(mount(NULL, "/", NULL, MS_REMOUNT, NULL) == 0);
    CHECK(mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
    CHECK(open("/tmp/readonly", O_CREAT | O_WRONLY, 0644) == -1 && errno == EROFS);
    CHECK(mount(NULL, "/", NULL, MS_REMOUNT, NULL) == 0);
    CHECK(rmdir(place) == 0 || argc > 1);

    int* shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (fork() == 0) {
        shared[0] = 11, shared[1024] = 12;
        _exit(0);
    }
    wait(NULL);
    CHECK(shared[0] == 11 && shared[1024] == 12);

    int ends[2];
    CHECK(pipe(ends) == 0);
    snprintf(text, sizeof text, "/dev/fd/%d", ends[1]);
    char to[64] = {0};
    CHECK(readlink(text, to, sizeof to) > 6 && !strncmp(to, "pipe:[", 6));
    int again = open(text, O_WRONLY);
    CHECK(again >= 0 && write(again, "through", 7) == 7 && read(ends[0], text, sizeof text) == 7);
    CHECK(stat("/dev/stdin", &s) == 0);
    printf("mounts: %d wrong\n", wrong);
    return wrong;
}
