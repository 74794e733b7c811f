// Settings as JSON: see settings.h.
#include "ui/model/settings.h"
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "emu/load/files.h"

namespace vitrine::ui {

namespace {

constexpr u64 LargestFile = 64 << 10;
struct Named {
    const char* name;
    float Splits::* value;
};
constexpr Named SplitNames[] = {{"strip", &Splits::strip}};

/// Only what makes sense is taken; the rest keeps its default.
Settings from_json(const nlohmann::json& file) {
    Settings out;
    const auto number = [](const nlohmann::json& in, const char* name, double least, double most,
                           double otherwise) {
        const auto at = in.find(name);
        if (at == in.end() || !at->is_number()) return otherwise;
        const double value = at->get<double>();
        return std::isfinite(value) && value >= least && value <= most ? value : otherwise;
    };
    if (const auto splits = file.find("splits"); splits != file.end() && splits->is_object())
        for (const Named& split : SplitNames)
            out.splits.*split.value = static_cast<float>(number(*splits, split.name, 0, 1, -1));
    for (const auto& [name, value] :
         {std::pair{"light", &Settings::light}, std::pair{"calm", &Settings::calm}})
        if (const auto flag = file.find(name); flag != file.end() && flag->is_boolean())
            out.*value = flag->get<bool>();
    if (const auto dock = file.find("dock"); dock != file.end()) out.dock = Dock::from_json(*dock);
    out.text_size = static_cast<float>(number(file, "text_size", 0.25, 4, 1));
    out.width = static_cast<int>(number(file, "width", 640, 16384, 0));
    out.height = static_cast<int>(number(file, "height", 480, 16384, 0));
    if (const auto tab = file.find("tab"); tab != file.end() && tab->is_string())
        out.tab = tab->get<std::string>();
    if (const auto pace = file.find("real_time"); pace != file.end() && pace->is_boolean())
        out.real_time = pace->get<bool>();
    if (const auto recent = file.find("recent"); recent != file.end() && recent->is_array())
        for (const auto& each : *recent)
            if (each.is_string() && out.recent.size() < Settings::MostRecent)
                out.recent.push_back(each.get<std::string>());
    if (const auto watches = file.find("watches"); watches != file.end() && watches->is_array())
        for (const auto& each : *watches)
            if (each.is_string() && out.watches.size() < Settings::MostWatches)
                out.watches.push_back(each.get<std::string>());
    return out;
}

} // namespace

std::string settings_path() {
    const char* config = std::getenv("XDG_CONFIG_HOME");
    // The specification: a relative path is to be ignored.
    if (config && config[0] == '/') return std::string(config) + "/vitrine/app.json";
    const char* home = std::getenv("HOME");
    return home && home[0] == '/' ? std::string(home) + "/.config/vitrine/app.json" : std::string();
}

LoadedSettings load_settings(const std::string& path) {
    std::error_code error;
    if (path.empty() || !std::filesystem::exists(path, error)) return {};
    LoadedSettings out;
    const auto bytes = emu::read_file(path, "settings", LargestFile);
    if (bytes) {
        const auto file = nlohmann::json::parse(bytes->begin(), bytes->end(), nullptr, false);
        if (file.is_object()) {
            out.settings = from_json(file);
            return out;
        }
    }
    std::filesystem::rename(path, path + ".bad", error);
    out.remark = error ? fmt::format("the settings {} cannot be read: the defaults hold", path)
                       : fmt::format("the settings could not be read; they are now {}.bad", path);
    return out;
}

Expected<void> save_settings(const std::string& path, const Settings& settings) {
    if (path.empty()) return {};
    nlohmann::json splits = nlohmann::json::object();
    for (const Named& split : SplitNames)
        if (settings.splits.*split.value >= 0) splits[split.name] = settings.splits.*split.value;
    nlohmann::json file = {{"splits", splits},        {"text_size", settings.text_size},
                           {"width", settings.width}, {"height", settings.height},
                           {"tab", settings.tab},     {"real_time", settings.real_time},
                           {"light", settings.light}, {"calm", settings.calm}};
    if (!settings.recent.empty()) file["recent"] = settings.recent;
    if (!settings.watches.empty()) file["watches"] = settings.watches;
    if (settings.dock) file["dock"] = settings.dock->to_json();
    std::error_code error;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
    const std::string text = file.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    return emu::write_file(path, {reinterpret_cast<const u8*>(text.data()), text.size()});
}

} // namespace vitrine::ui
