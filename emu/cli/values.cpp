// Values on the command line: sizes, numbers, conditions, disks, times. See options.h.
#include <charconv>
#include <fmt/format.h>
#include "emu/cli/options.h"

namespace vitrine::emu::cli {

namespace {

/// Resolves \n (Enter, CR on a serial line), \t, \e, \\ and \xHH.
Expected<std::string> unescape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\') {
            out += text[i];
            continue;
        }
        if (++i == text.size()) return usage_error("a text ends in a single backslash");
        switch (text[i]) {
        case 'n': out += '\r'; break;
        case 't': out += '\t'; break;
        case 'e': out += '\x1B'; break;
        case '\\': out += '\\'; break;
        case 'x': {
            unsigned value = 0;
            const char* first = text.data() + i + 1;
            const char* last = text.data() + std::min(text.size(), i + 3);
            const auto [end, error] = std::from_chars(first, last, value, 16);
            if (error != std::errc{} || end != first + 2)
                return usage_error("\\x needs two hexadecimal digits");
            out += static_cast<char>(value);
            i += 2;
            break;
        }
        default:
            return usage_error(fmt::format(
                "\\{} is no escape: there are \\n \\t \\e \\xHH, and \\\\ for a backslash", text[i]));
        }
    }
    return out;
}

bool leap(int year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

} // namespace

Expected<u64> parse_number(std::string_view text) {
    std::string_view digits = text;
    int base = 10;
    if (digits.starts_with("0x") || digits.starts_with("0X")) digits.remove_prefix(2), base = 16;
    u64 value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
    if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size())
        return usage_error(fmt::format("'{}' is not a number", text));
    return value;
}

Expected<u64> parse_size(std::string_view text) {
    std::string_view digits = text;
    unsigned shift = 20; // like QEMU: a plain number counts MiB
    if (!digits.empty()) {
        switch (digits.back()) {
        case 'K':
        case 'k':
            shift = 10;
            digits.remove_suffix(1);
            break;
        case 'M':
        case 'm':
            shift = 20;
            digits.remove_suffix(1);
            break;
        case 'G':
        case 'g':
            shift = 30;
            digits.remove_suffix(1);
            break;
        case 'T':
        case 't':
            shift = 40;
            digits.remove_suffix(1);
            break;
        default: break;
        }
    }
    u64 value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size())
        return usage_error(fmt::format("'{}' is not a size (512M, 2G)", text));
    if (value > (~u64{0} >> shift)) return usage_error(fmt::format("size {} is too large", text));
    return value << shift;
}

Expected<BreakSpec> parse_until(std::string_view text) {
    BreakSpec out;
    const auto colon = text.find(':');
    const std::string_view kind = text.substr(0, colon),
                           value = colon == std::string_view::npos ? "" : text.substr(colon + 1);
    if (!value.empty() && kind == "step") {
        auto step = parse_number(value);
        if (!step) return std::unexpected(step.error());
        out.kind = BreakKind::Step, out.address = *step;
    } else if (!value.empty() && kind == "phase") {
        out.kind = BreakKind::Phase, out.text = value;
    } else if (!value.empty() && kind == "rip") {
        return parse_break(text); // symbols with offsets, and clauses
    } else if (!value.empty() && kind == "serial") {
        auto wanted = unescape(value);
        if (!wanted) return std::unexpected(wanted.error());
        out.kind = BreakKind::Console, out.text = *wanted;
    } else {
        return usage_error(
            fmt::format("'{}' is not a condition: step:N, phase:NAME, rip:ADDR|SYMBOL or serial:TEXT", text));
    }
    return out;
}

static Expected<BreakSpec> any_place(std::string_view text) {
    auto until = parse_until(text);
    if (until || text.starts_with("rip:")) return until;
    auto any = parse_break(text);
    // A word alone is rather a mistake than a symbol here.
    if (any && any->kind != BreakKind::Address) return any;
    return std::unexpected(text.contains(':') && !any ? any.error() : until.error());
}
Expected<BreakSpec> parse_until_break(std::string_view text) {
    auto spec = any_place(text);
    if (spec && spec->action != BreakAction::Stop)
        return usage_error(
            fmt::format("{}: log and count never stop the machine; they belong to --break", text));
    return spec;
}

Expected<Typing> parse_typing(std::string_view text) {
    Typing out;
    out.when.kind = BreakKind::Prompt, out.when.own = true;
    std::string_view typed = text;
    // The text may hold '@' itself: only what reads as a condition behind the last one is a condition.
    if (const auto at = text.rfind('@'); at != std::string_view::npos) {
        const std::string_view rest = text.substr(at + 1);
        for (std::string_view kind : {"step:", "phase:", "rip:", "serial:"}) {
            if (!rest.starts_with(kind)) continue;
            auto when = parse_until(rest);
            if (!when) return usage_error(fmt::format("--type '{}': {}", text, when.error().message));
            out.when = *when, out.when.own = true;
            typed = text.substr(0, at);
        }
    }
    auto resolved = unescape(typed);
    if (!resolved) return usage_error(fmt::format("--type '{}': {}", text, resolved.error().message));
    if (resolved->empty()) return usage_error("--type needs a text");
    out.text = *resolved;
    return out;
}

Expected<MediumChange> parse_medium_change(std::string_view text) {
    // Names and texts may hold '@': the condition begins behind the last one that a kind of condition
    // follows.
    std::size_t at = std::string_view::npos;
    for (const std::string_view kind : {"@step:", "@phase:", "@rip:", "@serial:"})
        if (const auto found = text.rfind(kind);
            found != std::string_view::npos && (at == std::string_view::npos || found > at))
            at = found;
    if (at == std::string_view::npos || at == 0)
        return usage_error(fmt::format("--change-cdrom {}: FILE@EXPR, or none@EXPR", text));
    auto when = parse_until(text.substr(at + 1));
    if (!when) return usage_error(fmt::format("--change-cdrom {}: {}", text, when.error().message));
    const std::string_view file = text.substr(0, at);
    when->own = true;
    return MediumChange{file == "none" ? std::string() : std::string(file), *when};
}

Expected<void> parse_boot(std::string_view text, MachineConfig& machine) {
    const auto bad = [text] {
        return usage_error(fmt::format(
            "--boot {}: disk, cdrom, or order=LETTERS (c the disk, d the disc) and menu=on|off", text));
    };
    if (text == "disk" || text == "cdrom") {
        machine.boot_cdrom = text == "cdrom";
        return {};
    }
    for (std::string_view rest = text; !rest.empty();) {
        const auto comma = rest.find(',');
        const std::string_view part = rest.substr(0, comma);
        rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
        if (comma != std::string_view::npos && rest.empty()) return bad();
        if (part == "menu=on" || part == "menu=off") {
            machine.boot_menu = part == "menu=on";
        } else if (part.starts_with("order=")) {
            const std::string_view order = part.substr(6);
            if (order.find_first_of("an") != std::string_view::npos)
                return usage_error(
                    fmt::format("--boot {}: floppy disks and the network are not there yet", text));
            if (order != "c" && order != "d" && order != "cd" && order != "dc") return bad();
            machine.boot_order = order;
            machine.boot_cdrom = order[0] == 'd';
        } else {
            return bad();
        }
    }
    return {};
}

/// What stands before the first single comma, with doubled ones (as QEMU writes a comma that is part of a
/// name) made single; `text` goes on behind it.
static std::string take_property(std::string_view& text) {
    std::string out;
    while (!text.empty()) {
        const char c = text.front();
        text.remove_prefix(1);
        if (c == ',') {
            if (!text.starts_with(',')) break;
            text.remove_prefix(1);
        }
        out += c;
    }
    return out;
}

Expected<DiskConfig> parse_disk(std::string_view text) {
    DiskConfig out;
    for (bool first = true; !text.empty() || first; first = false) {
        const std::string part = take_property(text);
        if (first)
            out.path = part;
        else if (part == "readonly")
            out.read_only = true;
        else if (part.starts_with("overlay=") && part.size() > 8)
            out.overlay = part.substr(8);
        else if (part == "format=raw")
            out.format = ImageFormat::Raw;
        else if (part == "format=qcow2")
            out.format = ImageFormat::Qcow2;
        else
            return usage_error(fmt::format(
                "--disk: unknown property '{}'; readonly, format=raw|qcow2 and overlay=FILE are known",
                part));
    }
    if (out.path.empty()) return usage_error("--disk needs a file");
    if (out.read_only && !out.overlay.empty()) return usage_error("--disk: a read-only disk has no overlay");
    return out;
}

Expected<i64> parse_wall_clock(std::string_view text) {
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, used = 0;
    const std::string owned(text);
    const int fields = std::sscanf(owned.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &year, &month, &day, &hour,
                                   &minute, &second, &used);
    const bool whole = fields == 6 && (static_cast<std::size_t>(used) == owned.size() ||
                                       owned.substr(static_cast<std::size_t>(used)) == "Z");
    static constexpr int Days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (!whole || year < 1970 || year > 2099 || month < 1 || month > 12 || day < 1 ||
        day > Days[month - 1] + (month == 2 && leap(year) ? 1 : 0) || hour < 0 || hour > 23 || minute < 0 ||
        minute > 59 || second < 0 || second > 59)
        return usage_error(
            fmt::format("'{}' is not a time like 2026-01-01T00:00:00Z between 1970 and 2099", text));
    i64 days = 0;
    for (int y = 1970; y < year; ++y) days += leap(y) ? 366 : 365;
    for (int m = 1; m < month; ++m) days += Days[m - 1] + (m == 2 && leap(year) ? 1 : 0);
    return ((days + day - 1) * 24 + hour) * 3600 + minute * 60 + second;
}

} // namespace vitrine::emu::cli
