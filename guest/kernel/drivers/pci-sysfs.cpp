// PCI devices in /sys: their identity, resources and configuration space. Formats: Linux's
// drivers/pci/pci-sysfs.c, as its documentation (ABI/testing/sysfs-bus-pci) has them.
#include "drivers/pci.h"
#include "fs/proc/proc.h"
#include "lib/format.h"
#include "lib/kobject.h"

namespace kernel {
namespace {

const PciDevice& pci_of(const kobject& object) { return *static_cast<const PciDevice*>(object.object); }
u32 class_of(const PciDevice& d) { return u32{d.class_code} << 16 | u32{d.subclass} << 8 | d.interface; }
/// Bridges keep theirs elsewhere (PCI 3.0, 6.2.4: header type 0 alone has them at 2Ch).
u32 subsystem_of(const PciDevice& d) { return (d.read8(0x0e) & 0x7f) ? 0 : d.read32(0x2c); }

void show_modalias_text(const PciDevice& d, seq_file& out) {
    u32 subsystem = subsystem_of(d);
    out.print("pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X\n", d.vendor, d.id, subsystem & 0xffff,
              subsystem >> 16, d.class_code, d.subclass, d.interface);
}

constexpr attribute pci_attributes[] = {
    {"vendor", 0444, [](const kobject& o, seq_file& out) { out.print("0x%04x\n", pci_of(o).vendor); }},
    {"device", 0444, [](const kobject& o, seq_file& out) { out.print("0x%04x\n", pci_of(o).id); }},
    {"subsystem_vendor", 0444,
     [](const kobject& o, seq_file& out) { out.print("0x%04x\n", subsystem_of(pci_of(o)) & 0xffff); }},
    {"subsystem_device", 0444,
     [](const kobject& o, seq_file& out) { out.print("0x%04x\n", subsystem_of(pci_of(o)) >> 16); }},
    {"class", 0444, [](const kobject& o, seq_file& out) { out.print("0x%06x\n", class_of(pci_of(o))); }},
    {"revision", 0444, [](const kobject& o, seq_file& out) { out.print("0x%02x\n", pci_of(o).revision); }},
    {"irq", 0444,
     [](const kobject& o, seq_file& out) {
         out.print("%u\n", __atomic_load_n(&pci_of(o).irq, __ATOMIC_RELAXED));
     }},
    {"enable", 0444, [](const kobject& o, seq_file& out) { out.print("%u\n", pci_of(o).driver ? 1 : 0); }},
    {"modalias", 0444, [](const kobject& o, seq_file& out) { show_modalias_text(pci_of(o), out); }},
    {"resource", 0444,
     [](const kobject& o, seq_file& out) {
         for (const PciResource& r : pci_of(o).resource)
             out.print("0x%016lx 0x%016lx 0x%016lx\n", r.start, r.end, r.flags);
         for (unsigned i = 0; i < 6; i++)
             out.print("0x%016x 0x%016x 0x%016x\n", 0, 0, 0); // of virtual functions
     }},
    {"uevent", 0444,
     [](const kobject& o, seq_file& out) {
         const PciDevice& d = pci_of(o);
         u32 subsystem = subsystem_of(d);
         if (d.driver) out.print("DRIVER=%s\n", d.driver);
         out.print("PCI_CLASS=%X\nPCI_ID=%04X:%04X\nPCI_SUBSYS_ID=%04X:%04X\nPCI_SLOT_NAME=%s\nMODALIAS=",
                   class_of(d), d.vendor, d.id, subsystem & 0xffff, subsystem >> 16, o.name);
         show_modalias_text(d, out);
     }},
    {"config", 0444, nullptr, nullptr,
     [](const kobject& o, IoBuffer buffer, u64 position) -> Result<usize> {
         for (usize done = 0; done < buffer.size; done++) {
             u8 byte = pci_of(o).read8(static_cast<u16>(position + done));
             TRY(buffer.store(done, &byte, 1));
         }
         return buffer.size;
     },
     256},
};
constexpr kobj_type pci_ktype = {"PCI device", pci_attributes, array_size(pci_attributes)};

} // namespace

Result<void> pci_sysfs_init() {
    kset* bus = TRY(kset_create_and_add("pci", bus_kset));
    kobject* members = TRY(kobject_create_and_add("devices", bus));
    kobject* drivers = TRY(kobject_create_and_add("drivers", bus));
    kobject* root = TRY(kobject_create_and_add("pci0000:00", devices_kobj));
    for (PciDevice* device = pci_devices; device; device = device->next) {
        char name[16];
        format_text(name, sizeof name, "0000:%02x:%02x.%u", device->bus, device->device, device->function);
        device->kobj = TRY(kobject_create_and_add(name, root, &pci_ktype, device, bus));
        TRY(sysfs_create_link(device->kobj, bus, "subsystem"));
        TRY(sysfs_create_link(members, device->kobj, name));
        if (!device->driver) continue;
        kobject* driver = TRY(kobject_get_or_add(device->driver, drivers));
        TRY(sysfs_create_link(device->kobj, driver, "driver"));
        TRY(sysfs_create_link(driver, device->kobj, name));
    }
    return {};
}

} // namespace kernel
