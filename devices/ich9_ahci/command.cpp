// AHCI port — fetching command headers and FISes (5.3.2–5.3.5) and handing them to the device.
#include <algorithm>
#include <bit>
#include "devices/ich9_ahci/port.h"

namespace vitrine::devices {
namespace {

// Command header, dword 0 (4.2.2).
using FisLength = Bits<0, 5>;
using Atapi = Bits<5>;
using TableLength = Bits<16, 16>;
constexpr u8 HostToDevice = 0x27, CommandForm = 0x80, PacketCommand = 0xA0;
constexpr u64 PacketArea = 0x40;
constexpr u8 SoftReset = 4; // device control register

ata::Command command_of(std::span<const u8, 20> fis) {
    return {.code = fis[2],
            .device = fis[7],
            .features = static_cast<u16>(fis[3] | fis[11] << 8),
            .count = static_cast<u16>(fis[12] | fis[13] << 8),
            .lba = load_little(fis, 4, 3) | load_little(fis, 8, 3) << 24};
}

} // namespace

/// Fetches what PxCI offers while the device accepts commands; lowest slot first.
void Ich9Ahci::Port::issue() {
    if (!device_) return;
    // Command list override clears BSY on a port whose drive is held in reset, too.
    while (communicating() && running() && !halted_ && (task_status_ & (ata::Busy | ata::DataRequest)) == 0) {
        const u32 waiting = issued_ & ~fetched_;
        if (waiting == 0) return;
        const unsigned slot = static_cast<unsigned>(std::countr_zero(waiting));
        fetched_ |= u32{1} << slot;
        fetch(*device_, slot);
    }
}

void Ich9Ahci::Port::fetch(ata::SataDevice& device, unsigned slot) {
    current_slot_ = static_cast<u8>(slot);
    std::array<u8, 16> header{};
    std::array<u8, 20> fis{};
    if (!hba_.memory_.read(list_ + slot * 32, header)) {
        hba_.log("the command list lies outside memory, or bus mastering is off");
        return fatal(ahci_interrupt::HostBusFatal);
    }
    const u64 description = load_little(header, 0, 4);
    const unsigned fis_dwords = FisLength::get(description);
    Flight flight;
    flight.entries = static_cast<u16>(TableLength::get(description));
    flight.table = load_little(header, 8, 8) & ~u64{0x7F};
    std::array<u8, 16> packet{};
    if (!hba_.memory_.read(flight.table, fis) ||
        (Atapi::test(description) && !hba_.memory_.read(flight.table + PacketArea, packet))) {
        hba_.log("a command table lies outside memory, or bus mastering is off");
        return fatal(ahci_interrupt::HostBusFatal);
    }
    if (fis_dwords < 5 || fis_dwords > 16 || fis[0] != HostToDevice) {
        hba_.log("a command FIS is malformed");
        return fatal(ahci_interrupt::InterfaceFatal);
    }
    if ((fis[1] & CommandForm) == 0) return control_fis(device, slot, fis[15]);
    if (soft_reset_) { // the device is in reset and hears nothing
        task_status_ |= ata::Busy;
        return;
    }
    flight.command = command_of(fis);
    flight.command.packet = packet;
    const bool queue_busy = std::ranges::any_of(flights_, [](const Flight& f) { return f.queued(); });
    const ata::Plan plan = device.plan(flight.command, queue_busy);
    flight.protocol = plan.protocol;
    flight.error = plan.error;
    // AHCI wants tag = slot, announced in PxSACT; and a packet where the device asks for one.
    const bool announced = fis[12] >> 3 == slot && (active_ >> slot & 1) != 0;
    if (plan.protocol == ata::Protocol::Queued && !announced) flight.error = ata::Abort;
    if (flight.command.code == PacketCommand && !Atapi::test(description)) flight.error = ata::Abort;
    start(slot, flight, plan);
}

/// Register FIS with C = 0: the device control register. SRST set, then cleared, resets the drive (10.4.1).
void Ich9Ahci::Port::control_fis(ata::SataDevice& device, unsigned slot, u8 control) {
    const u32 bit = u32{1} << slot;
    issued_ &= ~bit;
    fetched_ &= ~bit;
    if ((control & SoftReset) != 0) {
        if (!soft_reset_) device.soft_reset();
        soft_reset_ = true;
        flights_ = {};
        hba_.events_.cancel(event_);
    } else if (soft_reset_) {
        soft_reset_ = false;
        signature_pending_ = true;
        post_signature();
    }
}

void Ich9Ahci::Port::start(unsigned slot, Flight flight, const ata::Plan& plan) {
    const u64 now = hba_.events_.now();
    flight.active = true;
    if (plan.silent) {
        task_status_ |= ata::Busy;
        return;
    }
    if (flight.queued()) {
        // Accepted: BSY falls, PxCI clears, PxSACT stays until the Set Device Bits FIS (5.6.4.1).
        issued_ &= ~(u32{1} << slot);
        fetched_ &= ~(u32{1} << slot);
        task_status_ = ata::Ready | ata::SeekComplete;
        task_error_ = 0;
        post_device_to_host(
            {.device = flight.command.device, .count = flight.command.count, .lba = flight.command.lba},
            false);
        if (halted_) return;
    } else {
        task_status_ |= ata::Busy;
    }
    const u64 begin = std::max(now, media_free_), medium = flight.error == 0 ? plan.medium : 0;
    media_free_ = begin + medium;
    flight.due = begin + medium + plan.latency;
    flights_[slot] = flight;
    arm();
    tell(slot, flight, Stage::Issued);
}

void Ich9Ahci::Port::tell(unsigned slot, const Flight& flight, Stage stage) const {
    if (!hba_.request_sink_ || !device_) return;
    const auto extent = device_->extent(flight.command);
    hba_.request_sink_({index_, slot, flight.command.code, extent.lba, extent.sectors, flight.due}, stage);
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
