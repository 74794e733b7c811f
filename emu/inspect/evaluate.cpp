// Watch expressions: see evaluate.h.
#include "emu/inspect/evaluate.h"
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fmt/format.h>
#include "emu/debugger/expression.h"
#include "emu/inspect/current_task.h"
#include "emu/inspect/names.h"
#include "emu/inspect/render.h"
#include "emu/inspect/structures.h"
#include "emu/machine.h"

namespace vitrine::emu::inspect {

namespace {
constexpr std::size_t LongestText = 256, LongestExpression = 1024;

struct Parts {
    std::string type, field; ///< of a structure
    std::string_view expression;
    char format = 0;
};
Parts parts_of(std::string_view text) {
    Parts out;
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    if (text.size() > 2 && text[text.size() - 2] == ':' && text[text.size() - 3] != ':' &&
        std::string_view("xds").contains(text.back()))
        out.format = text.back(), text.remove_suffix(2);
    // "Task.vruntime@…": '@' is no operator, and stands in texts only behind a quotation mark.
    const auto at = text.find('@');
    if (at != std::string_view::npos && text.substr(0, at).find('"') == std::string_view::npos) {
        out.type = text.substr(0, at), text.remove_prefix(at + 1);
        while (out.type.ends_with(' ')) out.type.pop_back();
        if (const auto dot = out.type.find('.'); dot != std::string::npos)
            out.field = out.type.substr(dot + 1), out.type.resize(dot);
    }
    out.expression = text;
    return out;
}

/// "zones[1]": an element of a published root, which is no expression.
bool root_with_index(std::string_view text) {
    const auto open = text.find('[');
    const auto digits = [](std::string_view part) {
        return !part.empty() && std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
    };
    const auto word = [](std::string_view part) {
        return !part.empty() &&
               std::ranges::all_of(part, [](unsigned char c) { return std::isalnum(c) || c == '_'; });
    };
    return open != std::string_view::npos && text.ends_with(']') && word(text.substr(0, open)) &&
           digits(text.substr(open + 1, text.size() - open - 2)) && text.substr(0, open) != "u8" &&
           text.substr(0, open) != "u16" && text.substr(0, open) != "u32" && text.substr(0, open) != "u64";
}

std::string number_text(u64 value, char format, unsigned size = 8) {
    const unsigned unused = 64 - size * 8;
    const i64 signed_value = static_cast<i64>(value << unused) >> unused;
    if (format == 'x') return hex(value);
    if (format == 'd') return fmt::format("{}", signed_value);
    return value < 10 ? fmt::format("{}", value) : fmt::format("{}  {}", value, hex(value));
}
} // namespace

std::string spelling_mistake(std::string_view text) {
    if (text.size() > LongestExpression) return "an expression is at most 1024 characters";
    const Parts parts = parts_of(text);
    if (text.contains('@') && parts.type.empty() && !text.contains('"'))
        return "a type is missing before '@'";
    if (!parts.type.empty() && root_with_index(parts.expression)) return {};
    if (const auto ok = Expression::check_spelling(parts.expression); !ok) return ok.error().message;
    return {};
}

Evaluation evaluate(const Machine& machine, unsigned processor,
                    const std::expected<GuestKernel, std::string>& kernel, CurrentTask& tasks,
                    std::string_view text) {
    Evaluation out;
    out.expression = text;
    if (out.why = spelling_mistake(text); !out.why.empty()) return out;
    const Parts parts = parts_of(text);
    // A structure may be named by a root that the kernel publishes, which need not be a symbol: zones,
    // zones[1].
    if (!parts.type.empty() && kernel && parts.field.empty()) {
        const std::string place(parts.expression);
        if (kernel->root(place.substr(0, place.find('[')))) {
            out.fields = object_view(kernel, parts.type + "@" + place, machine.symbols());
            out.why = out.fields.why_empty;
            if (!out.why.empty()) return out;
            const u64 index =
                place.contains('[') ? std::strtoull(place.c_str() + place.find('[') + 1, nullptr, 10) : 0;
            out.value = kernel->root(place.substr(0, place.find('[')))->address +
                        index * kernel->size_of(parts.type).value_or(0);
            out.shown = fmt::format("{} at {}", parts.type, hex(*out.value, 16));
            return out;
        }
    }
    const auto compiled = Expression::compile(parts.expression, machine.symbols());
    if (!compiled) return out.why = compiled.error().message, out;
    if (const auto use = compiled->uses_beyond({}))
        return out.why = fmt::format("'{}' is known at a hit only", use->name), out;
    const auto value =
        compiled->evaluate({.machine = machine, .tasks = &tasks, .processor = static_cast<int>(processor)});
    if (!value) return out.why = value.error(), out;
    out.value = *value;
    const MachineReader memory(machine, processor);
    if (!parts.type.empty()) {
        if (!kernel) return out.why = kernel.error(), out.value.reset(), out;
        if (!kernel->size_of(parts.type)) {
            out.why = fmt::format("the kernel publishes no type {}", parts.type);
            return out.value.reset(), out;
        }
        if (parts.field.empty()) {
            out.fields = object_view(kernel, fmt::format("{}@{:#x}", parts.type, *value), machine.symbols());
            out.shown = fmt::format("{} at {}", parts.type, hex(*value, 16));
            return out;
        }
        const auto field = kernel->field(parts.type, parts.field);
        if (!field) {
            out.why = fmt::format("{} has no published field {}", parts.type, parts.field);
            return out.value.reset(), out;
        }
        u64 raw = 0;
        const unsigned size = std::min<u32>(field->size, 8);
        if (memory.linear(*value + field->offset, {reinterpret_cast<u8*>(&raw), size}) != size) {
            out.why = fmt::format("{} cannot be read", hex(*value + field->offset, 16));
            return out.value.reset(), out;
        }
        if (field->size > 8) // a text, or a structure of its own
            out.shown = guest_string(memory, *value + field->offset, std::min<u32>(field->size, LongestText));
        else
            out.shown = number_text(raw, parts.format, size);
        out.value = raw;
        return out;
    }
    out.shown = parts.format == 's' ? fmt::format("\"{}\"", guest_string(memory, *value, LongestText))
                                    : number_text(*value, parts.format);
    return out;
}

SheetsView evaluation_view(const Evaluation& evaluation) {
    SheetsView view;
    Sheet& sheet =
        view.add("value", "Expression", {"Expression", "Value", "Hexadecimal", "Signed", "Why not"});
    sheet.row({evaluation.expression, evaluation.value ? Cell(evaluation.shown) : Cell::none(),
               evaluation.value ? Cell(hex(*evaluation.value)) : Cell::none(),
               evaluation.value ? Cell::signed_number(static_cast<i64>(*evaluation.value)) : Cell::none(),
               evaluation.why});
    for (const Sheet& each : evaluation.fields.sheets) view.sheets.push_back(each);
    return view;
}

} // namespace vitrine::emu::inspect
