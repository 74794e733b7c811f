// Chunks and payloads: see format.h. Payloads go through Archive, so that reading checks every length.
#include "emu/recorder/format.h"
#include "emu/board/turns.h"
#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include "cpu/base/archive.h"
#include "emu/recorder/compress.h"
#include "emu/recorder/crc32c.h"

namespace vitrine::emu::recording {

namespace {

constexpr std::size_t LongestPath = 4096, LongestText = 64 << 10;

void serialize(Archive& archive, DiskConfig& disk) {
    archive.text(disk.path, LongestPath);
    archive.text(disk.overlay, LongestPath);
    archive(disk.read_only, disk.optical);
}

void serialize(Archive& archive, MachineConfig& config, ImageHashes& images) {
    archive.section("configuration", 6);
    archive(config.processors, config.quantum, config.preempt_fuzz, config.memory_bytes, config.cpu.model,
            config.cpu.timing, config.wall_clock, config.entropy_seed, config.no_reboot, config.boot_cdrom,
            config.network);
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
    if (config.processors < 1 || config.processors > Turns::MostProcessors || config.quantum < 1)
        archive.fail("an impossible number of processors");
    else if (config.cpu.model > cpu::Model::Max || config.cpu.timing > cpu::Timing::Simple)
        archive.fail("an unknown processor model");
    else if (const std::string missing = cpu::host_lacks(config.cpu.model); !missing.empty())
        archive.fail(fmt::format("its processor model {} needs {}, which this computer's processor lacks",
                                 cpu::model_name(config.cpu.model), missing));
    if (images.disks.size() != config.disks.size()) archive.fail("disks and disk hashes differ in number");
}

enum class InputKind : u8 {
    Key = 1,
    Serial = 2,
    Reset = 3,
    Mouse = 4,
    PowerButton = 5,
    RegisterPoke = 6,
    MemoryPoke = 7,
    Network = 8
};

InputKind kind_of(const InputEvent& event) { return static_cast<InputKind>(event.index() + 1); }

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
        default: return archive.fail("an unknown kind of input");
        }
    }
    if (auto* key = std::get_if<KeyInput>(&input.event))
        archive.vector(key->scancodes, 4096);
    else if (auto* serial = std::get_if<SerialInput>(&input.event))
        archive.text(serial->bytes, 1 << 20);
    else if (auto* mouse = std::get_if<MouseInput>(&input.event))
        archive(mouse->dx, mouse->dy, mouse->wheel, mouse->buttons);
    else if (auto* poke = std::get_if<RegisterPoke>(&input.event))
        archive(poke->processor, poke->number, poke->low, poke->high);
    else if (auto* bytes = std::get_if<MemoryPoke>(&input.event)) {
        archive(bytes->physical);
        archive.vector(bytes->bytes, MemoryPoke::Longest);
    } else if (auto* network = std::get_if<NetworkInput>(&input.event))
        archive.vector(network->frame, NetworkInput::Longest);
}

template <class T> void put(std::vector<u8>& out, T value) {
    const auto* p = reinterpret_cast<const u8*>(&value);
    out.insert(out.end(), p, p + sizeof value);
}
template <class T> T get(std::span<const u8> bytes, std::size_t at) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

} // namespace

std::vector<u8> encode(ChunkType type, u64 step, std::span<const u8> payload) {
    const std::vector<u8> stored = payload.empty() ? std::vector<u8>{} : compress(payload);
    std::vector<u8> out;
    put(out, Magic);
    put(out, static_cast<u16>(type));
    put(out, FormatVersion);
    put(out, static_cast<u32>(stored.size()));
    put(out, static_cast<u32>(payload.size()));
    put(out, step);
    put(out, crc32c(stored, crc32c(out)));
    out.insert(out.end(), stored.begin(), stored.end());
    return out;
}

std::vector<u8> encode_configuration(const MachineConfig& config, const ImageHashes& images) {
    Archive archive = Archive::saver();
    MachineConfig c = config;
    ImageHashes i = images;
    serialize(archive, c, i);
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

namespace {

/// One chunk at `offset`. nullopt: the file ends inside it.
Expected<std::optional<Chunk>> next_chunk(std::span<const u8> file, u64 offset, const std::string& name) {
    const auto corrupt = [&](std::string_view what) {
        return bad_input(fmt::format("recording {} is corrupt at offset {}: {}", name, offset, what));
    };
    const auto rest = file.subspan(offset);
    if (rest.size() < HeaderSize) return std::nullopt;
    if (get<u32>(rest, 0) != Magic) return corrupt("no chunk starts here");
    const u32 stored = get<u32>(rest, 8), raw = get<u32>(rest, 12);
    if (stored > LargestPayload || raw > LargestPayload) return corrupt("an impossible chunk length");
    if (rest.size() - HeaderSize < stored) return std::nullopt;
    const auto packed = rest.subspan(HeaderSize, stored);
    if (get<u32>(rest, 24) != crc32c(packed, crc32c(rest.first(24)))) return corrupt("the checksum is wrong");
    if (get<u16>(rest, 6) != FormatVersion)
        return corrupt(
            fmt::format("format version {}, this build reads {}", get<u16>(rest, 6), FormatVersion));
    Chunk chunk{static_cast<ChunkType>(get<u16>(rest, 4)), get<u64>(rest, 16), offset, {}};
    if (stored) {
        auto payload = decompress(packed, raw);
        if (!payload) return corrupt(payload.error().message);
        chunk.payload = std::move(*payload);
    }
    if (chunk.payload.size() != raw) return corrupt("the payload has another length than stated");
    return chunk;
}

/// A whole chunk somewhere behind: what looked like a torn tail is none.
bool chunk_follows(std::span<const u8> file, u64 from, const std::string& name) {
    for (u64 at = from; at + HeaderSize <= file.size(); ++at) {
        if (get<u32>(file, at) != Magic) continue;
        const auto chunk = next_chunk(file, at, name);
        if (chunk && *chunk) return true;
    }
    return false;
}

} // namespace

Expected<Contents> parse(std::span<const u8> file, const std::string& name) {
    Contents out;
    bool configured = false;
    if (file.size() >= sizeof Magic && get<u32>(file, 0) != Magic)
        return bad_input(fmt::format("{} is not a Vitrine recording", name));
    for (u64 offset = 0; offset < file.size();) {
        auto next = next_chunk(file, offset, name);
        if (!next) return std::unexpected(next.error());
        if (!*next) {
            if (chunk_follows(file, offset + 1, name))
                return bad_input(fmt::format(
                    "recording {} is corrupt at offset {}: a chunk's length is wrong", name, offset));
            out.torn = true, out.torn_at = offset;
            break;
        }
        const Chunk& chunk = **next;
        const auto corrupt = [&](std::string_view what) {
            return bad_input(fmt::format("recording {} is corrupt at offset {}: {}", name, offset, what));
        };
        if (configured == (chunk.type == ChunkType::Configuration))
            return corrupt(configured ? "a second configuration"
                                      : "it does not begin with its configuration");
        if (chunk.step < out.last_step) return corrupt("steps run backwards");
        if (out.end) return corrupt("a chunk follows the end");
        Archive archive = Archive::loader(chunk.payload);
        switch (chunk.type) {
        case ChunkType::Configuration: serialize(archive, out.config, out.images), configured = true; break;
        case ChunkType::Input: {
            LoggedInput input;
            serialize(archive, input);
            if (archive.ok() && input.step != chunk.step)
                return corrupt("an input's step differs from its chunk's");
            out.inputs.push_back(std::move(input));
            break;
        }
        case ChunkType::Hash: {
            LoggedHash hash{chunk.step, 0};
            archive(hash.value);
            out.hashes.push_back(hash);
            break;
        }
        case ChunkType::End: {
            out.end.emplace();
            archive(out.end->step, out.end->time, out.end->state_hash, out.end->reason);
            break;
        }
        default:
            return corrupt(
                fmt::format("chunk type {} is not known to this build", static_cast<unsigned>(chunk.type)));
        }
        if (!archive.ok() || !archive.at_end())
            return corrupt(archive.ok() ? "bytes follow the payload" : archive.error());
        out.last_step = chunk.step;
        const u32 stored = get<u32>(file, offset + 8);
        offset += HeaderSize + stored;
    }
    if (!configured)
        return bad_input(fmt::format("recording {} is {}", name,
                                     file.empty() ? "empty" : "truncated inside its configuration"));
    return out;
}

} // namespace vitrine::emu::recording
