// fw_cfg — see the header.
#include "devices/fw_cfg.h"
#include <algorithm>
#include "devices/register.h"

namespace vitrine::devices {
namespace {

constexpr u16 SelectorSignature = 0x00, SelectorId = 0x01, SelectorDirectory = 0x19, FirstFile = 0x20;
constexpr std::size_t FileNameSize = 56;
constexpr u64 DmaSignature = 0x51454D5520434647; // "QEMU CFG"
// FWCfgDmaAccess.control
constexpr u32 DmaError = 1, DmaRead = 2, DmaSkip = 4, DmaSelect = 8, DmaWrite = 16;

void append_big_endian(std::vector<u8>& out, u64 value, unsigned bytes) {
    for (unsigned i = bytes; i-- > 0;) out.push_back(static_cast<u8>(value >> (8 * i)));
}
u64 load_big_endian(std::span<const u8> bytes) {
    u64 value = 0;
    for (u8 byte : bytes) value = value << 8 | byte;
    return value;
}
std::vector<u8> little_endian(u64 value, unsigned bytes) {
    std::vector<u8> out(bytes);
    store_little(out, 0, bytes, value);
    return out;
}

} // namespace

FwCfg::FwCfg(DmaPort& memory) : memory_(memory) {
    add_item(SelectorSignature, {'Q', 'E', 'M', 'U'});
    add_item_u32(SelectorId, 3);
    rebuild_directory();
}

void FwCfg::add_item(u16 selector, std::vector<u8> bytes) { items_[selector] = std::move(bytes); }
void FwCfg::add_item_u16(u16 selector, u16 value) { add_item(selector, little_endian(value, 2)); }
void FwCfg::add_item_u32(u16 selector, u32 value) { add_item(selector, little_endian(value, 4)); }
void FwCfg::add_item_u64(u16 selector, u64 value) { add_item(selector, little_endian(value, 8)); }

void FwCfg::add_file(const std::string& name, std::vector<u8> bytes) {
    files_[name.substr(0, FileNameSize - 1)] = std::move(bytes);
    rebuild_directory();
}

/// Directory: big-endian count, then {size, selector, reserved, name} per file.
void FwCfg::rebuild_directory() {
    std::vector<u8> directory;
    file_items_.clear();
    append_big_endian(directory, files_.size(), 4);
    for (const auto& [name, bytes] : files_) {
        append_big_endian(directory, bytes.size(), 4);
        append_big_endian(directory, FirstFile + file_items_.size(), 2);
        append_big_endian(directory, 0, 2);
        for (std::size_t i = 0; i < FileNameSize; ++i)
            directory.push_back(i < name.size() ? static_cast<u8>(name[i]) : u8{0});
        file_items_.push_back(&bytes);
    }
    add_item(SelectorDirectory, std::move(directory));
}

void FwCfg::reset() {
    selector_ = 0;
    offset_ = 0;
    dma_address_ = 0;
}

const std::vector<u8>* FwCfg::item(u16 selector) const {
    if (selector >= FirstFile && static_cast<std::size_t>(selector - FirstFile) < file_items_.size())
        return file_items_[selector - FirstFile];
    const auto found = items_.find(selector);
    return found == items_.end() ? nullptr : &found->second;
}

/// Past the end of an item, and for an unknown selector, bytes read as zero.
u8 FwCfg::next_byte() {
    const std::vector<u8>* bytes = item(selector_);
    if (!bytes || offset_ >= bytes->size()) return 0;
    return (*bytes)[offset_++];
}

/// "DMA interface": the guest's structure {control, length, address}, all big-endian.
void FwCfg::run_dma() {
    const u64 at = std::exchange(dma_address_, 0);
    std::array<u8, 16> request{};
    if (!memory_.read(at, request)) return log("the DMA structure lies outside memory");
    const u32 control = static_cast<u32>(load_big_endian(std::span(request).first(4)));
    u64 length = load_big_endian(std::span(request).subspan(4, 4));
    u64 address = load_big_endian(std::span(request).subspan(8, 8));
    if ((control & DmaSelect) != 0) {
        selector_ = static_cast<u16>(control >> 16);
        offset_ = 0;
    }
    bool failed = false;
    if ((control & DmaRead) != 0) {
        // Unbacked memory ends the transfer, so that RAM's size bounds the work.
        constexpr u64 Chunk = 64 << 10;
        static constexpr std::array<u8, Chunk> Zeros{};
        while (length != 0 && !failed) {
            const std::vector<u8>* bytes = item(selector_);
            const u64 left = bytes && offset_ < bytes->size() ? bytes->size() - offset_ : 0;
            const u64 step = std::min({length, Chunk, left == 0 ? Chunk : left});
            const u8* source = left == 0 ? Zeros.data() : bytes->data() + offset_;
            failed = !memory_.write(address, {source, static_cast<std::size_t>(step)});
            if (left != 0) offset_ += static_cast<u32>(step);
            address += step;
            length -= step;
        }
    } else if ((control & DmaWrite) != 0) {
        failed = true;
        log("an item was written: items are read-only");
    } else if ((control & DmaSkip) != 0) {
        offset_ = static_cast<u32>(std::min<u64>(u64{offset_} + length, 0xFFFFFFFF));
    }
    std::vector<u8> answer;
    append_big_endian(answer, failed ? DmaError : 0, 4);
    if (!memory_.write(at, answer)) log("the DMA structure cannot be written");
}

u32 FwCfg::port_read(u16 port, unsigned size) {
    if (port >= 0x514)
        return read_bytewise(port, size, [](u16 p) -> u8 {
            return p <= 0x51B ? static_cast<u8>(DmaSignature >> (8 * (0x51B - p))) : 0xFF;
        });
    return read_bytewise(port, size, [this](u16 p) -> u8 { return p == 0x511 ? next_byte() : 0xFF; });
}

void FwCfg::port_write(u16 port, unsigned size, u32 value) {
    if (port == 0x510 && size >= 2) {
        selector_ = static_cast<u16>(value);
        offset_ = 0;
        return;
    }
    if (port < 0x514 || size != 4) return; // the data port is read-only
    const u32 big_endian = __builtin_bswap32(value);
    if (port == 0x514) {
        dma_address_ = u64{big_endian} << 32;
    } else if (port == 0x518) {
        dma_address_ = (dma_address_ & ~u64{0xFFFFFFFF}) | big_endian;
        run_dma();
    }
}

void FwCfg::serialize(Archive& archive) {
    archive.section(name(), 1);
    archive(selector_, offset_, dma_address_);
}

std::vector<Field> FwCfg::describe() const {
    std::vector<Field> out{{"selector", selector_, ""}, {"offset", offset_, ""}};
    u64 selector = FirstFile;
    for (const auto& [name, bytes] : files_)
        out.push_back({name, bytes.size(), "file, selector " + std::to_string(selector++)});
    return out;
}

} // namespace vitrine::devices
