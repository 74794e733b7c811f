// vga registers — the ports 3B0h–3DFh, and BAR2's window on them. PS/2 Technical Reference, video subsystem.
#include "devices/vga/fields.h"
#include "devices/vga/vga.h"

namespace vitrine::devices {

using namespace vga;

namespace {

// Scan timing of the 31.469 kHz modes: lines a frame and where the picture and the retrace pulse lie.
constexpr u64 LineTime = 31'778, LineVisible = 25'422;
struct Frame {
    u64 total, visible, retrace;
};
constexpr Frame Frame400{449, 400, 412}, Frame480{525, 480, 490};

} // namespace

/// CRTC and status registers live at 3Dxh (colour) or 3Bxh (monochrome).
bool Vga::crtc_port(u16 port) const {
    return (port & 0xFFF0) == (ColourPorts::test(miscellaneous_) ? 0x3D0 : 0x3B0);
}

/// Input status 1: bit 0 display disabled, bit 3 vertical retrace. Reading it aims 3C0h at its index again.
u8 Vga::input_status() {
    attribute_.data_next = false;
    const Frame frame = SyncPolarity::get(miscellaneous_) == 3 ? Frame480 : Frame400;
    const u64 in_frame = events_.now() % (frame.total * LineTime);
    const u64 line = in_frame / LineTime;
    const bool blank = line >= frame.visible || in_frame % LineTime >= LineVisible;
    const bool retrace = line >= frame.retrace && line < frame.retrace + 2;
    return static_cast<u8>((blank ? 1 : 0) | (retrace ? 8 : 0));
}

u8 Vga::read_dac() {
    const u8 value = dac_.palette[dac_.read_index * 3u + dac_.component];
    if (++dac_.component == 3) {
        dac_.component = 0;
        ++dac_.read_index;
    }
    return value;
}

void Vga::write_dac(u8 value) {
    const bool wide = (dispi_.enable & EightBitDac) != 0;
    dac_.palette[dac_.write_index * 3u + dac_.component] = wide ? value : value & 0x3F;
    if (++dac_.component == 3) {
        dac_.component = 0;
        ++dac_.write_index;
    }
}

void Vga::write_attribute(u8 value) {
    if (!std::exchange(attribute_.data_next, !attribute_.data_next)) {
        attribute_.index = value & 0x3F;
        return;
    }
    const unsigned index = attribute_.index & 0x1F;
    // The palette is writable only while the display does not read it.
    if (index < 16 && PaletteOn::test(attribute_.index)) return;
    attribute_.registers[index] = index < 16 ? value & 0x3F : value;
}

void Vga::write_crtc(u8 value) {
    const unsigned index = crtc_index_ & 0x1F;
    if (index < 8 &&
        (crtc_[CrtcRetraceEnd] & 0x80) != 0) { // protected, but for bit 4 of the overflow register
        if (index == CrtcOverflow) crtc_[index] = static_cast<u8>((crtc_[index] & ~0x10) | (value & 0x10));
        return;
    }
    crtc_[index] = value;
}

u8 Vga::read_port_byte(u16 port) {
    switch (port) {
    case 0x3C0: return attribute_.index;
    case 0x3C1: return attribute_.registers[attribute_.index & 0x1F];
    case 0x3C2: return 0x10; // input status 0: switch sense
    case 0x3C4: return sequencer_index_;
    case 0x3C5: return sequencer_[sequencer_index_ & 7];
    case 0x3C6: return dac_.mask;
    case 0x3C7: return dac_.state;
    case 0x3C8: return dac_.write_index;
    case 0x3C9: return read_dac();
    case 0x3CA: return feature_;
    case 0x3CC: return miscellaneous_;
    case 0x3CE: return graphics_index_;
    case 0x3CF: return graphics_[graphics_index_ & 15];
    default: break;
    }
    if (!crtc_port(port)) return 0xFF;
    switch (port & 15) {
    case 4: return crtc_index_;
    case 5: return crtc_[crtc_index_ & 0x1F];
    case 10: return input_status();
    default: return 0xFF;
    }
}

void Vga::write_port_byte(u16 port, u8 value) {
    static constexpr std::array<u8, 8> SequencerMask{3, 0x3D, 0x0F, 0x3F, 0x0E, 0, 0, 0xFF};
    static constexpr std::array<u8, 16> GraphicsMask{0x0F, 0x0F, 0x0F, 0x1F, 0x03, 0x7B, 0x0F, 0x0F, 0xFF};
    switch (port) {
    case 0x3C0: return write_attribute(value);
    case 0x3C2: miscellaneous_ = value; return;
    case 0x3C4: sequencer_index_ = value & 7; return;
    case 0x3C5: sequencer_[sequencer_index_ & 7] = value & SequencerMask[sequencer_index_ & 7]; return;
    case 0x3C6: dac_.mask = value; return;
    case 0x3C7:
        dac_.read_index = value;
        dac_.component = 0;
        dac_.state = 3;
        return;
    case 0x3C8:
        dac_.write_index = value;
        dac_.component = 0;
        dac_.state = 0;
        return;
    case 0x3C9: return write_dac(value);
    case 0x3CE: graphics_index_ = value & 15; return;
    case 0x3CF: graphics_[graphics_index_ & 15] = value & GraphicsMask[graphics_index_ & 15]; return;
    default: break;
    }
    if (!crtc_port(port)) return;
    switch (port & 15) {
    case 4: crtc_index_ = value & 0x1F; break;
    case 5: write_crtc(value); break;
    case 10: feature_ = value; break;
    default: break;
    }
}

u32 Vga::port_read(u16 port, unsigned size) {
    if (port == 0x1CE) return dispi_.index;
    if (port == 0x1CF || port == 0x1D0) return dispi_read(dispi_.index);
    return read_bytewise(port, size, [this](u16 p) { return read_port_byte(p); });
}

void Vga::port_write(u16 port, unsigned size, u32 value) {
    if (port == 0x1CE) {
        dispi_.index = static_cast<u16>(value);
        return;
    }
    if (port == 0x1CF || port == 0x1D0) return dispi_write(dispi_.index, static_cast<u16>(value));
    write_bytewise(port, size, value, [this](u16 p, u8 byte) { write_port_byte(p, byte); });
}

/// BAR0 is memory (the board maps it directly, this is the path for odd accesses); BAR2 mirrors the ports.
u64 Vga::bar_read(unsigned index, u64 offset, unsigned size) {
    if (index == 0) return load_little({memory_.get(), MemorySize}, offset, size);
    if (index != 2) return size_mask(size);
    u64 value = 0;
    for (unsigned i = 0; i < size;) {
        const u64 at = offset + i;
        if (at >= 0x500 && at < 0x516 && (at & 1) == 0 && size - i >= 2) {
            value |= u64{dispi_read(static_cast<u16>((at - 0x500) / 2))} << (8 * i);
            i += 2;
            continue;
        }
        u8 byte = 0;
        if (at >= 0x400 && at < 0x420)
            byte = read_port_byte(static_cast<u16>(0x3C0 + (at - 0x400)));
        else if (at >= 0x500 && at < 0x516)
            byte = static_cast<u8>(dispi_read(static_cast<u16>((at - 0x500) / 2)) >> (8 * (at & 1)));
        value |= u64{byte} << (8 * i++);
    }
    return value;
}

void Vga::bar_write(unsigned index, u64 offset, unsigned size, u64 value) {
    if (index == 0) {
        for (unsigned i = 0; i < size && offset + i < MemorySize; ++i)
            *touch(offset + i) = static_cast<u8>(value >> (8 * i));
        return;
    }
    if (index != 2) return;
    for (unsigned i = 0; i < size; ++i) {
        const u64 at = offset + i;
        if (at >= 0x400 && at < 0x420) {
            write_port_byte(static_cast<u16>(0x3C0 + (at - 0x400)), static_cast<u8>(value >> (8 * i)));
        } else if (at >= 0x500 && at < 0x516 && (at & 1) == 0 &&
                   size - i >= 2) { // DISPI registers take 16-bit stores
            dispi_write(static_cast<u16>((at - 0x500) / 2), static_cast<u16>(value >> (8 * i)));
            ++i;
        }
    }
}

} // namespace vitrine::devices
