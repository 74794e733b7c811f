// What the kernel publishes is shown: every published type is read by the view that claims to show it, and no
// type is left.
#include <algorithm>
#include <functional>
#include "emu/inspect/block.h"
#include "emu/inspect/caches.h"
#include "emu/inspect/files.h"
#include "emu/inspect/inspect.h"
#include "emu/inspect/interrupt_lines.h"
#include "emu/inspect/lists.h"
#include "emu/inspect/locks.h"
#include "emu/inspect/memory.h"
#include "emu/inspect/page_owner.h"
#include "emu/inspect/processes.h"
#include "emu/inspect/space.h"
#include "emu/inspect/structures.h"
#include "emu/inspect/tasks.h"
#include "emu/inspect/timers.h"
#include "tests/emu/machine_support.h"

using namespace vitrine;
using namespace vitrine::emu::inspect;

namespace {
/// A machine whose disk works at this moment and whose kernel watches its locks, so that requests and lock
/// classes exist.
std::unique_ptr<emu::Machine> busy_machine() {
    auto machine = test::boot_machine();
    test::run_to_place(*machine, "prompt");
    return machine;
}
} // namespace

#ifdef TEST_REAL_GUEST
/// A kernel that publishes nothing and has got as far as its first program is not one that "does not run
/// yet".
TEST(MachineInspect, AForeignKernelIsNotSaidToBeMissing) {
    const auto machine = test::boot_machine();
    const MachineReader reader(*machine);
    const auto early = GuestKernel::open(reader, machine->symbols(), "post:memory");
    ASSERT_FALSE(early);
    EXPECT_TRUE(early.error().contains("no kernel that publishes its structures runs yet")) << early.error();
    const auto foreign = GuestKernel::open(reader, machine->symbols(), "init");
    ASSERT_FALSE(foreign);
    EXPECT_TRUE(foreign.error().contains("another kernel runs")) << foreign.error();
}

TEST(MachineInspect, EveryPublishedTypeIsReadByTheViewThatShowsIt) {
    const auto machine = busy_machine();
    const MachineReader reader(*machine);
    const auto kernel = GuestKernel::open(reader, machine->symbols(), "prompt");
    ASSERT_TRUE(kernel) << kernel.error();
    EXPECT_EQ(types_without_view(*kernel), std::vector<std::string>{}) << "published, and no panel shows it";
    const auto& registers = machine->processor().registers();
    const std::map<std::string, std::function<void()>> views = {
        {"tasks", [&] { tasks_view(kernel, machine->symbols()); }},
        {"processes", [&] { processes_view(kernel, machine->symbols()); }},
        {"runqueues", [&] { run_queues_view(kernel); }},
        {"softirqs", [&] { deferred_view(kernel, machine->symbols()); }},
        {"timers", [&] { timers_view(kernel, machine->symbols()); }},
        {"interrupts",
         [&] { interrupt_lines_view(kernel, idt_view(registers, reader, machine->symbols()), 1); }},
        {"idt",
         [&] {
             IdtView idt = idt_view(registers, reader, machine->symbols());
             name_handlers(idt, kernel, machine->symbols());
             EXPECT_EQ(idt.gates.at(14).handler_name, "exc_page_fault");
             EXPECT_TRUE(idt.gates.at(0x31).handler_name.starts_with("keyboard_interrupt"))
                 << idt.gates[0x31].handler_name;
         }},
        {"buddy", [&] { buddy_view(kernel); }},
        {"slabs", [&] { slabs_view(kernel, "*"); }},
        {"vmalloc", [&] { vmalloc_view(kernel); }},
        {"page-cache", [&] { page_cache_view(kernel); }},
        {"page", [&] { page_view(kernel, 1); }},
        {"space", [&] { space_view(kernel, 1, 0, registers.cr3); }},
        {"files", [&] { files_view(kernel); }},
        {"block", [&] { block_view(kernel); }},
        {"locks", [&] { locks_view(kernel, machine->symbols()); }},
    };
    // At rest no request flies and nobody holds a lock that is watched: these are read in inspect.twins.
    const std::set<std::string> only_when_busy = {"Request", "LockClass", "LockStats", "LockTime",
                                                  "HeldLock"};
    for (const TypeShown& shown : types_shown()) {
        SCOPED_TRACE(shown.type);
        EXPECT_TRUE(kernel->size_of(shown.type)) << "a view claims a type that is not published";
        EXPECT_TRUE(std::ranges::find(view_list(), std::string_view(shown.view),
                                      [](const ViewName& v) { return std::string_view(v.name); }) !=
                    view_list().end())
            << shown.view;
        const auto view = views.find(shown.view);
        ASSERT_NE(view, views.end()) << shown.view;
        std::set<std::string> read;
        kernel->note_reads(&read);
        view->second();
        kernel->note_reads(nullptr);
        if (!only_when_busy.contains(shown.type))
            EXPECT_TRUE(read.contains(shown.type)) << shown.view << " does not read it";
    }
}

TEST(MachineInspect, ViewsHaveNothingToComplainAboutAtAPrompt) {
    const auto machine = busy_machine();
    for (const ViewName& name : view_list()) {
        const std::string_view argument = name.argument;
        if (!argument.empty() && argument[0] != '[') continue;
        if (std::string_view(name.name) == "ldt") continue; // there is none, and it says so
        const auto text = emu::inspect::inspect(*machine, name.name, false);
        ASSERT_TRUE(text) << name.name;
        EXPECT_EQ(text->find("note: "), std::string::npos) << name.name << "\n" << *text;
        const auto json = emu::inspect::inspect(*machine, name.name, true);
        ASSERT_TRUE(json) << name.name;
        EXPECT_TRUE(nlohmann::json::accept(*json)) << name.name;
    }
}

TEST(MachineInspect, PlainNamesSayWhatWaits) {
    const auto machine = busy_machine();
    const MachineReader reader(*machine);
    const auto kernel = GuestKernel::open(reader, machine->symbols(), "prompt");
    std::set<std::string> waits;
    for (const TaskRow& row : tasks_view(kernel, machine->symbols()).rows) {
        waits.insert(row.waits_in);
        EXPECT_EQ(row.waits_in.find_first_of("<( $"), std::string::npos) << row.comm << ": " << row.waits_in;
        EXPECT_FALSE(row.waits_in.starts_with("kernel::")) << row.waits_in;
    }
    EXPECT_TRUE(waits.contains("kswapd")) << "the loop that every wait is made of is no reason to wait";
}

TEST(MachineInspect, EveryFrameHasAnOwnerAndBlocksOfTheBuddyAllocatorTile) {
    const auto machine = busy_machine();
    const MachineReader reader(*machine);
    const auto kernel = GuestKernel::open(reader, machine->symbols(), "prompt");
    const OwnersView known = owners(kernel);
    const BuddyView buddy = buddy_view(kernel);
    std::map<u64, u64> heads; // first frame → pages
    for (const auto& zone : buddy.zones)
        for (std::size_t order = 0; order < zone.orders.size(); ++order)
            for (u64 frame : zone.orders[order].frames) heads[frame] = u64{1} << order;
    const u64 frames = memory_map_view(kernel).frames;
    u64 free = 0;
    for (u64 frame = 0; frame < frames; ++frame) {
        const auto owner = page_owner(kernel, known, frame);
        if (!owner) continue;
        EXPECT_FALSE(owner->owner.empty()) << frame;
        if (!owner->owner.starts_with("free block")) continue;
        ++free;
        // Two ways to the same block: the allocator's lists and the page array.
        ASSERT_TRUE(heads.contains(owner->block_first)) << frame;
        EXPECT_EQ(heads[owner->block_first], owner->block_pages) << frame;
    }
    u64 listed = 0;
    for (const auto& [first, pages] : heads) listed += pages;
    EXPECT_EQ(free, listed);
}
#endif
