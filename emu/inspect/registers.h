// The processor's registers as a view: general registers, rip, flags, segments, control registers, MSRs, FP
// state.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>
#include "cpu/cpu.h"

namespace vitrine::emu::inspect {

class CodeNames;

struct SegmentRow {
    std::string name;
    cpu::Segment segment;
    std::string meaning; ///< "code, 64-bit, DPL 0"
};
struct RegistersView {
    std::string mode;
    u8 cpl = 0;
    bool halted = false;
    u64 step = 0, time = 0, rip = 0, rflags = 0;
    std::string rip_symbol, rip_line;
    std::vector<std::pair<std::string, u64>> general;
    std::string flag_names;
    std::vector<SegmentRow> segments;
    cpu::DescriptorTable gdtr, idtr;
    struct Control {
        std::string name;
        u64 value;
        std::string bits; ///< names of the bits that are set
    };
    std::vector<Control> control, msrs;
    std::vector<std::pair<std::string, cpu::Xmm>> vectors;
    u32 mxcsr = 0;
};

RegistersView registers_view(const cpu::Cpu& processor, const CodeNames* names);
std::string to_text(const RegistersView& view);
nlohmann::json to_json(const RegistersView& view);

std::string rflags_text(u64 rflags);
/// What kind of segment a descriptor's hidden part describes.
std::string segment_meaning(const cpu::Segment& segment);

} // namespace vitrine::emu::inspect
