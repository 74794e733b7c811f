// FrameFlags — one byte for each 4 KiB frame of memory that the guest can reach, and the one mechanism behind
// code tracking, checkpoints and watchpoints (design.md §3).
//
// A frame is a page of host memory, numbered by the board: RAM, video memory and ROM each have frames of
// their own, and two physical addresses that reach the same byte (A20, shadowing, the frame buffer's windows)
// reach the same frame. PhysicalPage::frame tells which.
//
// Invariant: while a frame has any flag of RefusesWrite, no fast write entry of any processor points to it,
// so every write to it takes the slow door (CodeCache::before_write, written); the same holds for RefusesRead
// and fast read entries. Whoever sets a flag drops the entries (CodeCache::set_flags). Host side only:
// nothing here is guest-visible.
#pragma once
#include <vector>
#include "cpu/base/types.h"

namespace vitrine::cpu {

enum FrameFlag : u8 {
    HasCode = 1,      ///< decoded code was made from it
    Clean = 2,        ///< unchanged since the last checkpoint; the first write must copy it
    WatchedRead = 4,  ///< somebody wants to know who reads it
    WatchedWrite = 8, ///< somebody wants to know who writes it
    RefusesRead = WatchedRead,
    RefusesWrite =
        HasCode | Clean | WatchedWrite | WatchedRead, // read-modify-write reads through a write entry
};
inline constexpr u32 NoFrame = ~u32{0}; ///< not plain memory: a device, or nothing

class FrameFlags {
public:
    u8 of(u32 frame) const { return frame < bytes_.size() ? bytes_[frame] : 0; }
    void set(u32 frame, u8 flags) {
        if (frame == NoFrame) return;
        if (frame >= bytes_.size()) bytes_.resize(frame + 1);
        bytes_[frame] |= flags;
    }
    void clear(u32 frame, u8 flags) {
        if (frame < bytes_.size()) bytes_[frame] &= static_cast<u8>(~flags);
    }
    /// The first `count` frames at once.
    void set_first(u32 count, u8 flags) {
        if (bytes_.size() < count) bytes_.resize(count);
        for (u32 i = 0; i < count; ++i) bytes_[i] |= flags;
    }
    void clear_all(u8 flags) {
        for (u8& byte : bytes_) byte &= static_cast<u8>(~flags);
    }

private:
    std::vector<u8> bytes_;
};

/// Who wants to hear of accesses to flagged frames. Called before a byte moves; must not change guest-visible
/// state.
class FirstWriteObserver {
public:
    virtual ~FirstWriteObserver() = default;
    /// A Clean frame is about to be written for the first time; the flag is already cleared.
    virtual void first_write(u32 frame) = 0;
};
class WatchObserver {
public:
    virtual ~WatchObserver() = default;
    /// An access to a frame with WatchedRead or WatchedWrite. `offset` and `size` lie inside the frame.
    virtual void watched(u32 frame, unsigned offset, unsigned size, bool write) = 0;
    /// An access by a linear address on a watched page (CodeCache::watch_linear); it may cross into the next.
    virtual void watched_linear(u64 linear, unsigned size, bool write) = 0;
};

} // namespace vitrine::cpu
