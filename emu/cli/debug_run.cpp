// DebugRun: see debug_run.h.
#include "emu/cli/debug_run.h"
#include <cstdio>
#include <fmt/format.h>

namespace vitrine::emu::cli {

namespace {
void tell(const std::string& line) { std::fprintf(stderr, "vitrine: %s\n", line.c_str()); }
} // namespace

Expected<void> DebugRun::set_up(Machine& machine) {
    debugger_ = std::make_unique<Debugger>(machine);
    debugger_->on_log([](const Breakpoint&, const Hit&, const std::string& line) { tell(line); });
    if (options_.until_break) {
        auto id = debugger_->add(*options_.until_break);
        if (!id) return bad_input(fmt::format("--until {}: {}", options_.until_text, id.error().message));
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
    if (options_.needs_history()) timeline_ = std::make_unique<Timeline>(machine, options_.history);
    return {};
}

void DebugRun::slice(RunLimits& limits) {
    limits.debugger = debugger_.get();
    limits.goes_on = std::exchange(started_, true);
    if (already_met_) limits.step_limit = 0;
}

bool DebugRun::stopped_by_breakpoint(const RunReport& report) {
    if (already_met_) return until_met_ = true;
    if (report.reason != StopReason::Breakpoint || !debugger_->last_hit()) return false;
    const Hit& hit = *debugger_->last_hit();
    until_met_ = hit.id == until_id_;
    if (until_met_) return true;
    const Breakpoint* point = debugger_->find(hit.id);
    tell(fmt::format("breakpoint {}{} at step {}, processor {}: {}", hit.id,
                     point ? fmt::format(" ({})", to_text(point->spec)) : std::string(), report.steps,
                     hit.processor, hit.what));
    return true;
}

Expected<bool> DebugRun::finish(Machine& machine) {
    for (const Breakpoint& point : debugger_->list()) {
        if (point.spec.action == BreakAction::Count)
            tell(fmt::format("breakpoint {} ({}): {} hits", point.id, to_text(point.spec), point.hits));
        if (!point.trouble.empty())
            tell(fmt::format("breakpoint {} ({}): {}", point.id, to_text(point.spec), point.trouble));
    }
    if (options_.last.empty()) return true;
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
    return true;
}

} // namespace vitrine::emu::cli
