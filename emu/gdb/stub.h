// Stub — gdb's remote protocol over one machine: commands in, replies out. It knows nothing of sockets.
//
// Interface: handle() a packet's content; it answers with the reply's content, and runs the machine while gdb
// waits for a stop. vCPUs are threads 1 … N. Breakpoints and watchpoints are those of the debugger (so they
// work backwards); registers and memory are written by recorded operator inputs. Steps and addresses are the
// engine's: a step is one instruction, or one delivery of an interrupt.
//
// Invariants: any packet may come (law 5): what is malformed answers E01, what is unknown an empty reply.
// Nothing that gdb reads changes the machine. GDB manual, appendix E.
#pragma once
#include <functional>
#include <string>
#include "emu/debugger/debugger.h"
#include "emu/timeline/timeline.h"

namespace vitrine::emu::gdb {

class Stub {
public:
    /// Longest piece of memory that one packet reads or writes.
    static constexpr u64 LongestMemory = 16 << 10;

    Stub(Machine& machine, Timeline& timeline) : machine_(machine), timeline_(timeline), debugger_(machine) {}

    /// The reply; nothing: none is due (the connection ends).
    std::optional<std::string> handle(std::string_view packet);
    /// gdb asked to go, and whether the machine shall run on.
    enum class State : u8 { Attached, Detached, Killed, LimitReached, Ended };
    State state() const { return state_; }
    bool acknowledges() const { return acknowledge_; }
    /// Another gdb has come, and the one before went without a word: nothing of it is left.
    void forget_peer();
    /// The machine replays a recording: it ends there, and nothing can be written.
    void replays(u64 end) { replay_end_ = end; }
    /// The run is being recorded: nothing is written in its past.
    void records() { records_ = true; }
    /// The run ends when so many steps are done (State::LimitReached).
    void limit_steps(u64 step) { step_limit_ = step; }
    /// Asked now and then while the machine runs: true interrupts it.
    void on_poll(std::function<bool()> poll) { poll_ = std::move(poll); }

private:
    std::string query(std::string_view packet);
    std::string features(std::string_view rest) const;
    std::string resume(std::string_view actions);
    std::string run_forwards();
    std::string step_forwards(unsigned processor);
    std::string backwards(bool one_step);
    bool undone();
    std::string stop_reply();
    u64 furthest_step() const { return std::min(replay_end_, step_limit_); }
    std::string at_furthest();
    std::string at_end();
    std::string all_registers() const;
    std::string write_all(std::string_view hex);
    std::string read_memory(std::string_view rest) const;
    std::string write_memory(std::string_view rest, bool binary);
    std::string place(std::string_view packet, bool add);
    std::string thread_command(std::string_view rest);
    // monitor.cpp
    std::string monitor(const std::string& line);
    std::string events(const std::string& argument);
    std::string all_writes(const std::string& argument);
    std::string run_to_phase(const std::string& name);

    Machine& machine_;
    Timeline& timeline_;
    Debugger debugger_;
    std::function<bool()> poll_;
    State state_ = State::Attached;
    bool acknowledge_ = true, records_ = false;
    u64 replay_end_ = ~u64{0}, step_limit_ = ~u64{0};
    unsigned thread_ = 0; ///< processor that g, m … are about
    struct Placed {
        char type;
        u64 address, length;
        u32 id;
    };
    std::vector<Placed> placed_;
    std::string why_ = "T05"; ///< the last stop, without its thread
};

} // namespace vitrine::emu::gdb
