// Dialogs: see dialogs.h.
#include "ui/shell/dialogs.h"
#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include "emu/cli/options.h"
#include "emu/symbols/guest_symbols.h"
#include "ui/model/format.h"
#include "ui/shell/toolbar.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {

constexpr std::size_t MostMatches = 9;

} // namespace

void Dialogs::close(Context& context) {
    context.dialog = Dialog::None;
    ImGui::CloseCurrentPopup();
}

void Dialogs::draw(Context& context) {
    // A long message opens by itself, once; a dialog that is open says for itself what is wrong.
    if (const std::string& now = context.engine.message(); now != shown_message_) {
        shown_message_ = now;
        if (context.engine.message_is_error() && context.dialog == Dialog::None &&
            (now.contains('\n') || now.size() > 90))
            context.open_dialog(Dialog::Message);
    }
    if (context.dialog_opening && context.dialog != Dialog::None) {
        ImGui::OpenPopup("dialog");
        const bool recording = context.dialog == Dialog::Record || context.dialog == Dialog::Save ||
                               (context.dialog == Dialog::Replay && context.engine.recording_path().empty());
        std::snprintf(text_, sizeof text_, "%s",
                      recording                          ? "boot.vrec"
                      : context.dialog == Dialog::Replay ? context.engine.recording_path().c_str()
                      : context.dialog == Dialog::Open   ? "./"
                                                         : "");
        files_for_ = "\n", files_problem_.clear(), sure_ = false, card_ = 0;
        refocus_ = false, focusing_ = 0, unheard_.clear();
        if (context.dialog == Dialog::Lessons) lessons_ = emu::bundled_lessons();
        if (context.dialog == Dialog::Palette) read_entries(context);
        error_.clear(), completed_for_ = "\n", chosen_ = -1;
        context.settle = true;
    }
    const ImVec2 middle{ImGui::GetIO().DisplaySize.x / 2, ImGui::GetIO().DisplaySize.y * 0.40f};
    ImGui::SetNextWindowPos(middle, ImGuiCond_Always, {0.5f, 0.5f});
    ImGui::SetNextWindowSize(
        {context.px(context.dialog == Dialog::Message || context.dialog == Dialog::Lessons ||
                            context.dialog == Dialog::Start
                        ? 720.0f
                        : 480.0f),
         0});
    ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, {context.px(18), context.px(16)});
    if (ImGui::BeginPopupModal("dialog", nullptr,
                               ImGuiWindowFlags_NoTitleBar | ImGuiWindowFlags_NoMove |
                                   ImGuiWindowFlags_NoResize | ImGuiWindowFlags_NoSavedSettings |
                                   ImGuiWindowFlags_AlwaysAutoResize)) {
        const ImVec2 at = ImGui::GetWindowPos(), size = ImGui::GetWindowSize();
        context.probe.dialog = {at.x, at.y, size.x, size.y};
        context.probe.dialog_text = text_;
        switch (context.dialog) {
        case Dialog::GoTo: go_to(context, false); break;
        case Dialog::RunTo: go_to(context, true); break;
        case Dialog::Record:
        case Dialog::Save:
        case Dialog::Replay:
        case Dialog::Open: file(context, context.dialog); break;
        case Dialog::Start: start(context); break;
        case Dialog::Lessons: lessons(context); break;
        case Dialog::Palette: palette(context); break;
        case Dialog::Restart: restart(context); break;
        case Dialog::Keys: keys(context); break;
        case Dialog::Message: message(context); break;
        case Dialog::None: ImGui::CloseCurrentPopup(); break;
        }
        ImGui::EndPopup();
    } else if (!context.dialog_opening) {
        context.dialog = Dialog::None;
    }
    ImGui::PopStyleVar();
    context.dialog_opening = false;
}

void Dialogs::read_names(Context& context) {
    const auto* symbols = context.engine.machine().symbols();
    if (symbols == names_of_) return;
    names_of_ = symbols;
    names_.clear(), matches_.clear();
    if (symbols)
        for (const auto& symbol : symbols->elf().symbols())
            names_.push_back({readable_symbol(symbol.name), &symbol});
}

/// By its name in the file, or by the name as a person writes it.
const emu::Symbol* Dialogs::symbol(Context& context, std::string_view name) {
    read_names(context);
    for (const Name& entry : names_)
        if (entry.symbol->name == name) return entry.symbol;
    for (const Name& entry : names_)
        if (entry.readable == name) return entry.symbol;
    return nullptr;
}

/// "0x1000", "ffffffff81000000", "start_kernel", "schedule+0x10".
std::optional<u64> Dialogs::address(Context& context, std::string_view what) {
    const std::string_view name = what.substr(0, what.find('+'));
    u64 offset = 0;
    if (name.size() < what.size()) {
        auto number = emu::cli::parse_number(what.substr(name.size() + 1));
        if (!number) return std::nullopt;
        offset = *number;
    }
    if (const auto* found = symbol(context, name)) {
        const auto place = context.engine.machine().symbols()->find(found->name);
        if (!place) return std::nullopt;
        return *place + offset;
    }
    // The running program's, or the firmware's.
    if (const auto place = context.views.names().find(name)) return *place + offset;
    // Addresses are hexadecimal, with or without 0x.
    const std::string hexadecimal = name.starts_with("0x") ? std::string(name) : "0x" + std::string(name);
    if (auto number = emu::cli::parse_number(hexadecimal)) return *number + offset;
    return std::nullopt;
}

void Dialogs::complete(Context& context) {
    read_names(context);
    if (completed_for_ == text_) return;
    completed_for_ = text_;
    matches_.clear(), chosen_ = -1;
    error_.clear();
    context.settle = true; // the dialog changes its height
    if (!text_[0]) return;
    // What means something as it stands is what Enter takes; otherwise the first suggestion.
    const bool exact = std::strchr(text_, ':') || address(context, text_) || symbol(context, text_);
    struct Choose {
        Dialogs& dialogs;
        bool exact;
        ~Choose() { dialogs.chosen_ = exact || dialogs.matches_.empty() ? -1 : 0; }
    } choose{*this, exact};
    // Names that begin with the text come first, then names that hold it.
    for (const bool begins : {true, false})
        for (const Name& name : names_) {
            if (matches_.size() >= MostMatches) return;
            const auto at = name.readable.find(text_);
            if (at == std::string::npos || (at == 0) != begins) continue;
            if (std::ranges::find(matches_, name.readable, [](const Name* n) { return n->readable; }) ==
                matches_.end())
                matches_.push_back(&name);
        }
}

void Dialogs::go_to(Context& context, bool run) {
    text_in(context.fonts.bold, colour::Text, run ? "Run to" : "Go to");
    ImGui::SameLine();
    text(colour::Dim, run ? "address · symbol · phase:NAME · step:N · serial:TEXT" : "address or symbol");
    if (context.dialog_opening) ImGui::SetKeyboardFocusHere();
    ImGui::PushItemWidth(-1);
    // Up and down choose among the suggestions, Tab takes one into the field.
    const auto edited = [](ImGuiInputTextCallbackData* data) {
        Dialogs& self = *static_cast<Dialogs*>(data->UserData);
        const int count = static_cast<int>(self.matches_.size());
        if (data->EventFlag == ImGuiInputTextFlags_CallbackHistory && count) {
            self.chosen_ = data->EventKey == ImGuiKey_UpArrow ? std::max(self.chosen_ - 1, -1)
                                                              : std::min(self.chosen_ + 1, count - 1);
        } else if (data->EventFlag == ImGuiInputTextFlags_CallbackCompletion && count) {
            const auto& name = self.matches_[static_cast<std::size_t>(std::max(self.chosen_, 0))]->readable;
            data->DeleteChars(0, data->BufTextLen);
            data->InsertChars(0, name.c_str());
        }
        return 0;
    };
    const bool entered =
        ImGui::InputText("##where", text_, sizeof text_,
                         ImGuiInputTextFlags_EnterReturnsTrue | ImGuiInputTextFlags_CallbackHistory |
                             ImGuiInputTextFlags_CallbackCompletion,
                         edited, this);
    ImGui::PopItemWidth();
    complete(context);
    context.probe.match = chosen_;
    bool clicked = false;
    for (std::size_t i = 0; i < matches_.size(); ++i) {
        const std::string& name = matches_[i]->readable;
        context.probe.matches.push_back(name);
        if (ImGui::Selectable(name.c_str(), static_cast<int>(i) == chosen_,
                              ImGuiSelectableFlags_DontClosePopups))
            chosen_ = static_cast<int>(i), clicked = true;
    }
    if (matches_.empty() && text_[0] && !context.engine.machine().symbols())
        text(colour::Dim, "there are no kernel symbols: addresses only");
    if (!error_.empty()) text(colour::Bad, error_);

    enum class Act : u8 {
        None,
        Code,
        Bytes,
        Walk,
        Run
    } act = entered || clicked ? run ? Act::Run : Act::Code : Act::None;
    ImGui::Dummy({0, context.px(4)});
    if (ImGui::Button("Disassembly")) act = Act::Code;
    ImGui::SameLine();
    if (ImGui::Button("Bytes")) act = Act::Bytes;
    const ImVec2 bytes_at = ImGui::GetItemRectMin(), bytes_size = ImGui::GetItemRectSize();
    context.probe.places.push_back({"Bytes", {bytes_at.x, bytes_at.y, bytes_size.x, bytes_size.y}});
    ImGui::SameLine();
    if (ImGui::Button("Walk")) act = Act::Walk;
    ImGui::SameLine();
    if (ImGui::Button("Run to")) act = Act::Run;
    ImGui::SameLine();
    if (ImGui::Button("Cancel")) return close(context);
    if (act == Act::None) return;
    if (chosen_ >= 0 && static_cast<std::size_t>(chosen_) < matches_.size())
        std::snprintf(text_, sizeof text_, "%s",
                      matches_[static_cast<std::size_t>(chosen_)]->readable.c_str());
    context.settle = true; // an error may follow
    if (act == Act::Run && std::strchr(text_, ':')) {
        auto condition = emu::cli::parse_until(text_);
        if (!condition) {
            error_ = condition.error().message;
            return;
        }
        context.engine.run_to(*condition, text_);
        return close(context);
    }
    const auto place = address(context, text_);
    // A symbol of a kernel that does not run yet can still be run to.
    if (const auto* known = place ? nullptr : symbol(context, text_)) {
        if (act == Act::Run) {
            emu::BreakSpec there;
            there.symbol = known->name;
            context.engine.run_to(std::move(there), text_);
            return close(context);
        }
        error_ =
            fmt::format("'{}' has no address yet: the kernel does not run. \"Run to\" waits for it.", text_);
        return;
    }
    if (!place) {
        error_ = fmt::format("'{}' is neither an address nor a symbol of the kernel", text_);
        return;
    }
    if (act == Act::Code) context.show_code(*place);
    if (act == Act::Bytes) context.show_bytes(*place);
    if (act == Act::Walk) context.show_walk(*place);
    if (act == Act::Run) {
        emu::BreakSpec there;
        there.address = *place;
        context.engine.run_to(std::move(there), text_);
    }
    close(context);
}

void Dialogs::keys(Context& context) {
    static constexpr struct {
        const char *key, *meaning;
    } Table[] = {
        {"F5", "run or pause"},
        {"Space", "run or pause, when nothing takes text"},
        {"F10", "step over a call, REP or INT"},
        {"F11", "one step"},
        {"F12", "run to the next boot phase"},
        {"Shift+…", "F11, F10, F5, F12 backwards: step, over, breakpoint, phase"},
        {"Ctrl+G", "go to an address or symbol, or run to it"},
        {"Ctrl+F", "search in the code"},
        {"Ctrl+P", "the palette: panels, commands, symbols, tasks, phases, marks, lessons"},
        {"Ctrl+O", "open a disk, CD, kernel, firmware or recording"},
        {"Alt+←/→", "back and forth through what was looked at"},
        {"M", "marks this place on the timeline"},
        {"Ctrl+R", "restart at power-on"},
        {"Ctrl+Alt", "take the keys back from the guest"},
        {"Ctrl+L", "panels back to their places and sizes"},
        {"Ctrl +", "larger text (Ctrl - smaller, Ctrl 0 as it was)"},
        {"?", "this table"},
        {"Ctrl+Q", "quit"},
    };
    text_in(context.fonts.bold, colour::Text, "Keys");
    ImGui::Dummy({0, context.px(4)});
    for (const auto& row : Table) {
        const float x = ImGui::GetCursorPosX();
        key_cap(context, row.key);
        ImGui::SameLine(x + context.px(96), 0);
        text(colour::Text, row.meaning);
    }
    ImGui::Dummy({0, context.px(4)});
    ImGui::PushTextWrapPos(0);
    text(colour::Dim, "Every address is a link: click it to go there, right click for its disassembly, its "
                      "bytes or its page walk. A click left of an instruction sets a breakpoint. "
                      "Click the screen or the terminal to type. Bars between panels can be dragged.");
    ImGui::PopTextWrapPos();
    ImGui::Dummy({0, context.px(4)});
    if (ImGui::Button("Close")) close(context);
}

/// Ctrl+R is one key away from everything that was done so far.
void Dialogs::restart(Context& context) {
    text_in(context.fonts.bold, colour::Text, "Restart at power-on?");
    ImGui::PushTextWrapPos(0);
    text(colour::Dim, fmt::format("This run of {} steps is lost{}.", grouped(context.views.registers().step),
                                  context.engine.recording() ? "; its recording ends here and stays" : ""));
    ImGui::PopTextWrapPos();
    ImGui::Dummy({0, context.px(4)});
    const bool entered = ImGui::IsKeyPressed(ImGui::GetKeyIndex(ImGuiKey_Enter), false) ||
                         ImGui::IsKeyPressed(ImGui::GetKeyIndex(ImGuiKey_KeyPadEnter), false);
    const bool yes = ImGui::Button("Restart") || (entered && !context.dialog_opening);
    ImGui::SameLine();
    if (ImGui::Button("Keep the run")) return close(context);
    ImGui::SameLine();
    text(colour::Dim, "Enter restarts, Escape keeps it");
    if (!yes) return;
    report(context, context.engine.restart());
    close(context);
}

void Dialogs::lessons(Context& context) {
    text_in(context.fonts.bold, colour::Text, "Lessons");
    text(colour::Dim, "Each makes a machine of its own and begins at power-on; the run of now is lost.");
    ImGui::BeginChild("list", {0, std::max(context.px(240), ImGui::GetIO().DisplaySize.y * 0.68f)});
    for (const emu::Lesson& lesson : lessons_) {
        ImGui::PushID(lesson.name.c_str());
        const bool chosen = ImGui::Selectable(without_marks(lesson.title).c_str());
        const ImVec2 a = ImGui::GetItemRectMin(), size = ImGui::GetItemRectSize();
        if (ImGui::IsItemVisible()) context.probe.places.push_back({lesson.name, {a.x, a.y, size.x, size.y}});
        ImGui::PushTextWrapPos(0);
        text(colour::Dim, without_marks(lesson.summary));
        ImGui::PopTextWrapPos();
        ImGui::Dummy({0, context.px(4)});
        ImGui::PopID();
        if (!chosen) continue;
        report(context, context.lessons.open(lesson.path));
        close(context);
        break;
    }
    if (lessons_.empty()) text(colour::Changed, "No lessons are installed beside the program.");
    ImGui::EndChild();
    if (context.dialog != Dialog::None && ImGui::Button("Close")) close(context);
}

void Dialogs::message(Context& context) {
    text_in(context.fonts.bold, colour::Bad, "The machine says");
    ImGui::BeginChild("text", {0, context.px(320)});
    ImGui::PushFont(context.fonts.mono);
    ImGui::PushTextWrapPos(0);
    text(colour::Text, shown_message_);
    ImGui::PopTextWrapPos();
    ImGui::PopFont();
    ImGui::EndChild();
    if (ImGui::Button("Close")) close(context);
}

} // namespace vitrine::ui
