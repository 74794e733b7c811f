// Run queues — for every processor the running task and the red-black tree of waiting ones by vruntime;
// below, all tasks.
#include <algorithm>
#include <fmt/format.h>
#include <map>
#include "ui/model/format.h"
#include "ui/panels/panels.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {

/// The tree in order from left to right, each node at its depth.
void draw_tree(Context& context, const emu::inspect::RunQueueRow& queue) {
    if (queue.tree.empty()) {
        text(colour::Dim, "the tree is empty: nobody waits for this processor");
        return;
    }
    unsigned depth = 0;
    for (const auto& node : queue.tree) depth = std::max(depth, node.depth);
    const float step_y = context.px(46), radius = context.px(12), width = ImGui::GetContentRegionAvail().x;
    const float step_x =
        std::clamp(width / static_cast<float>(queue.tree.size()), context.px(52), context.px(110));
    const float all = std::max(width, step_x * static_cast<float>(queue.tree.size()));
    const float height = step_y * static_cast<float>(depth + 1) + context.px(8);
    ImGui::BeginChild("tree", {0, std::min(height, context.px(240)) + context.px(6)}, false,
                      ImGuiWindowFlags_HorizontalScrollbar);
    const ImVec2 origin = ImGui::GetCursorScreenPos();
    ImDrawList* draw = ImGui::GetWindowDrawList();
    std::map<u64, ImVec2> places;
    const float lead = (all - step_x * static_cast<float>(queue.tree.size())) / 2;
    for (std::size_t i = 0; i < queue.tree.size(); ++i)
        places[queue.tree[i].node] = {origin.x + lead + step_x * (static_cast<float>(i) + 0.5f),
                                      origin.y + radius + 2 +
                                          step_y * static_cast<float>(queue.tree[i].depth)};
    for (const auto& node : queue.tree)
        for (u64 child : {node.left, node.right})
            if (places.contains(child))
                draw->AddLine(places[node.node], places[child], colour::Line, context.px(1.5f));
    for (const auto& node : queue.tree) {
        const ImVec2 at = places[node.node];
        draw->AddCircleFilled(at, radius, node.black ? colour::NodeBlack : colour::NodeRed, 24);
        draw->AddCircle(at, radius, node.leftmost ? colour::Accent : colour::Line, 24,
                        node.leftmost ? 2.0f : 1.0f);
        const std::string pid = fmt::format("{}", node.task.pid);
        const ImFont* small = context.fonts.small;
        const ImVec2 size = small->CalcTextSizeA(small->FontSize, 1e9f, 0, pid.c_str());
        draw->AddText(small, small->FontSize, {at.x - size.x / 2, at.y - size.y / 2}, colour::Text,
                      pid.c_str());
        const std::string label = fmt::format("{} {:+}", node.task.comm, node.task.nice)
                                      .substr(0, static_cast<std::size_t>(step_x / context.px(6)));
        const ImVec2 label_size = small->CalcTextSizeA(small->FontSize, 1e9f, 0, label.c_str());
        draw->AddText(small, small->FontSize, {at.x - label_size.x / 2, at.y + radius + 1}, colour::Dim,
                      label.c_str());
        ImGui::SetCursorScreenPos({at.x - radius, at.y - radius});
        ImGui::PushID(static_cast<int>(node.node));
        if (ImGui::InvisibleButton("node", {2 * radius, 2 * radius})) context.show_bytes(node.task.address);
        ImGui::PopID();
        if (ImGui::IsItemHovered())
            tooltip(
                context,
                fmt::format("{} (pid {}){}\nvruntime {}\nweight {}, nice {}, ran for {}\nClick: its bytes",
                            node.task.comm, node.task.pid, node.leftmost ? ", next to run" : "",
                            duration_text(node.task.vruntime), node.task.weight, node.task.nice,
                            duration_text(node.task.runtime)));
    }
    ImGui::SetCursorScreenPos(origin);
    ImGui::Dummy({all, height});
    ImGui::EndChild();
}

void draw_tasks(Context& context) {
    const auto& view = context.views.tasks();
    section(context, "All tasks", fmt::format("{}", view.rows.size()));
    notes(context, view.notes);
    if (!begin_table("tasks", 12)) return;
    ImGui::TableSetupScrollFreeze(2, 1);
    for (const char* column : {"PID", "Name", "S", "Nice", "Weight", "vruntime", "Ran", "Switches",
                               "Waits in", "Class", "CPU", "task"})
        ImGui::TableSetupColumn(column);
    ImGui::TableHeadersRow();
    const auto mono = [&](ImU32 c, const std::string& what) {
        ImGui::TableNextColumn();
        text_in(context.fonts.mono, c, what);
    };
    for (const auto& task : view.rows) {
        ImGui::TableNextRow();
        mono(colour::Dim, fmt::format("{:3}", task.pid));
        ImGui::TableNextColumn();
        text(task.on_cpu ? colour::Accent : colour::Text,
             (task.kernel_thread ? "[" + task.comm + "]" : task.comm) + (task.on_cpu ? " ●" : ""));
        if (ImGui::IsItemHovered())
            tooltip(context, fmt::format("{}child of {}{}", task.on_cpu ? "runs now; " : "", task.parent,
                                         task.need_resched ? "; is to be preempted" : ""));
        mono(task.state == "R" ? colour::Good : colour::Dim, task.state);
        mono(task.nice ? colour::Text : colour::Dim, fmt::format("{:3}", task.nice));
        mono(colour::Dim, fmt::format("{:5}", task.weight));
        mono(colour::Dim, duration_text(task.vruntime));
        mono(colour::Dim, duration_text(task.runtime));
        mono(colour::Dim, fmt::format("{}+{}", task.voluntary, task.involuntary));
        if (ImGui::IsItemHovered()) tooltip(context, "switches: gave the processor away + had it taken away");
        ImGui::TableNextColumn();
        text(colour::Dim, task.waits_in.empty() ? task.on_cpu         ? ""
                                                  : task.state == "R" ? "for the processor"
                                                                      : "–"
                                                : readable_symbol(task.waits_in));
        mono(colour::Dim, emu::inspect::policy_name(task.policy));
        mono(colour::Dim, fmt::format("{}", task.cpu));
        ImGui::TableNextColumn();
        address_link(context, task.address, Leads::Data);
    }
    ImGui::EndTable();
}

void draw_queues(Context& context, const emu::inspect::RunQueuesView& view) {
    for (const auto& queue : view.rows) {
        section(context, fmt::format("CPU {}", queue.cpu).c_str(),
                fmt::format("{} runnable · {} switches · load {}{}", queue.running, grouped(queue.switches),
                            queue.load, queue.locked ? " · in flux" : ""));
        text(colour::Dim, "runs");
        ImGui::SameLine();
        if (queue.has_current) {
            address_link(context, queue.current.address, Leads::Data,
                         fmt::format("{} ({})", queue.current.comm, queue.current.pid));
            text(colour::Dim,
                 fmt::format("vruntime {} · least in the queue {}", duration_text(queue.current.vruntime),
                             duration_text(queue.min_vruntime)));
        } else {
            text(colour::Dim, "nothing");
        }
        ImGui::PushID(static_cast<int>(queue.cpu));
        draw_tree(context, queue);
        ImGui::PopID();
    }
}

} // namespace

void draw_run_queues(Context& context) {
    const auto& view = context.views.run_queues();
    if (!view.why_empty.empty()) return why_empty(context, view.why_empty);
    notes(context, view.notes);
    if (!ImGui::BeginTabBar("task views")) return;
    const auto tab = [&](const char* name, auto body) {
        const bool open = ImGui::BeginTabItem(name);
        const ImVec2 at = ImGui::GetItemRectMin(), size = ImGui::GetItemRectSize();
        context.probe.places.push_back({name, {at.x, at.y, size.x, size.y}});
        if (!open) return;
        ImGui::BeginChild(name);
        body();
        ImGui::EndChild();
        ImGui::EndTabItem();
    };
    tab("Now", [&] {
        draw_queues(context, view);
        draw_tasks(context);
    });
    tab("Over time", [&] { draw_scheduler_curves(context); });
    tab("Process tree", [&] { draw_sheets(context, context.views.processes(), false); });
    ImGui::EndTabBar();
}

} // namespace vitrine::ui
