// What a program used comes back: objects of every slab cache, page frames, page tables, vmalloc's areas,
// processes. leaks ROUNDS COMMAND…: each command runs once to warm up and ROUNDS times more, each time with
// the caches dropped behind it; what grew in every one of these rounds is a leak. Prints "leaks: 0 found"
// when nothing did. Runs on the guest only: a living Linux is never quiet enough.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 128 };
struct count {
    char name[32];
    long value;
};
struct counts {
    struct count of[MOST];
    int number;
};

static void note(struct counts* all, const char* name, long value) {
    if (all->number == MOST) fprintf(stderr, "leaks: too many counts\n"), exit(2);
    snprintf(all->of[all->number].name, sizeof all->of[0].name, "%s", name);
    all->of[all->number++].value = value;
}
static void write_text(const char* path, const char* text) {
    int file = open(path, O_WRONLY);
    if (file < 0 || write(file, text, strlen(text)) < 0) perror(path), exit(2);
    close(file);
}
/// Waits for what is freed later: RCU's grace periods, the flusher, zombies of others.
static void settle(void) {
    for (int i = 0; i < 3; i++) {
        sync();
        write_text("/proc/sys/vm/drop_caches", "3");
        nanosleep(&(struct timespec){0, 200000000}, 0);
    }
}
static struct counts look(void) {
    static struct counts all;
    all.number = 0;
    settle();
    char line[300], name[64];
    long value, total;
    FILE* file = fopen("/proc/slabinfo", "r");
    while (file && fgets(line, sizeof line, file))
        if (line[0] != '#' && sscanf(line, "%63s %ld %ld", name, &value, &total) == 3)
            note(&all, name, value);
    if (!file || all.number < 10) fprintf(stderr, "leaks: no slabinfo\n"), exit(2);
    fclose(file);
    file = fopen("/proc/vmstat", "r");
    long freed = 0, slab = 0;
    while (file && fscanf(file, "%63s %ld", name, &value) == 2) {
        if (!strcmp(name, "nr_free_pages")) freed = value;
        if (!strcmp(name, "nr_slab")) slab = value;
        if (!strcmp(name, "nr_page_table_pages") || !strcmp(name, "nr_kernel_stack") ||
            !strcmp(name, "nr_anon_pages") || !strcmp(name, "nr_dirty") || !strcmp(name, "nr_shmem"))
            note(&all, name, value);
    }
    if (!file || !freed) fprintf(stderr, "leaks: no vmstat\n"), exit(2);
    fclose(file);
    note(&all, "pages in use but for slabs", -freed - slab); // a slab cache may keep empty slabs
    long areas = 0, processes = 0;
    if ((file = fopen("/proc/vmallocinfo", "r"))) {
        while (fgets(line, sizeof line, file)) areas++;
        fclose(file);
    }
    note(&all, "vmalloc areas", areas);
    DIR* folder = opendir("/proc");
    for (struct dirent* entry; (entry = readdir(folder));)
        processes += entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
    closedir(folder);
    note(&all, "processes", processes);
    return all;
}
static void run(const char* command) {
    pid_t child = fork();
    if (!child) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0), dup2(null, 1);
        execl("/bin/sh", "sh", "-c", command, (char*)0);
        _exit(127);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (status) printf("leaks: %s: status %x\n", command, status), exit(1);
}

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    int rounds = atoi(argv[1]), found = 0;
    for (int i = 2; i < argc; i++) {
        char grew[MOST];
        memset(grew, 1, sizeof grew);
        run(argv[i]);
        struct counts first = look(), before = first, now = first;
        for (int round = 0; round < rounds; round++) {
            run(argv[i]);
            now = look();
            for (int n = 0; n < now.number; n++) grew[n] &= now.of[n].value > before.of[n].value;
            before = now;
        }
        for (int n = 0; n < now.number; n++)
            if (grew[n]) {
                printf("%s: %s grew from %ld to %ld\n", argv[i], now.of[n].name, first.of[n].value,
                       now.of[n].value);
                found++;
            }
    }
    printf("leaks: %d found\n", found);
    return found != 0;
}
