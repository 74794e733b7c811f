// Sockets: what system calls and files see (struct socket), what a protocol keeps (struct sock), how the two
// talk (struct proto_ops), and what travels between them (sk_buff, skbuff.h).
//
// Invariants: a socket is an inode of its own (sockfs); it has exactly one sock from its creation until its
// file's end, which takes the two apart (sk_socket becomes null, SOCK_DEAD is set). A sock lives while it has
// references: its socket's, its peer's, those of packets that it sent, and of who looks at it.
#pragma once

#include "fs/vfs.h"
#include "net/skbuff.h"
#include "sync/wait_queue.h"

namespace kernel {

struct cred;
struct pid;
struct poll_table;

inline constexpr i32 AF_UNSPEC = 0, AF_UNIX = 1, NPROTO = 46;
inline constexpr i32 SOCK_STREAM = 1, SOCK_DGRAM = 2, SOCK_RAW = 3, SOCK_SEQPACKET = 5, SOCK_MAX = 11;
inline constexpr u32 SOCK_TYPE_MASK = 0xf;
inline constexpr u32 MSG_OOB = 1, MSG_PEEK = 2, MSG_CTRUNC = 8, MSG_TRUNC = 0x20, MSG_DONTWAIT = 0x40,
                     MSG_EOR = 0x80, MSG_WAITALL = 0x100, MSG_NOSIGNAL = 0x4000, MSG_WAITFORONE = 0x10000,
                     MSG_CMSG_CLOEXEC = 0x40000000, MSG_CMSG_COMPAT = 0x80000000;
inline constexpr i32 SOL_SOCKET = 1, SCM_RIGHTS = 1, SCM_CREDENTIALS = 2;
inline constexpr u8 RCV_SHUTDOWN = 1, SEND_SHUTDOWN = 2, SHUTDOWN_MASK = 3;
enum SockState : u8 { TCP_ESTABLISHED = 1, TCP_CLOSE = 7, TCP_LISTEN = 10 };
enum SocketState : u8 { SS_UNCONNECTED = 1, SS_CONNECTING, SS_CONNECTED, SS_DISCONNECTING };
inline constexpr i64 MAX_SCHEDULE_TIMEOUT = 0x7fff'ffff'ffff'ffff;
inline constexpr u32 SK_WMEM_DEFAULT = 212992; ///< net.core.wmem_default and _max, rmem_ too

struct alignas(8) sockaddr_storage {
    u16 ss_family = 0;
    char data[126] = {};
};
static_assert(sizeof(sockaddr_storage) == 128);

/// Where a message's bytes come from or go to: pieces of memory, and how far one has got.
struct iov_iter {
    const IoBuffer* segments = nullptr;
    usize nr_segs = 0;
    usize iov_offset = 0; ///< in the first of them
    usize count = 0;      ///< what is left
};
Result<void> copy_to_iter(const void* from, usize size, iov_iter& iter);
Result<void> copy_from_iter(void* to, usize size, iov_iter& iter);

/// A caller's iovec, checked and copied.
struct IoVectors {
    IoBuffer embedded[8];
    IoBuffer* segments = embedded;
    iov_iter iter;
    IoVectors() = default;
    ~IoVectors();
    IoVectors(const IoVectors&) = delete;
    IoVectors& operator=(const IoVectors&) = delete;
};
Result<void> import_iovec(u64 vectors, u64 count, IoVectors& out);

struct msghdr {
    sockaddr_storage msg_name;
    i32 msg_namelen = 0;
    iov_iter msg_iter;
    u32 msg_flags = 0;
    u8* msg_control = nullptr; ///< sending: a copy in the kernel
    u64 msg_control_user = 0;  ///< receiving: where the next control message goes
    usize msg_controllen = 0;  ///< of either, what is left
};

struct sock {
    u32 sk_refcnt = 1;
    u16 sk_type = 0;
    u8 sk_state = TCP_CLOSE;
    u8 sk_shutdown = 0;
    bool sk_dead = false; ///< SOCK_DEAD
    bool sk_passcred = false, sk_keepalive = false, sk_reuse = false, sk_broadcast = false;
    i32 sk_err = 0; ///< to be told once
    i32 sk_sndbuf = SK_WMEM_DEFAULT, sk_rcvbuf = SK_WMEM_DEFAULT, sk_rcvlowat = 1;
    i64 sk_rcvtimeo = MAX_SCHEDULE_TIMEOUT, sk_sndtimeo = MAX_SCHEDULE_TIMEOUT; ///< jiffies
    i32 sk_wmem_alloc = 0; ///< bytes of packets that it sent and nobody has read
    u32 sk_max_ack_backlog = 0;
    u32 linger_on = 0, linger_seconds = 0;
    sk_buff_head sk_receive_queue;
    struct socket* sk_socket = nullptr;
    struct pid* sk_peer_pid = nullptr; ///< under the protocol's lock
    const struct cred* sk_peer_cred = nullptr;
    wait_queue_head sk_wq{"sk_wq"};
};

/// What a family of protocols does with one type of socket.
struct proto_ops {
    void (*release)(struct socket&);
    Result<void> (*bind)(struct socket&, const sockaddr_storage&, i32 length);
    Result<void> (*connect)(struct socket&, const sockaddr_storage&, i32 length, u32 flags);
    Result<void> (*socketpair)(struct socket&, struct socket&);
    Result<void> (*accept)(struct socket&, struct socket& fresh, u32 flags);
    Result<i32> (*getname)(struct socket&, sockaddr_storage&, bool peer);
    u32 (*poll)(struct file&, struct socket&, poll_table*);
    Result<u64> (*ioctl)(struct socket&, u32 command, u64 argument);
    Result<void> (*listen)(struct socket&, i32 backlog);
    Result<void> (*shutdown)(struct socket&, i32 how);
    Result<usize> (*sendmsg)(struct socket&, msghdr&, usize size);
    Result<usize> (*recvmsg)(struct socket&, msghdr&, usize size, u32 flags);
};

struct socket final : inode {
    u8 state = SS_UNCONNECTED;
    i16 type = 0;
    struct sock* sk = nullptr;
    const proto_ops* ops = nullptr;
    struct file* file = nullptr; ///< its one open file; no reference

    bool seekable() const override { return false; }
    Result<usize> read(struct file& opened, IoBuffer buffer, u64 position) override;
    Result<usize> write(struct file& opened, IoBuffer buffer, u64& position) override;
    Result<u64> control(struct file&, u32 command, u64 argument) override;
    u32 poll(struct file& opened, poll_table* table) override { return ops->poll(opened, *this, table); }
    void release(struct file&) override { ops->release(*this); }
    void evict_inode() override;
};

/// The file's socket, or null.
struct socket* sock_from_file(struct file& file);
/// readv and writev: one message.
Result<i64> sock_readv_writev(struct file& file, u64 vectors, i32 count, bool write);
Result<struct socket*> sock_alloc();
/// Gives a socket its file. Takes over the socket: it is gone when there is none.
Result<struct file*> sock_alloc_file(struct socket* sock, u32 flags);

// --- what every protocol needs (net/sock.cpp)
void sock_hold(struct sock* sk);
/// sk_destruct() frees it with the last reference.
void sock_put(struct sock* sk);
/// The error that was noted, once; 0 when there is none.
i32 sock_error(struct sock& sk);
/// Jiffies to wait; 0 for who does not block.
inline i64 sock_rcvtimeo(const struct sock& sk, bool nonblock) { return nonblock ? 0 : sk.sk_rcvtimeo; }
inline i64 sock_sndtimeo(const struct sock& sk, bool nonblock) { return nonblock ? 0 : sk.sk_sndtimeo; }
/// What a signal makes of a wait: restarted, unless it had an end.
inline Errno sock_intr_errno(i64 timeo) {
    return timeo == MAX_SCHEDULE_TIMEOUT ? Errno::ERESTARTSYS : Errno::EINTR;
}
/// Sleeps in the caller's state; what is left of the time.
i64 schedule_timeout_or_forever(i64 timeo);
/// An empty packet of `size` bytes, charged to the sender; waits for room.
Result<sk_buff*> sock_alloc_send_pskb(struct sock& sk, usize header, usize data, bool nonblock);
void sock_def_readable(struct sock& sk);
void sock_def_wakeup(struct sock& sk);
/// Null with EAGAIN while there is none, null with None at the end.
sk_buff* skb_recv_datagram(struct sock& sk, u32 flags, Errno& error);
sk_buff* __skb_try_recv_datagram(struct sock& sk, u32 flags, Errno& error);
/// True: look again.
bool __skb_wait_for_more_packets(struct sock& sk, Errno& error, i64& timeo);
/// The number of bytes that the guest's struct would take on Linux: what is charged for a packet.
u32 skb_truesize(usize header, usize data);
Result<void> sock_setsockopt(struct socket& sock, i32 name, u64 value, i32 length);
Result<void> sock_getsockopt(struct socket& sock, i32 name, u64 value, u64 length);
void sock_init();

} // namespace kernel
