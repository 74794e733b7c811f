// The machine's thread: see machine_thread.h.
#include "ui/model/machine_thread.h"

namespace vitrine::ui {

namespace {
constexpr double Slice = 0.004; ///< seconds: how long a turn may have to be waited for
using namespace std::chrono_literals;
constexpr auto Rest = 8ms; ///< until a resting machine looks at the clock again
} // namespace

MachineThread::MachineThread(Engine& engine, std::function<void()> changed)
    : engine_(engine), changed_(std::move(changed)) {
    thread_ = std::thread([this] { loop(); });
}

MachineThread::~MachineThread() {
    {
        Turn turn(*this);
        quit_ = true;
        engine_.cancel_journey();
    }
    thread_.join();
    engine_.on_pause_of_journey({});
}

void MachineThread::take() {
    {
        std::scoped_lock guard(waiting_mutex_);
        ++wanted_;
    }
    mutex_.lock();
}

void MachineThread::give_back() {
    {
        std::scoped_lock guard(waiting_mutex_);
        --wanted_;
    }
    mutex_.unlock();
    free_.notify_one();
    wake_.notify_one();
}

void MachineThread::hand_over(std::unique_lock<std::mutex>& held) {
    free_.wait(held, [this] {
        std::scoped_lock guard(waiting_mutex_);
        return wanted_ == 0;
    });
}

void MachineThread::loop() {
    std::unique_lock held(mutex_);
    engine_.on_pause_of_journey([this, &held] { hand_over(held); });
    while (!quit_) {
        if (!engine_.running() && !engine_.travelling()) {
            wake_.wait(held, [this] { return quit_ || engine_.running() || engine_.travelling(); });
            continue;
        }
        const u64 stops = engine_.stops(), console = engine_.machine().serial_total();
        const bool rested = engine_.resting();
        engine_.frame(Slice);
        if (engine_.stops() != stops || (rested && engine_.machine().serial_total() != console)) changed_();
        if (engine_.running() && engine_.resting())
            wake_.wait_for(held, Rest);
        else
            hand_over(held);
    }
}

} // namespace vitrine::ui
