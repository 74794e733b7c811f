// The dentry cache: names by (parent, hash), an LRU list of those that nobody uses, negative entries. See
// vfs.h.
//
// Invariants (all under dentry_lock): a hashed dentry is what its name stands for; d_count 0 means that it is
// on the LRU list, and only hashed dentries stay with d_count 0; d_parent and d_name change in d_move()
// alone. A dentry that is not hashed dies with its last reference.
#include "fs/vfs.h"

#include "lib/log.h"
#include "mm/slab.h"

namespace kernel {

constinit u64 nr_dentry = 0, nr_dentry_unused = 0;

namespace {

constexpr u32 HashSize = 4096;
constinit list_head dentry_hashtable[HashSize] = {};
constinit list_head dentry_lru = {};
constinit spinlock_t dentry_lock{"dentry"};

u32 full_name_hash(const struct dentry* parent, StringView name) {
    u64 hash = reinterpret_cast<u64>(parent) >> 6;
    for (usize i = 0; i < name.size; i++) hash = (hash ^ static_cast<u8>(name[i])) * 0x100000001b3;
    return static_cast<u32>(hash ^ hash >> 32);
}

list_head& bucket(u32 hash) {
    list_head& head = dentry_hashtable[hash % HashSize];
    if (!head.next) head.initialise();
    return head;
}

void d_lru_del(struct dentry* dentry) {
    if (!dentry->d_lru.linked()) return;
    dentry->d_lru.remove();
    nr_dentry_unused--;
}

void rehash(struct dentry* dentry) {
    dentry->d_hash_value =
        full_name_hash(dentry->d_parent, StringView(dentry->d_name, dentry->d_name_length));
    bucket(dentry->d_hash_value).push_front(&dentry->d_hash);
}

bool is_root(const struct dentry* dentry) { return dentry->d_parent == dentry; }

/// Takes a dentry with d_count 0 apart; the parent, whose reference is the caller's now, or null.
struct dentry* dentry_unlist(struct dentry* dentry) {
    d_lru_del(dentry);
    dentry->d_hash.remove();
    dentry->d_child.remove();
    nr_dentry--;
    return is_root(dentry) ? nullptr : dentry->d_parent;
}

void dentry_free(struct dentry* dentry) {
    iput(dentry->d_inode);
    kfree(dentry->d_name);
    destroy(dentry);
}

/// Not worth keeping, or its inode has still to be written: that is not the shrinker's work.
bool prunable(const struct dentry* dentry) {
    struct inode* inode = dentry->d_inode;
    return !inode || (!__atomic_load_n(&inode->i_writers, __ATOMIC_ACQUIRE) && !inode->i_dirty &&
                      !mapping_has_dirty_pages(inode->i_data));
}

} // namespace

void dget(struct dentry* dentry) {
    SpinGuard guard(dentry_lock);
    if (!dentry->d_count++) d_lru_del(dentry);
}

void dput(struct dentry* dentry) {
    while (dentry) {
        struct dentry* parent = nullptr;
        {
            SpinGuard guard(dentry_lock);
            if (--dentry->d_count) return;
            if (dentry->d_hash.linked()) {
                if (!dentry_lru.next) dentry_lru.initialise();
                dentry_lru.push_back(&dentry->d_lru);
                nr_dentry_unused++;
                return;
            }
            parent = dentry_unlist(dentry);
        }
        dentry_free(dentry);
        dentry = parent;
    }
}

struct dentry* dget_parent(struct dentry* dentry) {
    SpinGuard guard(dentry_lock);
    dentry->d_parent->d_count++; // the child's reference keeps it off the LRU list
    return dentry->d_parent;
}

Result<struct dentry*> d_add(struct dentry* parent, StringView name, struct inode* inode) {
    auto* dentry = make<struct dentry>();
    auto* text = static_cast<char*>(kmalloc(name.size + 1));
    if (!dentry || !text) {
        destroy(dentry);
        kfree(text);
        iput(inode);
        return Errno::ENOMEM;
    }
    memcpy(text, name.data, name.size);
    text[name.size] = 0;
    dentry->d_name = text;
    dentry->d_name_length = static_cast<u32>(name.size);
    dentry->d_inode = inode;
    dentry->d_parent = parent ? parent : dentry;
    dentry->d_subdirs.initialise();
    dentry->d_child.initialise();
    dentry->d_hash.initialise();
    dentry->d_lru.initialise();
    SpinGuard guard(dentry_lock);
    nr_dentry++;
    if (parent) {
        parent->d_count++;
        parent->d_subdirs.push_front(&dentry->d_child);
        if (parent->d_inode->keep_dentries()) rehash(dentry);
    }
    return dentry;
}

struct dentry* d_lookup(struct dentry* parent, StringView name) {
    u32 hash = full_name_hash(parent, name);
    SpinGuard guard(dentry_lock);
    list_head& head = bucket(hash);
    for (LIST_EACH(node, head)) {
        struct dentry* dentry = container_of(node, struct dentry, d_hash);
        if (dentry->d_hash_value != hash || dentry->d_parent != parent ||
            dentry->d_name_length != name.size || memcmp(dentry->d_name, name.data, name.size) != 0)
            continue;
        if (!dentry->d_count++) d_lru_del(dentry);
        return dentry;
    }
    return nullptr;
}

void d_instantiate(struct dentry* dentry, struct inode* inode) {
    SpinGuard guard(dentry_lock);
    KERNEL_ASSERT(!dentry->d_inode);
    __atomic_store_n(&dentry->d_inode, inode, __ATOMIC_RELEASE);
}

void d_delete(struct dentry* dentry) {
    struct inode* inode = nullptr;
    {
        SpinGuard guard(dentry_lock);
        if (dentry->d_count == 1) {
            inode = dentry->d_inode;
            dentry->d_inode = nullptr;
        } else {
            dentry->d_hash.remove();
        }
    }
    iput(inode);
}

void d_drop(struct dentry* dentry) {
    SpinGuard guard(dentry_lock);
    dentry->d_hash.remove();
}

void d_move(struct dentry* dentry, struct dentry* target) {
    auto exchange = [](auto& a, auto& b) {
        auto c = a;
        a = b;
        b = c;
    };
    SpinGuard guard(dentry_lock);
    dentry->d_hash.remove();
    target->d_hash.remove();
    exchange(dentry->d_name, target->d_name);
    exchange(dentry->d_name_length, target->d_name_length);
    exchange(dentry->d_parent, target->d_parent); // and with them the references on the parents
    for (unsigned i = 0; i < 2; i++) {
        struct dentry* moved = i ? target : dentry;
        moved->d_child.remove();
        moved->d_parent->d_subdirs.push_front(&moved->d_child);
    }
    rehash(dentry);
}

bool d_unlinked(struct dentry* dentry) {
    SpinGuard guard(dentry_lock);
    return !is_root(dentry) && !dentry->d_hash.linked() && dentry->d_parent->d_inode->keep_dentries();
}

struct dentry* d_ancestor(struct dentry* ancestor, struct dentry* dentry) {
    SpinGuard guard(dentry_lock);
    for (; !is_root(dentry); dentry = dentry->d_parent)
        if (dentry->d_parent == ancestor) return dentry;
    return nullptr;
}

void shrink_dcache_parent(struct dentry* parent) {
    for (;;) {
        struct dentry* victim = nullptr;
        {
            SpinGuard guard(dentry_lock);
            for (LIST_EACH(node, parent->d_subdirs)) {
                struct dentry* child = container_of(node, struct dentry, d_child);
                if (child->d_count) continue;
                victim = child;
                dentry_unlist(child);
                break;
            }
        }
        if (!victim) return;
        dentry_free(victim);
        dput(parent);
    }
}

u64 prune_dcache(u64 count) {
    u64 dropped = 0;
    for (u64 seen = 0; seen < count; seen++) {
        struct dentry *victim = nullptr, *parent = nullptr;
        {
            SpinGuard guard(dentry_lock);
            list_head* node = dentry_lru.front();
            if (!node) break;
            struct dentry* dentry = container_of(node, struct dentry, d_lru);
            if (!prunable(dentry)) {
                dentry->d_lru.remove();
                dentry_lru.push_back(&dentry->d_lru);
                continue;
            }
            victim = dentry;
            parent = dentry_unlist(dentry);
        }
        dentry_free(victim);
        dput(parent);
        dropped++;
    }
    return dropped;
}

Result<char*> d_path(struct dentry* dentry, char* buffer, usize capacity) {
    char* at = buffer + capacity - 1;
    *at = 0;
    SpinGuard guard(dentry_lock);
    while (dentry) {
        if (is_root(dentry)) {
            if (!dentry->mount_point) {
                if (dentry->d_name[0] == '/') break;
                usize length = dentry->d_name_length; // a file without a place in the tree: pipe:[7]
                if (*at || length + 1 > capacity) return Errno::ENAMETOOLONG;
                memcpy(at -= length, dentry->d_name, length);
                return at;
            }
            dentry = dentry->mount_point;
            continue;
        }
        usize length = dentry->d_name_length;
        if (static_cast<usize>(at - buffer) < length + 1) return Errno::ENAMETOOLONG;
        at -= length;
        memcpy(at, dentry->d_name, length);
        *--at = '/';
        dentry = dentry->d_parent;
    }
    if (!*at) *--at = '/';
    return at;
}

const char* d_path_or_name(struct dentry* dentry, char* buffer, usize capacity) {
    Result<char*> path = d_path(dentry, buffer, capacity);
    if (path.ok()) return path.value();
    SpinGuard guard(dentry_lock);
    strscpy(buffer, dentry->d_name, capacity);
    return buffer;
}

bool d_unused(struct dentry* root, u32 users) {
    SpinGuard guard(dentry_lock);
    return root->d_count == users && root->d_subdirs.empty();
}

} // namespace kernel
