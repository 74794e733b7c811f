// Names of boot phases: see phase_names.h. A test boots the bundled guest and holds its phases against them.
#include "emu/debugger/phase_names.h"
#include <algorithm>
#include <fmt/format.h>
#include "emu/debugger/expression.h"
#include "emu/load/files.h"
#include "emu/machine.h"
#include "roms/post_codes.h"

namespace vitrine::emu {

namespace {
/// guest/kernel's calls of boot_phase(), in their order.
constexpr const char* KernelPhases[] = {
    "early_idt",     "setup_arch",       "memblock",        "page_tables",    "zones",
    "trap_init",     "mm_init",          "sched_init",      "init_IRQ",       "time_init",
    "console_init",  "fork_init",        "vfs_caches_init", "rest_init",      "smp_init",
    "initcalls:pci", "initcalls:serial", "initcalls:i8042", "initcalls:ahci", "rootfs",
    "mount_root",    "free_initmem",     "run_init"};

bool is_bundled(const MachineConfig& config) {
    return config.kernel_path.empty() && config.symbols_path.empty() && config.disks.size() == 1 &&
           config.disks[0].path == bundled_path("guest/vitrine-disk.img") &&
           config.bios_path == bundled_path("roms/vitrine-bios.bin");
}
} // namespace

std::vector<std::string> known_phase_names() {
    std::vector<std::string> out;
    for (const roms::PostCode& code : roms::PostCodes) out.push_back(fmt::format("post:{}", code.name));
    for (unsigned mode = 0; mode <= static_cast<unsigned>(cpu::Mode::Long64); ++mode)
        out.push_back(fmt::format("mode:{}", mode_short_name(static_cast<cpu::Mode>(mode))));
    for (const char* name : KernelPhases) out.push_back(fmt::format("kernel:{}", name));
    out.push_back("init");
    return out;
}

std::string phase_problem(const Machine& machine, std::string_view wanted) {
    if (!is_bundled(machine.config())) return {};
    const std::vector<std::string> all = known_phase_names();
    if (std::ranges::any_of(all, [&](const std::string& name) {
            Phase phase;
            phase.name = name;
            return phase_matches(phase, wanted);
        }))
        return {};
    // A code that our firmware has no name for.
    if (wanted.starts_with("post:") && wanted.size() == 7 &&
        wanted.find_first_not_of("0123456789abcdef", 5) == std::string_view::npos)
        return {};
    std::vector<std::string_view> names;
    for (const std::string& name : all) {
        names.push_back(name);
        names.push_back(std::string_view(name).substr(name.find(':') + 1));
    }
    const std::string near = nearest_list(wanted, names);
    return fmt::format("there is no phase '{}'{}", wanted,
                       near.empty() ? "; --until phase:init --inspect phases lists them" : near);
}

} // namespace vitrine::emu
