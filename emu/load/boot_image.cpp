// Placing an image, its modules and its information structure in memory: see boot_image.h.
#include "emu/load/boot_image.h"
#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace vitrine::emu {

namespace {

using namespace roms;
constexpr u64 Page = 4096, Megabyte = 1 << 20, LowStart = 0x1000, LowEnd = 0x9F000;
constexpr u32 Room = 8192; // for the memory map, ACPI and framebuffer
constexpr const char* LoaderName = "Vitrine";

u64 up(u64 value, u64 unit) { return (value + unit - 1) & ~(unit - 1); }

/// Memory as it fills up: what is placed goes behind everything that was placed before.
class Placement {
public:
    Placement(BootImage& image, std::string path, u64 top)
        : image_(image), path_(std::move(path)), top_(top), next_(Megabyte) {}

    Expected<void> fixed(const LoadPlan::Segment& segment) {
        const u64 end = segment.address + segment.memory_size;
        const bool low = segment.address >= LowStart && end <= LowEnd,
                   high = segment.address >= Megabyte && end <= top_;
        if (end < segment.address || (!low && !high))
            return bad_input(fmt::format("kernel {}: {} bytes at {:#x} lie outside the memory that it can "
                                         "have ({:#x} to {:#x}, or 1M to "
                                         "{}M)",
                                         path_, segment.memory_size, segment.address, LowStart, LowEnd,
                                         top_ >> 20));
        for (const auto& other : image_.segments)
            if (segment.address < u64{other.address} + other.memory_size && other.address < end)
                return bad_input(fmt::format("kernel {}: two segments share address {:#x}", path_,
                                             std::max<u64>(segment.address, other.address)));
        push(segment.address, segment.memory_size, segment.bytes);
        return {};
    }
    /// The address that the next thing gets.
    u64 next(u64 alignment = Page) const { return up(next_, alignment); }
    Expected<u32> append(std::span<const u8> bytes, u64 alignment, u64 room = 0) {
        const u64 at = next(alignment), size = bytes.size() + room;
        if (at > top_ || size > top_ - at)
            return bad_input(fmt::format("kernel {} does not fit into {}M of memory with what comes along",
                                         path_, top_ >> 20));
        push(at, size, bytes);
        return static_cast<u32>(at);
    }

private:
    void push(u64 address, u64 memory_size, std::span<const u8> bytes) {
        image_.segments.push_back(
            {static_cast<u32>(address), static_cast<u32>(bytes.size()), static_cast<u32>(memory_size)});
        image_.data.insert(image_.data.end(), bytes.begin(), bytes.end());
        if (address >= Megabyte) next_ = std::max(next_, address + memory_size);
    }
    BootImage& image_;
    std::string path_;
    u64 top_, next_;
};

/// The information structure while it is made: bytes that know their address.
class Block {
public:
    explicit Block(u64 address) : address_(address) {}
    template <class T> u32 put(const T& value, std::size_t alignment = 8) {
        return put_bytes({reinterpret_cast<const u8*>(&value), sizeof value}, alignment);
    }
    u32 put_bytes(std::span<const u8> value, std::size_t alignment) {
        bytes.resize(up(bytes.size(), alignment));
        const auto at = static_cast<u32>(address_ + bytes.size());
        bytes.insert(bytes.end(), value.begin(), value.end());
        return at;
    }
    u32 put_text(const std::string& text) {
        return put_bytes({reinterpret_cast<const u8*>(text.c_str()), text.size() + 1}, 1);
    }
    std::vector<u8> bytes;

private:
    u64 address_;
};

struct Placed {
    u32 start, end;
    const std::string* text;
};

void make_multiboot1(Block& block, const LoadPlan& plan, const std::vector<Placed>& modules,
                     const std::string& command_line) {
    multiboot1::Information out{};
    out.flags = multiboot1::HasCommandLine | multiboot1::HasModules | multiboot1::HasLoaderName;
    block.put(out);
    out.command_line = block.put_text(command_line);
    out.loader_name = block.put_text(LoaderName);
    std::vector<multiboot1::Module> list;
    for (const Placed& each : modules) list.push_back({each.start, each.end, block.put_text(*each.text), 0});
    out.modules_count = static_cast<u32>(list.size());
    out.modules =
        block.put_bytes({reinterpret_cast<const u8*>(list.data()), list.size() * sizeof list[0]}, 8);
    if (plan.section_count) {
        out.flags |= multiboot1::HasElf;
        out.elf_count = plan.section_count, out.elf_size = plan.section_size,
        out.elf_names = plan.section_names;
        out.elf_address = block.put_bytes(plan.sections, 8);
    }
    std::memcpy(block.bytes.data(), &out, sizeof out);
}

void make_multiboot2(Block& block, const LoadPlan& plan, const std::vector<Placed>& modules,
                     const std::string& command_line) {
    const auto tag = [&](u32 type, std::initializer_list<u32> fields, std::span<const u8> rest) {
        const u32 size = static_cast<u32>(8 + 4 * fields.size() + rest.size());
        block.put(type, 8), block.put(size, 4);
        for (const u32 field : fields) block.put(field, 4);
        block.put_bytes(rest, 1);
    };
    const auto text = [](const std::string& s) {
        return std::span(reinterpret_cast<const u8*>(s.c_str()), s.size() + 1);
    };
    block.put(u64{0}); // total size and a reserved word: the firmware's
    tag(multiboot2::CommandLine, {}, text(command_line));
    tag(multiboot2::LoaderName, {}, text(LoaderName));
    u64 base = ~u64{0};
    for (const auto& segment : plan.segments) base = std::min(base, segment.address);
    tag(multiboot2::LoadBase, {static_cast<u32>(base)}, {});
    for (const Placed& each : modules) tag(multiboot2::Module, {each.start, each.end}, text(*each.text));
    if (plan.section_count)
        tag(multiboot2::ElfSections, {plan.section_count, plan.section_size, plan.section_names},
            plan.sections);
    block.bytes.resize(up(block.bytes.size(), 8));
}

void make_pvh(Block& block, const std::vector<Placed>& modules, const std::string& command_line) {
    pvh::StartInfo out{};
    out.magic = pvh::Magic, out.version = 1;
    block.put(out);
    out.command_line = block.put_text(command_line);
    std::vector<pvh::Module> list;
    for (const Placed& each : modules)
        list.push_back({each.start, u64{each.end} - each.start, block.put_text(*each.text), 0});
    out.modules_count = static_cast<u32>(list.size());
    out.modules =
        block.put_bytes({reinterpret_cast<const u8*>(list.data()), list.size() * sizeof list[0]}, 8);
    std::memcpy(block.bytes.data(), &out, sizeof out);
}

Expected<LoadPlan> make_plan(const std::string& path, std::span<const u8> image, const ImageWishes& wishes) {
    if (!wishes.flat) return plan_elf(path, image);
    LoadPlan plan;
    plan.segments.push_back(*wishes.flat);
    return plan;
}

} // namespace

Expected<BootImage> make_boot_image(const std::string& path, std::span<const u8> image,
                                    const std::vector<BootModule>& modules, const std::string& command_line,
                                    u64 low_memory) {
    const auto kind = boot_image_kind(image);
    if (!kind) return bad_input(fmt::format("kernel {} has no Multiboot header and no PVH note", path));
    ImageWishes wishes;
    wishes.kind = *kind;
    if (*kind != ImageKind::Pvh) {
        auto read = read_multiboot_header(path, image, *kind);
        if (!read) return std::unexpected(read.error());
        wishes = *read;
    } else {
        wishes.entry = pvh_entry(image);
    }
    auto plan = make_plan(path, image, wishes);
    if (!plan) return std::unexpected(plan.error());
    const u64 entry = wishes.entry.value_or(plan->entry);

    BootImage out;
    Placement memory(out, path, low_memory - Megabyte);
    for (const auto& segment : plan->segments)
        if (auto ok = memory.fixed(segment); !ok) return std::unexpected(ok.error());
    if (std::ranges::none_of(plan->segments, [&](const auto& s) {
            return entry >= s.address && entry - s.address < s.memory_size;
        }))
        return bad_input(fmt::format("kernel {}: its entry {:#x} lies in no segment", path, entry));

    std::vector<Placed> placed;
    for (const BootModule& module : modules) {
        auto at = memory.append(module.bytes, Page);
        if (!at) return std::unexpected(at.error());
        placed.push_back({*at, static_cast<u32>(*at + module.bytes.size()), &module.text});
    }
    for (const auto& section : plan->unloaded) {
        auto at = memory.append(section.bytes, 16);
        if (!at) return std::unexpected(at.error());
        // sh_addr: 32 bits at 12 in ELF32, 64 bits at 16 in ELF64.
        const bool wide = plan->section_size == 64;
        const u64 address = *at;
        std::memcpy(plan->sections.data() + section.header + (wide ? 16 : 12), &address, wide ? 8 : 4);
    }

    Block block(memory.next());
    switch (*kind) {
    case ImageKind::Multiboot1: make_multiboot1(block, *plan, placed, command_line); break;
    case ImageKind::Multiboot2: make_multiboot2(block, *plan, placed, command_line); break;
    case ImageKind::Pvh: make_pvh(block, placed, command_line); break;
    }
    block.bytes.resize(up(block.bytes.size(), 8));
    auto information = memory.append(block.bytes, Page, Room);
    if (!information) return std::unexpected(information.error());
    if (out.segments.size() > MostImageSegments)
        return bad_input(fmt::format("kernel {}: more than {} segments", path, MostImageSegments));
    out.header = {.magic = BootImageHeader::Magic,
                  .kind = *kind,
                  .entry = static_cast<u32>(entry),
                  .information = *information,
                  .spare = static_cast<u32>(*information + block.bytes.size()),
                  .room = Room,
                  .width = wishes.width,
                  .height = wishes.height,
                  .depth = wishes.depth,
                  .segments = static_cast<u32>(out.segments.size())};
    return out;
}

} // namespace vitrine::emu
