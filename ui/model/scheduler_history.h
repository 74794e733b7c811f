// The scheduler over time: how busy each processor was, how many tasks waited, and how vruntime grew.
//
// Load comes from the task switches that the event store holds: exact, whoever looked. Lengths of queues and
// vruntime are samples of what the panel saw while it was open. Times are the guest's.
#pragma once
#include <string>
#include <vector>
#include "emu/events/events.h"
#include "emu/inspect/tasks.h"

namespace vitrine::ui {

/// For each processor, the share of [from, to) in each of `buckets` parts that a task other than the idle one
/// ran; negative: it is not known who ran. At most `most` switches are looked at, the last ones.
std::vector<std::vector<float>> processor_load(const emu::EventStore& events, unsigned processors, u64 from,
                                               u64 to, unsigned buckets, u64 most = 100'000);

class SchedulerHistory {
public:
    struct Sample {
        u64 time = 0;
        std::vector<u32> runnable; ///< by processor
        struct Runtime {
            i64 pid;
            u64 vruntime;
        };
        std::vector<Runtime> tasks; ///< of the fair class: those that can run, by PID
    };
    /// What a look at `time` found. Looks may come in any order; later ones at the same time replace.
    void add(u64 time, const emu::inspect::RunQueuesView& queues);
    void forget_after(u64 time);
    void clear() { samples_.clear(), names_.clear(); }
    const std::vector<Sample>& samples() const { return samples_; }
    std::string name(i64 pid) const;

private:
    std::vector<Sample> samples_; ///< in order of time
    std::vector<std::pair<i64, std::string>> names_;
};

} // namespace vitrine::ui
