// Page walk and address-space map: see walk.h.
#include "emu/inspect/walk.h"
#include <fmt/format.h>
#include "emu/inspect/render.h"
#include "emu/symbols/guest_symbols.h"

namespace vitrine::emu::inspect {

namespace {

const char* paging_name(cpu::PagingMode mode) {
    switch (mode) {
    case cpu::PagingMode::None: return "paging is off";
    case cpu::PagingMode::Bits32: return "32-bit paging";
    case cpu::PagingMode::Pae: return "PAE paging";
    case cpu::PagingMode::FourLevel: return "4-level paging";
    case cpu::PagingMode::FiveLevel: return "5-level paging";
    }
    return "?";
}

std::string entry_flags(u64 entry, bool leaf) {
    std::string out;
    const auto add = [&](u64 bit, const char* name) {
        if (entry & bit) out += (out.empty() ? "" : " ") + std::string(name);
    };
    add(cpu::PteP, "P"), add(cpu::PteW, "W"), add(cpu::PteU, "U"), add(cpu::PtePWT, "PWT"),
        add(cpu::PtePCD, "PCD"), add(cpu::PteA, "A");
    if (leaf) add(cpu::PteD, "D"), add(cpu::PteG, "G");
    add(cpu::PtePS, "PS"), add(cpu::PteNX, "NX");
    return out;
}

std::string rights_text(bool user, bool writable, bool no_execute) {
    return fmt::format("{}, {}, {}", user ? "user" : "supervisor", writable ? "writable" : "read-only",
                       no_execute ? "no-execute" : "executable");
}

auto entry_reader(const GuestReader& memory) {
    return [&memory](u64 address, unsigned size, u64& out) {
        out = 0;
        return memory.physical(address, {reinterpret_cast<u8*>(&out), size});
    };
}

/// Linux's names for parts of the upper half (Documentation/x86/x86_64/mm.rst), which the bundled kernel
/// follows.
std::string region_name(u64 address, bool executable, const GuestSymbols* symbols) {
    if (address < 0x0000'8000'0000'0000) return "user";
    if (address >= 0xFFFF'8880'0000'0000 && address < 0xFFFF'C880'0000'0000) return "direct map";
    if (address >= 0xFFFF'C900'0000'0000 && address < 0xFFFF'E900'0000'0000) return "vmalloc";
    if (address >= 0xFFFF'EA00'0000'0000 && address < 0xFFFF'EB00'0000'0000) return "page array (vmemmap)";
    if (address >= 0xFFFF'FFFF'8000'0000 && address < 0xFFFF'FFFF'C000'0000) {
        const bool known = symbols && symbols->slide();
        return executable ? "kernel text" : known ? "kernel data" : "kernel image";
    }
    return "";
}

} // namespace

WalkView walk_view(const cpu::Registers& registers, const GuestReader& memory, u64 linear,
                   const GuestSymbols* symbols) {
    const cpu::PagingState state = cpu::paging_state(registers);
    WalkView view;
    view.linear = linear;
    view.paging = paging_name(state.mode);
    if (symbols) view.symbol = symbols->name(linear);
    const unsigned unused = state.mode == cpu::PagingMode::FourLevel   ? 16
                            : state.mode == cpu::PagingMode::FiveLevel ? 7
                                                                       : 0;
    if (unused && static_cast<u64>(static_cast<i64>(linear << unused) >> unused) != linear) {
        view.verdict = "the address is not canonical: no walk, #GP or #SS";
        return view;
    }
    const cpu::Walk walk = cpu::walk(entry_reader(memory), state, linear);
    static constexpr const char* Names[] = {"", "PT", "PD", "PDPT", "PML4", "PML5"};
    const u64 entry_size = state.mode == cpu::PagingMode::Bits32 ? 4 : 8;
    for (unsigned i = 0; i < walk.count; ++i) {
        const cpu::WalkStep& step = walk.steps[i];
        view.rows.push_back({Names[step.level], static_cast<unsigned>((step.address & 0xFFF) / entry_size),
                             step.address, step.entry,
                             entry_flags(step.entry, i + 1 == walk.count && walk.present)});
    }
    view.present = walk.present;
    if (walk.present) {
        view.physical = walk.physical, view.page_size = walk.page_size;
        if (state.mode == cpu::PagingMode::None) {
            view.verdict = fmt::format("linear and physical addresses are equal: {}", hex(walk.physical, 16));
            return view;
        }
        view.rights = rights_text(walk.user, walk.writable, walk.no_execute);
        view.verdict = fmt::format("physical {} in a {} page, {}", hex(walk.physical, 16),
                                   size_text(walk.page_size), view.rights);
    } else if (walk.unreadable) {
        view.verdict = "the next table lies outside memory";
    } else if (walk.reserved) {
        view.verdict =
            fmt::format("the {} entry has a reserved bit set: #PF with RSVD", view.rows.back().level);
    } else {
        view.verdict = fmt::format("the {} entry is not present: #PF",
                                   view.rows.empty() ? "first" : view.rows.back().level);
    }
    return view;
}

namespace {

class SpaceWalker {
public:
    SpaceWalker(AddressSpaceView& view, const GuestReader& memory, const cpu::PagingState& state,
                const GuestSymbols* symbols)
        : view_(view), memory_(memory), state_(state), symbols_(symbols) {}

    void walk() {
        using enum cpu::PagingMode;
        if (state_.mode == FourLevel || state_.mode == FiveLevel)
            table(state_.cr3 & cpu::PhysicalMask & ~u64{0xFFF}, state_.mode == FiveLevel ? 5 : 4, 0, {});
        else if (state_.mode == Pae)
            table(state_.cr3 & 0xFFFFFFE0, 3, 0, {});
        else
            table(state_.cr3 & 0xFFFFF000, 2, 0, {});
        flush();
    }

private:
    static constexpr u64 MostTables = 65536, MostRanges = 20000;
    struct Rights {
        bool writable = true, user = true, no_execute = false;
    };

    void table(u64 address, unsigned level, u64 base, Rights above) {
        if (++view_.tables > MostTables)
            return view_.notes.add(fmt::format("more than {} tables: the rest is left out", MostTables));
        const bool wide = state_.mode != cpu::PagingMode::Bits32;
        const bool pdpte = state_.mode == cpu::PagingMode::Pae && level == 3;
        const unsigned bits = wide ? 9 : 10, count = pdpte ? 4 : 1u << bits, size = wide ? 8 : 4;
        u8 raw[4096];
        if (!memory_.physical(address, std::span(raw).first(std::size_t{count} * size)))
            return view_.notes.add(fmt::format("the table at {} lies outside memory", hex(address, 16)));
        for (unsigned i = 0; i < count && view_.ranges.size() < MostRanges; ++i) {
            u64 entry = 0;
            __builtin_memcpy(&entry, raw + std::size_t{i} * size, size);
            if (!(entry & cpu::PteP)) continue;
            u64 linear = base + (u64{i} << (12 + bits * (level - 1)));
            if (state_.mode == cpu::PagingMode::FourLevel && level == 4 && i >= 256)
                linear |= 0xFFFF'0000'0000'0000;
            if (level == 5 && i >= 256) linear |= 0xFE00'0000'0000'0000;
            Rights rights = above;
            if (!pdpte) {
                rights.writable &= (entry & cpu::PteW) != 0;
                rights.user &= (entry & cpu::PteU) != 0;
                rights.no_execute |= wide && state_.nxe && (entry & cpu::PteNX);
            }
            const bool large = level > 1 && level < 4 && !pdpte && (entry & cpu::PtePS) && state_.pse;
            if (level == 1 || large)
                leaf(linear, entry, u64{1} << (12 + bits * (level - 1)), rights);
            else
                table(wide ? entry & cpu::PhysicalMask & ~u64{0xFFF} : entry & 0xFFFFF000, level - 1, linear,
                      rights);
        }
    }

    void leaf(u64 linear, u64 entry, u64 size, Rights rights) {
        view_.mapped_bytes += size;
        u64 frame =
            (state_.mode == cpu::PagingMode::Bits32 ? entry & 0xFFFFFFFF : entry & cpu::PhysicalMask) &
            ~(size - 1) & ~u64{0xFFF};
        if (state_.mode == cpu::PagingMode::Bits32 && size > 4096)
            frame |= (entry >> 13 & 0xFF) << 32; // PSE-36
        const bool global = state_.pge && (entry & cpu::PteG);
        const std::string region = state_.mode == cpu::PagingMode::FourLevel
                                       ? region_name(linear, !rights.no_execute, symbols_)
                                       : "";
        if (open_) {
            MappedRange& r = range_;
            if (r.last + 1 == linear && r.writable == rights.writable && r.user == rights.user &&
                r.no_execute == rights.no_execute && r.global == global && r.region == region) {
                r.contiguous &= frame == r.physical + (linear - r.first);
                if (r.page_size != size) r.page_size = 0;
                r.last = linear + size - 1;
                return;
            }
            flush();
        }
        range_ = {linear,      linear + size - 1, frame,  true,  size, rights.writable,
                  rights.user, rights.no_execute, global, region};
        open_ = true;
    }

    void flush() {
        if (open_) view_.ranges.push_back(range_);
        open_ = false;
        if (view_.ranges.size() == MostRanges)
            view_.notes.add(fmt::format("more than {} ranges: the rest is left out", MostRanges));
    }

    AddressSpaceView& view_;
    const GuestReader& memory_;
    const cpu::PagingState& state_;
    const GuestSymbols* symbols_;
    MappedRange range_;
    bool open_ = false;
};

} // namespace

AddressSpaceView address_space_view(const cpu::Registers& registers, const GuestReader& memory,
                                    const GuestSymbols* symbols) {
    const cpu::PagingState state = cpu::paging_state(registers);
    AddressSpaceView view;
    view.cr3 = registers.cr3;
    view.paging = paging_name(state.mode);
    if (state.mode == cpu::PagingMode::None)
        view.notes.add("paging is off: linear and physical addresses are equal");
    else
        SpaceWalker(view, memory, state, symbols).walk();
    return view;
}

std::string to_text(const WalkView& v) {
    std::string out =
        fmt::format("{} {}({})\n", hex(v.linear, 16), v.symbol.empty() ? "" : v.symbol + " ", v.paging);
    if (!v.rows.empty()) {
        Table table({"table", "index", "entry at", "entry", "flags"});
        for (const auto& row : v.rows)
            table.row(
                {row.level, std::to_string(row.index), hex(row.address, 12), hex(row.entry, 16), row.flags});
        out += table.text();
    }
    return out + v.verdict + "\n";
}

nlohmann::json to_json(const WalkView& v) {
    nlohmann::json rows = nlohmann::json::array();
    for (const auto& row : v.rows)
        rows.push_back({{"table", row.level},
                        {"index", row.index},
                        {"address", hex(row.address)},
                        {"entry", hex(row.entry, 16)},
                        {"flags", row.flags}});
    return {{"linear", hex(v.linear, 16)}, {"symbol", v.symbol},
            {"paging", v.paging},          {"steps", rows},
            {"present", v.present},        {"physical", hex(v.physical)},
            {"page_size", v.page_size},    {"rights", v.rights},
            {"verdict", v.verdict}};
}

std::string to_text(const AddressSpaceView& v) {
    std::string out = fmt::format("cr3 {}  {}  {} tables, {} mapped\n", hex(v.cr3, 16), v.paging, v.tables,
                                  size_text(v.mapped_bytes));
    if (!v.ranges.empty()) {
        Table table({"first", "last", "size", "rights", "pages", "physical", "region"});
        for (const auto& r : v.ranges)
            table.row({hex(r.first, 16), hex(r.last, 16), size_text(r.last - r.first + 1),
                       fmt::format("r{}{}{}{}", r.writable ? 'w' : '-', r.no_execute ? '-' : 'x',
                                   r.user ? 'u' : '-', r.global ? 'g' : '-'),
                       r.page_size ? size_text(r.page_size) : "mixed",
                       r.contiguous ? hex(r.physical) : hex(r.physical) + " …", r.region});
        out += table.text();
    }
    return out + notes_text(v.notes);
}

nlohmann::json to_json(const AddressSpaceView& v) {
    nlohmann::json ranges = nlohmann::json::array();
    for (const auto& r : v.ranges)
        ranges.push_back({{"first", hex(r.first, 16)},
                          {"last", hex(r.last, 16)},
                          {"bytes", r.last - r.first + 1},
                          {"physical", hex(r.physical)},
                          {"contiguous", r.contiguous},
                          {"page_size", r.page_size},
                          {"writable", r.writable},
                          {"user", r.user},
                          {"no_execute", r.no_execute},
                          {"global", r.global},
                          {"region", r.region}});
    return {{"cr3", hex(v.cr3)},  {"paging", v.paging},
            {"tables", v.tables}, {"mapped_bytes", v.mapped_bytes},
            {"ranges", ranges},   {"notes", notes_json(v.notes)}};
}

} // namespace vitrine::emu::inspect
