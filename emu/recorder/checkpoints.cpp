// Checkpoints of a recording: see checkpoints.h.
#include "emu/recorder/checkpoints.h"
#include <algorithm>
#include "emu/board/board.h"
#include "emu/load/files.h"

namespace vitrine::emu {

namespace {
constexpr std::size_t LongestConsole = 4 << 20;
constexpr u64 QuietPages = 64, QuietFactor = 3;
} // namespace

Checkpoints::~Checkpoints() {
    if (number_) machine_.probes().detach_writes(*this);
}

void Checkpoints::frame_written(u32 frame) {
    if (frame >= is_listed_.size()) is_listed_.resize(frame + 1);
    if (is_listed_[frame]) return;
    is_listed_[frame] = true;
    frames_.push_back(frame);
}

bool Checkpoints::due() const {
    const u64 steps = machine_.steps() - last_step_;
    // An idle guest changes a few pages; processors and chips then are the most of a checkpoint. (Who wants
    // them nearer than usual gets them.)
    const bool quiet = number_ && changed() < QuietPages && spacing_.steps >= CheckpointSpacing{}.steps;
    const u64 rate = quiet ? QuietFactor : 1;
    return steps / rate >= spacing_.steps && steps / std::max<u64>(changed(), 1) >= spacing_.steps_per_page;
}

std::vector<Place> Checkpoints::all_places() const {
    std::vector<Place> out;
    Board& board = machine_.board();
    board.memory().each_used_page([&](u32 frame, const u8*) { out.push_back(frame); });
    for (unsigned i = 0; i < board.disks().size(); ++i)
        board.disks()[i]->each_overlay_page([&](u64 page) { out.push_back(disk_place(i, page)); });
    return out;
}

/// Pages of display memory that are not as the last checkpoint has them: its chip writes them itself.
std::vector<Place> Checkpoints::changed_video() {
    std::vector<Place> out;
    devices::Vga& vga = machine_.board().vga();
    for (u64 page = 0; page < devices::Vga::MemorySize / PageBytes; ++page) {
        if (!vga.lfb_page_used(page * PageBytes)) continue;
        const u64 hash = hash_bytes({vga.lfb_page(page * PageBytes), PageBytes});
        const auto [known, fresh] = video_.try_emplace(page, 0);
        if (!fresh && known->second == hash) continue;
        known->second = hash;
        out.push_back(VideoPlace | page);
    }
    return out;
}

const u8* Checkpoints::bytes_of(Place place) const {
    Board& board = machine_.board();
    if (place & VideoPlace) return board.vga().lfb_page((place & ~VideoPlace) * PageBytes);
    if (place & DiskPlace) return board.disks()[disk_of(place)]->overlay_page(disk_page_of(place));
    return board.memory().page(static_cast<u32>(place));
}

recording::CheckpointHead Checkpoints::head(bool whole) {
    recording::CheckpointHead out;
    out.number = number_, out.whole = whole;
    out.time = machine_.time(), out.inputs = machine_.input_log().size();
    const auto fresh = [whole](const auto& all, std::size_t& told) {
        const std::size_t from = whole ? 0 : std::min(told, all.size());
        told = all.size();
        return std::vector(all.begin() + static_cast<std::ptrdiff_t>(from), all.end());
    };
    out.phases = fresh(machine_.phases(), phases_);
    out.modes = fresh(machine_.mode_changes(), modes_);
    out.console_total = machine_.serial_total();
    const std::string& window = machine_.serial_output();
    const u64 wanted = whole ? window.size() : out.console_total - std::min(console_, out.console_total);
    const std::size_t length = std::min<u64>({wanted, window.size(), LongestConsole});
    out.console = window.substr(window.size() - length);
    console_ = out.console_total;
    return out;
}

recording::CheckpointHead Checkpoints::write(const std::function<void(std::span<const u8>)>& append) {
    const u64 step = machine_.steps();
    // A whole one when there is none, or when the parts have become more than twice as much (and never so
    // often that whole ones cost more than parts do), or when too many would build on one another.
    const bool outgrown = pages_since_whole_ > 2 * pages_of_whole_ &&
                          step - last_whole_step_ >= pages_of_whole_ * spacing_.steps_per_page;
    const bool long_chain = since_whole_ >= LongestQuietChain ||
                            (since_whole_ >= LongestChain && pages_since_whole_ * 4 >= pages_of_whole_);
    const bool whole = number_ == 0 || outgrown || long_chain;
    std::vector<Place> places;
    if (whole) {
        places = all_places();
        video_.clear();
    } else {
        places.assign(frames_.begin(), frames_.end());
        places.insert(places.end(), disk_pages_.begin(), disk_pages_.end());
    }
    for (Place place : changed_video()) places.push_back(place);
    std::ranges::sort(places);
    if (number_ == 0) machine_.probes().attach_writes(*this);
    frames_.clear(), disk_pages_.clear();
    is_listed_.assign(machine_.board().memory().frames(), false);
    machine_.probes().all_clean();

    recording::CheckpointHead about = head(whole);
    recording::PagesPayload pages;
    const auto flush = [&] {
        if (!pages.empty()) append(recording::encode(recording::ChunkType::Pages, step, pages.take()));
    };
    for (Place place : places) {
        const u8* bytes = bytes_of(place);
        if (!bytes) continue; // a disk page that a write to the image could not fill
        pages.add(place, bytes);
        ++about.page_count;
        if (pages.full()) flush();
    }
    flush();
    const auto state = machine_.save_without_memory();
    append(recording::encode(recording::ChunkType::Checkpoint, step,
                             recording::encode_checkpoint(about, state)));
    ++number_;
    last_step_ = step;
    pages_since_whole_ += about.page_count;
    ++since_whole_;
    if (whole)
        last_whole_step_ = step, pages_of_whole_ = about.page_count, pages_since_whole_ = 0, since_whole_ = 1;
    return about;
}

} // namespace vitrine::emu
