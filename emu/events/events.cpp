// EventStore: listening and keeping. describe.cpp says what events mean, export.cpp writes them for other
// tools.
#include "emu/events/events.h"
#include <algorithm>
#include <fmt/format.h>
#include <tuple>
#include <unordered_map>
#include "emu/debugger/expression.h"
#include "emu/events/column.h"
#include "emu/events/disk_command.h"
#include "emu/inspect/current_task.h"
#include "emu/machine.h"
#include "emu/machine/probes.h"
#include "emu/symbols/guest_symbols.h"

namespace vitrine::emu {

namespace {
constexpr const char* SwitchSymbol = "__switch_to_asm";
constexpr std::size_t MostTexts = 65536, LongestLine = 120, MostOpenCalls = 4096;
constexpr const char* Names[EventKinds] = {"interrupt", "exception", "page-fault", "syscall", "switch",
                                           "disk",      "mode",      "phase",      "console"};

/// A system call under way: who returns to the same place with the same stack has returned from it.
struct OpenCall {
    u64 cr3, fs_base, rip, rsp, index, number;
};
struct OpenRequest {
    unsigned port, slot;
    u64 index;
};
} // namespace

const char* event_kind_name(EventKind kind) { return Names[static_cast<unsigned>(kind)]; }

struct EventStore::Impl final : ProbeListener {
    Impl(Machine& m, u32 wanted, u64 bytes) : machine(m), kinds(wanted), budget(bytes) {
        for (unsigned i = 0; i < EventKinds; ++i)
            columns.emplace_back(static_cast<EventKind>(i),
                                 static_cast<EventKind>(i) == EventKind::SystemCall);
        u32 notices = Probes::bit(Notice::Kind::NewFuture);
        const auto want = [&](EventKind kind, Notice::Kind notice) {
            if (kinds & bit(kind)) notices |= Probes::bit(notice);
        };
        want(EventKind::Interrupt, Notice::Kind::Delivered);
        want(EventKind::Exception, Notice::Kind::Delivered);
        want(EventKind::PageFault, Notice::Kind::Delivered);
        want(EventKind::SystemCall, Notice::Kind::SystemCall);
        want(EventKind::SystemCall, Notice::Kind::UserReturn);
        want(EventKind::SystemCall, Notice::Kind::Delivered); // INT 80h
        want(EventKind::TaskSwitch, Notice::Kind::Phase);     // where the kernel lies
        want(EventKind::Disk, Notice::Kind::Disk);
        want(EventKind::Mode, Notice::Kind::Mode);
        want(EventKind::Phase, Notice::Kind::Phase);
        want(EventKind::Console, Notice::Kind::Console);
        machine.probes().attach(*this, notices);
        find_switch();
    }
    ~Impl() override {
        if (switch_address) machine.forget_execute(switch_address);
        machine.probes().detach(*this);
    }

    EventColumn& column(EventKind kind) { return columns[static_cast<unsigned>(kind)]; }
    /// The machine runs through steps that are known already.
    bool again(bool device) const {
        if (notes_again) return false;
        const auto [step, time] = machine.furthest();
        if (machine.steps() != step) return machine.steps() < step;
        return device && machine.time() <= time;
    }
    u64 add(EventKind kind, Event event, const std::array<u64, 6>* arguments = nullptr) {
        EventColumn& to = column(kind);
        to.add(event, arguments);
        while (used() > budget) {
            auto largest = std::ranges::max_element(columns, {}, &EventColumn::bytes);
            if (largest->chunks() < 2) break;
            largest->drop_oldest();
        }
        return to.total() - 1;
    }
    Event here() const {
        Event event;
        event.step = machine.steps(), event.time = machine.time();
        event.processor = static_cast<u8>(machine.current_processor());
        return event;
    }
    u64 used() const {
        u64 sum = text_bytes;
        for (const EventColumn& each : columns) sum += each.bytes();
        return sum;
    }
    u32 intern(std::string_view text) {
        const auto known = text_ids.find(std::string(text));
        if (known != text_ids.end()) return known->second;
        if (texts.size() >= MostTexts) return ~u32{0};
        const u32 id = static_cast<u32>(texts.size());
        texts.emplace_back(text);
        text_ids.emplace(texts.back(), id);
        text_bytes += 2 * text.size() + 64;
        return id;
    }

    void notice(const Notice& notice) override {
        switch (notice.kind) {
        case Notice::Kind::NewFuture: return cut(machine.steps());
        case Notice::Kind::Phase: return phase(notice);
        case Notice::Kind::Disk: return disk(notice);
        default: break;
        }
        if (again(false)) return;
        switch (notice.kind) {
        case Notice::Kind::Delivered: return delivered(*notice.delivery);
        case Notice::Kind::SystemCall: return call(*notice.registers);
        case Notice::Kind::UserReturn: return returned(*notice.registers);
        case Notice::Kind::Mode: {
            Event event = here();
            event.a = notice.value;
            add(EventKind::Mode, event);
            return;
        }
        case Notice::Kind::Console: return console(notice.text);
        default: return;
        }
    }
    void delivered(const cpu::Delivery& delivery) {
        const bool interrupt = delivery.external && delivery.vector != 1;
        if (delivery.software && delivery.vector == 0x80 && (kinds & bit(EventKind::SystemCall)))
            return call(machine.processor().registers(), true);
        if (delivery.software && delivery.vector > 4) return;
        const EventKind kind = interrupt               ? EventKind::Interrupt
                               : delivery.vector == 14 ? EventKind::PageFault
                                                       : EventKind::Exception;
        if (!(kinds & bit(kind))) return;
        Event event = here();
        event.step = delivery.step;
        event.a = kind == EventKind::PageFault ? delivery.cr2 : delivery.vector;
        event.b = delivery.rip, event.c = delivery.error_code;
        add(kind, event);
    }
    void call(const cpu::Registers& r, bool old_gate = false) {
        Event event = here();
        std::array<u64, 6> arguments;
        if (old_gate)
            arguments = {r.gpr[cpu::RBX], r.gpr[cpu::RCX], r.gpr[cpu::RDX],
                         r.gpr[cpu::RSI], r.gpr[cpu::RDI], r.gpr[cpu::RBP]};
        else
            arguments = {r.gpr[cpu::RDI], r.gpr[cpu::RSI], r.gpr[cpu::RDX],
                         r.gpr[cpu::R10], r.gpr[cpu::R8],  r.gpr[cpu::R9]};
        event.a = r.gpr[cpu::RAX], event.b = r.rip, event.c = old_gate;
        const u64 index = add(EventKind::SystemCall, event, &arguments);
        if (old_gate) return; // the stack has changed already
        if (open_calls.size() >= MostOpenCalls) open_calls.erase(open_calls.begin());
        open_calls.push_back({r.cr3, r.seg[static_cast<unsigned>(cpu::Seg::FS)].base, r.rip, r.gpr[cpu::RSP],
                              index, r.gpr[cpu::RAX]});
    }
    void returned(const cpu::Registers& r) {
        const u64 fs = r.seg[static_cast<unsigned>(cpu::Seg::FS)].base;
        for (std::size_t i = open_calls.size(); i-- > 0;) {
            const OpenCall& open = open_calls[i];
            constexpr u64 ArchPrctl = 158; // changes FS.base itself
            if (open.rip != r.rip || open.rsp != r.gpr[cpu::RSP] || open.cr3 != r.cr3 ||
                (open.fs_base != fs && open.number != ArchPrctl))
                continue;
            column(EventKind::SystemCall).finish(open.index, machine.time(), r.gpr[cpu::RAX]);
            open_calls.erase(open_calls.begin() + static_cast<std::ptrdiff_t>(i));
            return;
        }
    }
    void disk(const Notice& notice) {
        using Stage = devices::Ich9Ahci::Stage;
        const auto& request = *notice.request;
        const Stage stage = static_cast<Stage>(notice.value);
        if (stage == Stage::Moving || again(true)) return;
        if (stage == Stage::Issued) {
            Event event = here();
            event.a = request.lba, event.b = request.sectors;
            event.c = request.command | u64{request.port} << 8 | u64{request.slot} << 16;
            const u64 index = add(EventKind::Disk, event);
            std::erase_if(open_requests, [&](const OpenRequest& open) {
                return open.port == request.port && open.slot == request.slot;
            });
            open_requests.push_back({request.port, request.slot, index});
            return;
        }
        for (std::size_t i = 0; i < open_requests.size(); ++i)
            if (open_requests[i].port == request.port && open_requests[i].slot == request.slot) {
                column(EventKind::Disk).finish(open_requests[i].index, machine.time(), 0);
                open_requests.erase(open_requests.begin() + static_cast<std::ptrdiff_t>(i));
                return;
            }
    }
    void phase(const Notice& notice) {
        if (kinds & bit(EventKind::TaskSwitch)) find_switch();
        if (!(kinds & bit(EventKind::Phase)) || again(false)) return;
        Event event = here();
        event.text = intern(notice.text);
        add(EventKind::Phase, event);
    }
    void console(std::string_view bytes) {
        for (char c : bytes) {
            if (line.empty()) line_start = here();
            if (c != '\n' && c != '\r') line += c >= ' ' && c < 127 ? c : '?';
            if (c != '\n' && line.size() < LongestLine) continue;
            line_start.a = line.size();
            line_start.text = intern(line);
            if (!line.empty()) add(EventKind::Console, line_start);
            line.clear();
        }
    }
    void find_switch() {
        const GuestSymbols* symbols = machine.symbols();
        if (!(kinds & bit(EventKind::TaskSwitch)) || !symbols || !symbols->slide()) return;
        const u64 address = symbols->find(SwitchSymbol).value_or(0);
        if (address == switch_address) return;
        if (switch_address) machine.forget_execute(switch_address);
        switch_address = address;
        if (address) machine.on_execute(address, [this] { switched(); });
    }
    void switched() {
        Event event = here();
        EventColumn& to = column(EventKind::TaskSwitch);
        if (again(false) || (to.held() && to.last_step() >= event.step)) return;
        event.a = machine.processor().registers().gpr[cpu::RSI]; // (previous, next), System V
        const u64 previous = machine.processor().registers().gpr[cpu::RDI];
        if (const auto task = tasks.at(machine, event.processor, previous))
            event.c = SwitchFrom{static_cast<u32>(task->pid), static_cast<u32>(task->state)}.packed();
        if (const auto task = tasks.at(machine, event.processor, event.a))
            event.b = static_cast<u64>(task->pid), event.text = intern(task->comm);
        add(EventKind::TaskSwitch, event);
    }
    void cut(u64 step) {
        for (unsigned i = 0; i < EventKinds; ++i) {
            columns[i].cut(step);
            cut_ends[i] = std::min(cut_ends[i], columns[i].total());
        }
        ++cuts;
        std::erase_if(open_calls, [&](const OpenCall& open) {
            return open.index >= column(EventKind::SystemCall).total();
        });
        std::erase_if(open_requests,
                      [&](const OpenRequest& open) { return open.index >= column(EventKind::Disk).total(); });
        line.clear();
    }

    Machine& machine;
    const u32 kinds;
    const u64 budget;
    bool notes_again = false;
    std::vector<EventColumn> columns;
    std::array<u64, EventKinds> cut_ends = [] {
        std::array<u64, EventKinds> out;
        out.fill(~u64{0});
        return out;
    }();
    u64 cuts = 0;
    std::vector<OpenCall> open_calls;
    std::vector<OpenRequest> open_requests;
    std::vector<std::string> texts;
    std::unordered_map<std::string, u32> text_ids;
    u64 text_bytes = 0;
    std::string line;
    Event line_start;
    u64 switch_address = 0;
    inspect::CurrentTask tasks;
};

EventStore::EventStore(Machine& machine, u32 kinds, u64 budget, bool again)
    : impl_(std::make_unique<Impl>(machine, kinds, budget)) {
    impl_->notes_again = again;
}
EventStore::~EventStore() = default;

u32 EventStore::kinds() const { return impl_->kinds; }
u64 EventStore::count(EventKind kind) const { return impl_->column(kind).total(); }
u64 EventStore::lost(EventKind kind) const { return impl_->column(kind).first_index(); }
u64 EventStore::used() const { return impl_->used(); }
u64 EventStore::known() const { return std::max(impl_->machine.furthest().first, impl_->machine.steps()); }
void EventStore::cut(u64 step) { impl_->cut(step); }
u64 EventStore::cuts() const { return impl_->cuts; }
u64 EventStore::cut_end(EventKind kind) const { return impl_->cut_ends[static_cast<unsigned>(kind)]; }
std::array<u64, 6> EventStore::arguments(const Event& event) const {
    return impl_->column(event.kind).arguments(event.index);
}
std::string EventStore::text(const Event& event) const {
    return event.text < impl_->texts.size() ? impl_->texts[event.text] : std::string();
}

std::vector<Event> EventStore::query(EventKind kind, u64 from, u64 to, std::size_t limit) const {
    const EventColumn& column = impl_->column(kind);
    std::vector<Event> out;
    for (u64 i = column.lower(from); i < column.total() && out.size() < limit; ++i) {
        Event event = column.at(i);
        if (event.step >= to) break;
        out.push_back(event);
    }
    return out;
}

std::vector<Event> EventStore::query(u32 kinds, u64 from, u64 to, std::size_t limit) const {
    std::vector<Event> all;
    for (unsigned kind = 0; kind < EventKinds; ++kind) {
        if (!(kinds >> kind & 1)) continue;
        const auto some = query(static_cast<EventKind>(kind), from, to, limit);
        all.insert(all.end(), some.begin(), some.end());
    }
    std::ranges::sort(all, {}, [](const Event& e) { return std::tuple(e.step, e.time, e.kind, e.index); });
    if (all.size() > limit) all.resize(limit);
    return all;
}

void EventStore::add(const Event& event) { impl_->add(event.kind, event); }
Event EventStore::at(EventKind kind, u64 index) const { return impl_->column(kind).at(index); }
u64 EventStore::lower(EventKind kind, u64 place, EventAxis axis) const {
    return impl_->column(kind).lower(place, axis);
}

namespace {
/// Between the nearest known pairs on both sides of `place`.
struct Bracket {
    u64 from = 0, from_other = 0, to = ~u64{0}, to_other = ~u64{0};
    void see(u64 place, u64 at, u64 other) {
        if (at <= place && (at > from || (at == from && other > from_other))) from = at, from_other = other;
        if (at > place && at < to) to = at, to_other = other;
    }
    u64 map(u64 place) const {
        if (to == ~u64{0} || to_other <= from_other) return from_other;
        return from_other + static_cast<u64>(static_cast<unsigned __int128>(to_other - from_other) *
                                             (place - from) / (to - from));
    }
};
constexpr EventKind MappedKinds[] = {EventKind::Interrupt, EventKind::PageFault, EventKind::SystemCall,
                                     EventKind::TaskSwitch, EventKind::Phase};
} // namespace

u64 EventStore::step_at(u64 time) const {
    Bracket bracket;
    bracket.see(time, impl_->machine.time(), impl_->machine.steps());
    for (const EventKind kind : MappedKinds) {
        const EventColumn& column = impl_->column(kind);
        const u64 next = column.lower(time + 1, EventAxis::Time);
        for (u64 i = next > column.first_index() ? next - 1 : next; i < std::min(next + 1, column.total());
             ++i) {
            const Event event = column.at(i);
            bracket.see(time, event.time, event.step);
        }
    }
    return bracket.map(time);
}
u64 EventStore::time_at(u64 step) const {
    Bracket bracket;
    bracket.see(step, impl_->machine.steps(), impl_->machine.time());
    for (const EventKind kind : MappedKinds) {
        const EventColumn& column = impl_->column(kind);
        const u64 next = column.lower(step + 1, EventAxis::Step);
        for (u64 i = next > column.first_index() ? next - 1 : next; i < std::min(next + 1, column.total());
             ++i) {
            const Event event = column.at(i);
            bracket.see(step, event.step, event.time);
        }
    }
    return bracket.map(step);
}

std::vector<u64> EventStore::density(EventKind kind, std::span<const u64> edges, EventAxis axis) const {
    std::vector<u64> out(edges.empty() ? 0 : edges.size() - 1);
    if (out.empty()) return out;
    const EventColumn& column = impl_->column(kind);
    u64 before = column.before(edges[0], axis);
    for (std::size_t i = 0; i < out.size(); ++i) {
        const u64 next = std::max(before, column.before(edges[i + 1], axis));
        out[i] = next - before;
        before = next;
    }
    return out;
}

std::vector<u64> EventStore::density(EventKind kind, u64 from, u64 to, unsigned buckets) const {
    std::vector<u64> out(buckets, 0);
    if (from >= to || buckets == 0) return out;
    const EventColumn& column = impl_->column(kind);
    const auto edge = [&](unsigned i) {
        return from + static_cast<u64>(static_cast<unsigned __int128>(to - from) * i / buckets);
    };
    u64 before = column.before(from);
    for (unsigned i = 0; i < buckets; ++i) {
        const u64 next = std::max(before, column.before(edge(i + 1)));
        out[i] = next - before;
        before = next;
    }
    return out;
}

Expected<u32> parse_event_kinds(std::string_view text) {
    if (text == "all") return EventStore::AllKinds;
    u32 kinds = 0;
    const std::vector<std::string_view> names(std::begin(Names), std::end(Names));
    for (;;) {
        const auto comma = text.find(',');
        const std::string_view name = text.substr(0, comma);
        const auto found = std::ranges::find(names, name);
        if (found == names.end())
            return usage_error(fmt::format("'{}' is not a kind of event{}; there are all, {}", name,
                                           nearest_list(name, names), fmt::join(names, ", ")));
        kinds |= 1u << (found - names.begin());
        if (comma == std::string_view::npos) return kinds;
        text.remove_prefix(comma + 1);
    }
}

} // namespace vitrine::emu
