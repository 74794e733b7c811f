// What history and recording cost, by hand, also on a busy host: machines that run side by side in one
// process.
//
// usage: history_cost DISK BIOS SYMBOLS [ROUNDS]
//        history_cost --linux KERNEL INITRD BIOS [ROUNDS]   (INITRD: history/init and busybox)
// Four machines with equal configurations — plain, with history, recorded, both — take turns of some million
// steps in changing order, and each one's processor time is summed, creation and destruction included. What
// else the host does meets all of them alike, which two runs one after the other cannot say. All must have
// the same state at the end. Status 1 when a ratio is above the bar of 1.05.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <string_view>
#include "emu/recorder/recorder.h"
#include "emu/timeline/timeline.h"

using namespace vitrine;
using namespace vitrine::emu;

namespace {

constexpr u64 Slice = 3'000'000;
constexpr double Bar = 1.05;
const char* const Names[] = {"plain", "--history 1G", "--record", "--history 1G --record"};

double processor() { // of all threads: the recorder has one
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct Lane {
    std::unique_ptr<Machine> machine;
    std::unique_ptr<Recorder> recorder;
    std::unique_ptr<Timeline> timeline;
    double spent = 0;

    template <class Work> void timed(Work&& work) {
        const double before = processor();
        work();
        spent += processor() - before;
    }
};

struct Total {
    std::array<double, 4> spent{};
};

/// One run of all four from power-on to its end; false: they are not equal, or could not be made.
bool round(const MachineConfig& config, const char* until, const std::string& folder, unsigned turn,
           Total& total) {
    std::array<Lane, 4> lanes;
    bool good = true;
    for (unsigned k = 0; k < lanes.size(); ++k) {
        const unsigned i = (k + turn) % lanes.size();
        lanes[i].timed([&] {
            auto made = Machine::create(config);
            if (!made) return void(std::fprintf(stderr, "%s\n", made.error().message.c_str()));
            lanes[i].machine = std::move(*made);
            if (i & 2) {
                auto recorder =
                    Recorder::start(*lanes[i].machine, folder + "/" + std::to_string(i) + ".vrec");
                if (!recorder) return void(std::fprintf(stderr, "%s\n", recorder.error().message.c_str()));
                lanes[i].recorder = std::move(*recorder);
            }
            if (i & 1)
                lanes[i].timeline = std::make_unique<Timeline>(*lanes[i].machine, Timeline::DefaultBudget);
        });
    }
    for (const Lane& lane : lanes)
        if (!lane.machine) return false;
    RunLimits limits;
    bool over = false;
    std::array<RunReport, 4> last;
    while (!over) {
        limits.step_limit = lanes[0].machine->steps() + Slice;
        for (unsigned k = 0; k < lanes.size(); ++k) {
            const unsigned i = (k + turn) % lanes.size();
            lanes[i].timed([&] { last[i] = lanes[i].machine->run(limits); });
        }
        turn = turn * 5 + 1 + (turn >> 7);
        over = lanes[0].machine->ended() || last[0].reason == StopReason::IdleForever ||
               lanes[0].machine->serial_output().find(until) != std::string::npos;
    }
    const u64 hash = lanes[0].machine->state_hash();
    for (Lane& lane : lanes) good &= lane.machine->state_hash() == hash;
    if (lanes[1].timeline)
        std::printf("  %llu steps, %zu checkpoints, %llu copies, %llu MiB, %llu pages shared\n",
                    static_cast<unsigned long long>(lanes[0].machine->steps()),
                    lanes[1].timeline->history().count(),
                    static_cast<unsigned long long>(lanes[1].timeline->history().copies()),
                    static_cast<unsigned long long>(lanes[1].timeline->history().used() >> 20),
                    static_cast<unsigned long long>(lanes[1].timeline->history().shared_pages()));
    for (unsigned k = 0; k < lanes.size(); ++k) {
        const unsigned i = (k + turn) % lanes.size();
        lanes[i].timed([&] {
            if (lanes[i].recorder) good &= lanes[i].recorder->finish(last[i]).has_value();
            lanes[i].timeline.reset(), lanes[i].recorder.reset(), lanes[i].machine.reset();
        });
        total.spent[i] += lanes[i].spent;
    }
    return good;
}

} // namespace

int main(int count, char** arguments) {
    const bool linux_guest = count > 1 && std::string_view(arguments[1]) == "--linux";
    const int first = linux_guest ? 2 : 1;
    if (count < first + 3) {
        std::fprintf(stderr, "usage: history_cost DISK BIOS SYMBOLS [ROUNDS]\n"
                             "       history_cost --linux KERNEL INITRD BIOS [ROUNDS]\n");
        return 64;
    }
    const unsigned rounds = count > first + 3 ? static_cast<unsigned>(std::atoi(arguments[first + 3]))
                            : linux_guest     ? 2
                                              : 20;
    MachineConfig config;
    config.memory_bytes = 512 << 20;
    if (linux_guest) {
        config.kernel_path = arguments[2], config.initrd_path = arguments[3], config.bios_path = arguments[4];
        config.append = "console=ttyS0 panic=-1 rounds=2", config.no_reboot = true;
    } else {
        config.disks.push_back({arguments[1], false, {}, false});
        config.bios_path = arguments[2], config.symbols_path = arguments[3], config.processors = 4;
    }
    const std::string folder =
        std::filesystem::temp_directory_path() / ("history-cost-" + std::to_string(std::time(nullptr)));
    std::filesystem::create_directories(folder);
    Total total;
    bool good = true;
    for (unsigned i = 0; i < rounds && good; ++i) {
        good = round(config, linux_guest ? "Power down" : "vitrine# ", folder, i, total);
        if (!good) std::fprintf(stderr, "the four machines are not equal\n");
    }
    std::filesystem::remove_all(folder);
    for (unsigned i = 0; i < 4; ++i) {
        const double ratio = total.spent[i] / total.spent[0];
        std::printf("%-24s %8.3f s  %.4f%s\n", Names[i], total.spent[i], ratio,
                    ratio > Bar ? "  MISSED" : "");
        good &= ratio <= Bar;
    }
    return good ? 0 : 1;
}
