// A lesson on a machine of its own: see check.h.
#include "emu/lessons/check.h"
#include <algorithm>
#include <fmt/format.h>
#include "emu/cli/options.h"
#include "emu/debugger/debugger.h"
#include "emu/lessons/expect.h"
#include "emu/timeline/timeline.h"

namespace vitrine::emu {

namespace {

constexpr u64 MostSteps = 2'000'000'000; ///< of one run; a lesson is a matter of minutes

class Performance {
public:
    Performance(const Lesson& lesson, const LessonLimits& limits) : lesson_(lesson), limits_(limits) {}
    Expected<void> make();
    Expected<void> perform(const Directive& directive);

private:
    std::unexpected<Error> failed(const Directive& directive, const std::string& what,
                                  Exit status = Exit::LimitReached) const {
        return std::unexpected(Error{
            status, fmt::format("{}:{}: {}: {}", lesson_.path, directive.line, directive.source, what)});
    }
    Expected<void> run_to(const Directive& directive);
    Expected<void> back(const Directive& directive);
    void begin() { from_step_ = machine_->steps(), from_console_ = machine_->serial_total(); }

    const Lesson& lesson_;
    const LessonLimits& limits_;
    std::unique_ptr<Machine> machine_;
    std::unique_ptr<EventStore> events_;
    std::unique_ptr<Timeline> timeline_;
    std::unique_ptr<Debugger> debugger_;
    std::vector<std::pair<std::string, u64>> marks_;
    u64 from_step_ = 0, from_console_ = 0;
};

Expected<void> Performance::make() {
    std::vector<const char*> words{"vitrine"};
    for (const std::string& word : lesson_.machine) words.push_back(word.c_str());
    auto options = cli::parse(static_cast<int>(words.size()), words.data());
    if (!options) return std::unexpected(options.error());
    auto machine = Machine::create(options->options.machine);
    if (!machine) return std::unexpected(machine.error());
    machine_ = std::move(*machine);
    events_ = std::make_unique<EventStore>(*machine_);
    timeline_ = std::make_unique<Timeline>(*machine_, Timeline::DefaultBudget);
    debugger_ = std::make_unique<Debugger>(*machine_);
    return {};
}

Expected<void> Performance::run_to(const Directive& directive) {
    auto id = debugger_->add(directive.place);
    if (!id) return failed(directive, id.error().message, Exit::BadInput);
    begin();
    RunLimits limits;
    limits.debugger = debugger_.get();
    limits.step_limit = std::min(machine_->steps() + MostSteps, limits_.steps);
    limits.time_limit = limits_.time;
    limits.host_seconds = limits_.host_seconds - machine_->host_seconds();
    if (limits.host_seconds <= 0) return failed(directive, "the time limit is over");
    const RunReport report = machine_->run(limits);
    const bool met = report.reason == StopReason::Breakpoint;
    debugger_->remove(*id);
    if (met) return {};
    return failed(directive,
                  fmt::format("found {} at step {}{}{}, wanted to get there", stop_reason_name(report.reason),
                              report.steps, report.detail.empty() ? "" : ": ", report.detail));
}

Expected<void> Performance::back(const Directive& directive) {
    for (const auto& [name, step] : marks_)
        if (!directive.has_place && name == directive.text) {
            if (auto ok = timeline_->seek(step); !ok) return failed(directive, ok.error().message);
            return {};
        }
    auto id = debugger_->add(directive.place);
    if (!id) return failed(directive, id.error().message, Exit::BadInput);
    RunLimits limits;
    limits.debugger = debugger_.get();
    auto report = timeline_->previous(limits);
    debugger_->remove(*id);
    if (!report) return failed(directive, report.error().message);
    return {};
}

Expected<void> Performance::perform(const Directive& directive) {
    switch (directive.kind) {
    case Directive::Kind::RunTo: return run_to(directive);
    case Directive::Kind::Step:
        begin();
        for (u64 i = 0; i < directive.count && !machine_->ended(); ++i) {
            if (machine_->steps() >= limits_.steps || machine_->host_seconds() >= limits_.host_seconds)
                return failed(directive, fmt::format("the limit is reached at step {}", machine_->steps()));
            machine_->step();
        }
        return {};
    case Directive::Kind::Type:
        begin();
        machine_->input(SerialInput{directive.text});
        return {};
    case Directive::Kind::Show: return {};
    case Directive::Kind::Mark: marks_.emplace_back(directive.text, machine_->steps()); return {};
    case Directive::Kind::Back: return back(directive);
    case Directive::Kind::Expect: {
        const std::string found =
            check_expectation(directive.text, {*machine_, *debugger_, *events_, from_step_, from_console_});
        if (!found.empty()) return failed(directive, found);
        return {};
    }
    }
    return {};
}

} // namespace

Expected<void> check_lesson(const Lesson& lesson, const std::function<void(const Directive&)>& tell,
                            const LessonLimits& limits) {
    Performance performance(lesson, limits);
    if (auto ok = performance.make(); !ok) return ok;
    for (const LessonPart& part : lesson.parts)
        for (const Directive& directive : part.directives) {
            if (tell) tell(directive);
            if (auto ok = performance.perform(directive); !ok) return ok;
        }
    return {};
}

} // namespace vitrine::emu
