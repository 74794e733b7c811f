// piix_ide protocols — a command from its issue to its end: non-data, PIO, DMA, PACKET (ATA/ATAPI-6 9.5–9.8;
// Bus Master IDE 1.0 chapter 3).
#include <algorithm>
#include "devices/piix_ide/channel.h"
#include "devices/register.h"

namespace vitrine::devices {
namespace {

enum : u8 {
    DeviceReset = 0x08,
    DeviceDiagnostic = 0x90,
    PacketCode = 0xA0,
    SetMultiple = 0xC6,
    IdentifyDevice = 0xEC
};
constexpr u8 MasterActive = 1, MasterError = 2;
constexpr u8 PacketIn = 2, PacketCommandPhase = 1,
             PacketOver = 3; // interrupt reason, in the sector count register
constexpr u32 MostPrds = 8192;

bool is_multiple(u8 code) { return code == 0x29 || code == 0x39 || code == 0xC4 || code == 0xC5; }
/// TEST UNIT READY, START STOP UNIT, PREVENT ALLOW, SEEK, SET CD SPEED do not.
bool packet_moves_data(u8 opcode) {
    return opcode != 0x00 && opcode != 0x1B && opcode != 0x1E && opcode != 0x2B && opcode != 0xBB;
}
bool is_packet(ata::Protocol protocol) {
    return protocol == ata::Protocol::PacketPio || protocol == ata::Protocol::PacketDma;
}

/// PIO: the drive's data FISes become a buffer that the processor fetches or has filled.
class BufferPort final : public ata::DataPort {
public:
    BufferPort(std::vector<u8>& buffer, bool in) : buffer_(buffer), in_(in) {}
    End send(std::span<const u8> bytes) override {
        // A packet may ask for gigabytes; what a PIO command can hold is the largest READ SECTORS.
        if (!in_ || bytes.size() > LargestIdeBuffer - buffer_.size()) return End::TableShort;
        buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
        return End::Done;
    }
    End receive(std::span<u8> bytes) override {
        if (in_ || bytes.size() > buffer_.size() - at_) return End::TableShort;
        std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(at_), bytes.size(), bytes.begin());
        at_ += bytes.size();
        return End::Done;
    }
    End covers(u64 bytes) override { return !in_ && bytes <= buffer_.size() ? End::Done : End::TableShort; }

private:
    std::vector<u8>& buffer_;
    const bool in_;
    std::size_t at_ = 0;
};

/// DMA: the bus master's physical region descriptors.
class MasterPort final : public ata::DataPort {
public:
    MasterPort(DmaPort& memory, bool master, u32 table, bool to_memory)
        : memory_(memory), next_(table), master_(master), to_memory_(to_memory) {}
    End send(std::span<const u8> bytes) override {
        if (!to_memory_) return end_ = End::BusError;
        return walk(bytes.size(), [&](u32 pa, std::size_t at, std::size_t n) {
            return memory_.write(pa, bytes.subspan(at, n));
        });
    }
    End receive(std::span<u8> bytes) override {
        if (to_memory_) return end_ = End::BusError;
        return walk(bytes.size(), [&](u32 pa, std::size_t at, std::size_t n) {
            return memory_.read(pa, bytes.subspan(at, n));
        });
    }
    End covers(u64 bytes) override {
        MasterPort copy = *this;
        u64 total = copy.left_;
        while (total < bytes) {
            if (copy.last_) return End::TableShort;
            if (!copy.advance()) return end_ = End::BusError;
            total += copy.left_;
        }
        return End::Done;
    }
    End end() const { return end_; }
    /// Every byte that the table describes has been moved.
    bool exhausted() const { return last_ && left_ == 0; }

private:
    bool advance() {
        std::array<u8, 8> entry{};
        if (!master_ || read_ == MostPrds || !memory_.read(next_, entry)) return false;
        next_ += 8;
        ++read_;
        address_ = static_cast<u32>(load_little(entry, 0, 4)) & ~u32{1};
        left_ = static_cast<u32>(load_little(entry, 4, 2)) & 0xFFFE;
        if (left_ == 0) left_ = 0x10000;
        last_ = (entry[7] & 0x80) != 0;
        return true;
    }
    template <class Move> End walk(std::size_t size, Move&& move) {
        for (std::size_t at = 0; at < size && end_ == End::Done;) {
            if (left_ == 0 && last_) return end_ = End::TableShort;
            if (left_ == 0 && !advance()) return end_ = End::BusError;
            const std::size_t n = std::min<std::size_t>(left_, size - at);
            if (!move(address_, at, n)) return end_ = End::BusError;
            address_ += static_cast<u32>(n);
            left_ -= static_cast<u32>(n);
            at += n;
        }
        return end_;
    }
    DmaPort& memory_;
    u32 next_, address_ = 0, left_ = 0, read_ = 0;
    const bool master_, to_memory_;
    bool last_ = false;
    End end_ = End::Done;
};

} // namespace

void PiixIde::Channel::command(u8 code) {
    ata::SataDevice* drive = selected();
    if (code == DeviceDiagnostic)
        drive = drives_[0] ? drives_[0].get() : drives_[1].get(); // both run it, drive 0 answers
    if (!drive) return;
    // BSY and DRQ keep commands out; a packet device takes DEVICE RESET all the same (ATA8-ACS 7.10).
    const bool device_reset = code == DeviceReset && drive->signature().lba != 1;
    if (taken() && !device_reset) return;
    if (code == DeviceDiagnostic) device_ = 0;
    TaskFile& file = this->file();
    set_interrupt(false);
    buffer_.clear();
    at_ = block_end_ = 0;
    current_ = {.code = code,
                .device = device_,
                .features = static_cast<u16>(file.features.now | file.features.before << 8),
                .count = static_cast<u16>(file.count.now | file.count.before << 8)};
    for (unsigned i = 0; i < 3; ++i)
        current_.lba |= u64{file.lba[i].now} << (8 * i) | u64{file.lba[i].before} << (24 + 8 * i);
    file.error = 0;
    if (code == PacketCode) { // first the packet, then what it asks for
        protocol_ = (file.features.now & 1) != 0 ? ata::Protocol::PacketDma : ata::Protocol::PacketPio;
        const ata::Plan plan = drive->plan(current_, false);
        refused_ = plan.error;
        if (refused_ == 0 && !plan.silent) {
            buffer_.assign(IdePacketBytes, 0);
            phase_ = Phase::CollectingPacket;
            block_end_ = IdePacketBytes;
            file.count = {PacketCommandPhase, 0};
            file.status = ata::Ready | ata::SeekComplete | ata::DataRequest; // no interrupt: DRQ is at once
            return;
        }
    }
    const ata::Plan plan = drive->plan(current_, false);
    protocol_ = plan.protocol;
    refused_ = plan.error;
    if (protocol_ == ata::Protocol::Queued)
        protocol_ = ata::Protocol::NonData, refused_ = ata::Abort; // SATA's alone
    if (plan.silent) {
        file.status = ata::Busy; // a sleeping drive: only a reset gets it back
        phase_ = Phase::Idle;
        return;
    }
    if (protocol_ == ata::Protocol::PioOut && refused_ == 0) {
        buffer_.assign(static_cast<std::size_t>(drive->extent(current_).sectors * SectorSize), 0);
        phase_ = Phase::Collecting;
        tell(Stage::Issued);
        return ask_for_block(); // the first block is asked for without an interrupt
    }
    const u64 now = ide_.events_.now(), start = std::max(now, medium_free_);
    medium_free_ = start + (refused_ == 0 ? plan.medium : 0);
    begin(medium_free_ - now + plan.latency);
    tell(Stage::Issued);
}

void PiixIde::Channel::begin(u64 latency) {
    file().status = ata::Busy | ata::SeekComplete;
    phase_ = Phase::Waiting;
    ide_.events_.schedule_after(event_, latency);
}

/// The command's time is over.
void PiixIde::Channel::ready() {
    if (phase_ != Phase::Waiting || !selected()) return;
    const bool dma = protocol_ == ata::Protocol::Dma || protocol_ == ata::Protocol::PacketDma;
    const bool moves = protocol_ == ata::Protocol::Dma || packet_moves_data(current_.packet[0]);
    if (refused_ == 0 && dma && moves && (master_command_ & 1) == 0) { // DMARQ waits for the host
        phase_ = Phase::AwaitingMaster;
        return;
    }
    execute();
}

void PiixIde::Channel::execute() {
    ata::SataDevice& drive = *selected();
    if (refused_ != 0) {
        const ata::Result result = drive.refusal(current_, refused_);
        drive.failed(0, false, current_, refused_);
        return finish(result);
    }
    tell(Stage::Moving);
    if (protocol_ == ata::Protocol::Dma || protocol_ == ata::Protocol::PacketDma) {
        MasterPort port(ide_.memory_, ide_.bus_master(), table_, (master_command_ & 8) != 0);
        const ata::Result result = drive.execute(current_, port);
        if (port.end() == ata::DataPort::End::BusError) {
            ide_.log("a PRD or its memory cannot be reached, or the direction is the wrong one");
            master_status_ |= MasterError;
        }
        if (port.exhausted() || port.end() != ata::DataPort::End::Done)
            master_status_ &= static_cast<u8>(~MasterActive);
        return finish(result);
    }
    const bool in = protocol_ != ata::Protocol::PioOut;
    BufferPort port(buffer_, in);
    if (in) buffer_.clear();
    at_ = block_end_ = 0;
    result_ = drive.execute(current_, port);
    if (current_.code == SetMultiple && result_.error == 0)
        file().multiple = std::max<u8>(static_cast<u8>(current_.count), 1);
    if (!in) buffer_.clear();
    if (buffer_.empty() || (result_.status & ata::StatusError) != 0) return finish(result_);
    phase_ = Phase::Delivering;
    offer_block();
}

u32 PiixIde::Channel::block_bytes() const {
    const u32 left = static_cast<u32>(buffer_.size()) - block_end_;
    if (is_packet(protocol_)) { // the byte count limit of the command, even (ATA8-ACS 7.21.4)
        u32 limit = static_cast<u32>(current_.lba >> 8 & 0xFFFF);
        if (limit == 0 || limit == 0xFFFF) limit = 0xFFFE;
        return std::min(left, std::max(limit & ~1u, 2u));
    }
    return std::min<u32>(left,
                         (is_multiple(current_.code) ? file().multiple : 1) * static_cast<u32>(SectorSize));
}

/// Data in: DRQ and an interrupt for each block.
void PiixIde::Channel::offer_block() {
    const u32 bytes = block_bytes();
    block_end_ += bytes;
    file().status = ata::Ready | ata::SeekComplete | ata::DataRequest;
    if (is_packet(protocol_)) {
        file().count = {PacketIn, 0};
        file().lba[1] = {static_cast<u8>(bytes), 0};
        file().lba[2] = {static_cast<u8>(bytes >> 8), 0};
    }
    set_interrupt(true);
}

void PiixIde::Channel::ask_for_block() {
    block_end_ += block_bytes();
    file().status = ata::Ready | ata::SeekComplete | ata::DataRequest;
}

u16 PiixIde::Channel::read_data() {
    if (phase_ != Phase::Delivering) return 0xFFFF;
    const u16 value = static_cast<u16>(load_little(buffer_, at_, 2));
    at_ = std::min(at_ + 2, block_end_);
    if (at_ < block_end_) return value;
    if (block_end_ < buffer_.size()) {
        offer_block();
    } else if (is_packet(protocol_)) {
        finish(result_); // the status comes with an interrupt of its own
    } else {             // the last block ends a PIO command in silence
        buffer_.clear();
        at_ = block_end_ = 0;
        phase_ = Phase::Idle;
        load(file(), result_);
        tell(Stage::Done);
    }
    return value;
}

void PiixIde::Channel::write_data(u16 value) {
    if (phase_ != Phase::Collecting && phase_ != Phase::CollectingPacket) return;
    store_little(buffer_, at_, 2, value);
    at_ = std::min(at_ + 2, block_end_);
    if (at_ < block_end_) return;
    if (phase_ == Phase::CollectingPacket) {
        current_.packet = {};
        std::copy_n(buffer_.begin(), IdePacketBytes, current_.packet.begin());
        buffer_.clear();
        at_ = block_end_ = 0;
        const ata::Plan plan = selected()->plan(current_, false);
        tell(Stage::Issued);
        return begin(plan.medium + plan.latency);
    }
    if (block_end_ < buffer_.size()) {
        ask_for_block();
        return set_interrupt(true);
    }
    const ata::Plan plan = selected()->plan(current_, false);
    begin(plan.medium + plan.latency);
}

void PiixIde::Channel::finish(const ata::Result& result) {
    phase_ = Phase::Idle;
    buffer_.clear();
    at_ = block_end_ = 0;
    if (current_.code == DeviceDiagnostic) post_signature(); // drive 1 has run it, too
    load(file(), result);
    if (is_packet(protocol_)) file().count.now = PacketOver;
    tell(Stage::Done);
    if (current_.code != DeviceReset) set_interrupt(true);
}

void PiixIde::Channel::tell(Stage stage) const {
    if (!ide_.request_sink_ || !selected()) return;
    const auto extent = selected()->extent(current_);
    ide_.request_sink_(
        {index_ * 2 + selection(), 0, current_.code, extent.lba, extent.sectors, ide_.events_.now()}, stage);
}

} // namespace vitrine::devices
