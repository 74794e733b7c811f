// Optical — the ATA side of the drive (ATA8-ACS 4.3, 7.21), the tray, and what a reset or a new medium means.
#include "devices/ata/optical.h"
#include "devices/register.h"

namespace vitrine::devices::ata {
namespace {

enum : u8 {
    DeviceReset = 0x08,
    DeviceDiagnostic = 0x90,
    PacketCode = 0xA0,
    IdentifyPacketDevice = 0xA1,
    IdleImmediate = 0xE1,
    StandbyImmediate = 0xE0,
    CheckPowerMode = 0xE5,
    Sleep = 0xE6,
    FlushCache = 0xE7,
    IdentifyDevice = 0xEC,
    SetFeatures = 0xEF,
};
using PacketByDma = Bits<0>; // features

/// ATAPI signature: EB140101h in PxSIG.
constexpr u64 SignatureAddress = 0xEB1401;
/// Interrupt reason in the count register: the command is over.
constexpr u16 CommandOver = 3;
constexpr u64 CommandLatency = 50'000, BlockLatency = 20'000;

bool known(u8 code) {
    switch (code) {
    case DeviceReset:
    case DeviceDiagnostic:
    case PacketCode:
    case IdentifyPacketDevice:
    case IdleImmediate:
    case StandbyImmediate:
    case CheckPowerMode:
    case Sleep:
    case FlushCache:
    case SetFeatures: return true;
    default: return false;
    }
}

} // namespace

bool Optical::change_medium(BlockBackend* medium) {
    if (locked_ && medium_) {
        event_ = MediaEvent::EjectRequest; // the guest is asked, as by the drive's button
        return false;
    }
    medium_ = medium;
    tray_open_ = false;
    event_ = medium ? MediaEvent::NewMedia : MediaEvent::Removal;
    if (medium) attention_ = MediumChanged;
    return true;
}

void Optical::hard_reset() {
    sense_ = None;
    attention_ = WasReset;
    event_ = medium_ ? MediaEvent::NewMedia : MediaEvent::NoChange;
    tray_open_ = locked_ = sleeping_ = false;
}

void Optical::soft_reset() {
    sense_ = None;
    sleeping_ = false;
}

/// ATA8-ACS table 19. A packet device is not ready before it was asked.
Result Optical::signature() const {
    return {.status = 0, .error = 0x01, .count = 1, .lba = SignatureAddress};
}

SataDevice::Extent Optical::extent(const Command& command) const {
    if (command.code != PacketCode) return {};
    const Range range = range_of(command.packet);
    constexpr u64 SectorsPerBlock = BlockSize / SectorSize;
    return {range.block * SectorsPerBlock, range.count * SectorsPerBlock};
}

Plan Optical::plan(const Command& command, bool) const {
    Plan plan{.error = known(command.code) ? u8{0} : Abort, .latency = CommandLatency, .silent = sleeping_};
    if (command.code == IdentifyPacketDevice) plan.protocol = Protocol::PioIn;
    if (command.code != PacketCode) return plan;
    plan.protocol = PacketByDma::test(command.features) ? Protocol::PacketDma : Protocol::PacketPio;
    const Range range = range_of(command.packet);
    const u64 there = blocks();
    if (range.block < there && range.count <= there - range.block) plan.medium = range.count * BlockLatency;
    return plan;
}

/// Commands of disks end with the signature, so that software learns what it talks to (ATA8-ACS 7.16.6).
Result Optical::refusal(const Command& command, u8 error) const {
    Result result = SataDevice::refusal(command, error);
    if (command.code == IdentifyDevice || command.code == 0x20) {
        result.lba = SignatureAddress;
        result.count = 1;
    }
    return result;
}

Result Optical::execute(const Command& command, DataPort& data) {
    Result result{.device = command.device, .count = command.count, .lba = command.lba};
    switch (command.code) {
    case DeviceReset: soft_reset(); return signature();
    case DeviceDiagnostic: return signature();
    case IdentifyPacketDevice: {
        data.send(identify());
        result.last_block = SectorSize;
        return result;
    }
    case CheckPowerMode: result.count = 0xFF; return result;
    case Sleep: sleeping_ = true; return result;
    case IdleImmediate:
    case StandbyImmediate:
    case FlushCache: return result; // nothing spins, nothing is cached
    case SetFeatures:
        // Only the transfer mode, on which nothing depends.
        return (command.features & 0xFF) == 0x03 ? result : refusal(command, Abort);
    case PacketCode: break;
    default: return refusal(command, Abort);
    }
    // Byte count limit, then byte count: LBA bits 23:8.
    u64 limit = command.lba >> 8 & 0xFFFE, sent = 0;
    if (limit == 0) limit = 0xFFFE;
    sense_ = run(command.packet, data, sent);
    result.last_block = static_cast<u32>(sent == 0 ? 0 : (sent - 1) % limit + 1);
    result.count = CommandOver;
    result.lba = u64{result.last_block} << 8;
    if (sense_ == None) return result;
    result.status |= StatusError;
    result.error = static_cast<u8>(sense_.key << 4 | (sense_.key == 5 || sense_.key == 0xB ? Abort : 0));
    return result;
}

void Optical::failed(unsigned, bool, const Command&, u8) {} // no log: the sense data tells

void Optical::serialize(Archive& archive) {
    archive.section("ata_optical", 1);
    bool medium = has_medium();
    archive(medium, sense_, attention_, event_, tray_open_, locked_, sleeping_);
    if (!archive.loading() || !archive.ok()) return;
    // Which disc lay in the drive then, whoever owns the discs puts in again after this (set_medium).
    if (event_ > MediaEvent::Removal || sense_.key > 15 || attention_.key > 15)
        archive.fail("a drive register holds an impossible value");
}

void Optical::describe(const std::string& prefix, std::vector<Field>& out) const {
    out.push_back({prefix + "drive", blocks(),
                   model_ + (tray_open_ ? " (tray open)"
                             : medium_  ? " (blocks)"
                                        : " (empty)")});
}

} // namespace vitrine::devices::ata
