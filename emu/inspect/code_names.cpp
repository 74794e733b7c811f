// Names of code: see code_names.h.
#include "emu/inspect/code_names.h"
#include <algorithm>
#include <fmt/format.h>
#include "emu/inspect/guest_file.h"
#include "emu/inspect/lists.h"
#include "emu/load/files.h"
#include "emu/machine.h"

namespace vitrine::emu::inspect {

namespace {
constexpr u64 Page = 4096, UserEnd = u64{1} << 47;
constexpr u64 LargestProgram = 32 << 20;
constexpr std::size_t MostPrograms = 64, MostAreas = 4096;
constexpr u64 Patience = 20; // moments until a file is looked at again

/// The files that stand beside the program, and how they lie in memory.
struct Bundled {
    const char *path, *name;
    u64 unit;
    std::array<u64, 2> slides; ///< tried first
};
constexpr Bundled BundledFiles[] = {
    // The firmware runs in its shadow below 1 MiB, and first from below 4 GiB.
    {"roms/bios.elf", "firmware", Page, {0, 0xFFF0'0000}},
    {"guest/boot/mbr.elf", "boot sector", 16, {0, 0}},
    {"guest/boot/stage2.elf", "boot loader", 16, {0, 0}},
    {"guest/kernel/boot/setup.elf", "set-up", 16, {0, 0}},
    {"guest/image/bzImage.work/compressed.elf", "decompressor", Page, {0, 0}},
    {"guest/kernel/vdso.so", "vdso", Page, {0, 0}},
};

/// Namespaces say nothing within one program.
std::string spoken(const std::string& plain) {
    for (const std::string_view space : {"vitrine::bios::", "vitrine::boot::", "vitrine::"})
        if (plain.starts_with(space)) return plain.substr(space.size());
    return plain;
}
bool one_byte_only(std::span<const u8> bytes) {
    return std::ranges::all_of(bytes, [&](u8 b) { return b == bytes[0]; });
}
} // namespace

std::string CodePlace::text() const {
    std::string out = symbol;
    if (offset) out += fmt::format("+{:#x}", offset);
    if (!module.empty()) out += fmt::format(" [{}]", module.substr(module.rfind('/') + 1));
    return out;
}

CodeNames::CodeNames() = default;
CodeNames::~CodeNames() = default;

void CodeNames::look_at(const Machine& machine, unsigned processor) {
    machine_ = &machine, processor_ = processor, ++moment_;
    pages_.clear(), areas_.reset();
    if (programs_.size() > MostPrograms) programs_.clear();
}

void CodeNames::load_bundled() const {
    if (std::exchange(bundled_loaded_, true)) return;
    for (const Bundled& file : BundledFiles) {
        const std::string path = bundled_path(file.path);
        if (!file_exists(path)) continue;
        auto bytes = read_file(path, "symbols", LargestProgram);
        auto elf = bytes ? ElfFile::parse_any(std::move(*bytes), path) : Expected<ElfFile>(bad_input(path));
        if (!elf) continue;
        Module module;
        module.name = file.name, module.unit = file.unit;
        module.slides.assign(file.slides.begin(), file.slides.end());
        module.symbols = std::make_unique<GuestSymbols>(std::move(*elf), path);
        bundled_.push_back(std::move(module));
    }
}

/// The bytes around an address are the file's: at most 64 of them, of which one in eight may have been
/// patched.
bool CodeNames::holds(const ElfFile& elf, u64 slide, u64 address, std::size_t least) const {
    const u64 link = address - slide;
    for (const ElfFile::Segment& segment : elf.segments()) {
        if (!segment.executable || link < segment.virtual_address ||
            link - segment.virtual_address >= segment.file_size)
            continue;
        const u64 from = std::max(link & ~u64{63}, segment.virtual_address);
        const auto expected = elf.at(from, 64);
        std::array<u8, 64> there{};
        const std::span<u8> out = std::span(there).first(expected.size());
        if (expected.size() < least || one_byte_only(expected)) return false;
        if (MachineReader(*machine_, processor_).linear(from + slide, out) != out.size()) return false;
        std::size_t equal = 0;
        for (std::size_t i = 0; i < out.size(); ++i) equal += out[i] == expected[i] ? 1 : 0;
        return equal * 8 >= out.size() * 7;
    }
    return false;
}

CodeNames::Found CodeNames::search(u64 address) const {
    load_bundled();
    constexpr std::size_t Window = 16; // bytes that decide
    for (Module& module : bundled_) {
        const ElfFile& elf = module.symbols->elf();
        for (const u64 slide : module.slides)
            if (holds(elf, slide, address, 1)) return {&module, slide};
        std::array<u8, Window> there{};
        if (MachineReader(*machine_, processor_).linear(address, there) != Window || one_byte_only(there))
            continue;
        for (const ElfFile::Segment& segment : elf.segments()) {
            if (!segment.executable) continue;
            const u64 first = segment.virtual_address + (address - segment.virtual_address) % module.unit;
            for (u64 link = first; link + Window <= segment.virtual_address + segment.file_size;
                 link += module.unit) {
                if (!std::ranges::equal(elf.at(link, Window), there) ||
                    !holds(elf, address - link, address, 32))
                    continue;
                module.slides.insert(module.slides.begin(), address - link);
                if (module.slides.size() > 4) module.slides.pop_back();
                return {&module, address - link};
            }
        }
    }
    return {};
}

const std::vector<CodeNames::Area>& CodeNames::areas() const {
    if (areas_) return *areas_;
    areas_.emplace();
    const MachineReader memory(*machine_, processor_);
    const auto kernel = GuestKernel::open(memory, machine_->symbols(), current_phase(*machine_));
    if (!kernel) return *areas_;
    const auto queues = kernel->root("run_queues");
    const auto size = kernel->size_of("RunQueue");
    const auto links = kernel->field("VmArea", "links");
    if (!queues || !size || !links || processor_ >= queues->count) return *areas_;
    Notes notes;
    const GuestObject space = kernel->object("RunQueue", queues->address + processor_ * *size, notes)
                                  .pointer("current", "Task")
                                  .pointer("mm", "MemoryStruct");
    if (space.null()) return *areas_;
    kernel->walk_list(
        space.address_of("areas"), "ListNode", notes,
        [&](u64 node) {
            const GuestObject area = kernel->object("VmArea", node - links->offset, notes);
            areas_->push_back({area.u64_of("start"), area.u64_of("end"), area.u64_of("vm_pgoff") * Page,
                               area.text("name")});
            return true;
        },
        MostAreas);
    return *areas_;
}

const CodeNames::Area* CodeNames::area_of(u64 address) const {
    if (address >= UserEnd) return nullptr;
    for (const Area& area : areas())
        if (address >= area.start && address < area.end) return &area;
    return nullptr;
}

std::optional<std::pair<u64, u64>> CodeNames::area(u64 address) const {
    const Area* found = machine_ ? area_of(address) : nullptr;
    return found ? std::optional(std::pair(found->start, found->end)) : std::nullopt;
}

/// The symbols of a program of the guest. They are looked for once a moment at most, and anew only when what
/// is known does not fit the memory any more.
CodeNames::Module& CodeNames::program(const std::string& path) const {
    Module& module = programs_[path];
    if (module.symbols || module.looked_at == moment_) return module;
    if (module.looked_at != ~u64{0} && moment_ - module.looked_at < Patience)
        return module; // it failed just now
    module.looked_at = moment_, module.name = path;
    const MachineReader memory(*machine_, processor_);
    const auto kernel = GuestKernel::open(memory, machine_->symbols(), current_phase(*machine_));
    if (!kernel) return module.why = kernel.error(), module;
    auto bytes = read_guest_file(*machine_, *kernel, path, LargestProgram);
    if (!bytes) return module.why = bytes.error(), module;
    // A bundled program has its line table here; a guest's bytes are never given to libdw.
    const std::string twin = bundled_path("guest/programs/" + path.substr(path.rfind('/') + 1));
    std::string with_lines;
    if (file_exists(twin))
        if (const auto ours = read_file(twin, "symbols", LargestProgram); ours && *ours == *bytes)
            with_lines = twin;
    auto elf = ElfFile::parse_any(std::move(*bytes), path);
    if (!elf) return module.why = elf.error().message, module;
    if (elf->symbols().empty()) return module.why = fmt::format("{} has no symbol table", path), module;
    module.symbols = std::make_unique<GuestSymbols>(std::move(*elf), with_lines);
    return module;
}

CodeNames::Found CodeNames::module_of(u64 address) const {
    if (!machine_) return {};
    const u64 page = address / Page;
    if (const auto known = pages_.find(page); known != pages_.end()) {
        const Found& found = known->second;
        if (!found.module) return {};
        // A program's symbols may have been given up since, and the firmware's pages hold more than one part.
        if (found.module->symbols && (found.module->looked_at != ~u64{0} ||
                                      holds(found.module->symbols->elf(), found.slide, address, 1)))
            return found;
    }
    Found found;
    if (const Area* area = area_of(address); area && area->name.starts_with('/')) {
        Module& module = program(area->name);
        if (module.symbols && !fits(module, *area, address, found) &&
            (module.looked_at > moment_ || moment_ - module.looked_at >= Patience)) {
            // The path leads to another file than the one that is mapped: look once more.
            module.symbols.reset(), module.looked_at = ~u64{0};
            if (Module& again = program(area->name); again.symbols) fits(again, *area, address, found);
        }
    } else if (address < UserEnd) {
        found = search(address);
    }
    return pages_[page] = found;
}

/// False: memory there is other than the file's. A page that is not in memory says nothing, and has no names.
bool CodeNames::fits(const Module& module, const Area& area, u64 address, Found& found) const {
    const u64 offset = address - area.start + area.offset;
    u8 there = 0;
    for (const ElfFile::Segment& segment : module.symbols->elf().segments()) {
        if (offset < (segment.offset & ~(Page - 1)) || offset >= segment.offset + segment.memory_size)
            continue;
        const u64 slide = area.start - area.offset - (segment.virtual_address - segment.offset);
        if (!MachineReader(*machine_, processor_).linear_value(address, there)) return true;
        if (segment.executable && !holds(module.symbols->elf(), slide, address, 1)) return false;
        found = {&module, slide};
        return true;
    }
    return true;
}

std::optional<CodePlace> CodeNames::at(u64 address) const {
    if (!machine_) return std::nullopt;
    const auto place = [&](const GuestSymbols& symbols,
                           const std::string& module) -> std::optional<CodePlace> {
        const auto hit = symbols.at(address);
        if (!hit) return std::nullopt;
        return CodePlace{module, spoken(symbols.plain_name(*hit)), address - hit->offset, hit->offset};
    };
    if (const GuestSymbols* kernel = machine_->symbols())
        if (auto found = place(*kernel, "")) return found;
    const Found found = module_of(address);
    if (!found.module) return std::nullopt;
    found.module->symbols->set_slide(found.slide);
    return place(*found.module->symbols, found.module->name);
}

std::string CodeNames::name(u64 address) const {
    const auto found = at(address);
    return found ? found->text() : std::string();
}

std::optional<SourceLine> CodeNames::line(u64 address) const {
    if (!machine_) return std::nullopt;
    if (const GuestSymbols* kernel = machine_->symbols())
        if (auto found = kernel->line(address)) return found;
    const Found found = module_of(address);
    if (!found.module) return std::nullopt;
    found.module->symbols->set_slide(found.slide);
    return found.module->symbols->line(address);
}

std::optional<u64> CodeNames::find(std::string_view name) const {
    if (!machine_) return std::nullopt;
    if (const GuestSymbols* kernel = machine_->symbols())
        if (const auto found = kernel->find(name)) return found;
    const auto confirmed = [&](u64 address, const GuestSymbols& symbols) -> std::optional<u64> {
        const auto place = at(address);
        return place && place->start == address && symbols.elf().symbols().size() ? std::optional(address)
                                                                                  : std::nullopt;
    };
    for (const Area& area : areas()) {
        if (!area.name.starts_with('/')) continue;
        const Found found = module_of(area.start);
        if (!found.module) continue;
        found.module->symbols->set_slide(found.slide);
        if (const auto address = found.module->symbols->find(name)) return address;
    }
    load_bundled();
    for (const Module& module : bundled_) {
        const auto link = module.symbols->link_address(name);
        for (const u64 slide : module.slides)
            if (link)
                if (const auto address = confirmed(*link + slide, *module.symbols)) return address;
    }
    return std::nullopt;
}

std::string CodeNames::why_nameless(u64 address) const {
    const Area* area = machine_ ? area_of(address) : nullptr;
    if (!area || !area->name.starts_with('/') || module_of(address).module) return {};
    const Module& module = program(area->name);
    return module.symbols ? fmt::format("{} is not what is mapped here any more", area->name) : module.why;
}

} // namespace vitrine::emu::inspect
