// DebugRun: see debug_run.h.
#include "emu/cli/debug_run.h"
#include <cstdio>
#include <fmt/format.h>
#include "emu/load/files.h"

namespace vitrine::emu::cli {

namespace {
void tell(const std::string& line) { std::fprintf(stderr, "vitrine: %s\n", line.c_str()); }
} // namespace

Expected<void> DebugRun::set_up(Machine& machine) {
    debugger_ = std::make_unique<Debugger>(machine);
    debugger_->on_log([](const Breakpoint&, const Hit&, const std::string& line) { tell(line); });
    if (options_.until_break) {
        // With the text as it was given where it is the notation's, so that columns are the text's.
        const BreakKind kind = options_.until_break->kind;
        const bool plain = kind == BreakKind::Step || kind == BreakKind::Phase || kind == BreakKind::Console;
        auto id = plain ? debugger_->add(*options_.until_break) : debugger_->add(options_.until_text);
        if (!id) return usage_error(fmt::format("--until {}: {}", options_.until_text, id.error().message));
        until_id_ = *id;
        // A state that was loaded, or power-on, may lie behind the place.
        const BreakSpec& until = *options_.until_break;
        already_met_ = (until.kind == BreakKind::Step && until.address <= machine.steps()) ||
                       (until.kind == BreakKind::Console && machine.serial_output().contains(until.text));
    }
    for (const std::string& text : options_.breaks) {
        auto id = debugger_->add(text);
        if (!id) return usage_error(fmt::format("--break {}: {}", text, id.error().message));
    }
    if (!options_.last.empty()) {
        // A mistake is told now, not at the end of the run.
        auto id = debugger_->add(options_.last);
        if (!id) return usage_error(fmt::format("--last {}: {}", options_.last, id.error().message));
        debugger_->remove(*id);
    }
    if (options_.events) events_ = std::make_unique<EventStore>(machine, options_.events);
    return {};
}

void DebugRun::keep_history(Machine& machine) {
    if (options_.keeps_history() || (options_.history_given && options_.history))
        timeline_ = std::make_unique<Timeline>(machine, options_.history);
}

void DebugRun::slice(RunLimits& limits) {
    limits.debugger = debugger_.get();
    limits.goes_on = std::exchange(started_, true);
    if (already_met_) limits.step_limit = 0;
}

void DebugRun::wait(u32& id, std::optional<BreakSpec> when, u64 from, u64 steps) {
    debugger_->remove(std::exchange(id, 0));
    if (!when) return;
    when->from = from;
    if (when->kind == BreakKind::Step) when->address = std::max(when->address, steps + 1);
    // A symbol that there is not is never met, as when the kernel has it at no place.
    if (auto added = debugger_->add(*when)) id = *added;
}

bool DebugRun::time_to(u32 id, const RunReport& report) const {
    return id && report.reason == StopReason::Breakpoint && debugger_->met(id);
}

bool DebugRun::stopped_by_breakpoint(const RunReport& report) {
    if (already_met_) return until_met_ = true;
    if (report.reason != StopReason::Breakpoint || !debugger_->last_hit()) return false;
    const Hit& hit = *debugger_->last_hit();
    until_met_ = hit.id == until_id_;
    if (until_met_) return true;
    const Breakpoint* point = debugger_->find(hit.id);
    if (!point || point->spec.own) return false; // typing's, or a disc's: no person has asked for it
    tell(fmt::format("breakpoint {} ({}) at step {}, processor {}: {}", hit.id, to_text(point->spec),
                     report.steps, hit.processor, hit.what));
    return true;
}

void DebugRun::goes_on() {
    started_ = already_met_ = false;
    if (!until_met_) return;
    debugger_->remove(until_id_);
    until_done_ = std::exchange(until_met_, false);
}

namespace {
void print(const Author& author, const std::string& question, bool json) {
    const std::string line = json ? to_json(author) : fmt::format("{}: {}", question, to_text(author));
    std::printf("%s\n", line.c_str());
}
} // namespace

/// The questions for authors, each asked where the machine stands.
Expected<bool> DebugRun::ask(Machine& machine) {
    if (!timeline_) return true;
    Authors authors(machine, *timeline_);
    bool all = true;
    const auto answer = [&](const char* option, const std::string& question, Expected<Author> author) {
        all &= author.has_value();
        if (author)
            print(*author, question, options_.json);
        else
            tell(fmt::format("{} {}: {}", option, question, author.error().message));
    };
    const auto asked = [&](const char* option, const std::vector<std::string>& list,
                           auto&& question) -> Expected<void> {
        for (const std::string& text : list) {
            auto target = parse_target(text.substr(0, text.find('@')), machine);
            if (!target) return usage_error(fmt::format("{} {}", option, target.error().message));
            if (auto ok = question(text, *target); !ok) return ok;
        }
        return {};
    };
    if (auto ok = asked("--who-wrote", options_.who_wrote,
                        [&](const std::string& text, const Target& target) -> Expected<void> {
                            answer("--who-wrote", text, authors.who_wrote(target));
                            return {};
                        });
        !ok)
        return std::unexpected(ok.error());
    if (auto ok = asked("--who-read", options_.who_read,
                        [&](const std::string& text, const Target& target) -> Expected<void> {
                            answer("--who-read", text, authors.who_read(target));
                            return {};
                        });
        !ok)
        return std::unexpected(ok.error());
    if (auto ok = asked(
            "--all-writes", options_.all_writes,
            [&](const std::string& text, const Target& target) -> Expected<void> {
                u64 from = timeline_->first(), to = machine.steps();
                if (const auto at = text.find('@'); at != std::string::npos) {
                    const auto dash = text.find('-', at);
                    auto first = parse_number(text.substr(at + 1, dash - at - 1));
                    auto last =
                        dash == std::string::npos ? Expected<u64>(to) : parse_number(text.substr(dash + 1));
                    if (!first || !last)
                        return usage_error(fmt::format("--all-writes {}: TARGET@FROM-TO", text));
                    from = *first, to = *last;
                }
                auto list = authors.writes(target, from, to, 100'000);
                if (!list)
                    return std::unexpected(Error{
                        list.error().status, fmt::format("--all-writes {}: {}", text, list.error().message)});
                for (const Author& author : *list) print(author, text, options_.json);
                if (list->empty())
                    tell(fmt::format("--all-writes {}: nobody has written there in the steps {} to {}", text,
                                     from, std::min(to, machine.steps())));
                return {};
            });
        !ok)
        return std::unexpected(ok.error());
    for (const std::string& name : options_.who_changed)
        answer("--who-changed", name, authors.who_changed(name));
    return all;
}

Expected<void> DebugRun::show_events() {
    if (!events_) return {};
    const u64 from = options_.events_from, to = options_.events_to;
    if (!options_.trace.empty()) {
        const std::string text = options_.trace.ends_with(".json")
                                     ? to_chrome_trace(*events_, options_.events, from, to)
                                     : to_ftrace_text(*events_, options_.events, from, to);
        return write_file(options_.trace, {reinterpret_cast<const u8*>(text.data()), text.size()});
    }
    for (const Event& event : events_->query(options_.events, from, to, ~std::size_t{0})) {
        const std::string line =
            options_.json ? to_json(*events_, event)
                          : fmt::format("{:>12} {:>12}.{:03} us cpu {} {}", event.step, event.time / 1000,
                                        event.time % 1000, event.processor, events_->describe(event));
        std::printf("%s\n", line.c_str());
    }
    for (unsigned kind = 0; kind < EventKinds; ++kind)
        if (const u64 lost = events_->lost(static_cast<EventKind>(kind)))
            tell(fmt::format("--events: the {} oldest of {} are no longer held", lost,
                             event_kind_name(static_cast<EventKind>(kind))));
    return {};
}

Expected<bool> DebugRun::finish(Machine& machine) {
    if (auto ok = show_events(); !ok) return std::unexpected(ok.error());
    for (const Breakpoint& point : debugger_->list()) {
        if (point.spec.action == BreakAction::Count)
            tell(fmt::format("breakpoint {} ({}): {} hits", point.id, to_text(point.spec), point.hits));
        if (!point.trouble.empty())
            tell(fmt::format("breakpoint {} ({}): {}", point.id, to_text(point.spec), point.trouble));
    }
    if (options_.last.empty()) return ask(machine);
    debugger_->clear();
    if (auto id = debugger_->add(options_.last); !id)
        return usage_error(fmt::format("--last {}: {}", options_.last, id.error().message));
    RunLimits limits;
    limits.debugger = debugger_.get();
    const u64 end = machine.steps();
    auto report = timeline_->previous(limits);
    if (!report) {
        tell(fmt::format("--last {}: {}", options_.last, report.error().message));
        return false;
    }
    tell(fmt::format("--last {}: step {}, {} steps before the end: {}", options_.last, report->steps,
                     end - report->steps, report->detail));
    return ask(machine);
}

} // namespace vitrine::emu::cli
