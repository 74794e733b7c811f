// GDT, LDT and TSS, decoded from guest memory (Intel SDM 3A 3.4.5, 3.5, 7.2).
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>
#include "cpu/cpu.h"
#include "emu/inspect/reader.h"

namespace vitrine::emu::inspect {

struct DescriptorRow {
    u16 selector = 0;
    u64 raw = 0, raw_high = 0; ///< raw_high: the second half of a 16-byte system descriptor
    bool wide = false;         ///< 16 bytes
    bool null = false;
    std::string kind; ///< "code, 64-bit, DPL 0", "TSS (64-bit, busy)"
    u64 base = 0;
    u32 limit = 0; ///< in bytes
    u8 dpl = 0;
    /// As the descriptor has them (figure 3-8): type, S, AVL, L, D/B, G.
    u8 type = 0;
    bool code_or_data = false, available = false, long_code = false, big = false, granular = false;
    bool present = false;
    std::string used_by; ///< "cs", "ss ds": segment registers that hold this selector
};
struct DescriptorTableView {
    std::string name; ///< "GDT"
    u64 base = 0;
    u32 limit = 0;
    std::vector<DescriptorRow> rows;
    Notes notes;
};
struct TaskStateView {
    u16 selector = 0;
    u64 base = 0;
    u32 limit = 0;
    bool wide = false; ///< 64-bit TSS
    struct Row {
        std::string name;
        u64 value;
        std::string meaning;
    };
    std::vector<Row> rows;
    Notes notes;
};

DescriptorTableView gdt_view(const cpu::Registers& registers, const GuestReader& memory);
DescriptorTableView ldt_view(const cpu::Registers& registers, const GuestReader& memory);
TaskStateView tss_view(const cpu::Registers& registers, const GuestReader& memory);
/// One descriptor; `high` matters for system descriptors in long mode.
DescriptorRow decode_descriptor(u16 selector, u64 raw, u64 high, bool long_mode);

std::string to_text(const DescriptorTableView& view);
nlohmann::json to_json(const DescriptorTableView& view);
std::string to_text(const TaskStateView& view);
nlohmann::json to_json(const TaskStateView& view);

} // namespace vitrine::emu::inspect
