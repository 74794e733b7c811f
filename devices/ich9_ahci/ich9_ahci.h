// ich9_ahci — ICH9 SATA controller in AHCI mode, PCI 00:1f.2 8086:2922, six ports, NCQ, ATAPI, MSI.
//
// Pins: INTA# or MSI. Registers: BAR5, 4 KiB (ABAR). BAR4: 32 I/O ports (unused, reads as ones).
// Implements: Serial ATA AHCI 1.3.1; Serial ATA 3.0 (FIS, COMRESET). The drives are devices/ata/.
//
// A command is fetched when PxCI is set, checked, and completes after a modelled latency on the event queue;
// data moves at completion. Every guest address and length is bounded: at most 65535 PRD entries, 4 MiB each,
// 32 commands a port. In-flight commands serialize.
//
// Inaccuracies: DMA Setup and the SActive bits of other tags' FISes are not posted to memory; no port
// multiplier, no aggressive link power management, no PHY errors; DMA data moves at once at the end of the
// latency; of a PIO command's set-up FISes only the last is posted; commands of one port run in the order of
// their issue (lowest slot first when together).
#pragma once
#include <functional>
#include <memory>
#include "devices/ata/sata_device.h"
#include "devices/pci_device.h"

namespace vitrine::devices {

class Ich9Ahci final : public PciDevice {
public:
    static constexpr unsigned Ports = 6;

    Ich9Ahci(EventQueue& events, DmaPort& memory);
    ~Ich9Ahci() override;

    /// Before power-on.
    void attach(unsigned port, std::unique_ptr<ata::SataDevice> device);

    u64 bar_read(unsigned index, u64 offset, unsigned size) override;
    void bar_write(unsigned index, u64 offset, unsigned size, u64 value) override;

    const char* name() const override { return "ich9_ahci"; }
    void reset() override;
    void serialize(Archive& archive) override;
    std::vector<Field> describe() const override;

    /// One command in flight, for the disk-request views.
    struct Request {
        unsigned port, slot;
        u8 command;
        u64 lba, sectors, due;
    };
    std::vector<Request> requests() const;
    /// Where a command is: taken by the controller, about to move its data, over.
    enum class Stage : u8 { Issued, Moving, Done };
    /// Host side only: told of every command that addresses a drive.
    void on_request(std::function<void(const Request&, Stage)> sink) { request_sink_ = std::move(sink); }

private:
    class Port;
    friend class Port;
    /// The function's view of memory: nothing, while the command register keeps it from mastering the bus.
    class Master final : public DmaPort {
    public:
        Master(const PciDevice& device, DmaPort& memory) : device_(device), memory_(memory) {}
        bool read(u64 pa, std::span<u8> out) override {
            return device_.bus_master() && memory_.read(pa, out);
        }
        bool write(u64 pa, std::span<const u8> data) override {
            return device_.bus_master() && memory_.write(pa, data);
        }

    private:
        const PciDevice& device_;
        DmaPort& memory_;
    };
    void update_interrupt();
    u32 read_register(u32 offset);
    void write_register(u32 offset, u32 value);
    void reset_hba(bool keep_addresses);

    EventQueue& events_;
    Master memory_;
    std::vector<std::unique_ptr<Port>> ports_;
    std::function<void(const Request&, Stage)> request_sink_;
    u32 global_control_ = 0x80000000, interrupt_status_ = 0;
};

} // namespace vitrine::devices
