// The table of views: see inspect.h.
#include "emu/inspect/inspect.h"
#include <algorithm>
#include <fmt/format.h>
#include "emu/cli/options.h"
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
#include "emu/inspect/render.h"
#include "emu/inspect/screen.h"
#include "emu/inspect/space.h"
#include "emu/inspect/stack.h"
#include "emu/inspect/structures.h"
#include "emu/inspect/tasks.h"
#include "emu/inspect/timers.h"
#include "emu/inspect/tlb.h"
#include "emu/inspect/workqueues.h"
#include "emu/inspect/walk.h"
#include "emu/symbols/guest_symbols.h"

namespace vitrine::emu::inspect {

namespace {

struct Context {
    const Machine& machine;
    MachineReader memory;
    const cpu::Cpu& processor;
    const cpu::Registers& registers;
    const GuestSymbols* symbols;
    const CodeNames& names;
    std::string_view argument;
    bool json;
    unsigned processor_index;

    i64 number() const { // of an optional PID, which was checked
        const auto value = cli::parse_number(argument);
        return value ? static_cast<i64>(*value) : -1;
    }
    std::expected<GuestKernel, std::string> kernel() const {
        return GuestKernel::open(memory, symbols, current_phase(machine));
    }
    template <class View> std::string face(const View& view) const {
        if (!json) return to_text(view);
        return to_json(view).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    }
};

Expected<u64> address_argument(const Context& c) {
    if (auto number = cli::parse_number(c.argument)) return *number;
    if (auto found = c.names.find(c.argument)) return *found;
    return usage_error(
        fmt::format("--inspect: '{}' is neither an address nor a symbol of what runs", c.argument));
}

struct View {
    ViewName name;
    Expected<std::string> (*make)(const Context&);
};

constexpr View Views[] = {
    {{"registers", "[CPU]", "a processor's registers; without a number: whose turn it is"},
     [](const Context& c) -> Expected<std::string> { return c.face(registers_view(c.processor, &c.names)); }},
    {{"screen", "", "the text on the screen"},
     [](const Context& c) -> Expected<std::string> { return c.face(screen_view(c.machine)); }},
    {{"gdt", "[CPU]", "global descriptor table"},
     [](const Context& c) -> Expected<std::string> { return c.face(gdt_view(c.registers, c.memory)); }},
    {{"ldt", "[CPU]", "local descriptor table"},
     [](const Context& c) -> Expected<std::string> { return c.face(ldt_view(c.registers, c.memory)); }},
    {{"tss", "[CPU]", "task state segment"},
     [](const Context& c) -> Expected<std::string> { return c.face(tss_view(c.registers, c.memory)); }},
    {{"idt", "[CPU]", "interrupt descriptor table"},
     [](const Context& c) -> Expected<std::string> {
         IdtView view = idt_view(c.registers, c.memory, c.symbols);
         name_handlers(view, c.kernel(), c.symbols);
         return c.face(view);
     }},
    {{"walk", "ADDR", "page walk of an address or symbol"},
     [](const Context& c) -> Expected<std::string> {
         auto address = address_argument(c);
         if (!address) return std::unexpected(address.error());
         return c.face(walk_view(c.registers, c.memory, *address, c.symbols));
     }},
    {{"maps", "[CPU]", "map of a processor's current address space"},
     [](const Context& c) -> Expected<std::string> {
         return c.face(address_space_view(c.registers, c.memory, c.symbols));
     }},
    {{"physical", "", "what answers at which physical address"},
     [](const Context& c) -> Expected<std::string> { return c.face(physical_map_view(c.machine)); }},
    {{"phases", "", "boot phases with step, virtual time and duration"},
     [](const Context& c) -> Expected<std::string> { return c.face(phases_view(c.machine)); }},
    {{"tasks", "", "the kernel's tasks"},
     [](const Context& c) -> Expected<std::string> { return c.face(tasks_view(c.kernel(), c.symbols)); }},
    {{"runqueues", "", "run queues: the tree with vruntime, weight and state, for every processor"},
     [](const Context& c) -> Expected<std::string> { return c.face(run_queues_view(c.kernel())); }},
    {{"stack", "", "the stack, word by word, with what may be return addresses"},
     [](const Context& c) -> Expected<std::string> {
         return c.face(stack_view(c.registers, c.machine.processor().mode(), c.memory, &c.names, 64));
     }},
    {{"calls", "[CPU]",
      "who called the code that runs, through interrupts and across the system call into the program"},
     [](const Context& c) -> Expected<std::string> {
         return c.face(calls_view(c.machine, c.processor_index, c.names));
     }},
    {{"code", "[ADDR]", "disassembly from an address or symbol on; without: what comes next"},
     [](const Context& c) -> Expected<std::string> {
         const cpu::Mode mode = c.processor.mode();
         const u64 base =
             mode == cpu::Mode::Long64 ? 0 : c.registers.seg[static_cast<unsigned>(cpu::Seg::CS)].base;
         u64 address = c.processor.rip() + base;
         if (!c.argument.empty()) {
             const auto place = address_argument(c);
             if (!place) return std::unexpected(place.error());
             address = *place;
         }
         return c.face(Disassembler().list(c.memory, &c.names, address, 32, mode, base));
     }},
    {{"eval", "EXPRESSION",
      "what an expression is worth: u64[jiffies], task.pid, Task@task, Task.vruntime@task "
      "(docs/debugger.md)"},
     [](const Context& c) -> Expected<std::string> {
         CurrentTask tasks;
         return c.face(
             evaluation_view(evaluate(c.machine, c.processor_index, c.kernel(), tasks, c.argument)));
     }},
    {{"interrupts", "", "the kernel's interrupts: vector, pin, handler, counts"},
     [](const Context& c) -> Expected<std::string> {
         IdtView idt = idt_view(c.registers, c.memory, c.symbols);
         const auto kernel = c.kernel();
         name_handlers(idt, kernel, c.symbols);
         return c.face(interrupt_lines_view(kernel, idt, c.machine.processor_count()));
     }},
    {{"controllers", "", "interrupt controllers: IRR, ISR and TMR of every local APIC, pins of the I/O APIC"},
     [](const Context& c) -> Expected<std::string> { return c.face(controllers_view(c.machine)); }},
    {{"workqueues", "", "workqueues, their pools, the kworkers and what they do, works that wait"},
     [](const Context& c) -> Expected<std::string> {
         return c.face(workqueues_view(c.kernel(), c.symbols));
     }},
    {{"timers", "", "timer wheels, high-resolution timers, ticks and idle processors, clock event devices"},
     [](const Context& c) -> Expected<std::string> { return c.face(timers_view(c.kernel(), c.symbols)); }},
    {{"softirqs", "", "softirqs, what the ticks interrupted, workqueues"},
     [](const Context& c) -> Expected<std::string> { return c.face(deferred_view(c.kernel(), c.symbols)); }},
    {{"processes", "", "the process tree, with class, times, switches, wait reason, directory"},
     [](const Context& c) -> Expected<std::string> { return c.face(processes_view(c.kernel(), c.symbols)); }},
    {{"space", "[PID]",
      "a task's address space: areas, what of them is in memory; without a number: whose turn it is"},
     [](const Context& c) -> Expected<std::string> {
         return c.face(space_view(c.kernel(), c.number(), c.processor_index, c.registers.cr3));
     }},
    {{"tables", "ADDR[@PID]",
      "page tables on the way to an address, each with its 512 entries; of a task, or of what is loaded"},
     [](const Context& c) -> Expected<std::string> {
         const auto at = c.argument.find('@');
         Context address_context = c;
         address_context.argument = c.argument.substr(0, at);
         const auto address = address_argument(address_context);
         if (!address) return std::unexpected(address.error());
         u64 root = c.registers.cr3;
         if (at != std::string_view::npos) {
             const auto pid = cli::parse_number(c.argument.substr(at + 1));
             if (!pid)
                 return usage_error(
                     fmt::format("--inspect tables: '{}' is no PID", c.argument.substr(at + 1)));
             const SpaceView space = space_view(c.kernel(), static_cast<i64>(*pid), c.processor_index, root);
             if (!space.why_empty.empty()) return usage_error("--inspect tables: " + space.why_empty);
             root = space.pgd;
         }
         if (const auto mode = cpu::paging_state(c.registers).mode; mode != cpu::PagingMode::FourLevel)
             return std::string(
                 "the grids are those of 4-level paging, which is not on; walk and maps show other kinds\n");
         return c.face(tables_view(c.memory, root, *address));
     }},
    {{"difference", "PID,PID", "where two tasks' page tables differ"},
     [](const Context& c) -> Expected<std::string> {
         const auto comma = c.argument.find(',');
         SpaceLeaves leaves[2];
         for (unsigned i = 0; i < 2; ++i) {
             const auto part = comma == std::string_view::npos ? std::string_view()
                               : i                             ? c.argument.substr(comma + 1)
                                                               : c.argument.substr(0, comma);
             const auto pid = cli::parse_number(part);
             if (!pid)
                 return usage_error(fmt::format(
                     "--inspect difference: '{}': two PIDs with a comma between them", c.argument));
             const SpaceView space =
                 space_view(c.kernel(), static_cast<i64>(*pid), c.processor_index, c.registers.cr3);
             if (!space.why_empty.empty()) return usage_error("--inspect difference: " + space.why_empty);
             leaves[i] = space_leaves(c.memory, space.pgd);
         }
         return c.face(difference(leaves[0], leaves[1]));
     }},
    {{"tlb", "[CPU]", "what a processor's TLBs hold, beside what its page tables say"},
     [](const Context& c) -> Expected<std::string> { return c.face(tlb_view(c.processor, c.memory)); }},
    {{"slabs", "[CACHE]", "slab caches; of one (or * for all) the slabs with their objects"},
     [](const Context& c) -> Expected<std::string> { return c.face(slabs_view(c.kernel(), c.argument)); }},
    {{"vmalloc", "", "vmalloc areas: memory, kernel stacks, device registers"},
     [](const Context& c) -> Expected<std::string> { return c.face(vmalloc_view(c.kernel())); }},
    {{"page-cache", "", "LRU lists, and what each file has in the page cache"},
     [](const Context& c) -> Expected<std::string> { return c.face(page_cache_view(c.kernel())); }},
    {{"page", "FRAME",
      "whose a page frame is: area and task, file, slab, page table, block of the buddy allocator"},
     [](const Context& c) -> Expected<std::string> {
         const auto frame = cli::parse_number(c.argument);
         if (!frame)
             return usage_error(fmt::format(
                 "--inspect page: '{}' is no frame number (physical address / 4096)", c.argument));
         return c.face(page_view(c.kernel(), *frame));
     }},
    {{"files", "", "open files by task, mounts, inodes in memory, the dentry cache"},
     [](const Context& c) -> Expected<std::string> { return c.face(files_view(c.kernel())); }},
    {{"block", "", "disks, queues, requests with where they are and since when"},
     [](const Context& c) -> Expected<std::string> { return c.face(block_view(c.kernel())); }},
    {{"locks", "",
      "held locks, waiters, contention, the order graph (with lockdep on the kernel's command line)"},
     [](const Context& c) -> Expected<std::string> { return c.face(locks_view(c.kernel(), c.symbols)); }},
    {{"structures", "", "types and roots that the kernel publishes, and which view shows each"},
     [](const Context& c) -> Expected<std::string> { return c.face(structures_view(c.kernel())); }},
    {{"object", "TYPE@PLACE",
      "all published fields of one object: Task@init_task, Zone@zones[1], Page@0xffffea0000000000"},
     [](const Context& c) -> Expected<std::string> {
         return c.face(object_view(c.kernel(), c.argument, c.symbols));
     }},
    {{"buddy", "", "buddy lists: zones and orders"},
     [](const Context& c) -> Expected<std::string> { return c.face(buddy_view(c.kernel())); }},
    {{"memory-map", "", "all of RAM by page type"},
     [](const Context& c) -> Expected<std::string> { return c.face(memory_map_view(c.kernel())); }},
    {{"devices", "", "every chip's registers"},
     [](const Context& c) -> Expected<std::string> { return c.face(devices_view(c.machine)); }},
    {{"events", "", "pending events"},
     [](const Context& c) -> Expected<std::string> { return c.face(events_view(c.machine)); }},
};

const View* find_view(std::string_view what) {
    const std::string_view name = what.substr(0, what.find(':'));
    const auto* found = std::ranges::find_if(Views, [&](const View& view) { return view.name.name == name; });
    if (found == std::end(Views)) return nullptr;
    const bool has_argument = what.size() > name.size() + 1, optional = found->name.argument[0] == '[',
               wants_argument = found->name.argument[0] != 0 && (!optional || has_argument);
    return has_argument == wants_argument && (has_argument || what.size() == name.size()) ? found : nullptr;
}

/// "walk:ADDR", "registers[:CPU]".
std::string full_name(const View& view) {
    const std::string_view argument = view.name.argument;
    if (argument.empty()) return view.name.name;
    return argument[0] == '[' ? fmt::format("{}[:{}", view.name.name, argument.substr(1))
                              : fmt::format("{}:{}", view.name.name, argument);
}

} // namespace

std::string help_text() {
    Table table({"view", "shows"});
    for (const View& view : Views) table.row({full_name(view), view.name.description});
    return table.text();
}

std::span<const ViewName> view_list() {
    static const std::vector<ViewName> names = [] {
        std::vector<ViewName> out;
        for (const View& view : Views) out.push_back(view.name);
        return out;
    }();
    return names;
}

Expected<void> check_view(std::string_view what, unsigned processors) {
    if (const View* view = find_view(what)) {
        const std::string_view wanted = view->name.argument;
        if (wanted == "EXPRESSION")
            if (const auto mistake = spelling_mistake(what.substr(what.find(':') + 1)); !mistake.empty())
                return usage_error(fmt::format("--inspect {}: {}", what, mistake));
        if (wanted[0] != '[' || !what.contains(':')) return {};
        const auto number = cli::parse_number(what.substr(what.find(':') + 1));
        if (wanted == "[PID]" && !number)
            return usage_error(fmt::format("--inspect {}: a task's number", what));
        if (wanted != "[CPU]" || (number && *number < processors)) return {};
        return usage_error(
            processors == 1
                ? fmt::format("--inspect {}: the machine has one processor, number 0", what)
                : fmt::format("--inspect {}: the machine has processors 0 to {}", what, processors - 1));
    }
    std::string names;
    for (const View& view : Views) names += (names.empty() ? "" : ", ") + full_name(view);
    return usage_error(fmt::format("--inspect {}: no such view; there are {}", what, names));
}

Expected<std::string> inspect(Machine& machine, std::string_view what, bool json) {
    if (auto ok = check_view(what, machine.board().processor_count()); !ok)
        return std::unexpected(ok.error());
    const View& view = *find_view(what);
    const auto colon = what.find(':');
    const std::string_view argument =
        colon == std::string_view::npos ? std::string_view{} : what.substr(colon + 1);
    const Machine& seen = machine;
    unsigned index = machine.current_processor();
    if (std::string_view(view.name.argument) == "[CPU]" && !argument.empty())
        index = static_cast<unsigned>(*cli::parse_number(argument)); // checked
    const cpu::Cpu& processor = seen.processor(index);
    CodeNames names;
    names.look_at(machine, index);
    return view.make({machine, MachineReader(machine, index), processor, processor.registers(),
                      machine.symbols(), names, argument, json, index});
}

} // namespace vitrine::emu::inspect
