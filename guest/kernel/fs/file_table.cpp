// A task's open files and directories; see vfs.h.
#include "fs/filelock.h"
#include "fs/vfs.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"
#include "task/task.h"

namespace kernel {

namespace {

/// Room for descriptor `wanted`, as Linux sizes it: powers of two of 128 entries.
u32 fdtable_size(u32 wanted) {
    u32 size = 1;
    while (size < wanted / 128 + 1) size *= 2;
    return size * 128 < 256 && wanted >= 64 ? 256 : size * 128;
}

/// Words of a bit a descriptor, and of a bit for each such word.
constexpr u64 words_of(u32 size) { return size / 64; }
constexpr u64 full_words_of(u32 size) { return divide_up(words_of(size), 64); }

/// The arrays of a table; `bits` are close_on_exec, open_fds and full_fds_bits, one behind the other.
struct Arrays {
    u32 size = 0;
    struct file** fd = nullptr;
    u64* bits = nullptr;

    Result<void> allocate(u32 wanted) {
        size = wanted;
        fd = static_cast<struct file**>(vmalloc(u64{size} * 8));
        bits = static_cast<u64*>(vmalloc((2 * words_of(size) + full_words_of(size)) * 8));
        if (fd && bits) return {};
        release();
        return Errno::ENOMEM;
    }
    void release() {
        vfree(fd);
        vfree(bits);
        fd = nullptr, bits = nullptr;
    }
};

/// REQUIRES: file_lock. The old arrays come back in `fresh`, to be released.
void move_in(files_struct& table, Arrays& fresh) {
    memcpy(fresh.fd, table.fd, u64{table.max_fds} * 8);
    memset(fresh.fd + table.max_fds, 0, u64{fresh.size - table.max_fds} * 8);
    u64 *open = fresh.bits + words_of(fresh.size), *full = open + words_of(fresh.size);
    memset(fresh.bits, 0, (2 * words_of(fresh.size) + full_words_of(fresh.size)) * 8);
    memcpy(fresh.bits, table.close_on_exec, words_of(table.max_fds) * 8);
    memcpy(open, table.open_fds, words_of(table.max_fds) * 8);
    memcpy(full, table.full_fds_bits, full_words_of(table.max_fds) * 8);
    bool embedded = table.fd == table.fd_array;
    Arrays old{table.max_fds, embedded ? nullptr : table.fd, embedded ? nullptr : table.close_on_exec};
    table.fd = fresh.fd, table.close_on_exec = fresh.bits, table.max_fds = fresh.size;
    table.open_fds = open, table.full_fds_bits = full;
    fresh = old;
}

/// Makes room for `descriptor`.
Result<void> expand_files(files_struct& table, u32 descriptor) {
    if (descriptor >= NR_OPEN_MAX) return Errno::EMFILE;
    Arrays fresh;
    TRY(fresh.allocate(fdtable_size(descriptor)));
    {
        SpinGuard guard(table.file_lock);
        if (descriptor >= table.max_fds) move_in(table, fresh);
    }
    fresh.release();
    return {};
}

void set_open_fd(files_struct& table, u32 descriptor) {
    u64& word = table.open_fds[descriptor / 64];
    word |= u64{1} << (descriptor % 64);
    if (!~word) table.full_fds_bits[descriptor / 4096] |= u64{1} << (descriptor / 64 % 64);
}
void clear_open_fd(files_struct& table, u32 descriptor) {
    table.open_fds[descriptor / 64] &= ~(u64{1} << (descriptor % 64));
    table.full_fds_bits[descriptor / 4096] &= ~(u64{1} << (descriptor / 64 % 64));
    table.next_fd = min(table.next_fd, descriptor);
}
/// The first free one from `start` on; max_fds, or above, when the table has none. 4096 taken ones cost one
/// step.
u32 find_next_fd(const files_struct& table, u32 start) {
    u32 words = static_cast<u32>(words_of(table.max_fds)), word = start / 64;
    if (word >= words) return start;
    if (u64 free = ~table.open_fds[word] >> (start % 64))
        return start + static_cast<u32>(__builtin_ctzll(free));
    for (word++; word < words;) {
        u64 not_full = ~table.full_fds_bits[word / 64] >> (word % 64);
        if (!not_full) {
            word = (word / 64 + 1) * 64;
            continue;
        }
        word += static_cast<u32>(__builtin_ctzll(not_full));
        if (word < words) return word * 64 + static_cast<u32>(__builtin_ctzll(~table.open_fds[word]));
    }
    return table.max_fds;
}

void mark(files_struct& table, u32 descriptor, bool close_on_exec) {
    u64 bit = u64{1} << (descriptor % 64);
    if (close_on_exec)
        table.close_on_exec[descriptor / 64] |= bit;
    else
        table.close_on_exec[descriptor / 64] &= ~bit;
}

bool in_use(const files_struct& table, u32 descriptor) {
    return table.open_fds[descriptor / 64] >> (descriptor % 64) & 1;
}
void release(files_struct& table, u32 descriptor) {
    clear_open_fd(table, descriptor);
    mark(table, descriptor, false);
}

/// The first free number from `at_least` on; without a file it is kept for fd_publish.
Result<i32> take_fd(files_struct& table, struct file* file, bool close_on_exec, i32 at_least) {
    u64 limit = rlimit(RLIMIT_NOFILE);
    for (;;) {
        u32 start = static_cast<u32>(max(at_least, 0)), i;
        {
            SpinGuard guard(table.file_lock);
            i = find_next_fd(table, max(start, table.next_fd));
            if (i >= limit) return Errno::EMFILE;
            if (i < table.max_fds) {
                if (start <= table.next_fd) table.next_fd = i + 1;
                table.fd[i] = file;
                set_open_fd(table, i);
                mark(table, i, close_on_exec);
                return static_cast<i32>(i);
            }
        }
        TRY(expand_files(table, i));
    }
}

/// A descriptor that held `file` (or null) is free again.
void filp_close(struct file* file, const files_struct& table) {
    if (!file) return;
    locks_remove_posix(*file, &table);
    fput(file);
}

} // namespace

files_struct* alloc_files() { return make<files_struct>(); }

/// A table that holds no files (any more).
static void free_files(files_struct* table) {
    if (table->fd != table->fd_array) {
        vfree(table->fd);
        vfree(table->close_on_exec);
    }
    destroy(table);
}

files_struct* dup_fd(files_struct& from) {
    files_struct* copy = alloc_files();
    if (!copy) return nullptr;
    for (;;) {
        u32 used;
        {
            SpinGuard guard(from.file_lock);
            used = from.max_fds;
            while (used > copy->max_fds && !from.fd[used - 1]) used--;
            if (used <= copy->max_fds) {
                u32 common = min(from.max_fds, copy->max_fds);
                for (u32 i = 0; i < common; i++)
                    if ((copy->fd[i] = from.fd[i])) get_file(copy->fd[i]);
                memcpy(copy->close_on_exec, from.close_on_exec, words_of(common) * 8);
                memcpy(copy->open_fds, from.open_fds, words_of(common) * 8);
                memcpy(copy->full_fds_bits, from.full_fds_bits, full_words_of(common) * 8);
                if (common < copy->max_fds &&
                    common % 4096) // the copy's words are more than the last one's bits
                    copy->full_fds_bits[common / 4096] &= (u64{1} << (common / 64 % 64)) - 1;
                copy->next_fd = min(from.next_fd, copy->max_fds);
                for (u32 i = 0; i < common; i++) // a number without a file yet stays the other table's
                    if (!copy->fd[i] && in_use(*copy, i)) release(*copy, i);
                return copy;
            }
        }
        if (!expand_files(*copy, used - 1).ok()) {
            free_files(copy);
            return nullptr;
        }
    }
}

void put_files_struct(files_struct* table) {
    if (!table || __atomic_sub_fetch(&table->count, 1, __ATOMIC_ACQ_REL)) return;
    for (u32 i = 0; i < table->max_fds; i++) filp_close(table->fd[i], *table);
    free_files(table);
}

Result<i32> fd_install(files_struct& table, struct file* file, bool close_on_exec, i32 at_least) {
    return take_fd(table, file, close_on_exec, at_least);
}

Result<i32> get_unused_fd(files_struct& table, bool close_on_exec, i32 at_least) {
    return take_fd(table, nullptr, close_on_exec, at_least);
}

void put_unused_fd(files_struct& table, i32 descriptor) {
    SpinGuard guard(table.file_lock);
    release(table, static_cast<u32>(descriptor));
}

void fd_publish(files_struct& table, i32 descriptor, struct file* file) {
    SpinGuard guard(table.file_lock);
    table.fd[descriptor] = file;
}

Result<void> can_install_fd(files_struct& table) {
    u64 limit = rlimit(RLIMIT_NOFILE);
    SpinGuard guard(table.file_lock);
    return find_next_fd(table, table.next_fd) < limit ? Result<void>() : Errno::EMFILE;
}

Result<void> replace_fd(files_struct& table, i32 descriptor, struct file* file, bool close_on_exec) {
    if (descriptor < 0 || static_cast<u64>(descriptor) >= rlimit(RLIMIT_NOFILE)) return Errno::EBADF;
    u32 index = static_cast<u32>(descriptor);
    for (;;) {
        {
            SpinGuard guard(table.file_lock);
            if (index < table.max_fds) {
                struct file* old = table.fd[index];
                if (!old && in_use(table, index)) return Errno::EBUSY;
                table.fd[index] = file;
                set_open_fd(table, index);
                mark(table, index, close_on_exec);
                file = old;
                break;
            }
        }
        TRY(expand_files(table, index));
    }
    filp_close(file, table);
    return {};
}

Result<struct file*> fget(i32 descriptor) {
    struct file* file = TRY(fget_raw(descriptor));
    if (!(file->f_flags & O_PATH)) return file;
    fput(file);
    return Errno::EBADF;
}

Result<struct file*> fget_raw(i32 descriptor) {
    files_struct* table = get_current()->files;
    if (!table || descriptor < 0) return Errno::EBADF;
    SpinGuard guard(table->file_lock);
    struct file* file = static_cast<u32>(descriptor) < table->max_fds ? table->fd[descriptor] : nullptr;
    if (!file) return Errno::EBADF;
    get_file(file);
    return file;
}

bool get_close_on_exec(files_struct& table, i32 descriptor) {
    SpinGuard guard(table.file_lock);
    return static_cast<u32>(descriptor) < table.max_fds &&
           (table.close_on_exec[descriptor / 64] >> (descriptor % 64) & 1);
}

void set_close_on_exec(files_struct& table, i32 descriptor, bool on) {
    SpinGuard guard(table.file_lock);
    // Another thread may have closed it since it was found.
    if (static_cast<u32>(descriptor) < table.max_fds && table.fd[descriptor])
        mark(table, static_cast<u32>(descriptor), on);
}

Result<void> close_fd(files_struct& table, i32 descriptor) {
    struct file* file = nullptr;
    {
        SpinGuard guard(table.file_lock);
        if (descriptor >= 0 && static_cast<u32>(descriptor) < table.max_fds) {
            file = table.fd[descriptor];
            table.fd[descriptor] = nullptr;
            if (file) release(table, static_cast<u32>(descriptor));
        }
    }
    if (!file) return Errno::EBADF;
    filp_close(file, table);
    return {};
}

void do_close_on_exec(files_struct& table) { // nobody else uses it any more
    for (u32 word = 0; word < words_of(table.max_fds); word++)
        for (u64 left = table.close_on_exec[word]; left; left &= left - 1)
            (void)close_fd(table, static_cast<i32>(word * 64 + static_cast<u32>(__builtin_ctzll(left))));
}

fs_struct* alloc_fs_struct() {
    auto* context = make<fs_struct>();
    if (!context) return nullptr;
    if (root_dentry) {
        dget(context->root = root_dentry);
        dget(context->pwd = root_dentry);
    }
    return context;
}

fs_struct* copy_fs_struct(fs_struct& from) {
    auto* copy = make<fs_struct>();
    if (!copy) return nullptr;
    SpinGuard guard(from.lock);
    if ((copy->root = from.root ? from.root : root_dentry)) dget(copy->root);
    if ((copy->pwd = from.pwd ? from.pwd : root_dentry)) dget(copy->pwd);
    copy->umask = from.umask;
    return copy;
}

struct dentry* get_fs_root() {
    fs_struct* fs = get_current()->fs;
    if (!fs) return dget(root_dentry), root_dentry;
    SpinGuard guard(fs->lock);
    struct dentry* root = fs->root ? fs->root : root_dentry;
    dget(root);
    return root;
}

struct dentry* get_fs_pwd() {
    fs_struct* fs = get_current()->fs;
    if (!fs) return dget(root_dentry), root_dentry;
    SpinGuard guard(fs->lock);
    struct dentry* pwd = fs->pwd ? fs->pwd : fs->root ? fs->root : root_dentry;
    dget(pwd);
    return pwd;
}

static void replace_path(fs_struct& fs, struct dentry*& place, struct dentry* dentry) {
    struct dentry* old;
    {
        SpinGuard guard(fs.lock);
        old = place;
        place = dentry;
    }
    dput(old);
}
void set_fs_pwd(fs_struct& fs, struct dentry* dentry) { replace_path(fs, fs.pwd, dentry); }
void set_fs_root(fs_struct& fs, struct dentry* dentry) { replace_path(fs, fs.root, dentry); }

void free_fs_struct(fs_struct* context) {
    if (!context || __atomic_sub_fetch(&context->users, 1, __ATOMIC_ACQ_REL)) return;
    if (context->root) dput(context->root);
    if (context->pwd) dput(context->pwd);
    destroy(context);
}

} // namespace kernel
