// AHCI port — completion: data through the PRD table (4.2.3.3, 5.4), status FISes, errors (6.2), IDENTIFY and
// log pages.
#include <algorithm>
#include "devices/ich9_ahci/port.h"

namespace vitrine::devices {

/// Walks the PRD table once, front to back. Bounded by the header's entry count and by the bytes asked for.
class Ich9Ahci::Port::Scatter {
public:
    Scatter(DmaPort& memory, const Flight& flight)
        : memory_(memory), next_(flight.table + 0x80), entries_(flight.entries) {}

    enum class End : u8 { Done, TableShort, BusError };
    End store(std::span<const u8> bytes) {
        return walk(bytes.size(), [&](u64 pa, std::size_t at, std::size_t n) {
            return memory_.write(pa, bytes.subspan(at, n));
        });
    }
    End load(std::span<u8> bytes) {
        return walk(bytes.size(), [&](u64 pa, std::size_t at, std::size_t n) {
            return memory_.read(pa, bytes.subspan(at, n));
        });
    }
    /// Bytes that the whole table describes, at most `enough`.
    End measure(u64 enough, u64& total) {
        Scatter copy = *this;
        for (total = 0; total < enough && copy.entries_ != 0; total += copy.left_)
            if (!copy.advance()) return End::BusError;
        return End::Done;
    }
    u32 moved() const { return moved_; }

private:
    bool advance() {
        std::array<u8, 16> entry{};
        if (!memory_.read(next_, entry)) return false;
        next_ += 16;
        --entries_;
        address_ = load_little(entry, 0, 8) & ~u64{1};
        left_ = ((load_little(entry, 12, 4) & 0x3FFFFF) | 1) + 1; // even byte counts only
        return true;
    }
    template <class Move> End walk(std::size_t size, Move&& move) {
        for (std::size_t at = 0; at < size;) {
            if (left_ == 0) {
                if (entries_ == 0) return End::TableShort;
                if (!advance()) return End::BusError;
            }
            const std::size_t n = static_cast<std::size_t>(std::min<u64>(left_, size - at));
            if (!move(address_, at, n)) return End::BusError;
            address_ += n;
            left_ -= n;
            at += n;
            moved_ += static_cast<u32>(n);
        }
        return End::Done;
    }
    DmaPort& memory_;
    u64 next_;
    u32 entries_;
    u64 address_ = 0, left_ = 0;
    u32 moved_ = 0;
};

void Ich9Ahci::Port::event() {
    const u64 now = hba_.events_.now();
    // One completion a call, earliest first (lowest slot among equals); the event comes again for the next.
    int chosen = -1;
    for (unsigned slot = 0; slot < 32; ++slot) {
        const Flight& flight = flights_[slot];
        if (flight.active && flight.due <= now &&
            (chosen < 0 || flight.due < flights_[static_cast<unsigned>(chosen)].due))
            chosen = static_cast<int>(slot);
    }
    if (chosen >= 0) complete(static_cast<unsigned>(chosen));
    if (!halted_) issue();
    arm();
}

void Ich9Ahci::Port::complete(unsigned slot) {
    const Flight flight = std::exchange(flights_[slot], Flight{});
    const ata::CommandKind* kind = ata::find_command(flight.command);
    const bool queued = kind && kind->queued && flight.error == 0;
    current_slot_ = static_cast<u8>(slot);
    Outcome outcome;
    if (flight.error != 0)
        outcome.error = flight.error;
    else
        outcome = transfer(flight);
    if (outcome.host_fatal) {
        hba_.log("a data buffer or PRD table lies outside memory, or bus mastering is off");
        return fatal(ahci_interrupt::HostBusFatal);
    }
    if (!queued) { // PRDBC; unused with native queueing
        std::array<u8, 4> count{};
        store_little(count, 0, 4, outcome.bytes);
        if (!hba_.memory_.write(list_ + slot * 32 + 4, count)) return fatal(ahci_interrupt::HostBusFatal);
    }
    task_error_ = outcome.error;
    task_status_ =
        static_cast<u8>(ata::Ready | ata::SeekComplete | (outcome.error != 0 ? ata::StatusError : 0));
    if (outcome.error != 0) {
        // The failing command's bits stay set for the driver to find (6.2.2.1, 6.2.2.2).
        failed_tag_ = static_cast<u8>(slot);
        failed_error_ = outcome.error;
        failed_lba_ = flight.lba;
        if (queued)
            post_set_device_bits(0);
        else
            post_device_to_host(flight, true);
        return fatal(ahci_interrupt::TaskFileError);
    }
    const u32 bit = u32{1} << slot;
    if (!queued) {
        issued_ &= ~bit;
        fetched_ &= ~bit;
    }
    if (outcome.overflow) raise(ahci_interrupt::Overflow);
    if (queued)
        post_set_device_bits(bit);
    else if (kind && kind->pio)
        post_pio_setup(flight);
    // PIO data-in ends with its last block; everything else reports with a register FIS.
    if (!queued && !(kind && kind->pio && kind->data != ata::Data::Out)) post_device_to_host(flight, true);
}

Ich9Ahci::Port::Outcome Ich9Ahci::Port::send_buffer(const Flight& flight, std::span<const u8> bytes) {
    Scatter scatter(hba_.memory_, flight);
    const Scatter::End end = scatter.store(bytes);
    return {0, end == Scatter::End::BusError, end == Scatter::End::TableShort, scatter.moved()};
}

Ich9Ahci::Port::Outcome Ich9Ahci::Port::transfer(const Flight& flight) {
    const ata::CommandKind* kind = ata::find_command(flight.command);
    BlockBackend* medium = drive_.backend;
    if (!kind || !medium) return {.error = ata::Abort};
    switch (kind->data) {
    case ata::Data::Identify: return send_buffer(flight, identify());
    case ata::Data::Log: return send_buffer(flight, error_log());
    case ata::Data::None:
        if (flight.command == 0xE7 || flight.command == 0xEA)
            return {.error = medium->flush() ? u8{0} : ata::Abort};
        return {};
    default: break;
    }
    // Checked at decode; checked again because a restored request comes from a file.
    if (flight.lba >= medium->sectors() || flight.sectors > medium->sectors() - flight.lba)
        return {.error = ata::IdNotFound};
    constexpr u64 ChunkSectors = 128;
    std::vector<u8> buffer(
        static_cast<std::size_t>(std::min<u64>(flight.sectors, ChunkSectors) * SectorSize));
    Scatter scatter(hba_.memory_, flight);
    if (kind->data == ata::Data::Out) { // nothing is written unless the table covers it all
        const u64 wanted = flight.sectors * SectorSize;
        u64 described = 0;
        if (scatter.measure(wanted, described) != Scatter::End::Done) return {.host_fatal = true};
        if (described < wanted) return {.error = ata::Abort};
    }
    for (u64 done = 0; done < flight.sectors;) {
        const u64 n = std::min<u64>(flight.sectors - done, ChunkSectors);
        const std::span<u8> chunk = std::span(buffer).first(static_cast<std::size_t>(n * SectorSize));
        Scatter::End end = Scatter::End::Done;
        if (kind->data == ata::Data::In) {
            if (!medium->read(flight.lba + done, chunk))
                return {.error = ata::Uncorrectable, .bytes = scatter.moved()};
            end = scatter.store(chunk);
        } else {
            end = scatter.load(chunk);
            if (end == Scatter::End::Done && !medium->write(flight.lba + done, chunk))
                return {.error = ata::Uncorrectable, .bytes = scatter.moved()};
        }
        if (end == Scatter::End::BusError) return {.host_fatal = true, .bytes = scatter.moved()};
        if (end == Scatter::End::TableShort) return {.overflow = true, .bytes = scatter.moved()};
        done += n;
    }
    return {.bytes = scatter.moved()};
}

/// IDENTIFY DEVICE data, ATA8-ACS table 22. Word numbers as there.
std::array<u8, 512> Ich9Ahci::Port::identify() const {
    std::array<u8, 512> page{};
    const auto word = [&page](unsigned index, u16 value) { store_little(page, index * 2, 2, value); };
    const auto text = [&page](unsigned index, unsigned length, const std::string& value) {
        for (unsigned i = 0; i < length; ++i) { // two characters a word, the first in the high byte
            const char c = i < value.size() ? value[i] : ' ';
            page[(index * 2 + i) ^ 1] = static_cast<u8>(c >= ' ' && c <= '~' ? c : '?');
        }
    };
    const u64 sectors = drive_.backend->sectors();
    const u64 cylinders = std::min<u64>(sectors / (16 * 63), 16383);
    word(0, 0x0040); // fixed device
    word(1, static_cast<u16>(cylinders));
    word(3, 16);
    word(6, 63);
    text(10, 20, drive_.serial);
    text(23, 8, "1.0");
    text(27, 40, drive_.model);
    word(47, 0x8010); // up to 16 sectors a READ MULTIPLE block
    word(49, 0x0F00); // LBA, DMA, IORDY
    word(50, 0x4000);
    word(53, 0x0006); // words 64–70 and 88 are valid
    store_little(page, 60 * 2, 4, std::min<u64>(sectors, 0x0FFFFFFF));
    word(63, 0x0007);                                 // multiword DMA 0–2
    word(64, 0x0003);                                 // PIO 3, 4
    for (unsigned i = 65; i <= 68; ++i) word(i, 120); // cycle times
    word(75, 31);                                     // queue depth − 1
    word(76, 0x0106);                                 // NCQ; 1.5 and 3 Gb/s
    word(80, 0x01F0);                                 // ATA/ATAPI-4 to ATA8-ACS
    const u16 caches = static_cast<u16>((write_cache_ ? 0x20 : 0) | (look_ahead_ ? 0x40 : 0));
    word(82, 0x0068); // write cache, look-ahead, power management
    word(83, 0x7400); // FLUSH CACHE (EXT), 48-bit addresses
    word(84, 0x4020); // general purpose logging
    word(85, static_cast<u16>(0x0008 | caches));
    word(86, 0x3400);
    word(87, 0x4020);
    word(88, 0x407F); // Ultra DMA 0–6, 6 selected
    store_little(page, 100 * 2, 8, sectors);
    word(106, 0x4000); // 512-byte sectors, logical and physical
    word(217, 1);      // non-rotating
    page[510] = 0xA5;  // checksum follows
    u8 sum = 0;
    for (unsigned i = 0; i < 511; ++i) sum = static_cast<u8>(sum + page[i]);
    page[511] = static_cast<u8>(-sum);
    return page;
}

/// Log page 10h, NCQ command error (SATA 3.0 13.7.4).
std::array<u8, 512> Ich9Ahci::Port::error_log() const {
    std::array<u8, 512> page{};
    page[0] = failed_tag_;
    page[2] = ata::Ready | ata::SeekComplete | ata::StatusError;
    page[3] = failed_error_;
    store_little(std::span(page).subspan(4, 3), 0, 3, failed_lba_);
    page[7] = 0x40;
    store_little(std::span(page).subspan(8, 3), 0, 3, failed_lba_ >> 24);
    u8 sum = 0;
    for (unsigned i = 0; i < 511; ++i) sum = static_cast<u8>(sum + page[i]);
    page[511] = static_cast<u8>(-sum);
    return page;
}

} // namespace vitrine::devices
