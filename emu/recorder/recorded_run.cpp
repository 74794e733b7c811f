// RecordedRun: see recorded_run.h.
#include "emu/recorder/recorded_run.h"
#include <algorithm>
#include <fmt/format.h>
#include <unordered_set>

namespace vitrine::emu {

using recording::CheckpointPlace;

RecordedRun::RecordedRun(std::shared_ptr<recording::Source> file, const recording::Contents& contents,
                         std::string name)
    : file_(std::move(file)), name_(std::move(name)), checkpoints_(contents.checkpoints),
      hashes_(contents.hashes), end_(contents.end ? contents.end->step : contents.last_step) {
    if (checkpoints_.empty()) return;
    if (auto all = view(checkpoints_.size() - 1))
        phases_ = std::move(all->phases), modes_ = std::move(all->modes);
}

RecordedRun::RecordedRun(std::shared_ptr<recording::Source> file, std::string name)
    : file_(std::move(file)), name_(std::move(name)) {}

std::optional<u64> RecordedRun::before(u64 step) const {
    auto at = std::ranges::upper_bound(checkpoints_, step, {}, &CheckpointPlace::step);
    while (at != checkpoints_.begin())
        if (--at; !refused_.contains(at->step)) return at->step;
    return std::nullopt;
}

std::size_t RecordedRun::whole_before(std::size_t index) const {
    while (index > 0 && !checkpoints_[index].head.whole) --index;
    return index;
}

/// What the host knew there: the sum of what the checkpoints since the last whole one have told.
Expected<Machine::HostView> RecordedRun::view(std::size_t index) const {
    constexpr std::size_t MostPhases = 65536, LongestConsole = 5 << 20; // what a machine itself keeps
    Machine::HostView out;
    const auto add = [MostPhases](auto& all, const auto& fresh) {
        const std::size_t room = MostPhases - std::min(MostPhases, all.size());
        all.insert(all.end(), fresh.begin(),
                   fresh.begin() + static_cast<std::ptrdiff_t>(std::min(room, fresh.size())));
    };
    for (std::size_t i = whole_before(index); i <= index; ++i) {
        const auto head = recording::read_head(*file_, checkpoints_[i]);
        if (!head) return std::unexpected(head.error());
        add(out.phases, head->phases);
        add(out.modes, head->modes);
        if (head->console_total - head->console.size() > out.serial_total) out.serial.clear(); // a gap
        out.serial += head->console;
        if (out.serial.size() > LongestConsole) out.serial.erase(0, out.serial.size() - LongestConsole);
        out.serial_total = head->console_total;
    }
    return out;
}

Expected<KnownRun::State> RecordedRun::read(std::size_t index, const PageSink& sink) const {
    const CheckpointPlace& wanted = checkpoints_[index];
    auto chunk = recording::read_chunk(*file_, wanted.state);
    if (!chunk) return std::unexpected(chunk.error());
    auto blob = recording::checkpoint_state(chunk->payload);
    if (!blob) return std::unexpected(blob.error());
    // The newest first: of each place, what an older checkpoint has is not wanted.
    std::unordered_set<Place> seen, here;
    for (std::size_t i = index + 1, first = whole_before(index); i-- > first;) {
        here.clear();
        for (const recording::ChunkPlace& place : checkpoints_[i].pages) {
            auto pages = recording::read_chunk(*file_, place);
            if (!pages) return std::unexpected(pages.error());
            bool twice = false;
            auto ok = recording::each_page(pages->payload, [&](Place page, const u8* bytes) {
                twice |= !here.insert(page).second;
                if (!twice && seen.insert(page).second) sink(page, bytes);
            });
            if (!ok) return std::unexpected(ok.error());
            if (twice) return bad_input("it names a page twice");
        }
    }
    KnownRun::State out;
    out.blob = std::move(*blob);
    out.inputs = wanted.head.inputs;
    auto known = view(index);
    if (!known) return std::unexpected(known.error());
    out.view = std::move(*known);
    return out;
}

Expected<KnownRun::State> RecordedRun::load(u64 step, const PageSink& sink) {
    const auto at = std::ranges::lower_bound(checkpoints_, step, {}, &CheckpointPlace::step);
    if (at == checkpoints_.end() || at->step != step)
        return bad_input(fmt::format("recording {} has no checkpoint at step {}", name_, step));
    auto state = read(static_cast<std::size_t>(at - checkpoints_.begin()), sink);
    if (state) return state;
    refused_.insert(step);
    return bad_input(fmt::format("recording {}: the checkpoint at step {} is damaged ({})", name_, step,
                                 state.error().message));
}

Expected<void> RecordedRun::check(u64 step, Machine& machine) {
    const auto hash = std::ranges::lower_bound(hashes_, step, {}, &recording::LoggedHash::step);
    if (machine.steps() == step && hash != hashes_.end() && hash->step == step &&
        machine.rolling_hash() == hash->value)
        return {};
    refused_.insert(step);
    return bad_input(
        fmt::format("recording {}: the checkpoint at step {} has not the hash of its step", name_, step));
}

std::optional<u64> RecordedRun::before_phase(std::string_view phase) const {
    const auto entered =
        std::ranges::find_if(phases_, [&](const Phase& p) { return phase_matches(p, phase); });
    if (entered == phases_.end()) return before(~u64{0});
    return entered->step ? before(entered->step - 1) : std::nullopt;
}

std::optional<u64> RecordedRun::before_text(std::string_view text) const {
    // The text may lie across two checkpoints: each is searched with the end of what came before.
    std::string tail;
    for (const CheckpointPlace& each : checkpoints_) {
        const auto head = recording::read_head(*file_, each);
        if (!head) return each.step ? before(each.step - 1) : std::nullopt;
        if (head->whole) tail.clear();
        tail += head->console;
        if (tail.contains(text)) return each.step ? before(each.step - 1) : std::nullopt;
        if (tail.size() >= text.size()) tail.erase(0, tail.size() - (text.size() - 1));
    }
    return before(~u64{0});
}

} // namespace vitrine::emu
