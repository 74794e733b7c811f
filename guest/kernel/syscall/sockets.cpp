// System calls on sockets: socket(2), bind(2), connect(2), accept(2), send(2), recv(2) and their like.
#include "arch/x86_64/user_access.h"
#include "fs/vfs.h"
#include "lib/log.h"
#include "mm/slab.h"
#include "net/socket.h"
#include "net/unix/af_unix.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

constexpr usize MAX_RW_COUNT = 0x7ffff000, UIO_MAXIOV = 1024, OptmemMax = 131072;

/// A descriptor's socket, for the length of one call.
struct SocketFile {
    struct file* file = nullptr;
    struct socket* sock = nullptr;
    SocketFile() = default;
    ~SocketFile() { fput(file); }
    SocketFile(const SocketFile&) = delete;
    SocketFile& operator=(const SocketFile&) = delete;
    Result<void> get(i32 descriptor) {
        file = TRY(fget(descriptor));
        return (sock = sock_from_file(*file)) ? Result<void>() : Errno::ENOTSOCK;
    }
    u32 dont_wait() const { return file->f_flags & O_NONBLOCK ? MSG_DONTWAIT : 0; }
    struct socket* operator->() const { return sock; }
};

Result<void> move_addr_to_kernel(u64 address, i32 length, sockaddr_storage& out) {
    if (length < 0 || length > static_cast<i32>(sizeof out)) return Errno::EINVAL;
    out = {};
    return length ? copy_from_user(&out, address, static_cast<usize>(length)) : Result<void>();
}

Result<void> move_addr_to_user(const sockaddr_storage& from, i32 length, u64 address, u64 length_address) {
    i32 room = TRY(get_user<i32>(length_address));
    if (room < 0) return Errno::EINVAL;
    room = min(room, length);
    if (room) TRY(copy_to_user(address, &from, static_cast<usize>(room)));
    return put_user(length_address, length);
}

Result<struct socket*> sock_create(i32 family, i32 type, i32 protocol) {
    if (family < 0 || family >= NPROTO) return Errno::EAFNOSUPPORT;
    if (type < 0 || type >= SOCK_MAX) return Errno::EINVAL;
    if (family != AF_UNIX) return Errno::EAFNOSUPPORT;
    struct socket* sock = TRY(sock_alloc());
    sock->type = static_cast<i16>(type);
    Result<void> created = unix_create(*sock, protocol);
    if (!created.ok()) {
        iput(sock);
        return created.error();
    }
    return sock;
}

Result<i32> sock_map_fd(struct socket* sock, u32 flags) {
    struct file* file = TRY(sock_alloc_file(sock, flags));
    Result<i32> fd = fd_install(*get_current()->files, file, flags & O_CLOEXEC);
    if (!fd.ok()) fput(file);
    return fd;
}

Result<void> check_flags(i32 type) {
    return static_cast<u32>(type) & ~(SOCK_TYPE_MASK | O_CLOEXEC | O_NONBLOCK) ? Result<void>(Errno::EINVAL)
                                                                               : Result<void>();
}

Result<i64> sys_socket(i32 family, i32 type, i32 protocol) {
    TRY(check_flags(type));
    struct socket* sock = TRY(sock_create(family, type & static_cast<i32>(SOCK_TYPE_MASK), protocol));
    return i64{TRY(sock_map_fd(sock, static_cast<u32>(type)))};
}

Result<i64> sys_socketpair(i32 family, i32 type, i32 protocol, u64 target) {
    TRY(check_flags(type));
    struct file* files[2] = {};
    i32 fds[2] = {-1, -1};
    files_struct& table = *get_current()->files;
    Result<void> result = [&]() -> Result<void> {
        struct socket* socks[2];
        for (unsigned i = 0; i < 2; i++) {
            socks[i] = TRY(sock_create(family, type & static_cast<i32>(SOCK_TYPE_MASK), protocol));
            files[i] = TRY(sock_alloc_file(socks[i], static_cast<u32>(type)));
        }
        TRY(socks[0]->ops->socketpair(*socks[0], *socks[1]));
        for (unsigned i = 0; i < 2; i++)
            fds[i] = TRY(get_unused_fd(table, static_cast<u32>(type) & O_CLOEXEC));
        return copy_to_user(target, fds, sizeof fds);
    }();
    for (unsigned i = 0; i < 2; i++) {
        if (result.ok()) {
            fd_publish(table, fds[i], files[i]);
            continue;
        }
        if (fds[i] >= 0) put_unused_fd(table, fds[i]);
        fput(files[i]);
    }
    return result.ok() ? Result<i64>(i64{0}) : result.error();
}

Result<i64> sys_bind(i32 descriptor, u64 address, i32 length) {
    SocketFile sock;
    TRY(sock.get(descriptor));
    sockaddr_storage name;
    TRY(move_addr_to_kernel(address, length, name));
    TRY(sock->ops->bind(*sock.sock, name, length));
    return i64{0};
}

Result<i64> sys_connect(i32 descriptor, u64 address, i32 length) {
    SocketFile sock;
    TRY(sock.get(descriptor));
    sockaddr_storage name;
    TRY(move_addr_to_kernel(address, length, name));
    TRY(sock->ops->connect(*sock.sock, name, length, sock.file->f_flags));
    return i64{0};
}

Result<i64> sys_listen(i32 descriptor, i32 backlog) {
    SocketFile sock;
    TRY(sock.get(descriptor));
    TRY(sock->ops->listen(*sock.sock, backlog));
    return i64{0};
}

Result<i64> sys_accept4(i32 descriptor, u64 address, u64 length_address, u32 flags) {
    if (flags & ~(O_CLOEXEC | O_NONBLOCK)) return Errno::EINVAL;
    SocketFile sock;
    TRY(sock.get(descriptor));
    TRY(can_install_fd(*get_current()->files)); // else who connects stays in the queue
    struct socket* fresh = TRY(sock_alloc());
    fresh->type = sock->type;
    fresh->ops = sock->ops;
    struct file* file = TRY(sock_alloc_file(fresh, flags));
    Result<i64> result = [&]() -> Result<i64> {
        TRY(sock->ops->accept(*sock.sock, *fresh, sock.file->f_flags));
        if (address) {
            sockaddr_storage name;
            Result<i32> length = fresh->ops->getname(*fresh, name, true);
            if (!length.ok()) return Errno::ECONNABORTED;
            TRY(move_addr_to_user(name, length.value(), address, length_address));
        }
        return i64{TRY(fd_install(*get_current()->files, file, flags & O_CLOEXEC))};
    }();
    if (!result.ok()) fput(file);
    return result;
}
Result<i64> sys_accept(i32 descriptor, u64 address, u64 length_address) {
    return sys_accept4(descriptor, address, length_address, 0);
}

Result<i64> get_name(i32 descriptor, u64 address, u64 length_address, bool peer) {
    SocketFile sock;
    TRY(sock.get(descriptor));
    sockaddr_storage name;
    i32 length = TRY(sock->ops->getname(*sock.sock, name, peer));
    TRY(move_addr_to_user(name, length, address, length_address));
    return i64{0};
}
Result<i64> sys_getsockname(i32 descriptor, u64 address, u64 length) {
    return get_name(descriptor, address, length, false);
}
Result<i64> sys_getpeername(i32 descriptor, u64 address, u64 length) {
    return get_name(descriptor, address, length, true);
}

Result<i64> sys_shutdown(i32 descriptor, i32 how) {
    SocketFile sock;
    TRY(sock.get(descriptor));
    TRY(sock->ops->shutdown(*sock.sock, how));
    return i64{0};
}

Result<i64> sys_setsockopt(i32 descriptor, i32 level, i32 name, u64 value, i32 length) {
    if (length < 0) return Errno::EINVAL;
    SocketFile sock;
    TRY(sock.get(descriptor));
    if (level != SOL_SOCKET) return Errno::EOPNOTSUPP;
    TRY(sock_setsockopt(*sock.sock, name, value, length));
    return i64{0};
}

Result<i64> sys_getsockopt(i32 descriptor, i32 level, i32 name, u64 value, u64 length) {
    SocketFile sock;
    TRY(sock.get(descriptor));
    if (level != SOL_SOCKET) return Errno::EOPNOTSUPP;
    TRY(sock_getsockopt(*sock.sock, name, value, length));
    return i64{0};
}

Result<i64> sys_sendto(i32 descriptor, u64 buffer, usize size, u32 flags, u64 address, i32 length) {
    size = min(size, MAX_RW_COUNT);
    if (!access_ok(buffer, size)) return Errno::EFAULT;
    SocketFile sock;
    TRY(sock.get(descriptor));
    IoBuffer segment = IoBuffer::of_user(buffer, size);
    msghdr message;
    message.msg_iter = {&segment, 1, 0, size};
    if (address) {
        TRY(move_addr_to_kernel(address, length, message.msg_name));
        message.msg_namelen = length;
    }
    message.msg_flags = flags | sock.dont_wait();
    return static_cast<i64>(TRY(sock->ops->sendmsg(*sock.sock, message, size)));
}

Result<i64> sys_recvfrom(i32 descriptor, u64 buffer, usize size, u32 flags, u64 address, u64 length_address) {
    size = min(size, MAX_RW_COUNT);
    if (!access_ok(buffer, size)) return Errno::EFAULT;
    SocketFile sock;
    TRY(sock.get(descriptor));
    IoBuffer segment = IoBuffer::of_user(buffer, size);
    msghdr message;
    message.msg_iter = {&segment, 1, 0, size};
    usize count = TRY(sock->ops->recvmsg(*sock.sock, message, size, flags | sock.dont_wait()));
    if (address) TRY(move_addr_to_user(message.msg_name, message.msg_namelen, address, length_address));
    return static_cast<i64>(count);
}

/// struct msghdr as user space has it.
struct user_msghdr {
    u64 msg_name;
    i32 msg_namelen;
    u32 pad;
    u64 msg_iov, msg_iovlen;
    u64 msg_control, msg_controllen;
    u32 msg_flags, pad2;
};
static_assert(sizeof(user_msghdr) == 56);

Result<void> copy_msghdr_from_user(u64 address, user_msghdr& message, IoVectors& pieces) {
    message = TRY(get_user<user_msghdr>(address));
    if (!message.msg_name) message.msg_namelen = 0;
    if (message.msg_namelen < 0) return Errno::EINVAL;
    message.msg_namelen = min(message.msg_namelen, static_cast<i32>(sizeof(sockaddr_storage)));
    if (message.msg_iovlen > UIO_MAXIOV) return Errno::EMSGSIZE;
    return import_iovec(message.msg_iov, message.msg_iovlen, pieces);
}

Result<i64> ___sys_sendmsg(SocketFile& sock, u64 address, u32 flags) {
    user_msghdr user;
    IoVectors pieces;
    TRY(copy_msghdr_from_user(address, user, pieces));
    msghdr message;
    message.msg_iter = pieces.iter;
    if (user.msg_namelen) TRY(move_addr_to_kernel(user.msg_name, user.msg_namelen, message.msg_name));
    message.msg_namelen = user.msg_namelen;
    message.msg_flags = flags | sock.dont_wait();
    if (user.msg_controllen > OptmemMax) return Errno::ENOBUFS;
    u8* control = nullptr;
    if (user.msg_controllen) {
        if (!(control = static_cast<u8*>(kmalloc(user.msg_controllen)))) return Errno::ENOBUFS;
        message.msg_control = control;
        message.msg_controllen = user.msg_controllen;
    }
    Result<usize> sent = [&]() -> Result<usize> {
        if (control) TRY(copy_from_user(control, user.msg_control, user.msg_controllen));
        return sock->ops->sendmsg(*sock.sock, message, message.msg_iter.count);
    }();
    kfree(control);
    return sent.ok() ? Result<i64>(static_cast<i64>(sent.value())) : sent.error();
}

Result<i64> ___sys_recvmsg(SocketFile& sock, u64 address, u32 flags) {
    user_msghdr user;
    IoVectors pieces;
    TRY(copy_msghdr_from_user(address, user, pieces));
    msghdr message;
    message.msg_iter = pieces.iter;
    message.msg_flags = flags & (MSG_CMSG_CLOEXEC | MSG_CMSG_COMPAT);
    message.msg_control_user = user.msg_control;
    message.msg_controllen = user.msg_control ? user.msg_controllen : 0;
    usize count =
        TRY(sock->ops->recvmsg(*sock.sock, message, message.msg_iter.count, flags | sock.dont_wait()));
    if (user.msg_name)
        TRY(move_addr_to_user(message.msg_name, message.msg_namelen, user.msg_name,
                              address + offsetof(user_msghdr, msg_namelen)));
    TRY(put_user(address + offsetof(user_msghdr, msg_flags), message.msg_flags & ~MSG_CMSG_COMPAT));
    u64 used = message.msg_control_user - user.msg_control;
    TRY(put_user(address + offsetof(user_msghdr, msg_controllen), used));
    return static_cast<i64>(count);
}

Result<i64> sys_sendmsg(i32 descriptor, u64 message, u32 flags) {
    if (flags & MSG_CMSG_COMPAT) return Errno::EINVAL;
    SocketFile sock;
    TRY(sock.get(descriptor));
    return ___sys_sendmsg(sock, message, flags);
}
Result<i64> sys_recvmsg(i32 descriptor, u64 message, u32 flags) {
    if (flags & MSG_CMSG_COMPAT) return Errno::EINVAL;
    SocketFile sock;
    TRY(sock.get(descriptor));
    return ___sys_recvmsg(sock, message, flags);
}

/// struct mmsghdr: a msghdr and what the call gave.
constexpr usize MmsghdrSize = sizeof(user_msghdr) + 8;

Result<i64> sys_sendmmsg(i32 descriptor, u64 messages, u32 count, u32 flags) {
    if (flags & MSG_CMSG_COMPAT) return Errno::EINVAL;
    SocketFile sock;
    TRY(sock.get(descriptor));
    i64 done = 0;
    for (count = min<u32>(count, UIO_MAXIOV); static_cast<u32>(done) < count; done++) {
        u64 at = messages + static_cast<u64>(done) * MmsghdrSize;
        Result<i64> sent = ___sys_sendmsg(sock, at, flags);
        if (sent.ok() && !put_user(at + sizeof(user_msghdr), static_cast<u32>(sent.value())).ok())
            sent = Errno::EFAULT;
        if (!sent.ok()) return done ? Result<i64>(done) : sent;
        if (get_current()->signal_pending()) return done + 1;
    }
    return done;
}

/// The time is looked at after each message only, as on Linux (recvmmsg(2), "BUGS").
Result<i64> sys_recvmmsg(i32 descriptor, u64 messages, u32 count, u32 flags, u64 timeout) {
    struct TimeSpec {
        i64 seconds, nanoseconds;
    };
    if (flags & MSG_CMSG_COMPAT) return Errno::EINVAL;
    u64 end = ~u64{0};
    if (timeout) {
        TimeSpec time = TRY(get_user<TimeSpec>(timeout));
        if (time.seconds < 0 || time.nanoseconds < 0 || time.nanoseconds >= 1'000'000'000)
            return Errno::EINVAL;
        end = ktime_get_ns() + static_cast<u64>(min<i64>(time.seconds, 4'000'000'000)) * 1'000'000'000 +
              static_cast<u64>(time.nanoseconds);
    }
    SocketFile sock;
    TRY(sock.get(descriptor));
    i64 done = 0;
    Result<i64> got = i64{0};
    while (static_cast<u32>(done) < count) {
        u64 at = messages + static_cast<u64>(done) * MmsghdrSize;
        got = ___sys_recvmsg(sock, at, flags & ~MSG_WAITFORONE);
        if (got.ok() && !put_user(at + sizeof(user_msghdr), static_cast<u32>(got.value())).ok())
            got = Errno::EFAULT;
        if (!got.ok()) break;
        done++;
        if (flags & MSG_WAITFORONE) flags |= MSG_DONTWAIT;
        if (timeout && ktime_get_ns() >= end) break;
        if (get_current()->signal_pending()) break;
    }
    if (timeout) {
        u64 now = ktime_get_ns(), left = end > now ? end - now : 0;
        TRY(put_user(timeout, TimeSpec{static_cast<i64>(left / 1'000'000'000),
                                       static_cast<i64>(left % 1'000'000'000)}));
    }
    return done ? Result<i64>(done) : got;
}

using enum ArgumentKind;
constexpr SyscallRow rows[] = {
    row<sys_socket>(41, "socket", Int, Int, Int),
    row<sys_connect>(42, "connect", Descriptor, Pointer, Int),
    row<sys_accept>(43, "accept", Descriptor, Pointer, Pointer),
    row<sys_sendto>(44, "sendto", Descriptor, Buffer, Unsigned, Flags, Pointer, Int),
    row<sys_recvfrom>(45, "recvfrom", Descriptor, Buffer, Unsigned, Flags, Pointer, Pointer),
    row<sys_sendmsg>(46, "sendmsg", Descriptor, Pointer, Flags),
    row<sys_recvmsg>(47, "recvmsg", Descriptor, Pointer, Flags),
    row<sys_shutdown>(48, "shutdown", Descriptor, Int),
    row<sys_bind>(49, "bind", Descriptor, Pointer, Int),
    row<sys_listen>(50, "listen", Descriptor, Int),
    row<sys_getsockname>(51, "getsockname", Descriptor, Pointer, Pointer),
    row<sys_getpeername>(52, "getpeername", Descriptor, Pointer, Pointer),
    row<sys_socketpair>(53, "socketpair", Int, Int, Int, Pointer),
    row<sys_setsockopt>(54, "setsockopt", Descriptor, Int, Int, Pointer, Int),
    row<sys_getsockopt>(55, "getsockopt", Descriptor, Int, Int, Pointer, Pointer),
    row<sys_accept4>(288, "accept4", Descriptor, Pointer, Pointer, Flags),
    row<sys_recvmmsg>(299, "recvmmsg", Descriptor, Pointer, Unsigned, Flags, Pointer),
    row<sys_sendmmsg>(307, "sendmmsg", Descriptor, Pointer, Unsigned, Flags),
};

} // namespace

SyscallSpan socket_syscalls() { return {rows, array_size(rows)}; }

} // namespace kernel
