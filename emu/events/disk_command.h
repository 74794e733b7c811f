// What an ATA command does to the medium, by its code. ATA8-ACS table 6; Serial ATA 3.0 13.6 (NCQ).
#pragma once
#include <string_view>
#include "cpu/base/types.h"

namespace vitrine::emu {

struct DiskCommand {
    std::string_view name;
    bool moves = false;  ///< sectors to or from memory
    bool writes = false; ///< to the medium
};

constexpr DiskCommand disk_command(u8 code) {
    switch (code) {
    case 0x20: return {"READ SECTORS", true, false};
    case 0x24: return {"READ SECTORS EXT", true, false};
    case 0x25: return {"READ DMA EXT", true, false};
    case 0x29: return {"READ MULTIPLE EXT", true, false};
    case 0xC4: return {"READ MULTIPLE", true, false};
    case 0xC8: return {"READ DMA", true, false};
    case 0x60: return {"READ FPDMA QUEUED", true, false};
    case 0x30: return {"WRITE SECTORS", true, true};
    case 0x34: return {"WRITE SECTORS EXT", true, true};
    case 0x35: return {"WRITE DMA EXT", true, true};
    case 0x39: return {"WRITE MULTIPLE EXT", true, true};
    case 0x3D: return {"WRITE DMA FUA EXT", true, true};
    case 0xC5: return {"WRITE MULTIPLE", true, true};
    case 0xCA: return {"WRITE DMA", true, true};
    case 0xCE: return {"WRITE MULTIPLE FUA EXT", true, true};
    case 0x61: return {"WRITE FPDMA QUEUED", true, true};
    case 0xA0: return {"PACKET", false, false};
    case 0xA1: return {"IDENTIFY PACKET DEVICE", false, false};
    case 0xE7: return {"FLUSH CACHE", false, false};
    case 0xEA: return {"FLUSH CACHE EXT", false, false};
    case 0xEC: return {"IDENTIFY DEVICE", false, false};
    case 0xEF: return {"SET FEATURES", false, false};
    default: return {"", false, false};
    }
}

} // namespace vitrine::emu
