// Plain lists: see lists.h.
#include "emu/inspect/lists.h"
#include <fmt/format.h>
#include "emu/inspect/render.h"
#include "emu/symbols/guest_symbols.h"

namespace vitrine::emu::inspect {

PhasesView phases_view(const Machine& machine) {
    PhasesView view;
    view.step = machine.steps(), view.time = machine.time();
    const auto& list = machine.phases();
    for (std::size_t i = 0; i < list.size(); ++i) {
        const bool last = i + 1 == list.size();
        PhaseRow row{list[i], 0, 0, 0, {}};
        row.duration_steps = (last ? view.step : list[i + 1].step) - list[i].step;
        row.duration_time = (last ? view.time : list[i + 1].time) - list[i].time;
        row.host_seconds = (last ? machine.host_seconds() : list[i + 1].host_seconds) - list[i].host_seconds;
        if (machine.symbols()) row.symbol = machine.symbols()->name(list[i].rip);
        view.rows.push_back(std::move(row));
    }
    return view;
}

std::string current_phase(const Machine& machine) {
    return machine.phases().empty() ? "power-on" : machine.phases().back().name;
}

DevicesView devices_view(const Machine& machine) {
    DevicesView view;
    for (const devices::Chip* chip : machine.board().chips())
        view.chips.push_back({chip->name(), chip->describe()});
    return view;
}

EventsView events_view(const Machine& machine) { return {machine.time(), machine.board().events().list()}; }

PhysicalMapView physical_map_view(const Machine& machine) { return {machine.board().physical_map()}; }

std::string to_text(const PhasesView& v) {
    Table table({"phase", "step", "virtual time", "steps", "duration", "host ms", "what"});
    for (const auto& row : v.rows)
        table.row({row.phase.name, std::to_string(row.phase.step), time_text(row.phase.time),
                   std::to_string(row.duration_steps), time_text(row.duration_time),
                   fmt::format("{:.2f}", row.host_seconds * 1000), row.phase.description});
    return v.rows.empty() ? "no phase was entered yet: the machine is at power-on\n" : table.text();
}

nlohmann::json to_json(const PhasesView& v) {
    nlohmann::json rows = nlohmann::json::array();
    for (const auto& row : v.rows)
        rows.push_back({{"name", row.phase.name},
                        {"source", row.phase.source},
                        {"description", row.phase.description},
                        {"step", row.phase.step},
                        {"time_ns", row.phase.time},
                        {"duration_steps", row.duration_steps},
                        {"duration_ns", row.duration_time},
                        {"rip", hex(row.phase.rip, 16)},
                        {"symbol", row.symbol}});
    return {{"step", v.step}, {"time_ns", v.time}, {"phases", rows}};
}

std::string to_text(const DevicesView& v) {
    std::string out;
    for (const auto& chip : v.chips) {
        out += chip.name + "\n";
        for (const auto& field : chip.fields)
            out += fmt::format("  {:<28} {:>18}  {}\n", field.name, hex(field.value), field.meaning);
    }
    return out;
}

nlohmann::json to_json(const DevicesView& v) {
    nlohmann::json chips = nlohmann::json::array();
    for (const auto& chip : v.chips) {
        nlohmann::json fields = nlohmann::json::array();
        for (const auto& field : chip.fields)
            fields.push_back({{"name", field.name}, {"value", field.value}, {"meaning", field.meaning}});
        chips.push_back({{"name", chip.name}, {"fields", fields}});
    }
    return {{"chips", chips}};
}

std::string to_text(const EventsView& v) {
    std::string out = fmt::format("now {}\n", time_text(v.now));
    Table table({"event", "due", "in"});
    for (const auto& event : v.pending)
        table.row(
            {event.name, time_text(event.when), event.when > v.now ? time_text(event.when - v.now) : "now"});
    return out + (v.pending.empty() ? "nothing is pending\n" : table.text());
}

nlohmann::json to_json(const EventsView& v) {
    nlohmann::json rows = nlohmann::json::array();
    for (const auto& event : v.pending)
        rows.push_back({{"name", event.name}, {"when_ns", event.when}, {"sequence", event.sequence}});
    return {{"now_ns", v.now}, {"pending", rows}};
}

std::string to_text(const PhysicalMapView& v) {
    Table table({"first", "last", "size", "what"});
    for (const auto& r : v.regions)
        table.row({hex(r.first, 10), hex(r.last, 10), size_text(r.last - r.first + 1), r.what});
    return table.text();
}

nlohmann::json to_json(const PhysicalMapView& v) {
    nlohmann::json rows = nlohmann::json::array();
    for (const auto& r : v.regions)
        rows.push_back({{"first", hex(r.first)}, {"last", hex(r.last)}, {"what", r.what}});
    return {{"regions", rows}};
}

} // namespace vitrine::emu::inspect
