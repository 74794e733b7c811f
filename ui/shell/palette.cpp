// The palette (Ctrl+P): one box that finds panels, commands, lessons, tasks, phases, marks, symbols and
// addresses, and does what one of them is for. See dialogs.h.
#include <algorithm>
#include <fmt/format.h>
#include "emu/cli/options.h"
#include "ui/model/format.h"
#include "ui/shell/dialogs.h"
#include "ui/shell/toolbar.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {

constexpr std::size_t MostFound = 10;

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = static_cast<char>(std::tolower(static_cast<u8>(c)));
    return out;
}

/// How well `label` answers `wanted`: 0 not at all; every word of it must be there. Beginnings count most.
int rank(const std::string& label, const std::string& wanted) {
    const std::string all = lower(label);
    if (all == wanted) return 4;
    if (all.starts_with(wanted)) return 3;
    std::size_t at = 0;
    for (std::size_t begin = 0; begin < wanted.size();) {
        const auto end = std::min(wanted.find(' ', begin), wanted.size());
        if (end > begin) {
            at = all.find(wanted.substr(begin, end - begin));
            if (at == std::string::npos) return 0;
        }
        begin = end + 1;
    }
    return at > 0 && all[at - 1] == ' ' ? 2 : 1;
}

} // namespace

void Dialogs::read_entries(Context& context) {
    entries_.clear(), filtered_for_ = "\n", found_.clear();
    const auto add = [&](std::string label, const char* kind, std::function<void(Context&)> act) {
        entries_.push_back({std::move(label), kind, std::move(act)});
    };
    for (unsigned i = 0; i < PanelCount; ++i)
        add(panel_title(static_cast<Tab>(i)), "panel", [i](Context& c) {
            if (i < TabCount)
                c.show_tab(static_cast<Tab>(i));
            else
                c.dock.show(static_cast<Tab>(i));
        });
    for (unsigned i = 0; i < DockPresets; ++i)
        add(fmt::format("Panels: {}", preset_name(static_cast<DockPreset>(i))), "layout",
            [i](Context& c) { c.arrange(static_cast<DockPreset>(i)); });
    add("Maximise the panel, or make it small again", "double click", [](Context& c) {
        c.dock.maximise(c.dock.maximised() ? std::nullopt : std::optional(c.navigation.tab));
    });
    add(current_theme() == Theme::Light ? "Dark theme" : "Light theme", "look",
        [](Context& c) { c.theme_wanted = true; });
    add(context.calm ? "Motion as usual" : "Reduced motion", "look", [](Context& c) { c.calm = !c.calm; });
    add("Large text", "Ctrl++", [](Context& c) { c.text_wanted = 1.5f; });
    add("Text of the usual size", "Ctrl+0", [](Context& c) { c.text_wanted = 1.0f; });
    add("Run or pause", "F5", [](Context& c) { toggle_run(c); });
    add("Step", "F11", [](Context& c) { c.engine.step(); });
    add("Step over", "F10", [](Context& c) { step_over(c); });
    add("Step back", "Shift+F11", [](Context& c) { c.engine.step_back(); });
    add("Back over", "Shift+F10", [](Context& c) { step_back_over(c); });
    add("Run back to the previous breakpoint", "Shift+F5", [](Context& c) { c.engine.run_back(); });
    add("Next phase", "F12", [](Context& c) { c.engine.next_phase(); });
    add("Previous phase", "Shift+F12", [](Context& c) { c.engine.previous_phase(); });
    add("Restart at power-on", "Ctrl+R",
        [](Context& c) { c.palette_then = [](Context& d) { ask_restart(d); }; });
    add("Record", "command", [](Context& c) { c.palette_then = [](Context& d) { toggle_recording(d); }; });
    add("Save this run as a recording", "command",
        [](Context& c) { c.palette_then = [](Context& d) { d.open_dialog(Dialog::Save); }; });
    if (context.engine.timeline())
        for (const auto& branch : context.engine.timeline()->branches())
            add(fmt::format("{}: left at step {}, known to step {}", branch.name, grouped(branch.forked_at),
                            grouped(branch.last)),
                "branch", [name = branch.name](Context& c) { c.engine.return_to_branch(name); });
    add("Open a disk, CD, kernel, firmware or recording", "Ctrl+O",
        [](Context& c) { c.palette_then = [](Context& d) { d.open_dialog(Dialog::Open); }; });
    if (context.engine.has_cd_drive()) {
        add("Eject the disc from the CD drive", "command",
            [](Context& c) { report(c, c.engine.change_medium({})); });
        add("Insert a disc into the CD drive", "Ctrl+O",
            [](Context& c) { c.palette_then = [](Context& d) { d.open_dialog(Dialog::Open); }; });
    }
    add("Search in the code", "Ctrl+F", [](Context& c) {
        c.dock.show(Tab::Code);
        c.navigation.find_wanted = true;
    });
    add("Start screen", "command",
        [](Context& c) { c.palette_then = [](Context& d) { d.open_dialog(Dialog::Start); }; });
    add("Replay a recording", "command",
        [](Context& c) { c.palette_then = [](Context& d) { d.open_dialog(Dialog::Replay); }; });
    add("Lessons", "command",
        [](Context& c) { c.palette_then = [](Context& d) { d.open_dialog(Dialog::Lessons); }; });
    add("All keys", "?",
        [](Context& c) { c.palette_then = [](Context& d) { d.open_dialog(Dialog::Keys); }; });
    add("Real time or flat out", "command", [](Context& c) { c.engine.real_time = !c.engine.real_time; });
    add("Mark this place", "M",
        [](Context& c) { c.engine.mark(fmt::format("mark {}", c.engine.marks().size() + 1)); });
    add("Go to the end of the run", "command", [](Context& c) { c.engine.seek(c.engine.last_step()); });
    add("Go to power-on", "command", [](Context& c) { c.engine.seek(c.engine.first_step()); });
    add("Quit", "Ctrl+Q", [](Context& c) { c.quit = true; });
    for (const Engine::Mark& mark : context.engine.marks())
        add(mark.text, "mark", [step = mark.step](Context& c) { c.engine.seek(step); });
    const auto& phases = context.engine.known_phases();
    for (const emu::Phase& phase : phases)
        add(phase.name, "phase", [step = phase.step](Context& c) { c.engine.seek(step); });
    for (const auto& task : context.views.tasks().rows)
        add(fmt::format("{} (pid {})", task.comm, task.pid), "task", [address = task.address](Context& c) {
            c.show_tab(Tab::RunQueues);
            c.engine.say(fmt::format("its task structure is at {}", hex_text(address)));
        });
    for (const emu::Lesson& lesson : emu::bundled_lessons())
        add(without_marks(lesson.title), "lesson",
            [path = lesson.path](Context& c) { report(c, c.lessons.open(path)); });
    read_names(context);
}

void Dialogs::palette(Context& context) {
    if (context.dialog_opening) ImGui::SetKeyboardFocusHere();
    ImGui::PushItemWidth(-1);
    const bool entered =
        ImGui::InputTextWithHint("##find", "panel, command, symbol, task, phase, mark, lesson, address …",
                                 text_, sizeof text_, ImGuiInputTextFlags_EnterReturnsTrue);
    ImGui::PopItemWidth();
    if (filtered_for_ != text_) {
        filtered_for_ = text_;
        const std::string wanted = lower(text_);
        entries_.erase(std::ranges::remove_if(
                           entries_, [](const Entry& e) { return e.kind == "symbol" || e.kind == "address"; })
                           .begin(),
                       entries_.end());
        if (auto number = emu::cli::parse_number(text_); number && text_[0] == '0')
            entries_.push_back(
                {hex_text(*number, 1), "address", [at = *number](Context& c) { c.show_bytes(at); }});
        const auto* symbols = context.engine.machine().symbols();
        for (const Name& name : names_) {
            if (wanted.size() < 2 || entries_.size() > 4000) break;
            if (const int r = rank(name.readable, wanted); r >= 2 || (r == 1 && wanted.size() > 3))
                entries_.push_back(
                    {name.readable, "symbol", [known = name.symbol, symbols](Context& c) {
                         if (const auto at = symbols ? symbols->find(known->name) : std::nullopt)
                             c.show_code(*at);
                         else
                             c.engine.say("it has no address yet: the kernel does not run", true);
                     }});
        }
        std::vector<std::pair<int, std::size_t>> order;
        for (std::size_t i = 0; i < entries_.size(); ++i)
            if (const int r = wanted.empty() ? 1 : rank(entries_[i].label, wanted)) order.emplace_back(-r, i);
        std::ranges::sort(order);
        found_.clear();
        for (std::size_t i = 0; i < std::min(order.size(), MostFound); ++i) found_.push_back(order[i].second);
        chosen_ = found_.empty() ? -1 : 0;
        context.settle = true;
    }
    if (!found_.empty() && ImGui::IsKeyPressed(ImGui::GetKeyIndex(ImGuiKey_DownArrow)))
        chosen_ = (chosen_ + 1) % static_cast<int>(found_.size());
    if (!found_.empty() && ImGui::IsKeyPressed(ImGui::GetKeyIndex(ImGuiKey_UpArrow)))
        chosen_ = (chosen_ + static_cast<int>(found_.size()) - 1) % static_cast<int>(found_.size());
    std::optional<std::size_t> act;
    for (std::size_t i = 0; i < found_.size(); ++i) {
        const Entry& entry = entries_[found_[i]];
        context.probe.matches.push_back(entry.label);
        ImGui::PushID(static_cast<int>(i));
        if (ImGui::Selectable("##entry", static_cast<int>(i) == chosen_, 0, {0, context.px(20)}))
            act = found_[i];
        ImGui::SameLine(context.px(22), 0);
        text(colour::Text, entry.label);
        ImGui::SameLine(context.px(380), 0);
        text(colour::Dim, entry.kind);
        ImGui::PopID();
    }
    context.probe.match = chosen_;
    if (found_.empty()) text(colour::Dim, "nothing is called that");
    if (entered && chosen_ >= 0) act = found_[static_cast<std::size_t>(chosen_)];
    if (!act) return;
    const auto what = entries_[*act].act;
    close(context);
    what(context);
}

} // namespace vitrine::ui
