// One AHCI port: registers, received-FIS area, command slots, and the device at its far end, if there is one.
// Private to ich9_ahci/.
//
// port.cpp: registers, resets, FIS posting. command.cpp: fetch. completion.cpp: completion and data.
// Invariants: whatever needs a device takes it as an argument, so that a port without one cannot forget to
// ask; at most one non-queued command is in flight (it holds BSY); a slot is fetched at most once per setting
// of its PxCI bit; after a fatal error nothing runs until software clears PxCMD.ST (AHCI 6.2.2).
#pragma once
#include "devices/ich9_ahci/ich9_ahci.h"
#include "devices/register.h"

namespace vitrine::devices {

/// PxIS and PxIE bits, AHCI 3.3.5.
namespace ahci_interrupt {
inline constexpr u32 DeviceToHost = 1u << 0, PioSetup = 1u << 1, SetDeviceBits = 1u << 3,
                     PortChange = 1u << 6, PhyReadyChange = 1u << 22, Overflow = 1u << 24,
                     InterfaceFatal = 1u << 27, HostBusFatal = 1u << 29, TaskFileError = 1u << 30;
} // namespace ahci_interrupt

class Ich9Ahci::Port {
public:
    Port(Ich9Ahci& hba, unsigned index);

    void attach(std::unique_ptr<ata::SataDevice> device);
    bool present() const { return device_ != nullptr; }
    /// A drive is there, out of reset, and has sent its signature: only then do commands reach it.
    bool communicating() const;
    /// HBA or platform reset; the HBA's own reset keeps the list and FIS addresses (10.4.3).
    void reset(bool keep_addresses);
    u32 read(u32 reg) const;
    void write(u32 reg, u32 value);
    bool raised() const { return (interrupt_status() & interrupt_enable_) != 0; }
    void serialize(Archive& archive);
    void describe(std::vector<Field>& out) const;
    void requests(std::vector<Request>& out) const;

private:
    /// A command between fetch and completion.
    struct Flight {
        bool active = false;
        ata::Command command{};
        ata::Protocol protocol = ata::Protocol::NonData;
        u8 error = 0; ///< decided at fetch: completes with this error
        u64 due = 0, table = 0;
        u16 entries = 0; ///< PRD entries
        /// Accepted into the drive's queue: BSY is not held.
        bool queued() const { return active && protocol == ata::Protocol::Queued && error == 0; }
        void serialize(Archive& archive) { archive(active, command, protocol, error, due, table, entries); }
    };

    // port.cpp
    u32 interrupt_status() const;
    bool running() const { return (command_ & 1) != 0; }
    bool receiving() const { return (command_ & 0x10) != 0; }
    void write_command(u32 value);
    void write_control(u32 value);
    void device_reset();
    void post_signature();
    bool post_fis(unsigned offset, std::span<const u8> fis);
    void post_device_to_host(const ata::Result& result, bool interrupt);
    void post_pio_setup(const ata::Result& result, bool in);
    void post_set_device_bits(u32 completed);
    void raise(u32 bits);
    void fatal(u32 bits);
    void drop_flights();
    void tell(unsigned slot, const Flight& flight, Stage stage) const;
    // command.cpp
    void issue();
    void fetch(ata::SataDevice& device, unsigned slot);
    void control_fis(ata::SataDevice& device, unsigned slot, u8 control);
    void start(unsigned slot, Flight flight, const ata::Plan& plan);
    void arm();
    // completion.cpp
    void event();
    void complete(ata::SataDevice& device, unsigned slot);

    Ich9Ahci& hba_;
    const unsigned index_;
    EventId event_;
    std::unique_ptr<ata::SataDevice> device_;

    u64 list_ = 0, fis_ = 0; ///< PxCLB, PxFB
    u32 status_ = 0, interrupt_enable_ = 0, command_ = 6, control_ = 0, sata_error_ = 0;
    u32 signature_ = 0xFFFFFFFF;
    u8 task_status_ = 0x7F, task_error_ = 0;
    u32 active_ = 0, issued_ = 0; ///< PxSACT, PxCI
    u32 fetched_ = 0;
    u8 current_slot_ = 0;
    bool halted_ = false, signature_pending_ = false, soft_reset_ = false;
    u64 media_free_ = 0; ///< the medium moves one command's sectors at a time
    std::array<Flight, 32> flights_{};
};

} // namespace vitrine::devices
