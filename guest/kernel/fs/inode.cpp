// The inode hash: one object for each (file system, number). See vfs.h.
//
// Invariants (under inode_hash_lock): a hashed inode with i_count 0 has I_FREEING and is in its
// evict_inode(); who looks for it waits until it has left the hash. The last reference is dropped under the
// lock, so nobody finds an inode between the two.
#include "fs/vfs.h"

#include "lib/log.h"
#include "mm/slab.h"

namespace kernel {
namespace {

constexpr u32 HashSize = 1024;
constinit list_head inode_hashtable[HashSize] = {};
constinit spinlock_t inode_hash_lock{"inode_hash"};
constinit wait_queue_head inode_wait{"inode_wait"}; ///< I_NEW ended, or a freeing inode left

list_head& bucket(const super_block* super, u64 number) {
    u64 hash = (reinterpret_cast<u64>(super) >> 6 ^ number) * 0x9e3779b97f4a7c15;
    list_head& head = inode_hashtable[hash >> 54];
    if (!head.next) head.initialise();
    return head;
}

/// REQUIRES: inode_hash_lock.
struct inode* find_inode(const super_block* super, u64 number) {
    list_head& head = bucket(super, number);
    for (LIST_EACH(node, head)) {
        struct inode* inode = container_of(node, struct inode, i_hash);
        if (inode->i_ino == number && inode->i_sb == super) return inode;
    }
    return nullptr;
}

} // namespace

void ihold(struct inode* inode) { __atomic_fetch_add(&inode->i_count, 1, __ATOMIC_RELAXED); }

void iput(struct inode* inode) {
    if (!inode) return;
    u32 count = __atomic_load_n(&inode->i_count, __ATOMIC_RELAXED);
    while (count > 1)
        if (__atomic_compare_exchange_n(&inode->i_count, &count, count - 1, false, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED))
            return;
    {
        SpinGuard guard(inode_hash_lock);
        if (__atomic_sub_fetch(&inode->i_count, 1, __ATOMIC_ACQ_REL)) return;
        inode->i_state |= I_FREEING;
    }
    if (!inode->i_hash.linked())
        inode_io_list_del(inode); // of procfs, a pipe: chmod marked it, nobody writes it
    inode_wait_for_writeback(inode);
    inode->evict_inode();
}

Result<struct inode*> iget_locked(super_block& super, u64 number) {
    struct inode* fresh = nullptr;
    for (;;) {
        struct inode* found;
        bool held = false;
        {
            SpinGuard guard(inode_hash_lock);
            found = find_inode(&super, number);
            if (!found && fresh) {
                fresh->i_sb = &super;
                fresh->i_ino = number;
                fresh->i_state = I_NEW;
                bucket(&super, number).push_front(&fresh->i_hash);
                return fresh;
            }
            if (found && !(found->i_state & I_FREEING)) ihold(found), held = true;
        }
        if (!found) {
            fresh = super.alloc_inode();
            if (!fresh) return Errno::ENOMEM;
            continue;
        }
        // A freeing one leaves; a new one is filled, or fails and leaves too.
        bool left = false;
        inode_wait.wait([&] {
            SpinGuard guard(inode_hash_lock);
            left = find_inode(&super, number) != found;
            return left || !(found->i_state & (I_FREEING | I_NEW));
        });
        if (left) {
            if (held) iput(found);
            continue;
        }
        if (!held) continue;
        if (fresh) destroy(fresh);
        return found;
    }
}

void insert_inode_locked(struct inode* inode) {
    inode_wait.wait([&] {
        SpinGuard guard(inode_hash_lock);
        if (find_inode(inode->i_sb, inode->i_ino)) return false;
        bucket(inode->i_sb, inode->i_ino).push_front(&inode->i_hash);
        return true;
    });
}

void unlock_new_inode(struct inode* inode) {
    {
        SpinGuard guard(inode_hash_lock);
        inode->i_state &= ~u32{I_NEW};
    }
    inode_wait.wake_all();
}

void remove_inode_hash(struct inode* inode) {
    {
        SpinGuard guard(inode_hash_lock);
        inode->i_hash.remove();
    }
    inode_wait.wake_all();
}

void iget_failed(struct inode* inode) {
    inode->i_nlink = 1; // its blocks are not ours to free
    remove_inode_hash(inode);
    iput(inode);
}

void for_each_inode(super_block& super, void (*visit)(struct inode*)) {
    for (u32 i = 0; i < HashSize; i++) {
        struct inode* previous = nullptr;
        for (;;) { // the reference on `previous` keeps the place in the bucket
            struct inode* next = nullptr;
            {
                SpinGuard guard(inode_hash_lock);
                list_head& head = inode_hashtable[i];
                if (!head.next) break;
                for (list_head* node = previous && previous->i_hash.linked() ? previous->i_hash.next
                                       : previous                            ? &head
                                                                             : head.next;
                     node != &head; node = node->next) {
                    struct inode* candidate = container_of(node, struct inode, i_hash);
                    if (candidate->i_sb != &super || (candidate->i_state & (I_FREEING | I_NEW))) continue;
                    ihold(next = candidate);
                    break;
                }
            }
            iput(previous);
            if (!next) break;
            visit(next);
            previous = next;
        }
    }
}

void wait_on_freeing_inodes(super_block& super) {
    inode_wait.wait([&] {
        SpinGuard guard(inode_hash_lock);
        for (list_head& head : inode_hashtable) {
            if (!head.next) continue;
            for (LIST_EACH(node, head)) {
                struct inode* inode = container_of(node, struct inode, i_hash);
                if (inode->i_sb == &super && (inode->i_state & I_FREEING)) return false;
            }
        }
        return true;
    });
}

void inode::evict_inode() {
    inode_io_list_del(this);
    truncate_inode_pages(*this, 0);
    remove_inode_hash(this);
    destroy(this);
}

} // namespace kernel
