// The names of local sockets: in the file system, abstract (a NUL first), or none; and /proc/net/unix.
//
// Invariants (under unix_table_lock): every living socket is in unix_socket_table, with a reference; one with
// a name is in that name's bucket as well: an abstract one's by its bytes and its type, a path's by its
// inode.
#include "fs/proc/proc.h"
#include "net/unix/af_unix.h"
#include "lib/format.h"
#include "mm/slab.h"
#include "task/task.h"

namespace kernel {
namespace {

constexpr u32 UNIX_HASH_SIZE = 256;
constinit list_head unix_socket_table = {};
constinit list_head names[UNIX_HASH_SIZE] = {};
constinit spinlock_t unix_table_lock{"unix_table_lock"};

list_head& bucket(u64 hash) {
    list_head& head = names[hash % UNIX_HASH_SIZE];
    if (!head.next) head.initialise();
    return head;
}
list_head& unix_bsd_bucket(const struct inode* inode) { return bucket(reinterpret_cast<u64>(inode) >> 6); }
list_head& unix_abstract_bucket(const sockaddr_un& name, i32 length, u16 type) {
    u64 hash = type;
    for (i32 i = SunPathOffset; i < length; i++)
        hash = (hash ^ static_cast<u8>(name.sun_path[i - SunPathOffset])) * 0x100000001b3;
    return bucket(hash >> 8);
}

/// REQUIRES: unix_table_lock.
unix_sock* __unix_find_socket_byname(const sockaddr_un& name, i32 length, u16 type) {
    list_head& head = unix_abstract_bucket(name, length, type);
    for (LIST_EACH(node, head)) {
        unix_sock* u = container_of(node, unix_sock, name);
        if (!u->path && u->sk_type == type && u->addr->len == length &&
            memcmp(&u->addr->name, &name, static_cast<usize>(length)) == 0)
            return u;
    }
    return nullptr;
}

Result<unix_address*> unix_create_addr(const sockaddr_storage& name, i32 length) {
    auto* address = make<unix_address>();
    if (!address) return Errno::ENOMEM;
    memcpy(&address->name, &name, static_cast<usize>(length));
    address->len = length;
    return address;
}

/// Nobody else has the name, and this socket has none yet. REQUIRES: bindlock.
Result<void> bind_abstract(unix_sock& u, unix_address* address) {
    SpinGuard guard(unix_table_lock);
    if (__unix_find_socket_byname(address->name, address->len, u.sk_type)) return Errno::EADDRINUSE;
    unix_abstract_bucket(address->name, address->len, u.sk_type).push_front(&u.name);
    __atomic_store_n(&u.addr, address, __ATOMIC_RELEASE);
    return {};
}

Result<void> unix_bind_abstract(unix_sock& u, const sockaddr_storage& name, i32 length) {
    unix_address* address = TRY(unix_create_addr(name, length));
    Result<void> bound = mutex_lock_interruptible(u.bindlock);
    if (bound.ok()) {
        bound = u.addr ? Result<void>(Errno::EINVAL) : bind_abstract(u, address);
        mutex_unlock(u.bindlock);
    }
    if (!bound.ok()) unix_address_put(address);
    return bound;
}

Result<void> unix_bind_bsd(struct socket& sock, const sockaddr_storage& name, i32 length) {
    unix_sock& u = unix_sk(sock.sk);
    unix_address* address = TRY(unix_create_addr(name, length));
    address->len = SunPathOffset + static_cast<i32>(strlen(address->name.sun_path)) + 1;
    struct dentry* dentry = nullptr;
    u32 mode = S_IFSOCK | (sock.i_mode & 0777 & ~get_current()->umask);
    Result<void> bound = do_mknodat(nullptr, address->name.sun_path, mode, 0, {}, &dentry);
    if (!bound.ok()) {
        unix_address_put(address);
        return bound.error() == Errno::EEXIST ? Errno::EADDRINUSE : bound;
    }
    bound = mutex_lock_interruptible(u.bindlock);
    if (bound.ok()) {
        if (u.addr) {
            bound = Errno::EINVAL;
        } else {
            UnixStateGuard state(&u);
            SpinGuard guard(unix_table_lock);
            u.path = dentry;
            unix_bsd_bucket(dentry->d_inode).push_front(&u.name);
            __atomic_store_n(&u.addr, address, __ATOMIC_RELEASE);
        }
        mutex_unlock(u.bindlock);
    }
    if (bound.ok()) return bound;
    (void)do_unlinkat(nullptr, address->name.sun_path);
    dput(dentry);
    unix_address_put(address);
    return bound.error() == Errno::ERESTARTSYS ? Errno::EINTR : bound;
}

Result<struct sock*> unix_find_bsd(const sockaddr_storage& name, i32 length, u16 type) {
    char path[sizeof(sockaddr_un::sun_path) + 1] = {};
    memcpy(path, reinterpret_cast<const char*>(&name) + SunPathOffset,
           static_cast<usize>(length - SunPathOffset));
    struct dentry* dentry = TRY(filename_lookup(nullptr, path));
    Result<struct sock*> found = [&]() -> Result<struct sock*> {
        TRY(inode_permission(*dentry->d_inode, MAY_WRITE));
        if ((dentry->d_inode->i_mode & S_IFMT) != S_IFSOCK) return Errno::ECONNREFUSED;
        SpinGuard guard(unix_table_lock);
        list_head& head = unix_bsd_bucket(dentry->d_inode);
        for (LIST_EACH(node, head)) {
            unix_sock* u = container_of(node, unix_sock, name);
            if (!u->path || u->path->d_inode != dentry->d_inode) continue;
            if (u->sk_type != type) return Errno::EPROTOTYPE;
            sock_hold(u);
            return static_cast<struct sock*>(u);
        }
        return Errno::ECONNREFUSED;
    }();
    dput(dentry);
    return found;
}

} // namespace

void unix_address_put(unix_address* address) {
    if (address && !__atomic_sub_fetch(&address->refcnt, 1, __ATOMIC_ACQ_REL)) destroy(address);
}

void unix_insert_unbound_socket(unix_sock& u) {
    SpinGuard guard(unix_table_lock);
    if (!unix_socket_table.next) unix_socket_table.initialise();
    unix_socket_table.push_back(&u.table);
    sock_hold(&u);
}

void unix_remove_socket(unix_sock& u) {
    {
        SpinGuard guard(unix_table_lock);
        u.table.remove();
        u.name.remove();
    }
    sock_put(&u);
}

Result<void> unix_validate_addr(const sockaddr_storage& name, i32 length) {
    if (length <= SunPathOffset || length > static_cast<i32>(sizeof(sockaddr_un))) return Errno::EINVAL;
    return name.ss_family == AF_UNIX ? Result<void>() : Errno::EINVAL;
}

/// A name of five digits that nobody has.
Result<void> unix_autobind(struct sock* sk) {
    static constinit u32 next_number = 1;
    unix_sock& u = unix_sk(sk);
    TRY(mutex_lock_interruptible(u.bindlock));
    Result<void> bound;
    if (!u.addr) {
        auto* address = make<unix_address>();
        bound = address ? Errno::EADDRINUSE : Errno::ENOMEM;
        for (u32 tries = 0; address && tries <= 0xfffff && bound.error() == Errno::EADDRINUSE; tries++) {
            u32 number = __atomic_fetch_add(&next_number, 1, __ATOMIC_RELAXED) & 0xfffff;
            address->name.sun_family = AF_UNIX;
            format_text(address->name.sun_path + 1, 8, "%05x", number);
            address->len = SunPathOffset + 6;
            bound = bind_abstract(u, address);
        }
        if (!bound.ok()) {
            unix_address_put(address);
            if (bound.error() == Errno::EADDRINUSE) bound = Errno::ENOSPC; // all names are taken
        }
    }
    mutex_unlock(u.bindlock);
    return bound;
}

Result<void> unix_bind(struct socket& sock, const sockaddr_storage& name, i32 length) {
    if (length == SunPathOffset && name.ss_family == AF_UNIX) return unix_autobind(sock.sk);
    TRY(unix_validate_addr(name, length));
    return name.data[0] ? unix_bind_bsd(sock, name, length)
                        : unix_bind_abstract(unix_sk(sock.sk), name, length);
}

Result<struct sock*> unix_find_other(const sockaddr_storage& name, i32 length, u16 type) {
    if (name.data[0]) return unix_find_bsd(name, length, type);
    SpinGuard guard(unix_table_lock);
    unix_sock* u = __unix_find_socket_byname(reinterpret_cast<const sockaddr_un&>(name), length, type);
    if (!u) return Errno::ECONNREFUSED;
    sock_hold(u);
    return static_cast<struct sock*>(u);
}

/// The lines of proc(5): addresses are hidden, as from everybody on Linux but root.
void show_net_unix(seq_file& out) {
    constexpr u32 __SO_ACCEPTCON = 0x10000;
    out.print("Num       RefCount Protocol Flags    Type St Inode Path\n");
    SpinGuard guard(unix_table_lock);
    if (!unix_socket_table.next) return;
    for (LIST_EACH(node, unix_socket_table)) {
        unix_sock* u = container_of(node, unix_sock, table);
        const struct socket* socket = __atomic_load_n(&u->sk_socket, __ATOMIC_ACQUIRE);
        bool established = u->sk_state == TCP_ESTABLISHED;
        out.print("%016lx: %08X %08X %08X %04X %02X %5lu", 0UL, u->sk_refcnt, 0U,
                  u->sk_state == TCP_LISTEN ? __SO_ACCEPTCON : 0, u->sk_type,
                  socket ? (established ? SS_CONNECTED : SS_UNCONNECTED)
                         : (established ? SS_CONNECTING : SS_DISCONNECTING),
                  socket ? socket->i_ino : 0UL);
        if (const unix_address* address = u->addr) {
            char text[sizeof(sockaddr_un::sun_path) + 1] = {};
            usize length = static_cast<usize>(address->len - SunPathOffset);
            if (!address->abstract()) length--;
            for (usize i = 0; i < length; i++)
                text[i] = address->name.sun_path[i] ? address->name.sun_path[i] : '@';
            out.print(" %s", text);
        }
        out.print("\n");
    }
}

} // namespace kernel
