// Recorder: see recorder.h.
#include "emu/recorder/recorder.h"
#include <cerrno>
#include <cstring>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <fcntl.h>
#include <fmt/format.h>
#include <mutex>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include "emu/recorder/format.h"
#include "emu/recorder/recorded_run.h"

namespace vitrine::emu {

/// Makes what was written durable in a thread of its own: a checkpoint of many megabytes must not hold up the
/// machine while the disk takes it. It knows the file's descriptor only.
class Recorder::Syncer {
public:
    explicit Syncer(int file) : thread_([this, file] { run(file); }) {}
    ~Syncer() {
        {
            const std::lock_guard lock(mutex_);
            over_ = true;
        }
        wake_.notify_one();
        thread_.join();
    }
    void ask() {
        {
            const std::lock_guard lock(mutex_);
            asked_ = true;
        }
        wake_.notify_one();
    }

private:
    void run(int file) {
        sigset_t all; // Ctrl-C is for the thread that reads the terminal
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, nullptr);
        std::unique_lock lock(mutex_);
        for (;;) {
            wake_.wait(lock, [this] { return asked_ || over_; });
            if (!asked_) return;
            asked_ = false;
            lock.unlock();
            ::fdatasync(file); // sync_file_range would not do the metadata
            lock.lock();
        }
    }
    std::mutex mutex_;
    std::condition_variable wake_;
    bool asked_ = false, over_ = false;
    std::thread thread_; ///< last: it uses all of the above
};

Recorder::Recorder(Machine& machine, std::string path, int file, CheckpointSpacing spacing)
    : machine_(machine), path_(std::move(path)), file_(file), checkpoints_(machine, spacing),
      syncer_(std::make_unique<Syncer>(file)) {}

bool hold_recording(int file) {
    struct stat info{};
    return ::fstat(file, &info) != 0 || !S_ISREG(info.st_mode) || ::flock(file, LOCK_EX | LOCK_NB) == 0 ||
           errno != EWOULDBLOCK;
}

bool being_written(const std::string& path) {
    struct stat info{}; // a FIFO is not opened
    if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    const bool held = !hold_recording(file);
    ::close(file);
    return held;
}

Expected<std::unique_ptr<Recorder>> Recorder::start(Machine& machine, const std::string& path,
                                                    CheckpointSpacing spacing) {
    if (machine.steps() != 0) return usage_error("a recording must start at power-on");
    auto images = machine.image_hashes();
    if (!images) return std::unexpected(images.error());
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) return bad_input(fmt::format("recording {}: {}", path, std::strerror(errno)));
    // Held as long as it is written: nobody else begins there, nor saves a run over it.
    if (!hold_recording(file)) {
        ::close(file);
        return bad_input(fmt::format("recording {}: a run is being recorded there", path));
    }
    if (struct stat info{}; ::fstat(file, &info) == 0 && S_ISREG(info.st_mode) && ::ftruncate(file, 0) != 0) {
        const std::string why = std::strerror(errno);
        ::close(file);
        return bad_input(fmt::format("recording {}: {}", path, why));
    }
    std::unique_ptr<Recorder> recorder(new Recorder(machine, path, file, spacing));
    Recorder* r = recorder.get();
    r->append(recording::encode(recording::ChunkType::Configuration, 0,
                                recording::encode_configuration(machine.config(), *images)));
    machine.on_input([r](const LoggedInput& input) {
        if (input.step < r->furthest_) return r->end_early(input.step);
        r->furthest_ = input.step;
        r->append(recording::encode(recording::ChunkType::Input, input.step, recording::encode_input(input)));
    });
    machine.on_hash(recording::HashInterval, [r](u64 step, u64 hash) {
        if (step < r->furthest_) return true; // the machine was in the past and comes this way again
        r->furthest_ = step;
        if (r->append(recording::encode(recording::ChunkType::Hash, step, recording::encode_hash(hash))))
            r->so_far_->add_hash({step, hash});
        if (r->error_.empty() && r->checkpoints_.due()) r->write_checkpoint();
        return true;
    });
    r->so_far_ = std::make_shared<RecordedRun>(recording::growing_source(file), path);
    machine.set_known_run(r->so_far_);
    return recorder;
}

/// Somebody gave input in the past: what follows is another run than the one that is recorded.
void Recorder::end_early(u64 step) {
    if (!error_.empty()) return;
    error_ = fmt::format("recording {}: it ends at step {}, for an input was given before that, at step {}",
                         path_, furthest_, step);
    spdlog::error("{}; the run goes on", error_);
}

void Recorder::write_checkpoint() {
    recording::CheckpointPlace place;
    place.step = machine_.steps();
    place.head = checkpoints_.write([&](std::span<const u8> chunk) {
        const recording::ChunkPlace at{size_, static_cast<u32>(chunk.size() - recording::HeaderSize)};
        if (!append(chunk)) return;
        place.bytes += chunk.size();
        if (place.state.stored) place.pages.push_back(place.state);
        place.state = at; // the last one is
    });
    place.head.drop_lists();
    if (error_.empty()) so_far_->add_checkpoint(std::move(place));
}

Recorder::~Recorder() {
    if (so_far_ && machine_.known_run() == so_far_) machine_.set_known_run(nullptr);
    if (file_ < 0) return;
    machine_.on_input({});
    machine_.on_hash(0, {});
    syncer_.reset();
    ::close(file_);
}

bool Recorder::append(std::span<const u8> chunk) {
    if (!error_.empty()) return false;
    ssize_t n;
    do n = ::write(file_, chunk.data(), chunk.size());
    while (n < 0 && errno == EINTR);
    if (n == static_cast<ssize_t>(chunk.size())) {
        size_ += chunk.size();
        provisional_ = 0; // no chunk is shorter than a hash
        written_ = std::chrono::steady_clock::now();
        sync();
        return true;
    }
    error_ = fmt::format("recording {}: {}", path_, n < 0 ? std::strerror(errno) : "the disk is full");
    spdlog::error("{}: it ends at step {}, and the run goes on", error_, machine_.steps());
    return false;
}

/// A power cut costs little more than a second.
void Recorder::sync() {
    if (written_ - synced_ >= std::chrono::seconds(1)) syncer_->ask(), synced_ = written_;
}

void Recorder::keep_up(bool now) {
    const u64 step = machine_.steps();
    if (!error_.empty() || step <= std::max(furthest_, provisional_)) return; // or it is in the past
    const auto clock = std::chrono::steady_clock::now();
    if (!now && clock - written_ < std::chrono::milliseconds(500)) return;
    const std::vector<u8> chunk =
        recording::encode(recording::ChunkType::Hash, step, recording::encode_hash(machine_.rolling_hash()));
    written_ = clock;
    // No error is one: a pipe has no place to go back to, and a full disk is told of by the next chunk.
    if (::pwrite(file_, chunk.data(), chunk.size(), static_cast<off_t>(size_)) !=
        static_cast<ssize_t>(chunk.size()))
        return;
    provisional_ = step;
    sync();
}

Expected<void> Recorder::finish(const RunReport& report) {
    if (machine_.steps() >= std::max(furthest_, provisional_)) {
        recording::RunEnd end{machine_.steps(), machine_.time(), machine_.state_hash(), report.reason};
        append(recording::encode(recording::ChunkType::End, end.step, recording::encode_end(end)));
    }
    machine_.on_input({});
    machine_.on_hash(0, {});
    syncer_.reset();
    if (::fdatasync(file_) != 0 && errno != EINVAL && errno != EROFS &&
        error_.empty()) // EINVAL: a pipe, a device
        error_ = fmt::format("recording {}: {}", path_, std::strerror(errno));
    if (::close(std::exchange(file_, -1)) != 0 && error_.empty())
        error_ = fmt::format("recording {}: {}", path_, std::strerror(errno));
    if (!error_.empty()) return bad_input(error_);
    return {};
}

} // namespace vitrine::emu
