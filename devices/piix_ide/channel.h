// One IDE channel: the task files of its two drives, the protocols that run over them, and its bus master.
// Private to piix_ide/.
//
// channel.cpp: registers, resets, state. protocol.cpp: commands from issue to end.
// A command goes: Waiting (BSY, until its time is over) → for PIO out and PACKET first Collecting (DRQ) →
// executed → for PIO in Delivering (DRQ, a block an interrupt) → Idle. DMA commands wait for the bus master's
// start bit as well (AwaitingMaster).
#pragma once
#include "devices/block_backend.h"
#include "devices/piix_ide/piix_ide.h"

namespace vitrine::devices {

inline constexpr u32 IdePacketBytes = 12;
/// What a channel keeps of one command's data: the most that READ and WRITE SECTORS (EXT) move.
inline constexpr std::size_t LargestIdeBuffer = 65536 * std::size_t{SectorSize};

class PiixIde::Channel {
public:
    Channel(PiixIde& ide, unsigned index);

    void attach(unsigned slave, std::unique_ptr<ata::SataDevice> drive) { drives_[slave] = std::move(drive); }
    bool has(unsigned slave) const { return drives_[slave] != nullptr; }
    void reset();
    u8 read(unsigned reg);
    void write(unsigned reg, u8 value);
    u8 alternate_status() const { return status(); }
    void write_control(u8 value);
    u16 read_data();
    void write_data(u16 value);
    // The bus master's registers: command, status, PRD table.
    u8 master_command() const { return master_command_; }
    u8 master_status() const { return master_status_; }
    u32 table() const { return table_; }
    void write_master_command(u8 value);
    void write_master_status(u8 value);
    void write_table(unsigned byte, u8 value);

    void serialize(Archive& archive);
    void describe(std::vector<Field>& out) const;

private:
    enum class Phase : u8 { Idle, Waiting, CollectingPacket, Collecting, AwaitingMaster, Delivering };
    static constexpr Phase LastPhase = Phase::Delivering;

    // A byte register remembers the value before, which HOB shows.
    struct Latched {
        u8 now = 0, before = 0;
        void write(u8 value) { before = now, now = value; }
        void serialize(Archive& archive) { archive(now, before); }
    };
    /// Each drive has its own; what the host writes reaches both, what it reads is the selected one's
    /// (ATA/ATAPI-6 7.1).
    struct TaskFile {
        Latched features, count, lba[3];
        u8 status = 0, error = 0;
        u8 multiple = 1; ///< sectors a block of READ and WRITE MULTIPLE; as the drive last took it
        void serialize(Archive& archive) { archive(features, count, lba, status, error, multiple); }
    };

    // channel.cpp
    ata::SataDevice* selected() const { return drives_[selection() ? 1 : 0].get(); }
    unsigned selection() const { return device_ >> 4 & 1; }
    TaskFile& file() { return files_[selection()]; }
    const TaskFile& file() const { return files_[selection()]; }
    u8 status() const;
    /// The selected drive has the registers: BSY or DRQ.
    bool taken() const { return (file().status & (ata::Busy | ata::DataRequest)) != 0; }
    void set_interrupt(bool pending);
    void update_line();
    void post_signature();
    static void load(TaskFile& file, const ata::Result& result);
    // protocol.cpp
    void command(u8 code);
    void begin(u64 latency);
    void ready();
    void execute();
    void finish(const ata::Result& result);
    void offer_block();
    void ask_for_block();
    u32 block_bytes() const;
    void tell(Stage stage) const;

    PiixIde& ide_;
    const unsigned index_;
    EventId event_;
    std::array<std::unique_ptr<ata::SataDevice>, 2> drives_;

    TaskFile files_[2];
    u8 device_ = 0, control_ = 0;
    bool pending_ = false; ///< INTRQ, before nIEN
    bool line_ = false;    ///< as driven

    Phase phase_ = Phase::Idle;
    ata::Command current_{};
    ata::Protocol protocol_ = ata::Protocol::NonData;
    u8 refused_ = 0; ///< completes with this error
    u64 medium_free_ = 0;
    std::vector<u8> buffer_;
    u32 at_ = 0, block_end_ = 0; ///< in buffer_; the block that DRQ is set for
    ata::Result result_{};       ///< of the executed command, told when its data are fetched

    u8 master_command_ = 0, master_status_ = 0;
    u32 table_ = 0;
};

} // namespace vitrine::devices
