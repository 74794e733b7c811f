// Saving a run afterwards: see saved_run.h.
#include "emu/recorder/saved_run.h"
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <map>
#include <set>
#include <unistd.h>
#include <utility>
#include "emu/board/board.h"
#include "emu/load/files.h"
#include "emu/recorder/format.h"
#include "emu/recorder/recorder.h"

namespace vitrine::emu {

namespace {

/// A file beside the wanted one that takes its name when all is written.
class NewFile {
public:
    explicit NewFile(const std::string& path) : path_(path) {
        if (being_written(path)) {
            error_ = "a run is being recorded there";
            return;
        }
        std::error_code none;
        if (std::filesystem::is_symlink(path, none)) { // the link stays, what it names is written
            const auto target = std::filesystem::weakly_canonical(path, none);
            if (!none) path_ = target.string();
        }
        if (std::filesystem::exists(path_, none) && !std::filesystem::is_regular_file(path_, none)) {
            error_ = "not a regular file";
            return;
        }
        for (unsigned attempt = 0; file_ < 0 && attempt < 100; ++attempt) { // somebody else's may lie there
            under_way_ = fmt::format("{}.part{}", path_, attempt ? fmt::format("{}", attempt) : "");
            file_ = ::open(under_way_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
            if (file_ < 0 && errno != EEXIST) break;
        }
        if (file_ < 0) error_ = std::strerror(errno);
    }
    ~NewFile() {
        if (file_ < 0) return;
        ::close(file_);
        ::unlink(under_way_.c_str());
    }
    NewFile(const NewFile&) = delete;
    bool good() const { return error_.empty(); }
    u64 size() const { return size_; }
    void append(std::span<const u8> bytes) {
        while (good() && !bytes.empty()) {
            const ssize_t n = ::write(file_, bytes.data(), bytes.size());
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) error_ = n < 0 ? std::strerror(errno) : "the disk is full";
            if (n <= 0) return;
            size_ += static_cast<u64>(n);
            bytes = bytes.subspan(static_cast<std::size_t>(n));
        }
    }
    Expected<void> finish() {
        if (good() && being_written(path_)) error_ = "a run is being recorded there";
        if (good() && (::fsync(file_) != 0 || ::rename(under_way_.c_str(), path_.c_str()) != 0))
            error_ = std::strerror(errno);
        if (!good()) return bad_input(fmt::format("recording {}: {}", path_, error_));
        ::close(std::exchange(file_, -1));
        return {};
    }

private:
    std::string path_, under_way_, error_;
    int file_ = -1;
    u64 size_ = 0;
};

class Saver {
public:
    Saver(Machine& machine, const History& history, NewFile& file, CheckpointSpacing spacing)
        : machine_(machine), history_(history), file_(file), spacing_(spacing) {}
    Expected<SavedRun> run(const ImageHashes& images, const Timeline::Progress& progress);

private:
    void inputs_before(std::size_t count);
    void input();
    bool due(u64 step) const;
    void checkpoint(const History::Kept& at);
    std::set<Place> all_places() const;
    void video(const History::Kept& at, bool whole, recording::PagesPayload& pages,
               recording::CheckpointHead& head);
    void flush(recording::PagesPayload& pages, u64 step) {
        if (!pages.empty()) file_.append(recording::encode(recording::ChunkType::Pages, step, pages.take()));
    }

    Machine& machine_;
    const History& history_;
    NewFile& file_;
    const CheckpointSpacing spacing_;
    SavedRun out_;
    u64 last_ = 0, since_whole_ = 0;       ///< of checkpoints that were written
    std::set<Place> changed_;              ///< since then
    bool unknown_ = true;                  ///< what has changed since then is not known: all may have
    std::map<u32, PageStore::Page> video_; ///< as it was then
    std::size_t phases_ = 0, modes_ = 0;
    u64 console_ = 0;
};

void Saver::input() {
    const LoggedInput& input = machine_.input_log()[out_.inputs++];
    file_.append(recording::encode(recording::ChunkType::Input, input.step, recording::encode_input(input)));
}
void Saver::inputs_before(std::size_t count) {
    while (out_.inputs < count && out_.inputs < machine_.input_log().size()) input();
}

bool Saver::due(u64 step) const {
    const u64 steps = step - last_, places = unknown_ ? 0 : changed_.size();
    return steps >= spacing_.steps && steps / std::max<u64>(places, 1) >= spacing_.steps_per_page;
}

std::set<Place> Saver::all_places() const {
    std::set<Place> out;
    Board& board = machine_.board();
    board.memory().each_used_page([&](u32 frame, const u8*) { out.insert(frame); });
    for (unsigned i = 0; i < board.disks().size(); ++i)
        board.disks()[i]->each_overlay_page([&](u64 page) { out.insert(disk_place(i, page)); });
    history_.each_place_ever_written([&](Place place) { out.insert(place); }); // and is empty by now
    return out;
}

/// Pages of display memory that are not as the last checkpoint has them.
void Saver::video(const History::Kept& at, bool whole, recording::PagesPayload& pages,
                  recording::CheckpointHead& head) {
    const auto name = [&](u32 page, const PageStore::Page& content) {
        pages.add(VideoPlace | page, content->data());
        ++head.page_count;
        if (pages.full()) flush(pages, at.step);
    };
    std::map<u32, PageStore::Page> now;
    history_.each_video_page(at.step, [&](u32 page, const PageStore::Page& content) { now[page] = content; });
    if (whole) video_.clear();
    for (const auto& [page, content] : now)
        if (const auto old = video_.find(page); old == video_.end() || old->second != content)
            name(page, content);
    for (const auto& [page, content] : video_)
        if (!now.contains(page)) name(page, history_.zero_page());
    video_ = std::move(now);
}

void Saver::checkpoint(const History::Kept& at) {
    const bool whole = unknown_ || since_whole_ >= LongestChain;
    recording::CheckpointHead head;
    head.number = out_.checkpoints, head.whole = whole;
    head.time = at.time, head.inputs = at.inputs;
    recording::PagesPayload pages;
    for (Place place : whole ? all_places() : changed_) {
        const PageStore::Page content = history_.content(place, at.step);
        // As at power-on: a disk's page of zeroes may hide something in the image.
        if (!content || (whole && !(place & DiskPlace) && content == history_.zero_page())) continue;
        pages.add(place, content->data());
        ++head.page_count;
        if (pages.full()) flush(pages, at.step);
    }
    video(at, whole, pages, head);
    flush(pages, at.step);

    // What the host knew: in a whole one all, else what is new.
    Machine::HostView view = history_.view(at.step);
    const auto fresh = [whole](auto& all, std::size_t& told) {
        const std::size_t known = std::exchange(told, all.size());
        if (!whole)
            all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(std::min(known, all.size())));
        return std::move(all);
    };
    head.phases = fresh(view.phases, phases_), head.modes = fresh(view.modes, modes_);
    head.console_total = view.serial_total;
    const u64 wanted = whole ? view.serial.size() : view.serial_total - std::min(console_, view.serial_total);
    head.console = view.serial.substr(view.serial.size() - std::min<u64>(wanted, view.serial.size()));
    console_ = view.serial_total;
    file_.append(recording::encode(recording::ChunkType::Checkpoint, at.step,
                                   recording::encode_checkpoint(head, history_.blob(at.step))));
    ++out_.checkpoints;
    since_whole_ = whole ? 1 : since_whole_ + 1;
    last_ = at.step, unknown_ = false;
    changed_.clear();
}

Expected<SavedRun> Saver::run(const ImageHashes& images, const Timeline::Progress& progress) {
    const auto& log = machine_.input_log();
    file_.append(recording::encode(recording::ChunkType::Configuration, 0,
                                   recording::encode_configuration(machine_.config(), images, true)));
    for (const History::Kept& at : history_.kept()) {
        if (progress && !progress(static_cast<double>(at.step) / static_cast<double>(machine_.steps() + 1)))
            return usage_error("cancelled");
        // A hash is of the first moment of its step, before that step's inputs.
        const bool at_hash_point = at.step && at.step % recording::HashInterval == 0 &&
                                   at.step < machine_.steps() &&
                                   (at.inputs == 0 || log[at.inputs - 1].step < at.step);
        if (at_hash_point) {
            inputs_before(at.inputs);
            file_.append(
                recording::encode(recording::ChunkType::Hash, at.step, recording::encode_hash(at.hash)));
            ++out_.hashes;
            if (due(at.step)) checkpoint(at);
        }
        unknown_ |= at.unexecuted;
        history_.each_place_written_after(at.step, [&](Place place) { changed_.insert(place); });
        if (!file_.good()) break;
    }
    inputs_before(log.size());
    const StopReason reason = machine_.ended() ? machine_.ended()->reason : StopReason::HostRequest;
    file_.append(recording::encode(
        recording::ChunkType::End, machine_.steps(),
        recording::encode_end({machine_.steps(), machine_.time(), machine_.state_hash(), reason})));
    out_.steps = machine_.steps();
    if (auto ok = file_.finish(); !ok) return std::unexpected(ok.error());
    out_.bytes = file_.size();
    return out_;
}

} // namespace

Expected<SavedRun> save_run(Machine& machine, Timeline& timeline, const std::string& path,
                            CheckpointSpacing spacing, const Timeline::Progress& progress) {
    if (!machine.began_at_power_on())
        return usage_error("a recording begins at power-on, and this run began with a state that was loaded");
    auto images = machine.image_hashes();
    if (!images) return std::unexpected(images.error());
    if (auto ok = timeline.to_the_end(progress); !ok) return std::unexpected(ok.error());
    NewFile file(path);
    if (!file.good()) return std::unexpected(file.finish().error());
    return Saver(machine, timeline.history(), file, spacing).run(*images, progress);
}

std::string to_text(const SavedRun& saved) {
    return fmt::format("{} steps, {} input{}, {} hash{}, {} checkpoint{}, {} bytes", saved.steps,
                       saved.inputs, saved.inputs == 1 ? "" : "s", saved.hashes,
                       saved.hashes == 1 ? "" : "es", saved.checkpoints, saved.checkpoints == 1 ? "" : "s",
                       saved.bytes);
}

} // namespace vitrine::emu
