// Optical — what the drive tells about itself and its medium. SCSI fields are big-endian, ATA's
// little-endian.
#include <algorithm>
#include "devices/ata/optical.h"
#include "devices/register.h"

namespace vitrine::devices::ata {
namespace {

void put(std::vector<u8>& out, u64 value, unsigned size) {
    while (size-- > 0) out.push_back(static_cast<u8>(value >> (8 * size)));
}
void put_text(std::vector<u8>& out, const std::string& text, std::size_t length) {
    for (std::size_t i = 0; i < length; ++i) out.push_back(static_cast<u8>(i < text.size() ? text[i] : ' '));
}
void set_big(std::vector<u8>& out, std::size_t at, u64 value, unsigned size) {
    for (unsigned i = 0; i < size; ++i) out[at + i] = static_cast<u8>(value >> (8 * (size - 1 - i)));
}

/// Track address as logical block, or as minute, second, frame after the two seconds of lead-in
/// (MMC-5 4.2.3.7).
void put_address(std::vector<u8>& out, u64 block, bool as_time) {
    if (!as_time) return put(out, block, 4);
    const u64 frames = block + 150;
    put(out, 0, 1);
    put(out, std::min<u64>(frames / (75 * 60), 255), 1);
    put(out, frames / 75 % 60, 1);
    put(out, frames % 75, 1);
}

constexpr u64 LeadOut = 0xAA;
constexpr u64 Speed = 5645; ///< kB/s that mode page 2Ah tells: CD 32x
constexpr u16 ProfileNone = 0x0000, ProfileCdRom = 0x0008, ProfileDvdRom = 0x0010;
constexpr u64 CdBlocks = 450'000; ///< 99 minutes: what is larger is a DVD

} // namespace

/// IDENTIFY PACKET DEVICE, ATA8-ACS table 43.
std::array<u8, SectorSize> Optical::identify() const {
    std::array<u8, SectorSize> page{};
    const auto word = [&page](unsigned index, unsigned value) { store_little(page, index * 2, 2, value); };
    word(0, 0x85C0); // ATAPI, CD-ROM, removable, answers within 50 µs, 12-byte packets
    put_string(page, 10, 20, serial_);
    put_string(page, 23, 8, "1.0");
    put_string(page, 27, 40, model_);
    word(49, 0x0F00); // LBA, DMA, IORDY
    word(50, 0x4000);
    word(53, 0x0006);
    word(63, 0x0007);
    word(64, 0x0003);
    for (unsigned i = 65; i <= 68; ++i) word(i, 120);
    word(76, 0x0006); // 1.5 and 3 Gb/s
    word(80, 0x01F0);
    word(82, 0x0218); // PACKET, power management, DEVICE RESET
    word(83, 0x4000);
    word(84, 0x4000);
    word(85, 0x0218);
    word(86, 0x0000);
    word(87, 0x4000);
    word(88, 0x407F);
    page[510] = 0xA5;
    put_checksum(page);
    return page;
}

/// Fixed format, SPC-3 4.5.3.
std::vector<u8> Optical::sense_data() const {
    std::vector<u8> out(18);
    out[0] = 0x70;
    out[2] = sense_.key;
    out[7] = 10;
    out[12] = sense_.code;
    out[13] = sense_.qualifier;
    return out;
}

std::vector<u8> Optical::inquiry() const {
    std::vector<u8> out{0x05, 0x80, 0x05, 0x32, 31, 0, 0, 0}; // CD/DVD, removable, SPC-3, ATAPI format
    put_text(out, "VITRINE", 8);
    put_text(out, model_.starts_with("VITRINE ") ? model_.substr(8) : model_, 16);
    put_text(out, "1.0", 4);
    return out;
}

std::vector<u8> Optical::capacity() const {
    std::vector<u8> out;
    put(out, blocks() == 0 ? 0 : blocks() - 1, 4);
    put(out, BlockSize, 4);
    return out;
}

/// MMC-5 6.26: one data track from block 0, then the lead-out.
Sense Optical::table_of_contents(const Packet& packet, std::vector<u8>& out) const {
    const bool as_time = (packet[1] & 2) != 0;
    unsigned format = packet[2] & 0x0F;
    if (format == 0) format = packet[9] >> 6; // where MMC-1 had it
    const u64 start = packet[6];
    out.assign(2, 0);
    if (format == 0) {
        if (start > 1 && start != LeadOut) return BadField;
        put(out, 1, 1), put(out, 1, 1); // first and last track
        for (const u64 track : {u64{1}, LeadOut}) {
            if (track < start) continue;
            put(out, 0x00'14, 2); // Q address 1, data track
            put(out, track, 1), put(out, 0, 1);
            put_address(out, track == LeadOut ? blocks() : 0, as_time);
        }
    } else if (format == 1) { // sessions
        put(out, 1, 1), put(out, 1, 1);
        put(out, 0x00'14, 2), put(out, 1, 1), put(out, 0, 1);
        put_address(out, 0, as_time);
    } else if (format == 2) { // full: points A0, A1, A2 and track 1 of session 1, always as times
        if (start > 1) return BadField;
        put(out, 1, 1), put(out, 1, 1);
        for (const unsigned point : {0xA0u, 0xA1u, 0xA2u, 0x01u}) {
            put(out, 1, 1), put(out, 0x14, 1), put(out, 0, 1), put(out, point, 1);
            put(out, 0, 3);
            if (point == 0xA0 || point == 0xA1)
                put(out, 0, 1), put(out, 1, 1), put(out, 0, 2); // track number in the minutes
            else
                put_address(out, point == 0xA2 ? blocks() : 0, true);
        }
    } else {
        return BadField;
    }
    set_big(out, 0, out.size() - 2, 2);
    return None;
}

/// MMC-5 6.5: feature header, then the features that the drive has now.
std::vector<u8> Optical::configuration(const Packet& packet) const {
    const unsigned type = packet[1] & 3, start = static_cast<unsigned>(packet[2] << 8 | packet[3]);
    const u16 profile = !readable() ? ProfileNone : blocks() > CdBlocks ? ProfileDvdRom : ProfileCdRom;
    std::vector<u8> out(4);
    put(out, 0, 2), put(out, profile, 2);
    struct Feature {
        u16 code;
        u8 version;
        bool persistent, current;
        std::vector<u8> body;
    };
    std::vector<u8> profiles;
    for (const u16 each : {ProfileDvdRom, ProfileCdRom})
        put(profiles, each, 2), put(profiles, each == profile, 1), put(profiles, 0, 1);
    const Feature features[] = {
        {0x0000, 0, true, true, profiles},
        {0x0001, 2, true, true, {0, 0, 0, 7, 0, 0, 0, 0}},          // core: Serial ATA
        {0x0002, 1, true, true, {0x02, 0, 0, 0}},                   // operational change: media events
        {0x0003, 1, true, true, {0x29, 0, 0, 0}},                   // removable: tray, eject, lock
        {0x0010, 0, false, readable(), {0, 0, 8, 0, 0, 1, 0, 0}},   // random readable: 2048, 1 block
        {0x001E, 2, false, profile == ProfileCdRom, {0, 0, 0, 0}},  // CD read
        {0x001F, 1, false, profile == ProfileDvdRom, {0, 0, 0, 0}}, // DVD read
    };
    for (const Feature& feature : features) {
        if (type == 2 ? feature.code != start : feature.code < start) continue;
        if (type == 1 && !feature.current) continue;
        put(out, feature.code, 2);
        put(out, static_cast<u64>(feature.version << 2 | feature.persistent << 1 | feature.current), 1);
        put(out, feature.body.size(), 1);
        out.insert(out.end(), feature.body.begin(), feature.body.end());
    }
    set_big(out, 0, out.size() - 4, 4);
    return out;
}

/// MMC-5 6.6, polled: only the media class is offered.
std::vector<u8> Optical::event_status(const Packet& packet) {
    constexpr u8 MediaClass = 4, Supported = 1 << MediaClass, NoEvent = 0x80;
    if ((packet[4] & Supported) == 0) return {0, 2, NoEvent, Supported};
    const u8 event = static_cast<u8>(std::exchange(event_, MediaEvent::NoChange));
    return {0, 6, MediaClass, Supported, event, static_cast<u8>((readable() ? 2 : 0) | (tray_open_ ? 1 : 0)),
            0, 0};
}

/// MMC-5 6.22: a complete, finalized disc of one session and one track.
std::vector<u8> Optical::disc_information() const {
    std::vector<u8> out(34);
    set_big(out, 0, out.size() - 2, 2);
    out[2] = 0x0E;
    out[3] = out[4] = out[5] = out[6] = 1; // first track, sessions, first and last track of the last session
    out[7] = 0x20;                         // unrestricted use
    for (unsigned i = 16; i < 24; ++i) out[i] = 0xFF;
    return out;
}

/// MMC-5 6.11.3, pages 01h (error recovery), 0Eh is for audio drives, 2Ah (capabilities).
Sense Optical::mode_sense(const Packet& packet, std::vector<u8>& out) const {
    const unsigned control = packet[2] >> 6, page = packet[2] & 0x3F;
    if (control == 3) return NothingSaved;
    if (packet[3] != 0) return BadField;
    out.assign(8, 0);
    const bool all = page == 0x3F, changeable = control == 1;
    const std::size_t header = out.size();
    if (all || page == 0x01) {
        const std::vector<u8> recovery{0x01, 10, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0};
        out.insert(out.end(), recovery.begin(), recovery.end());
    }
    if (all || page == 0x2A) {
        std::vector<u8> capabilities(22);
        capabilities[0] = 0x2A;
        capabilities[1] = 20;
        capabilities[2] = 0x08;                                      // reads DVD-ROM, writes nothing
        capabilities[6] = static_cast<u8>(0x29 | (locked_ ? 2 : 0)); // tray, eject, lock
        set_big(capabilities, 8, Speed, 2);                          // at most
        set_big(capabilities, 12, 512, 2);                           // KiB of buffer
        set_big(capabilities, 14, Speed, 2);                         // now
        out.insert(out.end(), capabilities.begin(), capabilities.end());
    }
    if (out.size() == header) return BadField;
    if (changeable) // nothing is: page bodies are zero
        for (std::size_t at = header; at < out.size(); at += 2u + out[at + 1])
            std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(at) + 2, out[at + 1], u8{0});
    set_big(out, 0, out.size() - 2, 2);
    out[2] = !readable() ? (tray_open_ ? 0x71 : 0x70) : 0x01; // medium type, as drives of the time report it
    return None;
}

std::vector<u8> Optical::mechanism_status() const {
    return {0, static_cast<u8>(tray_open_ ? 0x10 : 0), 0, 0, 0, 0, 0, 0};
}

} // namespace vitrine::devices::ata
