// Stub: see stub.h. monitor.cpp has the commands of our own.
#include "emu/gdb/stub.h"
#include <algorithm>
#include <fmt/format.h>
#include "emu/board/board.h"
#include "emu/gdb/packet.h"
#include "emu/gdb/registers.h"
#include "emu/symbols/guest_symbols.h"

namespace vitrine::emu::gdb {

namespace {
constexpr const char* Bad = "E01";
constexpr const char* NoMemory = "E14"; // EFAULT
constexpr double SliceSeconds = 0.02;
// gdb shows the text behind "E." (GDB manual, E.1).
constexpr const char* ReplayOnly =
    "E.this is a replay: registers and memory are the recording's and cannot be written";
constexpr const char* RecordedOnly =
    "E.a recording goes on at its end: monitor seek there before you write, or end the recording";
} // namespace

std::optional<std::string> Stub::handle(std::string_view packet) {
    if (packet.empty()) return std::string();
    const bool writes = packet[0] == 'G' || packet[0] == 'P' || packet[0] == 'M' ||
                        (packet[0] == 'X' && !packet.ends_with(",0:")); // which only asks for X packets
    if (writes && replay_end_ != ~u64{0}) return ReplayOnly;
    if (writes && records_ && timeline_.in_the_past()) return RecordedOnly;
    const std::string_view rest = packet.substr(1);
    switch (packet[0]) {
    case '?': return stop_reply();
    case 'g': return all_registers();
    case 'G': return write_all(rest);
    case 'p': {
        std::string_view text = rest;
        const auto number = take_number(text);
        if (!number || *number >= register_count(machine_)) return Bad;
        return to_hex(read_register(machine_, thread_, static_cast<unsigned>(*number)));
    }
    case 'P': {
        std::string_view text = rest;
        const auto number = take_number(text);
        if (!number || *number >= register_count(machine_) || !text.starts_with('=')) return Bad;
        const auto bytes = from_hex(text.substr(1));
        if (!bytes) return Bad;
        const auto poke = write_register(machine_, thread_, static_cast<unsigned>(*number), *bytes);
        if (!poke) return Bad;
        machine_.input(*poke);
        return "OK";
    }
    case 'm': return read_memory(rest);
    case 'M': return write_memory(rest, false);
    case 'X': return write_memory(rest, true);
    case 'Z': return place(packet, true);
    case 'z': return place(packet, false);
    case 'H': return thread_command(rest);
    case 'T': {
        std::string_view text = rest;
        const auto thread = take_number(text);
        return thread && *thread >= 1 && *thread <= machine_.processor_count() ? "OK" : Bad;
    }
    case 'c': return rest.empty() ? run_forwards() : std::string(Bad);
    case 's': return rest.empty() ? step_forwards(thread_) : std::string(Bad);
    case 'b':
        if (rest == "s") return backwards(true);
        if (rest == "c") return backwards(false);
        return "";
    case 'D': state_ = State::Detached; return "OK";
    case 'k': state_ = State::Killed; return std::nullopt;
    case 'v':
        if (packet == "vCont?") return "vCont;c;C;s;S";
        if (packet.starts_with("vCont")) return resume(packet.substr(5));
        if (packet.starts_with("vKill")) {
            state_ = State::Killed;
            return "OK";
        }
        return "";
    case 'q': return query(packet);
    case 'Q':
        if (packet == "QStartNoAckMode") {
            acknowledge_ = false;
            return "OK";
        }
        return "";
    default: return "";
    }
}

std::string Stub::query(std::string_view packet) {
    if (packet.starts_with("qSupported"))
        return fmt::format(
            "PacketSize={:x};qXfer:features:read+;swbreak+;hwbreak+;vContSupported+;QStartNoAckMode+;"
            "ReverseStep+;ReverseContinue+",
            PacketReader::Longest / 2);
    if (packet.starts_with("qXfer:features:read:")) return features(packet.substr(20));
    if (packet == "qC") return fmt::format("QC{:x}", machine_.current_processor() + 1);
    if (packet == "qfThreadInfo") {
        std::string out = "m";
        for (unsigned i = 1; i <= machine_.processor_count(); ++i)
            out += fmt::format("{}{:x}", i > 1 ? "," : "", i);
        return out;
    }
    if (packet == "qsThreadInfo") return "l";
    if (packet.starts_with("qThreadExtraInfo,")) {
        std::string_view text = packet.substr(17);
        const auto thread = take_number(text);
        if (!thread || *thread < 1 || *thread > machine_.processor_count()) return Bad;
        const cpu::Cpu& cpu = machine_.processor(static_cast<unsigned>(*thread - 1));
        return to_hex(fmt::format("processor {}, {}{}", *thread - 1, cpu::mode_name(cpu.mode()),
                                  cpu.halted() ? ", halted" : ""));
    }
    if (packet == "qAttached") return "1";
    if (packet == "qOffsets") {
        // The kernel was moved by KASLR: gdb moves its symbols likewise.
        const GuestSymbols* symbols = machine_.symbols();
        if (!symbols || !symbols->slide() || *symbols->slide() == 0) return "";
        return fmt::format("Text={0:x};Data={0:x};Bss={0:x}", *symbols->slide());
    }
    if (packet.starts_with("qRcmd,")) {
        const auto line = from_hex(packet.substr(6));
        if (!line) return Bad;
        return to_hex(monitor(*line));
    }
    return "";
}

/// ANNEX:OFFSET,LENGTH
std::string Stub::features(std::string_view rest) const {
    const auto colon = rest.find(':');
    if (colon == std::string_view::npos || rest.substr(0, colon) != "target.xml") return "E00";
    rest.remove_prefix(colon + 1);
    const auto offset = take_number(rest);
    if (!offset || !rest.starts_with(',')) return Bad;
    rest.remove_prefix(1);
    const auto length = take_number(rest);
    if (!length) return Bad;
    const std::string& all = target_description(machine_);
    if (*offset >= all.size()) return "l";
    const u64 part = std::min<u64>({*length, all.size() - *offset, PacketReader::Longest / 4});
    return (*offset + part < all.size() ? "m" : "l") + all.substr(*offset, part);
}

// ---- registers and memory ---------------------------------------------------------------------------------

std::string Stub::all_registers() const {
    std::string out;
    for (unsigned i = 0; i < register_count(machine_); ++i)
        out += to_hex(read_register(machine_, thread_, i));
    return out;
}

std::string Stub::write_all(std::string_view hex) {
    const auto bytes = from_hex(hex);
    if (!bytes) return Bad;
    std::size_t at = 0;
    for (unsigned i = 0; i < register_count(machine_) && at < bytes->size(); ++i) {
        const std::string value = bytes->substr(at, register_size(machine_, i));
        at += register_size(machine_, i);
        if (value == read_register(machine_, thread_, i)) continue;
        const auto poke = write_register(machine_, thread_, i, value);
        if (!poke) return Bad;
        machine_.input(*poke);
    }
    return "OK";
}

/// ADDRESS,LENGTH
std::string Stub::read_memory(std::string_view rest) const {
    const auto address = take_number(rest);
    if (!address || !rest.starts_with(',')) return Bad;
    rest.remove_prefix(1);
    const auto length = take_number(rest);
    if (!length || *length > LongestMemory) return Bad;
    std::string bytes(*length, '\0');
    const std::size_t read =
        machine_.processor(thread_).peek(*address, {reinterpret_cast<u8*>(bytes.data()), bytes.size()});
    if (read == 0 && *length != 0) return NoMemory;
    bytes.resize(read);
    return to_hex(bytes);
}

/// ADDRESS,LENGTH:DATA
std::string Stub::write_memory(std::string_view rest, bool binary) {
    const auto address = take_number(rest);
    if (!address || !rest.starts_with(',')) return Bad;
    rest.remove_prefix(1);
    const auto length = take_number(rest);
    if (!length || *length > LongestMemory || !rest.starts_with(':')) return Bad;
    rest.remove_prefix(1);
    const std::optional<std::string> bytes = binary ? std::optional(std::string(rest)) : from_hex(rest);
    if (!bytes || bytes->size() != *length) return Bad;
    // All of it is there, or none is written.
    std::vector<MemoryPoke> pokes;
    for (u64 done = 0; done < *length;) {
        u64 physical = 0;
        if (!machine_.processor(thread_).translate(*address + done, physical)) return NoMemory;
        if (!machine_.board().page(physical).writable) return NoMemory;
        const u64 part = std::min<u64>(*length - done, PageBytes - (*address + done) % PageBytes);
        const auto* from = reinterpret_cast<const u8*>(bytes->data()) + done;
        pokes.push_back({physical, std::vector<u8>(from, from + part)});
        done += part;
    }
    for (MemoryPoke& poke : pokes) machine_.input(std::move(poke));
    return "OK";
}

/// Z|z TYPE,ADDRESS,KIND
std::string Stub::place(std::string_view packet, bool add) {
    if (packet.size() < 4 || packet[2] != ',') return Bad;
    const char type = packet[1];
    if (type < '0' || type > '4') return "";
    std::string_view rest = packet.substr(3);
    const auto address = take_number(rest);
    if (!address || !rest.starts_with(',')) return Bad;
    rest.remove_prefix(1);
    const auto length = take_number(rest);
    if (!length) return Bad;
    const auto known = std::ranges::find_if(placed_, [&](const Placed& p) {
        return p.type == type && p.address == *address && p.length == *length;
    });
    if (!add) {
        if (known == placed_.end()) return "OK";
        debugger_.remove(known->id);
        placed_.erase(known);
        return "OK";
    }
    if (known != placed_.end()) return "OK";
    BreakSpec spec;
    spec.address = *address;
    if (type >= '2') {
        if (*length == 0 || *length > LongestMemory || *address + (*length - 1) < *address) return Bad;
        spec.kind = BreakKind::Data, spec.length = *length;
        spec.access = type == '2' ? WriteAccess : type == '3' ? ReadAccess : AnyAccess;
    }
    const auto id = debugger_.add(std::move(spec));
    if (!id) return Bad;
    placed_.push_back({type, *address, *length, *id});
    return "OK";
}

// ---- threads and running ----------------------------------------------------------------------------------

/// g|c THREAD: 0 and -1 mean the current one.
std::string Stub::thread_command(std::string_view rest) {
    if (rest.size() < 2 || (rest[0] != 'g' && rest[0] != 'c')) return Bad;
    rest.remove_prefix(1);
    unsigned wanted = machine_.current_processor();
    if (rest != "-1") {
        const auto thread = take_number(rest);
        if (!thread || *thread > machine_.processor_count()) return Bad;
        if (*thread) wanted = static_cast<unsigned>(*thread - 1);
    }
    thread_ = wanted;
    return "OK";
}

/// ;ACTION[:THREAD]… — all processors run together: a step of one thread is what counts.
std::string Stub::resume(std::string_view actions) {
    std::optional<unsigned> step;
    bool any = false;
    while (!actions.empty()) {
        if (actions[0] != ';') return Bad;
        actions.remove_prefix(1);
        std::string_view one = actions.substr(0, actions.find(';'));
        actions.remove_prefix(one.size());
        if (one.empty()) return Bad;
        const char action = one[0];
        one.remove_prefix(1);
        if (action == 'C' || action == 'S')
            if (!take_number(one)) return Bad; // there are no signals here
        unsigned thread = machine_.current_processor();
        if (one.starts_with(":-1")) {
            one = {};
        } else if (one.starts_with(':')) {
            one.remove_prefix(1);
            const auto number = take_number(one);
            if (!number || *number > machine_.processor_count()) return Bad;
            if (*number) thread = static_cast<unsigned>(*number - 1);
        }
        if (!one.empty() || !std::string_view("cCsS").contains(action)) return Bad;
        if ((action == 's' || action == 'S') && !step) step = thread;
        any = true;
    }
    if (!any) return Bad;
    return step ? step_forwards(*step) : run_forwards();
}

/// The machine stands where it must not go on.
std::string Stub::at_furthest() {
    if (machine_.steps() >= replay_end_) {
        why_ = "T05replaylog:end;";
        return stop_reply();
    }
    state_ = State::LimitReached;
    return "W4b"; // as the program's status will be, 75
}

/// The guest has powered off, or the like. A recording's end is a place to go back from.
std::string Stub::at_end() {
    if (replay_end_ != ~u64{0}) {
        why_ = "T05replaylog:end;";
        return stop_reply();
    }
    state_ = State::Ended;
    return "W00";
}

void Stub::forget_peer() {
    debugger_.clear();
    placed_.clear();
    acknowledge_ = true;
    thread_ = machine_.current_processor();
    why_ = "T05";
}

std::string Stub::run_forwards() {
    RunLimits limits;
    limits.debugger = &debugger_;
    limits.step_limit = furthest_step();
    if (machine_.steps() >= limits.step_limit) return at_furthest();
    limits.host_seconds = SliceSeconds;
    for (;;) {
        const RunReport report = machine_.run(limits);
        if (report.reason == StopReason::Breakpoint) {
            const Hit& hit = *debugger_.last_hit();
            const auto known = std::ranges::find(placed_, hit.id, &Placed::id);
            if (known == placed_.end())
                why_ = "T05"; // one of monitor's
            else if (known->type < '2')
                why_ = known->type == '0' ? "T05swbreak:;" : "T05hwbreak:;";
            else
                why_ = fmt::format("T05{}:{:x};",
                                   known->type == '2'   ? "watch"
                                   : known->type == '3' ? "rwatch"
                                                        : "awatch",
                                   known->address);
            return stop_reply();
        }
        if (machine_.ended()) return at_end();
        if (report.reason == StopReason::StepLimit) return at_furthest();
        if (report.reason == StopReason::IdleForever || report.reason == StopReason::ReplayMismatch ||
            report.reason == StopReason::HostRequest || (poll_ && poll_())) {
            why_ = "T02";
            return stop_reply();
        }
        limits.goes_on = true;
    }
}

std::string Stub::step_forwards(unsigned processor) {
    why_ = "T05";
    constexpr u64 MostSteps = 1'000'000; // a processor that waits for long has no next instruction
    for (u64 i = 0; i < MostSteps; ++i) {
        const u64 before = machine_.steps();
        if (before >= furthest_step()) return at_furthest();
        machine_.step();
        if (machine_.ended()) return at_end();
        if (machine_.steps() == before || machine_.current_processor() == processor) break;
        if (i % 4096 == 0 && poll_ && poll_()) break;
    }
    return stop_reply();
}

std::string Stub::backwards(bool one_step) {
    why_ = "T05";
    if (one_step) {
        if (!timeline_.back()) why_ = "T05replaylog:begin;";
        return stop_reply();
    }
    RunLimits limits;
    limits.debugger = &debugger_;
    // The last instruction itself may have made the access whose undoing is waited for.
    const u64 start = machine_.steps();
    if (start > timeline_.first() && timeline_.seek(start - 1)) {
        RunLimits last = limits;
        last.searching = true, last.step_limit = start;
        const RunReport again = machine_.run(last);
        if (again.reason == StopReason::Breakpoint && undone()) return stop_reply();
        if (!timeline_.seek(start)) return Bad;
    }
    const auto report = timeline_.previous(limits, [this](double) { return !(poll_ && poll_()); });
    if (!report) {
        // Nothing was met: the beginning of history, as gdb's own recordings do.
        if (!timeline_.seek(timeline_.first())) return Bad;
        why_ = "T05replaylog:begin;";
        return stop_reply();
    }
    if (!undone()) {
        const auto known = std::ranges::find(placed_, debugger_.last_hit()->id, &Placed::id);
        why_ = known == placed_.end() ? "T05" : known->type == '0' ? "T05swbreak:;" : "T05hwbreak:;";
    }
    return stop_reply();
}

/// Backwards an access is met when it is undone: before its instruction. False: the hit is no watchpoint's.
bool Stub::undone() {
    const Hit hit = *debugger_.last_hit();
    const auto known = std::ranges::find(placed_, hit.id, &Placed::id);
    if (known == placed_.end() || known->type < '2') return false;
    if (!timeline_.seek(hit.step)) return false;
    why_ = fmt::format("T05{}:{:x};",
                       known->type == '2'   ? "watch"
                       : known->type == '3' ? "rwatch"
                                            : "awatch",
                       known->address);
    return true;
}

std::string Stub::stop_reply() {
    thread_ = machine_.current_processor();
    return fmt::format("{}thread:{:x};", why_, thread_ + 1);
}

} // namespace vitrine::emu::gdb
