// What chunks hold: configuration, inputs, hashes, checkpoints. All go through Archive, so that reading
// checks every length. See format.h.
#include "emu/recorder/payloads.h"
#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include "emu/board/memory.h"
#include "emu/board/turns.h"

namespace vitrine::emu::recording {

namespace {

constexpr std::size_t LongestPath = 4096, LongestText = 64 << 10;

void serialize(Archive& archive, DiskConfig& disk) {
    archive.text(disk.path, LongestPath);
    archive.text(disk.overlay, LongestPath);
    archive(disk.read_only, disk.optical, disk.format);
    if (archive.loading() && disk.format > ImageFormat::Qcow2)
        archive.fail("an unknown format of a disk image");
}

} // namespace

void serialize(Archive& archive, MachineConfig& config, ImageHashes& images, bool& saved) {
    archive.section("configuration", 9);
    archive(saved);
    archive(config.processors, config.quantum, config.preempt_fuzz, config.memory_bytes, config.cpu.model,
            config.cpu.timing, config.wall_clock, config.entropy_seed, config.no_reboot, config.boot_cdrom,
            config.network, config.boot_menu, config.legacy_ide, config.numa_nodes);
    archive.text(config.boot_order, 16);
    archive.text(config.bios_path, LongestPath);
    archive.text(config.kernel_path, LongestPath);
    archive.text(config.initrd_path, LongestPath);
    archive.text(config.append, LongestText);
    archive.text(config.symbols_path, LongestPath);
    u32 disks = static_cast<u32>(config.disks.size());
    archive(disks);
    if (archive.loading()) {
        if (!archive.ok() || disks > 64) return archive.fail("too many disks");
        config.disks.assign(disks, {});
    }
    for (DiskConfig& disk : config.disks) serialize(archive, disk);
    archive(images.bios, images.kernel, images.initrd);
    archive.vector(images.disks, 64);
    if (!archive.loading() || !archive.ok()) return;
    if (config.numa_nodes > config.processors)
        archive.fail("more nodes than processors");
    else if (config.processors < 1 || config.processors > Turns::MostProcessors)
        archive.fail("an impossible number of processors");
    else if (config.quantum < 1 || config.quantum > Turns::LongestQuantum)
        archive.fail("an impossible length of a processor's turn");
    else if (config.cpu.model > cpu::Model::Max || config.cpu.timing > cpu::Timing::Simple)
        archive.fail("an unknown processor model");
    else if (const std::string missing = cpu::host_lacks(config.cpu.model); !missing.empty())
        archive.fail(fmt::format("its processor model {} needs {}, which this computer's processor lacks",
                                 cpu::model_name(config.cpu.model), missing));
    if (images.disks.size() != config.disks.size()) archive.fail("disks and disk hashes differ in number");
}

namespace {
enum class InputKind : u8 {
    Key = 1,
    Serial = 2,
    Reset = 3,
    Mouse = 4,
    PowerButton = 5,
    RegisterPoke = 6,
    MemoryPoke = 7,
    Network = 8,
    Medium = 9
};

void serialize_serial(Archive& archive, SerialInput& serial) {
    archive.text(serial.bytes, 1 << 20);
    archive(serial.port);
    if (archive.loading() && serial.port > 1) archive.fail("an input for a serial port that there is not");
}

InputKind kind_of(const InputEvent& event) { return static_cast<InputKind>(event.index() + 1); }
} // namespace

void serialize(Archive& archive, LoggedInput& input) {
    InputKind kind = archive.loading() ? InputKind::Key : kind_of(input.event);
    archive(input.step, input.time, kind);
    if (!archive.ok()) return;
    if (archive.loading()) {
        switch (kind) {
        case InputKind::Key: input.event = KeyInput{}; break;
        case InputKind::Serial: input.event = SerialInput{}; break;
        case InputKind::Reset: input.event = ResetInput{}; break;
        case InputKind::Mouse: input.event = MouseInput{}; break;
        case InputKind::PowerButton: input.event = PowerButtonInput{}; break;
        case InputKind::RegisterPoke: input.event = RegisterPoke{}; break;
        case InputKind::MemoryPoke: input.event = MemoryPoke{}; break;
        case InputKind::Network: input.event = NetworkInput{}; break;
        case InputKind::Medium: input.event = MediumInput{}; break;
        default: return archive.fail("an unknown kind of input");
        }
    }
    if (auto* key = std::get_if<KeyInput>(&input.event))
        archive.vector(key->scancodes, 4096);
    else if (auto* serial = std::get_if<SerialInput>(&input.event))
        serialize_serial(archive, *serial);
    else if (auto* mouse = std::get_if<MouseInput>(&input.event))
        archive(mouse->dx, mouse->dy, mouse->wheel, mouse->buttons);
    else if (auto* poke = std::get_if<RegisterPoke>(&input.event))
        archive(poke->processor, poke->number, poke->low, poke->high);
    else if (auto* bytes = std::get_if<MemoryPoke>(&input.event)) {
        archive(bytes->physical);
        archive.vector(bytes->bytes, MemoryPoke::Longest);
    } else if (auto* network = std::get_if<NetworkInput>(&input.event))
        archive.vector(network->frame, NetworkInput::Longest);
    else if (auto* medium = std::get_if<MediumInput>(&input.event)) {
        archive.text(medium->path, LongestPath);
        archive(medium->hash);
    }
}

void serialize(Archive& archive, CheckpointHead& head) {
    constexpr std::size_t MostPhases = 65536, LongestConsole = 8 << 20;
    archive.section("checkpoint", 1);
    archive(head.number, head.whole, head.page_count, head.time, head.inputs);
    u32 phases = static_cast<u32>(head.phases.size()), modes = static_cast<u32>(head.modes.size());
    archive(phases, modes);
    if (archive.loading()) {
        if (!archive.ok() || phases > MostPhases || modes > MostPhases)
            return archive.fail("too many phases");
        head.phases.assign(phases, {}), head.modes.assign(modes, {});
    }
    for (Phase& phase : head.phases) {
        archive.text(phase.name, 256);
        archive.text(phase.source, 64);
        archive.text(phase.description, 512);
        archive(phase.step, phase.time, phase.rip);
        if (!archive.ok()) return;
    }
    for (ModeChange& change : head.modes) archive(change.step, change.time, change.mode);
    archive(head.console_total);
    archive.text(head.console, LongestConsole);
    if (archive.loading() && head.console.size() > head.console_total)
        archive.fail("the console text is longer than its total");
}

std::vector<u8> encode_configuration(const MachineConfig& config, const ImageHashes& images, bool saved) {
    Archive archive = Archive::saver();
    MachineConfig c = config;
    ImageHashes i = images;
    serialize(archive, c, i, saved);
    return archive.take();
}
std::vector<u8> encode_input(const LoggedInput& input) {
    Archive archive = Archive::saver();
    LoggedInput i = input;
    serialize(archive, i);
    return archive.take();
}
std::vector<u8> encode_hash(u64 hash) {
    Archive archive = Archive::saver();
    archive(hash);
    return archive.take();
}
std::vector<u8> encode_end(const RunEnd& end) {
    Archive archive = Archive::saver();
    RunEnd e = end;
    archive(e.step, e.time, e.state_hash, e.reason);
    return archive.take();
}

std::vector<u8> encode_checkpoint(const CheckpointHead& head, std::span<const u8> state) {
    Archive archive = Archive::saver();
    CheckpointHead h = head;
    serialize(archive, h);
    std::vector<u8> out = archive.take();
    const u64 size = out.size();
    std::vector<u8> all(sizeof size);
    std::memcpy(all.data(), &size, sizeof size);
    all.insert(all.end(), out.begin(), out.end());
    all.insert(all.end(), state.begin(), state.end());
    return all;
}

Expected<std::span<const u8>> checkpoint_head(std::span<const u8> payload) {
    u64 size = 0;
    if (payload.size() < sizeof size) return bad_input("a checkpoint without a head");
    std::memcpy(&size, payload.data(), sizeof size);
    if (size > payload.size() - sizeof size) return bad_input("a checkpoint's head is longer than it");
    return payload.subspan(sizeof size, size);
}
Expected<std::vector<u8>> checkpoint_state(std::span<const u8> payload) {
    auto head = checkpoint_head(payload);
    if (!head) return std::unexpected(head.error());
    const auto state = payload.subspan(sizeof(u64) + head->size());
    return std::vector<u8>(state.begin(), state.end());
}

// ---- pages ------------------------------------------------------------------------------------------------

namespace {
constexpr Place ZeroPage = Place{1} << 63;
}

void PagesPayload::add(Place place, const u8* bytes) {
    const bool zero = page_is_zero(bytes);
    places_.push_back(zero ? place | ZeroPage : place);
    if (!zero) content_.insert(content_.end(), bytes, bytes + PageBytes);
}

std::vector<u8> PagesPayload::take() {
    const u32 count = static_cast<u32>(places_.size());
    std::vector<u8> out(sizeof count + count * sizeof(Place));
    std::memcpy(out.data(), &count, sizeof count);
    std::memcpy(out.data() + sizeof count, places_.data(), count * sizeof(Place));
    out.insert(out.end(), content_.begin(), content_.end());
    places_.clear(), content_.clear();
    return out;
}

Expected<void> each_page(std::span<const u8> payload, const KnownRun::PageSink& sink) {
    static constexpr std::array<u8, PageBytes> Zero{};
    u32 count = 0;
    if (payload.size() < sizeof count) return bad_input("pages without a count");
    std::memcpy(&count, payload.data(), sizeof count);
    payload = payload.subspan(sizeof count);
    if (count > PagesPerChunk || payload.size() < count * sizeof(Place))
        return bad_input("an impossible number of pages");
    auto content = payload.subspan(count * sizeof(Place));
    for (u32 i = 0; i < count; ++i) {
        Place place = 0;
        std::memcpy(&place, payload.data() + i * sizeof place, sizeof place);
        if (place & ZeroPage) {
            sink(place & ~ZeroPage, Zero.data());
            continue;
        }
        if (content.size() < PageBytes) return bad_input("pages end early");
        sink(place, content.data());
        content = content.subspan(PageBytes);
    }
    if (!content.empty()) return bad_input("bytes follow the pages");
    return {};
}

} // namespace vitrine::emu::recording
