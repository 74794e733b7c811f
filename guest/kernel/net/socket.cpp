// Sockets as files (sockfs), and the pieces of memory that a message is made of. See socket.h.
#include "net/socket.h"

#include "arch/x86_64/user_access.h"
#include "fs/poll.h"
#include "lib/format.h"
#include "mm/slab.h"
#include "net/unix/af_unix.h"
#include "task/task.h"

namespace kernel {
namespace {

/// Calls move(segment, its offset, bytes) over the next `size` bytes.
template <typename Move> Result<void> advance(iov_iter& iter, usize size, Move move) {
    if (size > iter.count) return Errno::EFAULT;
    for (usize done = 0; done < size;) {
        const IoBuffer& segment = *iter.segments;
        usize run = min(size - done, segment.size - iter.iov_offset);
        if (run) TRY(move(segment, iter.iov_offset, done, run));
        done += run, iter.iov_offset += run, iter.count -= run;
        if (iter.iov_offset == segment.size && iter.nr_segs > 1) {
            iter.segments++, iter.nr_segs--;
            iter.iov_offset = 0;
        }
    }
    return {};
}

} // namespace

Result<void> copy_to_iter(const void* from, usize size, iov_iter& iter) {
    return advance(iter, size, [&](const IoBuffer& segment, usize offset, usize done, usize run) {
        return segment.store(offset, static_cast<const u8*>(from) + done, run);
    });
}

Result<void> copy_from_iter(void* to, usize size, iov_iter& iter) {
    return advance(iter, size, [&](const IoBuffer& segment, usize offset, usize done, usize run) {
        return segment.load(static_cast<u8*>(to) + done, offset, run);
    });
}

void sock_init() { skb_init(); }

struct socket* sock_from_file(struct file& file) {
    return (file.f_inode->i_mode & S_IFMT) == S_IFSOCK && file.f_op == file.f_inode
               ? static_cast<struct socket*>(file.f_inode)
               : nullptr;
}

Result<struct socket*> sock_alloc() {
    static constinit u64 next_number = 1;
    auto* sock = make<struct socket>();
    if (!sock) return Errno::ENOMEM;
    sock->i_ino = __atomic_fetch_add(&next_number, 1, __ATOMIC_RELAXED);
    sock->i_mode = S_IFSOCK | 0777;
    sock->i_uid = current_cred()->fsuid;
    sock->i_gid = current_cred()->fsgid;
    return sock;
}

void socket::evict_inode() {
    if (sk) ops->release(*this); // one that never had a file
    destroy(this);
}

Result<struct file*> sock_alloc_file(struct socket* sock, u32 flags) {
    auto* file = make<struct file>();
    if (!file) {
        iput(sock);
        return Errno::ENOMEM;
    }
    char name[32];
    usize length = format_text(name, sizeof name, "socket:[%lu]", sock->i_ino);
    Result<struct dentry*> dentry = d_add(nullptr, StringView(name, length), sock);
    if (!dentry.ok()) {
        destroy(file);
        return dentry.error();
    }
    file->f_dentry = dentry.value();
    file->f_inode = sock;
    file->f_op = sock;
    file->f_flags = O_RDWR | (flags & O_NONBLOCK);
    __atomic_store_n(&sock->file, file, __ATOMIC_RELEASE);
    return file;
}

namespace {

Result<usize> sock_read_iter(struct socket& sock, const struct file& file, iov_iter iter) {
    if (!iter.count) return usize{0};
    msghdr message;
    message.msg_iter = iter;
    return sock.ops->recvmsg(sock, message, iter.count, file.f_flags & O_NONBLOCK ? MSG_DONTWAIT : 0);
}

Result<usize> sock_write_iter(struct socket& sock, const struct file& file, iov_iter iter) {
    msghdr message;
    message.msg_iter = iter;
    message.msg_flags = file.f_flags & O_NONBLOCK ? MSG_DONTWAIT : 0;
    if (sock.type == SOCK_SEQPACKET) message.msg_flags |= MSG_EOR;
    return sock.ops->sendmsg(sock, message, iter.count);
}

} // namespace

Result<usize> socket::read(struct file& f, IoBuffer buffer, u64) {
    return sock_read_iter(*this, f, {&buffer, 1, 0, buffer.size});
}
Result<usize> socket::write(struct file& f, IoBuffer buffer, u64&) {
    return sock_write_iter(*this, f, {&buffer, 1, 0, buffer.size});
}
Result<u64> socket::control(struct file&, u32 command, u64 argument) {
    return ops->ioctl(*this, command, argument);
}

Result<void> import_iovec(u64 vectors, u64 count, IoVectors& out) {
    struct iovec {
        u64 base, length;
    };
    constexpr u64 MAX_RW_COUNT = 0x7ffff000;
    if (count > array_size(out.embedded)) {
        out.segments = static_cast<IoBuffer*>(kmalloc(count * sizeof(IoBuffer)));
        if (!out.segments) return Errno::ENOMEM;
    }
    u64 total = 0;
    for (u64 i = 0; i < count; i++) {
        iovec vector = TRY(get_user<iovec>(vectors + i * sizeof(iovec)));
        if (static_cast<i64>(vector.length) < 0) return Errno::EINVAL;
        u64 size = min(vector.length, MAX_RW_COUNT - total);
        if (size && !access_ok(vector.base, size)) return Errno::EFAULT;
        out.segments[i] = IoBuffer::of_user(vector.base, size);
        total += size;
    }
    out.iter = {out.segments, count, 0, total};
    return {};
}
IoVectors::~IoVectors() {
    if (segments != embedded) kfree(segments);
}

Result<i64> sock_readv_writev(struct file& file, u64 vectors, i32 count, bool write) {
    IoVectors pieces;
    TRY(import_iovec(vectors, static_cast<u64>(count), pieces));
    struct socket& sock = *sock_from_file(file);
    return static_cast<i64>(TRY((write ? sock_write_iter : sock_read_iter)(sock, file, pieces.iter)));
}

} // namespace kernel
