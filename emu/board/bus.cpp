// The board's bus: which chip, ROM or RAM answers a physical address or a port, now. docs/board.md has the
// map.
//
// Order of decoding in memory: (the local APIC page is the processor's, processor_socket.h), legacy VGA
// window, PAM region, RAM, I/O APIC, HPET, ROM, RCBA, ECAM, PCI BARs. What nobody claims reads as all ones
// and swallows writes.
#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include "devices/register.h"
#include "emu/board/board.h"

namespace vitrine::emu {

using namespace devices;

enum class Board::Area : u8 { Nothing, Ram, Rom, Shadow, Window, IoApic, Hpet, Chipset, Ecam, Bar };

namespace {
constexpr u64 WindowStart = 0xA0000, WindowEnd = 0xC0000, HpetSize = 0x400, ChipsetSize = 0x4000;
} // namespace

Board::Decoded Board::decode(u64 pa) const {
    if (pa >= WindowStart && pa < WindowEnd) return {Area::Window, pa - WindowStart};
    if (pa >= Rom::ShadowStart && pa < Rom::ShadowEnd) return {Area::Shadow, pa};
    if (memory_.at(pa)) return {Area::Ram, pa};
    if (pa - Ioapic::DefaultBase < PageBytes) return {Area::IoApic, pa - Ioapic::DefaultBase};
    if (pa - Hpet::DefaultBase < HpetSize) return {Area::Hpet, pa - Hpet::DefaultBase};
    if (rom_.high(pa)) return {Area::Rom, pa};
    if (auto base = lpc_.rcba(); base && pa - *base < ChipsetSize) return {Area::Chipset, pa - *base};
    if (auto window = mch_.ecam(); window && pa - window->base < window->size)
        return {Area::Ecam, pa - window->base};
    if (auto claim = pci_.claim_memory(pa)) return {Area::Bar, claim->offset, *claim};
    return {Area::Nothing, pa};
}

cpu::PhysicalPage Board::page(u64 pa) {
    pa = bus_address(pa) & ~(PageBytes - 1);
    const Decoded at = decode(pa);
    switch (at.area) {
    case Area::Ram: return {memory_.at(pa), true, memory_.frame(pa)};
    case Area::Rom: return {rom_.high(pa), false, rom_frame(rom_.high(pa))};
    case Area::Shadow: {
        if (mch_.reads_memory(pa)) return {memory_.at(pa), mch_.writes_memory(pa), memory_.frame(pa)};
        u8* host = rom_.low(pa);
        return {host, false, host ? rom_frame(host) : cpu::NoFrame};
    }
    case Area::Bar:
        if (at.claim.device == &vga_ && at.claim.bar == 0)
            return {vga_.lfb_page(at.offset), true, video_frame(at.offset)};
        return {};
    default: return {};
    }
}

// ---- memory-mapped registers ------------------------------------------------------------------------------

u64 Board::read_by_bytes(u64 pa, unsigned size) {
    u64 value = 0;
    for (unsigned i = 0; i < size; ++i) {
        const cpu::PhysicalPage behind = page(pa + i);
        const u64 byte = behind.host ? behind.host[(pa + i) & (PageBytes - 1)] : 0xFF;
        value |= byte << (8 * i);
    }
    return value;
}

u64 Board::device_read(u64 pa, unsigned size) {
    const Decoded at = decode(pa);
    switch (at.area) {
    case Area::Ram:
    case Area::Rom:
    case Area::Shadow: return read_by_bytes(pa, size);
    case Area::Window: return vga_.mmio_read(at.offset, size);
    case Area::IoApic: return ioapic_.mmio_read(at.offset, size);
    case Area::Hpet: return hpet_.mmio_read(at.offset, size);
    case Area::Chipset: return lpc_.rcba_read(at.offset, size);
    case Area::Ecam:
        if (size == 8) return pci_.ecam_read(at.offset, 4) | u64{pci_.ecam_read(at.offset + 4, 4)} << 32;
        return pci_.ecam_read(at.offset, size);
    case Area::Bar: return at.claim.device->bar_read(at.claim.bar, at.offset, size);
    case Area::Nothing: break;
    }
    unclaimed("memory", pa, size, false);
    return ~u64{0};
}

u64 Board::mmio_read(u64 pa, unsigned size) {
    pa = bus_address(pa);
    const u64 value = device_read(pa, size) & size_mask(size);
    after_access();
    return value;
}

void Board::device_write(u64 pa, unsigned size, u64 value) {
    const Decoded at = decode(pa);
    switch (at.area) {
    case Area::Shadow:
        if (!mch_.writes_memory(pa)) return; // ROM: dropped
        [[fallthrough]];
    case Area::Ram: // "read ROM, write RAM", or an access that the processor chose not to make itself
        for (unsigned i = 0; i < size; ++i) {
            const u8 byte = static_cast<u8>(value >> (8 * i));
            write_memory(pa + i, {&byte, 1});
        }
        return;
    case Area::Rom: return;
    case Area::Window: return vga_.mmio_write(at.offset, size, value);
    case Area::IoApic: return ioapic_.mmio_write(at.offset, size, value);
    case Area::Hpet: return hpet_.mmio_write(at.offset, size, value);
    case Area::Chipset: return lpc_.rcba_write(at.offset, size, value);
    case Area::Ecam:
        pci_.ecam_write(at.offset, std::min(size, 4u), static_cast<u32>(value));
        if (size == 8) pci_.ecam_write(at.offset + 4, 4, static_cast<u32>(value >> 32));
        return;
    case Area::Bar: return at.claim.device->bar_write(at.claim.bar, at.offset, size, value);
    case Area::Nothing: break;
    }
    unclaimed("memory", pa, size, true);
}

void Board::mmio_write(u64 pa, unsigned size, u64 value) {
    pa = bus_address(pa);
    device_write(pa, size, value & size_mask(size));
    after_access();
}

// ---- ports ------------------------------------------------------------------------------------------------

PortDevice* Board::port_owner(u16 port, bool& bytes_only) const {
    const PortClaim& claim = port_claims_[port_table_[port]];
    bytes_only = claim.bytes_only;
    return claim.device;
}

u32 Board::port_read(u16 port, unsigned size) {
    bool bytes_only = false;
    u32 value = static_cast<u32>(size_mask(size));
    if (PortDevice* device = port_owner(port, bytes_only)) {
        if (bytes_only && size > 1) {
            // An 8-bit device on the ISA bus: the bridge makes one cycle a byte.
            value = 0;
            for (unsigned i = 0; i < size; ++i)
                value |= (port_read(static_cast<u16>(port + i), 1) & 0xFF) << (8 * i);
            return value;
        }
        value = device->port_read(port, size);
    } else if (auto base = lpc_.pm_base(); base && static_cast<u16>(port - *base) < 128) {
        value = acpi_pm_.port_read(port, size);
    } else if (auto claim = pci_.claim_port(port)) {
        value = static_cast<u32>(claim->device->bar_read(claim->bar, claim->offset, size));
    } else {
        unclaimed("port", port, size, false);
    }
    after_access();
    return value & static_cast<u32>(size_mask(size));
}

void Board::port_write(u16 port, unsigned size, u32 value) {
    bool bytes_only = false;
    if (PortDevice* device = port_owner(port, bytes_only)) {
        if (bytes_only && size > 1) {
            for (unsigned i = 0; i < size; ++i)
                port_write(static_cast<u16>(port + i), 1, (value >> (8 * i)) & 0xFF);
            return;
        }
        device->port_write(port, size, value);
    } else if (auto base = lpc_.pm_base(); base && static_cast<u16>(port - *base) < 128) {
        acpi_pm_.port_write(port, size, value);
    } else if (auto claim = pci_.claim_port(port)) {
        claim->device->bar_write(claim->bar, claim->offset, size, value);
    } else {
        unclaimed("port", port, size, true);
    }
    after_access();
}

void Board::unclaimed(const char* kind, u64 address, unsigned size, bool is_write) {
    if (kind[0] == 'p') {
        if (port_reported_[address]) return;
        port_reported_[address] = true;
    } else if (++unclaimed_memory_lines_ > 64) {
        return;
    }
    sinks_.unclaimed(fmt::format("board: nobody answers at {} {:X}h ({} of {} bytes)", kind, address,
                                 is_write ? "write" : "read", size));
}

std::optional<u64> Board::frame_address(u32 frame) const {
    if (frame >= memory_.frames()) return std::nullopt;
    const u64 offset = u64{frame} * PageBytes;
    return offset < memory_.low_size() ? offset : offset - memory_.low_size() + HighMemoryBase;
}

// ---- bus masters ------------------------------------------------------------------------------------------

namespace {
/// While it lives, a device accesses memory.
struct Mastering {
    explicit Mastering(bool& f) : flag(f) { flag = true; }
    ~Mastering() { flag = false; }
    Mastering(const Mastering&) = delete;
    bool& flag;
};
} // namespace

bool Board::read(u64 pa, std::span<u8> out) {
    const Mastering mastering(mastering_);
    bool all = pa + out.size() >= pa; // else past the end of the address space
    if (!all) {
        std::ranges::fill(out, u8{0xFF});
        return false;
    }
    while (!out.empty()) {
        const std::size_t n = std::min<std::size_t>(out.size(), PageBytes - (pa & (PageBytes - 1)));
        const bool window = pa >= WindowStart && pa < WindowEnd;
        const u8* host = window ? nullptr : memory_.at(pa);
        if (host) {
            code_.before_read(memory_.frame(pa), pa & (PageBytes - 1), static_cast<unsigned>(n));
            std::memcpy(out.data(), host, n);
        } else
            std::memset(out.data(), 0xFF, n), all = false;
        out = out.subspan(n), pa += n;
    }
    return all;
}

bool Board::write(u64 pa, std::span<const u8> data) {
    const Mastering mastering(mastering_);
    return write_memory(pa, data);
}

bool Board::write_memory(u64 pa, std::span<const u8> data) {
    if (pa + data.size() < pa) return false; // past the end of the address space
    bool all = true;
    while (!data.empty()) {
        const std::size_t n = std::min<std::size_t>(data.size(), PageBytes - (pa & (PageBytes - 1)));
        const bool window = pa >= WindowStart && pa < WindowEnd;
        if (u8* host = window ? nullptr : memory_.at(pa)) {
            const u32 frame = memory_.frame(pa);
            const unsigned offset = pa & (PageBytes - 1), part = static_cast<unsigned>(n);
            code_.before_write(frame, offset, part);
            std::memcpy(host, data.data(), n);
            code_.written(frame, offset, part);
        } else {
            all = false;
        }
        data = data.subspan(n), pa += n;
    }
    return all;
}

// ---- the map, for people ----------------------------------------------------------------------------------

std::vector<Board::Region> Board::physical_map() const {
    std::vector<Region> rows;
    const auto add = [&](u64 first, u64 size, std::string what) {
        if (size) rows.push_back({first, first + size - 1, std::move(what)});
    };
    add(0, WindowStart, "RAM");
    add(WindowStart, WindowEnd - WindowStart, "VGA window");
    // PAM decides in pieces of 16 KiB; equal neighbours become one row.
    const auto shadow = [&](u64 pa) -> std::string {
        if (mch_.reads_memory(pa)) return mch_.writes_memory(pa) ? "RAM (PAM)" : "RAM, read-only (PAM)";
        const char* source = rom_.low(pa) ? "ROM" : "nothing";
        return fmt::format("{}{}", source, mch_.writes_memory(pa) ? ", writes go to RAM (PAM)" : "");
    };
    for (u64 pa = Rom::ShadowStart; pa < Rom::ShadowEnd;) {
        u64 end = pa + 0x4000;
        while (end < Rom::ShadowEnd && shadow(end) == shadow(pa)) end += 0x4000;
        add(pa, end - pa, shadow(pa));
        pa = end;
    }
    add(0x100000, memory_.low_size() - 0x100000, "RAM");
    if (auto window = mch_.ecam()) add(window->base, window->size, "PCI Express configuration (ECAM)");
    for (unsigned device = 0; device < 32; ++device)
        for (unsigned function = 0; function < 8; ++function)
            if (const PciDevice* found = pci_.at(device, function))
                for (unsigned i = 0; i < PciDevice::BarCount; ++i)
                    if (auto base = found->bar_address(i);
                        base && (found->bar(i).kind == PciDevice::BarKind::Memory ||
                                 found->bar(i).kind == PciDevice::BarKind::Prefetchable))
                        add(*base, found->bar(i).size, fmt::format("{} BAR{}", found->name(), i));
    add(Ioapic::DefaultBase, PageBytes, "I/O APIC");
    add(Hpet::DefaultBase, HpetSize, "HPET");
    if (auto base = lpc_.rcba()) add(*base, ChipsetSize, "chipset configuration (RCBA)");
    for (const auto& socket : sockets_)
        if (socket->apic.mmio_enabled()) {
            add(socket->apic.mmio_base(), PageBytes, "local APIC");
            break; // each processor sees its own there
        }
    add(Rom::End - rom_.size(), rom_.size(), "ROM");
    add(HighMemoryBase, memory_.high_size(), "RAM");
    std::ranges::sort(rows, {}, &Region::first);
    return rows;
}

} // namespace vitrine::emu
