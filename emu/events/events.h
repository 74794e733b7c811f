// EventStore — what happened in a run, noted with its step while the machine runs: interrupts, exceptions,
// system calls with arguments and results, task switches, page faults, disk requests, mode changes, phases,
// console output.
//
// Interface: make one for a machine and run it; query() and density() at any time. Each event is a step, a
// time, a processor and three numbers whose meaning its kind gives (and a result for what ends later). Kinds
// are columns of their own, so that one kind is read without the others.
//
// Invariants
// - Nothing here is guest-visible; a kind that is not noted costs nothing.
// - Memory is bounded by the budget: a column that is full keeps its newest part (lost() tells how many
// went), and its
//   density stays whole: counts per bucket are kept for all of the run, at most `Buckets` of them, by
//   doubling the bucket's width.
// - Travelling back notes nothing twice: while the machine runs through steps that are known, events are
//   dropped; what was known of the future stays. cut() forgets it, when an input in the past starts a branch.
// - Not thread-safe: the app copies what it draws while the machine stands.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>
#include "cpu/base/types.h"

namespace vitrine::emu {

class Machine;

enum class EventKind : u8 {
    Interrupt,  ///< a = vector, b = interrupted rip
    Exception,  ///< a = vector, b = rip, c = error code
    PageFault,  ///< a = address (CR2), b = rip, c = error code
    SystemCall, ///< a = number, b = rip behind it; arguments(); result, end
    TaskSwitch, ///< a = the new task's structure, b = its PID, c = SwitchFrom; text() = its name
    Disk,       ///< a = first sector, b = sectors, c = ATA command | port << 8 | slot << 16; end
    Mode,       ///< a = cpu::Mode
    Phase,      ///< text() = name
    Console,    ///< a = bytes; text() = the first of them, a line at a time
};
inline constexpr unsigned EventKinds = 9;
const char* event_kind_name(EventKind kind);
enum class EventAxis : u8 { Step, Time };

/// Event::c of a task switch: who gave the processor away, and in which state.
struct SwitchFrom {
    u32 pid = 0;
    u32 state = 0; ///< Task.state: 0: it could go on (preempted, or it yielded)
    static SwitchFrom of(u64 c) { return {static_cast<u32>(c), static_cast<u32>(c >> 32)}; }
    u64 packed() const { return pid | u64{state} << 32; }
};

/// "had to give way", "sleeps", "has ended" …
const char* switch_reason(SwitchFrom from);

struct Event {
    static constexpr u64 Open = ~u64{0};
    u64 step = 0, time = 0;
    EventKind kind{};
    u8 processor = 0;
    u64 a = 0, b = 0, c = 0;
    u64 end = Open;     ///< SystemCall, Disk: the virtual time at which it was over; Open: not (yet) known
    u64 result = 0;     ///< SystemCall: RAX when it returned
    u32 text = ~u32{0}; ///< see EventStore::text()
    u64 index = 0;      ///< number among the events of its kind, from 0 since power-on
};

class EventStore {
public:
    static constexpr u64 DefaultBudget = 64 << 20;
    static constexpr unsigned Buckets = 4096;
    static constexpr u32 AllKinds = (1u << EventKinds) - 1;
    static constexpr u32 bit(EventKind kind) { return 1u << static_cast<unsigned>(kind); }

    /// `again`: for a part of the past that is run again once, straight: notes there, too.
    explicit EventStore(Machine& machine, u32 kinds = AllKinds, u64 budget_bytes = DefaultBudget,
                        bool again = false);
    ~EventStore();
    EventStore(const EventStore&) = delete;
    EventStore& operator=(const EventStore&) = delete;

    u32 kinds() const;
    /// Events with from <= step < to, oldest first, at most `limit` (the first ones).
    std::vector<Event> query(EventKind kind, u64 from, u64 to, std::size_t limit) const;
    /// Of several kinds (a mask of bit()), merged by step.
    std::vector<Event> query(u32 kinds, u64 from, u64 to, std::size_t limit) const;
    /// How many events of a kind fall into each of `buckets` equal parts of the steps [from, to). Exact as
    /// long as a part is not finer than what is kept; costs O(buckets), not O(events).
    std::vector<u64> density(EventKind kind, u64 from, u64 to, unsigned buckets) const;
    /// The same between neighbours of `edges` (ascending) on either axis; one less than there are edges.
    std::vector<u64> density(EventKind kind, std::span<const u64> edges, EventAxis axis) const;
    /// The index of the first held event at or behind `place`; end(kind) when there is none.
    u64 lower(EventKind kind, u64 place, EventAxis axis) const;
    /// One held event: first(kind) <= index < end(kind).
    Event at(EventKind kind, u64 index) const;
    u64 first(EventKind kind) const { return lost(kind); }
    u64 end(EventKind kind) const { return count(kind); }
    /// From one axis to the other, by the events around: exact at events, a straight line between.
    u64 step_at(u64 time) const;
    u64 time_at(u64 step) const;
    u64 count(EventKind kind) const;
    /// Events of a kind whose details are no longer held.
    u64 lost(EventKind kind) const;
    /// The six arguments of a system call.
    std::array<u64, 6> arguments(const Event& event) const;
    std::string text(const Event& event) const;
    /// One line: "write(1, 0x4011a0, 5) = 5", "#PF at 0x1000 (user write)" …
    std::string describe(const Event& event) const;
    /// Bytes that all of it takes.
    u64 used() const;
    /// The step up to which events are known.
    u64 known() const;
    /// What is known from `step` on is forgotten: another future begins.
    void cut(u64 step);
    /// How often something was forgotten; and how many events of a kind have outlived all of those times.
    u64 cuts() const;
    u64 cut_end(EventKind kind) const;
    /// An event that did not come from the machine: for figures and tests.
    void add(const Event& event);

    struct Impl;

private:
    std::unique_ptr<Impl> impl_;
};

/// "interrupt,syscall" or "all" as a mask.
Expected<u32> parse_event_kinds(std::string_view text);
/// For Chrome's and Perfetto's trace viewers: JSON with one track a processor and a kind. SDK: "Trace Event
/// Format".
std::string to_chrome_trace(const EventStore& events, u32 kinds, u64 from, u64 to);
/// Linux's ftrace text (Documentation/trace/ftrace.rst), as trace-cmd report and kernelshark read it.
std::string to_ftrace_text(const EventStore& events, u32 kinds, u64 from, u64 to);
/// One JSON object.
std::string to_json(const EventStore& events, const Event& event);

} // namespace vitrine::emu
