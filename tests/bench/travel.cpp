// The bars of travel, by hand: how long do a seek and a step back take at random places of a long run of the
// bundled guest, and does history stay in its budget? How long does the machine pause for a checkpoint?
//
// usage: travel DISK BIOS SYMBOLS [STEPS] [PLACES] [MEMORY_MIB]
//        travel --linux KERNEL INITRD BIOS [STEPS] [PLACES] [MEMORY_MIB]   (INITRD: history/init and busybox)
// Prints percentiles of wall and of processor time; run it alone, or mind only the latter. Then a machine
// without history runs straight through the same places: all of their state hashes must be equal.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <random>
#include <string_view>
#include "emu/debugger/debugger.h"
#include "emu/timeline/timeline.h"

using namespace vitrine;
using namespace vitrine::emu;

namespace {

double wall() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
double processor() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct Times {
    std::vector<double> wall, processor;
    template <class Work> void measure(Work&& work) {
        const double w = ::wall(), p = ::processor();
        work();
        wall.push_back(::wall() - w), processor.push_back(::processor() - p);
    }
    void print(const char* name) {
        std::ranges::sort(wall), std::ranges::sort(processor);
        const auto at = [](const std::vector<double>& v, double share) {
            return v[std::min(v.size() - 1,
                              static_cast<std::size_t>(static_cast<double>(v.size()) * share))] *
                   1e3;
        };
        std::printf("%-10s processor time ms: 50th %.1f  95th %.1f  worst %.1f   wall: 50th %.1f  95th %.1f  "
                    "worst %.1f\n",
                    name, at(processor, 0.5), at(processor, 0.95), processor.back() * 1e3, at(wall, 0.5),
                    at(wall, 0.95), wall.back() * 1e3);
    }
};

/// Input steps are part of the run: a straight run gets the same.
std::unique_ptr<Machine> straight(const MachineConfig& config, const std::vector<LoggedInput>& inputs) {
    auto made = Machine::create(config);
    if (!made) return nullptr;
    for (const LoggedInput& input : inputs) (*made)->input_at(input.step, input.event, input.time);
    return std::move(*made);
}

int measure(const MachineConfig& config, const char* typed, u64 steps, u64 places) {
    auto made = Machine::create(config);
    if (!made) {
        std::fprintf(stderr, "travel: %s\n", made.error().message.c_str());
        return 66;
    }
    Machine& machine = **made;
    constexpr u64 Budget = 1ull << 30;
    Timeline timeline(machine, Budget);
    if (typed) {
        Debugger debugger(machine);
        if (!debugger.add("prompt")) return 70;
        RunLimits boot;
        boot.debugger = &debugger;
        machine.run(boot);
        machine.input(SerialInput{typed});
    }
    const double began = wall(), began_processor = processor();
    RunLimits limits;
    limits.step_limit = steps;
    while (machine.steps() < steps && !machine.ended()) machine.run(limits);
    const std::vector<LoggedInput> inputs = machine.input_log();
    std::printf("%llu steps in %.1f s of processor time (%.1f s): %zu checkpoints, %llu MiB of history, %llu "
                "pages shared\n",
                static_cast<unsigned long long>(machine.steps()), processor() - began_processor,
                wall() - began, timeline.history().count(),
                static_cast<unsigned long long>(timeline.history().used() >> 20),
                static_cast<unsigned long long>(timeline.history().shared_pages()));
    std::printf(
        "checkpoint  processor time ms: 50th %.2f  99th %.2f  worst %.2f  (of %llu, bar 10 at the 99th)\n",
        timeline.pauses().at(0.5) * 1e3, timeline.pauses().at(0.99) * 1e3, timeline.pauses().at(1) * 1e3,
        static_cast<unsigned long long>(timeline.pauses().count()));

    std::mt19937_64 random(1);
    Times seeks, backs;
    std::map<u64, u64> hashes;
    const u64 end = machine.steps();
    for (u64 i = 0; i < places; ++i) {
        const u64 place = 1 + random() % end;
        seeks.measure([&] {
            if (auto ok = timeline.seek(place); !ok) std::fprintf(stderr, "%s\n", ok.error().message.c_str());
        });
        if (hashes.size() < places / 2) hashes[place] = machine.state_hash();
        backs.measure([&] {
            if (auto ok = timeline.back(); !ok) std::fprintf(stderr, "%s\n", ok.error().message.c_str());
        });
        if (machine.steps() != place - 1) return 70;
    }
    seeks.print("seek");
    backs.print("step back");
    std::printf("history after it: %zu checkpoints, %llu MiB\n", timeline.history().count(),
                static_cast<unsigned long long>(timeline.history().used() >> 20));
    bool good = timeline.history().used() <= Budget;

    auto reference = straight(config, inputs);
    std::size_t equal = 0;
    for (const auto& [place, hash] : hashes) {
        limits.step_limit = place;
        for (u64 before = ~u64{0}; reference->steps() < place && reference->steps() != before;) {
            before = reference->steps();
            reference->run(limits);
        }
        equal += reference->state_hash() == hash;
    }
    std::printf("%zu of %zu places have the straight run's state hash\n", equal, hashes.size());
    good &= equal == hashes.size() && timeline.pauses().at(0.99) <= 0.010;
    return good ? 0 : 1;
}

} // namespace

int main(int count, char** arguments) {
    const bool linux_guest = count > 1 && std::string_view(arguments[1]) == "--linux";
    const int first = linux_guest ? 2 : 1;
    if (count < first + 3) {
        std::fprintf(stderr, "usage: travel DISK BIOS SYMBOLS [STEPS] [PLACES] [MEMORY_MIB]\n"
                             "       travel --linux KERNEL INITRD BIOS [STEPS] [PLACES] [MEMORY_MIB]\n");
        return 64;
    }
    const auto number = [&](int index, u64 otherwise) {
        return count > index ? std::strtoull(arguments[index], nullptr, 0) : otherwise;
    };
    const u64 steps = number(first + 3, 5'000'000'000), places = number(first + 4, 200);
    MachineConfig config;
    config.memory_bytes = number(first + 5, 512) << 20;
    if (linux_guest) {
        config.kernel_path = arguments[2], config.initrd_path = arguments[3], config.bios_path = arguments[4];
        config.append = "console=ttyS0 panic=-1";
        return measure(config, nullptr, steps, places);
    }
    config.disks.push_back({arguments[1], false, {}, false});
    config.bios_path = arguments[2], config.symbols_path = arguments[3];
    // A shell that never rests: files, processes, and two programs that count.
    return measure(config,
                   "while true; do ls -lR / > /tmp/list; cat /tmp/list /tmp/list > /root/copy; "
                   "sort /tmp/list | tail -n 3; spin 2 1; done\r",
                   steps, places);
}
