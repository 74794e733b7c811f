// Debugger: adding, resolving and installing breakpoints. hits.cpp is what happens when they are met.
#include "emu/debugger/debugger.h"
#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include "emu/debugger/impl.h"
#include "emu/debugger/phase_names.h"
#include "emu/symbols/guest_symbols.h"

namespace vitrine::emu {

namespace {
constexpr std::size_t MostBreakpoints = 4096;
constexpr const char* SwitchSymbol = "__switch_to_asm";

Expected<std::vector<Debugger::Impl::Piece>>
compile_message(std::string_view text, const GuestSymbols* symbols, std::size_t column) {
    std::vector<Debugger::Impl::Piece> pieces;
    Debugger::Impl::Piece piece;
    for (std::size_t at = 0; at < text.size();) {
        if (text[at] != '{') {
            piece.text += text[at++];
            continue;
        }
        const auto close = text.find('}', at);
        if (close == std::string_view::npos)
            return usage_error(fmt::format("column {}: '{{' is not closed", column + at + 1));
        std::string_view inside = text.substr(at + 1, close - at - 1);
        if (inside.size() > 2 && inside[inside.size() - 2] == ':' &&
            std::string_view("xds").contains(inside.back()))
            piece.format = inside.back(), inside.remove_suffix(2);
        if (inside == "task.comm") {
            piece.comm = true;
        } else {
            auto value = Expression::compile(inside, symbols, column + at + 1);
            if (!value) return std::unexpected(value.error());
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

namespace {
/// The names of the hit that a place gives a value (expression.h).
std::vector<std::string_view> names_of(BreakKind kind) {
    switch (kind) {
    case BreakKind::Address:
    case BreakKind::SourceLine:
    case BreakKind::TaskSwitch: return {"address", "hits"};
    case BreakKind::Data: return {"address", "value", "old", "size", "write", "hits"};
    case BreakKind::Mmio:
    case BreakKind::Port:
    case BreakKind::DiskRequest: return {"address", "number", "value", "size", "write", "hits"};
    case BreakKind::Msr: return {"address", "number", "value", "write", "hits"};
    case BreakKind::Control: return {"address", "number", "value", "old", "write", "hits"};
    case BreakKind::Interrupt: return {"vector", "address", "hits"};
    case BreakKind::Exception: return {"vector", "error", "address", "value", "hits"};
    case BreakKind::SystemCall: return {"number", "address", "hits"};
    case BreakKind::ModeChange: return {"value", "hits"};
    case BreakKind::Phase:
    case BreakKind::Console:
    case BreakKind::Prompt:
    case BreakKind::Step: return {"hits"};
    }
    return {};
}

/// For a line without code: the nearest one that has; for a file without: those that have and are named
/// alike.
std::string nearest_place(const BreakSpec& spec, const GuestSymbols& symbols) {
    const std::string_view wanted = spec.symbol;
    if (const unsigned line = symbols.nearest_line(wanted, spec.line))
        return fmt::format("; the nearest line that has is {}:{}", wanted, line);
    std::vector<std::string> files = symbols.source_files();
    std::vector<std::string_view> names;
    const std::string_view last = wanted.substr(wanted.rfind('/') + 1);
    for (const std::string& file : files) {
        const std::string_view name = std::string_view(file).substr(file.rfind('/') + 1);
        names.push_back(name);
    }
    return nearest_list(last, names);
}

Expected<void> check_use(const Expression& expression, BreakKind kind) {
    const auto known = names_of(kind);
    const auto use = expression.uses_beyond(known);
    if (!use) return {};
    return usage_error(fmt::format("column {}: a place of this kind ({}) has no '{}'; it has {}", use->column,
                                   break_kind_name(kind), use->name, fmt::join(known, ", ")));
}
} // namespace

Debugger::Debugger(Machine& machine) : impl_(std::make_unique<Impl>(machine)) {}
Debugger::~Debugger() = default;
Debugger::Impl::~Impl() {
    for (std::size_t i = 0; i < points.size(); ++i) uninstall(points[i], entries[i]);
    machine.probes().detach(*this);
}

Expected<u32> Debugger::add(std::string_view text) {
    SpecColumns columns;
    auto spec = parse_break(text, &columns);
    if (!spec) return std::unexpected(spec.error());
    return impl_->add(std::move(*spec), &columns);
}

Expected<u32> Debugger::add(BreakSpec spec) { return impl_->add(std::move(spec), nullptr); }

Expected<u32> Debugger::Impl::add(BreakSpec spec, const SpecColumns* columns) {
    if (points.size() >= MostBreakpoints) return usage_error("there are too many breakpoints");
    Breakpoint point;
    Entry entry;
    point.spec = std::move(spec);
    if (auto ok = prepare(point.spec, entry, point, columns); !ok) return std::unexpected(ok.error());
    if (auto ok = install(point, entry); !ok) {
        uninstall(point, entry);
        return std::unexpected(ok.error());
    }
    const u32 id = point.id = next_id++;
    // A person's come before the program's own: of several in one instruction the first is told.
    auto place = points.end();
    while (!point.spec.own && place != points.begin() && std::prev(place)->spec.own) --place;
    entries.insert(entries.begin() + (place - points.begin()), std::move(entry));
    points.insert(place, std::move(point));
    update_kinds();
    return id;
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
std::span<const Breakpoint> Debugger::persons() const {
    const auto own =
        std::ranges::find_if(impl_->points, [](const Breakpoint& each) { return each.spec.own; });
    return {impl_->points.begin(), own};
}
const Breakpoint* Debugger::find(u32 id) const {
    const auto found = std::ranges::find(impl_->points, id, &Breakpoint::id);
    return found == impl_->points.end() ? nullptr : &*found;
}
const std::optional<Hit>& Debugger::last_hit() const { return impl_->last; }
bool Debugger::met(u32 id) const { return std::ranges::find(impl_->met_now, id) != impl_->met_now.end(); }
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
Expected<void> Debugger::Impl::prepare(const BreakSpec& spec, Entry& entry, Breakpoint& point,
                                       const SpecColumns* columns) {
    const GuestSymbols* symbols = machine.symbols();
    // Whoever gave a text gets columns of all of it; whoever filled in a condition alone, of that.
    const auto part = [&](const char* name, const Error& error) {
        return columns ? usage_error(error.message)
                       : usage_error(fmt::format("the {}: {}", name, error.message));
    };
    if (const int count = static_cast<int>(machine.board().processor_count()); spec.processor >= count) {
        const std::string why =
            fmt::format("there is no processor {}: this machine has {}", spec.processor,
                        count == 1 ? "processor 0 only" : fmt::format("0 to {}", count - 1));
        return columns ? usage_error(fmt::format("column {}: {}", columns->processor + 1, why))
                       : usage_error(why);
    }
    if (!spec.condition.empty()) {
        const std::size_t column = columns ? columns->condition : 0;
        auto compiled = Expression::compile(spec.condition, symbols, column);
        if (!compiled) return part("condition", compiled.error());
        if (auto ok = check_use(*compiled, spec.kind); !ok) return part("condition", ok.error());
        if (!compiled->can_hold(machine.board().processor_count()))
            return part("condition",
                        Error{Exit::Usage, fmt::format("column {}: it can never hold", column + 1)});
        entry.condition = std::move(*compiled);
    }
    if (spec.action == BreakAction::Log) {
        auto pieces = compile_message(spec.message, symbols, columns ? columns->message : 0);
        if (!pieces) return part("log text", pieces.error());
        for (const Piece& piece : *pieces)
            if (piece.value)
                if (auto ok = check_use(*piece.value, spec.kind); !ok) return part("log text", ok.error());
        entry.message = std::move(*pieces);
    }
    const auto place = [&](const std::string& why) {
        return columns ? usage_error(fmt::format("column {}: {}", columns->place + 1, why))
                       : usage_error(why);
    };
    if (spec.kind == BreakKind::Phase)
        if (const std::string why = phase_problem(machine, spec.text); !why.empty()) return place(why);
    const auto no_symbols = [&](std::string_view what) {
        return usage_error(fmt::format("{} needs kernel symbols, and there are none", what));
    };
    if (spec.kind == BreakKind::SourceLine) {
        if (!symbols) return no_symbols("a source line");
        if (!symbols->has_lines())
            return usage_error(fmt::format("{} has no line information", symbols->path()));
        entry.link_addresses = symbols->line_addresses(spec.symbol, spec.line);
        if (entry.link_addresses.empty())
            return place(
                fmt::format("{}:{} has no code{}", spec.symbol, spec.line, nearest_place(spec, *symbols)));
        entry.moves = true;
    } else if (spec.kind == BreakKind::TaskSwitch) {
        if (!symbols || !symbols->link_address(SwitchSymbol)) return no_symbols("a task switch");
        entry.link_addresses = {*symbols->link_address(SwitchSymbol)};
        entry.moves = true;
    } else if (!spec.symbol.empty()) {
        if (!symbols) return no_symbols(fmt::format("'{}'", spec.symbol));
        const auto found = symbols->link_address(spec.symbol);
        if (!found)
            return place(
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
        case BreakKind::Console:
        case BreakKind::Prompt: kinds |= Probes::bit(Kind::Console); break;
        default: break;
        }
    }
    if (points.empty())
        machine.probes().detach(*this);
    else
        machine.probes().attach(*this, kinds);
}

} // namespace vitrine::emu
