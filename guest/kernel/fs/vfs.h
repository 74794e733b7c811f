// The virtual file system: inodes (what a file is), dentries (where it is), files (who has it open), and the
// page cache.
//
// Interface: a file system derives from inode and implements what it offers; the defaults refuse with the
// error that Linux gives. Lookup goes through the dentry cache, across mounts and symbolic links.
//
// Invariants: an inode lives while `references` > 0; a dentry holds one reference on its inode and one on its
// parent; an open file holds one on its dentry. Directory contents change under the directory inode's mutex;
// the dentry tree under dentry_lock (short, no sleeping).
#pragma once

#include "abi/fcntl.h"
#include "lib/list.h"
#include "lib/radix_tree.h"
#include "lib/result.h"
#include "lib/string.h"
#include "sync/wait_queue.h"

namespace kernel {

struct inode;
struct file;
struct dentry;
struct page;

/// Where read() puts bytes and write() takes them: user memory, or the kernel's.
struct IoBuffer {
    u64 address;
    usize size;
    bool user;

    static IoBuffer of_user(u64 address, usize size) { return {address, size, true}; }
    static IoBuffer of_kernel(void* data, usize size) { return {reinterpret_cast<u64>(data), size, false}; }
    Result<void> store(usize offset, const void* from, usize count) const;
    Result<void> load(void* to, usize offset, usize count) const;
    Result<void> zero(usize offset, usize count) const;
};

/// A file's pages in memory.
struct address_space {
    struct inode* host = nullptr;
    radix_tree_root i_pages;
    u64 nrpages = 0;
    struct mutex lock{"page_cache"};
};

struct DirectoryEntry {
    u64 inode = 0;
    u8 type = 0;
    u32 name_length = 0;
    char name[256] = {};
};

struct super_block {
    const char* s_type = "";
    u64 s_dev = 0;
    u64 s_blocksize = 4096;
    bool s_readonly = false;
    virtual ~super_block() = default;
    virtual Result<void> sync() { return {}; }
};

struct inode {
    u64 i_ino = 0;
    u32 i_mode = 0;
    u32 i_nlink = 1;
    u32 i_uid = 0, i_gid = 0;
    u64 i_size = 0;
    u64 i_blocks = 0;                          ///< 512-byte units
    u64 i_atime = 0, i_mtime = 0, i_ctime = 0; ///< seconds
    u32 i_rdev = 0;                            ///< of a device node
    u32 i_count = 1;
    super_block* i_sb = nullptr;
    address_space i_data;
    struct mutex i_rwsem{"inode"};

    inode() { i_data.host = this; }
    virtual ~inode() = default;

    // Directories.
    virtual Result<struct inode*> lookup(StringView) {
        return Errno::ENOTDIR;
    } ///< with a reference for the caller
    virtual Result<bool> next_entry(struct file&, DirectoryEntry&) { return Errno::ENOTDIR; }
    virtual Result<struct inode*> create(StringView, u32 /*i_mode*/, u32 /*i_rdev*/) { return Errno::EROFS; }
    virtual Result<void> unlink(StringView, struct inode&) { return Errno::EROFS; }
    virtual Result<void> remove_directory(StringView, struct inode&) { return Errno::EROFS; }
    virtual Result<void> link(StringView, struct inode&) { return Errno::EROFS; }
    virtual Result<void> rename(StringView, struct inode& /*new directory*/, StringView, struct inode&) {
        return Errno::EROFS;
    }
    /// False when names come and go by themselves (procfs): its dentries are not kept.
    virtual bool keep_dentries() const { return true; }

    // Symbolic links.
    virtual Result<usize> read_link(char*, usize) { return Errno::EINVAL; }
    virtual Result<void> write_link(StringView) { return Errno::EROFS; }

    // Contents.
    virtual Result<void> open(struct file&) { return {}; }
    virtual void release(struct file&) {}
    virtual Result<usize> read(struct file&, IoBuffer, u64 position); ///< through the page cache
    virtual Result<usize> write(struct file&, IoBuffer, u64 position);
    virtual Result<void> read_page(u64 /*index*/, struct page*) { return Errno::EINVAL; }
    virtual Result<void> write_page(u64 /*index*/, struct page*) { return Errno::EROFS; }
    /// Makes room for [position, position + size): blocks are there when it returns.
    virtual Result<void> prepare_write(u64, usize) { return Errno::EINVAL; }
    virtual Result<void> truncate(u64) { return Errno::EINVAL; }
    virtual Result<u64> control(struct file&, u32 /*command*/, u64 /*argument*/) { return Errno::ENOTTY; }
    virtual bool seekable() const { return true; }
    virtual bool is_terminal() const { return false; }
    virtual u32 poll(struct file&) { return 0x45; } ///< POLLIN | POLLOUT | POLLRDNORM
    virtual Result<void> sync() { return {}; }
    /// Called with the last reference.
    virtual void destroy_self();
};

void ihold(struct inode* inode);
void iput(struct inode* inode);

struct dentry {
    char* d_name = nullptr;
    struct dentry* d_parent = nullptr; ///< itself for a root
    struct inode* d_inode = nullptr;
    struct dentry* mounted = nullptr;     ///< root of what is mounted here
    struct dentry* mount_point = nullptr; ///< for the root of a mount
    u32 d_count = 1;
    bool unlinked = false;
    list_head d_subdirs;
    list_head d_child;
};
void dget(struct dentry* dentry);
void dput(struct dentry* dentry);
/// A new child of `parent`, which takes over the inode's reference.
Result<struct dentry*> d_add(struct dentry* parent, StringView name, struct inode* inode);
/// Forgets a name (unlink, rename): open files keep the dentry.
void d_drop(struct dentry* dentry);

extern struct dentry* root_dentry;
void set_root(struct inode* root);
Result<void> do_mount(const char* path, struct inode* root, const char* source, super_block* super);
struct mount {
    char source[32], target[64];
    super_block* super;
    struct mount* next;
};
extern struct mount* mounts;

struct file {
    struct dentry* f_dentry = nullptr;
    struct inode* f_inode = nullptr;
    u32 f_flags = 0;
    u32 f_count = 1;
    u64 f_pos = 0;
    u64 private_value = 0; ///< the file system's own
    void* private_data = nullptr;
    struct mutex f_pos_lock{"file"}; ///< position

    bool readable() const { return (f_flags & O_ACCMODE) != O_WRONLY; }
    bool writable() const { return (f_flags & O_ACCMODE) != O_RDONLY; }
};
void get_file(struct file* file);
void fput(struct file* file);

// --- paths (fs/path.cpp)
// --------------------------------------------------------------------------------------------------
inline constexpr usize PathMax = 4096;
enum LookupFlag : u32 { FollowLast = 1, WantParent = 2 };
/// Walks `path` from `base` (null: the caller's root or working directory). The dentry comes with a
/// reference.
Result<struct dentry*> filename_lookup(struct dentry* base, const char* path, u32 flags = FollowLast);
/// The parent directory and the last component of `path`.
Result<struct dentry*> filename_parentat(struct dentry* base, const char* path, char* last, usize capacity);
/// One name in one directory, through the cache.
Result<struct dentry*> lookup_one_len(struct dentry* directory, StringView name);
/// "/a/b" of a dentry, right-aligned in the buffer; returns its start.
char* d_path(struct dentry* dentry, char* buffer, usize capacity);

// --- opening
// ----------------------------------------------------------------------------------------------------------------
Result<struct file*> do_dentry_open(struct dentry* dentry, u32 flags);
Result<struct file*> do_filp_open(struct dentry* base, const char* path, u32 flags, u32 mode = 0);
Result<usize> vfs_read(struct file& file, IoBuffer buffer);
Result<usize> vfs_write(struct file& file, IoBuffer buffer);
Result<usize> kernel_read(struct file& file, void* to, usize size, u64 position);
void generic_fillattr(struct inode& inode, Stat& stat);

// --- page cache (fs/page_cache.cpp)
// ---------------------------------------------------------------------------------------
/// The page with a reference, read when it is not there.
Result<struct page*> filemap_get_page(struct inode& inode, u64 index);
/// Drops pages from `first` on.
void truncate_inode_pages(struct inode& inode, u64 first);
Result<void> filemap_write_and_wait(struct inode& inode);
extern u64 page_cache_pages;

// --- a task's files (fs/file_table.cpp)
// ---------------------------------------------------------------------------------
struct files_struct {
    static constexpr unsigned Capacity = 256;
    u32 count = 1;
    struct file* fd[Capacity] = {};
    u64 close_on_exec[Capacity / 64] = {};
    spinlock_t file_lock{"files"};
};
files_struct* alloc_files();
files_struct* dup_fd(files_struct& from);
void put_files_struct(files_struct* table);
Result<i32> fd_install(files_struct& table, struct file* file, bool close_on_exec, i32 at_least = 0);
/// With a reference.
Result<struct file*> fget(i32 descriptor);
Result<void> close_fd(files_struct& table, i32 descriptor);
void do_close_on_exec(files_struct& table);

struct fs_struct {
    u32 users = 1;
    struct dentry* root = nullptr;
    struct dentry* pwd = nullptr;
    u32 umask = 022;
};
fs_struct* alloc_fs_struct();
fs_struct* copy_fs_struct(fs_struct& from);
void free_fs_struct(fs_struct* context);

} // namespace kernel
