// Views over a made-up guest memory: the structures come out as they went in, and corrupt ones become notes.
#include <cstring>
#include <map>
#include "emu/inspect/descriptors.h"
#include "emu/inspect/interrupts.h"
#include "emu/inspect/kernel.h"
#include "emu/inspect/memory.h"
#include "emu/inspect/page_owner.h"
#include "emu/inspect/processes.h"
#include "emu/inspect/space.h"
#include "emu/inspect/tasks.h"
#include "emu/inspect/walk.h"
#include "tests/emu/support.h"

using namespace vitrine;
using namespace vitrine::emu::inspect;
namespace published = vitrine::inspect_abi;

namespace {

/// A flat guest: linear equals physical, `size` bytes from 0; everything else is unmapped.
class FakeGuest final : public GuestReader {
public:
    explicit FakeGuest(std::size_t size) : bytes(size) {}
    std::size_t linear(u64 address, std::span<u8> out) const override {
        ++reads;
        if (address >= bytes.size()) return 0;
        const std::size_t n = std::min<std::size_t>(out.size(), bytes.size() - address);
        std::memcpy(out.data(), bytes.data() + address, n);
        return n;
    }
    bool physical(u64 address, std::span<u8> out) const override {
        return linear(address, out) == out.size();
    }
    template <class T> void put(u64 address, const T& value) {
        std::memcpy(bytes.data() + address, &value, sizeof value);
    }
    std::vector<u8> bytes;
    mutable u64 reads = 0;
};

/// Lays out a published kernel: types, fields and roots are appended as the tests name them.
class FakeKernel {
public:
    FakeGuest guest{0x40000};
    void type(const char* name, u32 size) {
        types_.push_back(named<published::TypeLayout>(name)), types_.back().size = size;
    }
    void field(const char* type, const char* name, u32 offset, u32 size) {
        auto row = published::FieldLayout{};
        std::strncpy(row.type, type, 31), std::strncpy(row.name, name, 31);
        row.offset = offset, row.size = size;
        fields_.push_back(row);
    }
    void root(const char* name, const char* type, u64 address, u64 count) {
        auto row = named<published::NamedRoot>(name);
        std::strncpy(row.type, type, 31);
        row.address = address, row.count = count;
        roots_.push_back(row);
    }
    std::expected<GuestKernel, std::string> publish() {
        published::Root r{};
        r.magic = published::Magic, r.version = published::Version, r.size = sizeof r;
        r.types = 0x1000, r.type_count = types_.size(), r.fields = 0x2000, r.field_count = fields_.size();
        r.roots = 0x6000, r.root_count = roots_.size();
        guest.put(0x800, r);
        for (std::size_t i = 0; i < types_.size(); ++i) guest.put(0x1000 + i * sizeof types_[0], types_[i]);
        for (std::size_t i = 0; i < fields_.size(); ++i)
            guest.put(0x2000 + i * sizeof fields_[0], fields_[i]);
        for (std::size_t i = 0; i < roots_.size(); ++i) guest.put(0x6000 + i * sizeof roots_[0], roots_[i]);
        return GuestKernel::at(guest, 0x800, "kernel:test");
    }

private:
    template <class T> static T named(const char* name) {
        T row{};
        std::strncpy(row.name, name, 31);
        return row;
    }
    std::vector<published::TypeLayout> types_;
    std::vector<published::FieldLayout> fields_;
    std::vector<published::NamedRoot> roots_;
};

// A little scheduler: one run queue at 0x10000, tasks of 256 bytes from 0x20000, published as
// guest/kernel/inspect/README.md says.
constexpr u64 Queue = 0x10000, Tasks = 0x20000, NodeInTask = 72;
u64 task_at(unsigned i) { return Tasks + i * 256; }

FakeKernel scheduler_kernel() {
    FakeKernel k;
    k.type("Task", 256), k.type("RunQueue", 128), k.type("RbNode", 24);
    k.field("Task", "pid", 0, 4), k.field("Task", "tgid", 4, 4), k.field("Task", "comm", 8, 16),
        k.field("Task", "state", 24, 4);
    k.field("Task", "cpu", 28, 4), k.field("Task", "on_cpu", 32, 4), k.field("Task", "flags", 36, 4),
        k.field("Task", "nice", 40, 4);
    k.field("Task", "parent", 48, 8), k.field("Task", "tasks", 160, 16);
    k.field("Task", "weight", 64, 8), k.field("Task", "run_node", 72, 24), k.field("Task", "vruntime", 96, 8),
        k.field("Task", "sum_exec_runtime", 104, 8);
    k.field("RbNode", "parent_color", 0, 8), k.field("RbNode", "right", 8, 8),
        k.field("RbNode", "left", 16, 8);
    k.field("RunQueue", "cpu", 0, 4), k.field("RunQueue", "nr_running", 4, 4),
        k.field("RunQueue", "clock", 8, 8);
    k.field("RunQueue", "current", 16, 8), k.field("RunQueue", "switches", 24, 8),
        k.field("RunQueue", "cfs_load", 32, 8);
    k.field("RunQueue", "cfs_nr_running", 40, 8), k.field("RunQueue", "cfs_min_vruntime", 48, 8);
    k.field("RunQueue", "cfs_root", 56, 8), k.field("RunQueue", "cfs_leftmost", 64, 8);
    k.field("ListNode", "next", 0, 8), k.field("ListNode", "prev", 8, 8);
    k.root("run_queues", "RunQueue", Queue, 1), k.root("task_list", "ListNode", 0x11000, 1);
    for (unsigned i = 0; i < 4; ++i) {
        k.guest.put(task_at(i), i32(i + 1));
        k.guest.put(task_at(i) + 8, std::array<char, 4>{'t', static_cast<char>('0' + i), 0, 0});
        k.guest.put(task_at(i) + 64, u64{1024});
        k.guest.put(task_at(i) + 64 + 32, u64{1000 * (i + 1)});
    }
    // Task 0 runs; the tree is 2 over {1, 3}.
    const auto node = [](unsigned i) { return task_at(i) + NodeInTask; };
    k.guest.put(Queue + 4, u32{4}), k.guest.put(Queue + 16, task_at(0));
    k.guest.put(Queue + 56, node(2)), k.guest.put(Queue + 64, node(1));
    k.guest.put(node(2), u64{1}), k.guest.put(node(2) + 8, node(3)), k.guest.put(node(2) + 16, node(1));
    // The task list: head → 0 → 1 → 2 → 3 → head.
    const u64 links[] = {0x11000,          task_at(0) + 160, task_at(1) + 160,
                         task_at(2) + 160, task_at(3) + 160, 0x11000};
    for (int i = 0; i < 5; ++i) k.guest.put(links[i], links[i + 1]), k.guest.put(links[i + 1] + 8, links[i]);
    return k;
}

} // namespace

TEST(Inspect, RunQueueComesOutInOrder) {
    FakeKernel k = scheduler_kernel();
    const auto view = run_queues_view(k.publish());
    ASSERT_EQ(view.rows.size(), 1u) << view.why_empty;
    EXPECT_TRUE(view.notes.empty()) << to_text(view);
    ASSERT_EQ(view.rows[0].tree.size(), 3u);
    EXPECT_EQ(view.rows[0].current.pid, 1);
    EXPECT_EQ(view.rows[0].tree[0].task.comm, "t1");
    EXPECT_TRUE(view.rows[0].tree[0].leftmost);
    EXPECT_EQ(view.rows[0].tree[1].task.vruntime, 3000u);
    EXPECT_TRUE(view.rows[0].tree[1].black);
    EXPECT_EQ(view.rows[0].tree[1].depth, 0u);
    EXPECT_EQ(view.rows[0].tree[2].depth, 1u);
    EXPECT_EQ(to_json(view)["run_queues"][0]["tree"].size(), 3u);
    const auto tasks = tasks_view(k.publish());
    EXPECT_EQ(tasks.rows.size(), 4u);
    EXPECT_TRUE(tasks.notes.empty()) << to_text(tasks);
}

TEST(Inspect, CorruptStructuresBecomeNotes) {
    {
        FakeKernel k = scheduler_kernel(); // the tree bites its own tail
        k.guest.put(task_at(3) + NodeInTask + 16, task_at(2) + NodeInTask);
        const auto view = run_queues_view(k.publish());
        ASSERT_FALSE(view.notes.empty());
        EXPECT_NE(view.notes.list()[0].find("cycle"), std::string::npos) << view.notes.list()[0];
    }
    {
        FakeKernel k = scheduler_kernel(); // a child outside memory
        k.guest.put(task_at(1) + NodeInTask + 8, u64{0xDEADBEEF0000});
        const auto view = run_queues_view(k.publish());
        EXPECT_NE(to_text(view).find("corrupt at"), std::string::npos);
        EXPECT_GE(view.rows[0].tree.size(), 1u) << "what was good is still shown";
    }
    {
        FakeKernel k = scheduler_kernel(); // a list that misses its head
        k.guest.put(task_at(3) + 160, task_at(1) + 160);
        const auto view = tasks_view(k.publish());
        EXPECT_EQ(view.rows.size(), 4u);
        EXPECT_NE(to_text(view).find("cycle"), std::string::npos);
    }
    {
        FakeKernel k = scheduler_kernel(); // a list that ends in nothing
        k.guest.put(task_at(1) + 160, u64{0});
        EXPECT_NE(to_text(tasks_view(k.publish())).find("null"), std::string::npos);
    }
}

/// Tasks 1 and 2 of the little scheduler become threads of task 0: they leave the task list for the list of
/// its SignalStruct at 0x12000.
FakeKernel threaded_kernel() {
    FakeKernel k = scheduler_kernel();
    k.type("SignalStruct", 64);
    k.field("Task", "signal", 176, 8), k.field("Task", "thread_node", 184, 16);
    k.field("SignalStruct", "thread_head", 16, 16);
    const auto chain = [&](const std::vector<u64>& links) {
        for (std::size_t i = 0; i < links.size(); ++i) {
            const u64 next = links[(i + 1) % links.size()];
            k.guest.put(links[i], next), k.guest.put(next + 8, links[i]);
        }
    };
    chain({0x11000, task_at(0) + 160, task_at(3) + 160});
    chain({0x12010, task_at(0) + 184, task_at(1) + 184, task_at(2) + 184});
    chain({0x12110, task_at(3) + 184});
    for (unsigned i = 0; i < 4; ++i) {
        k.guest.put(task_at(i) + 176, i == 3 ? u64{0x12100} : u64{0x12000});
        k.guest.put(task_at(i) + 4, i32(i == 3 ? 4 : 1));
    }
    return k;
}

TEST(Inspect, ThreadsStandBehindTheirLeader) {
    FakeKernel k = threaded_kernel();
    const auto tasks = tasks_view(k.publish());
    std::vector<i64> seen;
    for (const TaskRow& row : tasks.rows) seen.push_back(row.pid);
    EXPECT_EQ(seen, (std::vector<i64>{1, 2, 3, 4}));
    EXPECT_TRUE(tasks.notes.empty()) << to_text(tasks);
}

TEST(Inspect, ThreadListsThatShareTheirNodesAreReadOnce) {
    FakeKernel k = threaded_kernel();
    // A hostile kernel: every task is a leader, and all lists of threads run into the same long one.
    k.guest.bytes.resize(0x400000);
    constexpr unsigned Leaders = 3000, Long = 5000;
    constexpr u64 Crowd = 0x100000;
    const auto at = [](unsigned i) { return Crowd + i * 256; };
    for (unsigned i = 0; i < Leaders; ++i) {
        k.guest.put(at(i) + 160, i + 1 < Leaders ? at(i + 1) + 160 : u64{0x11000});
        k.guest.put(at(i) + 176, u64{0x300000} + i * 64);
        k.guest.put(u64{0x300000} + i * 64 + 16, u64{0x340000});
    }
    k.guest.put(0x11000, at(0) + 160);
    for (unsigned i = 0; i < Long; ++i) k.guest.put(0x340000 + i * 64, u64{0x340000} + (i + 1) * 64);
    k.guest.reads = 0;
    const auto tasks = tasks_view(k.publish());
    EXPECT_LE(tasks.rows.size(), 65536u);
    EXPECT_LT(k.guest.reads, 4'000'000u) << "each of 3000 lists was followed for 5000 nodes";
}

/// A chain of processes, each the child of the one before.
TEST(Inspect, ADeepProcessTreeIsIndentedSoFarOnly) {
    constexpr unsigned Chain = 2000;
    FakeKernel k = scheduler_kernel();
    k.guest.bytes.resize(0x200000);
    k.field("Task", "children", 200, 16), k.field("Task", "sibling", 216, 16);
    const auto at = [](unsigned i) { return 0x100000 + i * 256; };
    for (unsigned i = 0; i < Chain; ++i) {
        k.guest.put(at(i), i32(i)), k.guest.put(at(i) + 4, i32(i));
        k.guest.put(at(i) + 160, i + 1 < Chain ? at(i + 1) + 160 : u64{0x11000});
        k.guest.put(at(i) + 168, i ? at(i - 1) + 160 : u64{0x11000});
        const u64 child = i + 1 < Chain ? at(i + 1) + 216 : at(i) + 200;
        k.guest.put(at(i) + 200, child), k.guest.put(at(i) + 208, child);
        if (i + 1 < Chain) k.guest.put(child, at(i) + 200), k.guest.put(child + 8, at(i) + 200);
    }
    k.guest.put(0x11000, at(0) + 160), k.guest.put(0x11008, at(Chain - 1) + 160);
    const auto view = processes_view(k.publish(), nullptr);
    ASSERT_EQ(view.sheets.at(0).rows.size(), Chain);
    std::size_t longest = 0;
    for (const auto& row : view.sheets[0].rows) longest = std::max(longest, row[0].text.size());
    EXPECT_EQ(longest, 2 * 64u);
}

/// Address spaces whose tables lead to one another, so that a walk of each meets as many as it is allowed.
TEST(Inspect, OwnersOfPagesLookAtSoManyTablesInAll) {
    FakeKernel k = scheduler_kernel();
    k.type("MemoryStruct", 64);
    k.field("Task", "mm", 208, 8), k.field("Task", "stack", 216, 8), k.field("MemoryStruct", "pgd", 0, 8);
    constexpr unsigned Spaces = 24;
    constexpr u64 Tables = 0x30000, Memories = 0x38000;
    for (u64 level = 0; level < 3; ++level) // the last one, at +3000h, is empty
        for (u64 i = 0; i < 512; ++i)
            k.guest.put(Tables + level * 4096 + i * 8, (Tables + (level + 1) * 4096) | 7);
    const auto at = [](unsigned i) { return Tasks + i * 256; };
    for (unsigned i = 0; i < Spaces; ++i) {
        k.guest.put(at(i), i32(i + 1)), k.guest.put(at(i) + 208, Memories + i * 64);
        k.guest.put(Memories + i * 64, Tables);
        k.guest.put(at(i) + 160, i + 1 < Spaces ? at(i + 1) + 160 : u64{0x11000});
        k.guest.put(at(i) + 168, i ? at(i - 1) + 160 : u64{0x11000});
    }
    k.guest.put(0x11008, at(Spaces - 1) + 160);
    k.guest.reads = 0;
    const auto view = owners(k.publish());
    EXPECT_FALSE(view.notes.empty());
    EXPECT_LT(k.guest.reads, 600'000u);
}

TEST(Inspect, ATableThatLeadsOutOfMemoryIsPrintable) {
    FakeGuest guest(0x4000);
    guest.put(0x1000, u64{0x7000'0007});
    const std::string text = to_text(tables_view(guest, 0x1000, 0));
    for (const char c : text) EXPECT_TRUE(c == '\n' || (c >= ' ' && c < 127)) << static_cast<int>(c);
    EXPECT_NE(text.find("leads out of memory"), std::string::npos) << text;
}

TEST(Inspect, ViewsSayWhyTheyAreEmpty) {
    FakeGuest blank(0x2000);
    const auto missing = GuestKernel::at(blank, 0x100, "post:memory");
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().find("post:memory"), std::string::npos);
    EXPECT_EQ(run_queues_view(missing).why_empty, missing.error());
    EXPECT_EQ(to_text(buddy_view(missing)), missing.error() + "\n");
    EXPECT_FALSE(GuestKernel::at(blank, 0x100000, "x"));
    EXPECT_FALSE(GuestKernel::open(blank, nullptr, "x"));
    FakeKernel empty;
    empty.root("run_queues", "RunQueue", 0x100, ~u64{0});
    EXPECT_FALSE(run_queues_view(empty.publish()).why_empty.empty());
}

TEST(Inspect, RandomDamageNeverHangsOrCrashes) {
    std::mt19937_64 random(5);
    for (int round = 0; round < 3000; ++round) {
        FakeKernel k = scheduler_kernel();
        (void)k.publish();
        for (int n = 0; n < 6; ++n) {
            static constexpr u64 Places[] = {0x800, 0x1000, 0x2000, 0x6000, Queue, 0x11000, Tasks};
            k.guest.put(Places[random() % 7] + random() % 1000,
                        random() % 2 ? random() : Tasks + random() % 1024);
        }
        auto kernel = GuestKernel::at(k.guest, 0x800, "x");
        (void)to_text(run_queues_view(kernel));
        (void)to_json(tasks_view(kernel));
        (void)to_text(buddy_view(kernel));
        (void)to_text(memory_map_view(kernel));
    }
}

TEST(Inspect, DescriptorsDecode) {
    // SDM 3A figure 3-8: flat 64-bit code, 32-bit data, and a TSS.
    const auto code = decode_descriptor(0x08, 0x00AF9B000000FFFF, 0, true);
    EXPECT_EQ(code.kind, "code, 64-bit, accessed");
    EXPECT_EQ(code.limit, 0xFFFFFFFFu);
    const auto data = decode_descriptor(0x2B, 0x00CFF3000000FFFF, 0, true);
    EXPECT_EQ(data.kind, "data, writable, accessed");
    EXPECT_EQ(data.dpl, 3);
    const auto tss = decode_descriptor(0x40, 0x81008B0010000067, 0xFFFFFFFF, true);
    EXPECT_TRUE(tss.wide);
    EXPECT_EQ(tss.base, 0xFFFFFFFF81001000u);
    EXPECT_EQ(tss.kind, "TSS (64-bit, busy)");
}

TEST(Inspect, WalkAndAddressSpace) {
    FakeGuest guest(0x10000);
    cpu::Registers r;
    r.cr0 = cpu::PE | cpu::PG, r.cr4 = cpu::PAE, r.msr.efer = cpu::LME | cpu::LMA | cpu::NXE, r.cr3 = 0x1000;
    guest.put(0x1000, u64{0x2007}), guest.put(0x2000, u64{0x3007}), guest.put(0x3000, u64{0x4007});
    for (u64 i = 0; i < 4; ++i) guest.put(0x4000 + 8 * i, 0x8000000000000000 | (0x8000 + i * 0x1000) | 7);
    guest.put(0x3008, u64{0x200000 | 0x83}); // a 2 MiB page, supervisor
    auto walk = walk_view(r, guest, 0x2345, nullptr);
    EXPECT_TRUE(walk.present);
    EXPECT_EQ(walk.physical, 0xA345u);
    EXPECT_EQ(walk.rows.size(), 4u);
    EXPECT_FALSE(walk_view(r, guest, 0x400000, nullptr).present);
    EXPECT_NE(walk_view(r, guest, u64{1} << 48, nullptr).verdict.find("canonical"), std::string::npos);
    auto map = address_space_view(r, guest, nullptr);
    ASSERT_EQ(map.ranges.size(), 2u) << to_text(map);
    EXPECT_EQ(map.ranges[0].last, 0x3FFFu);
    EXPECT_TRUE(map.ranges[0].user && map.ranges[0].no_execute && map.ranges[0].contiguous);
    EXPECT_EQ(map.ranges[1].page_size, 2u << 20);
    EXPECT_FALSE(map.ranges[1].user);
    guest.put(0x1000 + 8 * 511, u64{0x1007}); // the PML4 maps itself
    auto self = address_space_view(r, guest, nullptr);
    EXPECT_LE(self.tables, 70000u);
}
