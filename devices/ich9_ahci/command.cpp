// AHCI port — fetching command headers and FISes (5.3.2–5.3.5), and what each ATA command asks for (ATA8-ACS
// 7).
#include <algorithm>
#include <bit>
#include "devices/ich9_ahci/port.h"

namespace vitrine::devices {
namespace ata {
namespace {

constexpr CommandKind Commands[] = {
    {0x20, Data::In, false, false, true},       // READ SECTORS
    {0x24, Data::In, true, false, true},        // READ SECTORS EXT
    {0x25, Data::In, true, false, false},       // READ DMA EXT
    {0x29, Data::In, true, false, true},        // READ MULTIPLE EXT
    {0x2F, Data::Log, true, false, true},       // READ LOG EXT
    {0x30, Data::Out, false, false, true},      // WRITE SECTORS
    {0x34, Data::Out, true, false, true},       // WRITE SECTORS EXT
    {0x35, Data::Out, true, false, false},      // WRITE DMA EXT
    {0x39, Data::Out, true, false, true},       // WRITE MULTIPLE EXT
    {0x40, Data::None, false, false, false},    // READ VERIFY SECTORS
    {0x42, Data::None, true, false, false},     // READ VERIFY SECTORS EXT
    {0x60, Data::In, true, true, false},        // READ FPDMA QUEUED
    {0x61, Data::Out, true, true, false},       // WRITE FPDMA QUEUED
    {0xC4, Data::In, false, false, true},       // READ MULTIPLE
    {0xC5, Data::Out, false, false, true},      // WRITE MULTIPLE
    {0xC6, Data::None, false, false, false},    // SET MULTIPLE MODE
    {0xC8, Data::In, false, false, false},      // READ DMA
    {0xCA, Data::Out, false, false, false},     // WRITE DMA
    {0xE0, Data::None, false, false, false},    // STANDBY IMMEDIATE
    {0xE1, Data::None, false, false, false},    // IDLE IMMEDIATE
    {0xE2, Data::None, false, false, false},    // STANDBY
    {0xE3, Data::None, false, false, false},    // IDLE
    {0xE5, Data::None, false, false, false},    // CHECK POWER MODE
    {0xE7, Data::None, false, false, false},    // FLUSH CACHE
    {0xEA, Data::None, true, false, false},     // FLUSH CACHE EXT
    {0xEC, Data::Identify, false, false, true}, // IDENTIFY DEVICE
    {0xEF, Data::None, false, false, false},    // SET FEATURES
};

} // namespace

const CommandKind* find_command(u8 code) {
    const auto found = std::ranges::lower_bound(Commands, code, {}, &CommandKind::code);
    return found != std::end(Commands) && found->code == code ? found : nullptr;
}

} // namespace ata

namespace {

// Modelled latencies: 20 µs a command, 1 µs a sector of the medium, 100 µs for a flush.
constexpr u64 CommandLatency = 20'000, SectorLatency = 1'000, FlushLatency = 100'000;

bool is_flush(u8 command) { return command == 0xE7 || command == 0xEA; }
bool addresses_sectors(const ata::CommandKind& kind) {
    return kind.data == ata::Data::In || kind.data == ata::Data::Out || kind.code == 0x40 ||
           kind.code == 0x42;
}

} // namespace

/// Fetches what PxCI offers while the device accepts commands; lowest slot first.
void Ich9Ahci::Port::issue() {
    // Command list override clears BSY on a port whose drive is missing or held in reset, too.
    while (communicating() && running() && !halted_ && (task_status_ & (ata::Busy | ata::DataRequest)) == 0) {
        const u32 waiting = issued_ & ~fetched_;
        if (waiting == 0) return;
        const unsigned slot = static_cast<unsigned>(std::countr_zero(waiting));
        fetched_ |= u32{1} << slot;
        fetch(slot);
    }
}

void Ich9Ahci::Port::fetch(unsigned slot) {
    current_slot_ = static_cast<u8>(slot);
    std::array<u8, 16> header{};
    std::array<u8, 20> fis{};
    if (!hba_.memory_.read(list_ + slot * 32, header)) {
        hba_.log("the command list lies outside memory, or bus mastering is off");
        return fatal(ahci_interrupt::HostBusFatal);
    }
    // Command header, 4.2.2.
    const u32 description = static_cast<u32>(load_little(header, 0, 4));
    const unsigned fis_dwords = description & 0x1F;
    Flight flight;
    flight.entries = static_cast<u16>(description >> 16);
    flight.table = load_little(header, 8, 8) & ~u64{0x7F};
    if (!hba_.memory_.read(flight.table, fis)) {
        hba_.log("a command table lies outside memory, or bus mastering is off");
        return fatal(ahci_interrupt::HostBusFatal);
    }
    if (fis_dwords < 5 || fis_dwords > 16 || fis[0] != 0x27) {
        hba_.log("a command FIS is malformed");
        return fatal(ahci_interrupt::InterfaceFatal);
    }
    if ((fis[1] & 0x80) == 0) return control_fis(slot, fis[15]);
    decode(slot, fis, flight);
    start(slot, flight);
}

/// Register FIS with C = 0: the device control register. SRST set, then cleared, resets the drive (10.4.1).
void Ich9Ahci::Port::control_fis(unsigned slot, u8 control) {
    const u32 bit = u32{1} << slot;
    issued_ &= ~bit;
    fetched_ &= ~bit;
    if ((control & 4) != 0) {
        soft_reset_ = true;
    } else if (soft_reset_) {
        soft_reset_ = false;
        signature_pending_ = true;
        post_signature();
    }
}

/// Turns the FIS into a request. Impossible ones keep an error, with which they complete.
void Ich9Ahci::Port::decode(unsigned slot, std::span<const u8, 20> fis, Flight& flight) {
    flight.command = fis[2];
    flight.features = fis[3];
    flight.device = fis[7];
    const ata::CommandKind* kind = ata::find_command(flight.command);
    if (!kind) {
        flight.error = ata::Abort;
        return;
    }
    const u32 count = fis[12] | fis[13] << 8, features = fis[3] | fis[11] << 8;
    flight.lba = load_little(fis, 4, 3);
    if (kind->extended)
        flight.lba |= load_little(fis, 8, 3) << 24;
    else
        flight.lba |= u64{fis[7] & 15u} << 24;
    flight.sectors = kind->queued ? features : kind->extended ? count : count & 0xFF;
    if (!kind->queued && active_ != 0) { // queued and other commands do not mix (SATA 3.0 13.6.3)
        flight.error = ata::Abort;
        return;
    }
    if (flight.command == 0xEF) {
        flight.error = set_features(flight);
        return;
    }
    if (flight.command == 0xE5) flight.sectors = 0xFF; // CHECK POWER MODE: active
    if (flight.command == 0x2F && (flight.lba & 0xFF) != 0x10)
        flight.error = ata::Abort; // only the NCQ error log
    if (flight.command == 0xC6 && (flight.sectors > 16 || (flight.sectors & (flight.sectors - 1)) != 0))
        flight.error = ata::Abort;
    if (!addresses_sectors(*kind)) return;
    if (flight.sectors == 0) flight.sectors = kind->extended ? 65536 : 256;
    const u64 capacity = drive_.backend->sectors();
    if ((fis[7] & 0x40) == 0)
        flight.error = ata::Abort; // CHS addressing is not offered
    else if (flight.lba >= capacity || flight.sectors > capacity - flight.lba)
        flight.error = ata::IdNotFound;
    else if (kind->data == ata::Data::Out && drive_.backend->read_only())
        flight.error = ata::Abort;
    // AHCI wants tag = slot, announced in PxSACT.
    if (kind->queued && (fis[12] >> 3 != slot || (active_ >> slot & 1) == 0)) flight.error = ata::Abort;
}

/// ATA8-ACS 7.47. Returns the error.
u8 Ich9Ahci::Port::set_features(const Flight& flight) {
    switch (flight.features) {
    case 0x02: write_cache_ = true; return 0;
    case 0x82: write_cache_ = false; return 0;
    case 0xAA: look_ahead_ = true; return 0;
    case 0x55: look_ahead_ = false; return 0;
    case 0x03: return 0; // transfer mode: nothing on a serial link depends on it
    default: return ata::Abort;
    }
}

void Ich9Ahci::Port::start(unsigned slot, Flight flight) {
    const ata::CommandKind* kind = ata::find_command(flight.command);
    const bool queued = kind && kind->queued;
    const u64 now = hba_.events_.now();
    if (queued && flight.error == 0) {
        // Accepted: BSY falls, PxCI clears, PxSACT stays until the Set Device Bits FIS (5.6.4.1).
        issued_ &= ~(u32{1} << slot);
        fetched_ &= ~(u32{1} << slot);
        task_status_ = ata::Ready | ata::SeekComplete;
        task_error_ = 0;
        flight.active = true;
        post_device_to_host(flight, false);
        if (halted_) return;
    } else {
        task_status_ |= ata::Busy;
        flight.active = true;
    }
    const u64 begin = std::max(now, media_free_);
    const u64 medium =
        flight.error == 0 && kind && addresses_sectors(*kind) ? flight.sectors * SectorLatency : 0;
    media_free_ = begin + medium;
    flight.due = begin + medium + (is_flush(flight.command) ? FlushLatency : CommandLatency);
    flights_[slot] = flight;
    arm();
}

void Ich9Ahci::Port::arm() {
    u64 earliest = Never;
    for (const Flight& flight : flights_)
        if (flight.active) earliest = std::min(earliest, flight.due);
    if (earliest == Never)
        hba_.events_.cancel(event_);
    else
        hba_.events_.schedule(event_, earliest);
}

} // namespace vitrine::devices
