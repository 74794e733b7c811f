// Debugger: what is met, when. See impl.h for the life of a hit.
#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include "emu/debugger/impl.h"
#include "emu/events/disk_command.h"
#include "emu/events/system_calls.h"
#include "emu/symbols/guest_symbols.h"

namespace vitrine::emu {

void Debugger::Impl::begin(bool is_search, bool goes_on) {
    active = true, searching = is_search;
    start_step = machine.steps(), step_told = ~u64{0};
    // Nothing has run before power-on: what waits for step 0 is met by the first run that starts there, and
    // left by the next. (A search says by goes_on whether it wants its start.)
    if (start_step != 0) told_at_power_on = false;
    start_counts = goes_on || (start_step == 0 && !searching && !told_at_power_on);
    if (start_step == 0 && !searching) told_at_power_on = true;
    candidates.clear(), met_now.clear();
    last.reset();
    learn();
}

void Debugger::Impl::end() {
    active = false;
    candidates.clear();
    for (u32 id : std::exchange(finished, {})) {
        const auto found = std::ranges::find(points, id, &Breakpoint::id);
        if (found == points.end()) continue;
        const auto index = found - points.begin();
        uninstall(*found, entries[static_cast<std::size_t>(index)]);
        points.erase(found);
        entries.erase(entries.begin() + index);
        update_kinds();
    }
}

u64 Debugger::Impl::next_step(u64 now) const {
    u64 next = ~u64{0};
    for (const Breakpoint& point : points)
        if (point.enabled && point.spec.kind == BreakKind::Step && point.spec.address > now)
            next = std::min(next, point.spec.address);
    return next;
}

Hit Debugger::Impl::here() const {
    const cpu::Cpu& cpu = machine.processor();
    Hit hit;
    hit.step = machine.steps(), hit.time = machine.time();
    hit.processor = machine.current_processor();
    hit.rip = cpu.current_rip();
    hit.device = machine.board().bus_master_active();
    return hit;
}

// ---- candidates -------------------------------------------------------------------------------------------

namespace {
bool overlap(u64 a, u64 a_last, u64 b, u64 b_last) { return a <= b_last && b <= a_last; }
bool in_range(const BreakSpec& spec, u64 value) { return value - spec.address < spec.length; }
bool wanted_access(const BreakSpec& spec, bool write) {
    return (spec.access & (write ? WriteAccess : ReadAccess)) != 0;
}
u64 bytes_at(const u8* from, unsigned size) {
    u64 value = 0;
    std::memcpy(&value, from, std::min<unsigned>(size, 8));
    return value;
}
} // namespace

bool Debugger::Impl::matches_delivery(const BreakSpec& spec, const cpu::Delivery& delivery, Hit& hit) const {
    // A single-step #DB is delivered like an interrupt; vector 1 is never a device's.
    const bool interrupt = delivery.external && delivery.vector != 1;
    hit.step = delivery.step, hit.rip = delivery.rip, hit.device = interrupt;
    hit.address = delivery.vector, hit.value = delivery.error_code;
    if (spec.kind == BreakKind::SystemCall) {
        if (!delivery.software || delivery.vector != 0x80) return false;
        hit.address = machine.processor().registers().gpr[cpu::RAX] & 0xFFFF'FFFF;
        return in_range(spec, hit.address);
    }
    if (spec.kind == BreakKind::Interrupt) return interrupt && in_range(spec, delivery.vector);
    return !interrupt && (!delivery.software || delivery.vector <= 4) && in_range(spec, delivery.vector);
}

bool Debugger::Impl::matches(const Breakpoint& point, const Entry& entry, const Notice& notice,
                             Hit& hit) const {
    using Kind = Notice::Kind;
    const BreakSpec& spec = point.spec;
    hit.write = notice.write, hit.size = notice.size, hit.address = notice.address;
    hit.old_value = notice.old_value, hit.value = notice.value;
    switch (notice.kind) {
    case Kind::Linear:
        return spec.kind == BreakKind::Data && !spec.physical && entry.installed &&
               wanted_access(spec, notice.write) &&
               overlap(notice.address, notice.address + (notice.size - 1), entry.first, entry.last);
    case Kind::Memory:
        if (spec.kind != BreakKind::Data || !spec.physical || !wanted_access(spec, notice.write))
            return false;
        for (const FramePart& part : entry.frames)
            if (part.frame == notice.frame &&
                overlap(notice.address, notice.address + (notice.size - 1), part.first, part.last)) {
                hit.address = part.physical + notice.address;
                return true;
            }
        return false;
    case Kind::Register:
        return spec.kind == BreakKind::Mmio && wanted_access(spec, notice.write) &&
               overlap(notice.address, notice.address + (notice.size - 1), spec.address,
                       spec.address + (spec.length - 1));
    case Kind::Port:
        return spec.kind == BreakKind::Port && wanted_access(spec, notice.write) &&
               overlap(notice.address, notice.address + (notice.size - 1), spec.address,
                       spec.address + (spec.length - 1));
    case Kind::Msr:
        return spec.kind == BreakKind::Msr && wanted_access(spec, notice.write) &&
               in_range(spec, notice.address);
    case Kind::Control: return spec.kind == BreakKind::Control && spec.address == notice.address;
    case Kind::Delivered:
        return (spec.kind == BreakKind::Interrupt || spec.kind == BreakKind::Exception ||
                spec.kind == BreakKind::SystemCall) &&
               matches_delivery(spec, *notice.delivery, hit);
    case Kind::Mode:
        return spec.kind == BreakKind::ModeChange &&
               (spec.text.empty() || spec.text == mode_short_name(static_cast<cpu::Mode>(notice.value)));
    case Kind::Phase:
        return spec.kind == BreakKind::Phase && phase_matches(machine.phases().back(), spec.text);
    case Kind::SystemCall: return spec.kind == BreakKind::SystemCall && in_range(spec, notice.address);
    case Kind::Disk: {
        if (spec.kind != BreakKind::DiskRequest ||
            notice.value != static_cast<u64>(devices::Ich9Ahci::Stage::Issued))
            return false;
        const DiskCommand command = disk_command(notice.request->command);
        hit.address = notice.request->lba, hit.write = command.writes;
        hit.value = notice.request->sectors, hit.size = static_cast<u32>(notice.request->sectors * 512);
        return spec.access == AnyAccess || (command.moves && wanted_access(spec, command.writes));
    }
    case Kind::Console: {
        if (spec.kind != BreakKind::Console && spec.kind != BreakKind::Prompt) return false;
        const std::string& all = machine.serial_output();
        const u64 fresh = machine.serial_total() - std::min(spec.from, machine.serial_total());
        if (spec.kind == BreakKind::Prompt) return fresh > 0 && ends_with_prompt(all);
        const std::size_t window = std::min<u64>({all.size(), notice.size + spec.text.size() - 1, fresh});
        return std::string_view(all).substr(all.size() - window).contains(spec.text);
    }
    case Kind::UserReturn:
    case Kind::NewFuture: break;
    }
    return false;
}

void Debugger::Impl::notice(const Notice& notice) {
    if (!active) return;
    for (std::size_t i = 0; i < points.size(); ++i) {
        const Breakpoint& point = points[i];
        if (!point.enabled) continue;
        Hit hit = here();
        if (!matches(point, entries[i], notice, hit)) continue;
        if (point.spec.processor >= 0 && hit.processor != static_cast<unsigned>(point.spec.processor))
            continue;
        if (point.spec.address_space &&
            (machine.processor().cr3() ^ *point.spec.address_space) & 0x000F'FFFF'FFFF'F000)
            continue;
        Candidate candidate;
        candidate.id = point.id, candidate.hit = hit;
        if (notice.kind == Notice::Kind::Memory || notice.kind == Notice::Kind::Linear) {
            candidate.linear = notice.kind == Notice::Kind::Linear;
            candidate.memory = true;
            u8 bytes[8] = {};
            const unsigned size = std::min<u32>(notice.size, 8);
            const inspect::MachineReader memory(machine);
            if (candidate.linear ? memory.linear(hit.address, {bytes, size}) == size
                                 : memory.physical(hit.address, {bytes, size}))
                candidate.hit.old_value = candidate.hit.value = bytes_at(bytes, size);
        }
        candidates.push_back(std::move(candidate));
        machine.processor().request_stop();
    }
}

// ---- hits -------------------------------------------------------------------------------------------------

void Debugger::Impl::settle() {
    if (!candidates.empty()) {
        const std::vector<Candidate> now = std::exchange(candidates, {});
        for (const Candidate& candidate : now) {
            const auto found = std::ranges::find(points, candidate.id, &Breakpoint::id);
            Hit hit = candidate.hit;
            if (candidate.memory && hit.write) {
                u8 bytes[8] = {};
                const unsigned size = std::min<u32>(hit.size, 8);
                const inspect::MachineReader memory(machine);
                if (candidate.linear ? memory.linear(hit.address, {bytes, size}) == size
                                     : memory.physical(hit.address, {bytes, size}))
                    hit.value = bytes_at(bytes, size);
            }
            met(static_cast<std::size_t>(found - points.begin()), std::move(hit));
        }
    }
    const u64 step = machine.steps();
    if (step == step_told || (step == start_step && !start_counts)) return;
    step_told = step;
    for (std::size_t i = 0; i < points.size(); ++i)
        if (points[i].enabled && points[i].spec.kind == BreakKind::Step && points[i].spec.address == step)
            met(i, here());
}

/// A hooked address is about to execute.
void Debugger::Impl::arrived(u64 rip) {
    for (std::size_t i = 0; i < points.size(); ++i) {
        const BreakSpec& spec = points[i].spec;
        const Entry& entry = entries[i];
        if (!points[i].enabled || !entry.installed) continue;
        if (std::ranges::find(entry.hooks, rip) == entry.hooks.end()) continue;
        Hit hit = here();
        hit.rip = hit.address = rip, hit.device = false;
        if (spec.processor >= 0 && hit.processor != static_cast<unsigned>(spec.processor)) continue;
        if (spec.address_space && (machine.processor().cr3() ^ *spec.address_space) & 0x000F'FFFF'FFFF'F000)
            continue;
        if (spec.kind == BreakKind::TaskSwitch) {
            // task_struct* __switch_to_asm(previous, next), System V: RDI, RSI.
            hit.address = machine.processor().registers().gpr[cpu::RSI];
            const auto next = tasks.at(machine, hit.processor, hit.address);
            if (!spec.text.empty() &&
                (!next || (next->comm != spec.text && std::to_string(next->pid) != spec.text)))
                continue;
            if (next) hit.what = fmt::format("switch to {} (pid {})", next->comm, next->pid);
        }
        met(i, std::move(hit));
    }
}

void Debugger::Impl::met(std::size_t index, Hit hit) {
    Breakpoint& point = points[index];
    Entry& entry = entries[index];
    hit.id = point.id;
    if (entry.condition) {
        const auto value = entry.condition->evaluate({machine, &tasks, &hit, point.hits});
        if (!value) {
            point.trouble = "the condition: " + value.error();
            return;
        }
        point.trouble.clear();
        if (!*value) return;
    }
    if (searching) {
        if (point.spec.action != BreakAction::Stop) return;
    } else {
        if (entry.skipped < point.spec.skip) {
            ++entry.skipped;
            return;
        }
        ++point.hits;
        point.last_step = hit.step;
        if (point.spec.once) {
            point.enabled = false;
            finished.push_back(point.id);
        }
        if (point.spec.action == BreakAction::Log) {
            if (log_sink) log_sink(point, hit, message(entry, hit, point.hits));
            return;
        }
        if (point.spec.action == BreakAction::Count) return;
    }
    met_now.push_back(hit.id);
    if (last) return; // the first one of this instruction
    describe(point, hit);
    last = hit;
    stop_run(hit.what);
}

std::string Debugger::Impl::message(const Entry& entry, const Hit& hit, u64 hits) {
    std::string out;
    for (const Piece& piece : entry.message) {
        out += piece.text;
        if (piece.comm) {
            const auto task = tasks.read(machine, hit.processor);
            out += task ? task->comm : "?";
        }
        if (!piece.value) continue;
        const auto value = piece.value->evaluate({machine, &tasks, &hit, hits});
        if (!value)
            out += fmt::format("<{}>", value.error());
        else if (piece.format == 'x')
            out += fmt::format("{:#x}", *value);
        else if (piece.format == 'd')
            out += fmt::format("{}", static_cast<i64>(*value));
        else if (piece.format == 's') {
            const std::string name = machine.symbols() ? machine.symbols()->name(*value) : "";
            out += name.empty() ? fmt::format("{:#x}", *value) : name;
        } else
            out += fmt::format("{}", *value);
    }
    return out;
}

void Debugger::Impl::describe(const Breakpoint& point, Hit& hit) const {
    const GuestSymbols* symbols = machine.symbols();
    const auto place = [&](u64 address) {
        std::string name = symbols ? symbols->name(address) : "";
        if (name.empty()) return fmt::format("{:#x}", address);
        if (const auto line = symbols->line(address))
            name += fmt::format(" ({}:{})", line->file.substr(line->file.rfind('/') + 1), line->line);
        return name;
    };
    const std::string by = hit.device ? "a device" : place(hit.rip);
    const auto change = hit.old_value == hit.value ? fmt::format("{:#x}", hit.value)
                                                   : fmt::format("{:#x} -> {:#x}", hit.old_value, hit.value);
    switch (point.spec.kind) {
    case BreakKind::Address:
    case BreakKind::SourceLine: hit.what = place(hit.rip); break;
    case BreakKind::Data:
        hit.what = fmt::format("{} of {} bytes at {}{}: {} by {}", hit.write ? "write" : "read", hit.size,
                               point.spec.physical ? "physical " : "",
                               point.spec.physical ? fmt::format("{:#x}", hit.address) : place(hit.address),
                               change, by);
        break;
    case BreakKind::Mmio:
    case BreakKind::Port:
        hit.what = fmt::format("{} of {} bytes at {} {:#x}: {:#x} by {}", hit.write ? "write" : "read",
                               hit.size, point.spec.kind == BreakKind::Port ? "port" : "device register",
                               hit.address, hit.value, by);
        break;
    case BreakKind::Msr:
        hit.what =
            fmt::format("{} {:#x}: {:#x} by {}", hit.write ? "WRMSR" : "RDMSR", hit.address, hit.value, by);
        break;
    case BreakKind::Control: hit.what = fmt::format("CR{}: {} by {}", hit.address, change, by); break;
    case BreakKind::Interrupt:
        hit.what = fmt::format("interrupt {:#x} at {}", hit.address, place(hit.rip));
        break;
    case BreakKind::Exception:
        hit.what = fmt::format("exception {} error {:#x} at {}", hit.address, hit.value, place(hit.rip));
        break;
    case BreakKind::ModeChange: hit.what = fmt::format("mode change at {}", place(hit.rip)); break;
    case BreakKind::Phase: hit.what = "phase " + machine.phases().back().name; break;
    case BreakKind::SystemCall: {
        const SystemCall* call = system_call(hit.address);
        hit.what =
            call ? fmt::format("system call {}", call->name) : fmt::format("system call {}", hit.address);
        break;
    }
    case BreakKind::TaskSwitch:
        if (hit.what.empty()) hit.what = fmt::format("switch to the task at {:#x}", hit.address);
        break;
    case BreakKind::DiskRequest:
        hit.what = fmt::format("disk {} of {} sectors at {}", hit.write ? "write" : "request", hit.value,
                               hit.address);
        break;
    case BreakKind::Console: hit.what = fmt::format("the console shows \"{}\"", point.spec.text); break;
    case BreakKind::Prompt: hit.what = "a shell waits for input"; break;
    case BreakKind::Step: hit.what = fmt::format("step {}", hit.step); break;
    }
}

} // namespace vitrine::emu
