// The table of views: see inspect.h.
#include "emu/inspect/inspect.h"
#include <algorithm>
#include <fmt/format.h>
#include "emu/cli/options.h"
#include "emu/inspect/descriptors.h"
#include "emu/inspect/interrupt_lines.h"
#include "emu/inspect/interrupts.h"
#include "emu/inspect/kernel.h"
#include "emu/inspect/lists.h"
#include "emu/inspect/memory.h"
#include "emu/inspect/registers.h"
#include "emu/inspect/render.h"
#include "emu/inspect/screen.h"
#include "emu/inspect/stack.h"
#include "emu/inspect/tasks.h"
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
    std::string_view argument;
    bool json;

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
    if (c.symbols)
        if (auto found = c.symbols->find(c.argument)) return *found;
    return usage_error(
        fmt::format("--inspect: '{}' is neither an address nor a symbol of the running kernel", c.argument));
}

struct View {
    ViewName name;
    Expected<std::string> (*make)(const Context&);
};

constexpr View Views[] = {
    {{"registers", "[CPU]", "a processor's registers; without a number: whose turn it is"},
     [](const Context& c) -> Expected<std::string> {
         return c.face(registers_view(c.processor, c.symbols));
     }},
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
         return c.face(idt_view(c.registers, c.memory, c.symbols));
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
         return c.face(stack_view(c.registers, c.machine.processor().mode(), c.memory, c.symbols, 64));
     }},
    {{"interrupts", "", "the kernel's interrupts: vector, pin, handler, counts"},
     [](const Context& c) -> Expected<std::string> {
         return c.face(interrupt_lines_view(c.kernel(), idt_view(c.registers, c.memory, c.symbols),
                                            c.machine.processor_count()));
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
        if (view->name.argument[0] != '[' || !what.contains(':')) return {};
        const auto number = cli::parse_number(what.substr(what.find(':') + 1));
        if (number && *number < processors) return {};
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
    if (view.name.argument[0] == '[' && !argument.empty())
        index = static_cast<unsigned>(*cli::parse_number(argument)); // checked
    const cpu::Cpu& processor = seen.processor(index);
    return view.make({machine, MachineReader(machine, index), processor, processor.registers(),
                      machine.symbols(), argument, json});
}

} // namespace vitrine::emu::inspect
