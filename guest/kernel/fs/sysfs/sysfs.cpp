// sysfs: the tree of kobjects as a file system. A text attribute is made anew each time that it is read from
// its beginning or any other place, and is a page at most. See lib/kobject.h.
#include "fs/proc/proc.h"
#include "lib/kobject.h"
#include "lib/log.h"
#include "mm/slab.h"

namespace kernel {
namespace {

constinit super_block* sysfs_super = nullptr;

struct SysfsNode : inode {
    kobject* kobj = nullptr;
    void evict_inode() override {
        kobject_put(kobj);
        inode::evict_inode();
    }
};

template <typename Node> Result<Node*> make_node(kobject* object, u64 number, u32 mode) {
    auto* node = make<Node>();
    if (!node) return Errno::ENOMEM;
    node->kobj = kobject_get(object);
    node->i_sb = sysfs_super;
    node->i_ino = number;
    node->i_mode = mode;
    node->i_atime = node->i_mtime = node->i_ctime = current_time_seconds();
    return node;
}

struct SysfsFile final : SysfsNode {
    const attribute* attr = nullptr;

    /// Not even root reads what cannot be read, or writes what cannot be written.
    Result<void> open(struct file& file) override {
        if (file.readable() && !((i_mode & 0444) && (attr->show || attr->read))) return Errno::EACCES;
        if (file.writable() && !((i_mode & 0222) && attr->store)) return Errno::EACCES;
        return {};
    }
    Result<void> truncate(u64) override { return {}; }
    Result<usize> read(struct file&, IoBuffer buffer, u64 position) override {
        if (attr->read) {
            if (position >= attr->size) return usize{0};
            buffer.size = min<usize>(buffer.size, attr->size - position);
            return attr->read(*kobj, buffer, position);
        }
        auto* text = static_cast<char*>(kmalloc(PAGE_SIZE));
        if (!text) return Errno::ENOMEM;
        seq_file out{text, PAGE_SIZE};
        attr->show(*kobj, out);
        usize count = position < out.length ? min<usize>(buffer.size, out.length - position) : 0;
        Result<void> stored = buffer.store(0, text + position, count);
        kfree(text);
        TRY(stored);
        return count;
    }
    Result<usize> write(struct file&, IoBuffer buffer, u64& position) override {
        if (buffer.size >= PAGE_SIZE) buffer.size = PAGE_SIZE - 1;
        auto* text = static_cast<char*>(kmalloc(PAGE_SIZE));
        if (!text) return Errno::ENOMEM;
        Result<void> stored = buffer.load(text, 0, buffer.size);
        if (stored.ok()) {
            text[buffer.size] = 0;
            if (usize length = strlen(text); length && text[length - 1] == '\n') text[length - 1] = 0;
            stored = attr->store(*kobj, text);
        }
        kfree(text);
        TRY(stored);
        position += buffer.size;
        return buffer.size;
    }
};

struct SysfsLink final : SysfsNode {
    kobject* target = nullptr;
    Result<usize> read_link(char* out, usize capacity) override {
        return sysfs_link_path(*kobj, *target, out, capacity);
    }
};

struct SysfsDirectory final : SysfsNode {
    bool keep_dentries() const override { return false; } // another may come

    Result<struct inode*> lookup(StringView name) override {
        const kobj_type& type = *kobj->ktype;
        for (u32 i = 0; i < type.attribute_count; i++) {
            const attribute& attr = type.attributes[i];
            if (!(name == StringView(attr.name))) continue;
            auto* file =
                TRY(make_node<SysfsFile>(kobj, u64{kobj->number} << 8 | (i + 1), S_IFREG | attr.mode));
            file->attr = &attr;
            file->i_size = attr.size;
            return file;
        }
        sysfs_dirent* found = nullptr;
        {
            SpinGuard guard(kobject_lock);
            for (LIST_EACH(node, kobj->entries)) {
                sysfs_dirent* entry = container_of(node, sysfs_dirent, node);
                if (name == StringView(entry->name)) found = entry;
            }
        }
        if (!found) return Errno::ENOENT;
        if (!found->link)
            return TRY(make_node<SysfsDirectory>(found->target, u64{found->number} << 8, S_IFDIR | 0755));
        auto* link = TRY(make_node<SysfsLink>(kobj, u64{found->number} << 8, S_IFLNK | 0777));
        link->target = found->target;
        return link;
    }
    Result<bool> next_entry(struct file& file, DirectoryEntry& out) override {
        u64 index = file.f_pos;
        auto fill = [&](const char* name, u64 number, u8 kind) {
            out.inode = number;
            out.type = kind;
            out.name_length = static_cast<u32>(strscpy(out.name, name, sizeof out.name));
            file.f_pos++;
            return true;
        };
        u64 parent = kobj->parent ? kobj->parent->number : kobj->number;
        if (index < 2) return fill(index ? ".." : ".", u64{index ? parent : kobj->number} << 8, 4);
        index -= 2;
        const kobj_type& type = *kobj->ktype;
        if (index < type.attribute_count)
            return fill(type.attributes[index].name, u64{kobj->number} << 8 | (index + 1), 8);
        index -= type.attribute_count;
        SpinGuard guard(kobject_lock);
        for (LIST_EACH(node, kobj->entries)) {
            if (index--) continue;
            const sysfs_dirent* entry = container_of(node, sysfs_dirent, node);
            return fill(entry->name, u64{entry->number} << 8, entry->link ? 10 : 4);
        }
        return false;
    }
};

} // namespace

struct inode* make_sysfs() {
    if (!sysfs_super) {
        sysfs_super = make<super_block>();
        if (!sysfs_super) panic("out of memory for sysfs");
        sysfs_super->s_type = "sysfs";
        sysfs_super->s_permanent = true;
        sysfs_super->s_magic = 0x62656572;
        sysfs_super->s_dev = 6;
    }
    Result<SysfsDirectory*> root =
        make_node<SysfsDirectory>(sysfs_root, u64{sysfs_root->number} << 8, S_IFDIR | 0555);
    if (!root.ok()) panic("out of memory for sysfs");
    return root.value();
}

} // namespace kernel
