// Disk — an ATA disk of 512-byte sectors behind a SATA link: 48-bit addresses, native command queueing,
// general purpose logs, power management.
//
// Implements: ATA8-ACS (commands, IDENTIFY DEVICE); Serial ATA 3.0 13.6 (NCQ), 13.7 (log page 10h).
// Files: disk.cpp (commands), disk_identify.cpp (IDENTIFY DEVICE, logs).
//
// Inaccuracies: latency does not depend on where the data lies; no SMART, DATA SET MANAGEMENT, security, host
// protected area or streaming feature set (IDENTIFY offers none); standby costs nothing to leave; after a
// queued error other commands are taken before log page 10h was read.
#pragma once
#include "devices/ata/sata_device.h"
#include "devices/block_backend.h"

namespace vitrine::devices::ata {

class Disk final : public SataDevice {
public:
    /// `model` and `serial`: at most 40 and 20 ASCII characters. The backend outlives the disk.
    explicit Disk(BlockBackend& backend, std::string model = "VITRINE HARDDISK",
                  std::string serial = "VT00001")
        : backend_(backend), model_(std::move(model)), serial_(std::move(serial)) {}

    void hard_reset() override;
    void soft_reset() override;
    Result signature() const override;
    Plan plan(const Command& command, bool queue_busy) const override;
    Result execute(const Command& command, DataPort& data) override;
    void failed(unsigned tag, bool queued, const Command& command, u8 error) override;
    void serialize(Archive& archive) override;
    void describe(const std::string& prefix, std::vector<Field>& out) const override;
    Extent extent(const Command& command) const override;

private:
    enum class Power : u8 { Active, Idle, Standby, Sleep };
    using Page = std::array<u8, SectorSize>;

    u8 refuse(const Command& command, bool queue_busy) const;
    u8 set_features(const Command& command);
    u8 set_transfer_mode(u8 mode);
    u8 transfer(const Command& command, DataPort& data);
    u8 read_log(const Command& command, DataPort& data) const;
    // disk_identify.cpp
    Page identify() const;
    Page log_directory() const;
    Page error_log() const;

    BlockBackend& backend_;
    std::string model_, serial_;

    bool write_cache_ = true, look_ahead_ = true;
    u8 multiple_ = 0;         ///< sectors a READ MULTIPLE block; 0: not set
    u8 transfer_mode_ = 0x46; ///< SET FEATURES 03h: Ultra DMA 6
    Power power_ = Power::Active;
    // Log page 10h.
    u8 failed_tag_ = 0, failed_error_ = 0, failed_status_ = 0;
    bool failed_queued_ = false;
    u64 failed_lba_ = 0;
    u16 failed_count_ = 0;
    u8 failed_device_ = 0;
};

} // namespace vitrine::devices::ata
