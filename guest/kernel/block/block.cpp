// Disks and partitions; see block.h.
#include "block/block.h"

#include "arch/x86_64/user_access.h"
#include "lib/format.h"
#include "lib/log.h"
#include "mm/slab.h"
#include "mm/zone.h"
#include "time/timekeeping.h"

namespace kernel {

constinit struct gendisk* disks = nullptr;
constinit struct block_device* block_devices = nullptr;

namespace {

struct [[gnu::packed]] MbrPartition {
    u8 status, chs_first[3], type, chs_last[3];
    u32 start, count;
};
static_assert(sizeof(MbrPartition) == 16);

Result<struct block_device*> add_device(struct gendisk& disk, const char* name, u64 start, u64 sectors,
                                        u32 minor) {
    auto* device = make<struct block_device>();
    if (!device) return Errno::ENOMEM;
    device->disk = &disk;
    // A file's page is filled with the device's: file before device.
    lockdep_set_class(device->i_rwsem, "bdev_inode");
    lockdep_set_class(device->i_sync, "bdev_sync");
    lockdep_set_class(device->i_data.i_pages_lock, "bdev_pages");
    device->start_sector = start;
    device->sectors = sectors;
    device->i_size = sectors * SectorSize;
    device->i_mode = S_IFBLK | 0660;
    device->i_rdev = make_device(8, minor);
    device->i_ino = 0x1000 + minor;
    strscpy(device->name, name, sizeof device->name);
    struct block_device** end = &block_devices;
    while (*end) end = &(*end)->next;
    *end = device;
    return device;
}

} // namespace

Result<void> block_device::sync() {
    TRY(writeback_single_inode(this));
    return blkdev_issue_flush(*this);
}

Result<u64> block_device::control(struct file&, u32 command, u64 argument) {
    switch (command) {
    case 0x1260: TRY(put_user<u64>(argument, sectors)); return u64{0};    // BLKGETSIZE
    case 0x80081272: TRY(put_user<u64>(argument, i_size)); return u64{0}; // BLKGETSIZE64
    case 0x1268: TRY(put_user<i32>(argument, SectorSize)); return u64{0}; // BLKSSZGET
    case 0x1261: TRY(sync()); return u64{0};                              // BLKFLSBUF
    default: return Errno::ENOTTY;
    }
}

Result<void> add_disk(struct gendisk* disk) {
    static constinit u32 next_disk = 0;
    format_text(disk->disk_name, sizeof disk->disk_name, "sd%c", static_cast<int>('a' + next_disk));
    disk->first_minor = next_disk++ * 16;
    disk->next = disks;
    disks = disk;
    pr_info("sd %s: [%s] %lu 512-byte logical blocks: (%lu MiB) %s\n", disk->disk_name, disk->disk_name,
            disk->sectors, disk->sectors / 2048, disk->model);
    struct block_device* whole = TRY(add_device(*disk, disk->disk_name, 0, disk->sectors, disk->first_minor));
    disk->part0 = whole;
    u8 sector[SectorSize];
    TRY(read_device(*whole, 0, sector, sizeof sector));
    if (sector[510] != 0x55 || sector[511] != 0xaa) {
        pr_info(" %s: no partition table\n", disk->disk_name);
        return {};
    }
    char line[64];
    usize length = format_text(line, sizeof line, " %s:", disk->disk_name);
    for (unsigned i = 0; i < 4; i++) {
        MbrPartition partition;
        memcpy(&partition, sector + 446 + i * 16, 16);
        if (!partition.type || !partition.count) continue;
        if (partition.start >= disk->sectors || partition.count > disk->sectors - partition.start) {
            pr_warn(" %s: partition %u lies outside the disk, ignored\n", disk->disk_name, i + 1);
            continue;
        }
        char name[16];
        format_text(name, sizeof name, "%s%u", disk->disk_name, i + 1);
        TRY(add_device(*disk, name, partition.start, partition.count, disk->first_minor + i + 1));
        length += format_text(line + length, sizeof line - length, " %s", name);
    }
    pr_info("%s\n", line);
    return {};
}

struct block_device* find_block_device(const char* name) {
    if (starts_with(name, "/dev/")) name += 5;
    for (struct block_device* device = block_devices; device; device = device->next)
        if (strings_equal(device->name, name)) return device;
    return nullptr;
}

} // namespace kernel
