// The recording's file format: a sequence of chunks, only ever appended to.
//
//   offset  size  field (little-endian)
//   0       4     magic "VTRC"
//   4       2     type (ChunkType)
//   6       2     format version, 2
//   8       4     length of the payload as stored
//   12      4     length of the payload when decompressed
//   16      8     step
//   24      4     CRC32C of bytes 0–23 and the stored payload
//   28      …     payload: one zstd frame, or nothing when both lengths are 0
//
// Invariants: a chunk reaches the file in one write. A reader accepts the longest prefix of whole, correct
// chunks; a file that ends inside a chunk has a torn tail (the writer died) and opens up to it; anything else
// that is wrong is an error that names the offset. The first chunk is the configuration; steps never
// decrease.
#pragma once
#include <string>
#include <vector>
#include "cpu/base/types.h"
#include "emu/machine.h"

namespace vitrine::emu::recording {

enum class ChunkType : u16 {
    Configuration = 1, ///< MachineConfig and ImageHashes
    Input = 2,         ///< one LoggedInput
    Hash = 3,          ///< the rolling hash at this step
    End = 4,           ///< how the run ended, with the full state hash
    Checkpoint = 5,    ///< reserved for machine states in mid-run; this version writes none
};

inline constexpr u32 Magic = 0x43525456; // "VTRC"
inline constexpr u16 FormatVersion = 2;
inline constexpr std::size_t HeaderSize = 28;
inline constexpr u32 LargestPayload = 64 << 20;
inline constexpr u64 HashInterval = 1'000'000;

struct Chunk {
    ChunkType type{};
    u64 step = 0;
    u64 offset = 0; ///< in the file
    std::vector<u8> payload;
};

std::vector<u8> encode(ChunkType type, u64 step, std::span<const u8> payload);

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
    std::optional<RunEnd> end;
    bool torn = false; ///< the file ended inside a chunk
    u64 torn_at = 0;   ///< offset of that chunk
    u64 last_step = 0; ///< of the last whole chunk
};
Expected<Contents> parse(std::span<const u8> file, const std::string& name);

// Payloads, each way.
std::vector<u8> encode_configuration(const MachineConfig& config, const ImageHashes& images);
std::vector<u8> encode_input(const LoggedInput& input);
std::vector<u8> encode_hash(u64 hash);
std::vector<u8> encode_end(const RunEnd& end);

} // namespace vitrine::emu::recording
