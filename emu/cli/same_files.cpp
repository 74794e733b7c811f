// Outputs against inputs: see same_files.h.
#include "emu/cli/same_files.h"
#include <fmt/format.h>
#include "emu/load/files.h"

namespace vitrine::emu::cli {

NamedFiles files_of(const MachineConfig& config) {
    NamedFiles out{{"the firmware", config.bios_path},
                   {"the kernel", config.kernel_path},
                   {"the kernel's symbols", config.symbols_path}};
    for (const DiskConfig& disk : config.disks) {
        bool first = true;
        for (const std::string& file : image_files(disk.path, disk.format)) {
            out.emplace_back(!first         ? "a file that backs the disk"
                             : disk.optical ? "the disc"
                                            : "the disk",
                             file);
            first = false;
        }
        out.emplace_back("the disk's overlay", disk.overlay);
    }
    for (std::size_t from = 0; from < config.initrd_path.size();) {
        const std::size_t end = std::min(config.initrd_path.find(',', from), config.initrd_path.size());
        out.emplace_back("the initrd", config.initrd_path.substr(from, end - from));
        from = end + 1;
    }
    return out;
}

Expected<void> check_output(const std::string& path, const MachineConfig& config) {
    for (const auto& [what, file] : files_of(config))
        if (same_file(path, file))
            return usage_error(fmt::format("{}: that is {}; it would be overwritten", path, what));
    return {};
}

Expected<void> check_outputs(const Options& options, const MachineConfig& config) {
    NamedFiles inputs = files_of(config);
    inputs.emplace_back("the recording that is replayed", options.replay);
    inputs.emplace_back("the state that is loaded", options.load_state);
    for (const MediumChange& change : options.media) inputs.emplace_back("the disc", change.path);
    const NamedFiles outputs{
        {"--record", options.record},
        {"--save-recording", options.save_recording},
        {"--save-state", options.save_state},
        {"--serial file", options.serial == SerialTarget::File ? options.serial_file : ""},
        {"--serial2 file", options.serial2 == SerialTarget::File ? options.serial2_file : ""},
        {"--stats", options.stats},
        {"--screenshot", options.screenshot},
        {"--trace", options.trace},
        {"--ui-screenshot", options.ui_screenshot}};
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        const auto& [option, path] = outputs[i];
        for (const auto& [what, input] : inputs)
            if (same_file(path, input))
                return usage_error(
                    fmt::format("{} {}: that is {}; it would be overwritten", option, path, what));
        for (std::size_t other = 0; other < i; ++other)
            if (same_file(path, outputs[other].second))
                return usage_error(
                    fmt::format("{} {}: {} writes there, too", option, path, outputs[other].first));
    }
    return {};
}

} // namespace vitrine::emu::cli
