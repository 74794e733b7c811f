// System calls on open files: read, write, seek, stat, dup, fcntl, ioctl, pipes, poll.
#include "arch/x86_64/user_access.h"
#include "fs/pipe.h"
#include "fs/filelock.h"
#include "fs/vfs.h"
#include "lib/log.h"
#include "mm/slab.h"
#include "net/socket.h"
#include "sched/scheduler.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "time/tick.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

/// Drops the reference when the call ends.
struct FileReference {
    struct file* file;
    explicit FileReference(struct file* taken) : file(taken) {}
    ~FileReference() { fput(file); }
    FileReference(const FileReference&) = delete;
    FileReference& operator=(const FileReference&) = delete;
    struct file* operator->() const { return file; }
    struct file& operator*() const { return *file; }
};

Result<i64> sys_read(i32 descriptor, u64 buffer, usize size) {
    FileReference file(TRY(fget(descriptor)));
    return static_cast<i64>(TRY(vfs_read(*file, IoBuffer::of_user(buffer, size))));
}

Result<i64> sys_write(i32 descriptor, u64 buffer, usize size) {
    FileReference file(TRY(fget(descriptor)));
    return static_cast<i64>(TRY(vfs_write(*file, IoBuffer::of_user(buffer, size))));
}

Result<i64> sys_pread64(i32 descriptor, u64 buffer, usize size, i64 position) {
    FileReference file(TRY(fget(descriptor)));
    if (position < 0) return Errno::EINVAL;
    if (!file->readable()) return Errno::EBADF;
    if (!file->f_op->seekable()) return Errno::ESPIPE;
    if (is_directory(file->f_inode->i_mode)) return Errno::EISDIR;
    IoBuffer target = TRY(user_buffer(IoBuffer::of_user(buffer, size)));
    Result<usize> moved = file->f_op->read(*file, target, static_cast<u64>(position));
    get_current()->ioac.count_read(moved);
    return static_cast<i64>(TRY(moved));
}

Result<i64> sys_pwrite64(i32 descriptor, u64 buffer, usize size, i64 position) {
    FileReference file(TRY(fget(descriptor)));
    if (position < 0) return Errno::EINVAL;
    if (!file->writable()) return Errno::EBADF;
    if (!file->f_op->seekable()) return Errno::ESPIPE;
    IoBuffer source = TRY(user_buffer(IoBuffer::of_user(buffer, size)));
    u64 at = static_cast<u64>(position);
    Result<usize> moved = file->f_op->write(*file, source, at);
    get_current()->ioac.count_written(moved);
    return static_cast<i64>(TRY(moved));
}

struct IoVector {
    u64 base, length;
};

/// All of them are checked before any is used: negative lengths first, then addresses.
Result<void> check_vectors(u64 vectors, i32 count) {
    if (count < 0 || count > 1024) return Errno::EINVAL;
    for (int pass = 0; pass < 2; pass++)
        for (i32 i = 0; i < count; i++) {
            IoVector v = TRY(get_user<IoVector>(vectors + static_cast<u64>(i) * sizeof(IoVector)));
            if (!pass && static_cast<i64>(v.length) < 0) return Errno::EINVAL;
            if (pass && !access_ok(v.base, v.length)) return Errno::EFAULT;
        }
    return {};
}

/// `position`: where preadv and pwritev begin; null: the file's own place.
Result<i64> read_or_write_vectors(i32 descriptor, u64 vectors, i32 count, bool write,
                                  u64* position = nullptr) {
    FileReference file(TRY(fget(descriptor)));
    if (position && static_cast<i64>(*position) < 0) return Errno::EINVAL;
    if (position && !file->f_op->seekable()) return Errno::ESPIPE;
    if (!(write ? file->writable() : file->readable())) return Errno::EBADF;
    if (!write && is_directory(file->f_inode->i_mode)) return Errno::EISDIR;
    TRY(check_vectors(vectors, count));
    if (sock_from_file(*file)) return sock_readv_writev(*file, vectors, count, write);
    constexpr u64 MAX_RW_COUNT = 0x7ffff000;
    i64 total = 0;
    for (i32 i = 0; i < count; i++) {
        IoVector v = TRY(get_user<IoVector>(vectors + static_cast<u64>(i) * sizeof(IoVector)));
        if (!v.length) continue;
        IoBuffer buffer =
            IoBuffer::of_user(v.base, min<u64>(v.length, MAX_RW_COUNT - static_cast<u64>(total)));
        Result<usize> moved = !position ? write ? write_file(*file, buffer) : read_file(*file, buffer)
                              : write ? file->f_op->write(*file, buffer, *position)
                                        : file->f_op->read(*file, buffer, *position);
        if (!moved.ok()) {
            if (total) return total;
            return moved.error();
        }
        total += static_cast<i64>(moved.value());
        if (position && !write) *position += moved.value();
        if (moved.value() < v.length) break;
    }
    return total;
}
Result<i64> do_readv_writev(i32 descriptor, u64 vectors, i32 count, bool write, u64* position = nullptr) {
    Result<i64> moved = read_or_write_vectors(descriptor, vectors, count, write, position);
    Result<usize> counted = moved.ok() ? Result<usize>(static_cast<usize>(moved.value())) : moved.error();
    task_io_accounting& io = get_current()->ioac;
    write ? io.count_written(counted) : io.count_read(counted);
    return moved;
}
Result<i64> sys_readv(i32 descriptor, u64 vectors, i32 count) {
    return do_readv_writev(descriptor, vectors, count, false);
}
Result<i64> sys_writev(i32 descriptor, u64 vectors, i32 count) {
    return do_readv_writev(descriptor, vectors, count, true);
}
Result<i64> sys_preadv(i32 descriptor, u64 vectors, i32 count, u64 position) {
    return do_readv_writev(descriptor, vectors, count, false, &position);
}
Result<i64> sys_pwritev(i32 descriptor, u64 vectors, i32 count, u64 position) {
    return do_readv_writev(descriptor, vectors, count, true, &position);
}

Result<i64> sys_lseek(i32 descriptor, i64 offset, u32 whence) {
    FileReference file(TRY(fget(descriptor)));
    if (!file->f_op->seekable()) return Errno::ESPIPE;
    MutexGuard guard(file->f_pos_lock);
    if (whence == 3 || whence == 4) { // SEEK_DATA, SEEK_HOLE
        file->f_pos = TRY(seek_hole_data(*file->f_mapping->host, offset, whence == 3));
        return static_cast<i64>(file->f_pos);
    }
    i64 base = whence == 0   ? 0
               : whence == 1 ? static_cast<i64>(file->f_pos)
               : whence == 2 ? static_cast<i64>(file->f_mapping->host->i_size)
                             : -1;
    if (base < 0) return Errno::EINVAL;
    i64 target;
    if (__builtin_add_overflow(base, offset, &target) || target < 0) return Errno::EINVAL;
    file->f_pos = static_cast<u64>(target);
    return target;
}

Result<i64> sys_close(i32 descriptor) {
    TRY(close_fd(*get_current()->files, descriptor));
    return i64{0};
}

Result<i64> sys_fstat(i32 descriptor, u64 target) {
    FileReference file(TRY(fget_raw(descriptor)));
    Stat stat;
    generic_fillattr(*file->f_inode, stat);
    TRY(put_user(target, stat));
    return i64{0};
}

Result<i64> duplicate(i32 descriptor, i32 at_least, bool close_on_exec) {
    struct file* file = TRY(fget_raw(descriptor));
    Result<i32> installed = fd_install(*get_current()->files, file, close_on_exec, at_least);
    if (!installed.ok()) {
        fput(file);
        return installed.error();
    }
    return i64{installed.value()};
}
Result<i64> sys_dup(i32 descriptor) { return duplicate(descriptor, 0, false); }

Result<i64> sys_dup3(i32 from, i32 to, u32 flags) {
    if (from == to) return Errno::EINVAL;
    if (flags & ~O_CLOEXEC) return Errno::EINVAL;
    if (to < 0 || static_cast<u64>(to) >= rlimit(RLIMIT_NOFILE)) return Errno::EBADF;
    struct file* file = TRY(fget_raw(from));
    Result<void> replaced = replace_fd(*get_current()->files, to, file, flags & O_CLOEXEC);
    if (!replaced.ok()) {
        fput(file);
        return replaced.error();
    }
    return i64{to};
}

Result<i64> sys_dup2(i32 from, i32 to) {
    if (from != to) return sys_dup3(from, to, 0);
    FileReference file(TRY(fget_raw(from)));
    return i64{to};
}

Result<i64> sys_pipe2(u64 target, u32 flags) {
    struct file* files[2];
    TRY(do_pipe_flags(files, flags));
    files_struct& table = *get_current()->files;
    i32 pair[2] = {-1, -1};
    Result<void> result = [&]() -> Result<void> {
        for (i32& descriptor : pair) descriptor = TRY(get_unused_fd(table, flags & O_CLOEXEC));
        return copy_to_user(target, pair, sizeof pair);
    }();
    for (unsigned i = 0; i < 2; i++) {
        if (result.ok()) {
            fd_publish(table, pair[i], files[i]);
            continue;
        }
        if (pair[i] >= 0) put_unused_fd(table, pair[i]);
        fput(files[i]);
    }
    return result.ok() ? Result<i64>(i64{0}) : result.error();
}
Result<i64> sys_pipe(u64 target) { return sys_pipe2(target, 0); }

Result<i64> sys_fcntl(i32 descriptor, u32 command, u64 argument) {
    FileReference file(TRY(fget_raw(descriptor)));
    files_struct& table = *get_current()->files;
    if ((file->f_flags & O_PATH) && command > 3 && command != 1030) return Errno::EBADF;
    switch (command) {
    case 0: // F_DUPFD, F_DUPFD_CLOEXEC
    case 1030:
        if (static_cast<u32>(argument) >= rlimit(RLIMIT_NOFILE)) return Errno::EINVAL;
        return duplicate(descriptor, static_cast<i32>(argument), command != 0);
    case 1: return i64{get_close_on_exec(table, descriptor)};                  // F_GETFD
    case 2: set_close_on_exec(table, descriptor, argument & 1); return i64{0}; // F_SETFD
    case 3: return i64{file->f_flags};                                         // F_GETFL
    case 4:                                                                    // F_SETFL
        file->f_flags = (file->f_flags & ~(O_APPEND | O_NONBLOCK)) |
                        (static_cast<u32>(argument) & (O_APPEND | O_NONBLOCK));
        return i64{0};
    default: break;
    }
    if (!is_lock_command(command)) return Errno::EINVAL;
    if (command == 5 || command == 36)
        TRY(fcntl_getlk(*file, command, argument));
    else
        TRY(fcntl_setlk(descriptor, *file, command, argument));
    return i64{0};
}

Result<i64> sys_ioctl(i32 descriptor, u32 command, u64 argument) {
    FileReference file(TRY(fget(descriptor)));
    switch (command) { // what every file knows
    case 0x5450:       // FIONCLEX, FIOCLEX
    case 0x5451: set_close_on_exec(*get_current()->files, descriptor, command == 0x5451); return i64{0};
    case 0x5421: { // FIONBIO
        i32 on = TRY(get_user<i32>(argument));
        file->f_flags = on ? file->f_flags | O_NONBLOCK : file->f_flags & ~O_NONBLOCK;
        return i64{0};
    }
    default: break;
    }
    return static_cast<i64>(TRY(file->f_op->control(*file, command, argument)));
}

Result<i64> sys_fsync(i32 descriptor) {
    FileReference file(TRY(fget(descriptor)));
    TRY(vfs_fsync(*file));
    return i64{0};
}

Result<i64> sys_ftruncate(i32 descriptor, i64 size) {
    FileReference file(TRY(fget(descriptor)));
    if (size < 0 || !file->writable() || !is_regular(file->f_inode->i_mode)) return Errno::EINVAL;
    TRY(do_truncate(*file->f_inode, static_cast<u64>(size)));
    return i64{0};
}

Result<i64> sys_sendfile(i32 out, i32 in, u64 offset_address, usize count) {
    FileReference target(TRY(fget(out))), source(TRY(fget(in)));
    if (!source->readable() || !target->writable()) return Errno::EBADF;
    if (!source->f_op->seekable() || !is_regular(source->f_inode->i_mode) || (target->f_flags & O_APPEND))
        return Errno::EINVAL;
    u64 position = offset_address ? TRY(get_user<u64>(offset_address)) : source->f_pos;
    auto* chunk = static_cast<char*>(kmalloc(PAGE_SIZE));
    if (!chunk) return Errno::ENOMEM;
    i64 total = 0;
    Result<usize> moved = usize{0};
    while (count) {
        moved = kernel_read(*source, chunk, min<usize>(count, PAGE_SIZE), position);
        if (!moved.ok() || !moved.value()) break;
        moved = write_file(*target, IoBuffer::of_kernel(chunk, moved.value()));
        if (!moved.ok()) break;
        position += moved.value(), count -= moved.value(), total += static_cast<i64>(moved.value());
    }
    kfree(chunk);
    get_current()->ioac.count_read(static_cast<usize>(total));
    get_current()->ioac.count_written(static_cast<usize>(total));
    if (offset_address)
        TRY(put_user(offset_address, position));
    else
        source->f_pos = position;
    if (!total && !moved.ok()) return moved.error();
    return total;
}

using enum ArgumentKind;
constexpr SyscallRow rows[] = {
    row<sys_read>(0, "read", Descriptor, Buffer, Unsigned),
    row<sys_write>(1, "write", Descriptor, Buffer, Unsigned),
    row<sys_close>(3, "close", Descriptor),
    row<sys_fstat>(5, "fstat", Descriptor, Pointer),
    row<sys_lseek>(8, "lseek", Descriptor, Int, Unsigned),
    row<sys_ioctl>(16, "ioctl", Descriptor, Hex, Hex),
    row<sys_pread64>(17, "pread64", Descriptor, Buffer, Unsigned, Int),
    row<sys_pwrite64>(18, "pwrite64", Descriptor, Buffer, Unsigned, Int),
    row<sys_readv>(19, "readv", Descriptor, Pointer, Int),
    row<sys_writev>(20, "writev", Descriptor, Pointer, Int),
    row<sys_pipe>(22, "pipe", Pointer),
    row<sys_dup>(32, "dup", Descriptor),
    row<sys_dup2>(33, "dup2", Descriptor, Descriptor),
    row<sys_sendfile>(40, "sendfile", Descriptor, Descriptor, Pointer, Unsigned),
    row<sys_fcntl>(72, "fcntl", Descriptor, Unsigned, Hex),
    row<sys_fsync>(74, "fsync", Descriptor),
    row<sys_fsync>(75, "fdatasync", Descriptor),
    row<sys_ftruncate>(77, "ftruncate", Descriptor, Int),
    row<sys_dup3>(292, "dup3", Descriptor, Descriptor, Flags),
    row<sys_pipe2>(293, "pipe2", Pointer, Flags),
    row<sys_preadv>(295, "preadv", Descriptor, Pointer, Int, Int),
    row<sys_pwritev>(296, "pwritev", Descriptor, Pointer, Int, Int),
};

} // namespace

SyscallSpan file_syscalls() { return {rows, array_size(rows)}; }

} // namespace kernel
