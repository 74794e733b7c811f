// Device nodes: null, zero, full, random, urandom, kmsg, the terminals, and every block device. See
// devtmpfs.h.
#include "fs/dev/devtmpfs.h"

#include "block/block.h"
#include "drivers/tty.h"
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

/// /dev/fd and its like: where they point to is fixed.
struct SymlinkInode final : inode {
    const char* target = "";
    Result<usize> read_link(char* out, usize capacity) override { return strscpy(out, target, capacity); }
    void evict_inode() override {}
};
struct inode* make_link(const char* target) {
    auto* link = make<SymlinkInode>();
    if (link) link->target = target;
    return link;
}

/// A place to mount something.
struct EmptyDirectory final : inode {
    EmptyDirectory() { i_nlink = 2; }
    Result<struct inode*> lookup(StringView) override { return Errno::ENOENT; }
    Result<bool> next_entry(struct file& file, DirectoryEntry& entry) override {
        if (file.f_pos >= 2) return false;
        entry.inode = 1, entry.type = 4;
        entry.name_length =
            static_cast<u32>(strscpy(entry.name, file.f_pos++ ? ".." : ".", sizeof entry.name));
        return true;
    }
    void evict_inode() override {}
};
constinit struct inode* slave_device = nullptr; ///< behind every node of major 136

struct Node {
    char name[16];
    struct inode* inode;
    Node* next;
};

constinit Node* device_nodes = nullptr; ///< made at boot, and never removed

struct DevDirectory final : inode {
    Node*& nodes = device_nodes;

    void add(const char* name, struct inode* inode, u32 mode, u32 device) {
        auto* node = make<Node>();
        if (!node || !inode) panic("out of memory for /dev/%s", name);
        strscpy(node->name, name, sizeof node->name);
        node->inode = inode;
        if (mode) inode->i_mode = mode;
        if (device) inode->i_rdev = device;
        inode->i_sb = i_sb;
        static constinit u64 next_number = 2;
        inode->i_ino = next_number++;
        Node** end = &nodes;
        while (*end) end = &(*end)->next;
        *end = node;
    }
    Result<struct inode*> lookup(StringView name) override {
        for (Node* node = nodes; node; node = node->next) {
            if (!(name == StringView(node->name))) continue;
            ihold(node->inode);
            return node->inode;
        }
        return Errno::ENOENT;
    }
    Result<bool> next_entry(struct file& file, DirectoryEntry& entry) override {
        u64 index = file.f_pos++;
        if (index < 2) {
            entry.inode = 1, entry.type = 4, entry.name_length = static_cast<u32>(index + 1);
            memcpy(entry.name, "..", index + 1);
            entry.name[index + 1] = 0;
            return true;
        }
        Node* node = nodes;
        for (u64 i = 2; node && i < index; i++) node = node->next;
        if (!node) return false;
        entry.inode = node->inode->i_ino;
        entry.type = directory_type(node->inode->i_mode);
        entry.name_length = static_cast<u32>(strscpy(entry.name, node->name, sizeof entry.name));
        return true;
    }
};

} // namespace

struct inode* find_device(u32 mode, u32 device) {
    if ((mode & S_IFMT) == S_IFCHR && device_major(device) == 136) return slave_device;
    for (Node* node = device_nodes; node; node = node->next)
        if ((node->inode->i_mode & S_IFMT) == (mode & S_IFMT) && node->inode->i_rdev == device)
            return node->inode;
    return nullptr;
}

struct inode* make_devtmpfs() {
    auto* super = make<super_block>();
    auto* root = make<DevDirectory>();
    if (!super || !root) panic("out of memory for devtmpfs");
    super->s_type = "devtmpfs";
    super->s_permanent = true;
    super->s_magic = 0x01021994;
    super->s_dev = 5;
    root->i_sb = super;
    root->i_mode = S_IFDIR | 0755;
    root->i_ino = 1;
    root->i_nlink = 2;
    if (device_nodes) return root; // mounted again: the same nodes
    root->add("null", make<NullInode>(), S_IFCHR | 0666, make_device(1, 3));
    root->add("zero", make<ZeroInode>(), S_IFCHR | 0666, make_device(1, 5));
    root->add("full", make<FullInode>(), S_IFCHR | 0666, make_device(1, 7));
    root->add("random", make<RandomInode>(), S_IFCHR | 0666, make_device(1, 8));
    root->add("urandom", make<RandomInode>(), S_IFCHR | 0666, make_device(1, 9));
    root->add("kmsg", make<KmsgInode>(), S_IFCHR | 0644, make_device(1, 11));
    root->add("console", make_terminal_inode(make_device(5, 1)), S_IFCHR | 0600, 0);
    root->add("tty", make_terminal_inode(make_device(5, 0)), S_IFCHR | 0666, 0);
    root->add("tty0", make_terminal_inode(make_device(4, 0)), S_IFCHR | 0620, 0);
    root->add("ttyS0", make_terminal_inode(make_device(4, 64)), S_IFCHR | 0660, 0);
    root->add("ptmx", make_ptmx_inode(), S_IFCHR | 0666, make_device(5, 2));
    root->add("pts", make<EmptyDirectory>(), S_IFDIR | 0755, 0);
    root->add("shm", make<EmptyDirectory>(), S_IFDIR | 0755, 0);
    slave_device = make_terminal_inode(make_device(136, 0));
    root->add("fd", make_link("/proc/self/fd"), S_IFLNK | 0777, 0);
    root->add("stdin", make_link("/proc/self/fd/0"), S_IFLNK | 0777, 0);
    root->add("stdout", make_link("/proc/self/fd/1"), S_IFLNK | 0777, 0);
    root->add("stderr", make_link("/proc/self/fd/2"), S_IFLNK | 0777, 0);
    for (struct block_device* device = block_devices; device; device = device->next)
        root->add(device->name, device, 0, 0);
    return root;
}

} // namespace kernel
