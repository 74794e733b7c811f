// Expectations: see expect.h.
#include "emu/lessons/expect.h"
#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <optional>
#include "emu/debugger/debugger.h"
#include "emu/debugger/expression.h"
#include "emu/inspect/inspect.h"
#include "emu/machine.h"

namespace vitrine::emu {

namespace {

using nlohmann::json;

struct Claim {
    enum class Kind : u8 { Expression, Text, Pointer, Count, Console, Events } kind = Kind::Expression;
    std::string view, text; ///< text: what has or lacks; the pointer; the expression
    bool lacks = false;
    std::vector<std::pair<std::string, std::string>> keys;
    std::string operation, wanted;
    std::string mistake;
};

std::string_view trim(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}
std::string_view word(std::string_view& rest) {
    rest = trim(rest);
    const auto end = rest.find(' ');
    const std::string_view out = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : trim(rest.substr(end));
    return out;
}

bool is_view(std::string_view name) { return inspect::check_view(name).has_value(); }

Claim mistake(std::string text) {
    Claim out;
    out.mistake = std::move(text);
    return out;
}

/// OP VALUE at the end.
bool comparison(std::string_view rest, Claim& out) {
    static constexpr std::string_view Operations[] = {"==", "!=", "<=", ">=", "<", ">"};
    const std::string_view operation = word(rest);
    if (std::ranges::find(Operations, operation) == std::end(Operations)) {
        out.mistake =
            fmt::format("found {}, wanted one of == != < <= > >=", operation.empty() ? "nothing" : operation);
        return false;
    }
    out.operation = operation, out.wanted = rest;
    if (out.wanted.size() >= 2 && out.wanted.front() == '"' && out.wanted.back() == '"')
        out.wanted = out.wanted.substr(1, out.wanted.size() - 2);
    if (rest.empty()) out.mistake = fmt::format("found nothing behind {}, wanted a value", operation);
    return !rest.empty();
}

bool has_or_lacks(std::string_view rest, Claim& out) {
    const std::string_view verb = word(rest);
    out.lacks = verb == "lacks";
    if ((verb != "has" && verb != "lacks") || rest.size() < 2 || rest.front() != '"' || rest.back() != '"') {
        out.mistake = fmt::format("found {} {}, wanted has \"TEXT\" or lacks \"TEXT\"", verb, rest);
        return false;
    }
    out.text = rest.substr(1, rest.size() - 2);
    return true;
}

Claim parse(std::string_view text) {
    Claim out;
    std::string_view rest = trim(text);
    if (rest.empty()) return mistake("found nothing, wanted a claim");
    std::string_view after = rest;
    const std::string_view first = word(after);
    if (first == "console") {
        out.kind = Claim::Kind::Console;
        has_or_lacks(after, out);
        return out;
    }
    if (first == "events") {
        out.kind = Claim::Kind::Events, out.view = word(after);
        if (auto kinds = parse_event_kinds(out.view); !kinds) return mistake(kinds.error().message);
        comparison(after, out);
        return out;
    }
    if (first == "count") {
        out.kind = Claim::Kind::Count, out.view = word(after);
        if (!is_view(out.view))
            return mistake(fmt::format("found {}, wanted a view of --inspect help", out.view));
        std::string_view keys = word(after);
        while (!keys.empty()) {
            const auto comma = keys.find(',');
            const std::string_view one = keys.substr(0, comma);
            const auto equals = one.find('=');
            if (equals == std::string_view::npos || equals == 0)
                return mistake(fmt::format("found {}, wanted KEY=VALUE", one));
            out.keys.emplace_back(one.substr(0, equals), one.substr(equals + 1));
            keys = comma == std::string_view::npos ? std::string_view{} : keys.substr(comma + 1);
        }
        comparison(after, out);
        return out;
    }
    std::string_view behind = after;
    const std::string_view second = word(behind);
    if (is_view(first) && (second == "has" || second == "lacks" || second.starts_with('/'))) {
        out.view = first;
        if (!second.starts_with('/')) {
            out.kind = Claim::Kind::Text;
            has_or_lacks(after, out);
        } else {
            out.kind = Claim::Kind::Pointer, out.text = second;
            comparison(behind, out);
        }
        return out;
    }
    if (second == "has" || second == "lacks")
        return mistake(fmt::format("found {}, wanted a view of --inspect help, or console", first));
    out.text = rest; // names are known when the machine stands there
    return out;
}

std::optional<double> number(std::string_view text) {
    if (text.starts_with("0x")) {
        u64 value = 0;
        const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), value, 16);
        if (error == std::errc{} && end == text.data() + text.size()) return static_cast<double>(value);
        return std::nullopt;
    }
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

template <class T> bool compare(const T& a, std::string_view operation, const T& b) {
    if (operation == "==") return a == b;
    if (operation == "!=") return a != b;
    if (operation == "<") return a < b;
    if (operation == "<=") return a <= b;
    if (operation == ">") return a > b;
    return a >= b;
}

/// As numbers when both are, else as texts.
std::string compared(const std::string& found, const Claim& claim) {
    const auto a = number(found), b = number(claim.wanted);
    const bool holds =
        a && b ? compare(*a, claim.operation, *b) : compare(found, claim.operation, claim.wanted);
    return holds ? std::string()
                 : fmt::format("found {}, wanted {} {}", found, claim.operation, claim.wanted);
}

std::string scalar(const json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

u64 count_objects(const json& value, const Claim& claim) {
    u64 sum = 0;
    if (value.is_object() && std::ranges::all_of(claim.keys, [&](const auto& key) {
            const auto found = value.find(key.first);
            return found != value.end() && !found->is_structured() && scalar(*found) == key.second;
        }))
        ++sum;
    if (value.is_structured())
        for (const json& inner : value) sum += count_objects(inner, claim);
    return sum;
}

std::string shortened(std::string text) {
    constexpr std::size_t Most = 160;
    for (char& c : text)
        if (c == '\n' || c == '\r') c = ' ';
    if (text.size() > Most) text = "…" + text.substr(text.size() - Most);
    return text;
}

std::string contains(const std::string& all, const Claim& claim) {
    if (all.contains(claim.text) != claim.lacks) return {};
    return fmt::format("found {}, wanted {} \"{}\"", all.empty() ? "nothing" : "\"" + shortened(all) + "\"",
                       claim.lacks ? "nothing with" : "a text with", claim.text);
}

std::string expression(const Claim& claim, const ExpectContext& context) {
    const auto value = context.debugger.evaluate(claim.text);
    if (!value) return value.error().message;
    if (*value) return {};
    // What stands on the left says more than "not true".
    for (std::string_view operation : {" == ", " != ", " <= ", " >= ", " < ", " > "})
        if (const auto at = claim.text.find(operation); at != std::string::npos) {
            const auto left = context.debugger.evaluate(claim.text.substr(0, at));
            if (left)
                return fmt::format("found {} = {:#x} ({}), wanted{}{}", claim.text.substr(0, at), *left,
                                   *left, operation, claim.text.substr(at + operation.size()));
        }
    return fmt::format("found 0, wanted {} to hold", claim.text);
}

} // namespace

std::string expectation_mistake(std::string_view text) { return parse(text).mistake; }

std::string check_expectation(std::string_view text, const ExpectContext& context) {
    const Claim claim = parse(text);
    if (!claim.mistake.empty()) return claim.mistake;
    switch (claim.kind) {
    case Claim::Kind::Expression: return expression(claim, context);
    case Claim::Kind::Console: {
        const std::string& kept = context.machine.serial_output();
        const u64 fresh = std::min<u64>(context.machine.serial_total() -
                                            std::min(context.machine.serial_total(), context.from_console),
                                        kept.size());
        return contains(kept.substr(kept.size() - fresh), claim);
    }
    case Claim::Kind::Events: {
        const u32 kinds = *parse_event_kinds(claim.view);
        u64 sum = 0;
        const u64 edges[] = {context.from_step, context.machine.steps() + 1};
        for (unsigned kind = 0; kind < EventKinds; ++kind)
            if (kinds >> kind & 1)
                sum += context.events.density(static_cast<EventKind>(kind), edges, EventAxis::Step)[0];
        return compared(std::to_string(sum), claim);
    }
    default: break;
    }
    auto face = inspect::inspect(context.machine, claim.view, claim.kind != Claim::Kind::Text);
    if (!face) return face.error().message;
    if (claim.kind == Claim::Kind::Text) return contains(*face, claim);
    const json all = json::parse(*face, nullptr, false);
    if (all.is_discarded()) return fmt::format("found no JSON from {}", claim.view);
    if (claim.kind == Claim::Kind::Count) return compared(std::to_string(count_objects(all, claim)), claim);
    try {
        const json& value = all.at(json::json_pointer(claim.text));
        if (value.is_structured()) return compared(std::to_string(value.size()), claim); // a list: how long
        return compared(scalar(value), claim);
    } catch (const json::exception&) {
        return fmt::format("found nothing at {} of {}, wanted {} {}", claim.text, claim.view, claim.operation,
                           claim.wanted);
    }
}

} // namespace vitrine::emu
