// Disk: see disk.h. Overlay file: "VITOVLY2", then a zstd frame (with checksum) of the serialized overlay,
// which names the base image's hash, so that an overlay is never applied to another image.
#include "emu/disk/disk.h"
#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>
#include <xxhash.h>
#include "emu/load/files.h"
#include "emu/recorder/compress.h"

namespace vitrine::emu {

namespace {
constexpr std::string_view OverlayMagic = "VITOVLY2", OldOverlay = "VITOVLY1";
constexpr u64 HashBlock = 64 << 10;
constexpr u64 LargestDisk = 8ull << 40;
} // namespace

Expected<std::unique_ptr<Disk>> Disk::open(const DiskConfig& config) {
    std::vector<std::string> files;
    auto base = open_image(config.path, config.format, &files);
    if (!base) return std::unexpected(base.error());
    for (std::size_t i = 1; i < files.size(); ++i)
        spdlog::info("disk image {} is backed by {}", files[i - 1], files[i]);
    const u64 size = (*base)->size();
    std::string problem;
    if (size % devices::SectorSize)
        problem = fmt::format("is truncated: {} bytes are not a whole number of 512-byte sectors", size);
    else if (size > LargestDisk)
        problem = "is larger than 8 TiB";
    if (!problem.empty()) return bad_input(fmt::format("disk image {} {}", config.path, problem));
    std::unique_ptr<Disk> disk(new Disk(config, std::move(*base)));
    if (auto loaded = disk->load_overlay(); !loaded) return std::unexpected(loaded.error());
    return disk;
}

bool Disk::read(u64 lba, std::span<u8> out) {
    u64 offset = lba * devices::SectorSize;
    if (lba > sectors_ || out.size() > (sectors_ - lba) * devices::SectorSize) return false;
    while (!out.empty()) {
        const u64 within = offset % PageSize;
        auto found = overlay_.lower_bound(offset / PageSize);
        if (found != overlay_.end() && found->first == offset / PageSize) {
            const std::size_t n = std::min<std::size_t>(out.size(), PageSize - within);
            std::memcpy(out.data(), found->second->data() + within, n);
            out = out.subspan(n), offset += n;
            continue;
        }
        // The whole stretch up to the next overlaid page comes from the base in one read.
        std::size_t n = out.size();
        if (found != overlay_.end()) n = std::min<std::size_t>(n, found->first * PageSize - offset);
        if (!base_->read(offset, out.first(n))) return false;
        out = out.subspan(n), offset += n;
    }
    return true;
}

bool Disk::write(u64 lba, std::span<const u8> data) {
    if (config_.read_only) return false;
    u64 offset = lba * devices::SectorSize;
    const u64 size = sectors_ * devices::SectorSize;
    if (lba > sectors_ || data.size() > size - offset) return false;
    while (!data.empty()) {
        const u64 index = offset / PageSize, within = offset % PageSize;
        const std::size_t n = std::min<std::size_t>(data.size(), PageSize - within);
        if (write_sink_) write_sink_(index);
        auto& page = overlay_[index];
        if (!page) {
            page = std::make_unique<Page>();
            page->fill(0);
            const u64 start = index * PageSize;
            if (!base_->read(start, std::span(*page).first(std::min(PageSize, size - start)))) {
                overlay_.erase(index);
                return false;
            }
        }
        std::memcpy(page->data() + within, data.data(), n);
        data = data.subspan(n), offset += n;
    }
    return true;
}

void Disk::put_overlay_page(u64 page, const u8* bytes) {
    if (!bytes) {
        overlay_.erase(page);
        return;
    }
    auto& kept = overlay_[page];
    if (!kept) kept = std::make_unique<Page>();
    std::memcpy(kept->data(), bytes, PageSize);
}

Expected<void> Disk::check_boot_sector() {
    u8 sector[devices::SectorSize];
    if (!read(0, sector))
        return bad_input(fmt::format("disk image {}: the boot sector cannot be read", config_.path));
    if (sector[510] != 0x55 || sector[511] != 0xAA)
        return bad_input(
            fmt::format("disk image {} has no boot sector: bytes 510–511 are {:02X}{:02X}, not 55AA",
                        config_.path, sector[510], sector[511]));
    return {};
}

/// El Torito 1.0 2.0: the boot record is the volume descriptor in block 17.
Expected<void> Disk::check_boot_record() {
    constexpr u64 Block = 17, SectorsPerBlock = 4;
    constexpr std::string_view Wanted{"\0CD001\1EL TORITO SPECIFICATION", 30};
    u8 sector[devices::SectorSize] = {};
    if ((Block + 1) * SectorsPerBlock > sectors_ || !read(Block * SectorsPerBlock, sector) ||
        std::memcmp(sector, Wanted.data(), Wanted.size()) != 0)
        return bad_input(fmt::format("disc image {} cannot be booted: block 17 is no El Torito boot record",
                                     config_.path));
    return {};
}

Expected<u64> Disk::base_hash() {
    if (hashed_) return hash_;
    auto* state = XXH3_createState();
    XXH3_64bits_reset(state);
    // Blocks of zeroes do not count, so that holes need not be read; a copy without holes has the same hash.
    std::vector<u8> buffer(HashBlock);
    const u64 size = sectors_ * devices::SectorSize;
    XXH3_64bits_update(state, &size, sizeof size);
    bool ok = true;
    for (u64 offset = 0; ok && (offset = base_->next_data(offset)) < size; offset += HashBlock) {
        offset &= ~(HashBlock - 1);
        const auto part = std::span(buffer).first(std::min<u64>(HashBlock, size - offset));
        ok = base_->read(offset, part);
        if (part[0] == 0 && std::memcmp(part.data(), part.data() + 1, part.size() - 1) == 0) continue;
        XXH3_64bits_update(state, &offset, sizeof offset);
        XXH3_64bits_update(state, part.data(), part.size());
    }
    hash_ = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    if (!ok) return bad_input(fmt::format("disk image {} cannot be read to its end", config_.path));
    hashed_ = true;
    return hash_;
}

Expected<u64> Disk::identity_hash() {
    auto base = base_hash();
    if (!base) return base;
    return *base ^ opened_overlay_hash_;
}

void Disk::serialize(Archive& archive) {
    archive.section("disk", 1);
    u64 sectors = sectors_, count = overlay_.size();
    archive(sectors, count);
    if (archive.loading() && archive.ok() && sectors != sectors_) archive.fail("the disk has another size");
    if (!archive.ok()) return;
    if (!archive.loading()) {
        for (auto& [index, page] : overlay_) {
            u64 number = index;
            archive(number);
            archive.bytes(page->data(), PageSize);
        }
        return;
    }
    overlay_.clear();
    const u64 pages = (sectors_ * devices::SectorSize + PageSize - 1) / PageSize;
    u64 least = 0;
    for (u64 i = 0; i < count && archive.ok(); ++i) {
        u64 index = 0;
        archive(index);
        if (archive.ok() && (index < least || index >= pages))
            archive.fail("a page number is out of order or range");
        auto page = std::make_unique<Page>();
        archive.bytes(page->data(), PageSize);
        if (archive.ok()) overlay_[index] = std::move(page);
        least = index + 1;
    }
}

Expected<void> Disk::load_overlay() {
    if (config_.overlay.empty() || ::access(config_.overlay.c_str(), F_OK) != 0) return {}; // a new one
    auto file = read_file(config_.overlay, "disk overlay", 64ull << 30);
    if (!file) return std::unexpected(file.error());
    if (file->size() < OverlayMagic.size() ||
        std::memcmp(file->data(), OverlayMagic.data(), OverlayMagic.size()) != 0)
        return bad_input(fmt::format("disk overlay {}: {}", config_.overlay,
                                     std::string_view(reinterpret_cast<const char*>(file->data()),
                                                      std::min(file->size(), OldOverlay.size())) == OldOverlay
                                         ? "of an earlier version, which this build does not read"
                                         : "not a Vitrine overlay"));
    auto raw = decompress(std::span(*file).subspan(OverlayMagic.size()),
                          2 * sectors_ * devices::SectorSize + (1 << 20));
    if (!raw) return bad_input(fmt::format("disk overlay {}: {}", config_.overlay, raw.error().message));
    auto hash = base_hash();
    if (!hash) return std::unexpected(hash.error());
    Archive archive = Archive::loader(*raw);
    u64 base = 0;
    archive(base);
    if (archive.ok() && base != *hash)
        return bad_input(fmt::format("disk overlay {} belongs to another base image than {}", config_.overlay,
                                     config_.path));
    serialize(archive);
    opened_overlay_hash_ = hash_bytes(*raw);
    if (!archive.ok() || !archive.at_end())
        return bad_input(fmt::format("disk overlay {} is corrupt: {}", config_.overlay,
                                     archive.ok() ? "bytes after its end" : archive.error()));
    return {};
}

Expected<void> Disk::save_overlay() {
    if (config_.overlay.empty()) return {};
    auto hash = base_hash();
    if (!hash) return std::unexpected(hash.error());
    Archive archive = Archive::saver();
    archive(*hash);
    serialize(archive);
    std::vector<u8> file(OverlayMagic.begin(), OverlayMagic.end());
    const auto packed = compress(archive.take());
    file.insert(file.end(), packed.begin(), packed.end());
    return write_file(config_.overlay, file);
}

} // namespace vitrine::emu
