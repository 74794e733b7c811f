// Published structures: see structures.h.
#include "emu/inspect/structures.h"
#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include "emu/cli/options.h"
#include "emu/inspect/render.h"
#include "emu/symbols/guest_symbols.h"

namespace vitrine::emu::inspect {

namespace {
/// A type that is a part of others (a list's link, a lock) is shown where those are.
constexpr TypeShown Shown[] = {
    {"Task", "tasks", "run-queues"},
    {"RunQueue", "runqueues", "run-queues"},
    {"SchedClass", "tasks", "run-queues"},
    {"SignalStruct", "tasks", "run-queues"},
    {"RbNode", "runqueues", "run-queues"},
    {"ListNode", "tasks", "run-queues"},
    {"CpuTimes", "softirqs", "interrupts"},
    {"PerCpu", "softirqs", "interrupts"},
    {"SpinLock", "locks", "locks"},
    {"RwSemaphore", "locks", "locks"},
    {"LockClass", "locks", "locks"},
    {"LockStats", "locks", "locks"},
    {"LockTime", "locks", "locks"},
    {"HeldLock", "locks", "locks"},
    {"Zone", "buddy", "memory"},
    {"FreeArea", "buddy", "memory"},
    {"Page", "page", "memory"},
    {"KmemCache", "slabs", "slabs"},
    {"VmallocArea", "vmalloc", "slabs"},
    {"VmallocAreaPointer", "vmalloc", "slabs"},
    {"LruVector", "page-cache", "slabs"},
    {"AddressSpace", "page-cache", "slabs"},
    {"SwapArea", "page-cache", "slabs"},
    {"MemoryStruct", "space", "address-space"},
    {"VmArea", "space", "address-space"},
    {"PageTable", "page", "memory"},
    {"FilesStruct", "files", "files"},
    {"FsStruct", "processes", "run-queues"},
    {"File", "files", "files"},
    {"Dentry", "files", "files"},
    {"Inode", "files", "files"},
    {"SuperBlock", "files", "files"},
    {"Mount", "files", "files"},
    {"Gendisk", "block", "block"},
    {"BlockDevice", "block", "block"},
    {"RequestQueue", "block", "block"},
    {"Request", "block", "block"},
    {"DiskStats", "block", "block"},
    {"Elevator", "block", "block"},
    {"IrqLine", "interrupts", "interrupts"},
    {"IrqAction", "idt", "descriptors"},
    {"InterruptGate", "idt", "descriptors"},
    {"Timer", "timers", "interrupts"},
    {"TimerBase", "timers", "interrupts"},
    {"Hrtimer", "timers", "interrupts"},
    {"HrtimerClockBase", "timers", "interrupts"},
    {"HrtimerCpuBase", "timers", "interrupts"},
    {"TickSched", "timers", "interrupts"},
    {"TickDevice", "timers", "interrupts"},
    {"U64", "softirqs", "interrupts"},     // jiffies, counts
    {"U32", "softirqs", "interrupts"},     // online_cpus
    {"Pointer", "softirqs", "interrupts"}, // functions and names
};
constexpr u64 MostElements = 64;
} // namespace

std::span<const TypeShown> types_shown() { return Shown; }

std::vector<std::string> types_without_view(const GuestKernel& kernel) {
    std::vector<std::string> out;
    for (const auto& [name, size] : kernel.types())
        if (std::ranges::find(Shown, name, &TypeShown::type) == std::end(Shown)) out.push_back(name);
    return out;
}

SheetsView structures_view(const std::expected<GuestKernel, std::string>& kernel) {
    SheetsView view;
    if (!kernel) {
        view.why_empty = kernel.error();
        return view;
    }
    Sheet& types = view.add("types", "Published types", {"Type", "Bytes", "Fields", "View", "Panel"});
    types.remark = kernel->build_id();
    for (const auto& [name, size] : kernel->types()) {
        const auto shown = std::ranges::find(Shown, name, &TypeShown::type);
        types.row({name, Cell::number(size), Cell::number(kernel->fields_of(name).size()),
                   shown == std::end(Shown) ? Cell("none", Cell::Tone::Warning) : Cell(shown->view),
                   shown == std::end(Shown) ? Cell("none", Cell::Tone::Warning) : Cell(shown->panel)});
    }
    Sheet& roots = view.add("roots", "Named roots", {"Root", "Type", "Elements", "Address"});
    for (const auto& [name, root] : kernel->roots())
        roots.row({name, root.type, Cell::number(root.count), Cell::at(root.address)});
    return view;
}

SheetsView object_view(const std::expected<GuestKernel, std::string>& kernel, std::string_view what,
                       const GuestSymbols* symbols) {
    SheetsView view;
    if (!kernel) {
        view.why_empty = kernel.error();
        return view;
    }
    const auto at = what.find('@');
    const std::string type(what.substr(0, at));
    std::string place(at == std::string_view::npos ? std::string_view() : what.substr(at + 1));
    u64 index = 0;
    if (const auto open = place.find('['); open != std::string::npos && place.ends_with(']')) {
        index = cli::parse_number(place.substr(open + 1, place.size() - open - 2)).value_or(0);
        place.resize(open);
    }
    const auto size = kernel->size_of(type);
    if (!size) {
        view.why_empty =
            fmt::format("'{}': the kernel publishes no such type; --inspect structures lists them", type);
        return view;
    }
    std::optional<u64> address;
    if (const auto number = cli::parse_number(place)) address = *number;
    if (const auto root = kernel->root(place); !address && root) address = root->address;
    if (!address && symbols) address = symbols->find(place);
    if (!address) {
        view.why_empty = fmt::format("'{}' is no address, no published root and no symbol", place);
        return view;
    }
    const u64 base = *address + index * *size;
    Sheet& sheet = view.add("fields", fmt::format("{} at {}", type, hex(base, 16)),
                            {"Offset", "Field", "Bytes", "Value", "Text"});
    for (const auto& [name, field] : kernel->fields_of(type)) {
        std::vector<u8> raw(std::min<std::size_t>(field.size, 8 * MostElements));
        const std::size_t got = kernel->memory().linear(base + field.offset, raw);
        if (got != raw.size())
            view.notes.add(fmt::format("{} at {} cannot be read", type, hex(base + field.offset, 16)));
        raw.resize(got);
        u64 value = 0;
        std::memcpy(&value, raw.data(), std::min<std::size_t>(raw.size(), 8));
        std::string words;
        if (field.size == 16 &&
            std::ranges::all_of(raw, [](u8 c) { return c == 0 || (c >= 32 && c < 127); }) && !raw.empty() &&
            raw[0]) {
            words.assign(raw.begin(), std::ranges::find(raw, 0));
        } else if (field.size > 8) {
            for (std::size_t i = 0; i + 8 <= raw.size() && i < 32; i += 8) {
                u64 part = 0;
                std::memcpy(&part, raw.data() + i, 8);
                words += (words.empty() ? "" : " ") + hex(part);
            }
            if (raw.size() > 32) words += " …";
        }
        const bool pointer = field.size == 8 && value >= 0xFFFF'8000'0000'0000;
        sheet.row({Cell(hex(field.offset, 3)).dim(), name, Cell::number(field.size),
                   pointer           ? Cell::at(value)
                   : field.size <= 8 ? Cell::number(value)
                                     : Cell("…").dim(),
                   pointer && symbols ? Cell(symbols->name(value)).dim() : Cell(words).dim()});
    }
    return view;
}

} // namespace vitrine::emu::inspect
