// Sheets — tables with three faces: a panel draws them, the command line prints them, JSON keeps every value.
//
// What the kernel publishes is mostly lists of things with a few properties. A view of this kind says once
// what the columns are and fills rows; text, JSON and the panel follow. A cell is what a person reads, the
// value that a program gets, and for addresses where they lead.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>
#include "emu/inspect/kernel.h"

namespace vitrine::emu::inspect {

struct Cell {
    enum class Leads : u8 { Nowhere, Data, Code, Physical };
    enum class Tone : u8 { Plain, Dim, Active, Warning, Marked };
    std::string text;
    nlohmann::json value;
    u64 address = 0;
    Leads leads = Leads::Nowhere;
    Tone tone = Tone::Plain;

    Cell(std::string words, Tone its_tone = Tone::Plain)
        : text(std::move(words)), value(text), tone(its_tone) {}
    Cell(const char* words) : Cell(std::string(words)) {}
    Cell dim() && { return tone = Tone::Dim, std::move(*this); }
    Cell in(Tone wanted) && { return tone = wanted, std::move(*this); }

    static Cell none(); ///< nothing is known or meant: null
    static Cell number(u64 n);
    static Cell signed_number(i64 n);
    static Cell size(u64 bytes);       ///< the value is bytes
    static Cell time(u64 nanoseconds); ///< the value is nanoseconds
    static Cell yes(bool is, const char* word);
    /// A place; `label` instead of its digits.
    static Cell at(u64 address, Leads leads = Leads::Data, std::string label = {});

private:
    Cell() = default;
};

struct Sheet {
    Sheet(std::string its_name, std::string its_title, std::vector<std::string> its_columns)
        : name(std::move(its_name)), title(std::move(its_title)), columns(std::move(its_columns)) {}
    std::string name; ///< in JSON
    std::string title, remark;
    std::vector<std::string> columns;
    std::vector<std::vector<Cell>> rows;
    std::string why_empty; ///< said when there are no rows
    void row(std::vector<Cell> cells) { rows.push_back(std::move(cells)); }
};

struct SheetsView {
    std::vector<Sheet> sheets;
    Notes notes;
    std::string why_empty;
    Sheet& add(std::string name, std::string title, std::vector<std::string> columns) {
        return sheets.emplace_back(std::move(name), std::move(title), std::move(columns));
    }
};

std::string to_text(const SheetsView& view);
nlohmann::json to_json(const SheetsView& view);

} // namespace vitrine::emu::inspect
