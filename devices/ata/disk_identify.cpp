// Disk — IDENTIFY DEVICE data (ATA8-ACS table 22; word numbers as there) and general purpose logs (annex A).
#include <algorithm>
#include "devices/ata/disk.h"
#include "devices/register.h"

namespace vitrine::devices::ata {

Disk::Page Disk::identify() const {
    Page page{};
    const auto word = [&page](unsigned index, unsigned value) { store_little(page, index * 2, 2, value); };
    const u64 sectors = backend_.sectors();
    const u64 cylinders = std::min<u64>(sectors / (16 * 63), 16383);
    const unsigned selected = 1u << (8 + (transfer_mode_ & 7));
    const bool ultra = transfer_mode_ >= 0x40;
    word(0, 0x0040); // fixed device
    word(1, static_cast<unsigned>(cylinders));
    word(3, 16);
    word(6, 63);
    put_string(page, 10, 20, serial_);
    put_string(page, 23, 8, "1.0");
    put_string(page, 27, 40, model_);
    word(47, 0x8010); // up to 16 sectors a READ MULTIPLE block
    word(49, 0x0F00); // LBA, DMA, IORDY
    word(50, 0x4000);
    word(53, 0x0006); // words 64–70 and 88 are valid
    if (multiple_ != 0) word(59, 0x0100u | multiple_);
    store_little(page, 60 * 2, 4, std::min<u64>(sectors, 0x0FFFFFFF));
    word(63, 0x0007 | (ultra ? 0 : selected));        // multiword DMA 0–2
    word(64, 0x0003);                                 // PIO 3, 4
    for (unsigned i = 65; i <= 68; ++i) word(i, 120); // cycle times
    word(75, 31);                                     // queue depth − 1
    word(76, 0x0106);                                 // NCQ; 1.5 and 3 Gb/s
    word(80, 0x01F0);                                 // ATA/ATAPI-4 to ATA8-ACS
    word(82, 0x0068);                                 // write cache, look-ahead, power management
    word(83, 0x7400);                                 // FLUSH CACHE (EXT), 48-bit addresses
    word(84, 0x4020);                                 // general purpose logging
    word(85, 0x0008u | (write_cache_ ? 0x20u : 0) | (look_ahead_ ? 0x40u : 0));
    word(86, 0x3400);
    word(87, 0x4020);
    word(88, 0x007F | (ultra ? selected : 0)); // Ultra DMA 0–6
    store_little(page, 100 * 2, 8, sectors);
    word(106, 0x4000); // 512-byte sectors, logical and physical
    word(217, 1);      // non-rotating
    page[510] = 0xA5;  // checksum follows
    put_checksum(page);
    return page;
}

/// Log 00h: version 1, then the number of pages of each log at its address's word.
Disk::Page Disk::log_directory() const {
    Page page{};
    store_little(page, 0, 2, 1);
    store_little(page, 0x10 * 2, 2, 1);
    return page;
}

/// Log 10h, NCQ command error (SATA 3.0 13.7.4).
Disk::Page Disk::error_log() const {
    Page page{};
    page[0] = static_cast<u8>((failed_queued_ ? 0 : 0x80) | failed_tag_);
    page[2] = failed_status_;
    page[3] = failed_error_;
    store_little(std::span(page).subspan(4, 3), 0, 3, failed_lba_);
    page[7] = failed_device_;
    store_little(std::span(page).subspan(8, 3), 0, 3, failed_lba_ >> 24);
    store_little(page, 12, 2, failed_count_);
    put_checksum(page);
    return page;
}

} // namespace vitrine::devices::ata
