// Tables and numbers for people: see render.h.
#include "emu/inspect/render.h"
#include <algorithm>
#include <fmt/format.h>

namespace vitrine::emu::inspect {

std::string Table::text() const {
    std::vector<std::size_t> width;
    for (const auto& header : headers_) width.push_back(header.size());
    for (const auto& row : rows_)
        for (std::size_t i = 0; i < row.size() && i < width.size(); ++i)
            width[i] = std::max(width[i], row[i].size());
    std::string out;
    const auto line = [&](const std::vector<std::string>& cells) {
        std::string text;
        for (std::size_t i = 0; i < cells.size() && i < width.size(); ++i)
            text += fmt::format("{:<{}}", cells[i], i + 1 < cells.size() ? width[i] + 2 : 0);
        while (text.ends_with(' ')) text.pop_back();
        out += text + "\n";
    };
    line(headers_);
    for (const auto& row : rows_) line(row);
    return out;
}

std::string hex(u64 value, unsigned digits) { return fmt::format("0x{:0{}x}", value, digits); }

std::string size_text(u64 bytes) {
    if (bytes >= 1ull << 30 && bytes % (1ull << 30) == 0) return fmt::format("{} GiB", bytes >> 30);
    if (bytes >= 1ull << 20 && bytes % (1ull << 20) == 0) return fmt::format("{} MiB", bytes >> 20);
    if (bytes >= 1ull << 10 && bytes % (1ull << 10) == 0) return fmt::format("{} KiB", bytes >> 10);
    return fmt::format("{} bytes", bytes);
}

std::string time_text(u64 nanoseconds) {
    return fmt::format("{}.{:09} s", nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000);
}

std::string notes_text(const Notes& notes) {
    std::string out;
    for (const auto& note : notes.list()) out += "note: " + note + "\n";
    return out;
}

nlohmann::json notes_json(const Notes& notes) { return notes.list(); }

} // namespace vitrine::emu::inspect
