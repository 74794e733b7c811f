// /sys/devices/system/cpu: which processors there are, and how they lie in their packages.
#include "arch/x86_64/segments.h"
#include "fs/proc/proc.h"
#include "lib/format.h"
#include "lib/kobject.h"
#include "sched/scheduler.h"

namespace kernel {
namespace {

u64 cpu_of(const kobject& object) { return reinterpret_cast<u64>(object.object); }

/// "0", or "0-3".
void show_range(seq_file& out, unsigned first, unsigned last) {
    if (first == last)
        out.print("%u\n", first);
    else
        out.print("%u-%u\n", first, last);
}
void show_all(const kobject&, seq_file& out) { show_range(out, 0, online_cpus - 1); }
void show_none(const kobject&, seq_file& out) { out.print("\n"); }
void show_zero(const kobject&, seq_file& out) { out.print("0\n"); }
void show_own(const kobject& object, seq_file& out) { out.print("%lu\n", cpu_of(object)); }
void show_own_mask(const kobject& object, seq_file& out) { out.print("%02x\n", 1u << cpu_of(object)); }
void show_package_mask(const kobject&, seq_file& out) { out.print("%02x\n", (1u << online_cpus) - 1); }

constexpr attribute system_attributes[] = {
    {"online", 0444, show_all},
    {"possible", 0444, show_all},
    {"present", 0444, show_all},
    {"offline", 0444, show_none},
    {"isolated", 0444, show_none},
    {"kernel_max", 0444, [](const kobject&, seq_file& out) { out.print("%u\n", NR_CPUS - 1); }},
};
/// Every processor is a core of its own, and all are in one package (as CPUID and /proc/cpuinfo say).
constexpr attribute topology_attributes[] = {
    {"physical_package_id", 0444, show_zero},
    {"die_id", 0444, show_zero},
    {"core_id", 0444, show_own},
    {"core_cpus", 0444, show_own_mask},
    {"core_cpus_list", 0444, show_own},
    {"thread_siblings", 0444, show_own_mask},
    {"thread_siblings_list", 0444, show_own},
    {"core_siblings", 0444, show_package_mask},
    {"core_siblings_list", 0444, show_all},
    {"die_cpus", 0444, show_package_mask},
    {"die_cpus_list", 0444, show_all},
    {"package_cpus", 0444, show_package_mask},
    {"package_cpus_list", 0444, show_all},
};
constexpr kobj_type system_ktype = {"processors", system_attributes, array_size(system_attributes)};
constexpr kobj_type topology_ktype = {"topology", topology_attributes, array_size(topology_attributes)};

} // namespace

Result<void> topology_sysfs_init() {
    kset* bus = TRY(kset_create_and_add("cpu", bus_kset));
    kobject* members = TRY(kobject_create_and_add("devices", bus));
    kobject* system = TRY(kobject_create_and_add("system", devices_kobj));
    kobject* all = TRY(kobject_create_and_add("cpu", system, &system_ktype));
    for (unsigned cpu = 0; cpu < online_cpus; cpu++) {
        char name[8];
        format_text(name, sizeof name, "cpu%u", cpu);
        void* number = reinterpret_cast<void*>(u64{cpu});
        kobject* one = TRY(kobject_create_and_add(name, all, &dynamic_kobj_ktype, number, bus));
        TRY(kobject_create_and_add("topology", one, &topology_ktype, number));
        TRY(sysfs_create_link(one, bus, "subsystem"));
        TRY(sysfs_create_link(members, one, name));
    }
    return {};
}

} // namespace kernel
