// Disks in /sys: their size, statistics and partitions, and what their queues can be told. Formats: Linux's
// Documentation/ABI/stable/sysfs-block.
#include "block/block.h"
#include "drivers/pci.h"
#include "fs/proc/proc.h"
#include "lib/format.h"
#include "lib/kobject.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

struct block_device& bdev_of(const kobject& object) {
    return *static_cast<struct block_device*>(object.object);
}
struct gendisk& disk_of(const kobject& object) { return *static_cast<struct gendisk*>(object.object); }

disk_stats stats_of(const kobject& object) {
    struct block_device& device = bdev_of(object);
    IrqSpinGuard guard(device.disk->queue.lock);
    update_io_ticks(device.bd_stats, ktime_get_ns());
    return device.bd_stats;
}
void show_stat(const kobject& object, seq_file& out) {
    disk_stats s = stats_of(object);
    auto ms = [](u64 nanoseconds) { return nanoseconds / 1'000'000; };
    out.print("%8lu %8lu %8lu %8lu %8lu %8lu %8lu %8lu %8u %8lu %8lu %8u %8u %8u %8u %8lu %8lu\n", s.ios[0],
              s.merges[0], s.sectors[0], ms(s.nsecs[0]), s.ios[1], s.merges[1], s.sectors[1], ms(s.nsecs[1]),
              s.in_flight, ms(s.io_ticks), ms(s.nsecs[0] + s.nsecs[1] + s.nsecs[2]), 0u, 0u, 0u, 0u, s.ios[2],
              ms(s.nsecs[2]));
}
void show_inflight(const kobject& object, seq_file& out) {
    struct gendisk& disk = *bdev_of(object).disk;
    u32 counts[2] = {};
    {
        IrqSpinGuard guard(disk.queue.lock);
        for (u32 tag = 0; tag < disk.queue.tag_count; tag++)
            if (const struct request* request = disk.queue.tags[tag];
                request && (&bdev_of(object) == disk.part0 || request->part == &bdev_of(object)))
                counts[request->write()]++;
    }
    out.print("%8u %8u\n", counts[0], counts[1]);
}
void show_number(const kobject& object, seq_file& out) {
    u32 number = bdev_of(object).i_rdev;
    out.print("%u:%u\n", device_major(number), device_minor(number));
}
void show_uevent(const kobject& object, seq_file& out) {
    const struct block_device& device = bdev_of(object);
    bool whole = &device == device.disk->part0;
    out.print("MAJOR=%u\nMINOR=%u\nDEVNAME=%s\nDEVTYPE=%s\n", device_major(device.i_rdev),
              device_minor(device.i_rdev), device.name, whole ? "disk" : "partition");
    if (!whole) out.print("PARTN=%u\n", device_minor(device.i_rdev) - device.disk->first_minor);
}
template <auto Value> void show_constant(const kobject&, seq_file& out) { out.print("%lu\n", u64{Value}); }
void show_size(const kobject& object, seq_file& out) { out.print("%lu\n", bdev_of(object).sectors); }

constexpr attribute disk_attributes[] = {
    {"dev", 0444, show_number},
    {"uevent", 0444, show_uevent},
    {"size", 0444, show_size},
    {"ro", 0444, show_constant<0>},
    {"removable", 0444, show_constant<0>},
    {"hidden", 0444, show_constant<0>},
    {"range", 0444, show_constant<16>},
    {"ext_range", 0444, show_constant<16>},
    {"alignment_offset", 0444, show_constant<0>},
    {"discard_alignment", 0444, show_constant<0>},
    {"capability", 0444, show_constant<0>},
    {"stat", 0444, show_stat},
    {"inflight", 0444, show_inflight},
};
constexpr attribute partition_attributes[] = {
    {"dev", 0444, show_number},
    {"uevent", 0444, show_uevent},
    {"partition", 0444,
     [](const kobject& object, seq_file& out) {
         out.print("%u\n", device_minor(bdev_of(object).i_rdev) - bdev_of(object).disk->first_minor);
     }},
    {"start", 0444,
     [](const kobject& object, seq_file& out) { out.print("%lu\n", bdev_of(object).start_sector); }},
    {"size", 0444, show_size},
    {"ro", 0444, show_constant<0>},
    {"alignment_offset", 0444, show_constant<0>},
    {"discard_alignment", 0444, show_constant<0>},
    {"stat", 0444, show_stat},
    {"inflight", 0444, show_inflight},
};

constexpr const elevator_type* elevators[] = {&elevator_mq_deadline, &elevator_none};

/// "[mq-deadline] none"
void show_scheduler(const kobject& object, seq_file& out) {
    const elevator_type* now = __atomic_load_n(&disk_of(object).queue.elevator, __ATOMIC_RELAXED);
    for (const elevator_type* type : elevators)
        out.print(type == now ? "%s[%s]" : "%s%s", type == &elevator_mq_deadline ? "" : " ",
                  type->elevator_name);
    out.print("\n");
}
Result<void> store_scheduler(kobject& object, const char* text) {
    for (const elevator_type* type : elevators)
        if (strings_equal(text, type->elevator_name)) {
            elevator_switch(disk_of(object).queue, *type);
            return {};
        }
    return Errno::EINVAL;
}
void show_text_none(const kobject&, seq_file& out) { out.print("none\n"); }

constexpr attribute queue_attributes[] = {
    {"scheduler", 0644, show_scheduler, store_scheduler},
    {"nr_requests", 0444, show_constant<BLKDEV_DEFAULT_RQ>},
    {"logical_block_size", 0444, show_constant<SectorSize>},
    {"physical_block_size", 0444, show_constant<SectorSize>},
    {"hw_sector_size", 0444, show_constant<SectorSize>},
    {"minimum_io_size", 0444, show_constant<SectorSize>},
    {"optimal_io_size", 0444, show_constant<0>},
    {"max_sectors_kb", 0444, show_constant<BLK_MAX_SECTORS / 2>},
    {"max_hw_sectors_kb", 0444, show_constant<BLK_MAX_SECTORS / 2>},
    {"max_segments", 0444, show_constant<BLK_MAX_SEGMENTS>},
    {"max_segment_size", 0444, show_constant<PAGE_SIZE>},
    {"read_ahead_kb", 0444, show_constant<128>},
    {"rotational", 0444,
     [](const kobject& object, seq_file& out) { out.print("%u\n", disk_of(object).rotational ? 1 : 0); }},
    {"nomerges", 0444, show_constant<0>},
    {"iostats", 0444, show_constant<1>},
    {"write_cache", 0444, [](const kobject&, seq_file& out) { out.print("write back\n"); }},
    {"fua", 0444, show_constant<0>},
    {"discard_granularity", 0444, show_constant<0>},
    {"discard_max_bytes", 0444, show_constant<0>},
    {"zoned", 0444, show_text_none},
};
constexpr attribute scsi_attributes[] = {
    {"type", 0444, show_constant<0>}, // a disk
    {"vendor", 0444, [](const kobject&, seq_file& out) { out.print("ATA     \n"); }},
    {"model", 0444,
     [](const kobject& object, seq_file& out) { out.print("%-16.16s\n", disk_of(object).model); }},
    {"rev", 0444,
     [](const kobject& object, seq_file& out) { out.print("%-4.4s\n", disk_of(object).firmware); }},
};
constexpr kobj_type disk_ktype = {"disk", disk_attributes, array_size(disk_attributes)};
constexpr kobj_type partition_ktype = {"partition", partition_attributes, array_size(partition_attributes)};
constexpr kobj_type queue_ktype = {"request_queue", queue_attributes, array_size(queue_attributes)};
constexpr kobj_type scsi_ktype = {"scsi_device", scsi_attributes, array_size(scsi_attributes)};

/// ataN/hostM/targetM:0:0/M:0:0:0, as libata names what hangs on a port.
Result<kobject*> add_scsi_device(kobject* controller, struct gendisk& disk, kset* bus, kobject* members) {
    char name[24];
    format_text(name, sizeof name, "ata%u", disk.host_port + 1);
    kobject* at = TRY(kobject_create_and_add(name, controller));
    format_text(name, sizeof name, "host%u", disk.host_port);
    at = TRY(kobject_create_and_add(name, at));
    format_text(name, sizeof name, "target%u:0:0", disk.host_port);
    at = TRY(kobject_create_and_add(name, at));
    format_text(name, sizeof name, "%u:0:0:0", disk.host_port);
    at = TRY(kobject_create_and_add(name, at, &scsi_ktype, &disk, bus));
    TRY(sysfs_create_link(at, bus, "subsystem"));
    TRY(sysfs_create_link(members, at, name));
    return at;
}

} // namespace

Result<void> blk_sysfs_init() {
    kset* block_class = TRY(kset_create_and_add("block", class_kset));
    kset* scsi = TRY(kset_create_and_add("scsi", bus_kset));
    kobject* members = TRY(kobject_create_and_add("devices", scsi));
    kobject* whole = nullptr;
    for (struct block_device* device = block_devices; device;
         device = device->next) { // a disk before its partitions
        struct gendisk& disk = *device->disk;
        if (device != disk.part0) {
            if (whole)
                TRY(device_add(device->name, whole, &partition_ktype, device, device->i_rdev, true,
                               block_class));
            continue;
        }
        kobject* parent = disk.controller && disk.controller->kobj ? disk.controller->kobj : virtual_kobj;
        kobject* unit = TRY(add_scsi_device(parent, disk, scsi, members));
        kobject* folder = TRY(kobject_create_and_add("block", unit));
        whole = TRY(device_add(device->name, folder, &disk_ktype, device, device->i_rdev, true, block_class));
        TRY(kobject_create_and_add("queue", whole, &queue_ktype, &disk));
        TRY(sysfs_create_link(whole, unit, "device"));
        TRY(sysfs_create_link(block_kobj, whole, device->name));
    }
    return {};
}

} // namespace kernel
