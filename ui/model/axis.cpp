// Axis: see axis.h.
#include "ui/model/axis.h"
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include "ui/model/format.h"

namespace vitrine::ui {

void Axis::bounds(u64 first, u64 last) {
    first_ = first, last_ = std::max(last, first + Least);
    if (follow_ == Follow::Whole) from_ = first_, to_ = last_;
    if (follow_ == Follow::End) {
        const u64 size = length();
        to_ = last_, from_ = last_ - std::min(size, last_ - first_);
    }
    clamp();
}

void Axis::clamp() {
    const u64 size = std::clamp(length(), Least, last_ - first_);
    from_ = std::clamp(from_, first_, last_ - size);
    to_ = from_ + size;
    if (size == last_ - first_)
        follow_ = Follow::Whole;
    else if (follow_ == Follow::Whole)
        follow_ = to_ == last_ ? Follow::End : Follow::Nothing;
}

void Axis::show_whole() { follow_ = Follow::Whole, from_ = first_, to_ = last_; }

void Axis::show(u64 from, u64 to) {
    from_ = from, to_ = std::max(to, from + Least);
    follow_ = to_ >= last_ ? Follow::End : Follow::Nothing;
    clamp();
}

void Axis::zoom(double share, double factor) {
    const double size = static_cast<double>(length());
    const double most = static_cast<double>(last_ - first_);
    const double wanted = std::clamp(size * factor, static_cast<double>(Least), most);
    const double fixed = static_cast<double>(from_ - first_) + size * share;
    const double begin = std::clamp(fixed - wanted * share, 0.0, most - wanted);
    show(first_ + static_cast<u64>(begin), first_ + static_cast<u64>(begin + wanted));
}

void Axis::pan(double share) {
    const double moved = static_cast<double>(length()) * share;
    const u64 size = length();
    const double begin = std::clamp(static_cast<double>(from_ - first_) + moved, 0.0,
                                    static_cast<double>(last_ - first_ - size));
    show(first_ + static_cast<u64>(begin), first_ + static_cast<u64>(begin) + size);
}

void Axis::bring_into_sight(u64 place) {
    if (place >= from_ && place <= to_) return;
    const u64 half = length() / 2, size = length();
    const u64 begin = place > first_ + half ? place - half : first_;
    show(begin, begin + size);
}

void Axis::change_unit(emu::EventAxis unit, u64 from, u64 to, u64 first, u64 last) {
    unit_ = unit;
    first_ = first, last_ = std::max(last, first + Least);
    if (follow_ == Follow::Whole) return show_whole();
    show(from, to);
}

float Axis::x_of(u64 place, float left, float width) const {
    const double part =
        (static_cast<double>(place) - static_cast<double>(from_)) / static_cast<double>(length());
    return left + static_cast<float>(std::clamp(part, -4.0, 5.0)) * width;
}

u64 Axis::place_at(float x, float left, float width) const {
    const double part = std::clamp(static_cast<double>((x - left) / std::max(width, 1.0f)), 0.0, 1.0);
    return from_ + std::min(static_cast<u64>(part * static_cast<double>(length())), length());
}

std::vector<Axis::Tick> Axis::ticks(unsigned most) const {
    std::vector<Tick> out;
    u64 apart = 1;
    for (unsigned digit = 0; length() / apart > std::max(most, 1u); ++digit)
        apart = digit % 3 == 1 ? apart / 2 * 5 : apart * 2; // 1 2 5 10 20 50 …
    for (u64 at = (from_ + apart - 1) / apart * apart; at <= to_; at += apart) {
        std::string label;
        if (by_time()) {
            const bool seconds = apart >= 1'000'000, milliseconds = apart >= 1'000;
            const double v = static_cast<double>(at);
            if (at == 0)
                label = "0";
            else if (seconds)
                label = fmt::format(
                    "{:.{}f} s", v / 1e9,
                    std::max(0, 9 - static_cast<int>(std::floor(std::log10(static_cast<double>(apart))))));
            else if (milliseconds)
                label = fmt::format("{:.3f} ms", v / 1e6);
            else
                label = fmt::format("{} µs", grouped(at / 1000) + fmt::format(".{:03}", at % 1000));
        } else {
            const double v = static_cast<double>(at);
            if (at >= 1'000'000 && apart >= 100'000)
                label = apart >= 1'000'000 ? fmt::format("{} M", at / 1'000'000)
                                           : fmt::format("{:.1f} M", v / 1e6);
            else
                label = grouped(at);
        }
        out.push_back({at, std::move(label)});
        if (out.size() >= most + 2) break;
    }
    return out;
}

} // namespace vitrine::ui
