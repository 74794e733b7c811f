// Number formats: see format.h.
#include "ui/model/format.h"
#include <cstdlib>
#include <cxxabi.h>
#include <fmt/format.h>

namespace vitrine::ui {

std::string grouped(u64 value) {
    const std::string digits = std::to_string(value);
    std::string out;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        if (i && (digits.size() - i) % 3 == 0) out += "\u2009";
        out += digits[i];
    }
    return out;
}

std::string short_count(u64 value) {
    const double v = static_cast<double>(value);
    if (value < 10'000) return std::to_string(value);
    if (value < 1'000'000) return fmt::format("{:.1f} k", v / 1e3);
    if (value < 1'000'000'000) return fmt::format("{:.1f} M", v / 1e6);
    return fmt::format("{:.2f} G", v / 1e9);
}

std::string duration_text(u64 nanoseconds) {
    const double v = static_cast<double>(nanoseconds);
    if (nanoseconds < 1'000) return fmt::format("{} ns", nanoseconds);
    if (nanoseconds < 1'000'000) return fmt::format("{:.2f} µs", v / 1e3);
    if (nanoseconds < 1'000'000'000) return fmt::format("{:.2f} ms", v / 1e6);
    return fmt::format("{:.3f} s", v / 1e9);
}

std::string hex_text(u64 value, unsigned digits) { return fmt::format("{:0{}x}", value, digits); }

std::string bytes_text(u64 bytes) {
    static const char* const Units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    unsigned unit = 0;
    double v = static_cast<double>(bytes);
    while (v >= 1024 && unit < 4) v /= 1024, ++unit;
    return v == static_cast<double>(static_cast<u64>(v))
               ? fmt::format("{} {}", static_cast<u64>(v), Units[unit])
               : fmt::format("{:.1f} {}", v, Units[unit]);
}

std::string readable_symbol(const std::string& name) {
    const std::size_t plus = name.rfind("+0x");
    const std::string symbol = name.substr(0, plus),
                      offset = plus == std::string::npos ? "" : name.substr(plus);
    std::string out = symbol;
    if (name.starts_with("_Z")) {
        int status = 0;
        char* demangled = abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status);
        if (!demangled) return name;
        out = demangled;
        std::free(demangled);
    } else if (!name.contains("::")) {
        return name; // C, assembly, or a sentence
    }
    for (const char* part : {"(anonymous namespace)::", "kernel::"})
        for (std::size_t at = 0; (at = out.find(part, at)) != std::string::npos;)
            out.erase(at, std::string(part).size());
    // Arguments and template arguments say more than there is room for.
    int depth = 0;
    std::string plain;
    for (char c : out) {
        if (c == '<') ++depth;
        if (c == '(' && depth == 0) break;
        if (depth == 0) plain += c;
        if (c == '>') --depth;
    }
    if (const std::size_t space = plain.rfind(' '); space != std::string::npos)
        plain = plain.substr(space + 1); // a template's return type
    return (plain.empty() ? out : plain) + offset;
}

std::string without_marks(std::string text) {
    std::erase_if(text, [](char c) { return c == '`' || c == '*'; });
    return text;
}

std::string base_name(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

} // namespace vitrine::ui
