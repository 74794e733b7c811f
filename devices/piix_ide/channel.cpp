// piix_ide channel — the task file (ATA/ATAPI-6 7), resets, the bus master's registers (Bus Master IDE 1.0
// chapter 2), state.
#include "devices/piix_ide/channel.h"
#include "devices/register.h"

namespace vitrine::devices {
namespace {

enum TaskFile : unsigned { Data, Error, SectorCount, LbaLow, LbaMiddle, LbaHigh, Device, StatusCommand };
using InterruptOff = Bits<1>; // device control
using SoftReset = Bits<2>;
using HighOrder = Bits<7>;
using MasterStart = Bits<0>; // bus master command
constexpr u8 MasterActive = 1, MasterError = 2, MasterInterrupt = 4, DmaCapable = 0x60;

} // namespace

PiixIde::Channel::Channel(PiixIde& ide, unsigned index) : ide_(ide), index_(index) {
    event_ = ide_.events_.add("ide channel " + std::to_string(index), [this] { ready(); });
}

void PiixIde::Channel::reset() {
    files_[0] = files_[1] = {};
    device_ = control_ = 0;
    master_command_ = master_status_ = 0;
    table_ = 0;
    medium_free_ = 0;
    current_ = {};
    protocol_ = ata::Protocol::NonData;
    refused_ = 0;
    result_ = {};
    at_ = block_end_ = 0;
    for (auto& drive : drives_)
        if (drive) drive->hard_reset();
    phase_ = Phase::Idle;
    buffer_.clear();
    ide_.events_.cancel(event_);
    set_interrupt(false);
    post_signature();
}

/// After a reset each drive has put its signature into its registers, and drive 0 is selected.
void PiixIde::Channel::post_signature() {
    device_ = 0;
    for (unsigned i = 0; i < 2; ++i)
        if (drives_[i]) load(files_[i], drives_[i]->signature());
}

void PiixIde::Channel::load(TaskFile& file, const ata::Result& result) {
    file.status = result.status;
    file.error = result.error;
    file.count = {static_cast<u8>(result.count), static_cast<u8>(result.count >> 8)};
    for (unsigned i = 0; i < 3; ++i)
        file.lba[i] = {static_cast<u8>(result.lba >> (8 * i)), static_cast<u8>(result.lba >> (24 + 8 * i))};
}

/// Nobody drives the bus for a drive that is not there; drive 0 answers for an absent drive 1
/// (ATA/ATAPI-6 9.16.1).
u8 PiixIde::Channel::status() const { return selected() ? file().status : u8{0}; }

void PiixIde::Channel::set_interrupt(bool pending) {
    if (pending && !pending_) master_status_ |= MasterInterrupt;
    pending_ = pending;
    update_line();
}

void PiixIde::Channel::update_line() {
    const bool level = pending_ && !InterruptOff::test(control_);
    if (level == line_) return;
    line_ = level;
    ide_.interrupt_(index_, level);
}

u8 PiixIde::Channel::read(unsigned reg) {
    if (reg == StatusCommand) {
        const u8 value = status();
        set_interrupt(false);
        return value;
    }
    if (!selected()) return 0;
    const bool before = HighOrder::test(control_);
    switch (reg) {
    case Error: return file().error;
    case SectorCount: return before ? file().count.before : file().count.now;
    case LbaLow:
    case LbaMiddle:
    case LbaHigh: return before ? file().lba[reg - LbaLow].before : file().lba[reg - LbaLow].now;
    default: return device_;
    }
}

void PiixIde::Channel::write(unsigned reg, u8 value) {
    control_ &= static_cast<u8>(~HighOrder::mask); // any write to the command block clears HOB
    if (reg == StatusCommand) return command(value);
    // The drive has the registers; a sleeping one, which is silent for ever, lets the host choose the other.
    if (taken() && (reg != Device || phase_ != Phase::Idle)) return;
    if (reg == Device) {
        if (((value ^ device_) & 0x10) != 0) set_interrupt(false);
        device_ = value;
        return;
    }
    for (TaskFile& drive : files_) switch (reg) {
        case Error: drive.features.write(value); break;
        case SectorCount: drive.count.write(value); break;
        case LbaLow:
        case LbaMiddle:
        case LbaHigh: drive.lba[reg - LbaLow].write(value); break;
        default: break;
        }
}

void PiixIde::Channel::write_control(u8 value) {
    const bool was = SoftReset::test(control_), is = SoftReset::test(value);
    control_ = value;
    if (is && !was) {
        for (auto& drive : drives_)
            if (drive) drive->soft_reset();
        phase_ = Phase::Idle;
        buffer_.clear();
        at_ = block_end_ = 0;
        ide_.events_.cancel(event_);
        for (TaskFile& drive : files_) drive.status = ata::Busy;
        master_status_ &= static_cast<u8>(~MasterActive);
        set_interrupt(false);
    } else if (was && !is) {
        post_signature();
    }
    update_line();
}

void PiixIde::Channel::write_master_command(u8 value) {
    const bool was = MasterStart::test(master_command_), is = MasterStart::test(value);
    if (was && is)
        value = static_cast<u8>((value & ~8) | (master_command_ & 8)); // the direction is fixed while active
    master_command_ = value & 9;
    if (is && !was) {
        master_status_ |= MasterActive;
        if (phase_ == Phase::AwaitingMaster) execute();
    } else if (!is) {
        master_status_ &= static_cast<u8>(~MasterActive);
    }
}

void PiixIde::Channel::write_master_status(u8 value) {
    master_status_ = static_cast<u8>(
        (master_status_ & ~DmaCapable & ~(value & (MasterError | MasterInterrupt))) | (value & DmaCapable));
}

void PiixIde::Channel::write_table(unsigned byte, u8 value) {
    table_ = static_cast<u32>(put_bytes(table_, byte, 1, value)) & ~u32{3};
}

void PiixIde::Channel::serialize(Archive& archive) {
    for (unsigned i = 0; i < 2; ++i) {
        bool attached = drives_[i] != nullptr;
        archive(attached);
        if (archive.loading() && archive.ok() && attached != (drives_[i] != nullptr))
            return archive.fail("an IDE channel has a drive here but not there");
        if (drives_[i]) drives_[i]->serialize(archive);
    }
    archive(files_, device_, control_, pending_, line_, phase_, current_, protocol_, refused_, medium_free_,
            at_, block_end_);
    archive(result_.status, result_.error, result_.device, result_.count, result_.lba, result_.last_block);
    archive(master_command_, master_status_, table_);
    u32 size = static_cast<u32>(buffer_.size());
    archive(size);
    if (archive.loading()) {
        if (!archive.ok()) return;
        if (size > LargestIdeBuffer) return archive.fail("an IDE buffer is larger than any command's");
        buffer_.assign(size, 0);
    }
    if (size != 0) archive.bytes(buffer_.data(), size);
    if (!archive.loading() || !archive.ok()) return;
    const bool moving =
        phase_ == Phase::Delivering || phase_ == Phase::Collecting || phase_ == Phase::CollectingPacket;
    if (phase_ > LastPhase || static_cast<u8>(protocol_) > ata::LastProtocol || current_.lba >> 48 != 0 ||
        medium_free_ > u64{1} << 62 || files_[0].multiple == 0 || files_[1].multiple == 0 ||
        at_ > block_end_ || block_end_ > size || (moving && at_ == block_end_) ||
        (phase_ == Phase::CollectingPacket && (size != IdePacketBytes || block_end_ != size)) ||
        (phase_ != Phase::Idle && !selected()) || (line_ && !pending_) || (table_ & 3) != 0)
        archive.fail("an IDE channel's state is impossible");
}

void PiixIde::Channel::describe(std::vector<Field>& out) const {
    for (unsigned i = 0; i < 2; ++i)
        if (drives_[i])
            drives_[i]->describe(
                (index_ == 0 ? "primary" : "secondary") + std::string(i == 0 ? ".master." : ".slave."), out);
    const std::string who = index_ == 0 ? "primary." : "secondary.";
    out.push_back({who + "status", status(),
                   (status() & ata::Busy) != 0          ? "busy"
                   : (status() & ata::DataRequest) != 0 ? "data"
                                                        : "idle"});
    out.push_back({who + "command", current_.code, phase_ == Phase::Idle ? "over" : "running"});
    out.push_back(
        {who + "busmaster", master_status_, (master_status_ & MasterActive) != 0 ? "active" : "idle"});
}

} // namespace vitrine::devices
