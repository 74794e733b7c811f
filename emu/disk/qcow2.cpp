// qcow2, read only: see qcow2.h. Section names are those of QEMU's docs/interop/qcow2.txt.
#include "emu/disk/qcow2.h"
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <zlib.h>
#include <zstd.h>
#include "emu/load/files.h"

namespace vitrine::emu {

namespace {

constexpr u64 OffsetMask = 0x00FF'FFFF'FFFF'FE00, Copied = u64{1} << 63, Compressed = u64{1} << 62, Zero = 1;
constexpr u64 LargestTable = 32 << 20; ///< of level 1, bytes
constexpr u64 KeptTables = 64 << 20;   ///< bytes of level-2 tables in memory
constexpr u64 LargestImage = 8ull << 40;
constexpr u32 Subclusters = 32;
enum Incompatible : u64 {
    Dirty = 1,
    Corrupt = 2,
    ExternalData = 4,
    CompressionType = 8,
    ExtendedEntries = 16
};

u64 big_endian(const u8* from, unsigned bytes) {
    u64 value = 0;
    for (unsigned i = 0; i < bytes; ++i) value = value << 8 | from[i];
    return value;
}

/// "Header" and "Header extensions".
struct Header {
    u64 backing_offset = 0, size = 0, l1_offset = 0, incompatible = 0;
    u32 version = 0, backing_size = 0, cluster_bits = 0, encryption = 0, l1_entries = 0, length = 72;
    u8 compression = 0; ///< 0 deflate, 1 Zstandard
};

bool inflate_raw(std::span<const u8> packed, std::span<u8> out) {
    z_stream stream{};
    if (inflateInit2(&stream, -15) != Z_OK) return false; // a raw stream; QEMU writes windows of 4 KiB
    stream.next_in = const_cast<u8*>(packed.data()), stream.avail_in = static_cast<u32>(packed.size());
    stream.next_out = out.data(), stream.avail_out = static_cast<u32>(out.size());
    const int result = inflate(&stream, Z_FINISH);
    const bool whole = stream.avail_out == 0 && (result == Z_STREAM_END || result == Z_BUF_ERROR);
    inflateEnd(&stream);
    return whole;
}

/// What follows the frame in its last sector belongs to somebody else.
bool unpack_zstd(std::span<const u8> packed, std::span<u8> out) {
    ZSTD_DStream* stream = ZSTD_createDStream();
    ZSTD_inBuffer in{packed.data(), packed.size(), 0};
    ZSTD_outBuffer into{out.data(), out.size(), 0};
    bool ok = stream != nullptr;
    while (ok && into.pos < into.size) {
        const std::size_t before = in.pos + into.pos;
        ok = !ZSTD_isError(ZSTD_decompressStream(stream, &into, &in)) && in.pos + into.pos != before;
    }
    ZSTD_freeDStream(stream);
    return ok;
}

class Qcow2 final : public Image {
public:
    Qcow2(HostFile file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}

    Expected<void> open(BackingChain& chain);
    u64 size() const override { return header_.size; }
    bool read(u64 offset, std::span<u8> out) override;
    u64 next_data(u64 offset) override;

private:
    /// A level-2 entry; `status` is the subclusters' bitmap where there are any.
    struct Entry {
        u64 word = 0, status = 0;
    };

    std::unexpected<Error> damaged(std::string what) const {
        return bad_input(fmt::format("disk image {}: {}", path_, what));
    }
    u64 cluster() const { return u64{1} << header_.cluster_bits; }
    bool extended() const { return header_.incompatible & ExtendedEntries; }
    u64 entry_bytes() const { return extended() ? 16 : 8; }
    u64 entries_per_table() const { return cluster() / entry_bytes(); }
    Expected<void> read_header();
    Expected<void> check_features();
    Expected<void> read_level1();
    Expected<void> open_backing(BackingChain& chain);
    bool is_table(u64 offset) const;
    std::string problem_of(const Entry& entry) const;
    Expected<void> load_table(u64 number);
    Expected<Entry> entry_of(u64 offset);
    bool read_backing(u64 offset, std::span<u8> out);
    bool read_piece(const Entry& entry, u64 offset, std::span<u8> out);
    bool read_subclusters(const Entry& entry, u64 offset, std::span<u8> out);
    bool read_host(u64 offset, std::span<u8> out) const;
    bool read_compressed(const Entry& entry, u64 offset, std::span<u8> out);

    HostFile file_;
    std::string path_;
    Header header_;
    std::unique_ptr<Image> backing_;
    std::vector<u64> level1_;                ///< host offsets; 0: nothing is allocated
    std::vector<u64> table_clusters_;        ///< in order: where tables and the header lie, for is_table()
    std::vector<std::vector<Entry>> tables_; ///< of level 2, by index in level 1; empty: not in memory
    u64 kept_ = 0;                           ///< bytes in tables_
    std::vector<u8> unpacked_;               ///< the compressed cluster that was read last
    u64 unpacked_word_ = 0;
};

Expected<void> Qcow2::read_header() {
    std::array<u8, 112> bytes{};
    const u64 length = std::min<u64>(bytes.size(), file_.size());
    if (length < 72 || !file_.read(0, std::span(bytes).first(length)))
        return damaged("its header is cut off");
    const auto at = [&](unsigned offset, unsigned size) { return big_endian(bytes.data() + offset, size); };
    header_.version = static_cast<u32>(at(4, 4));
    header_.backing_offset = at(8, 8), header_.backing_size = static_cast<u32>(at(16, 4));
    header_.cluster_bits = static_cast<u32>(at(20, 4)), header_.size = at(24, 8);
    header_.encryption = static_cast<u32>(at(32, 4)), header_.l1_entries = static_cast<u32>(at(36, 4));
    header_.l1_offset = at(40, 8);
    if (header_.version != 2 && header_.version != 3)
        return damaged(fmt::format("qcow2 of version {}; 2 and 3 are known", header_.version));
    if (header_.version == 2) return {};
    if (length < 104) return damaged("its header is cut off");
    header_.incompatible = at(72, 8), header_.length = static_cast<u32>(at(100, 4));
    if (header_.length < 104 || header_.length % 8) return damaged("its header has an impossible length");
    if (header_.length > 104 && length > 104) header_.compression = bytes[104];
    return {};
}

Expected<void> Qcow2::check_features() {
    if (header_.encryption) return damaged("it is encrypted, which is not supported");
    if (header_.incompatible & ExternalData)
        return damaged("its data lies in another file, which is not supported");
    if (header_.incompatible >> 5)
        return damaged(
            fmt::format("it needs features that are not known (bits {:#x})", header_.incompatible >> 5 << 5));
    if (header_.compression > 1)
        return damaged(fmt::format("it is compressed by method {}; 0 (deflate) and 1 (Zstandard) are known",
                                   header_.compression));
    if (header_.cluster_bits < 9 || header_.cluster_bits > 21 || (extended() && header_.cluster_bits < 14))
        return damaged(fmt::format("clusters of 2^{} bytes are impossible", header_.cluster_bits));
    if (header_.length > cluster()) return damaged("its header has an impossible length");
    if (header_.size == 0) return damaged("the disk in it is empty");
    if (header_.size > LargestImage) return damaged("the disk in it is larger than 8 TiB");
    if (header_.size % 512) return damaged("the disk in it is no whole number of 512-byte sectors");
    if (header_.incompatible & Corrupt)
        spdlog::warn("disk image {} is marked as corrupt; what can be read is read", path_);
    return {};
}

/// "Cluster mapping": every level-2 table in its own cluster, inside the file, apart from header and level 1.
Expected<void> Qcow2::read_level1() {
    const u64 covered = cluster() * entries_per_table();
    const u64 needed = (header_.size + covered - 1) / covered;
    const u64 bytes = u64{header_.l1_entries} * 8;
    if (bytes > LargestTable)
        return damaged(fmt::format("a level-1 table of {} entries is too large", header_.l1_entries));
    if (header_.l1_entries < needed)
        return damaged(
            fmt::format("its level-1 table has {} entries, the disk needs {}", header_.l1_entries, needed));
    if (header_.l1_offset % cluster() || header_.l1_offset == 0 || header_.l1_offset > file_.size() ||
        bytes > file_.size() - header_.l1_offset)
        return damaged(fmt::format("its level-1 table at {:#x} is out of range", header_.l1_offset));
    std::vector<u8> raw(needed * 8);
    if (!file_.read(header_.l1_offset, raw)) return damaged("its level-1 table cannot be read");
    table_clusters_.push_back(0);
    for (u64 at = header_.l1_offset; at < header_.l1_offset + bytes; at += cluster())
        table_clusters_.push_back(at);
    for (u64 i = 0; i < needed; ++i) {
        const u64 word = big_endian(&raw[i * 8], 8), offset = word & OffsetMask;
        if ((word & ~(OffsetMask | Copied)) || offset % cluster())
            return damaged(fmt::format("entry {} of its level-1 table is damaged: {:#018x}", i, word));
        if (offset > file_.size() || (offset && cluster() > file_.size() - offset))
            return damaged(
                fmt::format("entry {} of its level-1 table points behind the file's end: {:#x}", i, offset));
        level1_.push_back(offset);
        if (offset) table_clusters_.push_back(offset);
    }
    std::ranges::sort(table_clusters_);
    if (const auto twice = std::ranges::adjacent_find(table_clusters_); twice != table_clusters_.end())
        return damaged(fmt::format("two of its tables lie in the same cluster: {:#x}", *twice));
    tables_.resize(level1_.size());
    for (u64 i = 0; i < level1_.size(); ++i)
        if (level1_[i])
            if (auto ok = load_table(i); !ok) return ok;
    return {};
}

bool Qcow2::is_table(u64 offset) const { return std::ranges::binary_search(table_clusters_, offset); }

/// "L2 table entry": empty when it can be followed.
std::string Qcow2::problem_of(const Entry& entry) const {
    if (entry.word & Compressed) {
        const unsigned bits = 62 - (header_.cluster_bits - 8);
        const u64 offset = entry.word & ((u64{1} << bits) - 1);
        if (entry.status) return "is compressed and has subclusters";
        return offset >= file_.size() ? "points behind the file's end" : "";
    }
    const u64 offset = entry.word & OffsetMask;
    if (entry.word & ~(OffsetMask | Copied | (header_.version >= 3 && !extended() ? Zero : 0)))
        return "has reserved bits";
    if ((entry.status & entry.status >> 32) & 0xFFFF'FFFF)
        return "has subclusters that are both data and zeroes";
    if (!offset && (entry.status & 0xFFFF'FFFF)) return "has subclusters but no cluster";
    if (offset % cluster()) return "points between clusters";
    if (offset >= file_.size() && offset) return "points behind the file's end";
    return offset && is_table(offset) ? "points to a table" : "";
}

Expected<void> Qcow2::load_table(u64 number) {
    std::vector<u8> raw(cluster());
    if (!file_.read(level1_[number], raw))
        return damaged(fmt::format("its level-2 table {} cannot be read", number));
    std::vector<Entry> table(entries_per_table());
    for (std::size_t i = 0; i < table.size(); ++i) {
        const u8* const at = &raw[i * entry_bytes()];
        table[i] = {big_endian(at, 8), extended() ? big_endian(at + 8, 8) : 0};
        if (const std::string problem = problem_of(table[i]); !problem.empty())
            return damaged(fmt::format("entry {} of its level-2 table {} {}: {:#018x}", i, number, problem,
                                       table[i].word));
    }
    const u64 bytes = table.size() * sizeof(Entry);
    if (kept_ + bytes > KeptTables) {
        for (auto& kept : tables_) kept = {};
        kept_ = 0;
    }
    kept_ += bytes;
    tables_[number] = std::move(table);
    return {};
}

Expected<Qcow2::Entry> Qcow2::entry_of(u64 offset) {
    const u64 index = offset >> header_.cluster_bits, number = index / entries_per_table();
    if (!level1_[number]) return Entry{};
    if (tables_[number].empty())
        if (auto ok = load_table(number); !ok) return std::unexpected(ok.error());
    return tables_[number][index % entries_per_table()];
}

/// "Backing file name" and its format ("Header extensions").
Expected<void> Qcow2::open_backing(BackingChain& chain) {
    if (!header_.backing_offset) return {};
    if (header_.backing_size == 0 || header_.backing_size > 1023 || header_.backing_offset > cluster() ||
        header_.backing_size > cluster() - header_.backing_offset || header_.backing_offset > file_.size() ||
        header_.backing_size > file_.size() - header_.backing_offset)
        return damaged("the name of its backing file is out of range");
    const u64 header_end = std::min(header_.backing_offset, file_.size());
    std::string name(header_.backing_size, '\0');
    if (!file_.read(header_.backing_offset, std::span(reinterpret_cast<u8*>(name.data()), name.size())))
        return damaged("the name of its backing file cannot be read");
    ImageFormat format = ImageFormat::Detect;
    for (u64 at = header_.length; at + 8 <= header_end;) {
        constexpr u64 BackingFormat = 0xE279'2ACA;
        std::array<u8, 8> extension{};
        if (!file_.read(at, extension)) return damaged("its header extensions cannot be read");
        const u64 type = big_endian(extension.data(), 4), length = big_endian(extension.data() + 4, 4);
        if (type == 0) break;
        if (length > header_end - at - 8) return damaged("its header extensions are out of range");
        if (type == BackingFormat) {
            std::string text(length, '\0');
            if (!file_.read(at + 8, std::span(reinterpret_cast<u8*>(text.data()), text.size())))
                return damaged("its header extensions cannot be read");
            if (text != "raw" && text != "qcow2")
                return damaged(fmt::format("its backing file {} has the format {}; raw and qcow2 are known",
                                           name, text));
            format = text == "raw" ? ImageFormat::Raw : ImageFormat::Qcow2;
        }
        at += 8 + (length + 7) / 8 * 8;
    }
    if (name.starts_with("json:") || name.find("://") != std::string::npos)
        return damaged(fmt::format("its backing file {} is not a local file", name));
    const std::string path = (std::filesystem::path(path_).parent_path() / name).string();
    for (const std::string& file : chain)
        if (same_file(file, path)) return damaged(fmt::format("its backing files form a circle: {}", path));
    if (chain.size() >= LongestChain)
        return damaged(fmt::format("more than {} files back each other", LongestChain));
    auto backing = open_in_chain(path, format, chain);
    if (!backing) return damaged(fmt::format("its backing file: {}", backing.error().message));
    backing_ = std::move(*backing);
    return {};
}

Expected<void> Qcow2::open(BackingChain& chain) {
    if (auto ok = read_header(); !ok) return ok;
    if (auto ok = check_features(); !ok) return ok;
    if (auto ok = open_backing(chain); !ok) return ok;
    return read_level1();
}

bool Qcow2::read_backing(u64 offset, std::span<u8> out) {
    const u64 there =
        backing_ && offset < backing_->size() ? std::min<u64>(out.size(), backing_->size() - offset) : 0;
    if (there && !backing_->read(offset, out.first(there))) return false;
    std::ranges::fill(out.subspan(there), u8{0});
    return true;
}

/// The file may end inside its last cluster: the rest reads as zero.
bool Qcow2::read_host(u64 offset, std::span<u8> out) const {
    const u64 there = offset < file_.size() ? std::min<u64>(out.size(), file_.size() - offset) : 0;
    if (!file_.read(offset, out.first(there))) return false;
    std::ranges::fill(out.subspan(there), u8{0});
    return true;
}

bool Qcow2::read_compressed(const Entry& entry, u64 offset, std::span<u8> out) {
    if (unpacked_word_ != entry.word) {
        const unsigned bits = 62 - (header_.cluster_bits - 8);
        const u64 start = entry.word & ((u64{1} << bits) - 1);
        const u64 sectors = ((entry.word & ~(Compressed | Copied)) >> bits) + 1;
        std::vector<u8> packed(std::min(sectors * 512 - (start & 511), file_.size() - start));
        unpacked_word_ = 0;
        unpacked_.resize(cluster());
        if (!file_.read(start, packed)) return false;
        if (!(header_.compression ? unpack_zstd(packed, unpacked_) : inflate_raw(packed, unpacked_)))
            return false;
        unpacked_word_ = entry.word;
    }
    std::memcpy(out.data(), unpacked_.data() + (offset & (cluster() - 1)), out.size());
    return true;
}

/// "Extended L2 Entries".
bool Qcow2::read_subclusters(const Entry& entry, u64 offset, std::span<u8> out) {
    const u64 bytes = cluster() / Subclusters;
    while (!out.empty()) {
        const u64 within = offset & (cluster() - 1), number = within / bytes;
        const auto part = out.first(std::min<u64>(out.size(), bytes - within % bytes));
        if (entry.status >> number & 1) {
            if (!read_host((entry.word & OffsetMask) + within, part)) return false;
        } else if (entry.status >> (32 + number) & 1) {
            std::ranges::fill(part, u8{0});
        } else if (!read_backing(offset, part)) {
            return false;
        }
        out = out.subspan(part.size()), offset += part.size();
    }
    return true;
}

/// One cluster or less.
bool Qcow2::read_piece(const Entry& entry, u64 offset, std::span<u8> out) {
    if (entry.word & Compressed) return read_compressed(entry, offset, out);
    if (extended()) return read_subclusters(entry, offset, out);
    if (entry.word & Zero) {
        std::ranges::fill(out, u8{0});
        return true;
    }
    const u64 host = entry.word & OffsetMask;
    return host ? read_host(host + (offset & (cluster() - 1)), out) : read_backing(offset, out);
}

bool Qcow2::read(u64 offset, std::span<u8> out) {
    while (!out.empty()) {
        const u64 n = std::min<u64>(out.size(), cluster() - (offset & (cluster() - 1)));
        const auto entry = entry_of(offset);
        if (!entry || !read_piece(*entry, offset, out.first(n))) return false;
        out = out.subspan(n), offset += n;
    }
    return true;
}

u64 Qcow2::next_data(u64 offset) {
    for (; offset < header_.size; offset = (offset & ~(cluster() - 1)) + cluster()) {
        const u64 number = (offset >> header_.cluster_bits) / entries_per_table();
        if (!backing_ && !level1_[number]) { // nothing in the whole table
            offset = ((number + 1) * entries_per_table() - 1) << header_.cluster_bits;
            continue;
        }
        const auto entry = entry_of(offset);
        if (!entry || entry->word & ~(Copied | Zero) || entry->status & 0xFFFF'FFFF) return offset;
        if ((entry->word & Zero) || !backing_ || offset >= backing_->size()) continue;
        const u64 below = backing_->next_data(offset);
        if (below < (offset & ~(cluster() - 1)) + cluster()) return below;
    }
    return header_.size;
}

} // namespace

Expected<std::unique_ptr<Image>> open_qcow2(HostFile file, const std::string& path, BackingChain& chain) {
    auto image = std::make_unique<Qcow2>(std::move(file), path);
    if (auto ok = image->open(chain); !ok) return std::unexpected(ok.error());
    return image;
}

} // namespace vitrine::emu
