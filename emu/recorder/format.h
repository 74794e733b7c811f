// The recording's file format: a sequence of chunks, only ever appended to.
//
//   offset  size  field (little-endian)
//   0       4     magic "VTRC"
//   4       2     type (ChunkType)
//   6       2     format version, 4
//   8       4     length of the payload as stored
//   12      4     length of the payload when decompressed
//   16      8     step
//   24      4     CRC32C of bytes 0–23 and the stored payload
//   28      …     payload: as it is when both lengths are equal, else one zstd frame
//
// A checkpoint is any number of Pages chunks and, behind them, one Checkpoint chunk of the same step, which
// makes it valid. It holds the pages that were written since the checkpoint before it; a *whole* one names
// all of memory and needs none before. Every checkpoint stands behind the Hash chunk of its step.
//
// Invariants: a chunk reaches the file in one write. A reader accepts the longest prefix of whole, correct
// chunks; a file that ends inside a chunk (the writer died), or whose last chunk is damaged, has a torn tail
// and opens up to it. Pages and Checkpoint chunks that are damaged cost that checkpoint and those that build
// on it up to the next whole one, no more: a replay does without them. Anything else that is wrong is an
// error that names the offset. What is kept in memory of a file is bounded by its size: LargestUnpacked. The
// first chunk is the configuration; steps never decrease. There is no index: whoever opens the file makes one
// by going through it.
#pragma once
#include <memory>
#include <string>
#include <vector>
#include "cpu/base/types.h"
#include "emu/machine.h"
#include "emu/timeline/known_run.h"

namespace vitrine::emu::recording {

enum class ChunkType : u16 {
    Configuration = 1, ///< MachineConfig and ImageHashes
    Input = 2,         ///< one LoggedInput
    Hash = 3,          ///< the rolling hash at this step
    End = 4,           ///< how the run ended, with the full state hash
    // Several bits away from those without which there is no replay.
    Pages = 0x158,      ///< pages of a checkpoint
    Checkpoint = 0x2A9, ///< the rest of it: CheckpointHead, then Machine::save_without_memory()
};

inline constexpr u32 Magic = 0x43525456; // "VTRC"
inline constexpr u16 FormatVersion = 5;
inline constexpr std::size_t HeaderSize = 28;
inline constexpr u32 LargestPayload = 64 << 20;
/// Bytes that inputs may unpack to: this much, and so many times the file's size.
inline constexpr u64 LargestUnpacked = 64 << 20, LargestRatio = 64;
inline constexpr u64 HashInterval = 1'000'000;
inline constexpr std::size_t PagesPerChunk = 256;

/// Where a chunk lies in the file.
struct ChunkPlace {
    u64 offset = 0;
    u32 stored = 0; ///< bytes of its payload there
    u64 end() const { return offset + HeaderSize + stored; }
};
struct Chunk {
    ChunkType type{};
    u64 step = 0;
    ChunkPlace at;
    std::vector<u8> payload;
};

std::vector<u8> encode(ChunkType type, u64 step, std::span<const u8> payload);

/// The bytes of a recording, wherever they are.
class Source {
public:
    virtual ~Source() = default;
    virtual u64 size() const = 0;
    /// All of `into`, or false.
    virtual bool read(u64 offset, std::span<u8> into) const = 0;
};
class MemorySource final : public Source {
public:
    explicit MemorySource(std::span<const u8> bytes) : bytes_(bytes) {}
    u64 size() const override { return bytes_.size(); }
    bool read(u64 offset, std::span<u8> into) const override;

private:
    std::span<const u8> bytes_;
};
/// A file of a fixed size; what is cut off from it later cannot be read.
Expected<std::shared_ptr<Source>> open_source(const std::string& path);
/// A file that is still being written to. The descriptor is duplicated.
std::shared_ptr<Source> growing_source(int file);

/// What a checkpoint says beside its pages: what the host knew is what has been added since the one before.
/// Phases, modes and console text stay in the file (read_head()), for a small file may
/// unpack to very many.
struct CheckpointHead {
    u64 number = 0;     ///< counted from 0
    bool whole = false; ///< needs no other
    u64 page_count = 0; ///< in its Pages chunks, together
    u64 time = 0;       ///< virtual nanoseconds
    u64 inputs = 0;     ///< applied before
    std::vector<Phase> phases;
    std::vector<ModeChange> modes;
    u64 console_total = 0; ///< bytes that COM1 had sent
    std::string console;   ///< the last of them, as far as they are new
    /// Their memory, too.
    void drop_lists() {
        std::vector<Phase>().swap(phases);
        std::vector<ModeChange>().swap(modes);
        std::string().swap(console);
    }
};
struct CheckpointPlace {
    u64 step = 0;
    CheckpointHead head; ///< without its lists
    std::vector<ChunkPlace> pages;
    ChunkPlace state;
    u64 bytes = 0; ///< in the file
};

struct LoggedHash {
    u64 step = 0, value = 0;
};
struct RunEnd {
    u64 step = 0, time = 0, state_hash = 0;
    StopReason reason{};
};

/// A whole recording, read and checked.
struct Contents {
    MachineConfig config;
    ImageHashes images;
    std::vector<LoggedInput> inputs;
    std::vector<LoggedHash> hashes;
    std::vector<CheckpointPlace> checkpoints; ///< that can be used
    std::vector<u64> damaged;                 ///< steps of those that are damaged themselves
    std::vector<u64> orphaned;                ///< steps of those that build on a damaged one
    std::vector<Chunk> chunks;                ///< every whole chunk, without payloads
    std::optional<RunEnd> end;
    bool saved = false;  ///< written afterwards, from history: hashes are where it had a checkpoint only
    bool torn = false;   ///< the file ended inside a chunk, or with a damaged one
    bool spoilt = false; ///< the latter
    u64 torn_at = 0;     ///< offset of that chunk
    u64 last_step = 0;   ///< of the last whole chunk
};
Expected<Contents> parse(const Source& file, const std::string& name);
Expected<Contents> parse(std::span<const u8> file, const std::string& name);
/// One chunk, read again and checked.
Expected<Chunk> read_chunk(const Source& file, const ChunkPlace& at);
/// The whole head of a checkpoint, read again and checked.
Expected<CheckpointHead> read_head(const Source& file, const CheckpointPlace& checkpoint);

// Payloads, each way.
std::vector<u8> encode_configuration(const MachineConfig& config, const ImageHashes& images,
                                     bool saved = false);
std::vector<u8> encode_input(const LoggedInput& input);
std::vector<u8> encode_hash(u64 hash);
std::vector<u8> encode_end(const RunEnd& end);
std::vector<u8> encode_checkpoint(const CheckpointHead& head, std::span<const u8> state);
/// The state behind the head.
Expected<std::vector<u8>> checkpoint_state(std::span<const u8> payload);
/// Pages: how many, their places in rising order (those of zeroes are marked), then the others' bytes.
class PagesPayload {
public:
    void add(Place place, const u8* bytes);
    bool full() const { return places_.size() >= PagesPerChunk; }
    bool empty() const { return places_.empty(); }
    std::vector<u8> take();

private:
    std::vector<Place> places_;
    std::vector<u8> content_;
};
Expected<void> each_page(std::span<const u8> payload, const KnownRun::PageSink& sink);

} // namespace vitrine::emu::recording
