// Disk — what each ATA command asks for and does (ATA8-ACS 7).
#include "devices/ata/disk.h"
#include <algorithm>
#include <bit>
#include "devices/register.h"

namespace vitrine::devices::ata {
namespace {

enum class Data : u8 { None, In, Out, Page };

struct Kind {
    u8 code;
    Data data;
    bool extended; ///< 48-bit address, 16-bit count
    Protocol protocol;
};

constexpr Kind Kinds[] = {
    {0x20, Data::In, false, Protocol::PioIn},     // READ SECTORS
    {0x24, Data::In, true, Protocol::PioIn},      // READ SECTORS EXT
    {0x25, Data::In, true, Protocol::Dma},        // READ DMA EXT
    {0x29, Data::In, true, Protocol::PioIn},      // READ MULTIPLE EXT
    {0x2F, Data::Page, true, Protocol::PioIn},    // READ LOG EXT
    {0x30, Data::Out, false, Protocol::PioOut},   // WRITE SECTORS
    {0x34, Data::Out, true, Protocol::PioOut},    // WRITE SECTORS EXT
    {0x35, Data::Out, true, Protocol::Dma},       // WRITE DMA EXT
    {0x39, Data::Out, true, Protocol::PioOut},    // WRITE MULTIPLE EXT
    {0x40, Data::None, false, Protocol::NonData}, // READ VERIFY SECTORS
    {0x42, Data::None, true, Protocol::NonData},  // READ VERIFY SECTORS EXT
    {0x60, Data::In, true, Protocol::Queued},     // READ FPDMA QUEUED
    {0x61, Data::Out, true, Protocol::Queued},    // WRITE FPDMA QUEUED
    {0x90, Data::None, false, Protocol::NonData}, // EXECUTE DEVICE DIAGNOSTIC
    {0xC4, Data::In, false, Protocol::PioIn},     // READ MULTIPLE
    {0xC5, Data::Out, false, Protocol::PioOut},   // WRITE MULTIPLE
    {0xC6, Data::None, false, Protocol::NonData}, // SET MULTIPLE MODE
    {0xC8, Data::In, false, Protocol::Dma},       // READ DMA
    {0xCA, Data::Out, false, Protocol::Dma},      // WRITE DMA
    {0xE0, Data::None, false, Protocol::NonData}, // STANDBY IMMEDIATE
    {0xE1, Data::None, false, Protocol::NonData}, // IDLE IMMEDIATE
    {0xE2, Data::None, false, Protocol::NonData}, // STANDBY
    {0xE3, Data::None, false, Protocol::NonData}, // IDLE
    {0xE5, Data::None, false, Protocol::NonData}, // CHECK POWER MODE
    {0xE6, Data::None, false, Protocol::NonData}, // SLEEP
    {0xE7, Data::None, false, Protocol::NonData}, // FLUSH CACHE
    {0xEA, Data::None, true, Protocol::NonData},  // FLUSH CACHE EXT
    {0xEC, Data::Page, false, Protocol::PioIn},   // IDENTIFY DEVICE
    {0xEF, Data::None, false, Protocol::NonData}, // SET FEATURES
};
static_assert(std::ranges::is_sorted(Kinds, {}, &Kind::code));

const Kind* find(u8 code) {
    const auto found = std::ranges::lower_bound(Kinds, code, {}, &Kind::code);
    return found != std::end(Kinds) && found->code == code ? found : nullptr;
}

bool is_flush(u8 code) { return code == 0xE7 || code == 0xEA; }
bool is_verify(u8 code) { return code == 0x40 || code == 0x42; }
bool is_multiple(u8 code) { return code == 0x29 || code == 0x39 || code == 0xC4 || code == 0xC5; }
bool addresses_sectors(const Kind& kind) {
    return kind.data == Data::In || kind.data == Data::Out || is_verify(kind.code);
}

/// 28-bit commands keep four address bits in the device register.
u64 address(const Kind& kind, const Command& command) {
    return kind.extended ? command.lba : (command.lba & 0xFFFFFF) | u64{command.device & 15u} << 24;
}
u32 sector_count(const Kind& kind, const Command& command) {
    if (kind.protocol == Protocol::Queued) return command.features == 0 ? 65536 : command.features;
    if (kind.extended) return command.count == 0 ? 65536 : command.count;
    const u32 low = command.count & 0xFF;
    return low == 0 ? 256 : low;
}

// Modelled latencies: 20 µs a command, 1 µs a sector of the medium, 100 µs for a flush.
constexpr u64 CommandLatency = 20'000, SectorLatency = 1'000, FlushLatency = 100'000;
constexpr u8 MaximumMultiple = 16;

} // namespace

void Disk::hard_reset() {
    write_cache_ = look_ahead_ = true;
    multiple_ = 0;
    transfer_mode_ = 0x46;
    failed_tag_ = failed_error_ = failed_status_ = failed_device_ = 0;
    failed_queued_ = false;
    failed_lba_ = 0;
    failed_count_ = 0;
    power_ = Power::Active;
}

/// Serial ATA 3.0 13.5: software settings are preserved. Only sleep ends.
void Disk::soft_reset() {
    if (power_ == Power::Sleep) power_ = Power::Standby;
}

Result Disk::signature() const { return {.error = 0x01, .count = 1, .lba = 1}; }

SataDevice::Extent Disk::extent(const Command& command) const {
    const Kind* kind = find(command.code);
    if (!kind || !addresses_sectors(*kind)) return {};
    return {address(*kind, command), sector_count(*kind, command)};
}

/// The error with which an impossible command completes; 0 for a possible one.
u8 Disk::refuse(const Command& command, bool queue_busy) const {
    const Kind* kind = find(command.code);
    if (!kind) return Abort;
    if (kind->protocol != Protocol::Queued && queue_busy) return Abort; // they do not mix (SATA 3.0 13.6.3)
    if (is_multiple(command.code) && multiple_ == 0) return Abort;
    if (!addresses_sectors(*kind)) return 0;
    const u64 lba = address(*kind, command), capacity = backend_.sectors();
    if ((command.device & 0x40) == 0) return Abort; // CHS addressing is not offered
    if (lba >= capacity || sector_count(*kind, command) > capacity - lba) return IdNotFound;
    if (kind->data == Data::Out && backend_.read_only()) return Abort;
    return 0;
}

Plan Disk::plan(const Command& command, bool queue_busy) const {
    const Kind* kind = find(command.code);
    Plan plan{.error = refuse(command, queue_busy), .latency = CommandLatency};
    plan.silent = power_ == Power::Sleep;
    if (!kind) return plan;
    plan.protocol = kind->protocol;
    if (is_flush(command.code)) plan.latency = FlushLatency;
    if (plan.error == 0) plan.medium = extent(command).sectors * SectorLatency;
    return plan;
}

Result Disk::execute(const Command& command, DataPort& data) {
    Result result{.device = command.device, .count = command.count, .lba = command.lba};
    result.error = refuse(command, false);
    if (result.error == 0) {
        const Page page = command.code == 0xEC ? identify() : Page{};
        switch (command.code) {
        case 0x2F: result.error = read_log(command, data); break;
        case 0x90: result = signature(); break;
        case 0xC6: {
            const u8 wanted = static_cast<u8>(command.count);
            if (wanted > MaximumMultiple || (wanted & (wanted - 1)) != 0)
                result.error = Abort;
            else
                multiple_ = wanted;
            break;
        }
        case 0xE0:
        case 0xE2: power_ = Power::Standby; break;
        case 0xE1:
        case 0xE3: power_ = Power::Idle; break;
        case 0xE5:
            result.count = power_ == Power::Standby ? 0x00 : power_ == Power::Idle ? 0x80 : 0xFF;
            break;
        case 0xE6: power_ = Power::Sleep; break;
        case 0xE7:
        case 0xEA: result.error = backend_.flush() ? u8{0} : Abort; break;
        case 0xEC: data.send(page); break;
        case 0xEF: result.error = set_features(command); break;
        default:
            power_ = Power::Active;
            result.error = is_verify(command.code) ? u8{0} : transfer(command, data);
        }
    }
    const u32 sectors = static_cast<u32>(extent(command).sectors);
    const u32 block = is_multiple(command.code) && multiple_ != 0 ? multiple_ : 1;
    result.last_block = SectorSize * (sectors == 0 ? 1 : (sectors - 1) % block + 1);
    if (result.error != 0 && command.code != 0x90) result.status |= StatusError;
    return result;
}

/// ATA8-ACS 7.47. Returns the error.
u8 Disk::set_features(const Command& command) {
    switch (command.features & 0xFF) {
    case 0x02: write_cache_ = true; return 0;
    case 0x82: write_cache_ = false; return 0;
    case 0xAA: look_ahead_ = true; return 0;
    case 0x55: look_ahead_ = false; return 0;
    case 0x03: return set_transfer_mode(static_cast<u8>(command.count));
    default: return Abort;
    }
}

/// Nothing on a serial link depends on the mode, but IDENTIFY shows which one was chosen.
u8 Disk::set_transfer_mode(u8 mode) {
    const unsigned kind = mode >> 3, number = mode & 7;
    if (kind == 0 && number <= 1) return 0; // PIO default
    if (kind == 1 && number <= 4) return 0; // PIO with flow control
    if (!((kind == 4 && number <= 2) || (kind == 8 && number <= 6))) return Abort;
    transfer_mode_ = mode; // multiword or Ultra DMA
    return 0;
}

u8 Disk::transfer(const Command& command, DataPort& data) {
    const Kind& kind = *find(command.code);
    const u64 lba = address(kind, command), sectors = sector_count(kind, command);
    constexpr u64 ChunkSectors = 128;
    // A write takes nothing from a host whose buffer is shorter than the command.
    if (kind.data == Data::Out && data.covers(sectors * SectorSize) != DataPort::End::Done) return Abort;
    std::vector<u8> buffer(static_cast<std::size_t>(std::min(sectors, ChunkSectors) * SectorSize));
    for (u64 done = 0; done < sectors;) {
        const u64 n = std::min(sectors - done, ChunkSectors);
        const std::span<u8> chunk = std::span(buffer).first(static_cast<std::size_t>(n * SectorSize));
        if (kind.data == Data::In) {
            if (!backend_.read(lba + done, chunk)) return Uncorrectable;
            if (data.send(chunk) != DataPort::End::Done) return 0; // the adapter knows
        } else {
            if (data.receive(chunk) != DataPort::End::Done) return Abort;
            if (!backend_.write(lba + done, chunk)) return Uncorrectable;
        }
        done += n;
    }
    return 0;
}

/// READ LOG EXT, ATA8-ACS 7.24: count pages of one log, from a page number.
u8 Disk::read_log(const Command& command, DataPort& data) const {
    const u8 log = static_cast<u8>(command.lba);
    const u32 page = static_cast<u32>((command.lba >> 8 & 0xFF) | (command.lba >> 32 & 0xFF) << 8);
    if (page != 0 || command.count != 1) return Abort; // each log has one page
    if (log == 0x00)
        data.send(log_directory());
    else if (log == 0x10)
        data.send(error_log());
    else
        return Abort;
    return 0;
}

void Disk::failed(unsigned tag, bool queued, const Command& command, u8 error) {
    failed_tag_ = static_cast<u8>(tag);
    failed_queued_ = queued;
    failed_status_ = Ready | SeekComplete | StatusError;
    failed_error_ = error;
    failed_lba_ = command.lba;
    failed_count_ = command.count;
    failed_device_ = command.device;
}

void Disk::serialize(Archive& archive) {
    archive.section("ata_disk", 1);
    archive(write_cache_, look_ahead_, multiple_, transfer_mode_, power_, failed_tag_, failed_error_,
            failed_status_, failed_queued_, failed_lba_, failed_count_, failed_device_);
    if (!archive.loading() || !archive.ok()) return;
    if (multiple_ > MaximumMultiple || power_ > Power::Sleep || failed_tag_ > 31 || failed_lba_ >> 48 != 0 ||
        !((transfer_mode_ >= 0x40 && transfer_mode_ <= 0x46) ||
          (transfer_mode_ >= 0x20 && transfer_mode_ <= 0x22)))
        archive.fail("a drive register holds an impossible value");
}

void Disk::describe(const std::string& prefix, std::vector<Field>& out) const {
    out.push_back({prefix + "drive", backend_.sectors(), model_ + " (sectors)"});
}

} // namespace vitrine::devices::ata
