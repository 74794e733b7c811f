// Helpers for the text and JSON faces of views: aligned tables, hexadecimal, readable sizes and times.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>
#include "emu/inspect/reader.h"

namespace vitrine::emu::inspect {

class Table {
public:
    explicit Table(std::vector<std::string> headers) : headers_(std::move(headers)) {}
    void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
    std::string text() const;

private:
    std::vector<std::string> headers_;
    std::vector<std::vector<std::string>> rows_;
};

std::string hex(u64 value, unsigned digits = 0); ///< "0x1f", or padded
std::string size_text(u64 bytes);                ///< "4 KiB", "2 MiB"
std::string time_text(u64 nanoseconds);          ///< "1.234567 s"
std::string notes_text(const Notes& notes);
nlohmann::json notes_json(const Notes& notes);

} // namespace vitrine::emu::inspect
