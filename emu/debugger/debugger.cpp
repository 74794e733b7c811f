// Debugger: adding, resolving and installing breakpoints. hits.cpp is what happens when they are met.
#include "emu/debugger/debugger.h"
#include <algorithm>
#include <fmt/format.h>
#include "emu/debugger/impl.h"
#include "emu/symbols/guest_symbols.h"

namespace vitrine::emu {

namespace {
constexpr std::size_t MostBreakpoints = 4096;
constexpr const char* SwitchSymbol = "__switch_to_asm";

Expected<std::vector<Debugger::Impl::Piece>> compile_message(std::string_view text,
                                                             const GuestSymbols* symbols) {
    std::vector<Debugger::Impl::Piece> pieces;
    Debugger::Impl::Piece piece;
    for (std::size_t at = 0; at < text.size();) {
        if (text[at] != '{') {
            piece.text += text[at++];
            continue;
        }
        const auto close = text.find('}', at);
        if (close == std::string_view::npos)
            return usage_error(fmt::format("the log text: '{{' at column {} is not closed", at + 1));
        std::string_view inside = text.substr(at + 1, close - at - 1);
        if (inside.size() > 2 && inside[inside.size() - 2] == ':' &&
            std::string_view("xds").contains(inside.back()))
            piece.format = inside.back(), inside.remove_suffix(2);
        if (inside == "task.comm") {
            piece.comm = true;
        } else {
            auto value = Expression::compile(inside, symbols);
            if (!value)
                return usage_error(fmt::format("the log text, in {{{}}}: {}", inside, value.error().message));
            piece.value = std::move(*value);
        }
        pieces.push_back(std::move(piece));
        piece = {};
        at = close + 1;
    }
    if (!piece.text.empty()) pieces.push_back(std::move(piece));
    return pieces;
}
} // namespace

Debugger::Debugger(Machine& machine) : impl_(std::make_unique<Impl>(machine)) {}
Debugger::~Debugger() = default;
Debugger::Impl::~Impl() {
    for (std::size_t i = 0; i < points.size(); ++i) uninstall(points[i], entries[i]);
    machine.probes().detach(*this);
}

Expected<u32> Debugger::add(std::string_view text) {
    auto spec = parse_break(text);
    if (!spec) return std::unexpected(spec.error());
    return add(std::move(*spec));
}

Expected<u32> Debugger::add(BreakSpec spec) {
    if (impl_->points.size() >= MostBreakpoints) return usage_error("there are too many breakpoints");
    Breakpoint point;
    Impl::Entry entry;
    point.spec = std::move(spec);
    if (auto ok = impl_->prepare(point.spec, entry, point); !ok) return std::unexpected(ok.error());
    if (auto ok = impl_->install(point, entry); !ok) {
        impl_->uninstall(point, entry);
        return std::unexpected(ok.error());
    }
    point.id = impl_->next_id++;
    impl_->points.push_back(std::move(point));
    impl_->entries.push_back(std::move(entry));
    impl_->update_kinds();
    return impl_->points.back().id;
}

bool Debugger::remove(u32 id) {
    const auto found = std::ranges::find(impl_->points, id, &Breakpoint::id);
    if (found == impl_->points.end()) return false;
    const auto index = found - impl_->points.begin();
    impl_->uninstall(*found, impl_->entries[static_cast<std::size_t>(index)]);
    impl_->points.erase(found);
    impl_->entries.erase(impl_->entries.begin() + index);
    impl_->update_kinds();
    return true;
}

bool Debugger::enable(u32 id, bool on) {
    const auto found = std::ranges::find(impl_->points, id, &Breakpoint::id);
    if (found == impl_->points.end()) return false;
    if (found->enabled == on) return true;
    found->enabled = on;
    Impl::Entry& entry = impl_->entries[static_cast<std::size_t>(found - impl_->points.begin())];
    if (!on)
        impl_->uninstall(*found, entry);
    else if (auto ok = impl_->install(*found, entry); !ok)
        found->trouble = ok.error().message;
    impl_->update_kinds();
    return true;
}

void Debugger::clear() {
    while (!impl_->points.empty()) remove(impl_->points.back().id);
}

std::span<const Breakpoint> Debugger::list() const { return impl_->points; }
const Breakpoint* Debugger::find(u32 id) const {
    const auto found = std::ranges::find(impl_->points, id, &Breakpoint::id);
    return found == impl_->points.end() ? nullptr : &*found;
}
const std::optional<Hit>& Debugger::last_hit() const { return impl_->last; }
void Debugger::set_last_hit(std::optional<Hit> hit) { impl_->last = std::move(hit); }
void Debugger::on_log(LogSink sink) { impl_->log_sink = std::move(sink); }

Expected<u64> Debugger::evaluate(std::string_view expression) const {
    auto compiled = Expression::compile(expression, impl_->machine.symbols());
    if (!compiled) return std::unexpected(compiled.error());
    const auto value =
        compiled->evaluate({impl_->machine, &impl_->tasks, impl_->last ? &*impl_->last : nullptr, 0});
    if (!value) return usage_error(value.error());
    return *value;
}

// ---- resolving --------------------------------------------------------------------------------------------

Debugger::Impl::Entry& Debugger::Impl::entry_of(u32 id) {
    return entries[static_cast<std::size_t>(std::ranges::find(points, id, &Breakpoint::id) - points.begin())];
}

/// Checks what does not depend on where the kernel lies: names, lines, expressions.
Expected<void> Debugger::Impl::prepare(const BreakSpec& spec, Entry& entry, Breakpoint& point) {
    const GuestSymbols* symbols = machine.symbols();
    if (!spec.condition.empty()) {
        auto compiled = Expression::compile(spec.condition, symbols);
        if (!compiled) return usage_error(fmt::format("the condition: {}", compiled.error().message));
        entry.condition = std::move(*compiled);
    }
    if (spec.action == BreakAction::Log) {
        auto pieces = compile_message(spec.message, symbols);
        if (!pieces) return std::unexpected(pieces.error());
        entry.message = std::move(*pieces);
    }
    const auto no_symbols = [&](std::string_view what) {
        return usage_error(fmt::format("{} needs kernel symbols, and there are none", what));
    };
    if (spec.kind == BreakKind::SourceLine) {
        if (!symbols) return no_symbols("a source line");
        if (!symbols->has_lines())
            return usage_error(fmt::format("{} has no line information", symbols->path()));
        entry.link_addresses = symbols->line_addresses(spec.symbol, spec.line);
        if (entry.link_addresses.empty())
            return usage_error(fmt::format("{}:{} has no code", spec.symbol, spec.line));
        entry.moves = true;
    } else if (spec.kind == BreakKind::TaskSwitch) {
        if (!symbols || !symbols->link_address(SwitchSymbol)) return no_symbols("a task switch");
        entry.link_addresses = {*symbols->link_address(SwitchSymbol)};
        entry.moves = true;
    } else if (!spec.symbol.empty()) {
        if (!symbols) return no_symbols(fmt::format("'{}'", spec.symbol));
        const auto found = symbols->link_address(spec.symbol);
        if (!found)
            return usage_error(
                fmt::format("there is no symbol '{}'{}", spec.symbol, nearest_names(spec.symbol, symbols)));
        entry.moves = true;
        entry.link_base = *found + spec.address;
        if (spec.kind == BreakKind::Address) entry.link_addresses = {entry.link_base};
        if (spec.kind == BreakKind::Data && spec.length == 0) {
            u64 length = 8;
            for (const Symbol& symbol : symbols->elf().symbols())
                if (symbol.address == *found && symbol.size) length = symbol.size;
            point.spec.length = std::min<u64>(length, 16 << 20);
        }
    }
    if (spec.kind == BreakKind::Data && point.spec.length == 0) point.spec.length = 8;
    return {};
}

Expected<void> Debugger::Impl::install(Breakpoint& point, Entry& entry) {
    const BreakSpec& spec = point.spec;
    point.trouble.clear();
    if (!point.enabled || entry.installed) return {};
    u64 moved = 0;
    if (entry.moves) {
        slide = machine.symbols()->slide();
        if (!slide) {
            point.trouble = "waits for the kernel's place in memory";
            return {};
        }
        moved = *slide;
    }
    if (spec.kind == BreakKind::Address && !entry.moves) entry.hooks = {spec.address};
    if (entry.moves)
        for (u64 link : entry.link_addresses) entry.hooks.push_back(link + moved);
    if (spec.kind == BreakKind::TaskSwitch) switch_address = entry.hooks.front();
    for (u64 address : entry.hooks) machine.hook(address);
    if (spec.kind == BreakKind::Data && !spec.physical) {
        entry.first = entry.moves ? entry.link_base + moved : spec.address;
        entry.last = entry.first + (spec.length - 1);
        for (u64 page = entry.first >> 12; page <= entry.last >> 12; ++page) entry.pages.push_back(page);
        for (u64 page : entry.pages) machine.probes().watch_linear(page);
    }
    if (spec.kind == BreakKind::Data && spec.physical) {
        Board& board = machine.board();
        const u64 final = spec.address + (spec.length - 1);
        for (u64 page = spec.address >> 12; page <= final >> 12; ++page) {
            const cpu::PhysicalPage memory = board.page(page << 12);
            if (!memory.host)
                return usage_error(fmt::format("there is no memory at the physical address {:#x}{}",
                                               page << 12, "; mmio: is for device registers"));
            entry.frames.push_back({memory.frame,
                                    page == spec.address >> 12 ? unsigned(spec.address & 0xFFF) : 0,
                                    page == final >> 12 ? unsigned(final & 0xFFF) : 0xFFF, page << 12});
        }
        for (const FramePart& part : entry.frames)
            machine.probes().watch_frame(
                part.frame, static_cast<u8>(((spec.access & ReadAccess) ? cpu::WatchedRead : 0) |
                                            ((spec.access & WriteAccess) ? cpu::WatchedWrite : 0)));
    }
    entry.installed = true;
    return {};
}

void Debugger::Impl::uninstall(const Breakpoint& point, Entry& entry) {
    if (!entry.installed) {
        entry.frames.clear();
        return;
    }
    for (u64 address : entry.hooks) machine.unhook(address);
    for (u64 page : entry.pages) machine.probes().unwatch_linear(page);
    for (const FramePart& part : entry.frames)
        machine.probes().unwatch_frame(
            part.frame, static_cast<u8>(((point.spec.access & ReadAccess) ? cpu::WatchedRead : 0) |
                                        ((point.spec.access & WriteAccess) ? cpu::WatchedWrite : 0)));
    entry.hooks.clear(), entry.pages.clear(), entry.frames.clear();
    entry.installed = false;
}

/// The kernel's place became known, or was forgotten by a reset or a journey.
void Debugger::Impl::learn() {
    if (!machine.symbols() || machine.symbols()->slide() == slide) return;
    slide = machine.symbols()->slide();
    for (std::size_t i = 0; i < points.size(); ++i) {
        if (!entries[i].moves) continue;
        uninstall(points[i], entries[i]);
        if (auto ok = install(points[i], entries[i]); !ok) points[i].trouble = ok.error().message;
    }
}

void Debugger::Impl::update_kinds() {
    using Kind = Notice::Kind;
    u32 kinds = 0;
    for (const Breakpoint& point : points) {
        if (!point.enabled) continue;
        switch (point.spec.kind) {
        case BreakKind::Mmio: kinds |= Probes::bit(Kind::Register); break;
        case BreakKind::Port: kinds |= Probes::bit(Kind::Port); break;
        case BreakKind::Msr: kinds |= Probes::bit(Kind::Msr); break;
        case BreakKind::Control: kinds |= Probes::bit(Kind::Control); break;
        case BreakKind::Interrupt:
        case BreakKind::Exception: kinds |= Probes::bit(Kind::Delivered); break;
        case BreakKind::ModeChange: kinds |= Probes::bit(Kind::Mode); break;
        case BreakKind::Phase: kinds |= Probes::bit(Kind::Phase); break;
        case BreakKind::SystemCall:
            kinds |= Probes::bit(Kind::SystemCall) | Probes::bit(Kind::Delivered); // INT 80h
            break;
        case BreakKind::DiskRequest: kinds |= Probes::bit(Kind::Disk); break;
        case BreakKind::Console: kinds |= Probes::bit(Kind::Console); break;
        default: break;
        }
    }
    if (points.empty())
        machine.probes().detach(*this);
    else
        machine.probes().attach(*this, kinds);
}

} // namespace vitrine::emu
