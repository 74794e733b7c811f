// Disassembly: see disassembly.h. Capstone's Intel syntax; 0x prefixes are kept, as manuals and symbols use
// them.
#include "emu/inspect/disassembly.h"
#include <algorithm>
#include <capstone/capstone.h>
#include <fmt/format.h>
#include <stdexcept>
#include "emu/inspect/code_names.h"
#include "emu/inspect/render.h"

namespace vitrine::emu::inspect {

namespace {

constexpr unsigned LongestInstruction = 15;

unsigned code_bits(cpu::Mode mode) {
    switch (mode) {
    case cpu::Mode::Real:
    case cpu::Mode::Virtual8086:
    case cpu::Mode::Protected16:
    case cpu::Mode::Compat16: return 16;
    case cpu::Mode::Protected32:
    case cpu::Mode::Compat32: return 32;
    case cpu::Mode::Long64: return 64;
    }
    return 64;
}

bool in_group(const cs_insn& instruction, u8 group) {
    const cs_detail& d = *instruction.detail;
    return std::find(d.groups, d.groups + d.groups_count, group) != d.groups + d.groups_count;
}

/// Where a direct jump leads or which memory a rip-relative operand names.
void find_target(const cs_insn& instruction, cpu::Mode mode, u64 code_base, CodeRow& row) {
    const cs_x86& x86 = instruction.detail->x86;
    const bool branch = in_group(instruction, CS_GRP_JUMP) || in_group(instruction, CS_GRP_CALL) ||
                        instruction.id == X86_INS_LJMP || instruction.id == X86_INS_LCALL;
    const bool real = mode == cpu::Mode::Real || mode == cpu::Mode::Virtual8086;
    if (branch && x86.op_count == 2 && x86.operands[0].type == X86_OP_IMM &&
        x86.operands[1].type == X86_OP_IMM) {
        const u64 selector = static_cast<u64>(x86.operands[0].imm),
                  offset = static_cast<u64>(x86.operands[1].imm);
        if (real) row.target = (selector & 0xFFFF) * 16 + offset;
    } else if (branch && x86.op_count == 1 && x86.operands[0].type == X86_OP_IMM) {
        u64 target = static_cast<u64>(x86.operands[0].imm);
        if (mode != cpu::Mode::Long64) {
            const u64 mask = code_bits(mode) == 16 && x86.operands[0].size == 2 ? 0xFFFF : 0xFFFFFFFF;
            target = (code_base + ((target - code_base) & mask)) & 0xFFFFFFFF;
        }
        row.target = target;
    } else {
        for (unsigned i = 0; i < x86.op_count; ++i)
            if (x86.operands[i].type == X86_OP_MEM && x86.operands[i].mem.base == X86_REG_RIP)
                row.target =
                    instruction.address + instruction.size + static_cast<u64>(x86.operands[i].mem.disp);
    }
}

} // namespace

struct Disassembler::Handles {
    csh by_bits[3] = {};
    csh of(cpu::Mode mode) const {
        const unsigned bits = code_bits(mode);
        return by_bits[bits == 16 ? 0 : bits == 32 ? 1 : 2];
    }
};

Disassembler::Disassembler() : handles_(std::make_unique<Handles>()) {
    static constexpr cs_mode Modes[] = {CS_MODE_16, CS_MODE_32, CS_MODE_64};
    for (unsigned i = 0; i < 3; ++i) {
        if (cs_open(CS_ARCH_X86, Modes[i], &handles_->by_bits[i]) != CS_ERR_OK)
            throw std::runtime_error("Capstone was built without x86");
        cs_option(handles_->by_bits[i], CS_OPT_DETAIL, CS_OPT_ON);
    }
}

Disassembler::~Disassembler() {
    for (csh& handle : handles_->by_bits) cs_close(&handle);
}

CodeListing Disassembler::list(const GuestReader& memory, const CodeNames* names, u64 address, unsigned rows,
                               cpu::Mode mode, u64 code_base) const {
    CodeListing out;
    const csh handle = handles_->of(mode);
    cs_insn* instruction = cs_malloc(handle);
    const u64 limit = mode == cpu::Mode::Long64 ? ~u64{0} : 0xFFFF'FFFF;
    std::string last_source;
    while (out.rows.size() < rows) {
        u8 bytes[LongestInstruction];
        const u64 room = std::min<u64>(sizeof bytes, limit - address + (limit == ~u64{0} ? 0 : 1));
        const std::size_t readable = memory.linear(address, {bytes, static_cast<std::size_t>(room)});
        if (readable == 0) {
            out.why_short = fmt::format("{:x} is not mapped", address);
            break;
        }
        CodeRow row;
        row.address = address;
        const u8* at = bytes;
        std::size_t left = readable;
        u64 where = address;
        if (cs_disasm_iter(handle, &at, &left, &where, instruction)) {
            row.bytes.assign(bytes, bytes + instruction->size);
            row.mnemonic = instruction->mnemonic, row.operands = instruction->op_str;
            if (auto ptr = row.operands.find(" ptr ["); ptr != std::string::npos)
                row.operands.erase(ptr, 4); // "qword [rsp + 8]"
            row.jump = in_group(*instruction, CS_GRP_JUMP) || instruction->id == X86_INS_LJMP;
            row.always = instruction->id == X86_INS_JMP || instruction->id == X86_INS_LJMP ||
                         in_group(*instruction, CS_GRP_RET) || in_group(*instruction, CS_GRP_IRET);
            const u8 prefix = instruction->detail->x86.prefix[0];
            row.call = in_group(*instruction, CS_GRP_CALL) || in_group(*instruction, CS_GRP_INT) ||
                       instruction->id == X86_INS_LCALL || prefix == 0xF2 || prefix == 0xF3;
            find_target(*instruction, mode, code_base, row);
        } else {
            row.bytes.assign(bytes, bytes + 1);
            row.mnemonic = "(bad)";
        }
        if (names) {
            if (auto place = names->at(address); place && place->offset == 0) row.symbol = place->text();
            if (row.target) row.target_name = names->name(*row.target);
            if (auto line = names->line(address)) {
                std::string source = fmt::format("{}:{}", line->file, line->line);
                if (source != last_source) {
                    row.source = last_source = std::move(source);
                    row.source_file = line->file, row.source_line = line->line;
                }
            }
        }
        address += row.bytes.size();
        out.rows.push_back(std::move(row));
        if (address - 1 >= limit || address == 0) {
            out.why_short = "the address space ends here";
            break;
        }
    }
    cs_free(instruction, 1);
    return out;
}

u64 Disassembler::previous(const GuestReader& memory, u64 address, cpu::Mode mode) const {
    // x86 code cannot be read backwards: the longest run of instructions that ends exactly here is the best
    // guess.
    const csh handle = handles_->of(mode);
    cs_insn* instruction = cs_malloc(handle);
    u64 best = address;
    for (u64 back = 32; back >= 1 && best == address; --back) {
        if (back > address) continue;
        u8 bytes[32];
        if (memory.linear(address - back, {bytes, static_cast<std::size_t>(back)}) != back) continue;
        const u8* at = bytes;
        std::size_t left = static_cast<std::size_t>(back);
        u64 where = address - back, last = where;
        while (left && cs_disasm_iter(handle, &at, &left, &where, instruction)) last = instruction->address;
        if (left == 0) best = last;
    }
    cs_free(instruction, 1);
    return best;
}

std::string to_text(const CodeListing& listing) {
    std::string out;
    for (const CodeRow& row : listing.rows) {
        if (!row.symbol.empty()) out += row.symbol + ":\n";
        if (!row.source.empty()) out += fmt::format("{:>18}  {}\n", "", row.source);
        std::string bytes;
        for (const u8 byte : row.bytes) bytes += fmt::format("{:02x}", byte);
        out += fmt::format("{:016x}  {:<22}{:<8}{}{}\n", row.address, bytes, row.mnemonic, row.operands,
                           row.target_name.empty() ? "" : "  -> " + row.target_name);
    }
    if (!listing.why_short.empty()) out += fmt::format("({})\n", listing.why_short);
    return out;
}

nlohmann::json to_json(const CodeListing& listing) {
    nlohmann::json rows = nlohmann::json::array();
    for (const CodeRow& row : listing.rows) {
        std::string bytes;
        for (const u8 byte : row.bytes) bytes += fmt::format("{:02x}", byte);
        rows.push_back({{"address", hex(row.address, 16)},
                        {"bytes", bytes},
                        {"instruction", row.mnemonic + (row.operands.empty() ? "" : " " + row.operands)},
                        {"symbol", row.symbol},
                        {"source", row.source},
                        {"target", row.target ? nlohmann::json(hex(*row.target, 16)) : nlohmann::json()},
                        {"target_name", row.target_name}});
    }
    return {{"rows", rows}, {"why_short", listing.why_short}};
}

} // namespace vitrine::emu::inspect
