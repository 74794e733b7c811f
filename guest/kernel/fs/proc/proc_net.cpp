// /proc/PID/net: what there is of a network. /proc/net leads to the caller's own.
#include "fs/proc/proc.h"
#include "mm/slab.h"

namespace kernel {
namespace {

struct NetFile {
    const char* name;
    void (*show)(seq_file&);
};
constexpr NetFile net_files[] = {{"unix", show_net_unix}};

struct NetDirectory final : inode {
    bool keep_dentries() const override { return false; }
    Result<struct inode*> lookup(StringView name) override {
        for (u32 i = 0; i < array_size(net_files); i++)
            if (name == StringView(net_files[i].name))
                return make_proc_file(i_ino << 8 | i, 0444, net_files[i].show);
        return Errno::ENOENT;
    }
    Result<bool> next_entry(struct file& file, DirectoryEntry& entry) override {
        u64 index = file.f_pos;
        if (index >= array_size(net_files) + 2) return false;
        const char* name = index == 0 ? "." : index == 1 ? ".." : net_files[index - 2].name;
        entry.name_length = static_cast<u32>(strscpy(entry.name, name, sizeof entry.name));
        entry.type = index < 2 ? 4 : 8;
        entry.inode = index < 2 ? i_ino : i_ino << 8 | (index - 2);
        file.f_pos++;
        return true;
    }
};

} // namespace

Result<struct inode*> make_net_directory(super_block* super, u64 number) {
    auto* directory = make<NetDirectory>();
    if (!directory) return Errno::ENOMEM;
    directory->i_sb = super;
    directory->i_ino = number;
    directory->i_mode = S_IFDIR | 0555;
    directory->i_nlink = 2;
    return directory;
}

} // namespace kernel
