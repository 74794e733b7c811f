// A task's open files and directories; see vfs.h.
#include "fs/vfs.h"
#include "mm/slab.h"
#include "task/task.h"

namespace kernel {

FileTable* new_file_table() { return make<FileTable>(); }

FileTable* copy_file_table(FileTable& from) {
    FileTable* copy = new_file_table();
    if (!copy) return nullptr;
    SpinGuard guard(from.lock);
    for (unsigned i = 0; i < FileTable::Capacity; i++)
        if ((copy->files[i] = from.files[i])) get_file(copy->files[i]);
    memcpy(copy->close_on_exec, from.close_on_exec, sizeof copy->close_on_exec);
    return copy;
}

void put_file_table(FileTable* table) {
    if (!table || __atomic_sub_fetch(&table->references, 1, __ATOMIC_ACQ_REL)) return;
    for (File* file : table->files) put_file(file);
    destroy(table);
}

Result<i32> install_file(FileTable& table, File* file, bool close_on_exec, i32 at_least) {
    SpinGuard guard(table.lock);
    for (unsigned i = static_cast<unsigned>(max(at_least, 0)); i < FileTable::Capacity; i++) {
        if (table.files[i]) continue;
        table.files[i] = file;
        u64 bit = u64{1} << (i % 64);
        if (close_on_exec)
            table.close_on_exec[i / 64] |= bit;
        else
            table.close_on_exec[i / 64] &= ~bit;
        return static_cast<i32>(i);
    }
    return Errno::EMFILE;
}

Result<File*> file_of(i32 descriptor) {
    FileTable* table = current_task()->files;
    if (!table || descriptor < 0 || descriptor >= static_cast<i32>(FileTable::Capacity)) return Errno::EBADF;
    SpinGuard guard(table->lock);
    File* file = table->files[descriptor];
    if (!file) return Errno::EBADF;
    get_file(file);
    return file;
}

Result<void> close_descriptor(FileTable& table, i32 descriptor) {
    if (descriptor < 0 || descriptor >= static_cast<i32>(FileTable::Capacity)) return Errno::EBADF;
    File* file;
    {
        SpinGuard guard(table.lock);
        file = table.files[descriptor];
        table.files[descriptor] = nullptr;
    }
    if (!file) return Errno::EBADF;
    put_file(file);
    return {};
}

void close_on_exec(FileTable& table) {
    for (unsigned i = 0; i < FileTable::Capacity; i++)
        if (table.files[i] && (table.close_on_exec[i / 64] >> (i % 64) & 1))
            (void)close_descriptor(table, static_cast<i32>(i));
    memset(table.close_on_exec, 0, sizeof table.close_on_exec);
}

FileSystemContext* new_fs_context() {
    auto* context = make<FileSystemContext>();
    if (!context) return nullptr;
    if (root_dentry) {
        get_dentry(context->root = root_dentry);
        get_dentry(context->working = root_dentry);
    }
    return context;
}

FileSystemContext* copy_fs_context(FileSystemContext& from) {
    auto* copy = make<FileSystemContext>();
    if (!copy) return nullptr;
    if ((copy->root = from.root ? from.root : root_dentry)) get_dentry(copy->root);
    if ((copy->working = from.working ? from.working : root_dentry)) get_dentry(copy->working);
    copy->umask = from.umask;
    return copy;
}

void put_fs_context(FileSystemContext* context) {
    if (!context || __atomic_sub_fetch(&context->references, 1, __ATOMIC_ACQ_REL)) return;
    if (context->root) put_dentry(context->root);
    if (context->working) put_dentry(context->working);
    destroy(context);
}

} // namespace kernel
