// Files: the dialog that chooses one, and the start screen. The field holds a path; under it stands what its
// folder holds, as far as the end of the path fits. Up and down choose, Tab takes a name into the field,
// Enter goes into a folder or takes the file: everything without a mouse. See dialogs.h.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include "ui/model/dropped.h"
#include "ui/model/format.h"
#include "ui/shell/dialogs.h"
#include "ui/shell/icons.h"
#include "ui/shell/toolbar.h"
#include "ui/shell/widgets.h"

namespace vitrine::ui {

namespace {

constexpr std::size_t MostFiles = 2000, MostNamed = 400;

std::string lower(std::string text) {
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<u8>(c)));
    return text;
}
/// "~" is a person's home.
std::string resolved(const std::string& path) {
    const char* home = std::getenv("HOME");
    if (home && (path == "~" || path.starts_with("~/"))) return home + path.substr(1);
    return path;
}
std::string folder_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}
std::string size_text(u64 bytes) {
    constexpr const char* Units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    unsigned unit = 0;
    for (; bytes >= 10'240 && unit + 1 < std::size(Units); ++unit) bytes >>= 10;
    return fmt::format("{} {}", bytes, Units[unit]);
}

constexpr int FramesToFocus = 4;
void append_utf8(std::string& out, unsigned c) {
    if (c < 0x20 || c == 0x7F) return;
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += static_cast<char>(0xC0 | c >> 6), out += static_cast<char>(0x80 | (c & 0x3F));
    } else {
        out += static_cast<char>(0xE0 | c >> 12), out += static_cast<char>(0x80 | (c >> 6 & 0x3F)),
            out += static_cast<char>(0x80 | (c & 0x3F));
    }
}

} // namespace

void Context::used(const std::string& path) {
    std::error_code error;
    const std::string whole = std::filesystem::absolute(path, error).lexically_normal().string();
    std::erase(recent, whole);
    recent.insert(recent.begin(), whole);
    if (recent.size() > 8) recent.resize(8);
}

bool Context::open_file(const std::string& path, bool sure) {
    const Dropped found = recognise_file(path);
    const std::string name = path.substr(path.rfind('/') + 1);
    if (found.kind == Dropped::Kind::Other) return engine.say(found.what, true), false;
    if (found.kind == Dropped::Kind::Cdrom && engine.has_cd_drive() && engine.machine().steps() > 0) {
        if (auto ok = engine.change_medium(path); !ok) return engine.say(ok.error().message, true), false;
        return used(path), true;
    }
    if (engine.machine().steps() > 0 && !sure)
        return engine.say(fmt::format("{}: {}. Once more, and this run is left for it", name, found.what)),
               false;
    auto ok =
        found.kind == Dropped::Kind::Recording ? engine.replay(path) : engine.new_machine(found.options);
    if (!ok) return engine.say(ok.error().message, true), false;
    used(path);
    if (found.kind != Dropped::Kind::Recording) engine.say(name + ": " + found.what);
    return true;
}

// ---- the list ---------------------------------------------------------------------------------------------

/// What the text's folder holds, as far as the text's end fits: beginnings first.
void Dialogs::read_files() {
    if (files_for_ == text_) return;
    files_for_ = text_, chosen_ = -1;
    files_.clear(), files_problem_.clear();
    const std::string path = resolved(text_), shown = folder_of(path),
                      wanted = lower(path.substr(shown.size()));
    std::error_code error;
    std::vector<File> rest;
    std::size_t seen = 0;
    auto entries = std::filesystem::directory_iterator(shown.empty() ? "." : shown, error);
    if (error) {
        files_problem_ = fmt::format("{}: {}", shown.empty() ? "." : shown, error.message());
        return;
    }
    for (const auto end = std::filesystem::directory_iterator(); entries != end && !error;
         entries.increment(error)) {
        if (++seen > MostFiles) {
            files_problem_ = fmt::format("only the first {} names: type on", MostFiles);
            break;
        }
        File file{entries->path().filename().string(), false, 0};
        if (file.name.starts_with('.') && !wanted.starts_with('.')) continue;
        const auto at = lower(file.name).find(wanted);
        if (at == std::string::npos) continue;
        std::error_code none;
        file.folder = entries->is_directory(none);
        if (!file.folder) file.size = entries->is_regular_file(none) ? entries->file_size(none) : 0;
        if (none) file.size = 0;
        (at == 0 ? files_ : rest).push_back(std::move(file));
    }
    const auto order = [](const File& a, const File& b) {
        return a.folder != b.folder ? a.folder : lower(a.name) < lower(b.name);
    };
    std::ranges::sort(files_, order), std::ranges::sort(rest, order);
    files_.insert(files_.end(), rest.begin(), rest.end());
    if (files_.size() > MostNamed) files_.resize(MostNamed);
    if (wanted.empty()) files_.insert(files_.begin(), {"..", true, 0});
}

/// A name of the list into the field; a folder's contents are listed next.
void Dialogs::take_file(std::size_t index) {
    const File& file = files_[index];
    std::string folder = folder_of(text_);
    if (file.name == "..") {
        // Above "a/b/" is "a/"; above "../" is "../../".
        std::error_code error;
        const auto here =
            std::filesystem::absolute(folder.empty() ? "." : resolved(folder), error).lexically_normal();
        folder = here.parent_path().parent_path().string();
        if (!folder.ends_with('/')) folder += '/';
        std::snprintf(text_, sizeof text_, "%s", folder.c_str());
    } else {
        std::snprintf(text_, sizeof text_, "%s%s%s", folder.c_str(), file.name.c_str(),
                      file.folder ? "/" : "");
    }
    refocus_ = to_end_ = true;
    sure_ = false;
    error_.clear();
}

void Dialogs::list_files(Context& context, float height) {
    ImGui::BeginChild("files", {0, height});
    for (std::size_t i = 0; i < files_.size(); ++i) {
        const File& file = files_[i];
        const std::string shown = file.name + (file.folder ? "/" : "");
        context.probe.matches.push_back(shown);
        ImGui::PushID(static_cast<int>(i));
        const bool clicked = ImGui::Selectable(shown.c_str(), static_cast<int>(i) == chosen_,
                                               ImGuiSelectableFlags_DontClosePopups);
        const ImVec2 a = ImGui::GetItemRectMin(), size = ImGui::GetItemRectSize();
        if (ImGui::IsItemVisible())
            context.probe.places.push_back({"file " + shown, {a.x, a.y, size.x, size.y}});
        if (static_cast<int>(i) == chosen_ && to_end_) ImGui::SetScrollHereY(0.5f);
        if (!file.folder) {
            const std::string bytes = size_text(file.size);
            ImGui::SameLine(ImGui::GetWindowContentRegionMax().x - ImGui::CalcTextSize(bytes.c_str()).x);
            text(colour::Dim, bytes);
        }
        ImGui::PopID();
        if (!clicked) continue;
        take_file(i);
        break; // another list is there now
    }
    if (!files_problem_.empty()) text(colour::Dim, files_problem_);
    if (files_.empty() && files_problem_.empty()) text(colour::Dim, "nothing here has a name like that");
    ImGui::EndChild();
}

// ---- one file ---------------------------------------------------------------------------------------------

/// The file of the field. True when the dialog has done its work.
bool Dialogs::accept_file(Context& context, Dialog what) {
    const std::string path = resolved(text_);
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) {
        if (!path.ends_with('/')) std::snprintf(text_, sizeof text_, "%s/", std::string(text_).c_str());
        refocus_ = to_end_ = true;
        return false;
    }
    const bool writes = what == Dialog::Record || what == Dialog::Save;
    if (writes && std::filesystem::exists(path, error) && !std::exchange(sure_, true)) {
        error_ = "that file is there already: once more, and it is written over";
        refocus_ = to_end_ = true;
        return false;
    }
    if (what == Dialog::Save) {
        context.engine.save_recording(path);
        context.used(path);
        return true;
    }
    if (what == Dialog::Open) {
        if (context.open_file(path, std::exchange(sure_, true))) return true;
        error_ = context.engine.message();
        refocus_ = to_end_ = true;
        return false;
    }
    auto done = what == Dialog::Record ? context.engine.record(path) : context.engine.replay(path);
    if (!done) {
        error_ = done.error().message;
        refocus_ = to_end_ = true;
        return false;
    }
    context.used(path);
    return true;
}

void Dialogs::file(Context& context, Dialog what) {
    static constexpr const char *Titles[] = {"Record to", "Save the run to", "Replay", "Open"},
                                *Verbs[] = {"Record", "Save", "Replay", "Open"};
    const unsigned index = static_cast<unsigned>(what) - static_cast<unsigned>(Dialog::Record);
    text_in(context.fonts.bold, colour::Text, Titles[index]);
    ImGui::PushTextWrapPos(0);
    text(colour::Dim,
         what == Dialog::Record
             ? (context.engine.machine().steps()
                    ? "A recording begins at power-on: the machine restarts."
                    : "The recording holds the configuration and every input; the rest follows.")
         : what == Dialog::Save
             ? "What has been run so far becomes a recording, from power-on to the end of what is known."
         : what == Dialog::Replay
             ? "The machine is made anew from the recording; its keys come from there, and every million "
               "steps its state is compared."
             : "A disk or CD image, a kernel, a firmware or a recording becomes the machine.");
    ImGui::PopTextWrapPos();
    read_files();
    if (context.dialog_opening || refocus_) ImGui::SetKeyboardFocusHere();
    const bool was_refocused = std::exchange(refocus_, false);
    if (was_refocused) focusing_ = FramesToFocus;
    // A field that is about to be active hears nothing yet.
    if (focusing_ > 0) {
        --focusing_;
        context.redraw = std::max(context.redraw, 2);
        for (const ImWchar c : ImGui::GetIO().InputQueueCharacters) append_utf8(unheard_, c);
    }
    const auto edited = [](ImGuiInputTextCallbackData* data) {
        Dialogs& self = *static_cast<Dialogs*>(data->UserData);
        const int count = static_cast<int>(self.files_.size());
        if (data->EventFlag == ImGuiInputTextFlags_CallbackAlways) {
            if (self.to_end_) data->CursorPos = data->SelectionStart = data->SelectionEnd = data->BufTextLen;
            self.to_end_ = false;
            if (!self.unheard_.empty()) data->InsertChars(data->CursorPos, self.unheard_.c_str());
            self.unheard_.clear(), self.focusing_ = 0;
        } else if (data->EventFlag == ImGuiInputTextFlags_CallbackHistory && count) {
            self.chosen_ = data->EventKey == ImGuiKey_UpArrow ? std::max(self.chosen_ - 1, -1)
                                                              : std::min(self.chosen_ + 1, count - 1);
        } else if (data->EventFlag == ImGuiInputTextFlags_CallbackCompletion && count) {
            self.take_file(static_cast<std::size_t>(std::max(self.chosen_, 0)));
            const std::string now = self.text_;
            data->DeleteChars(0, data->BufTextLen);
            data->InsertChars(0, now.c_str());
            self.refocus_ = false;
        }
        return 0;
    };
    ImGui::PushItemWidth(-1);
    const bool entered =
        ImGui::InputText("##file", text_, sizeof text_,
                         ImGuiInputTextFlags_EnterReturnsTrue | ImGuiInputTextFlags_CallbackHistory |
                             ImGuiInputTextFlags_CallbackCompletion | ImGuiInputTextFlags_CallbackAlways,
                         edited, this);
    ImGui::PopItemWidth();
    if (was_refocused || files_for_ != text_) context.redraw = std::max(context.redraw, 2);
    if (files_for_ != text_) sure_ = false, error_.clear();
    read_files();
    context.probe.match = chosen_;
    list_files(context, context.px(210));
    if (!error_.empty()) {
        ImGui::PushTextWrapPos(0);
        text(colour::Bad, error_);
        ImGui::PopTextWrapPos();
    }
    ImGui::Dummy({0, context.px(4)});
    const bool pressed = ImGui::Button(Verbs[index]);
    ImGui::SameLine();
    if (ImGui::Button("Cancel")) return close(context);
    ImGui::SameLine();
    text(colour::Dim, "↑ ↓ choose, Tab takes a name, Enter opens");
    if ((!pressed && !entered) || !text_[0]) return;
    context.settle = true; // an error may follow
    // Enter on a chosen name takes it first: a folder is gone into, a file is what the field then names.
    if (entered && chosen_ >= 0 && static_cast<std::size_t>(chosen_) < files_.size()) {
        const bool folder = files_[static_cast<std::size_t>(chosen_)].folder;
        take_file(static_cast<std::size_t>(chosen_));
        chosen_ = -1;
        if (folder) return;
    }
    if (accept_file(context, what)) close(context);
}

// ---- the start screen -------------------------------------------------------------------------------------

void Dialogs::start(Context& context) {
    static constexpr struct {
        const char *title, *what;
        Icon icon;
    } Cards[] = {
        {"The bundled kernel", "Boots from its first instruction; every structure has a panel.", Icon::Run},
        {"A recording", "A run that somebody saved: go to any step of it.", Icon::Replay},
        {"My disk or kernel", "A disk or CD image, a Linux, Multiboot or PVH kernel.", Icon::Target}};
    constexpr int Count = static_cast<int>(std::size(Cards));
    text_in(context.fonts.bold, colour::Text, "What do you want to look at?");
    ImGui::Dummy({0, context.px(4)});
    const int all = Count + static_cast<int>(context.recent.size());
    const auto pressed = [](ImGuiKey key) { return ImGui::IsKeyPressed(ImGui::GetKeyIndex(key), true); };
    if (pressed(ImGuiKey_RightArrow) || pressed(ImGuiKey_DownArrow) || pressed(ImGuiKey_Tab))
        card_ = (card_ + 1) % all;
    if (pressed(ImGuiKey_LeftArrow) || pressed(ImGuiKey_UpArrow)) card_ = (card_ + all - 1) % all;
    int taken =
        !context.dialog_opening && (pressed(ImGuiKey_Enter) || pressed(ImGuiKey_KeyPadEnter)) ? card_ : -1;
    for (int i = 0; i < Count; ++i)
        if (ImGui::GetIO().InputQueueCharacters.contains(static_cast<ImWchar>('1' + i))) taken = i;
    ImDrawList* draw = ImGui::GetWindowDrawList();
    const float gap = context.px(12), width = std::floor((ImGui::GetContentRegionAvail().x - 2 * gap) / 3),
                height = context.px(132);
    for (int i = 0; i < Count; ++i) {
        if (i) ImGui::SameLine(0, gap);
        const ImVec2 at = ImGui::GetCursorScreenPos(), end{at.x + width, at.y + height};
        ImGui::PushID(i);
        if (ImGui::InvisibleButton("card", {width, height})) taken = i;
        ImGui::PopID();
        if (ImGui::IsItemHovered() && (ImGui::GetIO().MouseDelta.x != 0 || ImGui::GetIO().MouseDelta.y != 0))
            card_ = i;
        context.probe.places.push_back({Cards[i].title, {at.x, at.y, width, height}});
        draw->AddRectFilled(at, end,
                            card_ == i ? colour::mix(colour::Button, colour::Lift, 0.10f) : colour::Button,
                            context.px(6));
        draw->AddRect(at, end, card_ == i ? colour::Accent : colour::Border, context.px(6), 0,
                      context.px(card_ == i ? 2 : 1));
        draw_icon(draw, Cards[i].icon, {at.x + context.px(22), at.y + context.px(24)}, context.px(16),
                  colour::Accent);
        const ImFont *bold = context.fonts.bold, *font = context.fonts.text;
        draw->AddText(bold, bold->FontSize, {at.x + context.px(14), at.y + context.px(44)}, colour::Text,
                      Cards[i].title);
        draw->AddText(font, font->FontSize, {at.x + context.px(14), at.y + context.px(66)}, colour::Dim,
                      Cards[i].what, nullptr, width - context.px(28));
        const std::string key(1, static_cast<char>('1' + i));
        draw->AddText(font, font->FontSize, {end.x - context.px(20), at.y + context.px(12)}, colour::Dim,
                      key.c_str());
    }
    if (!context.recent.empty()) {
        ImGui::Dummy({0, context.px(6)});
        text(colour::Dim, "Lately");
    }
    for (std::size_t i = 0; i < context.recent.size(); ++i) {
        const std::string& path = context.recent[i];
        ImGui::PushID(static_cast<int>(100 + i));
        if (ImGui::Selectable(path.substr(path.rfind('/') + 1).c_str(), card_ == Count + static_cast<int>(i),
                              ImGuiSelectableFlags_DontClosePopups))
            taken = Count + static_cast<int>(i);
        const ImVec2 a = ImGui::GetItemRectMin(), size = ImGui::GetItemRectSize();
        context.probe.places.push_back({"recent " + path, {a.x, a.y, size.x, size.y}});
        ImGui::SameLine(context.px(220));
        text(colour::Dim, folder_of(path));
        ImGui::PopID();
    }
    if (!error_.empty()) {
        ImGui::PushTextWrapPos(0);
        text(colour::Bad, error_);
        ImGui::PopTextWrapPos();
    }
    ImGui::Dummy({0, context.px(2)});
    text(colour::Dim, "Arrows and Enter, or 1, 2, 3. A file can be dropped on the window, too.");
    if (taken < 0) return;
    if (taken == 0) {
        close(context);
        return context.engine.run();
    }
    if (taken < Count) {
        context.palette_then = [taken](Context& c) {
            c.open_dialog(taken == 1 ? Dialog::Replay : Dialog::Open);
        };
        return close(context);
    }
    if (context.open_file(context.recent[static_cast<std::size_t>(taken - Count)], true))
        return close(context);
    error_ = context.engine.message();
    context.settle = true;
}

} // namespace vitrine::ui
