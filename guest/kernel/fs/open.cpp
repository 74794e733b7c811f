// Open files: open, read, write, truncate, stat. See vfs.h.
#include "arch/x86_64/user_access.h"
#include "fs/dev/devtmpfs.h"
#include "fs/eventpoll.h"
#include "fs/pipe.h"
#include "fs/filelock.h"
#include "fs/vfs.h"
#include "mm/slab.h"
#include "sched/scheduler.h"
#include "sync/spinlock.h"
#include "task/signal.h"
#include "task/task.h"
#include "time/timekeeping.h"

namespace kernel {

Result<void> IoBuffer::store(usize offset, const void* from, usize count) const {
    if (offset + count > size) return Errno::EINVAL;
    if (user) return copy_to_user(address + offset, from, count);
    memcpy(reinterpret_cast<void*>(address + offset), from, count);
    return {};
}

Result<void> IoBuffer::load(void* to, usize offset, usize count) const {
    if (offset + count > size) return Errno::EINVAL;
    if (user) return copy_from_user(to, address + offset, count);
    memcpy(to, reinterpret_cast<const void*>(address + offset), count);
    return {};
}

Result<void> IoBuffer::zero(usize offset, usize count) const {
    if (offset + count > size) return Errno::EINVAL;
    if (user) return clear_user(address + offset, count);
    memset(reinterpret_cast<void*>(address + offset), 0, count);
    return {};
}

Result<void> IoBuffer::fault_in_readable(usize offset, usize count) const {
    if (!user) return {};
    for (u64 at = address + offset, end = at + count; at < end; at = align_down(at, PAGE_SIZE) + PAGE_SIZE)
        TRY(get_user<u8>(at));
    return {};
}

Result<void> IoBuffer::load_atomic(void* to, usize offset, usize count) const {
    preempt_disable(); // the fault handler resolves nothing then
    Result<void> loaded = load(to, offset, count);
    preempt_enable();
    return loaded;
}

u64 current_time_seconds() { return ktime_get_real_ns() / 1'000'000'000; }

void get_file(struct file* file) { __atomic_fetch_add(&file->f_count, 1, __ATOMIC_RELAXED); }

void fput(struct file* file) {
    if (!file || __atomic_sub_fetch(&file->f_count, 1, __ATOMIC_ACQ_REL)) return;
    if (file->f_ep.linked()) eventpoll_release_file(file);
    locks_remove_file(*file);
    if (file->f_writes) {
        put_write_access(*file->f_inode);
        __atomic_sub_fetch(&file->f_inode->i_sb->s_open_for_write, 1, __ATOMIC_RELEASE);
    }
    file->f_op->release(*file);
    if (file->f_dentry)
        dput(file->f_dentry);
    else
        iput(file->f_inode);
    destroy(file);
}

Result<struct file*> do_dentry_open(struct dentry* dentry, u32 flags) {
    struct inode* inode = dentry->d_inode;
    auto* file = make<struct file>();
    if (!file) return Errno::ENOMEM;
    file->f_flags = flags; // a terminal asks for O_NOCTTY
    file->f_inode = inode;
    file->f_op = inode;
    file->f_mapping = &inode->i_data;
    Result<void> opened = [&]() -> Result<void> {
        switch (inode->i_mode & S_IFMT) {
        case S_IFCHR:
        case S_IFBLK: {
            struct inode* device = find_device(inode->i_mode, inode->i_rdev);
            if (!device) return Errno::ENXIO;
            file->f_op = device;
            file->f_mapping = &device->i_data;
            break;
        }
        case S_IFIFO: file->f_op = &pipefifo_fops; break;
        case S_IFSOCK: return Errno::ENXIO;
        default: break;
        }
        return file->f_op->open(*file);
    }();
    if (!opened.ok()) {
        destroy(file);
        return opened.error();
    }
    file->f_flags &= ~u32{O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC};
    dget(dentry);
    file->f_dentry = dentry;
    return file;
}

namespace {
/// What a file that O_PATH opened can do: nothing.
struct EmptyOperations final : file_operations {};
constinit EmptyOperations empty_fops;

Result<struct file*> do_o_path(struct dentry* dentry, u32 flags) {
    auto* file = make<struct file>();
    if (!file) return Errno::ENOMEM;
    file->f_inode = dentry->d_inode;
    file->f_op = &empty_fops;
    file->f_mapping = &dentry->d_inode->i_data;
    file->f_flags = flags & ~u32{O_CLOEXEC};
    dget(file->f_dentry = dentry);
    return file;
}
} // namespace

Result<struct file*> alloc_file_pseudo(struct inode* inode, u32 flags) {
    auto* file = make<struct file>();
    if (!file) return Errno::ENOMEM;
    file->f_inode = inode;
    file->f_op = inode;
    file->f_mapping = &inode->i_data;
    file->f_flags = flags;
    return file;
}

namespace {

/// What is to be opened: found, or made (O_CREAT), with symbolic links followed to their end.
Result<struct dentry*> open_last_lookups(struct dentry* base, const char* path, u32 flags, u32 mode,
                                         bool& created) {
    if (!(flags & O_CREAT)) return filename_lookup(base, path, flags & O_NOFOLLOW ? 0 : FollowLast);
    char* target = nullptr;
    if (base)
        dget(base);
    else
        base = get_fs_pwd();
    Result<struct dentry*> result = Errno::ELOOP;
    for (unsigned links = 0; links <= 40; links++) {
        LastName last;
        Result<struct dentry*> parent = filename_parentat(base, path, last);
        dput(base);
        base = nullptr;
        if (!parent.ok()) {
            result = parent.error();
            break;
        }
        base = parent.value();
        if (!last.ordinary() || last.slash) {
            result = Errno::EISDIR;
            break;
        }
        result = lookup_open(base, last, flags, mode, created);
        if (!result.ok() || !is_symlink(result.value()->d_inode->i_mode) || (flags & O_NOFOLLOW)) break;
        struct dentry* link = result.value();
        if (Result<struct dentry*> jump = link->d_inode->jump_link(); jump.ok()) {
            dput(link);
            result = jump;
            break;
        }
        if (!target) target = static_cast<char*>(kmalloc(PathMax));
        Result<usize> length =
            target ? link->d_inode->read_link(target, PathMax - 1) : Result<usize>(Errno::ENOMEM);
        dput(link);
        if (!length.ok()) {
            result = length.error();
            break;
        }
        target[length.value()] = 0;
        path = target;
        result = Errno::ELOOP;
    }
    dput(base);
    kfree(target);
    return result;
}

} // namespace

Result<struct file*> do_filp_open(struct dentry* base, const char* path, u32 flags, u32 mode) {
    bool created = false;
    if (flags & O_PATH) flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    struct dentry* dentry = TRY(open_last_lookups(base, path, flags, mode, created));
    while (dentry->mounted && (flags & O_CREAT)) { // a mounted directory can only be refused, by its mode
        struct dentry* inside = dentry->mounted;
        dget(inside);
        dput(dentry);
        dentry = inside;
    }
    struct inode* inode = dentry->d_inode;
    Result<struct file*> result = [&]() -> Result<struct file*> {
        if ((flags & O_DIRECTORY) && !is_directory(inode->i_mode)) return Errno::ENOTDIR;
        if (flags & O_PATH) return do_o_path(dentry, flags);
        if (is_symlink(inode->i_mode)) return Errno::ELOOP;
        bool writes = (flags & O_ACCMODE) != O_RDONLY;
        if (is_directory(inode->i_mode) && (writes || (flags & O_CREAT))) return Errno::EISDIR;
        u32 wanted =
            ((flags & O_ACCMODE) != O_WRONLY ? MAY_READ : 0) | (writes || (flags & O_TRUNC) ? MAY_WRITE : 0);
        if (!created) TRY(inode_permission(*inode, wanted));
        if ((flags & O_NOATIME) && !capable(*current_cred()) && current_cred()->fsuid != inode->i_uid)
            return Errno::EPERM;
        bool counts = writes && is_regular(inode->i_mode);
        if (counts) {
            TRY(get_write_access(*inode));
            __atomic_add_fetch(&inode->i_sb->s_open_for_write, 1, __ATOMIC_SEQ_CST);
        }
        Result<struct file*> opened = [&]() -> Result<struct file*> {
            if (counts && __atomic_load_n(&inode->i_sb->s_readonly, __ATOMIC_SEQ_CST)) return Errno::EROFS;
            if ((flags & O_TRUNC) && is_regular(inode->i_mode) && !created && writes)
                TRY(do_truncate(*inode, 0));
            return do_dentry_open(dentry, flags);
        }();
        if (opened.ok())
            opened.value()->f_writes = counts;
        else if (counts) {
            put_write_access(*inode);
            __atomic_sub_fetch(&inode->i_sb->s_open_for_write, 1, __ATOMIC_RELEASE);
        }
        return opened;
    }();
    dput(dentry);
    return result;
}

Result<u64> file_size_limit(u64 position) {
    u64 limit = rlimit(RLIMIT_FSIZE);
    if (position < limit) return limit;
    send_sig(get_current(), SIGXFSZ);
    return Errno::EFBIG;
}

Result<void> do_truncate(struct inode& inode, u64 size) {
    if (inode.i_sb && inode.i_sb->s_readonly) return Errno::EROFS;
    if (inode.i_sb && size > inode.i_sb->s_maxbytes) return Errno::EFBIG;
    if (is_regular(inode.i_mode) && size > inode.i_size && size > rlimit(RLIMIT_FSIZE))
        TRY(file_size_limit(size));
    MutexGuard guard(inode.i_rwsem);
    file_remove_privs(inode);
    return inode.truncate(size);
}

void file_remove_privs(struct inode& inode) {
    u32 privileges = inode.i_mode & 06000;
    if (!(inode.i_mode & 010)) privileges &= ~u32{02000}; // without group execution it means something else
    if (!privileges || !is_regular(inode.i_mode) || capable(*current_cred())) return;
    inode.i_mode &= ~privileges;
    inode.i_ctime = current_time_seconds();
    mark_inode_dirty(&inode);
}

Result<IoBuffer> user_buffer(IoBuffer buffer) {
    constexpr usize MAX_RW_COUNT = 0x7ffff000;
    if (buffer.user && !access_ok(buffer.address, buffer.size)) return Errno::EFAULT;
    buffer.size = min(buffer.size, MAX_RW_COUNT);
    return buffer;
}

Result<usize> read_file(struct file& file, IoBuffer buffer) {
    if (!file.readable()) return Errno::EBADF;
    buffer = TRY(user_buffer(buffer));
    if (is_directory(file.f_inode->i_mode)) return Errno::EISDIR;
    if (!file.f_op->seekable()) return file.f_op->read(file, buffer, 0);
    MutexGuard guard(file.f_pos_lock);
    usize count = TRY(file.f_op->read(file, buffer, file.f_pos));
    file.f_pos += count;
    return count;
}

Result<usize> write_file(struct file& file, IoBuffer buffer) {
    u64 unused = 0;
    if (!file.writable()) return Errno::EBADF;
    buffer = TRY(user_buffer(buffer));
    if (!file.f_op->seekable()) return file.f_op->write(file, buffer, unused);
    MutexGuard guard(file.f_pos_lock);
    return file.f_op->write(file, buffer, file.f_pos);
}

Result<usize> vfs_read(struct file& file, IoBuffer buffer) {
    Result<usize> moved = read_file(file, buffer);
    if (file.readable()) get_current()->ioac.count_read(moved);
    return moved;
}

Result<usize> vfs_write(struct file& file, IoBuffer buffer) {
    Result<usize> moved = write_file(file, buffer);
    if (file.writable()) get_current()->ioac.count_written(moved);
    return moved;
}

Result<usize> kernel_read(struct file& file, void* to, usize size, u64 position) {
    return file.f_op->read(file, IoBuffer::of_kernel(to, size), position);
}

Result<u64> seek_hole_data(struct inode& inode, i64 offset, bool data) {
    u64 size = inode.i_size, position = static_cast<u64>(offset);
    if (offset < 0 || position >= size) return Errno::ENXIO;
    for (u64 index = position >> PAGE_SHIFT; index << PAGE_SHIFT < size; index++) {
        if (TRY(inode.page_is_data(index)) == data) return max(position, index << PAGE_SHIFT);
        if (!(index & 0xfff) && signal_pending_state(TASK_KILLABLE, *get_current())) return Errno::EINTR;
    }
    return data ? Result<u64>(Errno::ENXIO) : size;
}

Result<void> vfs_fsync(struct file& file) {
    return file.f_mapping ? file.f_mapping->host->sync() : Result<void>(Errno::EINVAL);
}

void generic_fillattr(struct inode& inode, Stat& stat) {
    stat = {};
    stat.st_dev = inode.i_sb ? inode.i_sb->s_dev : 0;
    stat.st_ino = inode.i_ino;
    stat.st_nlink = inode.i_nlink;
    stat.st_mode = inode.i_mode;
    stat.st_uid = inode.i_uid;
    stat.st_gid = inode.i_gid;
    stat.st_rdev = inode.i_rdev;
    stat.st_size = static_cast<i64>(inode.i_size);
    stat.st_blksize = inode.i_sb ? static_cast<i64>(inode.i_sb->s_blocksize) : 4096;
    stat.st_blocks = static_cast<i64>(inode.i_blocks);
    stat.st_atime = inode.i_atime;
    stat.st_mtime = inode.i_mtime;
    stat.st_ctime = inode.i_ctime;
}

} // namespace kernel
