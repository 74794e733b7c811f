// See kobject.h.
#include "lib/kobject.h"

#include "lib/string.h"
#include "mm/slab.h"

namespace kernel {

constinit spinlock_t kobject_lock{"kobject"};
constinit kobject* sysfs_root = nullptr;
constinit const kobj_type dynamic_kobj_ktype = {"dynamic", nullptr, 0};

namespace {

constinit u32 next_number = 2; ///< under kobject_lock

sysfs_dirent* find(kobject& directory, const char* name) {
    for (LIST_EACH(node, directory.entries)) {
        sysfs_dirent* entry = container_of(node, sysfs_dirent, node);
        if (strings_equal(entry->name, name)) return entry;
    }
    return nullptr;
}

Result<void> enter(kobject& directory, const char* name, kobject* target, bool link) {
    auto* entry = make<sysfs_dirent>();
    if (!entry) return Errno::ENOMEM;
    strscpy(entry->name, name, sizeof entry->name);
    entry->target = target;
    entry->link = link;
    {
        SpinGuard guard(kobject_lock);
        if (!find(directory, name)) {
            entry->number = next_number++;
            if (!link) target->number = entry->number;
            directory.entries.push_back(&entry->node);
            return {};
        }
    }
    destroy(entry);
    return Errno::EEXIST;
}

template <typename Object>
Result<Object*> create(const char* name, kobject* parent, const kobj_type* type, void* object, kset* set) {
    auto* fresh = make<Object>();
    if (!fresh) return Errno::ENOMEM;
    strscpy(fresh->name, name, sizeof fresh->name);
    fresh->ktype = type;
    fresh->object = object;
    fresh->entries.initialise();
    fresh->kset_node.initialise();
    fresh->parent = parent ? parent : sysfs_root;
    if (!fresh->parent) return fresh; // the root itself
    if (Result<void> entered = enter(*fresh->parent, name, fresh, false); !entered.ok()) {
        destroy(fresh);
        return entered.error();
    }
    kobject_get(fresh->parent);
    fresh->member_of = set;
    if (set) {
        SpinGuard guard(kobject_lock);
        set->list.push_back(&fresh->kset_node);
    }
    return fresh;
}

} // namespace

Result<kobject*> kobject_create_and_add(const char* name, kobject* parent, const kobj_type* type,
                                        void* object, kset* set) {
    return create<kobject>(name, parent, type, object, set);
}

Result<kset*> kset_create_and_add(const char* name, kobject* parent) {
    auto* fresh = TRY(create<kset>(name, parent, &dynamic_kobj_ktype, nullptr, nullptr));
    fresh->list.initialise();
    return fresh;
}

Result<void> sysfs_create_link(kobject* directory, kobject* target, const char* name) {
    return enter(*directory, name, target, true);
}

Result<kobject*> kobject_get_or_add(const char* name, kobject* parent) {
    {
        SpinGuard guard(kobject_lock);
        if (sysfs_dirent* entry = find(*parent, name); entry && !entry->link) return entry->target;
    }
    return kobject_create_and_add(name, parent);
}

Result<usize> sysfs_link_path(const kobject& directory, const kobject& target, char* out, usize capacity) {
    // Up to the first directory that the target lies below…
    usize length = 0;
    const kobject* base = &directory;
    auto lies_below = [&] {
        for (const kobject* above = target.parent; above; above = above->parent)
            if (above == base) return true;
        return false;
    };
    for (; base && !lies_below(); base = base->parent) {
        if (length + 3 >= capacity) return Errno::ENAMETOOLONG;
        length += strscpy(out + length, "../", capacity - length);
    }
    // … and down from there: the names from the end on.
    usize down = 0;
    for (const kobject* at = &target; at != base; at = at->parent) down += strlen(at->name) + 1;
    if (length + down > capacity) return Errno::ENAMETOOLONG;
    usize end = length + down - 1;
    out[end] = 0;
    for (const kobject* at = &target; at != base; at = at->parent) {
        usize size = strlen(at->name);
        end -= size;
        memcpy(out + end, at->name, size);
        if (at->parent != base) out[--end] = '/';
    }
    return length + down - 1;
}

} // namespace kernel
