// The bars of travel, by hand: how long do a seek and a step back take at random places of a long run of the
// bundled guest, and does history stay in its budget? How long does the machine pause for a checkpoint?
//
// usage: travel DISK BIOS SYMBOLS [STEPS] [PLACES] [MEMORY_MIB]. Prints percentiles of wall and of processor
// time; run it alone, or mind only the latter.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
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

} // namespace

int main(int count, char** arguments) {
    if (count < 4) {
        std::fprintf(stderr, "usage: travel DISK BIOS SYMBOLS [STEPS] [PLACES] [MEMORY_MIB]\n");
        return 64;
    }
    const auto number = [&](int index, u64 otherwise) {
        return count > index ? std::strtoull(arguments[index], nullptr, 0) : otherwise;
    };
    const u64 steps = number(4, 5'000'000'000), places = number(5, 200);
    MachineConfig config;
    config.memory_bytes = number(6, 512) << 20;
    config.disks.push_back({arguments[1], false, {}, false});
    config.bios_path = arguments[2], config.symbols_path = arguments[3];
    auto made = Machine::create(config);
    if (!made) {
        std::fprintf(stderr, "travel: %s\n", made.error().message.c_str());
        return 66;
    }
    Machine& machine = **made;
    Timeline timeline(machine, 1ull << 30);

    // A shell that never rests: files, processes, and two programs that count.
    RunLimits boot;
    boot.conditions.push_back({StopCondition::Kind::Prompt, 0, {}, 0});
    machine.run(boot);
    machine.input(SerialInput{"while true; do ls -lR / > /tmp/list; cat /tmp/list /tmp/list > /root/copy; "
                              "sort /tmp/list | tail -n 3; spin 2 1; done\r"});
    const double began = wall(), began_processor = processor();
    RunLimits limits;
    limits.step_limit = steps;
    while (machine.steps() < steps && !machine.ended()) machine.run(limits);
    std::printf("%llu steps in %.1f s of processor time (%.1f s): %zu checkpoints, %llu MiB of history\n",
                static_cast<unsigned long long>(machine.steps()), processor() - began_processor,
                wall() - began, timeline.history().count(),
                static_cast<unsigned long long>(timeline.history().used() >> 20));

    std::mt19937_64 random(1);
    Times seeks, backs;
    for (u64 i = 0; i < places; ++i) {
        const u64 place = 1 + random() % (machine.steps() == 0 ? steps : timeline.last());
        seeks.measure([&] {
            if (auto ok = timeline.seek(place); !ok) std::fprintf(stderr, "%s\n", ok.error().message.c_str());
        });
        backs.measure([&] {
            if (auto ok = timeline.back(); !ok) std::fprintf(stderr, "%s\n", ok.error().message.c_str());
        });
        if (machine.steps() != place - 1) return 70;
    }
    seeks.print("seek");
    backs.print("step back");
    std::printf("history after it: %zu checkpoints, %llu MiB\n", timeline.history().count(),
                static_cast<unsigned long long>(timeline.history().used() >> 20));
    return timeline.history().used() <= (1ull << 30) ? 0 : 1;
}
