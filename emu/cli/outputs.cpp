// Statistics, screenshot, saved state: see outputs.h. State file: "VITSTAT1" and one zstd frame of
// Machine::save().
#include "emu/cli/outputs.h"
#include <cstring>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <png.h>
#include "emu/board/board.h"
#include "emu/load/files.h"
#include "emu/recorder/compress.h"

namespace vitrine::emu::cli {

namespace {
constexpr std::string_view StateMagic = "VITSTAT1";
}

Expected<void> write_stats(Machine& machine, const RunReport& report, const std::string& path,
                           const MoreStats& more) {
    using nlohmann::json;
    const double seconds = machine.host_seconds();
    const cpu::Counters& counters = machine.processor().counters();
    json phases = json::array();
    const auto& list = machine.phases();
    for (std::size_t i = 0; i < list.size(); ++i) {
        const Phase& phase = list[i];
        const bool last = i + 1 == list.size();
        const u64 end_step = last ? machine.steps() : list[i + 1].step,
                  end_time = last ? machine.time() : list[i + 1].time;
        const double host = (last ? seconds : list[i + 1].host_seconds) - phase.host_seconds;
        phases.push_back(
            {{"name", phase.name},
             {"source", phase.source},
             {"description", phase.description},
             {"step", phase.step},
             {"time_ns", phase.time},
             {"duration_steps", end_step - phase.step},
             {"duration_ns", end_time - phase.time},
             {"host_seconds", host},
             {"mips", host > 0 ? static_cast<double>(end_step - phase.step) / host / 1e6 : 0.0}});
    }
    json out = {{"steps", machine.steps()},
                {"cycles", machine.time()},
                {"time_ns", machine.time()},
                {"host_seconds", seconds},
                {"mips", seconds > 0 ? static_cast<double>(machine.steps()) / seconds / 1e6 : 0.0},
                {"memory_bytes", machine.config().memory_bytes},
                {"stop", {{"reason", stop_reason_name(report.reason)}, {"detail", report.detail}}},
                {"phases", phases},
                {"engine",
                 {{"blocks_built", counters.blocks_built},
                  {"blocks_dropped", counters.blocks_dropped},
                  {"block_lookups", counters.block_lookups},
                  {"precise_steps", counters.precise_steps},
                  {"tlb_fills", counters.tlb_fills},
                  {"page_walks", counters.page_walks},
                  {"mmio", counters.mmio},
                  {"port_io", counters.port_io},
                  {"deliveries", counters.deliveries}}}};
    for (const auto& [name, value] : more) out[name] = value;
    const std::string text = out.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
    return write_file(path, {reinterpret_cast<const u8*>(text.data()), text.size()});
}

Expected<void> write_screenshot(Machine& machine, const std::string& path) {
    devices::FrameBuffer picture;
    machine.board().vga().render(picture);
    if (picture.width == 0 || picture.height == 0)
        picture = {1, 1, {0xFF000000}}; // the display is off: one black point
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.width = picture.width;
    image.height = picture.height;
    image.format = PNG_FORMAT_RGBA;
    png_alloc_size_t size = 0;
    std::vector<u8> file;
    const bool sized =
        png_image_write_to_memory(&image, nullptr, &size, 0, picture.pixels.data(), 0, nullptr) != 0;
    file.resize(size);
    if (!sized ||
        !png_image_write_to_memory(&image, file.data(), &size, 0, picture.pixels.data(), 0, nullptr))
        return std::unexpected(Error{Exit::Internal, fmt::format("screenshot {}: {}", path, image.message)});
    file.resize(size);
    return write_file(path, file);
}

Expected<void> write_state(Machine& machine, const std::string& path) {
    std::vector<u8> file(StateMagic.begin(), StateMagic.end());
    const auto packed = compress(machine.save());
    file.insert(file.end(), packed.begin(), packed.end());
    return write_file(path, file);
}

Expected<void> read_state(Machine& machine, const std::string& path) {
    auto file = read_file(path, "saved state", 80ull << 30);
    if (!file) return std::unexpected(file.error());
    if (file->size() < StateMagic.size() ||
        std::memcmp(file->data(), StateMagic.data(), StateMagic.size()) != 0)
        return bad_input(fmt::format("saved state {} is not a Vitrine state", path));
    auto raw = decompress(std::span(*file).subspan(StateMagic.size()),
                          2 * machine.config().memory_bytes + (1ull << 30));
    if (!raw) return bad_input(fmt::format("saved state {}: {}", path, raw.error().message));
    if (auto ok = machine.restore(*raw); !ok)
        return bad_input(fmt::format("saved state {}: {}", path, ok.error().message));
    return {};
}

} // namespace vitrine::emu::cli
