// Optical — packet commands (SPC-3 6, MMC-5 6). Field offsets are those of the command descriptor blocks
// there.
#include <algorithm>
#include "devices/ata/optical.h"

namespace vitrine::devices::ata {
namespace {

enum Opcode : u8 {
    TestUnitReady = 0x00,
    RequestSense = 0x03,
    Inquiry = 0x12,
    StartStopUnit = 0x1B,
    PreventAllowRemoval = 0x1E,
    ReadCapacity = 0x25,
    Read10 = 0x28,
    Seek10 = 0x2B,
    ReadToc = 0x43,
    GetConfiguration = 0x46,
    GetEventStatus = 0x4A,
    ReadDiscInformation = 0x51,
    ModeSense10 = 0x5A,
    Read12 = 0xA8,
    SetSpeed = 0xBB,
    MechanismStatus = 0xBD,
    ReadCd = 0xBE,
};

/// Big-endian field of a command descriptor block.
u64 field(std::span<const u8> packet, unsigned at, unsigned size) {
    u64 value = 0;
    for (unsigned i = 0; i < size; ++i) value = value << 8 | packet[at + i];
    return value;
}

/// These run while a unit attention waits, and leave it (SPC-3 5.8.1; MMC-5 4.1.6 for the rest).
bool ignores_attention(u8 opcode) {
    return opcode == Inquiry || opcode == RequestSense || opcode == GetConfiguration ||
           opcode == GetEventStatus;
}
bool needs_medium(u8 opcode) {
    switch (opcode) {
    case TestUnitReady:
    case ReadCapacity:
    case Read10:
    case Read12:
    case ReadCd:
    case Seek10:
    case ReadToc:
    case ReadDiscInformation: return true;
    default: return false;
    }
}

} // namespace

Optical::Range Optical::range_of(const Packet& packet) {
    switch (packet[0]) {
    case Read10: return {field(packet, 2, 4), field(packet, 7, 2)};
    case Read12: return {field(packet, 2, 4), field(packet, 6, 4)};
    case ReadCd: return {field(packet, 2, 4), field(packet, 6, 3)};
    default: return {};
    }
}

/// Sends what the host made room for.
Sense Optical::answer(std::span<const u8> bytes, u64 allocation, DataPort& data, u64& sent) {
    sent = std::min<u64>(bytes.size(), allocation);
    if (sent != 0) data.send(bytes.first(static_cast<std::size_t>(sent)));
    return None;
}

Sense Optical::run(const Packet& packet, DataPort& data, u64& sent) {
    const u8 opcode = packet[0];
    if (attention_ != None && !ignores_attention(opcode)) return std::exchange(attention_, None);
    if (needs_medium(opcode) && !readable()) return tray_open_ ? NoMediumTrayOpen : NoMedium;
    std::vector<u8> page;
    switch (opcode) {
    case TestUnitReady: return None;
    case RequestSense: {
        if (sense_ == None && attention_ != None) sense_ = std::exchange(attention_, None);
        page = sense_data();
        return answer(page, packet[4], data, sent);
    }
    case Inquiry:
        if ((packet[1] & 1) != 0 || packet[2] != 0) return BadField; // no vital product data
        return answer(inquiry(), field(packet, 3, 2), data, sent);
    case StartStopUnit: return start_stop(packet);
    case PreventAllowRemoval: locked_ = (packet[4] & 1) != 0; return None;
    case ReadCapacity: return answer(capacity(), 8, data, sent);
    case Read10:
    case Read12:
    case ReadCd: return read_blocks(packet, data, sent);
    case Seek10: return field(packet, 2, 4) < blocks() ? None : BadAddress;
    case ReadToc: {
        const Sense sense = table_of_contents(packet, page);
        return sense == None ? answer(page, field(packet, 7, 2), data, sent) : sense;
    }
    case GetConfiguration:
        if ((packet[1] & 3) == 3) return BadField;
        return answer(configuration(packet), field(packet, 7, 2), data, sent);
    case GetEventStatus:
        if ((packet[1] & 1) == 0) return BadField; // asynchronous form
        return answer(event_status(packet), field(packet, 7, 2), data, sent);
    case ReadDiscInformation:
        if ((packet[1] & 7) != 0) return BadField;
        return answer(disc_information(), field(packet, 7, 2), data, sent);
    case ModeSense10: {
        const Sense sense = mode_sense(packet, page);
        return sense == None ? answer(page, field(packet, 7, 2), data, sent) : sense;
    }
    case SetSpeed: return None; // a performance hint
    case MechanismStatus: return answer(mechanism_status(), field(packet, 8, 2), data, sent);
    default: return BadOpcode;
    }
}

Sense Optical::read_blocks(const Packet& packet, DataPort& data, u64& sent) {
    const Range range = range_of(packet);
    if (packet[0] == ReadCd) {
        const u8 sector_type = packet[1] >> 2 & 7, fields = packet[9] & 0xF8, subchannel = packet[10] & 7;
        if (sector_type != 0 && sector_type != 2) return BadMode; // any, or mode 1
        if (subchannel != 0) return BadField;
        if (fields == 0) return None;        // nothing asked for
        if (fields != 0x10) return BadField; // user data only
    }
    const u64 there = blocks();
    if (range.block >= there || range.count > there - range.block) {
        return range.count == 0 && range.block <= there ? None : BadAddress;
    }
    constexpr u64 ChunkBlocks = 32, SectorsPerBlock = BlockSize / SectorSize;
    std::vector<u8> buffer(static_cast<std::size_t>(std::min(range.count, ChunkBlocks) * BlockSize));
    for (u64 done = 0; done < range.count;) {
        const u64 n = std::min(range.count - done, ChunkBlocks);
        const std::span<u8> chunk = std::span(buffer).first(static_cast<std::size_t>(n * BlockSize));
        if (!medium_->read((range.block + done) * SectorsPerBlock, chunk)) return ReadFailed;
        if (data.send(chunk) != DataPort::End::Done) return None; // the adapter knows
        sent += chunk.size();
        done += n;
    }
    return None;
}

/// MMC-5 6.45: LoEj with Start clear opens the tray, with Start set closes it.
Sense Optical::start_stop(const Packet& packet) {
    const bool load_eject = (packet[4] & 2) != 0, start = (packet[4] & 1) != 0;
    if (packet[4] >> 4 != 0 || !load_eject) return None; // power conditions, spindle
    if (!start && locked_) return RemovalPrevented;
    if (tray_open_ == !start) return None;
    tray_open_ = !start;
    if (!medium_) return None;
    event_ = tray_open_ ? MediaEvent::Removal : MediaEvent::NewMedia;
    if (!tray_open_) attention_ = MediumChanged;
    return None;
}

} // namespace vitrine::devices::ata
