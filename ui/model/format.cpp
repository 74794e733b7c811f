// Number formats: see format.h.
#include "ui/model/format.h"
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
    return v == static_cast<double>(static_cast<u64>(v)) ? fmt::format("{} {}", static_cast<u64>(v), Units[unit]) : fmt::format("{:.1f} {}", v, Units[unit]);
}

std::string base_name(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

} // namespace vitrine::ui
