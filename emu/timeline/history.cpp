// History: taking checkpoints and going back to them. thinning.cpp keeps it under its budget.
#include "emu/timeline/history.h"
#include <algorithm>
#include <cstring>
#include <utility>
#include "emu/board/board.h"
#include "emu/load/files.h"

namespace vitrine::emu {

namespace {
constexpr std::size_t ConsoleKept = 64 << 20, ConsoleShown = 4 << 20;
}

History::History(Machine& machine, u64 budget_bytes)
    : machine_(machine), budget_(std::max(budget_bytes, SmallestBudget)) {
    machine_.probes().attach_writes(*this);
    const GuestMemory& memory = machine_.board().memory();
    touched_.assign(memory.frames(), false);
    memory.each_used_page([this](u32 frame, const u8*) { touched_[frame] = true; });
    take();
}

History::~History() { machine_.probes().detach_writes(*this); }

// ---- versions ---------------------------------------------------------------------------------------------

void History::frame_written(u32 frame) { capture(frame); }
void History::disk_written(unsigned disk, u64 page) { capture(disk_place(disk, page)); }

namespace {
u8* frame_bytes(Board& board, u64 frame) {
    GuestMemory& memory = board.memory();
    const u64 offset = frame * PageBytes;
    return memory.at(offset < memory.low_size() ? offset : offset - memory.low_size() + HighMemoryBase);
}
} // namespace

/// What a place holds now, for patches; null for disks, which have none.
const u8* History::live(Place place) const {
    return place & DiskPlace ? nullptr : frame_bytes(machine_.board(), place);
}

PageStore::Page History::read(Place place) const {
    Board& board = machine_.board();
    auto& pages = const_cast<PageStore&>(pages_);
    if (!(place & DiskPlace)) return pages.copy(frame_bytes(board, place)); // compact() looks for equal ones
    const Disk& disk = *board.disks()[disk_of(place)];
    const u8* page = disk.overlay_page(disk_page_of(place));
    return page ? pages.keep(page) : nullptr;
}

void History::capture(Place place) {
    if (!dirty_.insert(place)) return;
    const std::optional<u64> known = versions_.at_or_after(place, base_);
    if (known == base_) return versions_.settle(place, live(place));
    ++copies_;
    // A frame that was never written is not looked at: the host would have to make a page for that.
    const bool untouched = place < touched_.size() && !touched_[place];
    if (untouched) touched_[place] = true;
    PageStore::Page content = untouched ? pages_.zero() : read(place);
    // In an interval that was leapt over: every later checkpoint has what is here now, whatever comes
    // between.
    if (const u64 end = checkpoints_.rbegin()->first; !known && end > base_) add_version(place, end, content);
    add_version(place, base_, std::move(content));
}

void History::add_version(Place place, u64 step, PageStore::Page page) {
    versions_.add(place, step, std::move(page), live(place));
    checkpoints_.find(step)->second.places.push_back(place);
}

void History::put(Place place, const PageStore::Page& page) {
    Board& board = machine_.board();
    if (place & DiskPlace) {
        Disk& disk = *board.disks()[disk_of(place)];
        disk.put_overlay_page(disk_page_of(place), page ? page->data() : nullptr);
        return;
    }
    touched_[place] = true;
    std::memcpy(frame_bytes(board, place), page->data(), PageBytes);
    board.code().written(static_cast<u32>(place), 0, PageBytes);
}

// ---- taking -----------------------------------------------------------------------------------------------

void History::all_clean() {
    dirty_.clear();
    machine_.probes().all_clean();
}

/// A checkpoint in the middle of known history, where every place that is written before the next one has a
/// version of `from`. What was not written between `from` and here has had its content until here; what was
/// has another content here than at the next checkpoint, if it is written again before that.
void History::split(u64 from, u64 at) {
    Checkpoint &old = checkpoints_.find(from)->second, &fresh = checkpoints_.find(at)->second;
    fresh.unexecuted = std::exchange(old.unexecuted, false); // the way here was run, the rest was not
    std::erase_if(old.places, [&](Place place) {
        if (dirty_.contains(place)) return false;
        versions_.move(place, from, at);
        fresh.places.push_back(place);
        return true;
    });
    for (Place place : dirty_) add_version(place, at, read(place));
}

void History::take() {
    learn_host();
    const u64 step = machine_.steps();
    if (const auto known = checkpoints_.find(step); known != checkpoints_.end()) {
        if (base_ == step) return;
        if (known->second.inputs == machine_.input_log().size()) {
            // Passing one again: it is the base from here on, and all on the way to it has been run.
            if (after(base_) == step) checkpoints_.find(base_)->second.unexecuted = false;
            base_ = step;
            all_clean();
            return;
        }
        merge_into_previous(known); // one from before or behind an input of this step: this one is as good
    }
    const bool in_the_past = !checkpoints_.empty() && step < checkpoints_.rbegin()->first;
    Checkpoint& fresh = checkpoints_[step];
    fresh.time = machine_.time();
    fresh.blob = machine_.save_without_memory(&fresh.chips);
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
    for (Place place : dirty_)
        if (const u8* now = live(place)) versions_.compact(place, base_, now);
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

std::vector<std::pair<u64, u64>> History::unexecuted() const {
    std::vector<std::pair<u64, u64>> out;
    for (auto at = checkpoints_.begin(); std::next(at) != checkpoints_.end(); ++at)
        if (at->second.unexecuted) {
            if (!out.empty() && out.back().second == at->first)
                out.back().second = std::next(at)->first;
            else
                out.emplace_back(at->first, std::next(at)->first);
        }
    return out;
}

bool History::written_after(u64 checkpoint, u32 frame) const {
    const auto at = checkpoints_.find(checkpoint);
    return at != checkpoints_.end() && (at->second.unexecuted || versions_.has(frame, checkpoint));
}

bool History::disk_written_after(u64 checkpoint, unsigned disk, u64 page) const {
    const auto at = checkpoints_.find(checkpoint);
    return at != checkpoints_.end() &&
           (at->second.unexecuted || versions_.has(disk_place(disk, page), checkpoint));
}

// ---- for recordings ---------------------------------------------------------------------------------------

std::vector<History::Kept> History::kept() const {
    std::vector<Kept> out;
    for (const auto& [step, each] : checkpoints_)
        out.push_back({step, each.time, hash_bytes(std::span(each.blob).first(each.chips)), each.inputs,
                       each.unexecuted});
    return out;
}

PageStore::Page History::content(Place place, u64 checkpoint) const {
    return versions_.at_or_after(place, checkpoint) ? versions_.content(place, checkpoint, live(place))
                                                    : read(place);
}

// ---- travelling -------------------------------------------------------------------------------------------

Expected<void> History::restore(u64 step) {
    u64 target = 0;
    if (!before(step, target)) return usage_error("that step lies before the start of history");
    // Leaving the end of the known run: it must be possible to come back.
    if (machine_.steps() > checkpoints_.rbegin()->first) take();
    learn_host();
    return put_back(target);
}

Expected<void> History::put_back(u64 target) {
    const u64 low = std::min(target, base_), high = std::max(target, base_);
    std::unordered_set<Place> changing(dirty_.begin(), dirty_.end());
    dirty_.clear();
    for (auto at = checkpoints_.find(low); at->first < high; ++at)
        changing.insert(at->second.places.begin(), at->second.places.end());
    const u64 tip = checkpoints_.rbegin()->first;
    for (Place place : changing) {
        if (!versions_.at_or_after(place, base_)) add_version(place, tip, read(place));
        if (versions_.at_or_after(place, target)) put(place, versions_.content(place, target, live(place)));
    }
    const Checkpoint& to = checkpoints_.find(target)->second;
    restore_video(to);
    base_ = target;
    if (auto ok = machine_.restore_without_memory(to.blob, to.inputs, host_view(to)); !ok) return ok;
    machine_.board().after_restore();
    all_clean();
    return {};
}

// ---- leaping ----------------------------------------------------------------------------------------------

bool History::has(Place place) const {
    Board& board = machine_.board();
    if (place & VideoPlace) return (place & ~VideoPlace) < devices::Vga::MemorySize / PageBytes;
    if (!(place & DiskPlace)) return place < board.memory().frames();
    if (disk_of(place) >= board.disks().size()) return false;
    return disk_page_of(place) <= (board.disks()[disk_of(place)]->sectors() * 512 - 1) / PageBytes;
}

/// As if the guest wrote this page. `bytes` null: as at power-on.
void History::replace(Place place, const u8* bytes) {
    if (place & VideoPlace) {
        u8* page = machine_.board().vga().lfb_page((place & ~VideoPlace) * PageBytes);
        std::memcpy(page, bytes ? bytes : pages_.zero()->data(), PageBytes);
        return;
    }
    if (place & DiskPlace) {
        const u8* now = machine_.board().disks()[disk_of(place)]->overlay_page(disk_page_of(place));
        if (now == bytes || (now && bytes && std::memcmp(now, bytes, PageBytes) == 0)) return;
        capture(place);
        return machine_.board().disks()[disk_of(place)]->put_overlay_page(disk_page_of(place), bytes);
    }
    u8* now = frame_bytes(machine_.board(), place);
    if (!bytes) bytes = pages_.zero()->data();
    if (std::memcmp(now, bytes, PageBytes) == 0) return;
    capture(place);
    std::memcpy(now, bytes, PageBytes);
    machine_.board().code().written(static_cast<u32>(place), 0, PageBytes);
}

Expected<void> History::put_state(KnownRun& run, u64 step) {
    Board& board = machine_.board();
    std::unordered_set<Place> named;
    bool strange = false; // a place that this machine does not have
    auto state = run.load(step, [&](Place place, const u8* page) {
        if (!has(place) || !named.insert(place).second)
            strange = true;
        else
            replace(place, page);
    });
    if (!state) return std::unexpected(state.error());
    if (strange) return bad_input("it names memory that this machine does not have");
    std::vector<Place> others; // what the state does not name
    board.memory().each_used_page([&](u32 frame, const u8*) {
        if (!named.contains(frame)) others.push_back(frame);
    });
    for (unsigned i = 0; i < board.disks().size(); ++i)
        board.disks()[i]->each_overlay_page([&](u64 page) {
            if (!named.contains(disk_place(i, page))) others.push_back(disk_place(i, page));
        });
    for (u64 page = 0; page < devices::Vga::MemorySize / PageBytes; ++page)
        if (board.vga().lfb_page_used(page * PageBytes) && !named.contains(VideoPlace | page))
            others.push_back(VideoPlace | page);
    for (Place place : others) replace(place, nullptr);
    if (auto ok = machine_.restore_without_memory(state->blob, state->inputs, std::move(state->view)); !ok)
        return ok;
    board.after_restore();
    return run.check(step, machine_);
}

Expected<void> History::leap(KnownRun& run, u64 step) {
    u64 from = 0;
    if (!before(step, from)) return usage_error("that step lies before the start of history");
    if (base_ != from || machine_.steps() > step)
        if (auto ok = restore(step); !ok) return ok;
    // What the machine has run since the checkpoint lies in an interval that is now known by its ends only.
    if (auto ok = put_state(run, step); !ok) {
        const Error why = ok.error();
        if (auto back = put_back(from); !back) return back;
        return std::unexpected(why);
    }
    const bool unknown_behind = checkpoints_.find(from)->second.unexecuted;
    take();
    checkpoints_.find(from)->second.unexecuted = true;
    if (after(step)) checkpoints_.find(step)->second.unexecuted = unknown_behind;
    return {};
}

void History::learn_ahead(const KnownRun& run) {
    if (run.phases().size() > phases_.size()) phases_ = run.phases();
    if (run.modes().size() > modes_.size()) modes_ = run.modes();
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
        for (Place place : last->second.places) versions_.erase(place, last->first, live(place));
        blob_bytes_ -= last->second.blob.size() + last->second.video.size() * sizeof last->second.video[0];
        checkpoints_.erase(last);
    }
    checkpoints_.rbegin()->second.unexecuted = false;
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
        versions_.erase(place, base_, live(place));
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
    if (fresh < total - console_total_) console_.clear(); // a leap: what came before is not at hand
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
