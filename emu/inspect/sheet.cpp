// The faces of sheets: see sheet.h.
#include "emu/inspect/sheet.h"
#include <fmt/format.h>
#include "emu/inspect/render.h"

namespace vitrine::emu::inspect {

namespace {
/// "Wait, ns" → "wait_ns".
std::string key_of(const std::string& column) {
    std::string out;
    for (char c : column) {
        const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (word)
            out += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        else if (!out.empty() && out.back() != '_')
            out += '_';
    }
    while (out.ends_with('_')) out.pop_back();
    return out;
}
} // namespace

Cell Cell::none() {
    Cell out;
    out.text = "–", out.tone = Tone::Dim;
    return out;
}
Cell Cell::number(u64 n) {
    Cell out;
    out.text = std::to_string(n), out.value = n;
    return out;
}
Cell Cell::signed_number(i64 n) {
    Cell out;
    out.text = std::to_string(n), out.value = n;
    return out;
}
Cell Cell::size(u64 bytes) {
    Cell out = number(bytes);
    out.text = size_text(bytes);
    return out;
}
Cell Cell::time(u64 nanoseconds) {
    Cell out = number(nanoseconds);
    out.text = nanoseconds < 10'000       ? fmt::format("{} ns", nanoseconds)
               : nanoseconds < 10'000'000 ? fmt::format("{:.1f} us", static_cast<double>(nanoseconds) / 1e3)
               : nanoseconds < 10'000'000'000
                   ? fmt::format("{:.1f} ms", static_cast<double>(nanoseconds) / 1e6)
                   : fmt::format("{:.2f} s", static_cast<double>(nanoseconds) / 1e9);
    return out;
}
Cell Cell::yes(bool is, const char* word) {
    Cell out;
    out.text = is ? word : "", out.value = is;
    return out;
}
Cell Cell::at(u64 address, Leads leads, std::string label) {
    Cell out;
    if (!address && label.empty()) return none();
    out.text = label.empty() ? hex(address) : std::move(label);
    out.value = out.text, out.address = address;
    out.leads = address ? leads : Leads::Nowhere;
    return out;
}

std::string to_text(const SheetsView& v) {
    if (!v.why_empty.empty()) return v.why_empty + "\n" + notes_text(v.notes);
    std::string out;
    for (const Sheet& sheet : v.sheets) {
        if (!out.empty()) out += "\n";
        out += sheet.title + (sheet.remark.empty() ? "" : "  " + sheet.remark) + "\n";
        if (sheet.rows.empty()) {
            out += "  " + (sheet.why_empty.empty() ? "none" : sheet.why_empty) + "\n";
            continue;
        }
        Table table(sheet.columns);
        for (const auto& row : sheet.rows) {
            std::vector<std::string> cells;
            for (const Cell& cell : row) cells.push_back(cell.text == "–" ? "-" : cell.text);
            table.row(std::move(cells));
        }
        out += table.text();
    }
    return out + notes_text(v.notes);
}

nlohmann::json to_json(const SheetsView& v) {
    nlohmann::json out = nlohmann::json::object();
    for (const Sheet& sheet : v.sheets) {
        nlohmann::json rows = nlohmann::json::array();
        for (const auto& row : sheet.rows) {
            nlohmann::json object = nlohmann::json::object();
            for (std::size_t i = 0; i < row.size() && i < sheet.columns.size(); ++i) {
                object[key_of(sheet.columns[i])] = row[i].value;
                if (row[i].address && row[i].text != hex(row[i].address))
                    object[key_of(sheet.columns[i]) + "_address"] = hex(row[i].address, 16);
            }
            rows.push_back(std::move(object));
        }
        out[sheet.name] = {{"rows", std::move(rows)},
                           {"remark", sheet.remark},
                           {"why_empty", sheet.rows.empty() ? sheet.why_empty : ""}};
    }
    out["why_empty"] = v.why_empty, out["notes"] = notes_json(v.notes);
    return out;
}

} // namespace vitrine::emu::inspect
