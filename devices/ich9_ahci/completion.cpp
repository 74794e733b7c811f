// AHCI port — completion: the device carries the command out, its data goes through the PRD table (4.2.3.3,
// 5.4), the FISes that tell of it, errors (6.2).
#include "devices/ich9_ahci/port.h"
#include "devices/ich9_ahci/scatter.h"

namespace vitrine::devices {

using ata::Protocol;

void Ich9Ahci::Port::event() {
    const u64 now = hba_.events_.now();
    // One completion a call, earliest first (lowest slot among equals); the event comes again for the next.
    int chosen = -1;
    for (unsigned slot = 0; slot < 32; ++slot) {
        const Flight& flight = flights_[slot];
        if (flight.active && flight.due <= now &&
            (chosen < 0 || flight.due < flights_[static_cast<unsigned>(chosen)].due))
            chosen = static_cast<int>(slot);
    }
    if (chosen >= 0 && device_) {
        const unsigned slot = static_cast<unsigned>(chosen);
        const Flight flight = flights_[slot];
        tell(slot, flight, Stage::Moving);
        complete(*device_, slot);
        tell(slot, flight, Stage::Done);
    }
    if (!halted_) issue();
    arm();
}

void Ich9Ahci::Port::complete(ata::SataDevice& device, unsigned slot) {
    const Flight flight = std::exchange(flights_[slot], Flight{});
    const bool queued = flight.queued();
    current_slot_ = static_cast<u8>(slot);
    Scatter scatter(hba_.memory_, flight.table, flight.entries);
    const ata::Result result = flight.error != 0 ? device.refusal(flight.command, flight.error)
                                                 : device.execute(flight.command, scatter);
    if (scatter.end() == Scatter::End::BusError) {
        hba_.log("a data buffer or PRD table lies outside memory, or bus mastering is off");
        return fatal(ahci_interrupt::HostBusFatal);
    }
    if (!queued) { // PRDBC; unused with native queueing
        std::array<u8, 4> count{};
        store_little(count, 0, 4, scatter.moved());
        if (!hba_.memory_.write(list_ + slot * 32 + 4, count)) return fatal(ahci_interrupt::HostBusFatal);
    }
    task_error_ = result.error;
    task_status_ = result.status;
    if ((result.status & ata::StatusError) != 0) {
        // The failing command's bits stay set for the driver to find (6.2.2.1, 6.2.2.2).
        device.failed(slot, flight.protocol == Protocol::Queued, flight.command, result.error);
        if (queued)
            post_set_device_bits(0);
        else
            post_device_to_host(result, true);
        return fatal(ahci_interrupt::TaskFileError);
    }
    const u32 bit = u32{1} << slot;
    if (queued) {
        if (scatter.end() == Scatter::End::TableShort) raise(ahci_interrupt::Overflow);
        return post_set_device_bits(bit);
    }
    issued_ &= ~bit;
    fetched_ &= ~bit;
    if (scatter.end() == Scatter::End::TableShort) raise(ahci_interrupt::Overflow);
    const bool block_in = flight.protocol == Protocol::PioIn ||
                          (flight.protocol == Protocol::PacketPio && result.last_block != 0);
    if (block_in || flight.protocol == Protocol::PioOut) post_pio_setup(result, block_in);
    // PIO data-in ends with its last block; everything else reports with a register FIS.
    if (flight.protocol != Protocol::PioIn) post_device_to_host(result, true);
}

} // namespace vitrine::devices
