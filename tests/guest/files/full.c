// A disk that runs full, in the middle of a write, of a directory's growth and of a symbolic link; and a file without a name that is
// open at power-off. e2fsck judges what is left.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char block[1 << 20];

/// Bytes that got onto the disk in pieces of `piece` bytes.
static long fill(const char* name, size_t piece) {
    int file = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0644);
    if (file < 0) return printf("%s: %s\n", name, strerror(errno)), -1;
    long total = 0, got;
    while ((got = write(file, block, piece)) > 0) total += got;
    if (errno != ENOSPC) printf("%s: %s instead of ENOSPC\n", name, strerror(errno));
    struct stat s;
    fstat(file, &s);
    if (s.st_size != total) printf("%s: size %ld, but %ld were written\n", name, (long)s.st_size, total);
    close(file);
    return total;
}

int main(void) {
    memset(block, 'f', sizeof block);
    long first = fill("/tmp/full1", sizeof block);
    printf("%s in pieces of a MiB\n", first > 10 << 20 && first % sizeof block ? "short write" : "no short write");
    fill("/tmp/full2", 100);
    mkdir("/tmp/names", 0755);
    int made = 0;
    for (int i = 0; i < 2000; i++) { // inodes are there; directory blocks are not
        char name[64];
        snprintf(name, sizeof name, "/tmp/a-name-that-takes-room-in-its-directory-%d", i);
        int file = open(name, O_CREAT | O_WRONLY, 0644);
        if (file < 0) {
            if (errno != ENOSPC) perror(name);
            break;
        }
        made++, close(file);
    }
    printf("%s\n", made < 2000 ? "no more names" : "names without end");
    char target[200];
    memset(target, 't', 199);
    target[199] = 0;
    printf("symlink: %s\n", symlink(target, "/tmp/long-link") ? strerror(errno) : "made");
    printf("mkdir: %s\n", mkdir("/tmp/one-more", 0755) ? strerror(errno) : "made");
    // Holes in the middle: the last block of the file goes, the rest stays.
    int file = open("/tmp/full1", O_RDWR);
    ftruncate(file, first / 2 + 77);
    printf("after truncation: %s\n", write(file, block, 4096) == 4096 ? "written" : strerror(errno));
    fill("/tmp/full3", 65536);
    unlink("/tmp/full3");
    int orphan = open("/tmp/orphan", O_CREAT | O_RDWR, 0644);
    write(orphan, block, sizeof block);
    unlink("/tmp/orphan");
    if (fork() == 0) {
        close(0), close(1), close(2);
        sleep(1000);
        _exit(0);
    }
    puts("orphan left");
    return 0;
}
