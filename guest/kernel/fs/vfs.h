// The virtual file system: inodes (what a file is), dentries (where it is), files (who has it open), and the
// page cache.
//
// Interface: a file system derives from Inode and implements what it offers; the defaults refuse with the
// error that Linux gives. Lookup goes through the dentry cache, across mounts and symbolic links.
//
// Invariants: an Inode lives while `references` > 0; a Dentry holds one reference on its inode and one on its
// parent; an open File holds one on its dentry. Directory contents change under the directory inode's mutex;
// the dentry tree under dentry_lock (short, no sleeping).
#pragma once

#include "abi/fcntl.h"
#include "lib/list.h"
#include "lib/radix_tree.h"
#include "lib/result.h"
#include "lib/string.h"
#include "sync/wait_queue.h"

namespace kernel {

struct Inode;
struct File;
struct Dentry;
struct Page;

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
struct AddressSpace {
    Inode* host = nullptr;
    RadixTree pages;
    u64 page_count = 0;
    Mutex lock{"page_cache"};
};

struct DirectoryEntry {
    u64 inode = 0;
    u8 type = 0;
    u32 name_length = 0;
    char name[256] = {};
};

struct SuperBlock {
    const char* type = "";
    u64 device = 0;
    u64 block_size = 4096;
    bool read_only = false;
    virtual ~SuperBlock() = default;
    virtual Result<void> sync() { return {}; }
};

struct Inode {
    u64 number = 0;
    u32 mode = 0;
    u32 links = 1;
    u32 uid = 0, gid = 0;
    u64 size = 0;
    u64 blocks = 0;                                        ///< 512-byte units
    u64 access_time = 0, modify_time = 0, change_time = 0; ///< seconds
    u32 device = 0;                                        ///< of a device node
    u32 references = 1;
    SuperBlock* super = nullptr;
    AddressSpace cache;
    Mutex lock{"inode"};

    Inode() { cache.host = this; }
    virtual ~Inode() = default;

    // Directories.
    virtual Result<Inode*> lookup(StringView) { return Errno::ENOTDIR; } ///< with a reference for the caller
    virtual Result<bool> next_entry(File&, DirectoryEntry&) { return Errno::ENOTDIR; }
    virtual Result<Inode*> create(StringView, u32 /*mode*/, u32 /*device*/) { return Errno::EROFS; }
    virtual Result<void> unlink(StringView, Inode&) { return Errno::EROFS; }
    virtual Result<void> remove_directory(StringView, Inode&) { return Errno::EROFS; }
    virtual Result<void> link(StringView, Inode&) { return Errno::EROFS; }
    virtual Result<void> rename(StringView, Inode& /*new directory*/, StringView, Inode&) {
        return Errno::EROFS;
    }
    /// False when names come and go by themselves (procfs): its dentries are not kept.
    virtual bool keep_dentries() const { return true; }

    // Symbolic links.
    virtual Result<usize> read_link(char*, usize) { return Errno::EINVAL; }
    virtual Result<void> write_link(StringView) { return Errno::EROFS; }

    // Contents.
    virtual Result<void> open(File&) { return {}; }
    virtual void release(File&) {}
    virtual Result<usize> read(File&, IoBuffer, u64 position); ///< through the page cache
    virtual Result<usize> write(File&, IoBuffer, u64 position);
    virtual Result<void> read_page(u64 /*index*/, Page*) { return Errno::EINVAL; }
    virtual Result<void> write_page(u64 /*index*/, Page*) { return Errno::EROFS; }
    /// Makes room for [position, position + size): blocks are there when it returns.
    virtual Result<void> prepare_write(u64, usize) { return Errno::EINVAL; }
    virtual Result<void> truncate(u64) { return Errno::EINVAL; }
    virtual Result<u64> control(File&, u32 /*command*/, u64 /*argument*/) { return Errno::ENOTTY; }
    virtual bool seekable() const { return true; }
    virtual bool is_terminal() const { return false; }
    virtual u32 poll(File&) { return 0x45; } ///< POLLIN | POLLOUT | POLLRDNORM
    virtual Result<void> sync() { return {}; }
    /// Called with the last reference.
    virtual void destroy_self();
};

void get_inode(Inode* inode);
void put_inode(Inode* inode);

struct Dentry {
    char* name = nullptr;
    Dentry* parent = nullptr; ///< itself for a root
    Inode* inode = nullptr;
    Dentry* mounted = nullptr;     ///< root of what is mounted here
    Dentry* mount_point = nullptr; ///< for the root of a mount
    u32 references = 1;
    bool unlinked = false;
    ListNode children;
    ListNode sibling;
};
void get_dentry(Dentry* dentry);
void put_dentry(Dentry* dentry);
/// A new child of `parent`, which takes over the inode's reference.
Result<Dentry*> make_dentry(Dentry* parent, StringView name, Inode* inode);
/// Forgets a name (unlink, rename): open files keep the dentry.
void drop_dentry(Dentry* dentry);

extern Dentry* root_dentry;
void set_root(Inode* root);
Result<void> mount_at(const char* path, Inode* root, const char* source, SuperBlock* super);
struct MountRecord {
    char source[32], target[64];
    SuperBlock* super;
    MountRecord* next;
};
extern MountRecord* mounts;

struct File {
    Dentry* dentry = nullptr;
    Inode* inode = nullptr;
    u32 flags = 0;
    u32 references = 1;
    u64 position = 0;
    u64 private_value = 0; ///< the file system's own
    void* private_data = nullptr;
    Mutex lock{"file"}; ///< position

    bool readable() const { return (flags & O_ACCMODE) != O_WRONLY; }
    bool writable() const { return (flags & O_ACCMODE) != O_RDONLY; }
};
void get_file(File* file);
void put_file(File* file);

// --- paths (fs/path.cpp)
// --------------------------------------------------------------------------------------------------
inline constexpr usize PathMax = 4096;
enum LookupFlag : u32 { FollowLast = 1, WantParent = 2 };
/// Walks `path` from `base` (null: the caller's root or working directory). The dentry comes with a
/// reference.
Result<Dentry*> lookup_path(Dentry* base, const char* path, u32 flags = FollowLast);
/// The parent directory and the last component of `path`.
Result<Dentry*> lookup_parent(Dentry* base, const char* path, char* last, usize capacity);
/// One name in one directory, through the cache.
Result<Dentry*> lookup_child(Dentry* directory, StringView name);
/// "/a/b" of a dentry, right-aligned in the buffer; returns its start.
char* dentry_path(Dentry* dentry, char* buffer, usize capacity);

// --- opening
// ----------------------------------------------------------------------------------------------------------------
Result<File*> open_dentry(Dentry* dentry, u32 flags);
Result<File*> open_path(Dentry* base, const char* path, u32 flags, u32 mode = 0);
Result<usize> read_file(File& file, IoBuffer buffer);
Result<usize> write_file(File& file, IoBuffer buffer);
Result<usize> read_kernel(File& file, void* to, usize size, u64 position);
void fill_stat(Inode& inode, Stat& stat);

// --- page cache (fs/page_cache.cpp)
// ---------------------------------------------------------------------------------------
/// The page with a reference, read when it is not there.
Result<Page*> cached_page(Inode& inode, u64 index);
/// Drops pages from `first` on.
void drop_cached_pages(Inode& inode, u64 first);
Result<void> write_back(Inode& inode);
extern u64 page_cache_pages;

// --- a task's files (fs/file_table.cpp)
// ---------------------------------------------------------------------------------
struct FileTable {
    static constexpr unsigned Capacity = 256;
    u32 references = 1;
    File* files[Capacity] = {};
    u64 close_on_exec[Capacity / 64] = {};
    SpinLock lock{"files"};
};
FileTable* new_file_table();
FileTable* copy_file_table(FileTable& from);
void put_file_table(FileTable* table);
Result<i32> install_file(FileTable& table, File* file, bool close_on_exec, i32 at_least = 0);
/// With a reference.
Result<File*> file_of(i32 descriptor);
Result<void> close_descriptor(FileTable& table, i32 descriptor);
void close_on_exec(FileTable& table);

struct FileSystemContext {
    u32 references = 1;
    Dentry* root = nullptr;
    Dentry* working = nullptr;
    u32 umask = 022;
};
FileSystemContext* new_fs_context();
FileSystemContext* copy_fs_context(FileSystemContext& from);
void put_fs_context(FileSystemContext* context);

} // namespace kernel
