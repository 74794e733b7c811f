// The notation of breakpoints: see break_spec.h and docs/debugger.md.
#include "emu/debugger/break_spec.h"
#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <span>
#include <vector>
#include "emu/debugger/expression.h"
#include "emu/events/system_calls.h"

namespace vitrine::emu {

namespace {

constexpr u64 LongestData = 16 << 20, LastSystemCall = 1023;

struct Word {
    std::string_view text;
    BreakKind kind;
    u8 access = AnyAccess;
};
constexpr Word Words[] = {
    {"rip", BreakKind::Address},
    {"write", BreakKind::Data, WriteAccess},
    {"read", BreakKind::Data, ReadAccess},
    {"access", BreakKind::Data},
    {"mmio", BreakKind::Mmio},
    {"mmio-write", BreakKind::Mmio, WriteAccess},
    {"mmio-read", BreakKind::Mmio, ReadAccess},
    {"port", BreakKind::Port},
    {"in", BreakKind::Port, ReadAccess},
    {"out", BreakKind::Port, WriteAccess},
    {"msr", BreakKind::Msr},
    {"rdmsr", BreakKind::Msr, ReadAccess},
    {"wrmsr", BreakKind::Msr, WriteAccess},
    {"cr", BreakKind::Control, WriteAccess},
    {"interrupt", BreakKind::Interrupt},
    {"exception", BreakKind::Exception},
    {"page-fault", BreakKind::Exception},
    {"mode", BreakKind::ModeChange},
    {"phase", BreakKind::Phase},
    {"syscall", BreakKind::SystemCall},
    {"switch", BreakKind::TaskSwitch},
    {"disk", BreakKind::DiskRequest},
    {"disk-read", BreakKind::DiskRequest, ReadAccess},
    {"disk-write", BreakKind::DiskRequest, WriteAccess},
    {"serial", BreakKind::Console},
    {"console", BreakKind::Console},
    {"prompt", BreakKind::Prompt},
    {"step", BreakKind::Step},
};
constexpr std::string_view Mnemonics[] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD",
                                          "#NM", "#DF", "",    "#TS", "#NP", "#SS", "#GP",
                                          "#PF", "",    "#MF", "#AC", "#MC", "#XM", "#VE"};
constexpr std::string_view Modes[] = {"real",     "virtual8086", "protected16", "protected32",
                                      "compat16", "compat32",    "long64"};
constexpr std::string_view Clauses[] = {"if", "cpu", "space", "skip", "once", "count", "log"};

std::optional<u64> number(std::string_view text) {
    int base = 10;
    if (text.starts_with("0x") || text.starts_with("0X")) text.remove_prefix(2), base = 16;
    u64 value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

class SpecParser {
public:
    explicit SpecParser(std::string_view text) : text_(text) {}
    const SpecColumns& columns() const { return columns_; }

    Expected<BreakSpec> parse() {
        space();
        if (at_ >= text_.size()) return fail(at_, "a place is missing");
        if (auto ok = place(); !ok) return std::unexpected(ok.error());
        for (;;) {
            space();
            if (at_ >= text_.size()) return spec_;
            if (auto ok = clause(); !ok) return std::unexpected(ok.error());
        }
    }

private:
    std::unexpected<Error> fail(std::size_t at, const std::string& why) const {
        return usage_error(fmt::format("column {}: {}", at + 1, why));
    }
    void space() {
        while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    }
    std::string_view word() {
        const std::size_t start = at_;
        while (at_ < text_.size() && text_[at_] != ' ') ++at_;
        return text_.substr(start, at_ - start);
    }

    Expected<void> place() {
        const std::size_t start = at_;
        const auto colon = text_.find(':', start);
        std::string_view kind = text_.substr(start, std::min(colon, text_.find(' ', start)) - start);
        // "a::b" is a name; "rip:::b" is a kind of place with a name that begins with its colons.
        if (colon != std::string_view::npos && text_.substr(colon).starts_with("::") &&
            !text_.substr(colon).starts_with(":::"))
            kind = {};
        const auto* known = std::ranges::find(Words, kind, &Word::text);
        const bool bare = start + kind.size() >= text_.size() || text_[start + kind.size()] == ' ';
        // A word alone is an event when it needs no more ("disk"), else a symbol of that name ("read").
        if (known != std::end(Words) && !(bare && needs_value(known->kind))) {
            spec_.kind = known->kind, spec_.access = known->access;
            at_ = start + kind.size();
            if (!bare) ++at_;
            return value(kind, bare);
        }
        columns_.place = start;
        const std::string_view where = word();
        if (bare && at_ < text_.size() && std::ranges::find(Clauses, where) != std::end(Clauses))
            return fail(start, fmt::format("a place is missing: '{}' comes behind one, as in 'schedule cpu 3 "
                                           "if rax == 1'",
                                           where));
        if (const auto split = where.rfind(':'); split != std::string_view::npos && split > 0 &&
                                                 where[split - 1] != ':' && number(where.substr(split + 1))) {
            if (where.find('.') == std::string_view::npos)
                return fail(start, fmt::format("'{}' is not a kind of place{}", where.substr(0, split),
                                               nearest_word(where.substr(0, split))));
            spec_.kind = BreakKind::SourceLine;
            spec_.symbol = where.substr(0, split);
            spec_.line = static_cast<unsigned>(std::min<u64>(*number(where.substr(split + 1)), 1u << 30));
            return {};
        }
        if (const auto split = where.find(':');
            split != std::string_view::npos && !where.substr(split).starts_with("::"))
            return fail(start, fmt::format("'{}' is not a kind of place{}", where.substr(0, split),
                                           nearest_word(where.substr(0, split))));
        spec_.kind = BreakKind::Address;
        return address(where, start);
    }

    static std::string nearest_word(std::string_view wanted) {
        std::vector<std::string_view> all;
        for (const Word& known : Words) all.push_back(known.text);
        return nearest_list(wanted, all);
    }
    static bool needs_value(BreakKind kind) {
        switch (kind) {
        case BreakKind::Interrupt:
        case BreakKind::Exception:
        case BreakKind::ModeChange:
        case BreakKind::Phase:
        case BreakKind::SystemCall:
        case BreakKind::TaskSwitch:
        case BreakKind::Prompt:
        case BreakKind::DiskRequest: return false;
        default: return true;
        }
    }

    /// ADDRESS | SYMBOL[+OFFSET]
    Expected<void> address(std::string_view where, std::size_t at) {
        if (where.empty()) return fail(at, "an address or a symbol is missing");
        if (isdigit(static_cast<unsigned char>(where[0]))) {
            const auto value = number(where);
            if (!value) return fail(at, fmt::format("'{}' is not an address", where));
            spec_.address = *value;
            return {};
        }
        const auto plus = where.rfind('+');
        spec_.symbol = where.substr(0, plus);
        if (spec_.symbol.empty()) return fail(at, "a symbol is missing");
        spec_.address = 0;
        if (plus == std::string_view::npos) return {};
        const auto offset = number(where.substr(plus + 1));
        if (!offset) return fail(at + plus + 1, fmt::format("'{}' is not a number", where.substr(plus + 1)));
        spec_.address = *offset;
        return {};
    }

    /// N | N-M
    Expected<void> range(std::string_view what, std::size_t at, u64 last) {
        const auto dash = what.find('-');
        const auto first = number(what.substr(0, dash));
        const auto end = dash == std::string_view::npos ? first : number(what.substr(dash + 1));
        if (!first || !end || *first > *end || *end > last)
            return fail(at, fmt::format("'{}' is not a number or range up to {:#x}", what, last));
        spec_.address = *first, spec_.length = *end - *first + 1;
        return {};
    }

    Expected<void> value(std::string_view kind, bool bare) {
        const std::size_t start = at_;
        switch (spec_.kind) {
        case BreakKind::Console: {
            if (at_ < text_.size() && text_[at_] == '"') {
                const auto end = text_.find('"', ++at_);
                if (end == std::string_view::npos) return fail(start, "the closing quote is missing");
                spec_.text = text_.substr(at_, end - at_);
                at_ = end + 1;
            } else {
                spec_.text = word();
                if (const auto quote = spec_.text.find('"'); quote != std::string::npos)
                    return fail(start + quote, "quotation marks stand around the whole text");
            }
            if (spec_.text.empty()) return fail(start, "a text is missing");
            return {};
        }
        default: break;
        }
        columns_.place = start;
        const std::string_view what = bare ? std::string_view{} : word();
        if (!bare && what.empty())
            return fail(start, fmt::format("{} needs something behind the colon", kind));
        switch (spec_.kind) {
        case BreakKind::Address: return address(what, start);
        case BreakKind::Data:
        case BreakKind::Mmio: return memory(what, start);
        case BreakKind::Port: return range(what, start, 0xFFFF);
        case BreakKind::Msr: return range(what, start, 0xFFFF'FFFF);
        case BreakKind::Control: {
            const auto index = number(what);
            if (!index || (*index != 0 && *index != 3 && *index != 4 && *index != 8))
                return fail(start, "control registers are cr:0, cr:3, cr:4 and cr:8");
            spec_.address = *index;
            return {};
        }
        case BreakKind::Interrupt:
        case BreakKind::Exception: return vectors(kind, what, start, bare);
        case BreakKind::ModeChange:
            if (!bare && std::ranges::find(Modes, what) == std::end(Modes)) {
                const std::string near = nearest_list(what, Modes);
                return fail(
                    start,
                    fmt::format("'{}' is not a mode{}", what,
                                near.empty() ? fmt::format("; there are {}", fmt::join(Modes, ", ")) : near));
            }
            spec_.text = what;
            return {};
        case BreakKind::Phase: spec_.text = bare ? "*" : what; return {};
        case BreakKind::SystemCall: return system_call_place(what, start, bare);
        case BreakKind::TaskSwitch: spec_.text = what; return {};
        case BreakKind::Step: {
            const auto step = number(what);
            if (!step) return fail(start, fmt::format("'{}' is not a number", what));
            spec_.address = *step;
            return {};
        }
        default:
            if (!bare) return fail(start, fmt::format("{} takes no value", kind));
            return {};
        }
    }

    Expected<void> memory(std::string_view what, std::size_t at) {
        if (what.starts_with("phys:")) spec_.physical = true, what.remove_prefix(5), at += 5;
        if (spec_.kind == BreakKind::Mmio) spec_.physical = true;
        spec_.length = spec_.kind == BreakKind::Mmio ? 4 : 0; // 0: as long as the symbol is, else 8
        auto colon = what.rfind(':');
        if (colon != std::string_view::npos && colon > 0 && what[colon - 1] == ':')
            colon = std::string_view::npos;
        if (colon != std::string_view::npos) {
            const auto length = number(what.substr(colon + 1));
            if (!length || *length == 0 || *length > LongestData)
                return fail(at + colon + 1, fmt::format("a length is 1 to {} bytes", LongestData));
            spec_.length = *length;
            what = what.substr(0, colon);
        }
        if (auto ok = address(what, at); !ok) return ok;
        if (spec_.physical && !spec_.symbol.empty()) return fail(at, "a physical address is a number");
        if (spec_.symbol.empty() && spec_.length == 0) spec_.length = 8;
        if (spec_.symbol.empty() && spec_.address + (spec_.length - 1) < spec_.address)
            return fail(at, "the range wraps around the end of memory");
        return {};
    }

    Expected<void> vectors(std::string_view kind, std::string_view what, std::size_t at, bool bare) {
        if (kind == "page-fault") {
            if (!bare) return fail(at, "page-fault takes no value");
            spec_.address = 14;
            return {};
        }
        spec_.length = BreakSpec::Any;
        if (bare) return {};
        const auto* name = std::ranges::find(Mnemonics, what);
        if (name != std::end(Mnemonics)) {
            spec_.address = static_cast<u64>(name - std::begin(Mnemonics)), spec_.length = 1;
            return {};
        }
        if (!isdigit(static_cast<unsigned char>(what[0])))
            return fail(at, fmt::format("'{}' is not an exception{}", what, nearest_list(what, Mnemonics)));
        return range(what, at, 255);
    }

    Expected<void> system_call_place(std::string_view what, std::size_t at, bool bare) {
        spec_.length = BreakSpec::Any;
        if (bare) return {};
        spec_.length = 1;
        if (const auto value = number(what)) {
            // Other systems have calls that Linux has not; nobody has thousands.
            if (*value > LastSystemCall)
                return fail(at, fmt::format("system calls are 0 to {}; Linux's last one is {}, {}",
                                            LastSystemCall, system_calls().back().number,
                                            system_calls().back().name));
            spec_.address = *value;
            return {};
        }
        const SystemCall* call = emu::system_call(what);
        if (!call) {
            std::vector<std::string_view> names;
            for (const SystemCall& known : system_calls()) names.push_back(known.name);
            return fail(at, fmt::format("'{}' is not a system call{}", what, nearest_list(what, names)));
        }
        spec_.address = call->number;
        return {};
    }

    Expected<void> clause() {
        const std::size_t start = at_;
        const std::string_view name = word();
        if (std::ranges::find(seen_, name) != seen_.end())
            return fail(start, fmt::format("'{}' is there twice", name));
        if ((name == "log" && spec_.action == BreakAction::Count))
            return fail(start, "count and log exclude each other: a log point counts its hits, too");
        seen_.push_back(name);
        const auto argument = [&]() -> Expected<u64> {
            space();
            const std::size_t at = at_;
            const std::string_view what = word();
            if (const auto value = number(what)) return *value;
            return fail(at, fmt::format("{} needs a number", name));
        };
        if (name == "if") {
            space();
            const std::size_t at = at_;
            // Up to " log " outside quotes, or the end.
            bool quoted = false;
            std::size_t end = at;
            for (; end < text_.size(); ++end) {
                if (text_[end] == '"') quoted = !quoted;
                if (!quoted && text_.substr(end).starts_with(" log ")) break;
            }
            spec_.condition = text_.substr(at, end - at);
            columns_.condition = at;
            at_ = end;
            if (spec_.condition.find_first_not_of(' ') == std::string::npos)
                return fail(at, "a condition is missing");
            return {};
        }
        if (name == "log") {
            space();
            spec_.action = BreakAction::Log;
            columns_.message = std::min(at_, text_.size());
            spec_.message = text_.substr(columns_.message);
            at_ = text_.size();
            if (spec_.message.empty()) return fail(at_, "log needs a text");
            return {};
        }
        if (name == "once") return spec_.once = true, Expected<void>{};
        if (name == "count") return spec_.action = BreakAction::Count, Expected<void>{};
        if (name != "cpu" && name != "space" && name != "skip")
            return fail(start, fmt::format("'{}' is not a clause{}", name, nearest_list(name, Clauses)));
        const auto number_given = argument();
        if (!number_given) return std::unexpected(number_given.error());
        if (name == "skip") spec_.skip = *number_given;
        if (name == "space") spec_.address_space = *number_given;
        if (name == "cpu") {
            // Whether the machine has it, the debugger knows.
            spec_.processor = static_cast<int>(std::min<u64>(*number_given, 1u << 30));
            columns_.processor = start;
        }
        return {};
    }

    std::string_view text_;
    std::size_t at_ = 0;
    BreakSpec spec_;
    SpecColumns columns_;
    std::vector<std::string_view> seen_; ///< clauses so far
};

std::string place_text(const BreakSpec& s) {
    const std::string where = s.symbol.empty() ? fmt::format("{:#x}", s.address)
                              : s.address      ? fmt::format("{}+{:#x}", s.symbol, s.address)
                                               : s.symbol;
    const auto either = [&](const char* any, const char* read, const char* write) {
        return s.access == ReadAccess ? read : s.access == WriteAccess ? write : any;
    };
    const auto numbers = [&](const char* name) {
        if (s.length == BreakSpec::Any) return std::string(name);
        if (s.length == 1) return fmt::format("{}:{:#x}", name, s.address);
        return fmt::format("{}:{:#x}-{:#x}", name, s.address, s.address + s.length - 1);
    };
    const auto text = [&](const char* name) {
        return s.text.empty() ? std::string(name) : fmt::format("{}:{}", name, s.text);
    };
    switch (s.kind) {
    case BreakKind::Address: return "rip:" + where;
    case BreakKind::SourceLine: return fmt::format("{}:{}", s.symbol, s.line);
    case BreakKind::Data:
        return fmt::format("{}:{}{}{}", either("access", "read", "write"), s.physical ? "phys:" : "", where,
                           s.length ? fmt::format(":{}", s.length) : "");
    case BreakKind::Mmio:
        return fmt::format("{}:{}:{}", either("mmio", "mmio-read", "mmio-write"), where, s.length);
    case BreakKind::Port: return numbers(either("port", "in", "out"));
    case BreakKind::Msr: return numbers(either("msr", "rdmsr", "wrmsr"));
    case BreakKind::Control: return fmt::format("cr:{}", s.address);
    case BreakKind::Interrupt: return numbers("interrupt");
    case BreakKind::Exception: return numbers("exception");
    case BreakKind::ModeChange: return text("mode");
    case BreakKind::Phase: return text("phase");
    case BreakKind::SystemCall: {
        const SystemCall* call = s.length == 1 ? system_call(s.address) : nullptr;
        return call ? fmt::format("syscall:{}", call->name) : numbers("syscall");
    }
    case BreakKind::TaskSwitch: return text("switch");
    case BreakKind::DiskRequest: return either("disk", "disk-read", "disk-write");
    case BreakKind::Console: return fmt::format("serial:\"{}\"", s.text);
    case BreakKind::Prompt: return "prompt";
    case BreakKind::Step: return fmt::format("step:{}", s.address);
    }
    return "?";
}

} // namespace

Expected<BreakSpec> parse_break(std::string_view text, SpecColumns* columns) {
    SpecParser parser(text);
    auto spec = parser.parse();
    if (columns) *columns = parser.columns();
    return spec;
}

std::string to_text(const BreakSpec& s) {
    std::string out = place_text(s);
    if (s.processor >= 0) out += fmt::format(" cpu {}", s.processor);
    if (s.address_space) out += fmt::format(" space {:#x}", *s.address_space);
    if (s.skip) out += fmt::format(" skip {}", s.skip);
    if (s.once) out += " once";
    if (s.action == BreakAction::Count) out += " count";
    if (!s.condition.empty()) out += " if " + s.condition;
    if (s.action == BreakAction::Log) out += " log " + s.message;
    return out;
}

const char* break_kind_name(BreakKind kind) {
    switch (kind) {
    case BreakKind::Address: return "address";
    case BreakKind::SourceLine: return "source line";
    case BreakKind::Data: return "data";
    case BreakKind::Mmio: return "device register";
    case BreakKind::Port: return "port";
    case BreakKind::Msr: return "MSR";
    case BreakKind::Control: return "control register";
    case BreakKind::Interrupt: return "interrupt";
    case BreakKind::Exception: return "exception";
    case BreakKind::ModeChange: return "mode change";
    case BreakKind::Phase: return "phase";
    case BreakKind::SystemCall: return "system call";
    case BreakKind::TaskSwitch: return "task switch";
    case BreakKind::DiskRequest: return "disk request";
    case BreakKind::Console: return "console";
    case BreakKind::Prompt: return "prompt";
    case BreakKind::Step: return "step";
    }
    return "?";
}

} // namespace vitrine::emu
