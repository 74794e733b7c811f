// The scheduler over time: see scheduler_history.h.
#include "ui/model/scheduler_history.h"
#include <algorithm>
#include <fmt/format.h>

namespace vitrine::ui {

namespace {
constexpr std::size_t MostSamples = 2000, MostTasks = 64, MostNames = 4096;
} // namespace

std::vector<std::vector<float>> processor_load(const emu::EventStore& events, unsigned processors, u64 from,
                                               u64 to, unsigned buckets, u64 most) {
    constexpr auto Kind = emu::EventKind::TaskSwitch;
    std::vector<std::vector<float>> out(processors, std::vector<float>(buckets, -1.0f));
    if (to <= from || buckets == 0) return out;
    const double width = static_cast<double>(to - from) / buckets;
    struct Running {
        bool known = false, busy = false;
        u64 since = 0;
    };
    std::vector<Running> now(processors);
    const auto fill = [&](unsigned cpu, u64 begin, u64 end) {
        if (!now[cpu].known || end <= from || begin >= to) return;
        begin = std::max(begin, from), end = std::min(end, to);
        for (u64 at = begin; at < end;) {
            const auto bucket = std::min<std::size_t>(
                static_cast<std::size_t>(static_cast<double>(at - from) / width), buckets - 1);
            const u64 edge =
                std::max(at + 1, from + static_cast<u64>(static_cast<double>(bucket + 1) * width));
            const u64 until = std::min(edge, end);
            float& share = out[cpu][bucket];
            share = std::max(share, 0.0f);
            if (now[cpu].busy) share += static_cast<float>(static_cast<double>(until - at) / width);
            at = until;
        }
    };
    const u64 end = events.lower(Kind, to, emu::EventAxis::Time),
              begin = events.lower(Kind, from, emu::EventAxis::Time);
    // Who ran when the window begins, is said by a switch before it: not looked for farther than half of what
    // may be.
    const u64 first =
        std::max(events.first(Kind), std::max(end - std::min(end, most), begin - std::min(begin, most / 2)));
    for (u64 i = first; i < end; ++i) {
        const emu::Event event = events.at(Kind, i);
        if (event.processor >= processors) continue;
        fill(event.processor, now[event.processor].since, event.time);
        now[event.processor] = {true, event.b != 0, event.time};
    }
    for (unsigned cpu = 0; cpu < processors; ++cpu) fill(cpu, now[cpu].since, to);
    for (auto& row : out)
        for (float& share : row) share = std::min(share, 1.0f);
    return out;
}

void SchedulerHistory::add(u64 time, const emu::inspect::RunQueuesView& queues) {
    Sample sample;
    sample.time = time;
    for (const auto& queue : queues.rows) {
        sample.runnable.push_back(static_cast<u32>(queue.running));
        const auto note = [&](const emu::inspect::TaskRow& task) {
            if (task.pid == 0 || task.sched_class == "rt" || sample.tasks.size() >= MostTasks) return;
            sample.tasks.push_back({task.pid, task.vruntime});
            const auto known =
                std::ranges::lower_bound(names_, task.pid, {}, &std::pair<i64, std::string>::first);
            if (known != names_.end() && known->first == task.pid)
                known->second = task.comm;
            else if (names_.size() < MostNames)
                names_.insert(known, {task.pid, task.comm});
        };
        if (queue.has_current) note(queue.current);
        for (const auto& waiting : queue.tree) note(waiting.task);
    }
    std::ranges::sort(sample.tasks, {}, &Sample::Runtime::pid);
    const auto at = std::ranges::lower_bound(samples_, time, {}, &Sample::time);
    if (at != samples_.end() && at->time == time)
        *at = std::move(sample);
    else
        samples_.insert(at, std::move(sample));
    if (samples_.size() > MostSamples) // thinner, but still from the beginning
        for (std::size_t i = 1; i < samples_.size(); ++i)
            samples_.erase(samples_.begin() + static_cast<std::ptrdiff_t>(i));
}

void SchedulerHistory::forget_after(u64 time) {
    std::erase_if(samples_, [time](const Sample& sample) { return sample.time > time; });
}

std::string SchedulerHistory::name(i64 pid) const {
    const auto known = std::ranges::lower_bound(names_, pid, {}, &std::pair<i64, std::string>::first);
    return known != names_.end() && known->first == pid ? fmt::format("{} ({})", known->second, pid)
                                                        : fmt::format("pid {}", pid);
}

} // namespace vitrine::ui
