// The caller's registers as entry/gates.S saved them, and the BIOS data area.
//
// Invariants: a Frame lies on the caller's real-mode stack; a service changes it in place and the gate pops
// it.
#pragma once
#include "roms/bios/ports.h"

namespace vitrine::bios {

union Register {
    U32 e;
    U16 x;
    struct {
        U8 l, h;
    };
};

struct Frame {
    Register di, si, bp, unused_sp, b, d, c, a; // PUSHAL's order
    U16 gs, fs, es, ds;
    U16 vector, ip, cs, flags;

    void set_carry(bool on) { flags = static_cast<U16>(on ? flags | 1 : flags & ~1); }
    void set_zero(bool on) { flags = static_cast<U16>(on ? flags | 0x40 : flags & ~0x40); }
};
static_assert(sizeof(Frame) == 48);

inline U32 linear(U16 segment, U16 offset) { return (static_cast<U32>(segment) << 4) + offset; }

/// What a service tells the gate.
enum class Outcome : U32 {
    Done = 0,
    WaitForInterrupt = 1, ///< halt until an interrupt, then call the service again with the same frame
    Again = 2,            ///< let pending interrupts in, then call again
};

// The BIOS data area at 40:00 (IBM PC/AT Technical Reference), by linear address.
namespace bda {
inline constexpr U32 SerialPorts = 0x400, ParallelPorts = 0x408, ExtendedDataSegment = 0x40e,
                     Equipment = 0x410, MemoryKib = 0x413, KeyboardFlags = 0x417, KeyboardFlags2 = 0x418,
                     KeyboardHead = 0x41a, KeyboardTail = 0x41c, KeyboardBuffer = 0x41e, VideoMode = 0x449,
                     VideoColumns = 0x44a, VideoPageSize = 0x44c, VideoPageStart = 0x44e,
                     CursorPositions = 0x450, CursorShape = 0x460, VideoPage = 0x462, CrtcPort = 0x463,
                     TickCount = 0x46c, TickMidnight = 0x470, ResetFlag = 0x472, DiskStatus = 0x474,
                     DiskCount = 0x475, SerialTimeouts = 0x47c, KeyboardStart = 0x480, KeyboardEnd = 0x482,
                     VideoRows = 0x484, CharacterHeight = 0x485, VideoControl = 0x487, VideoSwitches = 0x488,
                     KeyboardFlags3 = 0x496, KeyboardLeds = 0x497;
}
inline constexpr U32 ExtendedDataArea = 0x9fc00; ///< EBDA, 1 KiB; its first byte is its size in KiB

} // namespace vitrine::bios
