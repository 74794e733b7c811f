// Chunks: encoding them, and going through a file of them. See format.h; payloads.cpp has what they hold.
#include "emu/recorder/format.h"
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include "emu/recorder/compress.h"
#include "emu/recorder/crc32c.h"
#include "emu/recorder/payloads.h"

namespace vitrine::emu::recording {

namespace {

template <class T> void put(std::vector<u8>& out, T value) {
    const auto* p = reinterpret_cast<const u8*>(&value);
    out.insert(out.end(), p, p + sizeof value);
}
template <class T> T get(std::span<const u8> bytes, std::size_t at) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

constexpr std::size_t WorthPacking = 128;

} // namespace

std::vector<u8> encode(ChunkType type, u64 step, std::span<const u8> payload) {
    std::vector<u8> packed;
    if (payload.size() >= WorthPacking) packed = compress_quickly(payload);
    const std::span<const u8> stored =
        packed.empty() || packed.size() >= payload.size() ? payload : std::span<const u8>(packed);
    std::vector<u8> out;
    out.reserve(HeaderSize + stored.size());
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

// ---- sources ----------------------------------------------------------------------------------------------

bool MemorySource::read(u64 offset, std::span<u8> into) const {
    if (offset > bytes_.size() || into.size() > bytes_.size() - offset) return false;
    std::ranges::copy(bytes_.subspan(offset, into.size()), into.begin()); // either may be empty
    return true;
}

namespace {
class FileSource : public Source {
public:
    FileSource(int file, u64 size) : file_(file), size_(size) {}
    ~FileSource() override { ::close(file_); }
    u64 size() const override { return size_; }
    bool read(u64 offset, std::span<u8> into) const override {
        while (!into.empty()) {
            const ssize_t n = ::pread(file_, into.data(), into.size(), static_cast<off_t>(offset));
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) return false;
            offset += static_cast<u64>(n);
            into = into.subspan(static_cast<std::size_t>(n));
        }
        return true;
    }

protected:
    int file_;

private:
    u64 size_;
};
class GrowingSource final : public FileSource {
public:
    explicit GrowingSource(int file) : FileSource(file, 0) {}
    u64 size() const override {
        struct stat info{};
        return ::fstat(file_, &info) == 0 ? static_cast<u64>(info.st_size) : 0;
    }
};
} // namespace

std::shared_ptr<Source> growing_source(int file) {
    return std::make_shared<GrowingSource>(::fcntl(file, F_DUPFD_CLOEXEC, 0));
}

Expected<std::shared_ptr<Source>> open_source(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a FIFO would wait
    if (file < 0) return bad_input(fmt::format("recording {}: {}", path, std::strerror(errno)));
    struct stat info{};
    if (::fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) {
        ::close(file);
        return bad_input(fmt::format("recording {}: not a regular file", path));
    }
    return std::make_shared<FileSource>(file, static_cast<u64>(info.st_size));
}

// ---- reading ----------------------------------------------------------------------------------------------

namespace {

enum class Fault : u8 { None, Torn, Wrong };
struct Look {
    Fault fault = Fault::None;
    std::string why;
    ChunkType type{}; ///< as the header says, also of a damaged chunk
    u64 step = 0;
    Chunk chunk;
};

bool of_checkpoint(ChunkType type) { return type == ChunkType::Pages || type == ChunkType::Checkpoint; }

/// The chunk at `offset`. Pages are not unpacked when `unpack` is false.
Look look(const Source& file, u64 offset, bool unpack) {
    Look out;
    const auto wrong = [&](std::string why) {
        out.fault = Fault::Wrong, out.why = std::move(why);
        return out;
    };
    std::array<u8, HeaderSize> header;
    if (file.size() - offset < HeaderSize) {
        out.fault = Fault::Torn;
        return out;
    }
    if (!file.read(offset, header)) return wrong("it cannot be read");
    out.type = static_cast<ChunkType>(get<u16>(header, 4)), out.step = get<u64>(header, 16);
    if (get<u32>(header, 0) != Magic) return wrong("no chunk starts here");
    const u32 stored = get<u32>(header, 8), raw = get<u32>(header, 12);
    if (stored > LargestPayload || raw > LargestPayload) return wrong("an impossible chunk length");
    if (file.size() - offset - HeaderSize < stored) {
        out.fault = Fault::Torn;
        return out;
    }
    std::vector<u8> payload(stored);
    if (!file.read(offset + HeaderSize, payload)) return wrong("it cannot be read");
    if (get<u32>(header, 24) != crc32c(payload, crc32c(std::span(header).first(24))))
        return wrong("the checksum is wrong");
    if (get<u16>(header, 6) != FormatVersion)
        return wrong(
            fmt::format("format version {}, this build reads {}", get<u16>(header, 6), FormatVersion));
    out.chunk = {out.type, out.step, {offset, stored}, {}};
    if (out.type == ChunkType::Pages && !unpack) return out;
    if (stored != raw) {
        auto unpacked = decompress(payload, raw);
        if (!unpacked) return wrong(unpacked.error().message);
        payload = std::move(*unpacked);
    }
    if (payload.size() != raw) return wrong("the payload has another length than stated");
    out.chunk.payload = std::move(payload);
    return out;
}

/// Goes through a file, and past what is damaged in it.
class Reader {
public:
    Reader(const Source& file, const std::string& name) : file_(file), name_(name) {}
    Expected<Contents> read();

private:
    std::unexpected<Error> corrupt(u64 offset, std::string_view what) const {
        return bad_input(fmt::format("recording {} is corrupt at offset {}: {}", name_, offset, what));
    }
    std::optional<u64> next_whole(u64 from);
    Expected<bool> past_damage(const Look& at, u64& offset);
    Expected<void> take(Chunk& chunk);
    void take_checkpoint(const Chunk& chunk);

    const Source& file_;
    const std::string& name_;
    Contents out_;
    bool configured_ = false, broken_ = false; ///< broken: pages of the checkpoint under way are damaged
    std::vector<ChunkPlace> pages_;
    u64 unpacked_ = 0; ///< bytes of inputs
    u64 checked_ = 0;  ///< bytes whose checksum next_whole() has looked at in vain
};

/// Where the first whole chunk at or behind `from` starts.
std::optional<u64> Reader::next_whole(u64 from) {
    constexpr std::size_t Window = 1 << 16;
    std::vector<u8> window;
    for (u64 at = from; file_.size() - std::min(at, file_.size()) >= HeaderSize;) {
        window.resize(std::min<u64>(Window, file_.size() - at));
        if (!file_.read(at, window)) return std::nullopt;
        const u64 last = window.size() - std::min<std::size_t>(window.size(), HeaderSize);
        for (u64 i = 0; i <= last; ++i) {
            if (get<u32>(window, i) != Magic || get<u16>(window, i + 6) != FormatVersion) continue;
            // A file made of nothing but false starts must not take for ever.
            if (checked_ > 8 * file_.size() + (u64{1} << 28)) return std::nullopt;
            checked_ += HeaderSize + std::min<u64>(get<u32>(window, i + 8), LargestPayload);
            if (look(file_, at + i, false).fault == Fault::None) return at + i;
        }
        at += last + 1;
    }
    return std::nullopt;
}

/// What is wrong at `offset`: a torn tail (false), damage to a checkpoint (true, `offset` is behind it), or
/// an error.
Expected<bool> Reader::past_damage(const Look& at, u64& offset) {
    const std::optional<u64> next = next_whole(offset + 1);
    const bool torn = at.fault == Fault::Torn && !next;
    if (!torn && configured_ && of_checkpoint(at.type)) {
        broken_ = true;
        if (at.type == ChunkType::Checkpoint) {
            out_.damaged.push_back(std::max(at.step, out_.last_step));
            pages_.clear(), broken_ = false;
        }
        offset = next.value_or(file_.size());
        return true;
    }
    if (next || (at.fault == Fault::Wrong && !configured_))
        return corrupt(offset, at.fault == Fault::Wrong ? at.why : "a chunk's length is wrong");
    // Nothing whole follows: what is damaged is the end, as if the file had been cut there.
    out_.torn = true, out_.torn_at = offset, out_.spoilt = at.fault == Fault::Wrong;
    return false;
}

void Reader::take_checkpoint(const Chunk& chunk) {
    CheckpointPlace place;
    place.step = chunk.step, place.state = chunk.at;
    place.pages = std::exchange(pages_, {});
    bool good = !std::exchange(broken_, false);
    if (const auto head = checkpoint_head(chunk.payload)) {
        Archive archive = Archive::loader(*head);
        serialize(archive, place.head);
        good &= archive.ok() && archive.at_end();
    } else {
        good = false;
    }
    for (const ChunkPlace& pages : place.pages) place.bytes += HeaderSize + pages.stored;
    place.bytes += HeaderSize + chunk.at.stored;
    place.head.drop_lists();
    good &= place.head.inputs == out_.inputs.size();
    good &= place.pages.size() == (place.head.page_count + PagesPerChunk - 1) / PagesPerChunk;
    good &= !out_.hashes.empty() && out_.hashes.back().step == chunk.step;
    const bool has_base = place.head.whole || (!out_.checkpoints.empty() &&
                                               out_.checkpoints.back().head.number + 1 == place.head.number);
    if (good && has_base)
        out_.checkpoints.push_back(std::move(place));
    else
        (good ? out_.orphaned : out_.damaged).push_back(chunk.step);
}

Expected<void> Reader::take(Chunk& chunk) {
    const auto wrong = [&](std::string_view what) { return corrupt(chunk.at.offset, what); };
    if (configured_ == (chunk.type == ChunkType::Configuration))
        return wrong(configured_ ? "a second configuration" : "it does not begin with its configuration");
    if (chunk.step < out_.last_step) return wrong("steps run backwards");
    if (out_.end) return wrong("a chunk follows the end");
    Archive archive = Archive::loader(chunk.payload);
    switch (chunk.type) {
    case ChunkType::Configuration:
        serialize(archive, out_.config, out_.images, out_.saved), configured_ = true;
        break;
    case ChunkType::Input: {
        LoggedInput input;
        serialize(archive, input);
        if (archive.ok() && input.step != chunk.step)
            return wrong("an input's step differs from its chunk's");
        unpacked_ += chunk.payload.size();
        if (unpacked_ > LargestUnpacked + LargestRatio * file_.size())
            return wrong("its inputs unpack to more than a file of this size may hold");
        out_.inputs.push_back(std::move(input));
        break;
    }
    case ChunkType::Hash: {
        LoggedHash hash{chunk.step, 0};
        archive(hash.value);
        out_.hashes.push_back(hash);
        break;
    }
    case ChunkType::End: {
        out_.end.emplace();
        archive(out_.end->step, out_.end->time, out_.end->state_hash, out_.end->reason);
        break;
    }
    case ChunkType::Pages: pages_.push_back(chunk.at); return {};
    case ChunkType::Checkpoint: take_checkpoint(chunk); return {};
    default:
        return wrong(
            fmt::format("chunk type {} is not known to this build", static_cast<unsigned>(chunk.type)));
    }
    if (!archive.ok() || !archive.at_end())
        return wrong(archive.ok() ? "bytes follow the payload" : archive.error());
    return {};
}

Expected<Contents> Reader::read() {
    std::array<u8, sizeof Magic> start{};
    if (file_.size() >= sizeof Magic && (!file_.read(0, start) || get<u32>(start, 0) != Magic))
        return bad_input(fmt::format("{} is not a Vitrine recording", name_));
    for (u64 offset = 0; offset < file_.size();) {
        Look next = look(file_, offset, false);
        if (next.fault != Fault::None) {
            auto more = past_damage(next, offset);
            if (!more) return std::unexpected(more.error());
            if (!*more) break;
            continue;
        }
        offset = next.chunk.at.end();
        if (auto ok = take(next.chunk); !ok) return std::unexpected(ok.error());
        out_.last_step = next.step;
        next.chunk.payload = {};
        out_.chunks.push_back(std::move(next.chunk));
    }
    if (!out_.torn && (broken_ || !pages_.empty())) {
        // A checkpoint that its writer did not finish.
        out_.torn = true;
        out_.torn_at = pages_.empty() ? file_.size() : pages_.front().offset;
    }
    if (!configured_)
        return bad_input(fmt::format("recording {} is {}", name_,
                                     file_.size() == 0 ? "empty" : "truncated inside its configuration"));
    return std::move(out_);
}

} // namespace

Expected<Chunk> read_chunk(const Source& file, const ChunkPlace& at) {
    if (at.offset > file.size()) return bad_input("it cannot be read");
    Look found = look(file, at.offset, true);
    if (found.fault == Fault::Torn) return bad_input("it cannot be read");
    if (found.fault == Fault::Wrong) return bad_input(found.why);
    return std::move(found.chunk);
}

Expected<CheckpointHead> read_head(const Source& file, const CheckpointPlace& checkpoint) {
    auto chunk = read_chunk(file, checkpoint.state);
    if (!chunk) return std::unexpected(chunk.error());
    const auto bytes = checkpoint_head(chunk->payload);
    if (!bytes) return std::unexpected(bytes.error());
    CheckpointHead head;
    Archive archive = Archive::loader(*bytes);
    serialize(archive, head);
    if (!archive.ok() || !archive.at_end()) return bad_input("a checkpoint's head is damaged");
    return head;
}

Expected<Contents> parse(const Source& file, const std::string& name) { return Reader(file, name).read(); }
Expected<Contents> parse(std::span<const u8> file, const std::string& name) {
    return parse(MemorySource(file), name);
}

} // namespace vitrine::emu::recording
