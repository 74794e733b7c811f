// The scheduler over time, under the run queues: load of each processor, tasks that could run, vruntime by
// task.
#include <algorithm>
#include <fmt/format.h>
#include <map>
#include "ui/model/format.h"
#include "ui/panels/panels.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {
struct Frame {
    ImVec2 at;
    float width, height;
    u64 from, to;
    float x(u64 time) const {
        const u64 inside = std::clamp(time, from, to) - from;
        return at.x +
               width * static_cast<float>(static_cast<double>(inside) / static_cast<double>(to - from));
    }
    float y(double share) const {
        return at.y + height - 2 - (height - 4) * static_cast<float>(std::clamp(share, 0.0, 1.0));
    }
};

Frame chart(Context& context, const char* title, const std::string& most, u64 from, u64 to, float height) {
    text_in(context.fonts.small, colour::Dim, title);
    const ImVec2 at = ImGui::GetCursorScreenPos();
    Frame frame{at, ImGui::GetContentRegionAvail().x, context.px(height), from, to};
    ImDrawList* draw = ImGui::GetWindowDrawList();
    draw->AddRectFilled(at, {at.x + frame.width, at.y + frame.height}, colour::Inset);
    draw->AddText(context.fonts.small, context.fonts.small->FontSize, {at.x + context.px(3), at.y + 1},
                  colour::Faint, most.c_str());
    ImGui::Dummy({frame.width, frame.height});
    return frame;
}
/// The time under the pointer, when it is in the chart.
std::optional<u64> pointed(const Frame& frame) {
    if (!ImGui::IsItemHovered()) return std::nullopt;
    const float share =
        std::clamp((ImGui::GetMousePos().x - frame.at.x) / std::max(frame.width, 1.0f), 0.0f, 1.0f);
    ImGui::GetWindowDrawList()->AddLine({ImGui::GetMousePos().x, frame.at.y},
                                        {ImGui::GetMousePos().x, frame.at.y + frame.height}, colour::Line);
    return frame.from +
           static_cast<u64>(static_cast<double>(share) * static_cast<double>(frame.to - frame.from));
}

void draw_load(Context& context, u64 from, u64 to) {
    constexpr unsigned Buckets = 160;
    const unsigned processors = context.engine.machine().processor_count();
    const auto& load = context.views.processor_load(from, to, Buckets);
    const Frame frame = chart(context, "Load of each processor: the share of time that it did not idle", "",
                              from, to, std::max(14.0f * static_cast<float>(processors), 36.0f));
    ImDrawList* draw = ImGui::GetWindowDrawList();
    const float row = frame.height / static_cast<float>(processors), step = frame.width / Buckets;
    for (unsigned cpu = 0; cpu < processors && cpu < load.size(); ++cpu) {
        const float top = frame.at.y + row * static_cast<float>(cpu);
        for (unsigned i = 0; i < Buckets; ++i) {
            const float share = load[cpu][i], left = frame.at.x + step * static_cast<float>(i);
            if (share > 0)
                draw->AddRectFilled({left, top + row - 1 - (row - 2) * share}, {left + step, top + row - 1},
                                    colour::mix(colour::Inset, colour::Accent, 0.75f));
        }
        draw->AddText(context.fonts.small, context.fonts.small->FontSize * 0.85f,
                      {frame.at.x + context.px(3), top}, colour::Text, fmt::format("{}", cpu).c_str());
        if (cpu) draw->AddLine({frame.at.x, top}, {frame.at.x + frame.width, top}, colour::Border);
    }
    if (const auto time = pointed(frame)) {
        std::string what = "at " + duration_text(*time) + ":";
        const auto bucket =
            std::min<std::size_t>(static_cast<std::size_t>(static_cast<double>(*time - from) /
                                                           static_cast<double>(to - from) * Buckets),
                                  Buckets - 1);
        for (unsigned cpu = 0; cpu < processors && cpu < load.size(); ++cpu)
            what += load[cpu][bucket] < 0 ? fmt::format("\nCPU {}: not known", cpu)
                                          : fmt::format("\nCPU {}: {:.0f} %", cpu, load[cpu][bucket] * 100);
        tooltip_now(context, what);
    }
}

void draw_runnable(Context& context, const std::vector<SchedulerHistory::Sample>& samples, u64 from, u64 to) {
    u32 most = 1;
    for (const auto& sample : samples) {
        u32 all = 0;
        for (u32 n : sample.runnable) all += n;
        if (sample.time >= from) most = std::max(most, all);
    }
    const Frame frame =
        chart(context, "Tasks that could run, on all processors", fmt::format("{}", most), from, to, 40);
    ImDrawList* draw = ImGui::GetWindowDrawList();
    float last_x = 0, last_y = 0;
    bool begun = false;
    for (const auto& sample : samples) {
        if (sample.time < from || sample.time > to) continue;
        u32 all = 0;
        for (u32 n : sample.runnable) all += n;
        const float x = frame.x(sample.time), y = frame.y(static_cast<double>(all) / most);
        if (begun) {
            draw->AddLine({last_x, last_y}, {x, last_y}, colour::Accent, context.px(1.5f));
            draw->AddLine({x, last_y}, {x, y}, colour::Accent, context.px(1.5f));
        }
        last_x = x, last_y = y, begun = true;
    }
    if (const auto time = pointed(frame)) {
        auto at = std::ranges::upper_bound(samples, *time, {}, &SchedulerHistory::Sample::time);
        if (at == samples.begin()) return;
        --at;
        std::string what = "at " + duration_text(at->time) + ":";
        for (std::size_t cpu = 0; cpu < at->runnable.size(); ++cpu)
            what += fmt::format("\nCPU {}: {}", cpu, at->runnable[cpu]);
        tooltip_now(context, what);
    }
}

void draw_vruntime(Context& context, const std::vector<SchedulerHistory::Sample>& samples, u64 from, u64 to) {
    // Above the least of all that are shown: queues differ by what they have run, not by where they began.
    u64 least = ~u64{0}, most = 0;
    for (const auto& sample : samples)
        if (sample.time >= from && sample.time <= to)
            for (const auto& task : sample.tasks)
                least = std::min(least, task.vruntime), most = std::max(most, task.vruntime);
    const u64 span = most > least ? most - least : 1;
    const Frame frame = chart(context, "vruntime of tasks that could run: fair is parallel",
                              most > least ? "+" + duration_text(span) : std::string(), from, to, 96);
    ImDrawList* draw = ImGui::GetWindowDrawList();
    std::map<i64, ImVec2> last;
    for (const auto& sample : samples) {
        if (sample.time < from || sample.time > to) continue;
        std::map<i64, ImVec2> next;
        for (const auto& task : sample.tasks) {
            const ImVec2 here{frame.x(sample.time), frame.y(static_cast<double>(task.vruntime - least) /
                                                            static_cast<double>(span))};
            const ImU32 c = tone_colour(static_cast<u32>(task.pid));
            if (const auto before = last.find(task.pid); before != last.end())
                draw->AddLine(before->second, here, c, context.px(1.5f));
            else
                draw->AddCircleFilled(here, context.px(1.5f), c, 6);
            next[task.pid] = here;
        }
        last = std::move(next); // a task that slept begins anew
    }
    for (const auto& [pid, at] : last)
        draw->AddText(
            context.fonts.small, context.fonts.small->FontSize * 0.85f,
            {std::min(at.x + context.px(2), frame.at.x + frame.width - context.px(22)),
             std::clamp(at.y - context.px(6), frame.at.y, frame.at.y + frame.height - context.px(11))},
            colour::Text, fmt::format("{}", pid).c_str());
    if (const auto time = pointed(frame)) {
        auto at = std::ranges::upper_bound(samples, *time, {}, &SchedulerHistory::Sample::time);
        if (at == samples.begin()) return;
        --at;
        std::string what = "at " + duration_text(at->time) + ":";
        for (const auto& task : at->tasks)
            what += fmt::format("\n{}: {}", context.views.scheduler_history().name(task.pid),
                                duration_text(task.vruntime));
        tooltip_now(context, what);
    }
}
} // namespace

void draw_scheduler_curves(Context& context) {
    static constexpr struct {
        const char* name;
        u64 nanoseconds;
    } Windows[] = {
        {"0.1 s", 100'000'000}, {"1 s", 1'000'000'000}, {"10 s", 10'000'000'000}, {"all", ~u64{0}}};
    const auto& samples = context.views.scheduler_history().samples();
    const u64 now = context.engine.machine().time();
    for (const auto& window : Windows) {
        if (&window != Windows) ImGui::SameLine(0, context.px(4));
        if (toggle(context, window.name, context.scheduler_window == window.nanoseconds, "How far back"))
            context.scheduler_window = window.nanoseconds;
    }
    const u64 first = samples.empty() ? 0 : samples.front().time;
    const u64 from = context.scheduler_window == ~u64{0} ? std::min(first, now)
                                                         : now - std::min(now, context.scheduler_window);
    if (now == from) return text(colour::Dim, "no time has passed yet");
    ImGui::SameLine();
    text_in(context.fonts.small, colour::Dim,
            fmt::format("{} to {}", duration_text(from), duration_text(now)));
    draw_load(context, from, now);
    draw_runnable(context, samples, from, now);
    draw_vruntime(context, samples, from, now);
    context.probe.scheduler_samples = samples.size();
    if (samples.size() < 2)
        text(colour::Dim, "Queues and vruntime are drawn while this panel is open and the machine runs.");
}

} // namespace vitrine::ui
