// vga memory — the graphics controller between the processor's window and the four planes: write modes 0–3,
// read modes 0 and 1, odd/even and chain-4 addressing, DISPI banks; and the saved form of the 16 MiB.
#include <algorithm>
#include <cstring>
#include "devices/vga/fields.h"
#include "devices/vga/vga.h"

namespace vitrine::devices {

using namespace vga;

u8* Vga::lfb_page(u64 offset) {
    offset = std::min<u64>(offset, MemorySize - PageSize) & ~u64{PageSize - 1};
    given_[static_cast<std::size_t>(offset / PageSize)] = true;
    return touch(offset);
}

u8* Vga::lfb_memory() {
    touched_.assign(touched_.size(), true);
    given_.assign(given_.size(), true);
    return memory_.get();
}

/// Tells of a change inside one page.
void Vga::written(u64 offset, u64 size) {
    if (given_[static_cast<std::size_t>(offset / PageSize)] && memory_links_.memory_written)
        memory_links_.memory_written(offset, size);
}

/// Memory map select: which part of A0000–BFFFF answers, and the address inside it.
bool Vga::window_offset(u64 offset, u32& address) const {
    struct Window {
        u32 base, size;
    };
    static constexpr std::array<Window, 4> Windows{
        {{0, 0x20000}, {0, 0x10000}, {0x10000, 0x8000}, {0x18000, 0x8000}}};
    const Window window = Windows[MemoryMap::get(graphics_[GfxMisc])];
    if (offset < window.base || offset - window.base >= window.size) return false;
    address = static_cast<u32>(offset - window.base) & 0xFFFF;
    return true;
}

u8 Vga::read_byte(u64 offset) {
    if (dispi_enabled() && dispi_.depth != 4) // banked window: 64 KiB at A0000
        return offset < 0x10000 ? memory_[u64{dispi_.bank} << 16 | offset] : 0xFF;
    u32 address = 0;
    if (!window_offset(offset, address)) return 0xFF;
    unsigned plane = graphics_[GfxReadMap] & 3;
    u32 at = address;
    if (Chain4::test(sequencer_[SeqMemoryMode])) {
        plane = address & 3;
        at = address & ~3u;
    } else if (ReadOddEven::test(graphics_[GfxMode])) {
        plane = (plane & 2) | (address & 1);
        at = address & ~1u;
    }
    for (unsigned p = 0; p < 4; ++p) latch_[p] = plane_byte(p, at);
    if (!ReadCompare::test(graphics_[GfxMode])) return latch_[plane];
    // Read mode 1: a bit is one where the pixel equals the compare colour in every plane that matters.
    u8 equal = 0xFF;
    for (unsigned p = 0; p < 4; ++p)
        if ((graphics_[GfxDontCare] >> p & 1) != 0)
            equal &= static_cast<u8>((graphics_[GfxCompare] >> p & 1) != 0 ? latch_[p] : ~latch_[p]);
    return equal;
}

void Vga::write_byte(u64 offset, u8 value) {
    if (dispi_enabled() && dispi_.depth != 4) {
        if (offset >= 0x10000) return;
        const u64 at = u64{dispi_.bank} << 16 | offset;
        *touch(at) = value;
        return written(at, 1);
    }
    u32 address = 0;
    if (!window_offset(offset, address)) return;
    u8 planes = sequencer_[SeqMapMask];
    u32 at = address;
    if (Chain4::test(sequencer_[SeqMemoryMode])) {
        planes &= static_cast<u8>(1u << (address & 3));
        at = address & ~3u;
    } else if (!OddEvenOff::test(sequencer_[SeqMemoryMode])) {
        planes &= (address & 1) != 0 ? 0x0A : 0x05;
        at = address & ~1u;
    }
    store_planes(at, planes, value);
}

/// Write modes: data rotation, set/reset, logic function against the latches, bit mask.
void Vga::store_planes(u32 at, u8 planes, u8 value) {
    const unsigned mode = WriteMode::get(graphics_[GfxMode]);
    const unsigned count = RotateCount::get(graphics_[GfxRotate]);
    const u8 rotated = static_cast<u8>(value >> count | value << (8 - count));
    u8 mask = graphics_[GfxBitMask];
    if (mode == 3) mask &= rotated;
    u8* cell = touch((at & 0xFFFF) * 4);
    for (unsigned p = 0; p < 4; ++p) {
        if ((planes >> p & 1) == 0) continue;
        if (mode == 1) {
            cell[p] = latch_[p];
            continue;
        }
        const u8 set = (graphics_[GfxSetReset] >> p & 1) != 0 ? 0xFF : 0x00;
        u8 data = rotated;
        if (mode == 2)
            data = (value >> p & 1) != 0 ? 0xFF : 0x00;
        else if (mode == 3 || (graphics_[GfxEnableSetReset] >> p & 1) != 0)
            data = set;
        switch (LogicFunction::get(graphics_[GfxRotate])) {
        case 1: data &= latch_[p]; break;
        case 2: data |= latch_[p]; break;
        case 3: data ^= latch_[p]; break;
        default: break;
        }
        cell[p] = static_cast<u8>((data & mask) | (latch_[p] & ~mask));
    }
    written((at & 0xFFFF) * 4, 4);
}

u64 Vga::mmio_read(u64 offset, unsigned size) {
    u64 value = 0;
    for (unsigned i = 0; i < size; ++i) value |= u64{read_byte(offset + i)} << (8 * i);
    return value;
}

void Vga::mmio_write(u64 offset, unsigned size, u64 value) {
    for (unsigned i = 0; i < size; ++i) write_byte(offset + i, static_cast<u8>(value >> (8 * i)));
}

void Vga::clear_memory() {
    for (std::size_t page = 0; page < touched_.size(); ++page)
        if (touched_[page]) {
            std::fill_n(&memory_[page * PageSize], PageSize, u8{0});
            written(page * PageSize, PageSize);
        }
    // Pages stay marked: the processor may hold pointers to them.
}

/// Pages that are not zero, in order: {index, 4096 bytes} each. What was merely touched leaves no trace.
void Vga::serialize_memory(Archive& archive) {
    const u32 pages = static_cast<u32>(touched_.size());
    static constexpr std::array<u8, PageSize> Zeros{};
    const auto is_zero = [this](u32 page) {
        return std::memcmp(&memory_[page * PageSize], Zeros.data(), PageSize) == 0;
    };
    u32 count = 0;
    if (archive.loading()) {
        clear_memory();
        archive(count);
        if (count > pages) return archive.fail("more pages than display memory has");
        u32 previous = 0;
        for (u32 i = 0; i < count && archive.ok(); ++i) {
            u32 page = 0;
            archive(page);
            if (!archive.ok()) return;
            if (page >= pages || (i != 0 && page <= previous))
                return archive.fail("display pages are out of order");
            previous = page;
            archive.bytes(touch(u64{page} * PageSize), PageSize);
        }
        return;
    }
    std::vector<u32> used;
    for (u32 page = 0; page < pages; ++page)
        if (touched_[page] && !is_zero(page)) used.push_back(page);
    count = static_cast<u32>(used.size());
    archive(count);
    for (u32 page : used) {
        archive(page);
        archive.bytes(&memory_[u64{page} * PageSize], PageSize);
    }
}

} // namespace vitrine::devices
