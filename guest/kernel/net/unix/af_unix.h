// Local sockets (AF_UNIX; unix(7)): names, pairs, queues, and descriptors on their way.
//
// Locks, outermost first: bindlock or iolock (sleeping: who binds, who reads), unix_table_lock (names),
// unix_sock::lock ("unix_state_lock": peer, state, shutdown, path; two of them in the order of their
// addresses, a listener's before its client's), peer_wait's, the receive queue's; unix_gc_lock (descriptors
// on their way) before the queue's. Invariants: `peer` holds a reference; a stream's or seqpacket's two ends
// point at each other until one closes. A datagram socket may be the peer of many.
#pragma once

#include "net/socket.h"
#include "sync/mutex.h"

namespace kernel {

struct seq_file;
struct scm_cookie;

struct sockaddr_un {
    u16 sun_family;
    char sun_path[108];
};
static_assert(sizeof(sockaddr_un) == 110);
inline constexpr i32 SunPathOffset = 2;

/// A name, shared by the listener and what it accepts.
struct unix_address {
    u32 refcnt = 1;
    i32 len = 0;
    sockaddr_un name = {};
    char end = 0; ///< a path of 108 bytes has no NUL of its own
    bool abstract() const { return !name.sun_path[0]; }
};

inline constexpr u32 UNIX_GC_CANDIDATE = 1, UNIX_GC_MAYBE_CYCLE = 2;

struct unix_sock final : sock {
    unix_address* addr = nullptr; ///< set once, under bindlock and unix_table_lock
    struct dentry* path = nullptr;
    struct sock* peer = nullptr;
    spinlock_t lock{"unix_state_lock"};
    struct mutex iolock{"u->iolock"}, bindlock{"u->bindlock"};
    wait_queue_head peer_wait{"u->peer_wait"}; ///< who waits for room in this one's receive queue
    wait_queue_entry peer_wake;                ///< on the peer's peer_wait, for who polls this one
    struct sock* peer_wake_private = nullptr;  ///< whose; under that one's peer_wait.lock
    u64 inflight = 0; ///< references to its file that are on their way, under unix_gc_lock
    u32 gc_flags = 0;
    list_head link;  ///< gc_inflight_list, or one of the collector's
    list_head table; ///< unix_socket_table
    list_head name;  ///< of its name's bucket
};
inline unix_sock& unix_sk(struct sock* sk) { return *static_cast<unix_sock*>(sk); }

/// Holds one state lock, or two that are different.
class UnixStateGuard {
public:
    explicit UnixStateGuard(struct sock* sk, unsigned subclass = 0);
    ~UnixStateGuard();
    UnixStateGuard(const UnixStateGuard&) = delete;
    UnixStateGuard& operator=(const UnixStateGuard&) = delete;

private:
    spinlock_t& lock_;
};
class UnixStateDoubleGuard {
public:
    UnixStateDoubleGuard(struct sock* first, struct sock* second);
    ~UnixStateDoubleGuard();
    UnixStateDoubleGuard(const UnixStateDoubleGuard&) = delete;
    UnixStateDoubleGuard& operator=(const UnixStateDoubleGuard&) = delete;

private:
    spinlock_t *first_, *second_;
};

inline constexpr u32 SOMAXCONN = 4096;
/// How many messages a datagram socket that is not connected back may queue (set when it is made).
extern u32 sysctl_max_dgram_qlen;

extern const proto_ops unix_stream_ops, unix_dgram_ops, unix_seqpacket_ops;

// --- af_unix.cpp
void af_unix_init();
Result<void> unix_create(struct socket& sock, i32 protocol);
Result<unix_sock*> unix_create1(struct socket* sock, u16 type);
void unix_release_sock(struct sock* sk, bool embryo);
void unix_release(struct socket& sock);
void unix_sock_destructor(struct sock* sk);
/// A packet is gone: its sender has room again.
void unix_sock_wfree(sk_buff& skb);
/// The peer with a reference, or null.
struct sock* unix_peer_get(struct sock* sk);
bool unix_writable(const struct sock& sk);
bool unix_recvq_full(const struct sock& sk);
/// Waits for room in other's queue. Consumes the guard's lock: called with it held, returns without.
i64 unix_wait_for_peer(struct sock* other, i64 timeo);
void unix_copy_addr(msghdr& message, struct sock* sk);
u32 unix_poll(struct file& file, struct socket& sock, poll_table* table);
u32 unix_dgram_poll(struct file& file, struct socket& sock, poll_table* table);
bool unix_dgram_peer_wake_me(struct sock* sk, struct sock* other);
void unix_dgram_peer_wake_disconnect(struct sock* sk, struct sock* other);
void unix_dgram_peer_wake_disconnect_wakeup(struct sock* sk, struct sock* other);
void unix_peercred(struct sock& sk, u32 (&words)[4]);
/// The caller's credentials, to become what the other end of a socket is told: taken before the socket's
/// lock; what they replace is given back behind it.
struct Peercred {
    Peercred();
    ~Peercred();
    Peercred(const Peercred&) = delete;
    Peercred& operator=(const Peercred&) = delete;
    /// REQUIRES: the state lock.
    void exchange(struct sock& sk);

private:
    struct pid* pid_;
    const struct cred* cred_;
};
void init_peercred(struct sock& sk);
void copy_peercred(struct sock& to, struct sock& from);
Result<u64> unix_ioctl(struct socket& sock, u32 command, u64 argument);
Result<i32> unix_getname(struct socket& sock, sockaddr_storage& name, bool peer);

// --- name.cpp
void unix_insert_unbound_socket(unix_sock& u);
/// Out of all tables.
void unix_remove_socket(unix_sock& u);
Result<void> unix_validate_addr(const sockaddr_storage& name, i32 length);
Result<void> unix_bind(struct socket& sock, const sockaddr_storage& name, i32 length);
Result<void> unix_autobind(struct sock* sk);
/// Whose name it is, with a reference. ECONNREFUSED when nobody listens there.
Result<struct sock*> unix_find_other(const sockaddr_storage& name, i32 length, u16 type);
void unix_address_put(unix_address* address);
void show_net_unix(seq_file& out);

// --- connect.cpp
Result<void> unix_listen(struct socket& sock, i32 backlog);
Result<void> unix_stream_connect(struct socket& sock, const sockaddr_storage& name, i32 length, u32 flags);
Result<void> unix_dgram_connect(struct socket& sock, const sockaddr_storage& name, i32 length, u32 flags);
Result<void> unix_accept(struct socket& sock, struct socket& fresh, u32 flags);
Result<void> unix_socketpair(struct socket& a, struct socket& b);
Result<void> unix_shutdown(struct socket& sock, i32 how);
void unix_dgram_disconnected(struct sock* sk, struct sock* other);

// --- stream.cpp, dgram.cpp
Result<usize> unix_stream_sendmsg(struct socket& sock, msghdr& message, usize size);
Result<usize> unix_stream_recvmsg(struct socket& sock, msghdr& message, usize size, u32 flags);
Result<usize> unix_dgram_sendmsg(struct socket& sock, msghdr& message, usize size);
Result<usize> unix_dgram_recvmsg(struct socket& sock, msghdr& message, usize size, u32 flags);
Result<usize> unix_seqpacket_sendmsg(struct socket& sock, msghdr& message, usize size);
Result<usize> unix_seqpacket_recvmsg(struct socket& sock, msghdr& message, usize size, u32 flags);
void maybe_add_creds(sk_buff& skb, struct sock& sk, const struct sock& other);

// --- garbage.cpp
Result<void> unix_scm_to_skb(scm_cookie& scm, sk_buff& skb, bool send_fds);
void unix_detach_fds(scm_cookie& scm, sk_buff& skb);
Result<void> unix_peek_fds(scm_cookie& scm, sk_buff& skb);
void unix_destruct_scm(sk_buff& skb);
/// Frees descriptors that only travel inside sockets that only travel inside each other.
void unix_gc();
extern u64 unix_tot_inflight;
inline constexpr u64 UNIX_INFLIGHT_TRIGGER_GC = 16000;

} // namespace kernel
