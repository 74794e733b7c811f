// KnownRun — what is known of a machine's run without having run it: its end, and states that the machine can
// be put to. A recording with checkpoints is one (emu/recorder/recorded_run.h).
//
// Places: a state's memory is a set of pages, each at a place: a RAM frame (in order of host memory,
// GuestMemory::frame), a page of display memory, or a page of a disk's overlay. What a state does not name is
// as at power-on: zero, or the disk's base image.
#pragma once
#include <functional>
#include <optional>
#include "emu/machine.h"

namespace vitrine::emu {

using Place = u64;
inline constexpr Place DiskPlace = Place{1} << 60, VideoPlace = Place{1} << 61;
inline constexpr unsigned DiskShift = 48;
inline constexpr Place disk_place(u64 disk, u64 page) { return DiskPlace | disk << DiskShift | page; }
inline constexpr unsigned disk_of(Place place) {
    return static_cast<unsigned>((place & ~DiskPlace) >> DiskShift);
}
inline constexpr u64 disk_page_of(Place place) { return place & ((u64{1} << DiskShift) - 1); }

class KnownRun {
public:
    struct State {
        std::vector<u8> blob; ///< Machine::save_without_memory()
        std::size_t inputs = 0;
        Machine::HostView view;
    };
    /// Told every place of a state once, with its 4096 bytes.
    using PageSink = std::function<void(Place place, const u8* page)>;

    virtual ~KnownRun() = default;
    /// The last step that is known.
    virtual u64 end() const = 0;
    /// The last state at or before `step` that has not been found damaged.
    virtual std::optional<u64> before(u64 step) const = 0;
    /// Reads the state at exactly `step` (what before() has told). An error: it cannot be used, and before()
    /// tells of it no more; pages may have been told until then.
    virtual Expected<State> load(u64 step, const PageSink& sink) = 0;
    /// Whether a machine that stands there has the state that was recorded.
    virtual Expected<void> check(u64 step, Machine& machine) = 0;
    virtual const std::vector<Phase>& phases() const = 0;
    virtual const std::vector<ModeChange>& modes() const = 0;
};

} // namespace vitrine::emu
