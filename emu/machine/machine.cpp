// Machine: creation from a configuration, the input door, and accessors. run.cpp has the loop.
#include "emu/machine.h"
#include <algorithm>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include "emu/load/files.h"
#include "emu/machine/impl.h"

namespace vitrine::emu {

namespace {

Expected<std::vector<std::unique_ptr<Disk>>> open_disks(const MachineConfig& config) {
    std::vector<std::unique_ptr<Disk>> disks;
    for (const DiskConfig& wanted : config.disks) {
        auto disk = Disk::open(wanted);
        if (!disk) return std::unexpected(disk.error());
        disks.push_back(std::move(*disk));
    }
    // What the firmware boots, unless a kernel was given, must be able to.
    if (config.kernel_path.empty() && config.boot_order.size() < 2 && !config.boot_menu)
        for (auto& disk : disks) {
            if (disk->config().optical != config.boot_cdrom) continue;
            auto ok = config.boot_cdrom ? disk->check_boot_record() : disk->check_boot_sector();
            if (!ok) return std::unexpected(ok.error());
            break;
        }
    return disks;
}

/// An explicit symbol file must be good; the bundled one is a convenience.
Expected<std::unique_ptr<GuestSymbols>> open_symbols(const MachineConfig& config) {
    const std::string path =
        config.symbols_path.empty() ? bundled_path("guest/vmlinux") : config.symbols_path;
    if (config.symbols_path.empty() && !file_exists(path)) {
        spdlog::info("no kernel symbols: {} is missing", path);
        return nullptr;
    }
    return GuestSymbols::load(path);
}

} // namespace

Machine::Machine() : impl_(std::make_unique<Impl>()) {}
Machine::~Machine() = default;

Expected<std::unique_ptr<Machine>> Machine::create(const MachineConfig& wanted) {
    MachineConfig config = wanted;
    if (auto ok = check_memory_size(config.memory_bytes); !ok) return std::unexpected(ok.error());
    if (config.bios_path.empty()) config.bios_path = bundled_path("roms/vitrine-bios.bin");
    if (config.disks.empty() && config.kernel_path.empty())
        config.disks.push_back({bundled_path("guest/vitrine-disk.img"), false, {}, false});
    if (std::ranges::none_of(config.disks, [](const DiskConfig& disk) { return !disk.optical; }))
        config.boot_cdrom = !config.disks.empty(); // nothing else is there
    if (config.kernel_path.empty() && !config.initrd_path.empty())
        return usage_error("--initrd needs --kernel");
    if (config.kernel_path.empty() && !config.append.empty()) return usage_error("--append needs --kernel");

    auto bios = Rom::load(config.bios_path);
    if (!bios) return std::unexpected(bios.error());
    auto disks = open_disks(config);
    if (!disks) return std::unexpected(disks.error());
    auto symbols = open_symbols(config);
    if (!symbols) return std::unexpected(symbols.error());

    BoardSetup setup;
    setup.memory_bytes = config.memory_bytes;
    setup.cpu = config.cpu;
    setup.processors = config.processors;
    setup.quantum = config.quantum;
    setup.network = config.network;
    setup.preempt_fuzz = config.preempt_fuzz;
    setup.wall_clock = config.wall_clock;
    setup.entropy_seed = config.entropy_seed;
    std::unique_ptr<Machine> machine(new Machine());
    Impl& impl = *machine->impl_;
    impl.config = config;
    impl.symbols = std::move(*symbols);
    impl.images.bios = bios->hash();
    if (!config.kernel_path.empty()) {
        auto kernel = load_kernel(config.kernel_path, config.initrd_path, config.append,
                                  std::min(config.memory_bytes, LowMemoryLimit));
        if (!kernel) return std::unexpected(kernel.error());
        if (kernel->image && !bios->contains(ImageFile))
            return bad_input(
                fmt::format("firmware {} cannot start Multiboot and PVH images; the bundled firmware can",
                            config.bios_path));
        impl.images.kernel = kernel->kernel_hash;
        impl.images.initrd = kernel->initrd_hash;
        setup.kernel = std::move(*kernel);
    }
    setup.bios = std::move(*bios);
    setup.disks = std::move(*disks);
    setup.boot_cdrom = config.boot_cdrom;
    setup.boot_order = config.boot_order;
    setup.boot_menu = config.boot_menu;
    setup.legacy_ide = config.legacy_ide;
    setup.numa_nodes = config.numa_nodes;

    auto board =
        Board::create(std::move(setup),
                      {.post_code = [&impl](u8 code) { impl.post_code(code); },
                       .serial = [&impl](std::string_view bytes) { impl.serial_out(bytes); },
                       .second_serial = [&impl](std::string_view bytes) { impl.second_serial_out(bytes); },
                       .log = [](std::string_view line) { spdlog::info("{}", line); },
                       .unclaimed = [](std::string_view line) { spdlog::debug("{}", line); },
                       .debug_console = [](std::string_view line) { spdlog::info("guest: {}", line); }});
    if (!board) return std::unexpected(board.error());
    impl.board = std::move(*board);
    impl.probes = std::make_unique<Probes>(*impl.board);
    for (unsigned i = 0; i < impl.board->processor_count(); ++i) impl.board->processor(i).set_observer(&impl);
    impl.modes.push_back({0, 0, impl.cpu().mode()});
    return machine;
}

// ---- inputs -----------------------------------------------------------------------------------------------

void Machine::input(const InputEvent& event) {
    if (impl_->live_input_sink) impl_->live_input_sink();
    if (std::pair(steps(), time()) < impl_->furthest) begin_new_future();
    // From here on the run is a new one, wherever it stood: sinks hear of all of it.
    impl_->inputs_told = impl_->log.size();
    impl_->serial_told = impl_->serial_total;
    impl_->second_serial_told = steps();
    impl_->hashed = steps();
    impl_->apply({steps(), time(), event});
}

Expected<void> Machine::know_medium(MediumInput& medium) {
    return impl_->board->know_medium(medium.path, medium.hash);
}

void Machine::input_at(u64 step, InputEvent event, u64 time) {
    auto& waiting = impl_->waiting;
    const auto later = [](const LoggedInput& a, const LoggedInput& b) {
        return a.step != b.step ? a.step < b.step : a.time < b.time;
    };
    LoggedInput entry{step, time, std::move(event)};
    waiting.insert(std::ranges::upper_bound(waiting, entry, later), std::move(entry));
}

const std::vector<LoggedInput>& Machine::input_log() const { return impl_->log; }
std::size_t Machine::inputs_waiting() const { return impl_->waiting.size(); }

// ---- accessors --------------------------------------------------------------------------------------------

RunReport Machine::run(const RunLimits& limits) { return impl_->run(limits); }

RunReport Machine::step() {
    RunLimits one;
    one.step_limit = steps() + 1;
    return run(one);
}

void Machine::request_stop() { impl_->stop_requested.store(true, std::memory_order_relaxed); }
u64 Machine::steps() const { return impl_->cpu().steps(); }
u64 Machine::time() const { return impl_->cpu().cycles(); }
double Machine::host_seconds() const { return impl_->host_now(); }
const MachineConfig& Machine::config() const { return impl_->config; }
unsigned Machine::processor_count() const { return impl_->board->processor_count(); }
unsigned Machine::current_processor() const { return impl_->board->current(); }
cpu::Cpu& Machine::processor(unsigned index) { return impl_->board->processor(index); }
const cpu::Cpu& Machine::processor(unsigned index) const { return impl_->board->processor(index); }
cpu::Cpu& Machine::processor() { return impl_->cpu(); }
const cpu::Cpu& Machine::processor() const { return impl_->cpu(); }
Probes& Machine::probes() { return *impl_->probes; }
Board& Machine::board() { return *impl_->board; }
const Board& Machine::board() const { return *impl_->board; }
const std::vector<Phase>& Machine::phases() const { return impl_->phases; }
const std::vector<ModeChange>& Machine::mode_changes() const { return impl_->modes; }
const std::string& Machine::serial_output() const { return impl_->serial; }
u64 Machine::serial_total() const { return impl_->serial_total; }
void Machine::on_transmit(std::function<void(std::span<const u8>)> sink) {
    devices::E1000* card = impl_->board->network();
    if (!card) return;
    // A stretch that runs again, on the way to a place in the past, has been on the wire already.
    card->on_transmit([this, sink = std::move(sink)](std::span<const u8> frame) {
        if (sink && std::pair(steps(), time()) > impl_->furthest) sink(frame);
    });
}
bool Machine::can_receive() const {
    const devices::E1000* card = impl_->board->network();
    return card && card->can_receive();
}
void Machine::on_serial(std::function<void(std::string_view)> sink) { impl_->serial_sink = std::move(sink); }
void Machine::on_second_serial(std::function<void(std::string_view)> sink) {
    impl_->second_serial_sink = std::move(sink);
}
const std::optional<RunReport>& Machine::ended() const { return impl_->ended; }
const GuestSymbols* Machine::symbols() const { return impl_->symbols.get(); }
void Machine::on_input(std::function<void(const LoggedInput&)> sink) { impl_->input_sink = std::move(sink); }

void Machine::set_known_run(std::shared_ptr<KnownRun> run) { impl_->known_run = std::move(run); }
const std::shared_ptr<KnownRun>& Machine::known_run() const { return impl_->known_run; }

void Machine::on_hash(u64 interval, std::function<bool(u64, u64)> sink, bool again) {
    impl_->hash_again = again;
    impl_->hash_sink = std::move(sink);
    impl_->hash_interval = interval;
    impl_->next_hash = impl_->hash_sink && interval ? (steps() / interval + 1) * interval : ~u64{0};
    impl_->hashed = impl_->next_hash == ~u64{0} ? 0 : impl_->next_hash - interval;
}

Expected<ImageHashes> Machine::image_hashes() {
    if (!impl_->disks_hashed) {
        for (auto& disk : impl_->board->disks()) {
            auto hash = disk->identity_hash();
            if (!hash) return std::unexpected(hash.error());
            impl_->images.disks.push_back(*hash);
        }
        impl_->disks_hashed = true;
    }
    return impl_->images;
}

Expected<void> Machine::save_overlays() {
    for (auto& disk : impl_->board->disks())
        if (auto ok = disk->save_overlay(); !ok) return ok;
    return {};
}

bool Machine::has_overlays() const {
    return std::ranges::any_of(config().disks, [](const DiskConfig& disk) { return !disk.overlay.empty(); });
}

const char* stop_reason_name(StopReason reason) {
    switch (reason) {
    case StopReason::StepLimit: return "step limit";
    case StopReason::TimeLimit: return "time limit";
    case StopReason::Breakpoint: return "breakpoint";
    case StopReason::PoweredOff: return "powered off";
    case StopReason::DebugExit: return "debug exit";
    case StopReason::TripleFault: return "triple fault";
    case StopReason::IdleForever: return "idle forever";
    case StopReason::HostRequest: return "host request";
    case StopReason::ResetRequested: return "reset requested";
    case StopReason::HostTimeLimit: return "host time limit";
    case StopReason::ReplayMismatch: return "replay mismatch";
    }
    return "?";
}

bool phase_matches(const Phase& phase, std::string_view wanted) {
    if (wanted == "*" || phase.name == wanted) return true;
    const auto colon = phase.name.find(':');
    return colon != std::string::npos && std::string_view(phase.name).substr(colon + 1) == wanted;
}

bool ends_with_prompt(std::string_view output) {
    if (!output.ends_with("# ") && !output.ends_with("$ ")) return false;
    const auto line_start = output.find_last_of('\n');
    std::string_view line = output.substr(line_start == std::string_view::npos ? 0 : line_start + 1);
    while (!line.empty() && line.front() == '\r') line.remove_prefix(1);
    if (line.size() > 64) return false;
    line.remove_suffix(2);
    if (line.ends_with(' ')) line.remove_suffix(1); // "/ # " as busybox writes it
    if (line.empty()) return false;                 // the head of a table: "# name"
    return line.find(' ') == std::string_view::npos && line.find('#') == std::string_view::npos;
}

} // namespace vitrine::emu
