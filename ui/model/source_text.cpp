// Source text: see source_text.h.
#include "ui/model/source_text.h"
#include "emu/load/files.h"

namespace vitrine::ui {

namespace {
constexpr u64 LargestSource = 4 << 20;
constexpr std::size_t MostFiles = 512, LongestLine = 400;

std::string path_of(const std::string& file) {
    if (file.starts_with('/')) return file;
    if (file.contains("..")) return {};
    // Installed, or beside build/<preset>/vitrine.
    for (const char* prefix : {"source/", "../../"})
        if (std::string path = emu::bundled_path(prefix + file); emu::file_exists(path)) return path;
    return {};
}
} // namespace

const std::string& SourceText::line(const std::string& file, unsigned number) {
    static const std::string none;
    if (files_.size() > MostFiles) files_.clear();
    const auto [at, fresh] = files_.try_emplace(file);
    if (fresh) {
        const std::string path = path_of(file);
        const auto bytes = path.empty() ? Expected<std::vector<u8>>(bad_input(file))
                                        : emu::read_file(path, "source", LargestSource);
        if (bytes) {
            std::string text;
            for (const u8 c : *bytes) {
                if (c == '\n')
                    at->second.push_back(std::move(text)), text.clear();
                else if (text.size() < LongestLine)
                    c == '\t' ? text += "    " : text += c < ' ' ? '?' : static_cast<char>(c);
            }
            at->second.push_back(std::move(text));
        }
    }
    return number >= 1 && number <= at->second.size() ? at->second[number - 1] : none;
}

} // namespace vitrine::ui
