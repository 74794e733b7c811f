// Owners, modes, times, locks and advice. Run under Linux too, the lines must be equal.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(call)                                                                                                     \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        long result = (long)(call);                                                                                    \
        printf("%s = %ld %s\n", #call, result, result < 0 ? strerrorname_np(errno) : "");                               \
    } while (0)

static void look(const char* name) {
    struct stat s;
    if (lstat(name, &s)) return perror(name);
    printf("%s: mode %o owner %u:%u atime %ld mtime %ld size %ld\n", name, s.st_mode, s.st_uid, s.st_gid, (long)s.st_atime, (long)s.st_mtime,
           (long)s.st_size);
}

int main(void) {
    umask(022);
    mkdir("/tmp/attributes", 0755);
    chdir("/tmp/attributes");
    int file = open("f", O_CREAT | O_RDWR, 0644);
    struct timespec times[2] = {{1000000000, 0}, {1100000000, 0}};
    SHOW(utimensat(AT_FDCWD, "f", times, 0));
    look("f");
    SHOW(chown("f", 7, 8));
    SHOW(chmod("f", 06755));
    SHOW(fchown(file, -1, 9));
    SHOW(fchmod(file, 0600));
    times[0].tv_nsec = UTIME_OMIT, times[1].tv_sec = 1200000000;
    SHOW(futimens(file, times));
    look("f");
    times[1].tv_nsec = 2000000000;
    SHOW(futimens(file, times));
    SHOW(symlink("f", "l"));
    SHOW(lchown("l", 3, 4));
    struct stat s;
    lstat("l", &s);
    printf("link %u:%u\n", s.st_uid, s.st_gid);
    SHOW(fchownat(AT_FDCWD, "l", 5, 6, 0));
    times[0] = (struct timespec){1300000000, 0}, times[1] = (struct timespec){1300000001, 0};
    SHOW(utimensat(AT_FDCWD, "f", times, 0));
    SHOW(truncate("f", 5));
    SHOW(truncate(".", 5));
    SHOW(truncate("absent", 5));
    SHOW(utimensat(AT_FDCWD, "f", times, 0));
    look("f");
    SHOW(chmod("absent", 0600));
    SHOW(fchmodat(AT_FDCWD, "f", 0644, 0));

    int second = open("f", O_RDWR);
    SHOW(flock(file, LOCK_SH));
    SHOW(flock(second, LOCK_SH | LOCK_NB));
    SHOW(flock(second, LOCK_EX | LOCK_NB));
    SHOW(flock(file, LOCK_UN));
    SHOW(flock(second, LOCK_EX | LOCK_NB));
    SHOW(flock(file, LOCK_SH | LOCK_NB));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        usleep(50000);
        _exit(flock(second, LOCK_UN) != 0); // the open file's, not the process's
    }
    SHOW(flock(file, LOCK_EX));
    waitpid(child, NULL, 0);
    SHOW(flock(file, 77));
    close(file);
    SHOW(flock(second, LOCK_EX | LOCK_NB));

    struct statfs fs;
    SHOW(statfs("/tmp", &fs));
    printf("%s %s %s\n", fs.f_blocks > fs.f_bfree ? "used" : "empty", fs.f_bfree >= fs.f_bavail ? "reserved" : "more than free", fs.f_namelen == 255 ? "255" : "?");
    SHOW(statfs("/proc", &fs));
    printf("%lx\n", (long)fs.f_type);
    SHOW(fstatfs(second, &fs));
    SHOW(syncfs(second));

    char* area = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char in[8];
    memset(area, 'a', 3 * 4096);
    SHOW(mincore(area, 8 * 4096, in));
    printf("%d %d %d %d\n", in[0] & 1, in[1] & 1, in[2] & 1, in[3] & 1);
    SHOW(madvise(area, 2 * 4096, MADV_DONTNEED));
    printf("%d %d\n", area[0], area[2 * 4096]);
    SHOW(madvise(area + 1, 4096, MADV_DONTNEED));
    SHOW(madvise(area, 4096, 9999));
    munmap(area + 4096, 4096);
    SHOW(madvise(area, 8 * 4096, MADV_DONTNEED));
    SHOW(mincore(area, 8 * 4096, in));
    SHOW(msync(area, 4096, MS_SYNC | MS_ASYNC));
    SHOW(msync(area, 8 * 4096, MS_SYNC));
    SHOW(msync(area + 2 * 4096, 4096, MS_SYNC));
    unlink("f"), unlink("l");
    chdir("/tmp");
    SHOW(rmdir("attributes"));
    return 0;
}
