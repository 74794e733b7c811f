// vga DISPI — the Bochs VBE register interface: resolution, depth, virtual screen, bank.
//
// Invariants: an enabled mode has non-zero width and height, a known depth, and virtual width >= width;
// whatever lies beyond memory is drawn black.
#include <algorithm>
#include "devices/vga/fields.h"
#include "devices/vga/vga.h"

namespace vitrine::devices {

using namespace vga;

u64 Vga::dispi_pitch() const {
    const u64 width = dispi_.virtual_width;
    return dispi_.depth == 4 ? width / 2 : width * ((dispi_.depth + 7u) / 8);
}

u16 Vga::dispi_read(u16 index) const {
    const bool capabilities = (dispi_.enable & GetCapabilities) != 0;
    switch (index) {
    case DispiId: return dispi_.id;
    case DispiWidth: return capabilities ? MaximumWidth : dispi_.width;
    case DispiHeight: return capabilities ? MaximumHeight : dispi_.height;
    case DispiDepth: return capabilities ? 32 : dispi_.depth;
    case DispiEnable: return dispi_.enable;
    case DispiBank: return dispi_.bank;
    case DispiVirtualWidth: return dispi_.virtual_width;
    case DispiVirtualHeight: return dispi_.virtual_height;
    case DispiX: return dispi_.x_offset;
    case DispiY: return dispi_.y_offset;
    case DispiMemory: return MemorySize >> 16;
    default: return 0;
    }
}

void Vga::dispi_write(u16 index, u16 value) {
    const auto virtual_height = [this] {
        const u64 pitch = dispi_pitch();
        return static_cast<u16>(pitch == 0 ? 0 : std::min<u64>(MemorySize / pitch, 0xFFFF));
    };
    switch (index) {
    case DispiId:
        if (value >= 0xB0C0 && value <= 0xB0C5) dispi_.id = value;
        break;
    case DispiWidth: // a mode is set while disabled
        if (!dispi_enabled() && value <= MaximumWidth) {
            dispi_.width = static_cast<u16>(value & ~7);
            dispi_.virtual_width = std::max(dispi_.virtual_width, dispi_.width);
        }
        break;
    case DispiHeight:
        if (!dispi_enabled() && value <= MaximumHeight) dispi_.height = value;
        break;
    case DispiDepth:
        if (value == 0) value = 8;
        if (!dispi_enabled() &&
            (value == 4 || value == 8 || value == 15 || value == 16 || value == 24 || value == 32))
            dispi_.depth = value;
        break;
    case DispiEnable: {
        const bool starts = (value & EnableBit) != 0 && !dispi_enabled();
        dispi_.enable = value & (EnableBit | GetCapabilities | EightBitDac | LinearBit | NoClear);
        if (!starts) break;
        if (dispi_.width == 0 || dispi_.height == 0 || dispi_.depth == 0) {
            dispi_.enable &= static_cast<u16>(~EnableBit);
            log("a display mode without size or depth was not enabled");
            break;
        }
        dispi_.virtual_width = dispi_.width;
        dispi_.x_offset = dispi_.y_offset = 0;
        dispi_.virtual_height = virtual_height();
        dispi_.bank = 0;
        if ((value & NoClear) == 0) clear_memory();
        break;
    }
    case DispiBank:
        if (value < MemorySize >> 16) dispi_.bank = value;
        break;
    case DispiVirtualWidth:
        if (value >= dispi_.width && dispi_.depth != 0) {
            dispi_.virtual_width = value;
            dispi_.virtual_height = virtual_height();
        }
        break;
    case DispiX: dispi_.x_offset = value; break;
    case DispiY: dispi_.y_offset = value; break;
    default: break; // virtual height and memory size follow from the rest
    }
}

} // namespace vitrine::devices
