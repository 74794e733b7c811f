// Device nodes: null, zero, full, random, urandom, kmsg, the terminals, and every block device, in a tmpfs of
// their own. See devtmpfs.h.
#include "fs/dev/devtmpfs.h"

#include "block/block.h"
#include "drivers/tty.h"
#include "fs/tmpfs.h"
#include "lib/log.h"
#include "lib/random.h"
#include "mm/slab.h"

namespace kernel {
namespace {

struct DeviceInode : inode {
    bool seekable() const override { return false; }
    void evict_inode() override {} // nodes are permanent
};
struct NullInode final : DeviceInode {
    Result<usize> read(struct file&, IoBuffer, u64) override { return usize{0}; }
    Result<usize> write(struct file&, IoBuffer buffer, u64&) override { return buffer.size; }
};
struct ZeroInode final : DeviceInode {
    Result<usize> read(struct file&, IoBuffer buffer, u64) override {
        TRY(buffer.zero(0, buffer.size));
        return buffer.size;
    }
    Result<usize> write(struct file&, IoBuffer buffer, u64&) override { return buffer.size; }
};
struct FullInode final : DeviceInode {
    Result<usize> read(struct file&, IoBuffer buffer, u64) override {
        TRY(buffer.zero(0, buffer.size));
        return buffer.size;
    }
    Result<usize> write(struct file&, IoBuffer, u64&) override { return Errno::ENOSPC; }
};
struct RandomInode final : DeviceInode {
    Result<usize> read(struct file&, IoBuffer buffer, u64) override {
        u8 chunk[256];
        for (usize done = 0; done < buffer.size;) {
            usize count = min<usize>(sizeof chunk, buffer.size - done);
            random_bytes(chunk, count);
            TRY(buffer.store(done, chunk, count));
            done += count;
        }
        return buffer.size;
    }
    Result<usize> write(struct file&, IoBuffer buffer, u64&) override {
        return buffer.size;
    } // entropy is not collected
};
/// Reads give the log from where the file stands; writes add a line.
struct KmsgInode final : DeviceInode {
    Result<usize> read(struct file& file, IoBuffer buffer, u64) override {
        char chunk[1024];
        usize count = read_log(&file.private_value, chunk, min<usize>(sizeof chunk, buffer.size));
        TRY(buffer.store(0, chunk, count));
        return count;
    }
    Result<usize> write(struct file&, IoBuffer buffer, u64&) override {
        char line[256];
        usize count = min<usize>(sizeof line - 1, buffer.size);
        TRY(buffer.load(line, 0, count));
        line[count] = 0;
        pr_info("%s%s", line, count && line[count - 1] == '\n' ? "" : "\n");
        return buffer.size;
    }
};

constinit struct inode* slave_device = nullptr; ///< behind every node of major 136

/// What acts behind the nodes of one number.
struct Device {
    struct inode* inode;
    const char* name;
    Device* next;
};
constinit Device* devices = nullptr; ///< made at boot, and never removed
constinit struct inode* dev_root = nullptr;

/// The name in /dev, as mknod would make it; `device` acts behind it.
void add(const char* name, struct inode* device, u32 mode, u32 number) {
    auto* entry = make<Device>();
    if (!entry || !device) panic("out of memory for /dev/%s", name);
    entry->inode = device;
    entry->name = name;
    if (mode) device->i_mode = mode;
    if (number) device->i_rdev = number;
    device->i_sb = dev_root->i_sb;
    entry->next = devices;
    devices = entry;
    Result<struct inode*> node = dev_root->create(StringView(name), device->i_mode, device->i_rdev);
    if (!node.ok()) panic("out of memory for /dev/%s", name);
    iput(node.value());
}
void add_directory(const char* name) {
    Result<struct inode*> node = dev_root->create(StringView(name), S_IFDIR | 0755, 0);
    if (!node.ok()) panic("out of memory for /dev/%s", name);
    iput(node.value());
}
void add_link(const char* name, const char* target) {
    Result<struct inode*> node = dev_root->symlink(StringView(name), StringView(target));
    if (!node.ok()) panic("out of memory for /dev/%s", name);
    iput(node.value());
}

} // namespace

bool nth_device(u32 n, const char*& name, u32& mode, u32& number) {
    u32 count = 0; // the list has the youngest first
    for (Device* entry = devices; entry; entry = entry->next) count++;
    if (n >= count) return false;
    Device* entry = devices;
    for (u32 skip = count - 1 - n; skip; skip--) entry = entry->next;
    name = entry->name, mode = entry->inode->i_mode, number = entry->inode->i_rdev;
    return true;
}

struct inode* find_device(u32 mode, u32 device) {
    if ((mode & S_IFMT) == S_IFCHR && device_major(device) == 136) return slave_device;
    for (Device* entry = devices; entry; entry = entry->next)
        if ((entry->inode->i_mode & S_IFMT) == (mode & S_IFMT) && entry->inode->i_rdev == device)
            return entry->inode;
    return nullptr;
}

struct inode* make_devtmpfs() {
    if (dev_root) return ihold(dev_root), dev_root; // mounted again: the same tree
    Result<struct inode*> root = make_tmpfs();
    if (!root.ok()) panic("out of memory for devtmpfs");
    ihold(dev_root = root.value()); // it stays when it is mounted nowhere
    dev_root->i_mode = S_IFDIR | 0755;
    super_block* super = dev_root->i_sb;
    super->s_type = "devtmpfs";
    super->s_permanent = true;
    super->s_dev = 5;
    add("null", make<NullInode>(), S_IFCHR | 0666, make_device(1, 3));
    add("zero", make<ZeroInode>(), S_IFCHR | 0666, make_device(1, 5));
    add("full", make<FullInode>(), S_IFCHR | 0666, make_device(1, 7));
    add("random", make<RandomInode>(), S_IFCHR | 0666, make_device(1, 8));
    add("urandom", make<RandomInode>(), S_IFCHR | 0666, make_device(1, 9));
    add("kmsg", make<KmsgInode>(), S_IFCHR | 0644, make_device(1, 11));
    add("console", make_terminal_inode(make_device(5, 1)), S_IFCHR | 0600, 0);
    add("tty", make_terminal_inode(make_device(5, 0)), S_IFCHR | 0666, 0);
    add("tty0", make_terminal_inode(make_device(4, 0)), S_IFCHR | 0620, 0);
    add("ttyS0", make_terminal_inode(make_device(4, 64)), S_IFCHR | 0660, 0);
    add("ptmx", make_ptmx_inode(), S_IFCHR | 0666, make_device(5, 2));
    add_directory("pts");
    add_directory("shm");
    slave_device = make_terminal_inode(make_device(136, 0));
    add_link("fd", "/proc/self/fd");
    add_link("stdin", "/proc/self/fd/0");
    add_link("stdout", "/proc/self/fd/1");
    add_link("stderr", "/proc/self/fd/2");
    for (struct block_device* device = block_devices; device; device = device->next)
        add(device->name, device, 0, 0);
    return dev_root;
}

} // namespace kernel
