// Settings — what the app remembers of a person between runs: sizes of panels and text, the open tab, pace.
//
// One JSON file, $XDG_CONFIG_HOME/vitrine/app.json (XDG Base Directory Specification), or ~/.config/… .
// Invariants: nothing here reaches a machine, and a file that cannot be read never keeps the app from
// starting: it is set aside as app.json.bad and the defaults hold.
#pragma once
#include <optional>
#include <string>
#include <vector>
#include "cpu/base/types.h"
#include "ui/model/layout.h"

namespace vitrine::ui {

struct Settings {
    Splits splits;
    std::optional<Dock> dock;
    bool light = false;        ///< the light theme
    bool calm = false;         ///< reduced motion: nothing blinks or glides
    float text_size = 1;       ///< beside the display's own scale
    int width = 0, height = 0; ///< of the window; 0: by the display
    std::string tab;
    bool real_time = true;
    std::vector<std::string> recent; ///< files that became machines, the last one first
    std::vector<std::string> watches;
    static constexpr std::size_t MostRecent = 8, MostWatches = 64;
};

/// Empty when there is no home to keep a file in.
std::string settings_path();
struct LoadedSettings {
    Settings settings;
    std::string remark; ///< what was wrong, and where the file is now; empty when nothing was
};
LoadedSettings load_settings(const std::string& path);
Expected<void> save_settings(const std::string& path, const Settings& settings);

} // namespace vitrine::ui
