// Making, removing and moving names. See vfs.h for the lock order: from the lookup of a name to its change,
// its directory's i_rwsem is held; a rename between two directories holds s_vfs_rename_mutex first, so that
// the tree above both stands still.
#include "fs/vfs.h"
#include "task/task.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

// Lock classes of i_rwsem where two are held (Linux's I_MUTEX_*).
constexpr unsigned I_MUTEX_PARENT = 1, I_MUTEX_CHILD = 2, I_MUTEX_PARENT2 = 5;

/// Drops the reference when the call ends.
struct DentryReference {
    struct dentry* dentry;
    explicit DentryReference(struct dentry* taken) : dentry(taken) {}
    ~DentryReference() { dput(dentry); }
    DentryReference(const DentryReference&) = delete;
    DentryReference& operator=(const DentryReference&) = delete;
    struct dentry* operator->() const { return dentry; }
    struct inode* inode() const { return dentry->d_inode; }
};

/// The name as it is now, perhaps negative. REQUIRES: the directory's i_rwsem.
Result<struct dentry*> lookup_one_qstr_excl(struct dentry* directory, StringView name) {
    bool keep = directory->d_inode->keep_dentries();
    if (keep)
        if (struct dentry* cached = d_lookup(directory, name)) return cached;
    Result<struct inode*> inode = directory->d_inode->lookup(name);
    if (!inode.ok() && inode.error() != Errno::ENOENT) return inode.error();
    return d_add(directory, name, inode.ok() ? inode.value() : nullptr);
}

bool is_dead(const struct inode* directory) { return directory->i_nlink == 0; }
bool read_only(const struct inode* inode) { return inode->i_sb && inode->i_sb->s_readonly; }

/// vfs_create, vfs_mkdir, vfs_mknod, vfs_symlink: `dentry` is negative and gets its inode.
Result<void> vfs_mknod(struct dentry* directory, struct dentry* dentry, u32 mode, u32 device,
                       StringView target) {
    if (((mode & S_IFMT) == S_IFCHR || (mode & S_IFMT) == S_IFBLK) && !capable(*current_cred()))
        return Errno::EPERM;
    StringView name(dentry->d_name, dentry->d_name_length);
    struct inode* inode = is_symlink(mode) ? TRY(directory->d_inode->symlink(name, target))
                                           : TRY(directory->d_inode->create(name, mode, device));
    const struct cred& cred = *current_cred();
    struct inode& parent = *directory->d_inode;
    if (cred.fsuid || cred.fsgid || (parent.i_mode & 02000)) { // inode_init_owner
        inode->i_uid = cred.fsuid;
        inode->i_gid = parent.i_mode & 02000 ? parent.i_gid : cred.fsgid;
        if ((parent.i_mode & 02000) && is_directory(mode)) inode->i_mode |= 02000;
        mark_inode_dirty(inode);
    }
    d_instantiate(dentry, inode);
    return {};
}

/// The directory and the negative dentry of a name that is to be made; the directory is locked.
struct NewName {
    struct dentry* parent = nullptr;
    struct dentry* dentry = nullptr;
    bool locked = false;
    NewName() = default;
    ~NewName() {
        if (dentry) dput(dentry);
        if (locked) parent->d_inode->i_rwsem.unlock();
        if (parent) dput(parent);
    }
    NewName(const NewName&) = delete;
    NewName& operator=(const NewName&) = delete;
};

Result<void> filename_create(struct dentry* base, const char* path, bool directory, NewName& out) {
    LastName last;
    out.parent = TRY(filename_parentat(base, path, last));
    if (!last.ordinary()) return Errno::EEXIST;
    out.parent->d_inode->i_rwsem.lock(I_MUTEX_PARENT);
    out.locked = true;
    out.dentry = TRY(lookup_one_qstr_excl(out.parent, last.view()));
    if (out.dentry->d_inode) return Errno::EEXIST;
    if (last.slash && !directory) return Errno::ENOENT;
    if (is_dead(out.parent->d_inode)) return Errno::ENOENT;
    return inode_permission(*out.parent->d_inode, MAY_WRITE | MAY_EXEC);
}

/// A name leaves its directory: who may write there may take it, in a sticky one only its owners.
Result<void> may_remove_from(const struct inode& parent, const struct inode& victim) {
    if (victim.i_swapfile) return Errno::EPERM;
    TRY(inode_permission(parent, MAY_WRITE | MAY_EXEC));
    u32 user = current_cred()->fsuid;
    bool sticky = (parent.i_mode & 01000) && user && victim.i_uid != user && parent.i_uid != user;
    return sticky ? Errno::EPERM : Result<void>();
}

/// rmdir, unlink, and a rename onto something, check the same.
Result<void> may_delete(const struct inode& parent, struct dentry* victim, bool directory) {
    TRY(may_remove_from(parent, *victim->d_inode));
    if (victim->mounted) return Errno::EBUSY;
    if (directory && !is_directory(victim->d_inode->i_mode)) return Errno::ENOTDIR;
    if (!directory && is_directory(victim->d_inode->i_mode)) return Errno::EISDIR;
    if (read_only(victim->d_inode)) return Errno::EROFS;
    return {};
}

/// Both directories locked, ancestors first; the trap is the child of one on the way to the other, or null.
class RenameLock {
public:
    RenameLock(struct dentry* first, struct dentry* second)
        : first_(first->d_inode), second_(second->d_inode) {
        if (first == second) {
            first_->i_rwsem.lock(I_MUTEX_PARENT);
            return;
        }
        mutex_ = &first_->i_sb->s_vfs_rename_mutex;
        mutex_->lock();
        trap = d_ancestor(second, first);
        bool second_first = trap;
        if (!trap) trap = d_ancestor(first, second);
        (second_first ? second_ : first_)->i_rwsem.lock(I_MUTEX_PARENT);
        (second_first ? first_ : second_)->i_rwsem.lock(I_MUTEX_PARENT2);
    }
    ~RenameLock() {
        first_->i_rwsem.unlock();
        if (!mutex_) return;
        second_->i_rwsem.unlock();
        mutex_->unlock();
    }
    RenameLock(const RenameLock&) = delete;
    RenameLock& operator=(const RenameLock&) = delete;
    struct dentry* trap = nullptr;

private:
    struct inode *first_, *second_;
    struct mutex* mutex_ = nullptr;
};

/// REQUIRES: the directories' locks; `moved` is positive.
Result<void> vfs_rename(struct dentry* old_parent, struct dentry* moved, struct dentry* new_parent,
                        struct dentry* target) {
    struct inode* inode = moved->d_inode;
    struct inode* replaced = target->d_inode;
    if (inode == replaced) return {};
    bool directory = is_directory(inode->i_mode);
    TRY(may_remove_from(*old_parent->d_inode, *inode));
    TRY(replaced ? may_remove_from(*new_parent->d_inode, *replaced)
                 : inode_permission(*new_parent->d_inode, MAY_WRITE | MAY_EXEC));
    if (directory && old_parent != new_parent) TRY(inode_permission(*inode, MAY_WRITE)); // its ".." changes
    if (replaced) {
        if (directory && !is_directory(replaced->i_mode)) return Errno::ENOTDIR;
        if (!directory && is_directory(replaced->i_mode)) return Errno::EISDIR;
        if (target->mounted) return Errno::EBUSY;
        if (directory) shrink_dcache_parent(target);
    }
    if (moved->mounted) return Errno::EBUSY;
    if (is_dead(new_parent->d_inode)) return Errno::ENOENT;
    if (read_only(inode)) return Errno::EROFS;
    if (replaced) replaced->i_rwsem.lock(I_MUTEX_CHILD);
    Result<void> renamed = old_parent->d_inode->rename(
        StringView(moved->d_name, moved->d_name_length), *inode, *new_parent->d_inode,
        StringView(target->d_name, target->d_name_length), replaced);
    if (replaced) replaced->i_rwsem.unlock();
    TRY(renamed);
    d_move(moved, target);
    return {};
}

} // namespace

Result<void> do_mknodat(struct dentry* base, const char* path, u32 mode, u32 device, StringView link_target,
                        struct dentry** made) {
    NewName name;
    TRY(filename_create(base, path, is_directory(mode), name));
    TRY(vfs_mknod(name.parent, name.dentry, mode, device, link_target));
    if (made) dget(*made = name.dentry);
    return {};
}

Result<struct dentry*> lookup_open(struct dentry* parent, const LastName& last, u32 flags, u32 mode,
                                   bool& created) {
    if (struct dentry* cached = parent->d_inode->keep_dentries() ? d_lookup(parent, last.view()) : nullptr) {
        if (cached->d_inode)
            return flags & O_EXCL ? (dput(cached), Result<struct dentry*>(Errno::EEXIST)) : cached;
        dput(cached);
    }
    parent->d_inode->i_rwsem.lock(I_MUTEX_PARENT);
    Result<struct dentry*> result = [&]() -> Result<struct dentry*> {
        struct dentry* dentry = TRY(lookup_one_qstr_excl(parent, last.view()));
        Errno error = Errno::None;
        if (dentry->d_inode) {
            if (flags & O_EXCL) error = Errno::EEXIST;
        } else if (is_dead(parent->d_inode)) {
            error = Errno::ENOENT;
        } else if (error = inode_permission(*parent->d_inode, MAY_WRITE | MAY_EXEC).error();
                   error == Errno::None) {
            error =
                vfs_mknod(parent, dentry, S_IFREG | (mode & ~get_current()->umask & 07777), 0, {}).error();
            created = error == Errno::None;
        }
        if (error == Errno::None) return dentry;
        dput(dentry);
        return error;
    }();
    parent->d_inode->i_rwsem.unlock();
    return result;
}

Result<void> do_unlinkat(struct dentry* base, const char* path) {
    LastName last;
    DentryReference parent(TRY(filename_parentat(base, path, last)));
    if (!last.ordinary()) return Errno::EISDIR;
    struct inode* removed = nullptr; // its last reference may do much work: after the locks
    Result<void> result = [&]() -> Result<void> {
        MutexGuard guard(parent.inode()->i_rwsem, I_MUTEX_PARENT);
        DentryReference victim(TRY(lookup_one_qstr_excl(parent.dentry, last.view())));
        if (!victim.inode()) return Errno::ENOENT;
        if (last.slash) return is_directory(victim.inode()->i_mode) ? Errno::EISDIR : Errno::ENOTDIR;
        TRY(may_delete(*parent.inode(), victim.dentry, false));
        ihold(removed = victim.inode());
        {
            MutexGuard child(victim.inode()->i_rwsem, I_MUTEX_CHILD);
            TRY(parent.inode()->unlink(last.view(), *victim.inode()));
        }
        d_delete(victim.dentry);
        return {};
    }();
    iput(removed);
    return result;
}

Result<void> do_rmdir(struct dentry* base, const char* path) {
    LastName last;
    DentryReference parent(TRY(filename_parentat(base, path, last)));
    if (last.dot) return Errno::EINVAL;
    if (last.dotdot) return Errno::ENOTEMPTY;
    if (last.root) return Errno::EBUSY;
    MutexGuard guard(parent.inode()->i_rwsem, I_MUTEX_PARENT);
    DentryReference victim(TRY(lookup_one_qstr_excl(parent.dentry, last.view())));
    if (!victim.inode()) return Errno::ENOENT;
    TRY(may_delete(*parent.inode(), victim.dentry, true));
    {
        MutexGuard child(victim.inode()->i_rwsem, I_MUTEX_CHILD);
        TRY(parent.inode()->remove_directory(last.view(), *victim.inode()));
    }
    shrink_dcache_parent(victim.dentry);
    d_delete(victim.dentry);
    return {};
}

Result<void> do_linkat(struct dentry* existing, struct dentry* base, const char* path) {
    NewName name;
    TRY(filename_create(base, path, false, name));
    struct inode* inode = existing->d_inode;
    if (inode->i_sb != name.parent->d_inode->i_sb) return Errno::EXDEV;
    if (is_directory(inode->i_mode)) return Errno::EPERM;
    MutexGuard child(inode->i_rwsem, I_MUTEX_CHILD);
    if (!inode->i_nlink) return Errno::ENOENT; // it lost its last name meanwhile
    TRY(name.parent->d_inode->link(StringView(name.dentry->d_name, name.dentry->d_name_length), *inode));
    ihold(inode);
    d_instantiate(name.dentry, inode);
    return {};
}

Result<void> do_renameat2(struct dentry* old_base, const char* old_path, struct dentry* new_base,
                          const char* new_path, u32 flags) {
    constexpr u32 RENAME_NOREPLACE = 1;
    if (flags & ~RENAME_NOREPLACE) return Errno::EINVAL;
    LastName old_last, new_last;
    DentryReference old_parent(TRY(filename_parentat(old_base, old_path, old_last)));
    DentryReference new_parent(TRY(filename_parentat(new_base, new_path, new_last)));
    if (old_parent.inode()->i_sb != new_parent.inode()->i_sb) return Errno::EXDEV;
    if (!old_last.ordinary()) return Errno::EBUSY;
    if (!new_last.ordinary()) return flags & RENAME_NOREPLACE ? Errno::EEXIST : Errno::EBUSY;
    struct inode* replaced = nullptr;
    Result<void> result = [&]() -> Result<void> {
        RenameLock lock(old_parent.dentry, new_parent.dentry);
        DentryReference moved(TRY(lookup_one_qstr_excl(old_parent.dentry, old_last.view())));
        if (!moved.inode()) return Errno::ENOENT;
        DentryReference target(TRY(lookup_one_qstr_excl(new_parent.dentry, new_last.view())));
        if ((flags & RENAME_NOREPLACE) && target.inode()) return Errno::EEXIST;
        if (!is_directory(moved.inode()->i_mode)) {
            if (old_last.slash) return Errno::ENOTDIR;
            if (!target.inode() && new_last.slash) return Errno::ENOTDIR;
        }
        if (moved.dentry == lock.trap) return Errno::EINVAL; // into itself
        if (target.dentry == lock.trap) return Errno::ENOTEMPTY;
        if (target.inode()) ihold(replaced = target.inode());
        return vfs_rename(old_parent.dentry, moved.dentry, new_parent.dentry, target.dentry);
    }();
    iput(replaced);
    return result;
}

} // namespace kernel
