// MachineThread — the machine runs in a thread of its own; the window draws meanwhile.
//
// Who touches the engine holds a Turn. The machine's thread gives turns away between slices of a few
// milliseconds, and on a journey through history between its parts; the window takes one to hand over what a
// person did and to read what it will draw, and gives it back before it draws. A slice ends where it ends:
// when the window takes its turn changes nothing that the guest computes (law 4; tests/ui/engine_test.cpp).
//
// Invariants: a thread that wants a turn gets one after the current slice, however busy the machine is. While
// nothing runs, the machine's thread sleeps.
#pragma once
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include "ui/model/engine.h"

namespace vitrine::ui {

class MachineThread {
public:
    /// `changed` is called from the machine's thread when the machine stops, or has something to show after a
    /// rest.
    MachineThread(Engine& engine, std::function<void()> changed);
    ~MachineThread();
    MachineThread(const MachineThread&) = delete;
    MachineThread& operator=(const MachineThread&) = delete;

    class Turn {
    public:
        explicit Turn(MachineThread& owner) : owner_(owner) { owner_.take(); }
        ~Turn() { owner_.give_back(); }
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;

    private:
        MachineThread& owner_;
    };

private:
    void take();
    void give_back();
    void loop();
    /// In the machine's thread: lets everybody who waits have a turn.
    void hand_over(std::unique_lock<std::mutex>& held);

    Engine& engine_;
    std::function<void()> changed_;
    std::mutex mutex_;
    std::condition_variable free_, wake_;
    unsigned wanted_ = 0; ///< guarded by waiting_mutex_
    std::mutex waiting_mutex_;
    bool quit_ = false; ///< guarded by mutex_
    std::thread thread_;
};

} // namespace vitrine::ui
