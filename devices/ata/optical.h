// Optical — a SATA CD/DVD-ROM drive: ATAPI packet commands over 2048-byte blocks, a tray, and media that
// change.
//
// Implements: ATA8-ACS 4.3 (PACKET feature set), 7.17 (IDENTIFY PACKET DEVICE), 7.21 (PACKET); SPC-3
// (INQUIRY, REQUEST SENSE, sense keys); MMC-5 (READ, READ TOC, GET CONFIGURATION, GET EVENT STATUS
// NOTIFICATION, READ CD …). Files: optical.cpp (ATA side, tray, sense), optical_packet.cpp (commands),
// optical_pages.cpp (what they answer).
//
// The medium is one data track, mode 1, one session: what an ISO 9660 image holds. The host inserts and takes
// media; the guest may open the tray, which keeps the medium but makes it unreadable until the tray closes.
//
// Invariants: a medium that appears is announced by UNIT ATTENTION once, and by a media event once; every
// length and address in a packet is bounded before data moves.
//
// Inaccuracies: read only; no audio, no raw sectors with EDC/ECC (READ CD gives user data only, and says so
// by refusing the rest); faster than any spindle: 20 µs a block; no asynchronous notification.
#pragma once
#include "devices/ata/sata_device.h"
#include "devices/block_backend.h"

namespace vitrine::devices::ata {

/// Sense key, additional sense code and its qualifier: SPC-3 4.5.6.
struct Sense {
    u8 key = 0, code = 0, qualifier = 0;
    bool operator==(const Sense&) const = default;
    void serialize(Archive& archive) { archive(key, code, qualifier); }
};

class Optical final : public SataDevice {
public:
    static constexpr u64 BlockSize = 2048;

    /// `medium` may be null: an empty drive. It outlives the drive or is taken out first.
    explicit Optical(BlockBackend* medium, std::string model = "VITRINE DVD-ROM",
                     std::string serial = "VC00001")
        : medium_(medium), model_(std::move(model)), serial_(std::move(serial)) {}

    /// The host changes the medium (null: takes it out). False: the guest has locked the tray.
    bool change_medium(BlockBackend* medium);
    /// After a load: the disc that lay in the drive then. Nothing is announced.
    void set_medium(BlockBackend* medium) { medium_ = medium; }
    bool locked() const { return locked_; }
    bool has_medium() const { return medium_ != nullptr; }

    void hard_reset() override;
    void soft_reset() override;
    Result signature() const override;
    Plan plan(const Command& command, bool queue_busy) const override;
    Result execute(const Command& command, DataPort& data) override;
    Result refusal(const Command& command, u8 error) const override;
    void failed(unsigned tag, bool queued, const Command& command, u8 error) override;
    void serialize(Archive& archive) override;
    void describe(const std::string& prefix, std::vector<Field>& out) const override;
    Extent extent(const Command& command) const override;

private:
    /// GET EVENT STATUS NOTIFICATION, media class: MMC-5 table 294.
    enum class MediaEvent : u8 { NoChange = 0, EjectRequest = 1, NewMedia = 2, Removal = 3 };
    static constexpr Sense None{}, NoMedium{2, 0x3A, 0x01}, NoMediumTrayOpen{2, 0x3A, 0x02},
        ReadFailed{3, 0x11, 0x00}, BadOpcode{5, 0x20, 0x00}, BadAddress{5, 0x21, 0x00},
        BadField{5, 0x24, 0x00}, BadMode{5, 0x64, 0x00}, RemovalPrevented{5, 0x53, 0x02},
        NothingSaved{5, 0x39, 0x00}, MediumChanged{6, 0x28, 0x00}, WasReset{6, 0x29, 0x00};
    using Packet = std::array<u8, 16>;

    bool readable() const { return medium_ && !tray_open_; }
    u64 blocks() const { return readable() ? medium_->sectors() / (BlockSize / SectorSize) : 0; }
    // optical_packet.cpp
    struct Range {
        u64 block = 0, count = 0;
    };
    static Range range_of(const Packet& packet);
    Sense run(const Packet& packet, DataPort& data, u64& sent);
    Sense answer(std::span<const u8> bytes, u64 allocation, DataPort& data, u64& sent);
    Sense read_blocks(const Packet& packet, DataPort& data, u64& sent);
    Sense start_stop(const Packet& packet);
    // optical_pages.cpp
    std::array<u8, SectorSize> identify() const;
    std::vector<u8> sense_data() const;
    std::vector<u8> inquiry() const;
    std::vector<u8> capacity() const;
    Sense table_of_contents(const Packet& packet, std::vector<u8>& out) const;
    std::vector<u8> configuration(const Packet& packet) const;
    std::vector<u8> event_status(const Packet& packet);
    std::vector<u8> disc_information() const;
    Sense mode_sense(const Packet& packet, std::vector<u8>& out) const;
    std::vector<u8> mechanism_status() const;

    BlockBackend* medium_;
    std::string model_, serial_;

    Sense sense_{}, attention_ = WasReset; ///< of the last command; waiting to be told
    MediaEvent event_ = MediaEvent::NoChange;
    bool tray_open_ = false, locked_ = false, sleeping_ = false;
};

} // namespace vitrine::devices::ata
