// The app's breakpoints: emu/debugger's, and what outlives a machine. See engine.h.
#include <algorithm>
#include <fmt/format.h>
#include "ui/model/engine.h"

namespace vitrine::ui {

namespace {
constexpr std::size_t MostLogLines = 500;

bool is_place(const emu::BreakSpec& spec, u64 linear) {
    return spec.kind == emu::BreakKind::Address && spec.symbol.empty() && spec.address == linear;
}
} // namespace

void Engine::keep_breakpoints() {
    if (!debugger_) return;
    kept_.clear();
    for (const emu::Breakpoint& each : breakpoints()) kept_.push_back({each.spec, each.enabled});
    debugger_.reset();
}

void Engine::adopt_breakpoints() {
    debugger_ = std::make_unique<emu::Debugger>(*machine_);
    debugger_->on_log([this](const emu::Breakpoint&, const emu::Hit&, const std::string& line) {
        log_lines_.push_back(line);
        if (log_lines_.size() > MostLogLines) log_lines_.pop_front();
    });
    log_lines_.clear();
    for (const KeptBreakpoint& each : kept_) {
        const auto id = debugger_->add(each.spec);
        if (!id)
            say(fmt::format("the breakpoint {} means nothing here: {}", emu::to_text(each.spec),
                            id.error().message),
                true);
        else if (!each.enabled)
            debugger_->enable(*id, false);
    }
    kept_.clear();
}

bool Engine::breakpoint_at(u64 linear) const {
    return std::ranges::any_of(breakpoints(), [&](const auto& each) { return is_place(each.spec, linear); });
}

bool Engine::toggle_breakpoint(u64 linear) {
    for (const emu::Breakpoint& each : breakpoints())
        if (is_place(each.spec, linear)) {
            debugger_->remove(each.id);
            return false;
        }
    emu::BreakSpec spec;
    spec.address = linear;
    const auto id = debugger_->add(std::move(spec));
    if (!id) say(id.error().message, true);
    return id.has_value();
}

Expected<void> Engine::add_breakpoint(std::string_view text) {
    const auto id = debugger_->add(text);
    if (!id) return std::unexpected(id.error());
    return {};
}

void Engine::remove_breakpoint(u32 id) { debugger_->remove(id); }
void Engine::enable_breakpoint(u32 id, bool on) { debugger_->enable(id, on); }

} // namespace vitrine::ui
