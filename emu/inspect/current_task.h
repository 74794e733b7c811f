// CurrentTask — which task of the bundled kernel a processor runs, cheaply enough for a condition of a
// breakpoint: the layouts are looked up once for a kernel, then a task is a few reads.
//
// Invariants: nothing read from the guest is trusted; without a kernel, or before its first task, there is no
// answer. Reading has no side effect on the machine.
#pragma once
#include <optional>
#include <string>
#include "cpu/base/types.h"

namespace vitrine::emu {
class Machine;
}

namespace vitrine::emu::inspect {

struct TaskName {
    u64 address = 0;
    i64 pid = 0, tgid = 0;
    u64 state = 0;
    std::string comm;
};

class CurrentTask {
public:
    /// The task that processor `index` runs; nothing while there is none.
    std::optional<TaskName> read(const Machine& machine, unsigned index);
    /// The task whose structure is at `address`.
    std::optional<TaskName> at(const Machine& machine, unsigned index, u64 address);
    /// Only its address, without names: 0 while there is none.
    u64 address(const Machine& machine, unsigned index);

private:
    bool learn(const Machine& machine);
    u64 slide_ = ~u64{0};
    std::size_t tried_ = ~std::size_t{0}; ///< number of phases at the last attempt
    bool known_ = false;
    u64 per_cpu_ = 0, stride_ = 0, processors_ = 0;
    u32 current_ = 0, pid_ = 0, tgid_ = 0, state_ = 0, comm_ = 0;
};

} // namespace vitrine::emu::inspect
