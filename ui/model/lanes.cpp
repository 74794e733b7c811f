// Lanes: see lanes.h.
#include "ui/model/lanes.h"
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include "emu/events/system_calls.h"

namespace vitrine::ui {

using emu::Event;
using emu::EventKind;

// ---- switches ---------------------------------------------------------------------------------------------

void SwitchIndex::update(const emu::EventStore& events, unsigned processors) {
    if (of_ != &events || by_processor_.size() != processors) {
        of_ = &events, seen_ = 0, cuts_ = events.cuts();
        by_processor_.assign(processors, {});
    }
    if (cuts_ != events.cuts()) {
        cuts_ = events.cuts();
        // What lies behind the earliest cut may have been replaced: read again from there.
        const u64 valid = std::min(seen_, events.cut_end(EventKind::TaskSwitch));
        for (auto& list : by_processor_) list.erase(std::ranges::lower_bound(list, valid), list.end());
        seen_ = valid;
    }
    const u64 first = events.first(EventKind::TaskSwitch), end = events.end(EventKind::TaskSwitch);
    if (seen_ < first) {
        seen_ = first;
        for (auto& list : by_processor_) list.erase(list.begin(), std::ranges::lower_bound(list, first));
    }
    for (; seen_ < end; ++seen_) {
        const unsigned processor = events.at(EventKind::TaskSwitch, seen_).processor;
        if (processor < processors) by_processor_[processor].push_back(static_cast<u32>(seen_));
    }
}

u64 SwitchIndex::bytes() const {
    u64 sum = 0;
    for (const auto& list : by_processor_) sum += list.capacity() * sizeof(u32);
    return sum;
}

// ---- one lane ---------------------------------------------------------------------------------------------

u32 event_tone(const Event& event) {
    switch (event.kind) {
    case EventKind::PageFault: return static_cast<u32>(event.c & 0x16); // write, user, fetch
    case EventKind::Disk: return static_cast<u32>(event.c & 0xFF);
    case EventKind::TaskSwitch: return static_cast<u32>(event.b);
    case EventKind::Console:
    case EventKind::Phase: return 0;
    default: return static_cast<u32>(event.a);
    }
}

namespace {

u64 place_of(const Event& event, const Axis& axis) { return axis.by_time() ? event.time : event.step; }

std::string short_label(const emu::EventStore& events, const Event& event) {
    switch (event.kind) {
    case EventKind::Interrupt: return fmt::format("{:02X}h", event.a);
    case EventKind::Exception:
    case EventKind::Disk: {
        const std::string all = events.describe(event);
        return all.substr(0, all.find(event.kind == EventKind::Disk ? " port" : " at"));
    }
    case EventKind::PageFault:
        return fmt::format("{:x} {}", event.a, event.c & 16 ? "fetch" : event.c & 2 ? "write" : "read");
    case EventKind::Console: return events.text(event);
    default: return events.describe(event);
    }
}

/// Each event by itself; what lasts is as long as it took.
void each_event(const emu::EventStore& events, const LaneRequest& request, Lane& lane, u64 first, u64 end) {
    constexpr u64 LookBack = 64; // calls that began before the window and are still under way
    const bool lasts = lane.event == EventKind::SystemCall || lane.event == EventKind::Disk;
    const u64 begin = lasts ? std::max(events.first(lane.event), first - std::min(first, LookBack)) : first;
    const float right = request.left + request.width;
    for (u64 i = begin; i < end; ++i) {
        const Event event = events.at(lane.event, i);
        LaneSpan span;
        span.x0 = request.axis.x_of(place_of(event, request.axis), request.left, request.width);
        span.x1 = span.x0 + request.cell;
        if (lasts && event.end != Event::Open) {
            const u64 over = request.axis.by_time() ? event.end : events.step_at(event.end);
            span.x1 = std::max(span.x1, request.axis.x_of(over, request.left, request.width));
        }
        if (span.x1 <= request.left || span.x0 >= right) continue;
        span.x0 = std::max(span.x0, request.left), span.x1 = std::min(span.x1, right);
        span.tone = event_tone(event), span.index = i;
        const float room = i + 1 < end && !lasts
                               ? request.axis.x_of(place_of(events.at(lane.event, i + 1), request.axis),
                                                   request.left, request.width) -
                                     span.x0
                               : span.x1 - span.x0;
        if (std::max(room, span.x1 - span.x0) > 12 * request.cell) span.label = short_label(events, event);
        lane.spans.push_back(std::move(span));
    }
    lane.each = true;
}

/// Cells of a few pixels: how many events, and what a few of them are.
void cells(const emu::EventStore& events, const LaneRequest& request, Lane& lane) {
    const unsigned count = static_cast<unsigned>(request.width / request.cell);
    if (count == 0) return;
    std::vector<u64> edges(count + 1);
    for (unsigned i = 0; i <= count; ++i)
        edges[i] = request.axis.from() +
                   static_cast<u64>(static_cast<unsigned __int128>(request.axis.length()) * i / count);
    const std::vector<u64> density = events.density(lane.event, edges, request.axis.unit());
    const u64 most = std::max<u64>(1, *std::ranges::max_element(density));
    const u64 held_from = events.first(lane.event), held_to = events.end(lane.event);
    u64 index = events.lower(lane.event, request.axis.from(), request.axis.unit());
    for (unsigned i = 0; i < count; ++i) {
        if (density[i] == 0) continue;
        LaneSpan span;
        span.x0 = request.left + static_cast<float>(i) * request.cell, span.x1 = span.x0 + request.cell;
        span.count = density[i];
        // Eight heights: enough to see, few enough for neighbours to be one span.
        const double full =
            std::log2(1.0 + static_cast<double>(density[i])) / std::log2(1.0 + static_cast<double>(most));
        span.height = static_cast<float>(std::ceil(full * 8) / 8);
        const u64 end = std::min(index + density[i], held_to);
        if (index < end && index >= held_from) {
            span.index = index;
            span.tone = event_tone(events.at(lane.event, index));
            constexpr u64 Samples = 4;
            const u64 stride = std::max<u64>(1, (end - index) / Samples);
            for (u64 k = index + stride; k < end && !span.mixed; k += stride)
                span.mixed = event_tone(events.at(lane.event, k)) != span.tone;
            index = end;
        } else {
            span.mixed = true;
        }
        if (!lane.spans.empty()) {
            LaneSpan& last = lane.spans.back();
            if (last.x1 >= span.x0 - 0.01f && last.height == span.height && last.mixed == span.mixed &&
                (span.mixed || last.tone == span.tone)) {
                last.x1 = span.x1, last.count += span.count;
                continue;
            }
        }
        lane.spans.push_back(span);
    }
}

Lane event_lane(const emu::EventStore& events, const LaneRequest& request, EventKind kind, const char* name) {
    Lane lane;
    lane.event = kind, lane.name = name, lane.lost = events.lost(kind);
    if (request.width < request.cell) return lane;
    const u64 first = events.lower(kind, request.axis.from(), request.axis.unit()),
              end = events.lower(kind, request.axis.to() + 1, request.axis.unit());
    const bool all_held = first > events.first(kind) || events.first(kind) == 0;
    if (all_held && static_cast<float>(end - first) <= request.width / request.cell / 3)
        each_event(events, request, lane, first, end);
    else
        cells(events, request, lane);
    return lane;
}

void append(Lane& lane, LaneSpan span, float least) {
    if (!lane.spans.empty()) {
        LaneSpan& last = lane.spans.back();
        const bool thin = span.x1 - span.x0 < least || last.x1 - last.x0 < least;
        if (last.x1 >= span.x0 - 0.01f &&
            ((last.tone == span.tone && last.mixed == span.mixed) || (thin && last.mixed && span.mixed))) {
            last.x1 = span.x1, last.count += span.count;
            return;
        }
    }
    lane.spans.push_back(std::move(span));
}

Lane task_lane(const emu::EventStore& events, const SwitchIndex& switches, const LaneRequest& request,
               unsigned processor) {
    Lane lane;
    lane.kind = Lane::Kind::Task, lane.event = EventKind::TaskSwitch, lane.processor = processor;
    lane.name = fmt::format("CPU {}", processor), lane.lost = events.lost(EventKind::TaskSwitch);
    const std::vector<u32>& list = switches.of(processor);
    const Axis& axis = request.axis;
    const auto place = [&](std::size_t i) {
        return place_of(events.at(EventKind::TaskSwitch, list[i]), axis);
    };
    // The first switch at or behind a place.
    const auto lower = [&](u64 wanted, std::size_t low) {
        std::size_t high = list.size();
        while (low < high) {
            const std::size_t middle = low + (high - low) / 2;
            if (place(middle) < wanted)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    };
    const float right = request.left + request.width;
    const std::size_t begin = lower(axis.from() + 1, 0), end = lower(axis.to() + 1, begin);
    const auto span_of = [&](std::size_t i, float x0, float x1) {
        const Event event = events.at(EventKind::TaskSwitch, list[i]);
        LaneSpan span;
        span.x0 = std::max(x0, request.left), span.x1 = std::min(x1, right);
        span.tone = static_cast<u32>(event.b), span.index = list[i];
        span.label = events.text(event);
        return span;
    };
    if (static_cast<float>(end - begin) <= request.width / request.cell) {
        for (std::size_t i = begin ? begin - 1 : begin; i < end; ++i) {
            const float x0 = axis.x_of(place(i), request.left, request.width);
            const float x1 =
                i + 1 < list.size() ? axis.x_of(place(i + 1), request.left, request.width) : right;
            if (x1 > request.left && x1 > x0) append(lane, span_of(i, x0, x1), 0);
        }
        lane.each = true;
        return lane;
    }
    const unsigned count = static_cast<unsigned>(request.width / request.cell);
    std::size_t at = begin;
    for (unsigned i = 0; i < count; ++i) {
        const u64 edge =
            axis.from() + static_cast<u64>(static_cast<unsigned __int128>(axis.length()) * (i + 1) / count);
        const std::size_t next = lower(edge, at);
        const float x0 = request.left + static_cast<float>(i) * request.cell;
        if (next > at || at > 0) {
            LaneSpan span = span_of(at > 0 ? at - 1 : at, x0, x0 + request.cell);
            span.count = next - at, span.mixed = next > at;
            if (span.mixed) span.index = list[at], span.label.clear();
            append(lane, std::move(span), request.cell * 1.5f);
        }
        at = next;
    }
    return lane;
}

Lane mode_lane(const LaneRequest& request, const emu::EventStore& events) {
    Lane lane;
    lane.kind = Lane::Kind::Mode, lane.name = "Mode";
    const Axis& axis = request.axis;
    const auto place = [&](const emu::ModeChange& c) { return axis.by_time() ? c.time : c.step; };
    cpu::Mode mode = request.modes.empty() ? cpu::Mode::Real : cpu::Mode::Real; // reset begins in real mode
    float x = request.left;
    const float right = request.left + request.width;
    const auto put = [&](float to) {
        LaneSpan span;
        span.x0 = x, span.x1 = std::min(to, right), span.tone = static_cast<u32>(mode);
        if (span.x1 - span.x0 >= request.cell / 2) append(lane, span, 0), x = span.x1;
    };
    for (const emu::ModeChange& change : request.modes) {
        if (place(change) > axis.to()) break;
        if (place(change) > axis.from()) put(axis.x_of(place(change), request.left, request.width));
        mode = change.mode;
    }
    put(right);
    (void)events;
    return lane;
}

Lane phase_lane(const LaneRequest& request) {
    Lane lane;
    lane.kind = Lane::Kind::Phases, lane.name = "Phases";
    const Axis& axis = request.axis;
    const auto place = [&](const emu::Phase& p) { return axis.by_time() ? p.time : p.step; };
    const float right = request.left + request.width;
    for (std::size_t i = 0; i < request.phases.size(); ++i) {
        const u64 end = i + 1 < request.phases.size() ? place(request.phases[i + 1]) : axis.to() + 1;
        if (end <= axis.from() || place(request.phases[i]) > axis.to()) continue;
        LaneSpan span;
        span.x0 = std::max(request.left, axis.x_of(place(request.phases[i]), request.left, request.width));
        span.x1 = std::min(right, axis.x_of(end, request.left, request.width));
        span.index = i;
        const std::string& source = request.phases[i].source;
        span.tone = source == "firmware" ? 0 : source == "processor" ? 1 : 2;
        span.label = request.phases[i].name.substr(request.phases[i].name.rfind(':') + 1);
        // Several in one pixel: the last one names it.
        if (!lane.spans.empty() && span.x1 - lane.spans.back().x0 < 1) {
            span.x0 = lane.spans.back().x0, span.count = lane.spans.back().count + 1;
            lane.spans.back() = span;
        } else {
            lane.spans.push_back(span);
        }
    }
    return lane;
}

} // namespace

std::vector<Lane> make_lanes(const emu::EventStore& events, const SwitchIndex& switches,
                             const LaneRequest& request) {
    std::vector<Lane> out;
    out.push_back(phase_lane(request));
    out.push_back(mode_lane(request, events));
    for (unsigned i = 0; i < request.processors; ++i) out.push_back(task_lane(events, switches, request, i));
    out.push_back(event_lane(events, request, EventKind::Interrupt, "Interrupts"));
    out.push_back(event_lane(events, request, EventKind::SystemCall, "System calls"));
    out.push_back(event_lane(events, request, EventKind::PageFault, "Page faults"));
    out.push_back(event_lane(events, request, EventKind::Exception, "Exceptions"));
    out.push_back(event_lane(events, request, EventKind::Disk, "Disk"));
    out.push_back(event_lane(events, request, EventKind::Console, "Console"));
    return out;
}

const LaneSpan* span_at(const Lane& lane, float x, float reach) {
    const LaneSpan* best = nullptr;
    float distance = reach;
    // What lasts may overlap: the one that began last is on top.
    for (const LaneSpan& span : lane.spans) {
        if (span.x0 > x + reach) break;
        const float away = x < span.x0 ? span.x0 - x : x > span.x1 ? x - span.x1 : 0;
        if (away <= distance) best = &span, distance = away;
    }
    return best;
}

} // namespace vitrine::ui
