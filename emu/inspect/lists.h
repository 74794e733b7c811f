// Views that are plain lists: boot phases, chips and their registers, pending events, the physical map,
// symbols.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>
#include "devices/event_queue.h"
#include "emu/board/board.h"
#include "emu/machine.h"

namespace vitrine::emu::inspect {

struct PhaseRow {
    Phase phase;
    u64 duration_steps = 0, duration_time = 0;
    double host_seconds = 0;
    std::string symbol; ///< where the processor was
};
struct PhasesView {
    std::vector<PhaseRow> rows;
    u64 step = 0, time = 0;
};
PhasesView phases_view(const Machine& machine);
/// "post:memory", for "it is in phase …"; "power-on" before the first.
std::string current_phase(const Machine& machine);

struct ChipRow {
    std::string name;
    std::vector<devices::Field> fields;
};
struct DevicesView {
    std::vector<ChipRow> chips;
};
DevicesView devices_view(const Machine& machine);

struct EventsView {
    u64 now = 0;
    std::vector<devices::EventQueue::Pending> pending;
};
EventsView events_view(const Machine& machine);

struct PhysicalMapView {
    std::vector<Board::Region> regions;
};
PhysicalMapView physical_map_view(const Machine& machine);

std::string to_text(const PhasesView& view);
nlohmann::json to_json(const PhasesView& view);
std::string to_text(const DevicesView& view);
nlohmann::json to_json(const DevicesView& view);
std::string to_text(const EventsView& view);
nlohmann::json to_json(const EventsView& view);
std::string to_text(const PhysicalMapView& view);
nlohmann::json to_json(const PhysicalMapView& view);

} // namespace vitrine::emu::inspect
