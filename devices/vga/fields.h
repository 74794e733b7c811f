// VGA register fields, named as in the IBM PS/2 Hardware Interface Technical Reference. Private to
// devices/vga.
#pragma once
#include "devices/register.h"

namespace vitrine::devices::vga {

// Miscellaneous output
using ColourPorts = Bits<0>;
using SyncPolarity = Bits<6, 2>; // 3: 480 lines
// Sequencer
enum Sequencer : unsigned { SeqReset, SeqClocking, SeqMapMask, SeqCharacterMap, SeqMemoryMode };
using EightDots = Bits<0>;
using HalfDotClock = Bits<3>; // every dot lasts two
using ScreenOff = Bits<5>;
using OddEvenOff = Bits<2>; // memory mode
using Chain4 = Bits<3>;
// Graphics controller
enum Graphics : unsigned {
    GfxSetReset,
    GfxEnableSetReset,
    GfxCompare,
    GfxRotate,
    GfxReadMap,
    GfxMode,
    GfxMisc,
    GfxDontCare,
    GfxBitMask
};
using RotateCount = Bits<0, 3>;
using LogicFunction = Bits<3, 2>;
using WriteMode = Bits<0, 2>;
using ReadCompare = Bits<3>;
using ReadOddEven = Bits<4>;
using ShiftInterleave = Bits<5>;
using Shift256 = Bits<6>;
using GraphicsMode = Bits<0>;
using MemoryMap = Bits<2, 2>;
// CRT controller
enum Crtc : unsigned {
    CrtcDisplayEnd = 0x01,
    CrtcOverflow = 0x07,
    CrtcPresetRow = 0x08, // and byte panning
    CrtcMaximumScan = 0x09,
    CrtcCursorStart = 0x0A,
    CrtcCursorEnd = 0x0B,
    CrtcStartHigh = 0x0C,
    CrtcStartLow = 0x0D,
    CrtcCursorHigh = 0x0E,
    CrtcCursorLow = 0x0F,
    CrtcRetraceEnd = 0x11,
    CrtcVerticalEnd = 0x12,
    CrtcOffset = 0x13,
    CrtcUnderline = 0x14,
    CrtcModeControl = 0x17,
    CrtcLineCompare = 0x18,
};
// Attribute controller
enum Attribute : unsigned {
    AttrMode = 0x10,
    AttrPlaneEnable = 0x12,
    AttrPanning = 0x13,
    AttrColourSelect = 0x14
};
using PaletteOn = Bits<5>; // index register: palette address source
using BlinkEnable = Bits<3>;
using LineGraphics = Bits<2>;
using PanningCompatible = Bits<5>; // pixel and byte panning end at the split
using Palette54Select = Bits<7>;
// DISPI
enum Dispi : u16 {
    DispiId,
    DispiWidth,
    DispiHeight,
    DispiDepth,
    DispiEnable,
    DispiBank,
    DispiVirtualWidth,
    DispiVirtualHeight,
    DispiX,
    DispiY,
    DispiMemory
};
inline constexpr u16 EnableBit = 0x01, GetCapabilities = 0x02, EightBitDac = 0x20, LinearBit = 0x40,
                     NoClear = 0x80;
inline constexpr u16 MaximumWidth = 2560, MaximumHeight = 1600;

} // namespace vitrine::devices::vga
