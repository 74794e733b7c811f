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
    void file(Context& context, Dialog what);
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

    char text_[256] = {};
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
    std::string filtered_for_;
    std::vector<std::size_t> found_;
};

} // namespace vitrine::ui
