// Authors against brute force: a run that goes step by step and compares memory behind each one knows who
// changed what; DMA is among it. Registers and disk sectors likewise.
#include <algorithm>
#include <cstring>
#include <random>
#include "emu/machine/probes.h"
#include "emu/timeline/authors.h"
#include "tests/emu/machine_support.h"

using namespace vitrine;
using namespace vitrine::emu;
using namespace vitrine::test;

#ifdef TEST_REAL_GUEST
namespace {

#ifdef VITRINE_SANITIZE
constexpr unsigned Questions = 10;
constexpr u64 Window = 60'000;
#else
constexpr unsigned Questions = 200;
constexpr u64 Window = 400'000;
#endif

std::span<const u8> ram(Machine& m) { return {m.board().memory().at(0), m.board().memory().low_size()}; }

/// Which 8-byte cells disk requests change.
class DmaTargets final : public ProbeListener {
public:
    explicit DmaTargets(Machine& machine) : machine_(machine) {
        machine.probes().attach(*this, Probes::bit(Notice::Kind::Disk));
    }
    ~DmaTargets() override { machine_.probes().detach(*this); }
    void notice(const Notice& notice) override {
        using Stage = devices::Ich9Ahci::Stage;
        if (notice.kind != Notice::Kind::Disk) return;
        if (notice.value == static_cast<u64>(Stage::Moving))
            before_.assign(ram(machine_).begin(), ram(machine_).end());
        if (notice.value != static_cast<u64>(Stage::Done) || before_.empty()) return;
        for (u64 at = 0; at < before_.size(); at += 8)
            if (std::memcmp(&before_[at], &ram(machine_)[at], 8) != 0) cells.push_back(at);
    }
    std::vector<u64> cells;

private:
    Machine& machine_;
    std::vector<u8> before_;
};

void run_to_phase(Machine& machine, const char* phase) {
    ASSERT_EQ(run_to_place(machine, (std::string("phase:") + phase).c_str()).reason, StopReason::Breakpoint);
}
/// Where bus masters read.
class DmaReads final : public ProbeListener {
public:
    explicit DmaReads(Machine& machine) : machine_(machine) {
        for (u32 frame = 0; frame < machine.board().memory().frames(); ++frame)
            machine.probes().watch_frame(frame, cpu::WatchedRead);
        machine.probes().attach(*this, 0);
    }
    ~DmaReads() override {
        for (u32 frame = 0; frame < machine_.board().memory().frames(); ++frame)
            machine_.probes().unwatch_frame(frame, cpu::WatchedRead);
        machine_.probes().detach(*this);
    }
    void notice(const Notice& notice) override {
        if (notice.kind == Notice::Kind::Memory && !notice.write && machine_.board().bus_master_active())
            pieces.emplace_back(*machine_.board().frame_address(notice.frame) + notice.address, notice.size);
    }
    std::vector<std::pair<u64, u32>> pieces;

private:
    Machine& machine_;
};
u64 cell(Machine& m, u64 at) {
    u64 v = 0;
    std::memcpy(&v, m.board().memory().at(at), 8);
    return v;
}

} // namespace

TEST(Authors, AreWhoABruteForceRunSaysTheyAre) {
    // PID 1 is read from the disk here.
    auto machine = boot_machine();
    run_to_phase(*machine, "run_init");
    const u64 first = machine->steps(), last = first + Window;
    const std::vector<u8> start = machine->save(), before(ram(*machine).begin(), ram(*machine).end());
    std::vector<u64> cells;
    {
        DmaTargets targets(*machine);
        run_to(*machine, last);
        cells = targets.cells;
    }
    std::mt19937_64 random(8);
    ASSERT_GT(cells.size(), 40u);
    std::ranges::shuffle(cells, random);
    cells.resize(40);
    std::vector<u64> changed;
    for (u64 at = 0; at < before.size(); at += 8)
        if (std::memcmp(&before[at], &ram(*machine)[at], 8) != 0) changed.push_back(at);
    std::ranges::shuffle(changed, random);
    changed.resize(std::min<std::size_t>(changed.size(), 60));
    cells.insert(cells.end(), changed.begin(), changed.end());

    struct Change {
        u64 step, value;
    };
    std::vector<std::vector<Change>> brute(cells.size());
    ASSERT_TRUE(machine->restore(start));
    std::vector<u64> now;
    for (u64 at : cells) now.push_back(cell(*machine, at));
    const std::vector<u64> initial = now;
    while (machine->steps() < last) {
        const u64 step = machine->steps();
        machine->step();
        for (std::size_t i = 0; i < cells.size(); ++i)
            if (const u64 v = cell(*machine, cells[i]); v != now[i]) brute[i].push_back({step, now[i] = v});
    }
    ASSERT_TRUE(machine->restore(start));
    Timeline timeline(*machine, 64 << 20, 0.001);
    run_to(*machine, last);
    const u64 hash = machine->state_hash();
    Authors authors(*machine, timeline);
    unsigned answered = 0, devices = 0;
    for (unsigned question = 0; question < Questions; ++question) {
        const std::size_t i = random() % cells.size();
        const u64 place = question % 4 ? first + random() % Window : last;
        ASSERT_TRUE(timeline.seek(place));
        Target target{Target::Kind::Physical, cells[i], 8, 0, "the cell"};
        const auto author = authors.who_wrote(target);
        EXPECT_EQ(machine->steps(), place);
        std::optional<Change> expected;
        for (const Change& change : brute[i])
            if (change.step < place) expected = change;
        if (!author) {
            EXPECT_FALSE(expected) << author.error().message << " cell " << std::hex << cells[i];
            continue;
        }
        ++answered;
        devices += author->device;
        if (author->device) EXPECT_FALSE(author->request.empty());
        // A write that changes nothing is one, too: brute force does not see it.
        const bool silent = author->old_value == author->value;
        if (silent && (!expected || author->step > expected->step)) continue;
        ASSERT_TRUE(expected);
        EXPECT_EQ(author->step, expected->step) << std::hex << cells[i] << " before " << place;
        // The list of all writes ends with it, and those that change something are brute force's.
        if (question % 8) continue;
        const auto all = authors.writes(target, first, place, 100'000);
        ASSERT_TRUE(all);
        ASSERT_FALSE(all->empty());
        EXPECT_EQ(all->back().step, author->step);
        std::vector<u64> steps, wanted;
        for (const Author& each : *all)
            if (each.old_value != each.value && (steps.empty() || steps.back() != each.step))
                steps.push_back(each.step);
        for (const Change& change : brute[i])
            if (change.step < place) wanted.push_back(change.step);
        // One instruction may write a cell twice and leave it as it was.
        EXPECT_TRUE(std::ranges::includes(steps, wanted)) << std::hex << cells[i];
    }
    EXPECT_GT(answered, Questions / 5);
    EXPECT_GT(devices, Questions / 20);
    ASSERT_TRUE(timeline.seek(last));
    EXPECT_EQ(machine->state_hash(), hash);
}

TEST(Authors, OfRegistersReadersAndSectors) {
    auto machine = boot_machine();
    Timeline timeline(*machine, 64 << 20, 0.001);
    run_to(*machine, boot_length());
    machine->input(SerialInput{"echo hello > /tmp/x\rsync\r"});
    run_to(*machine, machine->steps() + 3'000'000);
    Authors authors(*machine, timeline);
    const u64 here = machine->steps();

    const u64 rax = machine->processor().registers().gpr[cpu::RAX];
    auto changed = authors.who_changed("rax");
    ASSERT_TRUE(changed) << changed.error().message;
    EXPECT_EQ(changed->value, rax);
    ASSERT_TRUE(timeline.seek(changed->step));
    EXPECT_EQ(machine->processor().registers().gpr[cpu::RAX], changed->old_value);
    machine->step();
    EXPECT_EQ(machine->processor().registers().gpr[cpu::RAX], rax);
    ASSERT_TRUE(timeline.seek(here));

    auto jiffies = parse_target("jiffies", *machine);
    ASSERT_TRUE(jiffies) << jiffies.error().message;
    auto writer = authors.who_wrote(*jiffies);
    ASSERT_TRUE(writer) << writer.error().message;
    EXPECT_TRUE(writer->place.starts_with("tick_do_update_jiffies64")) << writer->place;
    EXPECT_GT(writer->value, writer->old_value); // an idle processor lets ticks pass
    EXPECT_FALSE(writer->task.empty());
    auto reader = authors.who_read(*jiffies);
    ASSERT_TRUE(reader) << reader.error().message;
    EXPECT_FALSE(reader->write);

    // The sector that the last disk write went to.
    std::optional<u64> sector;
    for (u64 at = 0; at < machine->board().disks()[0]->sectors(); at += 8)
        if (machine->board().disks()[0]->overlay_page(at / 8)) sector = at;
    ASSERT_TRUE(sector);
    auto target = parse_target("disk:" + std::to_string(*sector), *machine);
    ASSERT_TRUE(target);
    auto disk = authors.who_wrote(*target);
    ASSERT_TRUE(disk) << disk.error().message;
    EXPECT_TRUE(disk->device);
    EXPECT_NE(disk->request.find("WRITE"), std::string::npos) << disk->request;
    EXPECT_EQ(machine->steps(), here);
    // Its controller is who has read the memory that it was written from, and the commands' tables.
    ASSERT_TRUE(timeline.seek(disk->step));
    std::vector<std::pair<u64, u32>> pieces;
    {
        DmaReads reads(*machine);
        run_to(*machine, disk->step + 3);
        pieces = reads.pieces;
    }
    const auto data = std::ranges::find_if(pieces, [](const auto& piece) { return piece.second >= 512; });
    ASSERT_NE(data, pieces.end());
    const Target from{Target::Kind::Physical, data->first + 16, 8, 0, "the data"};
    auto controller = authors.who_read(from);
    ASSERT_TRUE(controller) << controller.error().message;
    EXPECT_TRUE(controller->device);
    EXPECT_EQ(controller->step, disk->step);
    EXPECT_EQ(controller->request, disk->request);
    ASSERT_TRUE(timeline.seek(here));
    for (const char* bad :
         {"jiffie", "phys:jiffies", "jiffies:0", "disk:99999999999", "disk:3:0", "0x10:2097152"})
        EXPECT_FALSE(parse_target(bad, *machine)) << bad;
}
#endif
