// Views — what the panels show, read through emu/inspect at most once per refresh and only when a panel asks.
//
// refresh() says whether the machine stands still or runs; while it runs, a view is read again after a while,
// not at every frame. Invariant: reading changes nothing in the guest (law 4).
#pragma once
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <expected>
#include <array>
#include <optional>
#include <string>
#include <vector>
#include "emu/inspect/block.h"
#include "emu/inspect/caches.h"
#include "emu/inspect/calls.h"
#include "emu/inspect/code_names.h"
#include "emu/inspect/controllers.h"
#include "emu/inspect/current_task.h"
#include "emu/inspect/descriptors.h"
#include "emu/inspect/disassembly.h"
#include "emu/inspect/evaluate.h"
#include "emu/inspect/files.h"
#include "emu/inspect/interrupt_lines.h"
#include "emu/inspect/interrupts.h"
#include "emu/inspect/kernel.h"
#include "emu/inspect/lists.h"
#include "emu/inspect/locks.h"
#include "emu/inspect/memory.h"
#include "emu/inspect/page_owner.h"
#include "emu/inspect/processes.h"
#include "emu/inspect/registers.h"
#include "emu/inspect/space.h"
#include "emu/inspect/stack.h"
#include "emu/inspect/structures.h"
#include "emu/inspect/tasks.h"
#include "emu/inspect/timers.h"
#include "emu/inspect/tlb.h"
#include "emu/inspect/walk.h"
#include "ui/model/buddy_changes.h"
#include "ui/model/scheduler_history.h"

namespace vitrine::ui {

class Engine;
using emu::inspect::CodeListing;
using emu::inspect::CodeRow;
using emu::inspect::Disassembler;

class Views {
public:
    explicit Views(Engine& engine) : engine_(engine) {}
    /// Once per frame.
    void refresh();

    const emu::inspect::RegistersView& registers();
    /// As they were at the stop before this one; nothing before the second stop.
    const std::optional<emu::inspect::RegistersView>& registers_before() const { return before_; }
    const emu::inspect::PhasesView& phases();
    /// Also those that lie ahead of a machine in the past.
    const emu::inspect::PhasesView& known_phases();
    const emu::inspect::DescriptorTableView& gdt();
    const emu::inspect::DescriptorTableView& ldt();
    const emu::inspect::TaskStateView& tss();
    const emu::inspect::IdtView& idt();
    const emu::inspect::WalkView& walk(u64 linear);
    const emu::inspect::AddressSpaceView& maps();
    const emu::inspect::TasksView& tasks();
    const emu::inspect::RunQueuesView& run_queues();
    const emu::inspect::BuddyView& buddy();
    const emu::inspect::MemoryMapView& memory_map();
    u64 memory_map_version() const { return memory_map_.stamp; }
    const emu::inspect::DevicesView& devices();
    const emu::inspect::EventsView& events();
    const emu::inspect::InterruptLinesView& interrupt_lines();
    const emu::inspect::StackView& stack();
    const emu::inspect::ControllersView& controllers();
    const emu::inspect::SheetsView& deferred();
    const emu::inspect::SheetsView& timers();
    const emu::inspect::SheetsView& processes();
    const emu::inspect::SheetsView& files();
    const emu::inspect::SheetsView& block();
    const emu::inspect::LocksView& locks();
    const emu::inspect::SheetsView& structures();
    const emu::inspect::SheetsView& object(const std::string& what);
    const emu::inspect::SlabsView& slabs(const std::string& cache);
    const emu::inspect::SheetsView& vmalloc();
    const emu::inspect::SheetsView& page_cache();
    const emu::inspect::SheetsView& tlb();
    const emu::inspect::SpaceView& space(i64 pid);
    const emu::inspect::TablesView& tables(u64 root, u64 linear);
    bool four_levels() const;
    /// What changed in the tables at `root` between the last stop and now.
    const emu::inspect::SpaceDifference& space_changes(u64 root);
    const emu::inspect::SpaceDifference& space_beside(u64 root, i64 pid);
    /// Whose a frame is, in words; empty when nobody knows.
    std::string owner(u64 frame);
    std::optional<emu::inspect::PageOwner> page_owner(u64 frame);
    /// Free blocks by order, at moments of the run: one a look at the panel, the newest last.
    struct BuddySample {
        u64 time = 0, free = 0;
        std::array<u64, 11> blocks{};
    };
    const std::vector<BuddySample>& buddy_history() const { return buddy_history_; }
    /// What the allocator did from look to look, the oldest first.
    struct BuddyNote {
        u64 step = 0, time = 0;
        BuddyChange change;
    };
    const std::deque<BuddyNote>& buddy_notes() const { return buddy_notes_; }
    /// What the panel of run queues saw, and what task switches say of [from, to).
    const SchedulerHistory& scheduler_history();
    const std::vector<std::vector<float>>& processor_load(u64 from, u64 to, unsigned buckets);
    const CodeListing& code(u64 address, unsigned rows);
    /// The next instruction behind `from` (before it: forwards is false) of whose row `match` says so, among
    /// `most`; next: where to go on.
    struct Search {
        bool found = false, ended = false;
        u64 at = 0;
    };
    Search search_code(u64 from, unsigned most, const std::function<bool(const CodeRow&)>& match);
    /// Where a jump of the last code() leads, for the rows that are left.
    const CodeListing& code_at_target(u64 address, unsigned rows);
    /// One instruction up from an address.
    u64 code_before(u64 address) const;
    /// Where to begin a listing that shows `address` with what leads to it.
    u64 code_start(u64 address, unsigned rows_before);
    /// Bytes and how many of them are readable.
    struct Bytes {
        std::vector<u8> data;
        std::vector<bool> readable;
        std::vector<bool> changed; ///< other than at the stop before, as far as they were shown then
        u64 begin = 0;
        bool physical = false;
    };
    const Bytes& bytes(u64 address, std::size_t count, bool physical);
    u64 rip_linear() const;
    u64 code_base() const;
    std::string symbol_name(u64 address);
    /// Names of code at this moment, the running program's too.
    const emu::inspect::CodeNames& names();
    const emu::inspect::CallsView& calls();
    /// What an expression is worth now.
    emu::inspect::Evaluation evaluate(const std::string& text);
    u64 version() const { return fast_; }
    /// Whose registers, tables, code and linear memory are shown: the processor whose turn it is, or one that
    /// a person chose.
    unsigned shown_processor() const;
    bool processor_chosen() const { return chosen_.has_value(); }
    void choose_processor(std::optional<unsigned> index);
    const cpu::Cpu& processor() const;

private:
    template <class T> struct Cached {
        T value{};
        u64 stamp = 0, key = 0;
    };
    Cached<emu::inspect::ControllersView> controllers_;
    Cached<emu::inspect::SheetsView> deferred_, timers_, processes_, files_, block_, structures_, object_,
        vmalloc_, page_cache_, tlb_;
    Cached<emu::inspect::LocksView> locks_;
    Cached<emu::inspect::SlabsView> slabs_;
    Cached<emu::inspect::SpaceView> space_;
    Cached<emu::inspect::TablesView> tables_;
    Cached<emu::inspect::SpaceDifference> changes_, beside_;
    Cached<emu::inspect::SpaceLeaves> leaves_;
    Cached<emu::inspect::OwnersView> owners_;
    emu::inspect::SpaceLeaves leaves_before_,
        leaves_at_stop_; ///< of the tables that are looked at: at the stop before, at this one
    u64 leaves_stop_ = 0;
    Bytes bytes_shown_, bytes_before_; ///< as last read; as they were at the stop before
    u64 bytes_stop_ = 0;
    std::deque<BuddyNote> buddy_notes_;
    std::vector<BuddyBlock> buddy_blocks_; ///< at the last look, at `buddy_time_`
    u64 buddy_time_ = ~u64{0};
    void note_buddy_changes(const emu::inspect::BuddyView& view);
    SchedulerHistory scheduler_;
    Cached<std::vector<std::vector<float>>> load_;
    std::vector<BuddySample> buddy_history_;
    u64 buddy_generation_ = 0;
    template <class T, class Make> const T& get(Cached<T>& slot, u64 stamp, Make make, u64 key = 0);
    std::expected<emu::inspect::GuestKernel, std::string> kernel();
    const cpu::Registers& raw() const;
    emu::inspect::MachineReader reader() const;

    Engine& engine_;
    Disassembler disassembler_;
    std::optional<emu::inspect::MachineReader> kernel_reader_; ///< a GuestKernel refers to its reader
    u64 fast_ = 1, slow_ = 1; ///< versions: of cheap views and of ones that read much memory
    u64 stops_ = 0, generation_ = 0;
    std::optional<unsigned> chosen_;
    std::chrono::steady_clock::time_point fast_at_{}, slow_at_{};
    std::optional<emu::inspect::RegistersView> before_, at_stop_;
    Cached<emu::inspect::RegistersView> registers_;
    Cached<emu::inspect::PhasesView> phases_, known_phases_;
    Cached<emu::inspect::DescriptorTableView> gdt_, ldt_;
    Cached<emu::inspect::TaskStateView> tss_;
    Cached<emu::inspect::IdtView> idt_;
    Cached<emu::inspect::WalkView> walk_;
    Cached<emu::inspect::AddressSpaceView> maps_;
    Cached<emu::inspect::TasksView> tasks_;
    Cached<emu::inspect::RunQueuesView> run_queues_;
    Cached<emu::inspect::BuddyView> buddy_;
    Cached<emu::inspect::MemoryMapView> memory_map_;
    Cached<emu::inspect::DevicesView> devices_;
    Cached<emu::inspect::EventsView> events_;
    Cached<emu::inspect::InterruptLinesView> interrupt_lines_;
    Cached<emu::inspect::StackView> stack_;
    Cached<CodeListing> code_, target_code_;
    std::map<u64, u8> code_shown_, code_before_; ///< bytes of listings since this stop, and at the one before
    u64 code_stop_ = 0;
    Cached<emu::inspect::CallsView> calls_;
    emu::inspect::CodeNames names_;
    u64 names_stamp_ = 0, names_generation_ = 0;
    emu::inspect::CurrentTask current_task_;
    Cached<Bytes> bytes_;
};

} // namespace vitrine::ui
