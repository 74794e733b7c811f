// SataDevice — fields that all identify and log pages share (ATA8-ACS 3.2.9 strings, 7.16.7.95 checksum).
#include "devices/ata/sata_device.h"

namespace vitrine::devices::ata {

Result SataDevice::refusal(const Command& command, u8 error) const {
    return {.status = Ready | SeekComplete | StatusError,
            .error = error,
            .device = command.device,
            .count = command.count,
            .lba = command.lba};
}

void put_string(std::span<u8> page, unsigned word, unsigned length, const std::string& text) {
    for (unsigned i = 0; i < length; ++i) {
        const char c = i < text.size() ? text[i] : ' ';
        page[(word * 2 + i) ^ 1] = static_cast<u8>(c >= ' ' && c <= '~' ? c : '?');
    }
}

void put_checksum(std::span<u8> page) {
    u8 sum = 0;
    for (unsigned i = 0; i < 511; ++i) sum = static_cast<u8>(sum + page[i]);
    page[511] = static_cast<u8>(-sum);
}

} // namespace vitrine::devices::ata
