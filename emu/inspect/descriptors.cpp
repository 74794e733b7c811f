// GDT, LDT, TSS: see descriptors.h.
#include "emu/inspect/descriptors.h"
#include <fmt/format.h>
#include "emu/inspect/render.h"

namespace vitrine::emu::inspect {

namespace {

const char* system_type(unsigned type, bool long_mode) {
    // SDM 3A table 3-2.
    switch (type) {
    case 1: return long_mode ? "reserved type 1" : "TSS (16-bit, available)";
    case 2: return "LDT";
    case 3: return long_mode ? "reserved type 3" : "TSS (16-bit, busy)";
    case 4: return long_mode ? "reserved type 4" : "call gate (16-bit)";
    case 5: return long_mode ? "reserved type 5" : "task gate";
    case 9: return long_mode ? "TSS (64-bit, available)" : "TSS (32-bit, available)";
    case 11: return long_mode ? "TSS (64-bit, busy)" : "TSS (32-bit, busy)";
    case 12: return long_mode ? "call gate (64-bit)" : "call gate (32-bit)";
    default: return "reserved system type";
    }
}

std::string users_of(const cpu::Registers& r, u16 selector, bool ldt) {
    static constexpr const char* Names[] = {"es", "cs", "ss", "ds", "fs", "gs"};
    std::string out;
    const auto note = [&](const char* name, const cpu::Segment& s) {
        if (!s.usable || (s.selector & 0xFFFC) != (selector & 0xFFFC) || (s.selector & 0xFFF8) == 0) return;
        out += (out.empty() ? "" : " ") + std::string(name);
    };
    for (unsigned i = 0; i < 6; ++i) note(Names[i], r.seg[i]);
    if (!ldt) note("ldtr", r.ldtr), note("tr", r.tr);
    return out;
}

DescriptorTableView table_view(std::string name, u64 base, u32 limit, const cpu::Registers& r,
                               const GuestReader& memory, bool ldt) {
    DescriptorTableView view;
    view.name = std::move(name), view.base = base, view.limit = limit;
    const bool long_mode = (r.msr.efer & cpu::LMA) != 0;
    for (u32 offset = 0; u64{offset} + 7 <= limit && offset < 0x10000; offset += 8) {
        u64 raw = 0, high = 0;
        if (!memory.linear_value(base + offset, raw)) {
            view.notes.add(fmt::format("memory at {} cannot be read", hex(base + offset, 16)));
            break;
        }
        if (offset + 15 <= limit) memory.linear_value(base + offset + 8, high);
        DescriptorRow row = decode_descriptor(static_cast<u16>(offset | (ldt ? 4 : 0)), raw, high, long_mode);
        row.used_by = users_of(r, row.selector, ldt);
        if (row.wide) offset += 8;
        view.rows.push_back(std::move(row));
    }
    return view;
}

} // namespace

DescriptorRow decode_descriptor(u16 selector, u64 raw, u64 high, bool long_mode) {
    DescriptorRow row;
    row.selector = selector, row.raw = raw;
    if (raw == 0) {
        row.null = true, row.kind = "null";
        return row;
    }
    const unsigned type = raw >> 40 & 15;
    const bool code_or_data = (raw >> 44 & 1) != 0, granular = (raw >> 55 & 1) != 0;
    row.dpl = raw >> 45 & 3;
    row.type = static_cast<u8>(type), row.code_or_data = code_or_data, row.granular = granular;
    row.available = raw >> 52 & 1, row.long_code = raw >> 53 & 1, row.big = raw >> 54 & 1;
    row.present = (raw >> 47 & 1) != 0;
    row.base = (raw >> 16 & 0xFFFFFF) | (raw >> 56 & 0xFF) << 24;
    row.limit = static_cast<u32>((raw & 0xFFFF) | (raw >> 32 & 0xF0000));
    if (granular) row.limit = row.limit << 12 | 0xFFF;
    if (code_or_data) {
        const bool l = (raw >> 53 & 1) != 0, d = (raw >> 54 & 1) != 0;
        if (type & 8)
            row.kind = std::string("code, ") +
                       (l   ? "64-bit"
                        : d ? "32-bit"
                            : "16-bit") +
                       (type & 4 ? ", conforming" : "") + (type & 2 ? "" : ", execute-only");
        else
            row.kind = std::string("data, ") + (type & 2 ? "writable" : "read-only") +
                       (type & 4 ? ", expand-down" : "") + (d ? "" : ", 16-bit");
        row.kind += type & 1 ? ", accessed" : "";
    } else {
        row.kind = system_type(type, long_mode);
        if (long_mode) {
            // SDM 3A figure 7-4: system descriptors of IA-32e mode take two slots.
            row.wide = true, row.raw_high = high;
            row.base |= high << 32;
        }
    }
    if (!row.present) row.kind += ", not present";
    return row;
}

DescriptorTableView gdt_view(const cpu::Registers& r, const GuestReader& memory) {
    if (!(r.cr0 & cpu::PE)) {
        DescriptorTableView view;
        view.name = "GDT", view.base = r.gdtr.base, view.limit = r.gdtr.limit;
        view.notes.add("the processor is in real mode: descriptors are not in use");
        return view;
    }
    return table_view("GDT", r.gdtr.base, r.gdtr.limit, r, memory, false);
}

DescriptorTableView ldt_view(const cpu::Registers& r, const GuestReader& memory) {
    if (!(r.cr0 & cpu::PE) || !r.ldtr.usable || (r.ldtr.selector & 0xFFF8) == 0) {
        DescriptorTableView view;
        view.name = "LDT";
        view.notes.add("LDTR is null: there is no local descriptor table");
        return view;
    }
    return table_view("LDT", r.ldtr.base, r.ldtr.limit, r, memory, true);
}

TaskStateView tss_view(const cpu::Registers& r, const GuestReader& memory) {
    TaskStateView view;
    view.selector = r.tr.selector, view.base = r.tr.base, view.limit = r.tr.limit;
    if (!(r.cr0 & cpu::PE) || (r.tr.selector & 0xFFF8) == 0) {
        view.notes.add("TR is null: no task state segment was loaded yet");
        return view;
    }
    view.wide = (r.msr.efer & cpu::LMA) != 0;
    const auto field = [&](std::string name, u32 offset, unsigned size, std::string meaning = {}) {
        if (offset + size - 1 > view.limit)
            return view.notes.add(fmt::format("{} lies beyond the limit", name));
        u64 value = 0;
        if (memory.linear(view.base + offset, {reinterpret_cast<u8*>(&value), size}) != size)
            return view.notes.add(fmt::format("memory at {} cannot be read", hex(view.base + offset, 16)));
        view.rows.push_back({std::move(name), value, std::move(meaning)});
    };
    if (view.wide) { // SDM 3A 7.7
        for (unsigned i = 0; i < 3; ++i)
            field(fmt::format("rsp{}", i), 4 + 8 * i, 8, i == 0 ? "stack on entry from user mode" : "");
        for (unsigned i = 1; i < 8; ++i) field(fmt::format("ist{}", i), 36 + 8 * (i - 1), 8);
        field("io map base", 102, 2);
    } else { // SDM 3A 7.2.1
        field("esp0", 4, 4), field("ss0", 8, 2), field("cr3", 28, 4), field("eip", 32, 4),
            field("io map base", 102, 2);
    }
    return view;
}

std::string to_text(const DescriptorTableView& v) {
    std::string out = fmt::format("{} at {} limit {}\n", v.name, hex(v.base, 16), hex(v.limit, 4));
    if (!v.rows.empty()) {
        Table table({"selector", "base", "limit", "type", "S", "dpl", "P", "AVL", "L", "D/B", "G", "used by",
                     "kind", "raw"});
        const auto bit = [](bool set) { return std::string(set ? "1" : "0"); };
        for (const auto& row : v.rows)
            table.row(row.null ? std::vector<std::string>{hex(row.selector, 4), "", "", "", "", "", "", "",
                                                          "", "", "", row.used_by, row.kind, ""}
                               : std::vector<std::string>{
                                     hex(row.selector, 4), hex(row.base, 16), hex(row.limit, 8),
                                     hex(row.type), bit(row.code_or_data), std::to_string(row.dpl),
                                     bit(row.present), bit(row.available), bit(row.long_code), bit(row.big),
                                     bit(row.granular), row.used_by, row.kind,
                                     (row.wide ? hex(row.raw_high, 16) + " " : "") + hex(row.raw, 16)});
        out += table.text();
    }
    return out + notes_text(v.notes);
}

nlohmann::json to_json(const DescriptorTableView& v) {
    nlohmann::json rows = nlohmann::json::array();
    for (const auto& row : v.rows)
        rows.push_back({{"selector", row.selector},
                        {"kind", row.kind},
                        {"base", hex(row.base, 16)},
                        {"limit", row.limit},
                        {"dpl", row.dpl},
                        {"type", row.type},
                        {"code_or_data", row.code_or_data},
                        {"available", row.available},
                        {"long", row.long_code},
                        {"big", row.big},
                        {"granular", row.granular},
                        {"present", row.present},
                        {"used_by", row.used_by},
                        {"raw", hex(row.raw, 16)}});
    return {{"table", v.name},
            {"base", hex(v.base, 16)},
            {"limit", v.limit},
            {"entries", rows},
            {"notes", notes_json(v.notes)}};
}

std::string to_text(const TaskStateView& v) {
    std::string out = fmt::format("TSS selector {} at {} limit {}{}\n", hex(v.selector, 4), hex(v.base, 16),
                                  hex(v.limit), v.wide ? ", 64-bit" : "");
    for (const auto& row : v.rows)
        out += fmt::format("{:<12} {:016x}{}{}\n", row.name, row.value, row.meaning.empty() ? "" : "  ",
                           row.meaning);
    return out + notes_text(v.notes);
}

nlohmann::json to_json(const TaskStateView& v) {
    nlohmann::json rows;
    for (const auto& row : v.rows) rows[row.name] = hex(row.value, 16);
    return {{"selector", v.selector}, {"base", hex(v.base, 16)}, {"limit", v.limit},
            {"wide", v.wide},         {"fields", rows},          {"notes", notes_json(v.notes)}};
}

} // namespace vitrine::emu::inspect
