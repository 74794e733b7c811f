// The fixed part of /sys, and devices in it: every device with a number has its directory below devices/,
// and links to it from its class and from dev/. See lib/kobject.h.
#include "fs/dev/devtmpfs.h"
#include "fs/proc/proc.h"
#include "lib/format.h"
#include "lib/kobject.h"
#include "lib/log.h"
#include "mm/slab.h"

namespace kernel {

constinit kobject *devices_kobj = nullptr, *virtual_kobj = nullptr, *dev_block_kobj = nullptr,
                  *dev_char_kobj = nullptr, *block_kobj = nullptr;
constinit kset *bus_kset = nullptr, *class_kset = nullptr;

namespace {

const device& device_of(const kobject& object) { return *static_cast<const device*>(object.object); }

constexpr attribute char_attributes[] = {
    {"dev", 0444, show_dev},
    {"uevent", 0444,
     [](const kobject& object, seq_file& out) {
         const device& dev = device_of(object);
         out.print("MAJOR=%u\nMINOR=%u\nDEVNAME=%s\n", device_major(dev.devt), device_minor(dev.devt),
                   dev.devname);
         if (dev.devmode) out.print("DEVMODE=0%o\n", dev.devmode);
     }},
};
constexpr kobj_type char_ktype = {"char device", char_attributes, array_size(char_attributes)};

constexpr attribute kernel_attributes[] = {
    {"uevent_seqnum", 0444, [](const kobject&, seq_file& out) { out.print("0\n"); }}, // nobody is told of any
};
constexpr kobj_type kernel_ktype = {"kernel", kernel_attributes, array_size(kernel_attributes)};

} // namespace

void show_dev(const kobject& object, seq_file& out) {
    u32 devt = device_of(object).devt;
    out.print("%u:%u\n", device_major(devt), device_minor(devt));
}

Result<void> kobject_init() {
    sysfs_root = TRY(kobject_create_and_add("", nullptr));
    sysfs_root->number = 1;
    block_kobj = TRY(kobject_create_and_add("block", nullptr));
    bus_kset = TRY(kset_create_and_add("bus", nullptr));
    class_kset = TRY(kset_create_and_add("class", nullptr));
    kobject* dev = TRY(kobject_create_and_add("dev", nullptr));
    dev_block_kobj = TRY(kobject_create_and_add("block", dev));
    dev_char_kobj = TRY(kobject_create_and_add("char", dev));
    devices_kobj = TRY(kset_create_and_add("devices", nullptr));
    virtual_kobj = TRY(kobject_create_and_add("virtual", devices_kobj));
    TRY(kobject_create_and_add("fs", nullptr));
    TRY(kobject_create_and_add("kernel", nullptr, &kernel_ktype));
    return {};
}

Result<kobject*> device_add(const char* name, kobject* parent, const kobj_type* type, void* object, u32 devt,
                            bool block, kset* subsystem) {
    kobject* dev = TRY(kobject_create_and_add(name, parent, type, object, subsystem));
    TRY(sysfs_create_link(dev, subsystem, "subsystem"));
    TRY(sysfs_create_link(subsystem, dev, name));
    if (devt) {
        char number[24];
        format_text(number, sizeof number, "%u:%u", device_major(devt), device_minor(devt));
        TRY(sysfs_create_link(block ? dev_block_kobj : dev_char_kobj, dev, number));
    }
    return dev;
}

Result<void> char_sysfs_init() {
    kset* mem = TRY(kset_create_and_add("mem", class_kset));
    kset* tty = TRY(kset_create_and_add("tty", class_kset));
    kobject* virtual_mem = TRY(kobject_create_and_add("mem", virtual_kobj));
    kobject* virtual_tty = TRY(kobject_create_and_add("tty", virtual_kobj));
    kobject* platform = TRY(kobject_create_and_add("platform", devices_kobj));
    kobject* serial = TRY(kobject_create_and_add("tty", TRY(kobject_create_and_add("serial8250", platform))));
    for (u32 i = 0;; i++) {
        const char* name;
        u32 mode, devt;
        if (!nth_device(i, name, mode, devt)) break;
        if ((mode & S_IFMT) != S_IFCHR) continue;
        auto* dev = make<device>();
        if (!dev) return Errno::ENOMEM;
        bool is_mem = device_major(devt) == 1;
        *dev = {name, devt, is_mem || (mode & 07777) == 0666 ? mode & 07777 : 0};
        kobject* parent = is_mem ? virtual_mem : starts_with(name, "ttyS") ? serial : virtual_tty;
        TRY(device_add(name, parent, &char_ktype, dev, devt, false, is_mem ? mem : tty));
    }
    return {};
}

} // namespace kernel
