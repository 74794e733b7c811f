// History: taking checkpoints and going back to them. thinning.cpp keeps it under its budget.
#include "emu/timeline/history.h"
#include <algorithm>
#include <cstring>
#include "emu/board/board.h"

namespace vitrine::emu {

namespace {
constexpr std::size_t ConsoleKept = 64 << 20, ConsoleShown = 4 << 20;
}

History::History(Machine& machine, u64 budget_bytes)
    : machine_(machine), budget_(std::max(budget_bytes, SmallestBudget)) {
    Board& board = machine_.board();
    board.code().set_first_write_observer(this);
    for (std::size_t i = 0; i < board.disks().size(); ++i)
        board.disks()[i]->on_write([this, i](u64 page) { capture(DiskPlace | u64{i} << DiskShift | page); });
    take();
}

History::~History() {
    Board& board = machine_.board();
    board.code().set_first_write_observer(nullptr);
    board.code().clear_flags_everywhere(cpu::Clean);
    for (auto& disk : board.disks()) disk->on_write({});
}

// ---- versions ---------------------------------------------------------------------------------------------

void History::first_write(u32 frame) { capture(frame); }

void History::capture(Place place) {
    if (!dirty_.insert(place).second) return;
    if (const Version* known = version(place, base_); known && known->step == base_) return;
    ++copies_;
    add_version(place, base_, read(place));
}

void History::add_version(Place place, u64 step, PageStore::Page page) {
    auto& list = versions_[place];
    const auto at = std::ranges::upper_bound(list, step, {}, &Version::step);
    list.insert(at, {step, std::move(page)});
    checkpoints_.find(step)->second.places.insert(place);
    ++places_;
}

const History::Version* History::version(Place place, u64 step) const {
    const auto found = versions_.find(place);
    if (found == versions_.end()) return nullptr;
    const auto at = std::ranges::lower_bound(found->second, step, {}, &Version::step);
    return at == found->second.end() ? nullptr : &*at;
}

namespace {
u8* frame_bytes(Board& board, u64 frame) {
    GuestMemory& memory = board.memory();
    const u64 offset = frame * PageBytes;
    return memory.at(offset < memory.low_size() ? offset : offset - memory.low_size() + HighMemoryBase);
}
} // namespace

PageStore::Page History::read(Place place) const {
    Board& board = machine_.board();
    if (!(place & DiskPlace)) return const_cast<PageStore&>(pages_).keep(frame_bytes(board, place));
    const Disk& disk = *board.disks()[(place & ~DiskPlace) >> DiskShift];
    const u8* page = disk.overlay_page(place & ((u64{1} << DiskShift) - 1));
    return page ? const_cast<PageStore&>(pages_).keep(page) : nullptr;
}

void History::put(Place place, const PageStore::Page& page) {
    Board& board = machine_.board();
    if (place & DiskPlace) {
        Disk& disk = *board.disks()[(place & ~DiskPlace) >> DiskShift];
        disk.put_overlay_page(place & ((u64{1} << DiskShift) - 1), page ? page->data() : nullptr);
        return;
    }
    std::memcpy(frame_bytes(board, place), page->data(), PageBytes);
    board.code().written(static_cast<u32>(place), 0, PageBytes);
}

// ---- taking -----------------------------------------------------------------------------------------------

void History::all_clean() {
    dirty_.clear();
    machine_.board().code().set_flags_of_first(machine_.board().memory().frames(), cpu::Clean);
}

/// A checkpoint in the middle of known history, where every place that is written before the next one has a
/// version of `from`. What was not written between `from` and here has had its content until here; what was
/// has another content here than at the next checkpoint, if it is written again before that.
void History::split(u64 from, u64 at) {
    Checkpoint &old = checkpoints_.find(from)->second, &fresh = checkpoints_.find(at)->second;
    std::erase_if(old.places, [&](Place place) {
        if (dirty_.contains(place)) return false;
        auto& list = versions_[place];
        std::ranges::lower_bound(list, from, {}, &Version::step)->step = at;
        fresh.places.insert(place);
        return true;
    });
    for (Place place : dirty_) add_version(place, at, read(place));
}

void History::take() {
    learn_host();
    const u64 step = machine_.steps();
    if (checkpoints_.contains(step)) {
        // Passing one again: it is the base from here on.
        if (base_ != step) base_ = step, all_clean();
        return;
    }
    const bool in_the_past = !checkpoints_.empty() && step < checkpoints_.rbegin()->first;
    Checkpoint& fresh = checkpoints_[step];
    fresh.time = machine_.time();
    fresh.blob = machine_.save_without_memory();
    fresh.inputs = machine_.input_log().size();
    fresh.phases = machine_.phases().size(), fresh.modes = machine_.mode_changes().size();
    fresh.serial_total = machine_.serial_total();

    devices::Vga& vga = machine_.board().vga();
    const Checkpoint* previous =
        checkpoints_.begin()->first == step ? nullptr : &std::prev(checkpoints_.find(step))->second;
    auto same = previous ? previous->video.begin() : fresh.video.end();
    const auto end = previous ? previous->video.end() : fresh.video.end();
    for (u32 page = 0; page < devices::Vga::MemorySize / PageBytes; ++page) {
        if (!vga.lfb_page_used(u64{page} * PageBytes)) continue;
        const u8* bytes = vga.lfb_page(u64{page} * PageBytes);
        while (previous && same != end && same->first < page) ++same;
        if (previous && same != end && same->first == page &&
            std::memcmp(same->second->data(), bytes, PageBytes) == 0)
            fresh.video.push_back(*same);
        else if (PageStore::Page kept = pages_.keep(bytes); kept != pages_.zero())
            fresh.video.emplace_back(page, std::move(kept));
    }
    blob_bytes_ += fresh.blob.size() + fresh.video.size() * sizeof fresh.video[0];
    if (in_the_past) split(base_, step);
    base_ = step;
    all_clean();
    thin();
}

bool History::before(u64 step, u64& found) const {
    auto at = checkpoints_.upper_bound(step);
    if (at == checkpoints_.begin()) return false;
    found = std::prev(at)->first;
    return true;
}

std::optional<u64> History::after(u64 step) const {
    const auto at = checkpoints_.upper_bound(step);
    return at == checkpoints_.end() ? std::nullopt : std::optional(at->first);
}

u64 History::tip() const { return std::max(checkpoints_.rbegin()->first, machine_.steps()); }

std::vector<u64> History::steps() const {
    std::vector<u64> out;
    for (const auto& [step, checkpoint] : checkpoints_) out.push_back(step);
    return out;
}

bool History::written_after(u64 checkpoint, u32 frame) const {
    const auto at = checkpoints_.find(checkpoint);
    return at != checkpoints_.end() && at->second.places.contains(frame);
}

bool History::disk_written_after(u64 checkpoint, unsigned disk, u64 page) const {
    const auto at = checkpoints_.find(checkpoint);
    return at != checkpoints_.end() && at->second.places.contains(DiskPlace | u64{disk} << DiskShift | page);
}

// ---- travelling -------------------------------------------------------------------------------------------

Expected<void> History::restore(u64 step) {
    u64 target = 0;
    if (!before(step, target)) return usage_error("that step lies before the start of history");
    // Leaving the end of the known run: it must be possible to come back.
    if (machine_.steps() > checkpoints_.rbegin()->first) take();
    learn_host();

    const u64 low = std::min(target, base_), high = std::max(target, base_);
    std::unordered_set<Place> changing = std::move(dirty_);
    for (auto at = checkpoints_.find(low); at->first < high; ++at)
        changing.insert(at->second.places.begin(), at->second.places.end());
    const u64 tip = checkpoints_.rbegin()->first;
    for (Place place : changing) {
        if (!version(place, base_)) add_version(place, tip, read(place));
        if (const Version* there = version(place, target)) put(place, there->page);
    }
    const Checkpoint& to = checkpoints_.find(target)->second;
    restore_video(to);
    base_ = target;
    if (auto ok = machine_.restore_without_memory(to.blob, to.inputs, host_view(to)); !ok) return ok;
    machine_.board().after_restore();
    all_clean();
    return {};
}

void History::restore_video(const Checkpoint& to) {
    devices::Vga& vga = machine_.board().vga();
    auto next = to.video.begin();
    for (u32 page = 0; page < devices::Vga::MemorySize / PageBytes; ++page) {
        const bool held = next != to.video.end() && next->first == page;
        if (!held && !vga.lfb_page_used(u64{page} * PageBytes)) continue;
        const PageStore::Page& content = held ? next->second : pages_.zero();
        std::memcpy(vga.lfb_page(u64{page} * PageBytes), content->data(), PageBytes);
        if (held) ++next;
    }
}

void History::forget_future() {
    const u64 now = machine_.steps();
    while (checkpoints_.rbegin()->first > now) {
        auto last = std::prev(checkpoints_.end());
        for (Place place : last->second.places) {
            auto& list = versions_[place];
            std::erase_if(list, [&](const Version& v) { return v.step == last->first; });
            if (list.empty()) versions_.erase(place);
        }
        places_ -= last->second.places.size();
        blob_bytes_ -= last->second.blob.size() + last->second.video.size() * sizeof last->second.video[0];
        checkpoints_.erase(last);
    }
    phases_ = machine_.phases();
    modes_ = machine_.mode_changes();
    const u64 unsaid = console_total_ - std::min(console_total_, machine_.serial_total());
    console_.resize(unsaid < console_.size() ? console_.size() - unsaid : 0);
    console_total_ = machine_.serial_total();
    // Versions of the base stand for what was written in the future that is gone; what is not dirty now has
    // that content still.
    Checkpoint& base = checkpoints_.find(base_)->second;
    std::erase_if(base.places, [&](Place place) {
        if (dirty_.contains(place)) return false;
        auto& list = versions_[place];
        std::erase_if(list, [&](const Version& v) { return v.step == base_; });
        if (list.empty()) versions_.erase(place);
        --places_;
        return true;
    });
}

// ---- what the host shows ----------------------------------------------------------------------------------

/// Notes phases, modes and console text that are new.
void History::learn_host() {
    const auto learn = [](auto& known, const auto& now) {
        for (std::size_t i = known.size(); i < now.size(); ++i) known.push_back(now[i]);
    };
    learn(phases_, machine_.phases());
    learn(modes_, machine_.mode_changes());
    const u64 total = machine_.serial_total();
    if (total <= console_total_) return;
    const std::string& window = machine_.serial_output();
    const u64 fresh = std::min<u64>(total - console_total_, window.size());
    console_.append(window, window.size() - fresh);
    console_total_ = total;
    if (console_.size() > ConsoleKept + ConsoleKept / 4) console_.erase(0, console_.size() - ConsoleKept);
}

Machine::HostView History::host_view(const Checkpoint& at) const {
    Machine::HostView view;
    const auto prefix = [](const auto& all, std::size_t n) {
        return std::vector(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(std::min(n, all.size())));
    };
    view.phases = prefix(phases_, at.phases);
    view.modes = prefix(modes_, at.modes);
    view.serial_total = at.serial_total;
    const u64 later = console_total_ - at.serial_total;
    if (later < console_.size()) {
        const u64 length = console_.size() - later, shown = std::min<u64>(length, ConsoleShown);
        view.serial = console_.substr(length - shown, shown);
    }
    return view;
}

} // namespace vitrine::emu
