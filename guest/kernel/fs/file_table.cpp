// A task's open files and directories; see vfs.h.
#include "fs/vfs.h"
#include "mm/slab.h"
#include "task/task.h"

namespace kernel {

files_struct* alloc_files() { return make<files_struct>(); }

files_struct* dup_fd(files_struct& from) {
    files_struct* copy = alloc_files();
    if (!copy) return nullptr;
    SpinGuard guard(from.file_lock);
    for (unsigned i = 0; i < files_struct::Capacity; i++)
        if ((copy->fd[i] = from.fd[i])) get_file(copy->fd[i]);
    memcpy(copy->close_on_exec, from.close_on_exec, sizeof copy->close_on_exec);
    return copy;
}

void put_files_struct(files_struct* table) {
    if (!table || __atomic_sub_fetch(&table->count, 1, __ATOMIC_ACQ_REL)) return;
    for (struct file* file : table->fd) fput(file);
    destroy(table);
}

Result<i32> fd_install(files_struct& table, struct file* file, bool close_on_exec, i32 at_least) {
    SpinGuard guard(table.file_lock);
    for (unsigned i = static_cast<unsigned>(max(at_least, 0)); i < files_struct::Capacity; i++) {
        if (table.fd[i]) continue;
        table.fd[i] = file;
        u64 bit = u64{1} << (i % 64);
        if (close_on_exec)
            table.close_on_exec[i / 64] |= bit;
        else
            table.close_on_exec[i / 64] &= ~bit;
        return static_cast<i32>(i);
    }
    return Errno::EMFILE;
}

void replace_fd(files_struct& table, i32 descriptor, struct file* file, bool close_on_exec) {
    struct file* old;
    {
        SpinGuard guard(table.file_lock);
        old = table.fd[descriptor];
        table.fd[descriptor] = file;
        u64 bit = u64{1} << (descriptor % 64);
        if (close_on_exec)
            table.close_on_exec[descriptor / 64] |= bit;
        else
            table.close_on_exec[descriptor / 64] &= ~bit;
    }
    fput(old);
}

Result<struct file*> fget(i32 descriptor) {
    files_struct* table = get_current()->files;
    if (!table || descriptor < 0 || descriptor >= static_cast<i32>(files_struct::Capacity))
        return Errno::EBADF;
    SpinGuard guard(table->file_lock);
    struct file* file = table->fd[descriptor];
    if (!file) return Errno::EBADF;
    get_file(file);
    return file;
}

Result<void> close_fd(files_struct& table, i32 descriptor) {
    if (descriptor < 0 || descriptor >= static_cast<i32>(files_struct::Capacity)) return Errno::EBADF;
    struct file* file;
    {
        SpinGuard guard(table.file_lock);
        file = table.fd[descriptor];
        table.fd[descriptor] = nullptr;
    }
    if (!file) return Errno::EBADF;
    fput(file);
    return {};
}

void do_close_on_exec(files_struct& table) {
    for (unsigned i = 0; i < files_struct::Capacity; i++)
        if (table.fd[i] && (table.close_on_exec[i / 64] >> (i % 64) & 1))
            (void)close_fd(table, static_cast<i32>(i));
    memset(table.close_on_exec, 0, sizeof table.close_on_exec);
}

fs_struct* alloc_fs_struct() {
    auto* context = make<fs_struct>();
    if (!context) return nullptr;
    if (root_dentry) {
        dget(context->root = root_dentry);
        dget(context->pwd = root_dentry);
    }
    return context;
}

fs_struct* copy_fs_struct(fs_struct& from) {
    auto* copy = make<fs_struct>();
    if (!copy) return nullptr;
    SpinGuard guard(from.lock);
    if ((copy->root = from.root ? from.root : root_dentry)) dget(copy->root);
    if ((copy->pwd = from.pwd ? from.pwd : root_dentry)) dget(copy->pwd);
    copy->umask = from.umask;
    return copy;
}

struct dentry* get_fs_root() {
    fs_struct* fs = get_current()->fs;
    if (!fs) return dget(root_dentry), root_dentry;
    SpinGuard guard(fs->lock);
    struct dentry* root = fs->root ? fs->root : root_dentry;
    dget(root);
    return root;
}

struct dentry* get_fs_pwd() {
    fs_struct* fs = get_current()->fs;
    if (!fs) return dget(root_dentry), root_dentry;
    SpinGuard guard(fs->lock);
    struct dentry* pwd = fs->pwd ? fs->pwd : fs->root ? fs->root : root_dentry;
    dget(pwd);
    return pwd;
}

static void replace_path(fs_struct& fs, struct dentry*& place, struct dentry* dentry) {
    struct dentry* old;
    {
        SpinGuard guard(fs.lock);
        old = place;
        place = dentry;
    }
    dput(old);
}
void set_fs_pwd(fs_struct& fs, struct dentry* dentry) { replace_path(fs, fs.pwd, dentry); }
void set_fs_root(fs_struct& fs, struct dentry* dentry) { replace_path(fs, fs.root, dentry); }

void free_fs_struct(fs_struct* context) {
    if (!context || __atomic_sub_fetch(&context->users, 1, __ATOMIC_ACQ_REL)) return;
    if (context->root) dput(context->root);
    if (context->pwd) dput(context->pwd);
    destroy(context);
}

} // namespace kernel
