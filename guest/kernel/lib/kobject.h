// kobjects: what the kernel shows of itself as a tree of directories (sysfs, fs/sysfs/sysfs.cpp).
//
// A kobject has a name, a parent and a type; its type's attributes are the files of its directory. A kset is
// a kobject that also lists those that belong together, wherever they lie. Links lead from one kobject's
// directory to another kobject.
//
// Invariants: names in one directory are unique (the second is refused); what is in the tree stays: nothing
// of this machine is unplugged while it runs. Lists change under kobject_lock and only grow; whoever has
// found an entry keeps it. An open directory or file holds a reference.
#pragma once

#include "fs/vfs.h"
#include "lib/list.h"
#include "sync/spinlock.h"

namespace kernel {

struct seq_file;
struct kobject;
struct kset;

struct attribute {
    const char* name;
    u32 mode;
    void (*show)(const kobject& object, seq_file& out);
    /// The text ends with a NUL; a newline at its end is gone.
    Result<void> (*store)(kobject& object, const char* text) = nullptr;
    /// A file of bytes (bin_attribute) has this in show's place, and a size.
    Result<usize> (*read)(const kobject& object, IoBuffer buffer, u64 position) = nullptr;
    u64 size = PAGE_SIZE;
};

struct kobj_type {
    const char* name; ///< for the host's view
    const attribute* attributes;
    u32 attribute_count;
};
extern const kobj_type dynamic_kobj_ktype; ///< a directory without files

struct kobject {
    char name[40] = {};
    kobject* parent = nullptr;
    struct kset* member_of = nullptr; ///< Linux's kobject::kset
    const kobj_type* ktype = nullptr;
    void* object = nullptr; ///< what the type's attributes are of
    u32 refcount = 1;
    u32 number = 0;      ///< the inode's, in units of 256
    list_head entries;   ///< sysfs_dirent::node: children and links, in the order of their making
    list_head kset_node; ///< kset::list
};

struct kset : kobject {
    list_head list;
};

/// A child, or a link.
struct sysfs_dirent {
    char name[40];
    kobject* target;
    bool link;
    u32 number;
    list_head node;
};

extern spinlock_t kobject_lock;
extern kobject* sysfs_root;

inline kobject* kobject_get(kobject* object) {
    __atomic_fetch_add(&object->refcount, 1, __ATOMIC_RELAXED);
    return object;
}
inline void kobject_put(kobject* object) { __atomic_fetch_sub(&object->refcount, 1, __ATOMIC_RELEASE); }

/// Below `parent` (null: below /sys). EEXIST when the name is taken.
Result<kobject*> kobject_create_and_add(const char* name, kobject* parent,
                                        const kobj_type* type = &dynamic_kobj_ktype, void* object = nullptr,
                                        kset* set = nullptr);
Result<kset*> kset_create_and_add(const char* name, kobject* parent);
Result<void> sysfs_create_link(kobject* directory, kobject* target, const char* name);
/// The directory of that name below `parent`, made when it is not there.
Result<kobject*> kobject_get_or_add(const char* name, kobject* parent);
/// "../../devices/…": the way from a link in `directory` to `target`.
Result<usize> sysfs_link_path(const kobject& directory, const kobject& target, char* out, usize capacity);

/// What every device has: its number and name for /dev.
struct device {
    const char* devname;
    u32 devt;
    u32 devmode; ///< 0: the default
};
void show_dev(const kobject& object, seq_file& out);
/// A device's directory, with its links: its class's, /sys/dev's, its subsystem's.
Result<kobject*> device_add(const char* name, kobject* parent, const kobj_type* type, void* object, u32 devt,
                            bool block, kset* subsystem);

// The fixed part of the tree, and those who fill it.
extern kobject *devices_kobj, *virtual_kobj, *dev_block_kobj, *dev_char_kobj, *block_kobj;
extern kset *bus_kset, *class_kset;
/// /sys and what all below it is; then processors, PCI devices, disks and terminals (once they are known).
Result<void> kobject_init();
Result<void> topology_sysfs_init(); ///< drivers/base/cpu.cpp
Result<void> pci_sysfs_init();      ///< drivers/pci-sysfs.cpp
Result<void> blk_sysfs_init();      ///< block/blk-sysfs.cpp
Result<void> char_sysfs_init();     ///< drivers/base/core.cpp
struct inode* make_sysfs();         ///< fs/sysfs/sysfs.cpp

} // namespace kernel
