// Reading lessons: see lesson.h.
#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include "emu/cli/options.h"
#include "emu/debugger/expression.h"
#include "emu/lessons/expect.h"
#include "emu/lessons/lesson.h"
#include "emu/load/files.h"

namespace vitrine::emu {

namespace {

constexpr std::string_view Fence = "```", Language = "vitrine";
constexpr std::string_view Words[] = {"run to", "step",    "type",   "show",
                                      "mark",   "back to", "expect", "machine"};

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
        text.remove_suffix(1);
    return text;
}

/// The rest behind `word` and a space.
bool begins(std::string_view line, std::string_view word, std::string_view& rest) {
    if (!line.starts_with(word) || (line.size() > word.size() && line[word.size()] != ' ')) return false;
    rest = trim(line.substr(word.size()));
    return true;
}

class Reader {
public:
    Reader(std::string_view text, const std::string& path) : text_(text) {
        lesson_.path = path, lesson_.name = std::filesystem::path(path).stem().string();
    }
    Expected<Lesson> read();

private:
    std::unexpected<Error> wrong(const std::string& what) const {
        return bad_input(fmt::format("{}:{}: {}", lesson_.path, line_, what));
    }
    Expected<void> directive(std::string_view line);
    Expected<void> quoted(std::string_view text, std::string& out) const;
    Expected<void> machine(std::string_view rest);

    std::string_view text_;
    Lesson lesson_;
    LessonPart part_;
    std::vector<std::string> marks_;
    unsigned line_ = 0;
};

/// "text", with \n \t \" and \\.
Expected<void> Reader::quoted(std::string_view text, std::string& out) const {
    if (text.size() < 2 || text.front() != '"' || text.back() != '"')
        return wrong(fmt::format("found {}, wanted a text in quotation marks", text));
    for (std::size_t i = 1; i + 1 < text.size(); ++i) {
        if (text[i] != '\\') {
            out += text[i];
            continue;
        }
        switch (i + 2 < text.size() ? text[++i] : 0) {
        case 'n': out += '\r'; break; // Enter
        case 't': out += '\t'; break;
        case '"': out += '"'; break;
        case '\\': out += '\\'; break;
        default:
            return wrong(fmt::format("found {}, wanted \\n, \\t, \\\" or \\\\ behind a backslash", text));
        }
    }
    return {};
}

Expected<void> Reader::machine(std::string_view rest) {
    if (!lesson_.parts.empty() || !part_.directives.empty())
        return wrong("machine must be the first directive: it makes the machine");
    std::vector<std::string> words{"vitrine"};
    while (!rest.empty()) {
        const auto space = rest.find(' ');
        words.emplace_back(rest.substr(0, space));
        rest = space == std::string_view::npos ? std::string_view{} : trim(rest.substr(space));
    }
    std::vector<const char*> raw;
    for (const std::string& word : words) raw.push_back(word.c_str());
    auto parsed = cli::parse(static_cast<int>(raw.size()), raw.data());
    if (!parsed) return wrong(parsed.error().message);
    lesson_.machine.assign(words.begin() + 1, words.end());
    return {};
}

Expected<void> Reader::directive(std::string_view line) {
    Directive out;
    out.line = line_, out.source = line;
    std::string_view rest;
    const auto place = [&](std::string_view text) -> Expected<void> {
        // Both notations: --until's words, and all places of --break; a quoted console text is the latter's.
        auto spec = text.starts_with("serial:\"") ? parse_break(text) : cli::parse_until_break(text);
        if (!spec && !text.contains(':')) spec = parse_break(text);
        if (!spec) return wrong(fmt::format("{}: {}", line, spec.error().message));
        out.place = std::move(*spec), out.has_place = true, out.text = text;
        return {};
    };
    if (begins(line, "machine", rest)) return machine(rest);
    if (begins(line, "run to", rest)) {
        out.kind = Directive::Kind::RunTo;
        if (auto ok = place(rest); !ok) return ok;
    } else if (begins(line, "step", rest)) {
        out.kind = Directive::Kind::Step, out.count = 1;
        if (!rest.empty()) {
            auto count = cli::parse_number(rest);
            if (!count || *count == 0)
                return wrong(fmt::format("found step {}, wanted a number of steps", rest));
            out.count = *count;
        }
    } else if (begins(line, "type", rest)) {
        out.kind = Directive::Kind::Type;
        if (auto ok = quoted(rest, out.text); !ok) return ok;
    } else if (begins(line, "show", rest)) {
        out.kind = Directive::Kind::Show;
        const auto space = rest.find(' ');
        out.text = rest.substr(0, space);
        if (space != std::string_view::npos) out.argument = trim(rest.substr(space));
        if (const auto& known = lesson_panels(); std::ranges::find(known, out.text) == known.end()) {
            std::string names;
            for (std::string_view name : known) names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
            return wrong(fmt::format("found show {}, wanted one of {}{}", out.text, names,
                                     nearest_list(out.text, known)));
        }
    } else if (begins(line, "mark", rest)) {
        out.kind = Directive::Kind::Mark, out.text = rest;
        if (rest.empty()) return wrong("found mark, wanted a name behind it");
        marks_.emplace_back(rest);
    } else if (begins(line, "back to", rest)) {
        out.kind = Directive::Kind::Back, out.text = rest;
        if (std::ranges::find(marks_, rest) == marks_.end())
            if (auto ok = place(rest); !ok) return ok;
    } else if (begins(line, "expect", rest)) {
        out.kind = Directive::Kind::Expect, out.text = rest;
        if (const std::string mistake = expectation_mistake(rest); !mistake.empty())
            return wrong(fmt::format("{}: {}", line, mistake));
    } else {
        std::string names;
        for (std::string_view word : Words) names += fmt::format("{}{}", names.empty() ? "" : ", ", word);
        return wrong(fmt::format("found {}, wanted one of {}{}", line, names,
                                 nearest_list(line.substr(0, line.find(' ')), Words)));
    }
    part_.directives.push_back(std::move(out));
    return {};
}

Expected<Lesson> Reader::read() {
    bool inside = false, foreign = false;
    unsigned opened = 0;
    std::string_view rest = text_;
    while (!rest.empty()) {
        const auto end = rest.find('\n');
        const std::string_view raw = rest.substr(0, end), line = trim(raw);
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
        ++line_;
        if (line.starts_with(Fence)) {
            const std::string_view language = trim(line.substr(Fence.size()));
            if (inside) {
                inside = false;
                if (part_.directives.empty()) continue; // it only made the machine
                lesson_.parts.push_back(std::exchange(part_, {}));
                continue;
            }
            if (!foreign && language == Language) {
                inside = true, opened = line_;
                continue;
            }
            foreign = !foreign;
        }
        if (inside) {
            if (line.empty() || line.starts_with('#')) continue;
            if (auto ok = directive(line); !ok) return std::unexpected(ok.error());
            continue;
        }
        if (lesson_.title.empty()) {
            if (line.empty()) continue;
            if (!line.starts_with("# ")) return wrong(fmt::format("found {}, wanted a title: # …", line));
            lesson_.title = trim(line.substr(2));
            continue;
        }
        if (lesson_.summary.empty() && line.starts_with("> ") &&
            part_.prose.find_first_not_of('\n') == std::string::npos) {
            lesson_.summary = trim(line.substr(2));
            continue;
        }
        part_.prose += raw, part_.prose += '\n';
    }
    if (inside)
        return wrong(fmt::format("the block of directives that opens in line {} is not closed", opened));
    if (lesson_.title.empty()) return wrong("found nothing, wanted a title: # …");
    if (lesson_.summary.empty()) return wrong("found no summary, wanted a line \"> …\" below the title");
    if (lesson_.parts.empty()) return wrong("found no directive, wanted a block ```vitrine");
    if (part_.prose.find_first_not_of(" \n") != std::string::npos) lesson_.parts.push_back(std::move(part_));
    return std::move(lesson_);
}

} // namespace

const std::vector<std::string_view>& lesson_panels() {
    static const std::vector<std::string_view> names = {
        "screen",      "terminal",    "code",         "processor", "timeline", "phases",
        "page-tables", "descriptors", "run-queues",   "memory",    "bytes",    "devices",
        "breakpoints", "interrupts",  "system-calls", "stack"};
    return names;
}

Expected<Lesson> parse_lesson(std::string_view text, const std::string& path) {
    return Reader(text, path).read();
}

Expected<Lesson> load_lesson(const std::string& name_or_path) {
    std::string path = name_or_path;
    if (!path.ends_with(".md")) {
        const std::string folder = bundled_path("lessons");
        path = folder + "/" + name_or_path + ".md";
        if (!file_exists(path)) {
            std::vector<std::string> names;
            std::error_code error;
            for (const auto& each : std::filesystem::directory_iterator(folder, error))
                if (each.path().extension() == ".md" && each.path().stem() != "README")
                    names.push_back(each.path().stem().string());
            std::ranges::sort(names);
            // "14", or "14-buddies", or "buddies"; "3" is 03.
            std::vector<std::string> fitting;
            for (const std::string& name : names)
                if (name.starts_with(name_or_path + "-") || name.starts_with("0" + name_or_path + "-") ||
                    name.ends_with("-" + name_or_path))
                    fitting.push_back(name);
            if (fitting.size() == 1) {
                path = folder + "/" + fitting[0] + ".md";
            } else {
                const std::vector<std::string_view> views(names.begin(), names.end());
                return bad_input(fmt::format("no lesson is called {}{}; vitrine --lessons lists them",
                                             name_or_path, nearest_list(name_or_path, views)));
            }
        }
    }
    constexpr u64 Longest = 1 << 20;
    auto bytes = read_file(path, "lesson", Longest);
    if (!bytes) return std::unexpected(bytes.error());
    return parse_lesson({reinterpret_cast<const char*>(bytes->data()), bytes->size()}, path);
}

std::vector<Lesson> bundled_lessons(std::vector<std::string>* trouble) {
    std::vector<std::string> paths;
    std::error_code error;
    for (const auto& each : std::filesystem::directory_iterator(bundled_path("lessons"), error))
        if (each.path().extension() == ".md" && each.path().stem() != "README")
            paths.push_back(each.path().string());
    std::ranges::sort(paths);
    std::vector<Lesson> out;
    for (const std::string& path : paths) {
        auto lesson = load_lesson(path);
        if (lesson)
            out.push_back(std::move(*lesson));
        else if (trouble)
            trouble->push_back(lesson.error().message);
    }
    return out;
}

} // namespace vitrine::emu
