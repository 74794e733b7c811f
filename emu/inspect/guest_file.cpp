// Files of the guest: see guest_file.h.
#include "emu/inspect/guest_file.h"
#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include "emu/board/board.h"
#include "emu/machine.h"

namespace vitrine::emu::inspect {

namespace {
constexpr u64 Page = 4096;
constexpr u64 PageCacheTag = 7; // guest/kernel/inspect/README.md
template <class T> T number(std::span<const u8> bytes, std::size_t at) {
    T out{};
    if (at + sizeof out <= bytes.size()) std::memcpy(&out, bytes.data() + at, sizeof out);
    return out;
}
} // namespace

std::optional<Ext2Reader> Ext2Reader::open(ReadBlocks read) {
    std::array<u8, 1024> super{};
    if (!read(1024, super) || number<u16>(super, 56) != 0xEF53) return std::nullopt;
    // Extents, 64-bit descriptors and meta groups are ext4's; of the others, files look the same.
    constexpr u32 Unreadable = 0x10 | 0x40 | 0x80 | 0x8000;
    if (number<u32>(super, 96) & Unreadable) return std::nullopt;
    Ext2Reader out;
    const u32 log = number<u32>(super, 24);
    if (log > 2) return std::nullopt;
    out.read_ = std::move(read), out.block_size_ = u64{1024} << log;
    out.inodes_ = number<u32>(super, 0), out.blocks_ = number<u32>(super, 4);
    out.inodes_per_group_ = number<u32>(super, 40);
    out.inode_size_ = number<u32>(super, 76) ? number<u16>(super, 88) : 128;
    out.descriptors_ = (number<u32>(super, 20) + u64{1}) * out.block_size_;
    if (!out.inodes_per_group_ || out.inode_size_ < 128 || out.inode_size_ > out.block_size_)
        return std::nullopt;
    return out;
}

std::optional<Ext2Reader::File> Ext2Reader::file(u32 wanted) const {
    if (wanted == 0 || wanted > inodes_) return std::nullopt;
    const u64 group = (wanted - 1) / inodes_per_group_, within = (wanted - 1) % inodes_per_group_;
    std::array<u8, 32> descriptor{};
    if (!read_(descriptors_ + group * descriptor.size(), descriptor)) return std::nullopt;
    std::array<u8, 128> inode{};
    if (!read_(number<u32>(descriptor, 8) * block_size_ + within * inode_size_, inode)) return std::nullopt;
    constexpr u16 Regular = 0x8000;
    constexpr u32 Extents = 0x80000;
    if ((number<u16>(inode, 0) & 0xF000) != Regular || number<u32>(inode, 32) & Extents) return std::nullopt;
    File out;
    out.size = number<u32>(inode, 4) | u64{number<u32>(inode, 108)} << 32;
    for (std::size_t i = 0; i < out.blocks.size(); ++i) out.blocks[i] = number<u32>(inode, 40 + i * 4);
    return out;
}

/// The block of the disk that holds a block of the file; 0: a hole.
std::optional<u32> Ext2Reader::map(const File& file, u64 block) const {
    const u64 fan = block_size_ / 4;
    if (block < 12) return file.blocks[block];
    block -= 12;
    u64 span = fan;
    for (unsigned level = 1; level <= 3; ++level, span *= fan) {
        if (block >= span) {
            block -= span;
            continue;
        }
        u32 at = file.blocks[11 + level];
        for (u64 reach = span; reach > 1 && at; reach /= fan) {
            if (at >= blocks_) return std::nullopt;
            std::array<u8, 4> entry{};
            if (!read_(at * block_size_ + block / (reach / fan) * 4, entry)) return std::nullopt;
            at = number<u32>(entry, 0), block %= reach / fan;
        }
        return at;
    }
    return std::nullopt;
}

bool Ext2Reader::page(const File& file, u64 index, std::span<u8, 4096> out) const {
    for (u64 done = 0; done < Page; done += block_size_) {
        const auto at = map(file, (index * Page + done) / block_size_);
        const auto part = out.subspan(done, std::min(block_size_, Page));
        if (!at || *at >= blocks_) return false;
        if (*at == 0)
            std::ranges::fill(part, u8{0});
        else if (!read_(*at * block_size_, part))
            return false;
    }
    return true;
}

namespace {

/// The frames of the page cache that belong to one mapping, by page of the file.
std::map<u64, u64> cached_frames(const GuestKernel& kernel, u64 mapping) {
    std::map<u64, u64> out;
    const auto pages = kernel.root("mem_map");
    const auto size = kernel.size_of("Page");
    const auto tag = kernel.field("Page", "tag"), owner = kernel.field("Page", "mapping"),
               place = kernel.field("Page", "index");
    if (!pages || !pages->address || !size || !*size || *size > Page || !tag || !owner || !place) return out;
    const u64 each = Page / *size, most = std::min<u64>(pages->count, u64{1} << 24);
    std::array<u8, Page> block{};
    for (u64 first = 0; first < most; first += each) {
        const u64 bytes = std::min(each, most - first) * *size;
        if (kernel.memory().linear(pages->address + first * *size, std::span(block).first(bytes)) != bytes)
            continue; // no memory is described there
        for (u64 i = 0; i * *size < bytes; ++i) {
            const std::span<const u8> page(block.data() + i * *size, *size);
            if (page[tag->offset] == PageCacheTag && number<u64>(page, owner->offset) == mapping)
                out.try_emplace(number<u64>(page, place->offset), first + i);
        }
    }
    return out;
}

/// Every place of every disk where a file system may begin: the whole disk and its four primary partitions.
std::vector<ReadBlocks> volumes(const Machine& machine) {
    std::vector<ReadBlocks> out;
    // Reading a disk changes nothing; that it is not const is the wire's business.
    for (const auto& owned : const_cast<Machine&>(machine).board().disks()) {
        Disk* disk = owned.get();
        if (!disk || disk->config().optical) continue;
        const auto from = [disk](u64 start) {
            return [disk, start](u64 offset, std::span<u8> bytes) {
                const u64 within = offset % devices::SectorSize, first = offset / devices::SectorSize;
                if (bytes.size() > (u64{1} << 20) || first > disk->sectors()) return false;
                std::vector<u8> whole((within + bytes.size() + devices::SectorSize - 1) /
                                      devices::SectorSize * devices::SectorSize);
                if (!disk->read(start + first, whole)) return false;
                std::memcpy(bytes.data(), whole.data() + within, bytes.size());
                return true;
            };
        };
        out.emplace_back(from(0));
        std::array<u8, 512> table{};
        if (!disk->read(0, table) || number<u16>(table, 510) != 0xAA55) continue;
        for (unsigned i = 0; i < 4; ++i)
            if (const u32 start = number<u32>(table, 446 + 16 * i + 8)) out.emplace_back(from(start));
    }
    return out;
}

} // namespace

std::expected<std::vector<u8>, std::string> read_guest_file(const Machine& machine, const GuestKernel& kernel,
                                                            std::string_view path, u64 most) {
    Notes notes;
    const auto dentries = all_dentries(kernel, notes);
    const auto found =
        std::ranges::find_if(dentries, [&](const DentryRow& row) { return row.inode && row.path == path; });
    if (found == dentries.end()) return std::unexpected(fmt::format("{} is no file of the guest now", path));
    const GuestObject inode = kernel.object("Inode", found->inode, notes);
    const u64 size = inode.u64_of("size");
    if ((inode.u64_of("mode") & 0170000) != 0100000)
        return std::unexpected(fmt::format("{} is no regular file", path));
    if (size > most) return std::unexpected(fmt::format("{} is too large to look for symbols in", path));
    const auto cached = cached_frames(kernel, inode.address_of("data"));
    const std::string type =
        guest_string(kernel.memory(), inode.pointer("super", "SuperBlock").u64_of("type"));
    std::optional<Ext2Reader> disk;
    Ext2Reader::File on_disk;
    if (type == "ext2" || type == "ext3")
        for (ReadBlocks& volume : volumes(machine)) {
            auto reader = Ext2Reader::open(std::move(volume));
            const auto file = reader ? reader->file(static_cast<u32>(inode.u64_of("number"))) : std::nullopt;
            if (!file || file->size != size) continue;
            disk = std::move(reader), on_disk = *file;
            break;
        }
    std::vector<u8> out((size + Page - 1) / Page * Page);
    for (u64 page = 0; page * Page < out.size(); ++page) {
        const std::span<u8, Page> part(out.data() + page * Page, Page);
        if (const auto frame = cached.find(page);
            frame != cached.end() && kernel.memory().physical(frame->second * Page, part))
            continue;
        if (!disk || !disk->page(on_disk, page, part))
            return std::unexpected(
                fmt::format("page {} of {} is neither in the page cache nor on a disk", page, path));
    }
    out.resize(size);
    return out;
}

} // namespace vitrine::emu::inspect
