// piix_ide — the PIIX4's IDE function, PCI 00:1f.1 8086:7111: two channels with two drives each, for systems
// that know no AHCI.
//
// Pins: IRQ 14 and IRQ 15. Ports: 1F0h–1F7h and 3F6h, 170h–177h and 376h, where IDETIM enables a channel;
// BAR4: 16 ports of the bus master. Implements: Intel 82371AB datasheet chapter 6 and 9 (configuration
// 40h–4Bh); Programming Interface for Bus Master IDE Controller 1.0; ATA8-ACS with the drives of
// devices/ata/, ATA/ATAPI-6 9 for the protocols of parallel ATA.
//
// Invariants: a drive is planned and executed by one channel alone, one command at a time; PIO data lie in a
// buffer that the command bounds; every PRD is read once, at most 8192 a command (one table is 64 KiB).
// Commands in flight serialize.
//
// Inaccuracies: timing registers are kept, not obeyed; a PIO write reaches the medium after its last block;
// no PCI native mode; port 3F7h (drive address) is the floppy controller's and absent; queued commands of
// SATA are refused.
#pragma once
#include <functional>
#include <memory>
#include "devices/ata/sata_device.h"
#include "devices/ich9_ahci/ich9_ahci.h"
#include "devices/pci_device.h"

namespace vitrine::devices {

class PiixIde final : public PciDevice, public PortDevice {
public:
    static constexpr unsigned Channels = 2, Drives = 4;
    /// `interrupt`: the level of a channel's INTRQ.
    using Interrupt = std::function<void(unsigned channel, bool level)>;

    PiixIde(EventQueue& events, DmaPort& memory, Interrupt interrupt);
    ~PiixIde() override;

    /// Before power-on. Position: channel × 2, + 1 for the slave.
    /// At a position where none is.
    void attach(unsigned position, std::unique_ptr<ata::SataDevice> drive);
    bool has_drive(unsigned position) const;

    u32 port_read(u16 port, unsigned size) override;
    void port_write(u16 port, unsigned size, u32 value) override;
    u64 bar_read(unsigned index, u64 offset, unsigned size) override;
    void bar_write(unsigned index, u64 offset, unsigned size, u64 value) override;

    const char* name() const override { return "piix_ide"; }
    void reset() override;
    void serialize(Archive& archive) override;
    std::vector<Field> describe() const override;

    using Request = Ich9Ahci::Request;
    using Stage = Ich9Ahci::Stage;
    /// Host side only, as AHCI's: `port` is the drive's position.
    void on_request(std::function<void(const Request&, Stage)> sink) { request_sink_ = std::move(sink); }

private:
    class Channel;
    friend class Channel;
    bool decodes(unsigned channel) const;

    EventQueue& events_;
    DmaPort& memory_;
    Interrupt interrupt_;
    std::array<std::unique_ptr<Channel>, Channels> channels_;
    std::function<void(const Request&, Stage)> request_sink_;
};

} // namespace vitrine::devices
