// Initial RAM disks: newc cpio archives (Linux's Documentation/driver-api/early-userspace/buffer-format.rst),
// plain or each in a gzip member, one behind the other with zeros between them.
//
// Bytes are pushed through a state machine: header, name, contents, each padded to four bytes of the archive.
// Nothing in an archive is trusted: a wrong magic or an impossible length ends the unpacking with a message,
// what was unpacked until then stays, and so does the machine. Names lead nowhere but into the rootfs.
#include "initramfs.h"

#include "fs/tmpfs.h"
#include "fs/vfs.h"
#include "lib/inflate.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/zone.h"
#include "task/task.h"

namespace kernel {
namespace {

/// What an entry's header says, in hexadecimal digits of eight.
enum Field {
    Inode,
    Mode,
    User,
    Group,
    Links,
    Time,
    Size,
    Major,
    Minor,
    DeviceMajor,
    DeviceMinor,
    NameSize,
    Check
};
constexpr usize HeaderSize = 6 + 13 * 8;

/// A file of several names, until all have come.
struct HardLink {
    u32 inode, major, minor;
    char* path;
    HardLink* next;
};

struct Unpacker final : inflate_sink {
    const char* error = nullptr;
    enum class State { Header, Name, Contents, Skip, Between } state = State::Between;
    u8 header[HeaderSize];
    char name[PathMax + 1];
    usize have = 0; ///< bytes of the header, the name, or a link's contents
    u32 field[13];
    u64 left = 0; ///< bytes of contents, with what pads them
    u64 padding = 0;
    struct file* out = nullptr;
    bool is_link = false;
    char target[PathMax];
    HardLink* links = nullptr;
    u64 files = 0;

    ~Unpacker() {
        end_of_archive();
        fput(out);
    }

    bool write(const u8* data, usize size) override {
        while (size && !error) {
            usize used = feed(data, size);
            data += used, size -= used;
        }
        return !error;
    }

    /// Up to the end of an archive; the bytes that it took.
    usize feed(const u8* data, usize size) {
        usize used = 0;
        do used += step(data + used, size - used);
        while (used < size && !error && state != State::Between);
        return used;
    }

    /// Everything has been seen.
    void finish() {
        if (!error && state != State::Between && !(state == State::Header && !have))
            error = "the archive ends early";
    }

private:
    usize step(const u8* data, usize size) {
        switch (state) {
        case State::Between: // an archive begins anywhere
            if (!*data) return 1;
            state = State::Header;
            have = 0;
            [[fallthrough]];
        case State::Header: {
            usize count = min(size, HeaderSize - have);
            memcpy(header + have, data, count);
            if ((have += count) == HeaderSize) parse_header();
            return count;
        }
        case State::Name: {
            usize count = min<usize>(size, left);
            for (usize i = 0; i < count; i++)
                if (have < field[NameSize]) name[have++] = static_cast<char>(data[i]);
            if (!(left -= count)) begin_entry();
            return count;
        }
        case State::Contents: {
            usize count = min<usize>(size, left - padding);
            if (!count) { // padding
                count = min<usize>(size, left);
            } else if (is_link) {
                memcpy(target + have, data, count);
                have += count;
            } else if (Result<usize> done =
                           write_file(*out, IoBuffer::of_kernel(const_cast<u8*>(data), count));
                       !done.ok() || done.value() != count) {
                error = "a file cannot be written: memory for it is used up";
            }
            if (!(left -= count)) end_entry();
            return count;
        }
        case State::Skip: {
            usize count = min<usize>(size, left);
            if (!(left -= count)) next_header();
            return count;
        }
        }
        return size;
    }

    void next_header() {
        state = State::Header;
        have = 0;
    }

    void parse_header() {
        if (memcmp(header, "070701", 6) && memcmp(header, "070702", 6)) {
            error = memcmp(header, "070707", 6) ? "no cpio magic"
                                                : "incorrect cpio method used: use -H newc option";
            return;
        }
        for (unsigned i = 0; i < 13; i++) {
            u32 value = 0;
            for (unsigned digit = 0; digit < 8; digit++) {
                u8 c = header[6 + i * 8 + digit];
                u32 nibble = c >= '0' && c <= '9'                 ? c - '0'
                             : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                                  : 16;
                if (nibble > 15) {
                    error = "a damaged header";
                    return;
                }
                value = value << 4 | nibble;
            }
            field[i] = value;
        }
        if (!field[NameSize] || field[NameSize] > PathMax) {
            error = "a name of impossible length";
            return;
        }
        have = 0;
        left = align_up(u64{HeaderSize} + field[NameSize], 4) - HeaderSize;
        state = State::Name;
    }

    void end_of_archive() {
        while (HardLink* link = links) {
            links = link->next;
            kfree(link->path);
            destroy(link);
        }
    }

    /// Header and name are there.
    void begin_entry() {
        name[min<usize>(field[NameSize] - 1, PathMax)] = 0;
        padding = align_up(u64{field[Size]}, 4) - field[Size];
        left = field[Size] + padding;
        if (strings_equal(name, "TRAILER!!!")) {
            end_of_archive();
            state = State::Between;
            return;
        }
        u32 kind = field[Mode] & S_IFMT;
        state = State::Skip;
        if (kind == S_IFLNK && field[Size] < PathMax) {
            state = State::Contents;
            is_link = true;
            have = 0;
        } else if (kind == S_IFREG) {
            begin_file();
        } else if (kind != S_IFLNK) {
            make(kind);
        }
        if (state == State::Contents && !left) return end_entry();
        if (!left) next_header();
    }

    /// What has the name already, and is of another kind, goes.
    void clean_path(u32 kind) {
        Result<struct dentry*> found = filename_lookup(nullptr, name, 0);
        if (!found.ok()) return;
        u32 there = found.value()->d_inode->i_mode & S_IFMT;
        dput(found.value());
        if (there == kind) return;
        (void)(there == S_IFDIR ? do_rmdir(nullptr, name) : do_unlinkat(nullptr, name));
    }

    void make(u32 kind) {
        clean_path(kind);
        u32 device = is_device(kind) ? make_device(field[DeviceMajor], field[DeviceMinor]) : 0;
        (void)do_mknodat(nullptr, name, kind | (field[Mode] & 07777), device, {});
        set_attributes();
    }

    void begin_file() {
        HardLink* known = field[Links] > 1 ? links : nullptr;
        while (known &&
               (known->inode != field[Inode] || known->major != field[Major] || known->minor != field[Minor]))
            known = known->next;
        clean_path(known ? 0 : u32{S_IFREG}); // another name takes the old one's place
        if (known) {
            Result<struct dentry*> first = filename_lookup(nullptr, known->path, 0);
            if (first.ok()) {
                (void)do_linkat(first.value(), nullptr, name);
                dput(first.value());
            }
            if (!field[Size]) return;
        }
        Result<struct file*> opened =
            do_filp_open(nullptr, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
        if (!opened.ok()) return; // its directory did not come: skipped, as Linux does
        out = opened.value();
        if (!known && field[Links] > 1) remember();
        is_link = false;
        state = State::Contents;
    }

    void remember() {
        auto* link = kernel::make<HardLink>();
        auto* path = static_cast<char*>(kmalloc(strlen(name) + 1));
        if (!link || !path) {
            destroy(link);
            kfree(path);
            return;
        }
        memcpy(path, name, strlen(name) + 1);
        *link = {field[Inode], field[Major], field[Minor], path, links};
        links = link;
    }

    void end_entry() {
        if (is_link) {
            clean_path(0);
            (void)do_mknodat(nullptr, name, S_IFLNK | 0777, 0, StringView(target, have));
        }
        if (out) fput(out);
        out = nullptr;
        set_attributes();
        next_header();
    }

    void set_attributes() {
        Result<struct dentry*> found = filename_lookup(nullptr, name, 0);
        if (!found.ok()) return;
        struct inode& inode = *found.value()->d_inode;
        inode.i_uid = field[User], inode.i_gid = field[Group];
        if (!is_symlink(inode.i_mode)) inode.i_mode = (inode.i_mode & S_IFMT) | (field[Mode] & 07777);
        inode.i_mtime = inode.i_atime = field[Time];
        dput(found.value());
        files++;
    }
};

/// Archive behind archive; the message of the first that is damaged.
const char* unpack_to_rootfs(Unpacker& unpacker, const u8* data, usize size) {
    while (size) {
        if (!*data) {
            data++, size--;
        } else if (data[0] == '0') {
            usize used = unpacker.feed(data, size); // a plain one; behind its trailer anything may come
            if (unpacker.error) return unpacker.error;
            data += used, size -= used;
        } else if (data[0] == 0x1f && size > 1 && data[1] == 0x8b) {
            inflate_result member = gunzip(data, size, unpacker);
            if (unpacker.error) return unpacker.error;
            if (member.error) return member.error;
            data += member.used, size -= member.used;
            unpacker.finish();
            if (unpacker.error) return unpacker.error;
        } else {
            return "invalid magic at start of compressed archive";
        }
    }
    unpacker.finish();
    return unpacker.error;
}

/// The rootfs that an archive finds: what Linux's built-in archive makes.
void default_rootfs() {
    (void)do_mknodat(nullptr, "/dev", S_IFDIR | 0755, 0, {});
    (void)do_mknodat(nullptr, "/dev/console", S_IFCHR | 0600, make_device(5, 1), {});
    (void)do_mknodat(nullptr, "/root", S_IFDIR | 0700, 0, {});
}

} // namespace

bool populate_rootfs(u64 physical, u64 size, const char* init) {
    if (!size) return false;
    u64 end = physical + size;
    if (end < physical || end > max_pfn << PAGE_SHIFT) {
        pr_err("initrd: 0x%lx bytes at 0x%lx lie outside memory: ignored\n", size, physical);
        return false;
    }
    Result<struct inode*> root = make_tmpfs();
    if (!root.ok()) panic("out of memory for the rootfs");
    root.value()->i_mode = S_IFDIR | 0755;
    root.value()->i_sb->s_type = "rootfs";
    if (!do_mount("/", root.value(), "rootfs", root.value()->i_sb).ok()) panic("no memory for the rootfs");
    set_init_root();
    default_rootfs();
    pr_info("Trying to unpack rootfs image as initramfs...\n");
    auto* unpacker = make<Unpacker>();
    if (!unpacker) panic("out of memory for the rootfs");
    u32 umask = get_current()->umask;
    get_current()->umask = 0;
    const char* error = unpack_to_rootfs(*unpacker, physical_to<const u8>(physical), size);
    get_current()->umask = umask;
    if (error) pr_emerg("Initramfs unpacking failed: %s\n", error);
    pr_info("initramfs: %lu entries unpacked\n", unpacker->files);
    destroy(unpacker);
    u64 first = align_up(physical, PAGE_SIZE), last = align_down(end, PAGE_SIZE);
    if (first < last) pr_info("Freeing initrd memory: %luK\n", free_reserved_area(first, last) * 4);
    Result<struct dentry*> found = filename_lookup(nullptr, init);
    if (found.ok()) {
        dput(found.value());
        return true;
    }
    pr_warn("check access for rdinit=%s failed: %d, ignoring\n", init, -static_cast<int>(found.error()));
    drop_rootfs();
    return false;
}

} // namespace kernel
