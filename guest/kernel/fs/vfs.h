// The virtual file system: inodes (what a file is), dentries (where it is), files (who has it open).
//
// Interface: a file system derives from inode and implements what it offers; the defaults refuse with the
// error that Linux gives. Who has a file open talks to file::f_op: the inode itself, or the device, FIFO or
// other object that its mode names.
//
// Invariants: an inode lives while i_count > 0; a dentry holds one reference on its inode (null: a negative
// dentry, the name is known not to exist) and one on its parent; an open file holds one on its dentry. Lock
// order: s_vfs_rename_mutex, i_rwsem of an ancestor, i_rwsem of the parent, i_rwsem of the child, dentry_lock
// (dcache.cpp; short, no sleeping). Names of a directory change only under its i_rwsem, which is held from
// the lookup to the change: what is unlinked is what the name stands for now.
#pragma once

#include "abi/fcntl.h"
#include "fs/address_space.h"
#include "lib/list.h"
#include "lib/result.h"
#include "lib/string.h"
#include "sync/wait_queue.h"

namespace kernel {

struct inode;
struct file;
struct dentry;
struct page;
struct pipe_inode_info;
struct mpage_data;
struct poll_table;
struct block_device;

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
    /// Makes what load() will read present, so that a copy under a page lock need not fault.
    Result<void> fault_in_readable(usize offset, usize count) const;
    /// load() that fails where it would have to sleep.
    Result<void> load_atomic(void* to, usize offset, usize count) const;
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
    u64 s_maxbytes = 0x7fff'ffff'ffff'ffff;
    bool s_readonly = false;
    u32 s_writers = 0; ///< the sum of its inodes' i_writers
    u32 s_open_for_write =
        0; ///< open files that hold a write access: with some, it does not become read-only
    bool s_permanent = false;                        ///< proc, devtmpfs: umount leaves it
    struct mutex s_vfs_rename_mutex{"s_vfs_rename"}; ///< renames between directories
    virtual ~super_block() = default;
    /// A blank inode for iget_locked().
    virtual struct inode* alloc_inode() { return nullptr; }
    u64 s_magic = 0; ///< as statfs tells it
    virtual Result<void> sync() { return {}; }
    virtual Result<void> statfs(kstatfs& stat) {
        stat = {};
        stat.f_type = static_cast<i64>(s_magic);
        stat.f_bsize = stat.f_frsize = static_cast<i64>(s_blocksize);
        return {};
    }
    /// Counts and the like, into the device's cache: the flusher calls it now and then.
    virtual void write_super() {}
    /// Everything is written and the volume marked clean (true), or marked in use again. REQUIRES: s_readonly
    /// is set, and nobody is in the middle of a change.
    virtual Result<void> remount(bool /*read_only*/) { return {}; }
    /// The last thing before power-off or umount: what is dirty is written, the volume is marked clean.
    virtual void put_super() {}
};

/// What an open file does.
struct file_operations {
    virtual ~file_operations() = default;
    virtual Result<void> open(struct file&) { return {}; }
    virtual void release(struct file&) {}
    virtual Result<usize> read(struct file&, IoBuffer, u64 /*position*/) { return Errno::EINVAL; }
    /// Moves `position`; an append finds it first.
    virtual Result<usize> write(struct file&, IoBuffer, u64& /*position*/) { return Errno::EINVAL; }
    virtual Result<bool> next_entry(struct file&, DirectoryEntry&) { return Errno::ENOTDIR; }
    virtual Result<u64> control(struct file&, u32 /*command*/, u64 /*argument*/) { return Errno::ENOTTY; }
    /// What could be done now; hands the queues that announce a change to the table (fs/poll.h).
    virtual u32 poll(struct file&, poll_table*) {
        return 0x145;
    } ///< POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM
    virtual bool seekable() const { return true; }
    virtual bool is_terminal() const { return false; }
};

enum InodeState : u32 { I_NEW = 8, I_FREEING = 32 };
enum InodeDirty : u32 { I_DIRTY_INODE = 3, I_DIRTY_PAGES = 4 };

/// Since 1970.
u64 current_time_seconds();

struct inode : file_operations {
    u64 i_ino = 0;
    u32 i_mode = 0;
    u32 i_nlink = 1;
    u32 i_uid = 0, i_gid = 0;
    u64 i_size = 0;
    u64 i_blocks = 0;                          ///< 512-byte units
    u64 i_atime = 0, i_mtime = 0, i_ctime = 0; ///< seconds
    u32 i_rdev = 0;                            ///< of a device node
    u32 i_count = 1;
    u32 i_state = 0;      ///< InodeState, under inode_hash_lock
    u64 dirtied_when = 0; ///< jiffies when it became dirty
    u32 i_dirty = 0;      ///< InodeDirty, under the writeback lock (fs-writeback.cpp)
    u32 i_writers = 0;    ///< who writes it back without a reference (fs-writeback.cpp)
    super_block* i_sb = nullptr;
    pipe_inode_info* i_pipe = nullptr; ///< of an open FIFO
    i32 i_writecount = 0;              ///< see get_write_access()
    bool i_swapfile = false;           ///< S_SWAPFILE: an active swap area, which nobody writes to or deletes
    list_head i_flock, i_posix;        ///< locks (filelock.h); initialised by the first
    list_head i_hash;
    list_head i_io_list; ///< on the list of dirty inodes
    address_space i_data;
    struct mutex i_rwsem{"inode"};
    struct mutex i_sync{"i_sync"}; ///< one write-back at a time

    inode() { // born now, unless the file system knows better
        i_atime = i_mtime = i_ctime = current_time_seconds();
        i_data.host = this;
        i_hash.initialise();
        i_io_list.initialise();
        i_data.i_mmap.initialise();
    }

    // Directories. REQUIRES: i_rwsem of the directory (of both, for rename).
    /// With a reference for the caller.
    virtual Result<struct inode*> lookup(StringView) { return Errno::ENOTDIR; }
    virtual Result<struct inode*> create(StringView, u32 /*i_mode*/, u32 /*i_rdev*/) { return Errno::EPERM; }
    virtual Result<struct inode*> symlink(StringView, StringView /*target*/) { return Errno::EPERM; }
    virtual Result<void> unlink(StringView, struct inode&) { return Errno::EPERM; }
    virtual Result<void> remove_directory(StringView, struct inode&) { return Errno::EPERM; }
    virtual Result<void> link(StringView, struct inode&) { return Errno::EPERM; }
    /// `replaced` (or null) is what the new name stands for; it loses that name in the same step.
    virtual Result<void> rename(StringView, struct inode&, struct inode& /*new directory*/, StringView,
                                struct inode* /*replaced*/) {
        return Errno::EPERM;
    }
    /// False when names come and go by themselves (procfs): its dentries are not kept.
    virtual bool keep_dentries() const { return true; }
    virtual Result<usize> read_link(char*, usize) { return Errno::EINVAL; }
    /// A link that leads to a file rather than to a name (/proc/PID/fd): its dentry with a reference.
    virtual Result<struct dentry*> jump_link() { return Errno::EINVAL; }

    // Contents, through the page cache (mm/filemap.cpp).
    Result<usize> read(struct file&, IoBuffer, u64 position) override;
    Result<usize> write(struct file&, IoBuffer, u64& position) override;
    /// Fills all of a locked page; what is past the end is zero.
    virtual Result<void> read_page(u64 /*index*/, struct page*) { return Errno::EINVAL; }
    /// Starts to fill a locked page; unlocks it and drops a reference when that is done. An error: neither.
    virtual Result<void> readahead_page(u64 /*index*/, struct page*, mpage_data&) { return Errno::EINVAL; }
    /// Writes a page with PageWriteback. True: it is on its way in the batch, whose end finishes it; false:
    /// it is written.
    virtual Result<bool> write_page(u64 /*index*/, struct page*, mpage_data&) { return Errno::EROFS; }
    /// Makes room for [position, position + size) inside one locked page, which is filled unless all of it
    /// will be written.
    virtual Result<void> write_begin(struct page*, u64, usize) { return Errno::EINVAL; }
    /// A write ended early: room that it made beyond i_size goes back. No page is locked.
    virtual void write_failed() {}
    /// The device's block of a file block, 0 for a hole; and the device, for a file that may hold swapped
    /// pages.
    virtual Result<u64> bmap(u64) { return Errno::EINVAL; }
    virtual struct block_device* swap_device() { return nullptr; }
    /// Whether this page of the file has room of its own (SEEK_DATA, SEEK_HOLE).
    virtual Result<bool> page_is_data(u64 /*index*/) { return true; }
    virtual Result<void> truncate(u64) { return Errno::EINVAL; }
    /// The inode alone, into the device's cache.
    virtual Result<void> write_inode() { return {}; }
    /// fsync: contents, inode, and the drive's cache.
    virtual Result<void> sync() { return {}; }
    /// Called with the last reference gone.
    virtual void evict_inode();
};

// --- inodes (fs/inode.cpp)
void ihold(struct inode* inode);
void iput(struct inode* inode);
/// The inode with this number, or a new one with I_NEW, which the caller fills and unlocks; others wait for
/// that.
Result<struct inode*> iget_locked(super_block& super, u64 number);
/// A made inode enters the hash; waits for a namesake that is going away. REQUIRES: nobody else makes this
/// number.
void insert_inode_locked(struct inode* inode);
void unlock_new_inode(struct inode* inode);
void iget_failed(struct inode* inode);
void remove_inode_hash(struct inode* inode);
/// Waits until the inodes that are going away have gone.
void wait_on_freeing_inodes(super_block& super);
/// Calls visit(inode) for hashed inodes of a file system, each with a reference.
void for_each_inode(super_block& super, void (*visit)(struct inode*));

// --- write-back (fs/fs-writeback.cpp)
void mark_inode_dirty(struct inode* inode, u32 what = I_DIRTY_INODE);
/// REQUIRES: I_FREEING, so that nobody begins anew.
void inode_wait_for_writeback(struct inode* inode);
/// The same for all inodes of a file system. REQUIRES: nobody dirties it.
void wait_sb_writers(super_block& super);
/// Not on the list any more.
void inode_io_list_del(struct inode* inode);
/// Writes the dirty inodes of a file system (null: of all), with their pages.
Result<void> writeback_inodes_sb(super_block* super);
Result<void> writeback_single_inode(struct inode* inode);

struct dentry {
    char* d_name = nullptr;
    u32 d_name_length = 0;
    u32 d_hash_value = 0;
    struct dentry* d_parent = nullptr;    ///< itself for a root
    struct inode* d_inode = nullptr;      ///< null: negative
    struct dentry* mounted = nullptr;     ///< root of what is mounted here
    struct dentry* mount_point = nullptr; ///< for the root of a mount
    u32 d_count = 1;
    list_head d_subdirs;
    list_head d_child;
    list_head d_hash; ///< linked: the name is found here
    list_head d_lru;  ///< linked: nobody uses it
};

// --- the dentry cache (fs/dcache.cpp)
void dget(struct dentry* dentry);
void dput(struct dentry* dentry);
struct dentry* dget_parent(struct dentry* dentry);
/// Takes over the inode's reference (null: negative).
Result<struct dentry*> d_add(struct dentry* parent, StringView name, struct inode* inode);
/// The cached dentry with a reference, or null.
struct dentry* d_lookup(struct dentry* parent, StringView name);
void d_instantiate(struct dentry* dentry, struct inode* inode);
/// The name is gone: the dentry becomes negative, or leaves the cache when others use it.
void d_delete(struct dentry* dentry);
void d_drop(struct dentry* dentry);
/// `dentry` takes the place and the name of `target`, which leaves the cache.
void d_move(struct dentry* dentry, struct dentry* target);
bool d_unlinked(struct dentry* dentry);
/// The child of `ancestor` on the way up from `dentry`, or null.
struct dentry* d_ancestor(struct dentry* ancestor, struct dentry* dentry);
/// Drops unused dentries below `parent`.
void shrink_dcache_parent(struct dentry* parent);
/// Drops up to `count` unused dentries, the longest unused first; returns how many went.
u64 prune_dcache(u64 count);
extern u64 nr_dentry, nr_dentry_unused;
/// Whether nobody but `users` has it, nor anything below it.
bool d_unused(struct dentry* root, u32 users);
/// "/a/b" of a dentry, right-aligned in the buffer; ENAMETOOLONG when it does not fit.
Result<char*> d_path(struct dentry* dentry, char* buffer, usize capacity);
/// For labels: the path, or the last name alone where the path is too long.
const char* d_path_or_name(struct dentry* dentry, char* buffer, usize capacity);

extern struct dentry* root_dentry;
struct mount {
    char source[32], target[64];
    super_block* super;
    struct dentry* mnt_root;
    struct mount* next;
};
extern struct mount* mounts;
Result<void> do_mount(const char* path, struct inode* root, const char* source, super_block* super);
/// Takes over the reference on the root of what is mounted; EBUSY while somebody is in there.
Result<void> do_umount(struct dentry* root);
/// mount -o remount,ro or rw. EBUSY while a file is open for writing, or one without a name is open.
Result<void> reconfigure_super(super_block& super, bool read_only);
/// s_readonly, and who was changing something is done. REQUIRES: namespace_sem, or that all is over.
void stop_changes(super_block& super);
/// The first root: the caller's root and working directory; and it goes again, when another takes its place.
void set_init_root();
void drop_rootfs();
/// Before power-off: every file system is written and marked clean.
void kill_all_supers();

/// What read-ahead knows about a reader.
struct file_ra_state {
    u64 start = 0;
    u32 size = 0, async_size = 0;
    u64 prev_index = ~u64{0};
};

struct file {
    struct dentry* f_dentry = nullptr;
    struct inode* f_inode = nullptr;
    file_operations* f_op = nullptr;
    address_space* f_mapping = nullptr; ///< whose pages it reads: the device's, for a block device
    u32 f_flags = 0;
    u32 f_count = 1;
    u64 f_pos = 0;
    file_ra_state f_ra;
    u64 private_value = 0; ///< the file system's own
    void* private_data = nullptr;
    bool f_writes = false;           ///< counts in the inode's i_writecount, and s_open_for_write
    list_head f_ep;                  ///< epoll items that watch it
    struct mutex f_pos_lock{"file"}; ///< position

    bool readable() const { return (f_flags & O_ACCMODE) != O_WRONLY; }
    bool writable() const { return (f_flags & O_ACCMODE) != O_RDONLY; }
};
void get_file(struct file* file);
void fput(struct file* file);

// --- paths (fs/namei.cpp)
inline constexpr usize PathMax = 4096;
enum LookupFlag : u32 { FollowLast = 1 };
/// Walks `path` from `base` (null: the caller's root or working directory). The dentry comes with a
/// reference.
Result<struct dentry*> filename_lookup(struct dentry* base, const char* path, u32 flags = FollowLast);

/// The last component of a path, as its parent directory sees it.
struct LastName {
    char text[256];
    u32 length = 0;
    bool slash = false; ///< something/ : must be a directory
    bool dot = false, dotdot = false, root = false;
    StringView view() const { return StringView(text, length); }
    bool ordinary() const { return !dot && !dotdot && !root; }
};
Result<struct dentry*> filename_parentat(struct dentry* base, const char* path, LastName& last);
inline constexpr u32 MAY_EXEC = 1, MAY_WRITE = 2, MAY_READ = 4;
/// The mode's bits against the caller's fsuid, fsgid and groups (path_resolution(7)); EROFS before them.
Result<void> inode_permission(const struct inode& inode, u32 mask);
/// A regular file is written by somebody, or executed: never both (ETXTBSY). i_writecount counts, below zero
/// those who execute.
Result<void> get_write_access(struct inode& inode);
void put_write_access(struct inode& inode);
Result<void> deny_write_access(struct inode& inode);
void allow_write_access(struct inode& inode);
/// One name in one directory, through the cache; ENOENT when there is none.
Result<struct dentry*> lookup_one_len(struct dentry* directory, StringView name);

// --- changing names (fs/namei_change.cpp)
/// `made`, when wanted, is the new name's dentry with a reference.
Result<void> do_mknodat(struct dentry* base, const char* path, u32 mode, u32 device, StringView link_target,
                        struct dentry** made = nullptr);
Result<void> do_unlinkat(struct dentry* base, const char* path);
Result<void> do_rmdir(struct dentry* base, const char* path);
Result<void> do_linkat(struct dentry* existing, struct dentry* base, const char* path);
Result<void> do_renameat2(struct dentry* old_base, const char* old_path, struct dentry* new_base,
                          const char* new_path, u32 flags);
/// O_CREAT: the dentry of `last` in `parent`, made when it is not there. REQUIRES: last is ordinary.
Result<struct dentry*> lookup_open(struct dentry* parent, const LastName& last, u32 flags, u32 mode,
                                   bool& created);

// --- opening, reading, writing (fs/open.cpp)
Result<struct file*> do_dentry_open(struct dentry* dentry, u32 flags);
Result<struct file*> do_filp_open(struct dentry* base, const char* path, u32 flags, u32 mode = 0);
/// A file without a name: pipes and their like. Takes over the inode's reference.
Result<struct file*> alloc_file_pseudo(struct inode* inode, u32 flags);
/// From the file's position on; vfs_read and vfs_write count the call in /proc/PID/io.
/// What the user hands over can be his, and no more than Linux moves at once (MAX_RW_COUNT).
Result<IoBuffer> user_buffer(IoBuffer buffer);
Result<usize> read_file(struct file& file, IoBuffer buffer);
Result<usize> write_file(struct file& file, IoBuffer buffer);
Result<usize> vfs_read(struct file& file, IoBuffer buffer);
Result<usize> vfs_write(struct file& file, IoBuffer buffer);
Result<usize> kernel_read(struct file& file, void* to, usize size, u64 position);
Result<void> vfs_fsync(struct file& file);
/// The next byte at or behind `offset` that is data, or in a hole; the end of a file counts as one.
Result<u64> seek_hole_data(struct inode& inode, i64 offset, bool data);
Result<void> do_truncate(struct inode& inode, u64 size);
/// Who is not root and changes a program's contents takes its set-user-ID and set-group-ID bits away.
/// REQUIRES: i_rwsem.
void file_remove_privs(struct inode& inode);
/// RLIMIT_FSIZE; who begins at or beyond it gets SIGXFSZ and EFBIG.
Result<u64> file_size_limit(u64 position);
void generic_fillattr(struct inode& inode, Stat& stat);

// --- a task's files (fs/file_table.cpp)
inline constexpr unsigned NR_OPEN_DEFAULT = 64, NR_OPEN_MAX = 1024 * 1024;
/// Grows by itself (64, 256, 512, 1024, …), never shrinks. Everything under file_lock.
struct files_struct {
    u32 count = 1;
    u32 max_fds = NR_OPEN_DEFAULT;
    struct file** fd = fd_array;
    u64* close_on_exec = close_on_exec_init;
    u64* open_fds = open_fds_init;           ///< a bit for each in use: with a file, or kept for one
    u64* full_fds_bits = full_fds_bits_init; ///< a bit for each word of open_fds that is full
    u32 next_fd = 0;                         ///< all below are taken
    struct file* fd_array[NR_OPEN_DEFAULT] = {};
    u64 close_on_exec_init[NR_OPEN_DEFAULT / 64] = {}, open_fds_init[NR_OPEN_DEFAULT / 64] = {};
    u64 full_fds_bits_init[1] = {};
    spinlock_t file_lock{"files"};
};
files_struct* alloc_files();
files_struct* dup_fd(files_struct& from);
void put_files_struct(files_struct* table);
/// A number without a file yet, which nobody sees: what can fail comes between this and fd_publish, so that a
/// failure never closes what another thread has put there. EMFILE at RLIMIT_NOFILE.
Result<i32> get_unused_fd(files_struct& table, bool close_on_exec, i32 at_least = 0);
void put_unused_fd(files_struct& table, i32 descriptor);
/// The file, and its reference, become the number's.
void fd_publish(files_struct& table, i32 descriptor, struct file* file);
/// Both at once: the lowest free descriptor.
Result<i32> fd_install(files_struct& table, struct file* file, bool close_on_exec, i32 at_least = 0);
/// EMFILE when there is no room for another one.
Result<void> can_install_fd(files_struct& table);
/// dup2: puts `file` at `descriptor`, closing what was there, in one step. Takes over the reference, unless
/// it fails; EBUSY for a number that is about to get its file.
Result<void> replace_fd(files_struct& table, i32 descriptor, struct file* file, bool close_on_exec);
/// With a reference. EBADF for one that O_PATH opened: it names a file, and does nothing with its contents.
Result<struct file*> fget(i32 descriptor);
/// Of either kind.
Result<struct file*> fget_raw(i32 descriptor);
bool get_close_on_exec(files_struct& table, i32 descriptor);
void set_close_on_exec(files_struct& table, i32 descriptor, bool on);
Result<void> close_fd(files_struct& table, i32 descriptor);
void do_close_on_exec(files_struct& table);

struct fs_struct {
    u32 users = 1;
    struct dentry* root = nullptr;
    struct dentry* pwd = nullptr;
    u32 umask = 022;
    spinlock_t lock{"fs"};
};
fs_struct* alloc_fs_struct();
fs_struct* copy_fs_struct(fs_struct& from);
void free_fs_struct(fs_struct* context);
/// The caller's root and working directory, with a reference.
struct dentry* get_fs_root();
struct dentry* get_fs_pwd();
/// Takes over the reference.
void set_fs_pwd(fs_struct& fs, struct dentry* dentry);
void set_fs_root(fs_struct& fs, struct dentry* dentry);

} // namespace kernel
