// SataDevice — what is at the far end of a SATA link: takes a command, says how it will go, and carries it
// out.
//
// Pins: none; a host adapter owns the device and calls it. A command passes through in two stages: `plan`
// when its register FIS arrives (which protocol, refused or not, how long it takes; no state changes),
// `execute` when that time is over (data moves, state changes, the ending registers). A command between the
// two lies with the adapter, which saves it. Implements: ATA8-ACS 4.1 (protocols), Serial
// ATA 3.0 10.3.4–10.3.6 (what the FISes carry).
//
// Invariants: `execute` checks every field again, because a restored command comes from a file; it calls the
// DataPort for at most the bytes that the command asks for; a reset drops nothing but the device's own state.
#pragma once
#include <array>
#include <span>
#include <string>
#include <vector>
#include "cpu/base/archive.h"
#include "devices/chip.h"

namespace vitrine::devices::ata {

// Status and error registers, ATA8-ACS 6.2 and 6.3.
inline constexpr u8 Busy = 0x80, Ready = 0x40, SeekComplete = 0x10, DataRequest = 0x08, StatusError = 0x01;
inline constexpr u8 Abort = 0x04, IdNotFound = 0x10, Uncorrectable = 0x40;

/// A host-to-device register FIS with C = 1, and the ATAPI command that comes with PACKET.
struct Command {
    u8 code = 0, device = 0;
    u16 features = 0, count = 0;
    u64 lba = 0; ///< 48 bits
    std::array<u8, 16> packet{};
    void serialize(Archive& archive) { archive(code, device, features, count, lba, packet); }
};

/// How the transport behaves around a command.
enum class Protocol : u8 { NonData, PioIn, PioOut, Dma, Queued, PacketPio, PacketDma };
inline constexpr u8 LastProtocol = static_cast<u8>(Protocol::PacketDma);

struct Plan {
    Protocol protocol = Protocol::NonData;
    u8 error = 0;        ///< refused: completes with this error after `latency`
    u64 medium = 0;      ///< nanoseconds for which the medium is occupied
    u64 latency = 0;     ///< nanoseconds beside that
    bool silent = false; ///< never answers (a sleeping device): only a reset gets it back
};

/// The ending register values.
struct Result {
    u8 status = Ready | SeekComplete, error = 0, device = 0;
    u16 count = 0;
    u64 lba = 0;
    u32 last_block = 0; ///< PIO in: bytes of the last data block, which ends the command
};

/// The data FISes of one command, as the device sees them. After anything but Done the command is lost, and
/// the device just returns.
class DataPort {
public:
    enum class End : u8 { Done, TableShort, BusError };
    virtual ~DataPort() = default;
    virtual End send(std::span<const u8> bytes) = 0;
    virtual End receive(std::span<u8> bytes) = 0;
    /// Whether the host's buffer takes or holds at least `bytes`.
    virtual End covers(u64 bytes) = 0;
};

class SataDevice {
public:
    virtual ~SataDevice() = default;
    /// Power-on, COMRESET.
    virtual void hard_reset() = 0;
    /// SRST: settings that software made may stay (ATA8-ACS 7.47.5: those that SET FEATURES 66h keeps).
    virtual void soft_reset() = 0;
    /// What the device posts after a reset: its signature (ATA8-ACS table 19).
    virtual Result signature() const = 0;
    /// `queue_busy`: queued commands are outstanding.
    virtual Plan plan(const Command& command, bool queue_busy) const = 0;
    virtual Result execute(const Command& command, DataPort& data) = 0;
    /// A command ended with an error: what log page 10h tells of it.
    virtual void failed(unsigned tag, bool queued, const Command& command, u8 error) = 0;
    virtual void serialize(Archive& archive) = 0;
    virtual void describe(const std::string& prefix, std::vector<Field>& out) const = 0;

    /// How a refused command ends.
    virtual Result refusal(const Command& command, u8 error) const;

    struct Extent {
        u64 lba = 0, sectors = 0; ///< of 512 bytes; none: the command addresses no medium
    };
    virtual Extent extent(const Command& command) const = 0;
};

/// An ATA string field: two characters a word, the first in the high byte, padded with spaces.
void put_string(std::span<u8> page, unsigned word, unsigned length, const std::string& text);
/// The byte 511 that makes the page's sum zero.
void put_checksum(std::span<u8> page);

} // namespace vitrine::devices::ata
