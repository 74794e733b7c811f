// Dialogs: go to and run to with symbol completion, files for record and replay, the key table, long
// messages.
#pragma once
#include <functional>
#include <optional>
#include "emu/lessons/lesson.h"
#include "emu/symbols/guest_symbols.h"
#include "ui/shell/context.h"

namespace vitrine::ui {

class Dialogs {
public:
    void draw(Context& context);

private:
    void go_to(Context& context, bool run);
    // dialogs_file.cpp
    void file(Context& context, Dialog what);
    void start(Context& context);
    void read_files();
    void list_files(Context& context, float height);
    bool accept_file(Context& context, Dialog what);
    void take_file(std::size_t index);
    void restart(Context& context);
    void keys(Context& context);
    void message(Context& context);
    void lessons(Context& context);
    void palette(Context& context);
    void read_entries(Context& context);
    void complete(Context& context);
    const emu::Symbol* symbol(Context& context, std::string_view name);
    std::optional<u64> address(Context& context, std::string_view what);
    void read_names(Context& context);
    void close(Context& context);

    char text_[4096] = {};
    std::string error_;
    std::string completed_for_;
    struct Name {
        std::string readable;
        const emu::Symbol* symbol;
    };
    std::vector<Name> names_; ///< of the symbol file that they were read from
    const emu::GuestSymbols* names_of_ = nullptr;
    std::vector<const Name*> matches_;
    int chosen_ = -1; ///< the suggestion that Enter takes; -1: the text as it stands
    std::string shown_message_;
    std::vector<emu::Lesson> lessons_;
    struct Entry { ///< of the palette
        std::string label, kind;
        std::function<void(Context&)> act;
    };
    std::vector<Entry> entries_;
    struct File {
        std::string name;
        bool folder;
        u64 size;
    };
    std::vector<File> files_; ///< of the folder that the text names, as far as its end fits them
    std::string files_for_ = "\n", files_problem_;
    bool refocus_ = false, to_end_ = false, sure_ = false;
    int focusing_ = 0;    ///< frames in which the field may get the focus: until then what is typed is kept
    std::string unheard_; ///< that
    int card_ = 0;        ///< of the start screen: the cards, then the recent files
    std::string filtered_for_;
    std::vector<std::size_t> found_;
};

} // namespace vitrine::ui
