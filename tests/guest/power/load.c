// A write load for power cuts. load SEED WORKERS ROUNDS FOLDER: each worker changes files of its own in FOLDER/w, with fsync behind
// each change, and says on the console what it begins (B …) and what fsync has confirmed (E …); cuts.py holds the disk against that.
// A worker more makes unconfirmed noise: files that come, grow, shrink, move and go without any fsync.
//
// A file is lines of 64 bytes, "worker file version line", so that its contents follow from the versions of its lines.
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { Line = 64, Files = 6, Most = 4000 };
static uint64_t state;
static uint64_t below(uint64_t n) { // splitmix64
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (z ^ z >> 31) % n;
}

static int worker, folder;
static void say(const char* text) { // the serial port keeps the newest 16 characters for itself: dots push the line out
    char line[200];
    int length = snprintf(line, sizeof line, "%s\n........................\n", text);
    if (write(1, line, (size_t)length) != length) exit(4);
}
static void begin(char operation, int file, int version, int first, int count) {
    char text[80];
    snprintf(text, sizeof text, "B %d %c %d %d %d %d #", worker, operation, file, version, first, count);
    say(text);
}
static void end(void) {
    char text[80];
    snprintf(text, sizeof text, "E %d #", worker);
    say(text);
}
static void must(int good, const char* what) {
    if (!good) perror(what), exit(5);
}

static void lines(char* out, int file, int version, int first, int count) {
    for (int i = 0; i < count; i++) {
        memset(out + i * Line, ' ', Line);
        int length = sprintf(out + i * Line, "%d %d %d %d", worker, file, version, first + i);
        out[i * Line + length] = ' ';
        out[i * Line + Line - 1] = '\n';
    }
}
static char buffer[Most * Line];
static void write_lines(int fd, int file, int version, int first, int count) {
    lines(buffer, file, version, first, count);
    size_t total = (size_t)count * Line, done = 0;
    while (done < total) {
        size_t piece = 1 + below(30000);
        ssize_t got = pwrite(fd, buffer + done, piece < total - done ? piece : total - done, (off_t)first * Line + (off_t)done);
        must(got > 0, "pwrite");
        done += (size_t)got;
    }
}
static void sync_close(int fd, int with_folder) {
    must(!fsync(fd), "fsync");
    if (with_folder) must(!fsync(folder), "fsync folder");
    must(!close(fd), "close");
}

static void work(int rounds) {
    int sizes[Files] = {0}, there[Files] = {0}, version = 0;
    char name[32];
    for (int round = 0; round < rounds; round++) {
        int file = (int)below(Files), count = 1 + (int)(below(4) ? below(400) : below(Most - 1));
        version++;
        snprintf(name, sizeof name, "f%d", file);
        unsigned what = (unsigned)below(10);
        if (!there[file] || what == 0) { // made, or made anew from nothing
            begin('C', file, version, 0, count);
            int fd = openat(folder, name, O_RDWR | O_CREAT | O_TRUNC, 0644);
            must(fd >= 0, "open");
            write_lines(fd, file, version, 0, count);
            sync_close(fd, 1);
            sizes[file] = count, there[file] = 1;
        } else if (what <= 2) { // longer
            if (sizes[file] + count > Most) count = Most - sizes[file];
            begin('A', file, version, sizes[file], count);
            int fd = openat(folder, name, O_RDWR);
            must(fd >= 0, "open");
            write_lines(fd, file, version, sizes[file], count);
            sync_close(fd, 0);
            sizes[file] += count;
        } else if (what <= 4) { // some lines in place, by write or through a mapping
            int first = (int)below((uint64_t)sizes[file]), part = 1 + (int)below((uint64_t)(sizes[file] - first));
            begin('O', file, version, first, part);
            int fd = openat(folder, name, O_RDWR);
            must(fd >= 0, "open");
            if (what == 3) {
                write_lines(fd, file, version, first, part);
            } else {
                size_t size = (size_t)sizes[file] * Line;
                char* map = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
                must(map != MAP_FAILED, "mmap");
                lines(map + first * Line, file, version, first, part);
                must(!msync(map, size, MS_SYNC), "msync");
                must(!munmap(map, size), "munmap");
            }
            sync_close(fd, 0);
        } else if (what <= 7) { // another file takes the name
            begin('R', file, version, 0, count);
            int fd = openat(folder, "new", O_RDWR | O_CREAT | O_TRUNC, 0644);
            must(fd >= 0, "open");
            write_lines(fd, file, version, 0, count);
            must(!fsync(fd), "fsync");
            must(!renameat(folder, "new", folder, name), "rename");
            sync_close(fd, 1);
            sizes[file] = count;
        } else if (what == 8) { // shorter
            int left = (int)below((uint64_t)sizes[file]);
            begin('T', file, version, left, 0);
            int fd = openat(folder, name, O_RDWR);
            must(fd >= 0 && !ftruncate(fd, (off_t)left * Line), "ftruncate");
            sync_close(fd, 0);
            sizes[file] = left;
            if (!left) there[file] = 1;
        } else {
            begin('D', file, version, 0, 0);
            must(!unlinkat(folder, name, 0), "unlink");
            must(!fsync(folder), "fsync folder");
            there[file] = sizes[file] = 0;
        }
        end();
        if (there[file] && !sizes[file]) there[file] = 0, unlinkat(folder, name, 0), fsync(folder); // an empty one is not looked at
    }
}

static void noise(int rounds) {
    char name[32], other[32];
    for (int round = 0; round < rounds * 8; round++) {
        snprintf(name, sizeof name, "n%d", (int)below(30));
        snprintf(other, sizeof other, "n%d", (int)below(30));
        switch (below(8)) {
        case 0: unlinkat(folder, name, 0); break;
        case 1: renameat(folder, name, folder, other); break;
        case 2: mkdirat(folder, "d", 0755), unlinkat(folder, "d", AT_REMOVEDIR); break;
        case 3: linkat(folder, name, folder, other, 0); break;
        case 4: symlinkat("a long target that does not fit into the inode itself: so it has a block of its own", folder, other); break;
        default: {
            int fd = openat(folder, name, O_RDWR | O_CREAT, 0644), size = (int)below(250000);
            if (fd < 0) break;
            lines(buffer, 99, round, 0, size / Line + 1);
            if (pwrite(fd, buffer, (size_t)size, (off_t)below(2) * 100000) < 0) perror("noise");
            if (below(3) == 0 && ftruncate(fd, (off_t)below(200000))) perror("noise");
            close(fd);
        }
        }
        if (below(16) == 0) usleep(2000);
    }
}

int main(int argc, char** argv) {
    if (argc != 5) return 2;
    int workers = atoi(argv[2]), rounds = atoi(argv[3]);
    mkdir(argv[4], 0755);
    for (worker = 0; worker <= workers; worker++) {
        if (fork()) continue;
        char path[300];
        snprintf(path, sizeof path, "%s/%d", argv[4], worker);
        mkdir(path, 0755);
        folder = open(path, O_RDONLY | O_DIRECTORY);
        int above = open(argv[4], O_RDONLY | O_DIRECTORY), root = open("/", O_RDONLY | O_DIRECTORY);
        must(folder >= 0 && above >= 0 && !fsync(folder) && !fsync(above) && !fsync(root), "folder");
        state = strtoull(argv[1], 0, 0) * 1000003 + (uint64_t)worker;
        worker < workers ? work(rounds) : noise(rounds);
        _exit(0);
    }
    int status, bad = 0;
    while (wait(&status) > 0) bad += status != 0;
    printf("load: %d failed\n", bad);
    return bad != 0;
}
