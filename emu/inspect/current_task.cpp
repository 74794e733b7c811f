// CurrentTask: see current_task.h. Names of types and fields: guest/kernel/inspect/README.md.
#include "emu/inspect/current_task.h"
#include "emu/inspect/kernel.h"
#include "emu/machine.h"
#include "emu/symbols/guest_symbols.h"

namespace vitrine::emu::inspect {

namespace {
constexpr u64 KernelHalf = 0xFFFF'8000'0000'0000;
constexpr std::size_t CommBytes = 16;
} // namespace

bool CurrentTask::learn(const Machine& machine) {
    const GuestSymbols* symbols = machine.symbols();
    if (!symbols || !symbols->slide()) return known_ = false;
    if (known_ && slide_ == *symbols->slide()) return true;
    // Before the kernel runs from its own tables they cannot be read: ask once a phase.
    if (slide_ == *symbols->slide() && tried_ == machine.phases().size()) return false;
    slide_ = *symbols->slide(), tried_ = machine.phases().size(), known_ = false;
    const MachineReader memory(machine);
    const auto kernel = GuestKernel::open(memory, symbols, "");
    if (!kernel) return false;
    const auto table = kernel->root("per_cpu");
    const auto stride = kernel->size_of("PerCpu");
    const auto current = kernel->field("PerCpu", "current"), pid = kernel->field("Task", "pid"),
               tgid = kernel->field("Task", "tgid"), state = kernel->field("Task", "state"),
               comm = kernel->field("Task", "comm");
    if (!table || !stride || !current || !pid || !tgid || !state || !comm) return false;
    per_cpu_ = table->address, stride_ = *stride, processors_ = table->count;
    current_ = current->offset, pid_ = pid->offset, tgid_ = tgid->offset, state_ = state->offset,
    comm_ = comm->offset;
    return known_ = true;
}

u64 CurrentTask::address(const Machine& machine, unsigned index) {
    if (!learn(machine) || index >= processors_) return 0;
    u64 task = 0;
    const MachineReader memory(machine, index);
    if (!memory.linear_value(per_cpu_ + index * stride_ + current_, task) || task < KernelHalf) return 0;
    return task;
}

std::optional<TaskName> CurrentTask::at(const Machine& machine, unsigned index, u64 address) {
    if (!learn(machine) || address < KernelHalf) return std::nullopt;
    const MachineReader memory(machine, index);
    TaskName task;
    task.address = address;
    i32 pid = 0, tgid = 0;
    u32 state = 0;
    char comm[CommBytes] = {};
    if (!memory.linear_value(address + pid_, pid) || !memory.linear_value(address + tgid_, tgid) ||
        !memory.linear_value(address + state_, state) || !memory.linear_value(address + comm_, comm))
        return std::nullopt;
    task.pid = pid, task.tgid = tgid, task.state = state;
    for (char c : comm) {
        if (!c) break;
        task.comm += c >= ' ' && c < 127 ? c : '?';
    }
    return task;
}

std::optional<TaskName> CurrentTask::read(const Machine& machine, unsigned index) {
    const u64 task = address(machine, index);
    return task ? at(machine, index, task) : std::nullopt;
}

} // namespace vitrine::emu::inspect
