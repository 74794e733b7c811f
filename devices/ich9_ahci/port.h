// One AHCI port with its drive: registers, received-FIS area, command slots, ATA device state. Private to
// ich9_ahci/.
//
// port.cpp: registers, resets, FIS posting. command.cpp: fetch and decode. transfer.cpp: completion and data.
// Invariants: at most one non-queued command is in flight (it holds BSY); a slot is fetched at most once per
// setting of its PxCI bit; after a fatal error nothing runs until software clears PxCMD.ST (AHCI 6.2.2).
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

/// ATA status and error registers.
namespace ata {
inline constexpr u8 Busy = 0x80, Ready = 0x40, SeekComplete = 0x10, DataRequest = 0x08, StatusError = 0x01;
inline constexpr u8 Abort = 0x04, IdNotFound = 0x10, Uncorrectable = 0x40;
enum class Data : u8 { None, In, Out, Identify, Log };
/// What a command code means to the transport.
struct CommandKind {
    u8 code;
    Data data;
    bool extended; ///< 48-bit address, 16-bit count
    bool queued;
    bool pio;
};
const CommandKind* find_command(u8 code);
} // namespace ata

class Ich9Ahci::Port {
public:
    Port(Ich9Ahci& hba, unsigned index);

    void attach(Drive drive);
    bool present() const { return drive_.backend != nullptr; }
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
        u8 command = 0, device = 0, features = 0;
        u8 error = 0; ///< decided at decode: completes with this error
        u64 lba = 0, due = 0, table = 0;
        u32 sectors = 0;
        u16 entries = 0; ///< PRD entries
        void serialize(Archive& archive) {
            archive(active, command, device, features, error, lba, due, table, sectors, entries);
        }
    };
    struct Outcome {
        u8 error = 0;
        bool host_fatal = false, overflow = false;
        u32 bytes = 0;
    };
    /// Walks a PRD table (4.2.3.3) and moves bytes between guest memory and a staging buffer.
    class Scatter;

    // port.cpp
    u32 interrupt_status() const;
    bool running() const { return (command_ & 1) != 0; }
    bool receiving() const { return (command_ & 0x10) != 0; }
    void write_command(u32 value);
    void write_control(u32 value);
    void device_reset();
    void post_signature();
    bool post_fis(unsigned offset, std::span<const u8> fis);
    void post_device_to_host(const Flight& flight, bool interrupt);
    void post_pio_setup(const Flight& flight);
    void post_set_device_bits(u32 completed);
    void raise(u32 bits);
    void fatal(u32 bits);
    void drop_flights();
    // command.cpp
    void issue();
    void fetch(unsigned slot);
    void control_fis(unsigned slot, u8 control);
    void decode(unsigned slot, std::span<const u8, 20> fis, Flight& flight);
    u8 set_features(const Flight& flight);
    void start(unsigned slot, Flight flight);
    void arm();
    // transfer.cpp
    void event();
    void complete(unsigned slot);
    Outcome transfer(const Flight& flight);
    Outcome send_buffer(const Flight& flight, std::span<const u8> bytes);
    std::array<u8, 512> identify() const;
    std::array<u8, 512> error_log() const;

    Ich9Ahci& hba_;
    const unsigned index_;
    EventId event_;
    Drive drive_;

    u64 list_ = 0, fis_ = 0; ///< PxCLB, PxFB
    u32 status_ = 0, interrupt_enable_ = 0, command_ = 6, control_ = 0, sata_error_ = 0;
    u32 signature_ = 0xFFFFFFFF;
    u8 task_status_ = 0x7F, task_error_ = 0;
    u32 active_ = 0, issued_ = 0; ///< PxSACT, PxCI
    u32 fetched_ = 0;
    u8 current_slot_ = 0;
    bool halted_ = false, signature_pending_ = false, soft_reset_ = false;
    bool write_cache_ = true, look_ahead_ = true;
    u64 media_free_ = 0;                   ///< the medium moves one command's sectors at a time
    u8 failed_tag_ = 0, failed_error_ = 0; ///< for log page 10h
    u64 failed_lba_ = 0;
    std::array<Flight, 32> flights_{};
};

} // namespace vitrine::devices
