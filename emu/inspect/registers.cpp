// Registers: see registers.h. Bit names: Intel SDM 1 3.4.3 (RFLAGS), 3A 2.5 (control registers), 3A 2.2.1
// (EFER).
#include "emu/inspect/registers.h"
#include <fmt/format.h>
#include "emu/inspect/render.h"
#include "emu/inspect/code_names.h"

namespace vitrine::emu::inspect {

namespace {

struct BitName {
    u64 bit;
    const char* name;
};
std::string bit_names(u64 value, std::span<const BitName> names) {
    std::string out;
    for (const BitName& n : names)
        if (value & n.bit) out += (out.empty() ? "" : " ") + std::string(n.name);
    return out;
}

constexpr BitName FlagBits[] = {{cpu::CF, "CF"}, {cpu::PF, "PF"},   {cpu::AF, "AF"},   {cpu::ZF, "ZF"},
                                {cpu::SF, "SF"}, {cpu::TF, "TF"},   {cpu::IF, "IF"},   {cpu::DF, "DF"},
                                {cpu::OF, "OF"}, {cpu::NT, "NT"},   {cpu::RF, "RF"},   {cpu::VM, "VM"},
                                {cpu::AC, "AC"}, {cpu::VIF, "VIF"}, {cpu::VIP, "VIP"}, {cpu::ID, "ID"}};
constexpr BitName Cr0Bits[] = {{cpu::PE, "PE"}, {cpu::MP, "MP"}, {cpu::EM, "EM"}, {cpu::TS, "TS"},
                               {cpu::ET, "ET"}, {cpu::NE, "NE"}, {cpu::WP, "WP"}, {cpu::AM, "AM"},
                               {cpu::NW, "NW"}, {cpu::CD, "CD"}, {cpu::PG, "PG"}};
constexpr BitName Cr4Bits[] = {{cpu::VME, "VME"},
                               {cpu::PVI, "PVI"},
                               {cpu::TSD, "TSD"},
                               {cpu::DE, "DE"},
                               {cpu::PSE, "PSE"},
                               {cpu::PAE, "PAE"},
                               {cpu::MCE, "MCE"},
                               {cpu::PGE, "PGE"},
                               {cpu::PCE, "PCE"},
                               {cpu::OSFXSR, "OSFXSR"},
                               {cpu::OSXMMEXCPT, "OSXMMEXCPT"},
                               {cpu::UMIP, "UMIP"},
                               {cpu::FSGSBASE, "FSGSBASE"},
                               {cpu::PCIDE, "PCIDE"},
                               {cpu::OSXSAVE, "OSXSAVE"},
                               {cpu::SMEP, "SMEP"},
                               {cpu::SMAP, "SMAP"},
                               {cpu::PKE, "PKE"}};
constexpr BitName EferBits[] = {{cpu::SCE, "SCE"}, {cpu::LME, "LME"}, {cpu::LMA, "LMA"}, {cpu::NXE, "NXE"}};

constexpr const char* GeneralNames[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

} // namespace

std::string rflags_text(u64 rflags) {
    return bit_names(rflags, FlagBits) +
           fmt::format("{}IOPL={}", bit_names(rflags, FlagBits).empty() ? "" : " ", rflags >> 12 & 3);
}

std::string segment_meaning(const cpu::Segment& s) {
    if (!s.usable) return "null";
    if (!s.present) return "not present";
    std::string out;
    if (!s.code_or_data) return fmt::format("system type {}", s.type);
    if (s.type & 8) {
        out = s.long_mode ? "code, 64-bit" : s.big ? "code, 32-bit" : "code, 16-bit";
        if (s.type & 4) out += ", conforming";
        if (!(s.type & 2)) out += ", execute-only";
    } else {
        out = s.type & 2 ? "data, writable" : "data, read-only";
        if (s.type & 4) out += ", expand-down";
    }
    return out + fmt::format(", DPL {}", s.dpl);
}

RegistersView registers_view(const cpu::Cpu& processor, const CodeNames* names) {
    const cpu::Registers& r = processor.registers();
    RegistersView v;
    v.mode = cpu::mode_name(processor.mode());
    v.cpl = processor.cpl();
    v.halted = processor.halted();
    v.step = processor.steps(), v.time = processor.cycles();
    v.rip = processor.rip(), v.rflags = processor.rflags();
    if (names) {
        v.rip_symbol = names->name(v.rip);
        if (auto line = names->line(v.rip)) v.rip_line = fmt::format("{}:{}", line->file, line->line);
    }
    for (unsigned i = 0; i < 16; ++i) v.general.emplace_back(GeneralNames[i], r.gpr[i]);
    v.flag_names = rflags_text(v.rflags);
    static constexpr const char* SegmentNames[] = {"es", "cs", "ss", "ds", "fs", "gs"};
    for (unsigned i = 0; i < 6; ++i)
        v.segments.push_back({SegmentNames[i], r.seg[i], segment_meaning(r.seg[i])});
    v.segments.push_back({"ldtr", r.ldtr, r.ldtr.usable ? "LDT" : "null"});
    v.segments.push_back({"tr", r.tr, r.tr.usable ? "TSS" : "null"});
    v.gdtr = r.gdtr, v.idtr = r.idtr;
    v.control = {{"cr0", r.cr0, bit_names(r.cr0, Cr0Bits)},
                 {"cr2", r.cr2, {}},
                 {"cr3", r.cr3, {}},
                 {"cr4", r.cr4, bit_names(r.cr4, Cr4Bits)}};
    for (unsigned i : {0u, 1u, 2u, 3u, 6u, 7u}) v.control.push_back({fmt::format("dr{}", i), r.dr[i], {}});
    v.msrs = {{"efer", r.msr.efer, bit_names(r.msr.efer, EferBits)},
              {"star", r.msr.star, {}},
              {"lstar", r.msr.lstar, {}},
              {"cstar", r.msr.cstar, {}},
              {"fmask", r.msr.fmask, rflags_text(r.msr.fmask)},
              {"kernel_gs_base", r.msr.kernel_gs_base, {}},
              {"sysenter_cs", r.msr.sysenter_cs, {}},
              {"sysenter_esp", r.msr.sysenter_esp, {}},
              {"sysenter_eip", r.msr.sysenter_eip, {}},
              {"pat", r.msr.pat, {}},
              {"tsc_aux", r.msr.tsc_aux, {}},
              {"xcr0", r.xcr0, {}}};
    if (names)
        for (auto& msr : v.msrs)
            if (msr.name == "lstar" || msr.name == "cstar") msr.bits = names->name(msr.value);
    for (unsigned i = 0; i < 16; ++i) v.vectors.emplace_back(fmt::format("xmm{}", i), r.xmm[i]);
    v.mxcsr = r.mxcsr;
    return v;
}

std::string to_text(const RegistersView& v) {
    std::string out = fmt::format("step {}  time {}  {}  CPL {}{}\n", v.step, time_text(v.time), v.mode,
                                  v.cpl, v.halted ? "  halted" : "");
    out += fmt::format("rip {:016x}  {}{}\n", v.rip, v.rip_symbol,
                       v.rip_line.empty() ? "" : "  (" + v.rip_line + ")");
    out += fmt::format("rflags {:016x}  {}\n", v.rflags, v.flag_names);
    for (std::size_t i = 0; i < v.general.size(); ++i)
        out +=
            fmt::format("{:<3} {:016x}{}", v.general[i].first, v.general[i].second, i % 4 == 3 ? "\n" : "  ");
    Table segments({"segment", "selector", "base", "limit", "meaning"});
    for (const auto& row : v.segments)
        segments.row({row.name, hex(row.segment.selector, 4), hex(row.segment.base, 16),
                      hex(row.segment.limit, 8), row.meaning});
    out += segments.text();
    out += fmt::format("gdtr {} limit {}\nidtr {} limit {}\n", hex(v.gdtr.base, 16), hex(v.gdtr.limit, 4),
                       hex(v.idtr.base, 16), hex(v.idtr.limit, 4));
    for (const auto* list : {&v.control, &v.msrs})
        for (const auto& c : *list)
            out += fmt::format("{:<14} {:016x}{}{}\n", c.name, c.value, c.bits.empty() ? "" : "  ", c.bits);
    for (std::size_t i = 0; i < v.vectors.size(); ++i)
        out += fmt::format("{:<5} {:016x}{:016x}{}", v.vectors[i].first, v.vectors[i].second.hi,
                           v.vectors[i].second.lo, i % 2 ? "\n" : "  ");
    return out + fmt::format("mxcsr {:08x}\n", v.mxcsr);
}

nlohmann::json to_json(const RegistersView& v) {
    nlohmann::json general, segments, control, msrs, vectors;
    for (const auto& [name, value] : v.general) general[name] = hex(value, 16);
    for (const auto& row : v.segments)
        segments[row.name] = {{"selector", row.segment.selector},
                              {"base", hex(row.segment.base, 16)},
                              {"limit", row.segment.limit},
                              {"meaning", row.meaning}};
    for (const auto& c : v.control) control[c.name] = {{"value", hex(c.value, 16)}, {"bits", c.bits}};
    for (const auto& c : v.msrs) msrs[c.name] = {{"value", hex(c.value, 16)}, {"meaning", c.bits}};
    for (const auto& [name, value] : v.vectors)
        vectors[name] = fmt::format("0x{:016x}{:016x}", value.hi, value.lo);
    return {{"step", v.step},
            {"time_ns", v.time},
            {"mode", v.mode},
            {"cpl", v.cpl},
            {"halted", v.halted},
            {"rip", hex(v.rip, 16)},
            {"symbol", v.rip_symbol},
            {"source", v.rip_line},
            {"rflags", hex(v.rflags, 16)},
            {"flags", v.flag_names},
            {"general", general},
            {"segments", segments},
            {"control", control},
            {"msrs", msrs},
            {"vectors", vectors},
            {"mxcsr", hex(v.mxcsr, 8)},
            {"gdtr", {{"base", hex(v.gdtr.base, 16)}, {"limit", v.gdtr.limit}}},
            {"idtr", {{"base", hex(v.idtr.base, 16)}, {"limit", v.idtr.limit}}}};
}

} // namespace vitrine::emu::inspect
