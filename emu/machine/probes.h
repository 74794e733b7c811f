// Probes — the one place at which the host listens to a machine: breakpoints, authors and the event store are
// listeners of it.
//
// Interface: a listener attaches with a mask of kinds and asks for the frames or linear pages that it
// watches; the union of all wishes is what processors, bus and disk controller are told to tell. Invariants:
// without a listener nothing is told, and every source has its fast path; frames and pages are counted, so
// that listeners do not know of each other; a listener may read the machine and ask the current processor to
// stop, and nothing else (law 4). Inside a notice, Cpu::registers() must not be called: an instruction is
// half done.
#pragma once
#include <unordered_map>
#include <vector>
#include "cpu/bus.h"
#include "emu/board/board.h"

namespace vitrine::emu {

struct Notice {
    enum class Kind : u8 {
        Memory,     ///< about to access a watched frame: `frame`, `address` = offset in it, `size`
        Linear,     ///< about to access a watched linear page
        Port,       ///< `address`, `size`, `value`
        Register,   ///< a device register at the physical `address`
        Msr,        ///< `address`, `value`
        Control,    ///< `address` = number, `old_value`, `value`
        Delivered,  ///< `delivery`
        Mode,       ///< `value` = the new cpu::Mode
        Phase,      ///< `text` = its name
        SystemCall, ///< `registers`: the program's
        UserReturn, ///< `registers`
        Disk,       ///< `request`, `value` = its Ich9Ahci::Stage
        Console,    ///< `text` was sent by COM1
        NewFuture,  ///< what was known to come from here on will not: a branch, or another state was loaded
    };
    Kind kind{};
    bool write = false;
    u32 frame = cpu::NoFrame;
    u32 size = 0;
    u64 address = 0, old_value = 0, value = 0;
    const cpu::Delivery* delivery = nullptr;
    const cpu::Registers* registers = nullptr;
    const devices::Ich9Ahci::Request* request = nullptr;
    std::string_view text{};
};

class ProbeListener {
public:
    virtual ~ProbeListener() = default;
    virtual void notice(const Notice& notice) = 0;
};

/// Who keeps track of what changes: checkpoints of the timeline and of a recording. Told before the first
/// write to a frame since anybody called all_clean(), so a listener may hear of one again.
class WriteListener {
public:
    virtual ~WriteListener() = default;
    virtual void frame_written(u32 frame) = 0;
    virtual void disk_written(unsigned disk, u64 page) = 0;
};

class Probes final : public cpu::WatchObserver, public cpu::FirstWriteObserver, public BusWatcher {
public:
    static constexpr u32 bit(Notice::Kind kind) { return 1u << static_cast<unsigned>(kind); }

    explicit Probes(Board& board) : board_(board) {}
    /// Memory and Linear need no bit of their own: who watches gets them. Attaching again replaces the mask.
    void attach(ProbeListener& listener, u32 kinds);
    void detach(ProbeListener& listener);
    bool wants(Notice::Kind kind) const { return (kinds_ & bit(kind)) != 0; }

    /// `flags`: cpu::WatchedRead, cpu::WatchedWrite or both. Each watch needs its unwatch with equal flags.
    void watch_frame(u32 frame, u8 flags);
    void unwatch_frame(u32 frame, u8 flags);
    void attach_writes(WriteListener& listener);
    void detach_writes(WriteListener& listener);
    /// From here on every frame's next write is told again.
    void all_clean();

    void watch_linear(u64 page) { board_.code().watch_linear(page); }
    void unwatch_linear(u64 page) { board_.code().unwatch_linear(page); }

    void tell(const Notice& notice) {
        for (ProbeListener* listener : by_kind_[static_cast<unsigned>(notice.kind)]) listener->notice(notice);
    }

    // Sources.
    void first_write(u32 frame) override;
    void watched(u32 frame, unsigned offset, unsigned size, bool write) override;
    void watched_linear(u64 linear, unsigned size, bool write) override;
    void port_accessed(u16 port, unsigned size, u64 value, bool write) override;
    void register_accessed(u64 pa, unsigned size, u64 value, bool write) override;

private:
    static constexpr unsigned Kinds = static_cast<unsigned>(Notice::Kind::NewFuture) + 1;
    void update();
    struct Wish {
        ProbeListener* listener;
        u32 kinds;
    };
    struct Users {
        u32 read = 0, write = 0;
    };
    Board& board_;
    std::vector<WriteListener*> write_listeners_;
    std::vector<Wish> wishes_; ///< in order of attaching: that is the order of telling
    std::vector<ProbeListener*> by_kind_[Kinds];
    u32 kinds_ = 0;
    std::unordered_map<u32, Users> frames_;
};

} // namespace vitrine::emu
