// The dock: see dock.h. Lengths below are design units; `scale` makes pixels of them.
#include "ui/model/dock.h"
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <iterator>

namespace vitrine::ui {

namespace {
constexpr float Gap = 6, LeastColumn = 200, LeastRow = 90, WideWindow = 1600;
constexpr unsigned Deepest = PanelCount; // each split sets at least one panel apart
constexpr const char* PresetNames[DockPresets] = {"Standard",   "Boot", "Scheduler", "Memory",
                                                  "Interrupts", "Disk", "Debug",     "Lesson"};

DockNode place(std::vector<Tab> panels) {
    DockNode node;
    node.panels = std::move(panels);
    return node;
}
DockNode split(bool columns, std::vector<DockNode> parts, std::vector<float> shares = {}) {
    DockNode node;
    node.columns = columns, node.parts = std::move(parts), node.shares = std::move(shares);
    node.shares.resize(node.parts.size(), -1);
    return node;
}
DockNode columns(std::vector<DockNode> parts, std::vector<float> shares = {}) {
    return split(true, std::move(parts), std::move(shares));
}
DockNode rows(std::vector<DockNode> parts, std::vector<float> shares = {}) {
    return split(false, std::move(parts), std::move(shares));
}

template <class Node, class Visit> void each_place(Node& node, const Visit& visit) {
    if (node.place()) return void(visit(node));
    for (auto& part : node.parts) each_place(part, visit);
}
template <class Node> Node* place_of(Node& node, Tab panel) {
    Node* found = nullptr;
    each_place(node, [&](Node& at) {
        if (std::ranges::find(at.panels, panel) != at.panels.end()) found = &at;
    });
    return found;
}
bool holds(const DockNode& node, Tab panel) { return place_of(node, panel) != nullptr; }

/// The parts of part `i`, a split in the same direction, become the node's own and keep their sizes: what was
/// a share of the part is a share of the node. An automatic part's parts are automatic.
void merge(DockNode& node, std::size_t i) {
    DockNode inner = std::move(node.parts[i]);
    const float share = node.shares[i];
    float fixed = 0, automatic = 0;
    for (const float each : inner.shares) each >= 0 ? fixed += each : ++automatic;
    for (float& each : inner.shares)
        each = share < 0 ? -1 : each >= 0 ? each * share : std::max(0.0f, 1 - fixed) * share / automatic;
    const auto place = static_cast<std::ptrdiff_t>(i);
    node.parts.erase(node.parts.begin() + place), node.shares.erase(node.shares.begin() + place);
    node.parts.insert(node.parts.begin() + place, std::make_move_iterator(inner.parts.begin()),
                      std::make_move_iterator(inner.parts.end()));
    node.shares.insert(node.shares.begin() + place, inner.shares.begin(), inner.shares.end());
}

/// Empty places go, splits of one part become that part, and splits in the same direction merge.
void tidy(DockNode& node) {
    for (DockNode& part : node.parts) tidy(part);
    for (std::size_t i = node.parts.size(); i-- > 0;) {
        if (node.parts[i].place() && node.parts[i].panels.empty()) {
            node.parts.erase(node.parts.begin() + static_cast<std::ptrdiff_t>(i));
            node.shares.erase(node.shares.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }
    for (std::size_t i = node.parts.size(); i-- > 0;)
        if (!node.parts[i].place() && node.parts[i].columns == node.columns && node.parts.size() > 1)
            merge(node, i);
    if (node.parts.size() == 1) {
        DockNode only = std::move(node.parts[0]);
        node = std::move(only);
    }
    if (node.place() && !node.panels.empty())
        node.active = std::min(node.active, static_cast<unsigned>(node.panels.size() - 1));
}

float least(const DockNode& node, bool width) {
    if (node.place()) return width ? LeastColumn : LeastRow;
    float sum = 0;
    for (const DockNode& part : node.parts)
        sum = node.columns == width ? sum + least(part, width) : std::max(sum, least(part, width));
    return node.columns == width ? sum + Gap * static_cast<float>(node.parts.size() - 1) : sum;
}

/// Sizes of a split's parts that add up to `length`: what is wished, but nothing below its least where there
/// is room for all.
std::vector<float> sizes(const DockNode& node, float length, float scale, const std::vector<float>& wished) {
    const std::size_t n = node.parts.size();
    std::vector<float> out(n), floor(n);
    float fixed = 0, floors = 0;
    unsigned automatic = 0;
    for (std::size_t i = 0; i < n; ++i) {
        floor[i] = least(node.parts[i], node.columns) * scale, floors += floor[i];
        if (wished[i] >= 0)
            fixed += wished[i];
        else
            ++automatic;
    }
    if (floors > length) { // too small for all: everybody gives in the same measure
        for (std::size_t i = 0; i < n; ++i) out[i] = floor[i] * length / floors;
        return out;
    }
    const float each = automatic ? std::max(0.0f, length - fixed) / static_cast<float>(automatic) : 0;
    float sum = 0;
    for (std::size_t i = 0; i < n; ++i)
        out[i] = std::max(wished[i] >= 0 ? wished[i] : each, floor[i]), sum += out[i];
    // What is too much or too little is shared by those that can give or take, automatic ones first.
    for (int round = 0; round < 8 && std::abs(sum - length) > 0.01f; ++round) {
        float room = 0;
        const bool only_automatic = round < 4 && automatic > 0;
        const auto give = [&](std::size_t i) {
            if (only_automatic && wished[i] >= 0) return 0.0f;
            return sum > length ? out[i] - floor[i] : std::max(out[i], 1.0f);
        };
        for (std::size_t i = 0; i < n; ++i) room += give(i);
        if (room <= 0.01f) continue;
        const float by = std::min(1.0f, std::abs(length - sum) / room),
                    sign = sum > length ? -1.0f : std::abs(length - sum) / room / by;
        std::vector<float> moved(n);
        for (std::size_t i = 0; i < n; ++i) moved[i] = give(i) * by * sign;
        sum = 0;
        for (std::size_t i = 0; i < n; ++i) out[i] = std::max(out[i] + moved[i], floor[i]), sum += out[i];
    }
    return out;
}

struct Layer {
    float scale;
    const DockWish& wish;
    DockLayout& out;
    std::vector<unsigned> path;

    void lay(const DockNode& node, const Rect& area) {
        if (node.place()) {
            if (!node.panels.empty()) out.places.push_back({area, node.panels, node.active});
            return;
        }
        const float gap = std::round(Gap * scale), all = node.columns ? area.width : area.height;
        const float length = all - gap * static_cast<float>(node.parts.size() - 1);
        std::vector<float> wished(node.parts.size(), -1);
        for (std::size_t i = 0; i < node.parts.size(); ++i) {
            wished[i] = node.shares[i] >= 0 ? node.shares[i] * length : -1;
            // The screen wants its picture's size, unless somebody has decided otherwise.
            if (node.shares[i] < 0 && holds(node.parts[i], Tab::Screen))
                wished[i] = node.columns ? wish.column : wish.height_share * all;
        }
        const std::vector<float> size = sizes(node, length, scale, wished);
        float at = node.columns ? area.x : area.y;
        for (std::size_t i = 0; i < node.parts.size(); ++i) {
            const bool last = i + 1 == node.parts.size();
            const float end = last ? (node.columns ? area.right() : area.bottom()) : std::round(at + size[i]);
            const Rect part = node.columns ? Rect{at, area.y, end - at, area.height}
                                           : Rect{area.x, at, area.width, end - at};
            path.push_back(static_cast<unsigned>(i));
            lay(node.parts[i], part);
            path.pop_back();
            if (!last)
                out.borders.push_back(
                    {node.columns ? Rect{end, area.y, gap, area.height} : Rect{area.x, end, area.width, gap},
                     node.columns, path, static_cast<unsigned>(i), length, size[i] / length,
                     size[i + 1] / length});
            at = end + gap;
        }
    }
};

nlohmann::json node_json(const DockNode& node) {
    if (node.place()) {
        nlohmann::json panels = nlohmann::json::array();
        for (Tab panel : node.panels) panels.push_back(TabNames[static_cast<unsigned>(panel)]);
        return {{"panels", panels}, {"active", node.active}};
    }
    nlohmann::json parts = nlohmann::json::array();
    for (const DockNode& part : node.parts) parts.push_back(node_json(part));
    return {{node.columns ? "columns" : "rows", parts}, {"shares", node.shares}};
}

DockNode node_from(const nlohmann::json& json, std::array<bool, PanelCount>& seen, unsigned depth) {
    DockNode node;
    if (!json.is_object() || depth > Deepest) return node;
    for (const bool sideways : {true, false}) {
        const auto parts = json.find(sideways ? "columns" : "rows");
        if (parts == json.end() || !parts->is_array()) continue;
        node.columns = sideways;
        const auto shares = json.find("shares");
        for (std::size_t i = 0; i < std::min<std::size_t>(parts->size(), PanelCount); ++i) {
            node.parts.push_back(node_from((*parts)[i], seen, depth + 1));
            float share = -1;
            if (shares != json.end() && shares->is_array() && i < shares->size() && (*shares)[i].is_number())
                share = (*shares)[i].get<float>();
            node.shares.push_back(std::isfinite(share) && share >= 0 && share <= 1 ? share : -1);
        }
        return node;
    }
    if (const auto panels = json.find("panels"); panels != json.end() && panels->is_array())
        for (const auto& name : *panels) {
            const auto tab = name.is_string() ? tab_of(name.get<std::string>()) : std::nullopt;
            if (!tab || std::exchange(seen[static_cast<unsigned>(*tab)], true)) continue;
            node.panels.push_back(*tab);
        }
    if (const auto active = json.find("active"); active != json.end() && active->is_number_unsigned())
        node.active = active->get<unsigned>();
    return node;
}
} // namespace

std::optional<Tab> tab_of(std::string_view name) {
    const auto found = std::ranges::find(TabNames, name);
    if (found == std::end(TabNames)) return std::nullopt;
    return static_cast<Tab>(found - std::begin(TabNames));
}
const char* preset_name(DockPreset preset) {
    return PresetNames[static_cast<unsigned>(preset) % DockPresets];
}

Dock::Dock(DockPreset preset, float width) : preset_(preset) {
    using enum Tab;
    const auto left = [] { return rows({place({Screen}), place({Terminal})}); };
    const auto centre = [] { return rows({place({Code}), place({Processor})}); };
    switch (preset) {
    case DockPreset::Standard:
        root_ = width >= WideWindow
                    ? columns({left(), centre(),
                               place({Phases, PageTables, AddressSpace, Descriptors, Memory, Slabs, Bytes,
                                      Structures}),
                               place({RunQueues, Interrupts, SystemCalls, Devices, Stack, Files, Block, Locks,
                                      Breakpoints, Watches})})
                    : columns({left(), centre(),
                               place({Phases, PageTables, Descriptors, RunQueues, Memory, Bytes, Devices,
                                      Breakpoints, Interrupts, SystemCalls, Stack, AddressSpace, Slabs, Files,
                                      Block, Locks, Structures, Watches})});
        break;
    case DockPreset::Boot:
        root_ =
            columns({left(), centre(), rows({place({Phases}), place({Descriptors, PageTables, Devices})})});
        break;
    case DockPreset::Scheduler:
        root_ = columns({left(), place({RunQueues}),
                         rows({place({Interrupts, SystemCalls}), place({Stack, Locks, Code, Processor})})});
        break;
    case DockPreset::Memory:
        root_ = columns({left(), rows({place({AddressSpace, PageTables}), place({Bytes, Code, Processor})}),
                         rows({place({Memory}), place({Slabs})})});
        break;
    case DockPreset::Interrupts:
        root_ = columns({left(), rows({place({Code}), place({Processor, Stack})}),
                         rows({place({Interrupts}), place({Devices, Descriptors})})});
        break;
    case DockPreset::Disk:
        root_ = columns({left(), rows({place({Block}), place({Files})}),
                         rows({place({Devices, Slabs}), place({SystemCalls, Code, Processor})})});
        break;
    case DockPreset::Debug:
        root_ = columns({rows({place({Screen, Terminal}), place({Stack, Bytes})}), place({Code}),
                         rows({place({Processor}), place({Watches, Breakpoints, Structures})})});
        break;
    case DockPreset::Lesson:
        root_ = columns({left(), rows({place({Code, Processor})}), place({Phases})}, {0.40f, 0.26f, -1});
        break;
    }
    complete();
}

/// What is nowhere becomes a tab: of the place with the most structures.
void Dock::complete() {
    tidy(root_);
    std::array<bool, PanelCount> there{};
    DockNode* home = nullptr;
    std::ptrdiff_t most = -1;
    each_place(root_, [&](DockNode& at) {
        std::ptrdiff_t structures = 0;
        for (Tab panel : at.panels)
            there[static_cast<unsigned>(panel)] = true, structures += static_cast<unsigned>(panel) < TabCount;
        if (structures >= most) most = structures, home = &at;
    });
    for (unsigned i = 0; i < PanelCount; ++i)
        if (!there[i]) home->panels.push_back(static_cast<Tab>(i));
}

DockLayout Dock::compute(const Rect& body, float scale, const DockWish& wish) const {
    DockLayout out;
    if (maximised_) {
        out.places.push_back({body, {*maximised_}, 0});
        return out;
    }
    Layer{scale, wish, out, {}}.lay(root_, body);
    return out;
}

void Dock::show(Tab panel) {
    if (maximised_) maximised_ = panel;
    if (DockNode* at = place_of(root_, panel))
        at->active = static_cast<unsigned>(std::ranges::find(at->panels, panel) - at->panels.begin());
}
bool Dock::visible(Tab panel) const {
    if (maximised_) return *maximised_ == panel;
    const DockNode* at = place_of(root_, panel);
    return at && at->panels[at->active] == panel;
}
Tab Dock::front_beside(Tab panel) const {
    const DockNode* at = place_of(root_, panel);
    return at ? at->panels[at->active] : panel;
}

void Dock::move(Tab panel, Tab beside, DockSide side) {
    DockNode *from = place_of(root_, panel), *to = place_of(root_, beside);
    if (!from || !to || (from == to && (side == DockSide::Tab || from->panels.size() == 1))) return;
    maximised_.reset(), arranged_ = true;
    std::erase(from->panels, panel);
    if (from->active >= from->panels.size() && from->active) --from->active;
    if (side == DockSide::Tab) {
        to->panels.push_back(panel), to->active = static_cast<unsigned>(to->panels.size() - 1);
    } else {
        const bool sideways = side == DockSide::Left || side == DockSide::Right,
                   first = side == DockSide::Left || side == DockSide::Above;
        DockNode old = std::move(*to), fresh = place({panel});
        *to = first ? split(sideways, {std::move(fresh), std::move(old)})
                    : split(sideways, {std::move(old), std::move(fresh)});
    }
    tidy(root_);
}

void Dock::drag(const DockBorder& border, float pixels) {
    DockNode* node = &root_;
    for (unsigned step : border.path) {
        if (step >= node->parts.size()) return;
        node = &node->parts[step];
    }
    if (border.before + 1 >= node->shares.size() || border.extent <= 0) return;
    const float both = border.share_before + border.share_behind;
    node->shares[border.before] = std::clamp(border.share_before + pixels / border.extent, 0.0f, both);
    node->shares[border.before + 1] = both - node->shares[border.before];
    arranged_ = true;
}
void Dock::forget_border(const DockBorder& border) {
    DockNode* node = &root_;
    for (unsigned step : border.path) {
        if (step >= node->parts.size()) return;
        node = &node->parts[step];
    }
    if (border.before + 1 < node->shares.size())
        node->shares[border.before] = node->shares[border.before + 1] = -1;
}

nlohmann::json Dock::to_json() const {
    return {{"preset", preset_name(preset_)}, {"arranged", arranged_}, {"tree", node_json(root_)}};
}

std::optional<Dock> Dock::from_json(const nlohmann::json& json) {
    if (!json.is_object() || !json.contains("tree")) return std::nullopt;
    Dock out;
    std::array<bool, PanelCount> seen{};
    out.root_ = node_from(json["tree"], seen, 0);
    // Twice, as a split whose parts are all empty is a place only after the first time.
    tidy(out.root_), tidy(out.root_);
    if (std::ranges::none_of(seen, [](bool is) { return is; })) return std::nullopt;
    out.complete();
    if (const auto preset = json.find("preset"); preset != json.end() && preset->is_string())
        for (unsigned i = 0; i < DockPresets; ++i)
            if (preset->get<std::string>() == PresetNames[i]) out.preset_ = static_cast<DockPreset>(i);
    const auto arranged = json.find("arranged");
    out.arranged_ = arranged == json.end() || !arranged->is_boolean() || arranged->get<bool>();
    return out;
}

} // namespace vitrine::ui
