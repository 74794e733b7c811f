// Registers for gdb: see registers.h.
#include "emu/gdb/registers.h"
#include <array>
#include <cstring>
#include <fmt/format.h>
#include "emu/board/board.h"

namespace vitrine::emu::gdb {

namespace {

enum class Source : u8 { General, Rip, Flags, Selector, X87, X87Control, Xmm, Mxcsr, YmmHigh, Base, Control };
struct Row {
    std::string name, type;
    unsigned bits;
    Source source;
    unsigned index;
    const char* feature;
};

// gdb wants the general registers in this order.
constexpr cpu::Gpr General[] = {cpu::RAX, cpu::RBX, cpu::RCX, cpu::RDX, cpu::RSI, cpu::RDI,
                                cpu::RBP, cpu::RSP, cpu::R8,  cpu::R9,  cpu::R10, cpu::R11,
                                cpu::R12, cpu::R13, cpu::R14, cpu::R15};
constexpr const char* GeneralNames[] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp",
                                        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
constexpr cpu::Seg Selectors[] = {cpu::Seg::CS, cpu::Seg::SS, cpu::Seg::DS,
                                  cpu::Seg::ES, cpu::Seg::FS, cpu::Seg::GS};
constexpr const char* SelectorNames[] = {"cs", "ss", "ds", "es", "fs", "gs"};
constexpr const char* X87Names[] = {"fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop"};
constexpr const char* ControlNames[] = {"k_gs_base", "cr0", "cr2", "cr3", "cr4", "cr8", "efer"};
constexpr unsigned KernelGsBase = 0;
constexpr const char *Core = "org.gnu.gdb.i386.core", *Sse = "org.gnu.gdb.i386.sse",
                     *Avx = "org.gnu.gdb.i386.avx", *SegmentBases = "org.gnu.gdb.i386.segments",
                     *Controls = "org.vitrine.i386.control";

std::vector<Row> make_rows(bool avx) {
    std::vector<Row> rows;
    for (unsigned i = 0; i < 16; ++i)
        rows.push_back(
            {GeneralNames[i], i == 6 || i == 7 ? "data_ptr" : "int64", 64, Source::General, i, Core});
    rows.push_back({"rip", "code_ptr", 64, Source::Rip, 0, Core});
    rows.push_back({"eflags", "i386_eflags", 32, Source::Flags, 0, Core});
    for (unsigned i = 0; i < 6; ++i)
        rows.push_back({SelectorNames[i], "int32", 32, Source::Selector, i, Core});
    for (unsigned i = 0; i < 8; ++i)
        rows.push_back({fmt::format("st{}", i), "i387_ext", 80, Source::X87, i, Core});
    for (unsigned i = 0; i < 8; ++i) rows.push_back({X87Names[i], "int", 32, Source::X87Control, i, Core});
    for (unsigned i = 0; i < 16; ++i)
        rows.push_back({fmt::format("xmm{}", i), "vec128", 128, Source::Xmm, i, Sse});
    rows.push_back({"mxcsr", "i386_mxcsr", 32, Source::Mxcsr, 0, Sse});
    for (unsigned i = 0; avx && i < 16; ++i)
        rows.push_back({fmt::format("ymm{}h", i), "uint128", 128, Source::YmmHigh, i, Avx});
    rows.push_back({"fs_base", "int64", 64, Source::Base, 0, SegmentBases});
    rows.push_back({"gs_base", "int64", 64, Source::Base, 1, SegmentBases});
    for (unsigned i = 0; i < std::size(ControlNames); ++i)
        rows.push_back({ControlNames[i], "int64", 64, Source::Control, i, Controls});
    return rows;
}
bool has_avx(const Machine& machine) { return machine.config().cpu.model >= cpu::Model::V3; }
const std::vector<Row>& rows(const Machine& machine) {
    static const std::vector<Row> with = make_rows(true), without = make_rows(false);
    return has_avx(machine) ? with : without;
}

const char* const CoreTypes =
    R"(<flags id="i386_eflags" size="4"><field name="CF" start="0" end="0"/><field name="" start="1" end="1"/>
<field name="PF" start="2" end="2"/><field name="AF" start="4" end="4"/><field name="ZF" start="6" end="6"/>
<field name="SF" start="7" end="7"/><field name="TF" start="8" end="8"/><field name="IF" start="9" end="9"/>
<field name="DF" start="10" end="10"/><field name="OF" start="11" end="11"/><field name="NT" start="14" end="14"/>
<field name="RF" start="16" end="16"/><field name="VM" start="17" end="17"/><field name="AC" start="18" end="18"/>
<field name="VIF" start="19" end="19"/><field name="VIP" start="20" end="20"/><field name="ID" start="21" end="21"/></flags>
)";
const char* const SseTypes =
    R"(<vector id="v4f" type="ieee_single" count="4"/><vector id="v2d" type="ieee_double" count="2"/>
<vector id="v16i8" type="int8" count="16"/><vector id="v8i16" type="int16" count="8"/><vector id="v4i32" type="int32" count="4"/>
<vector id="v2i64" type="int64" count="2"/>
<union id="vec128"><field name="v4_float" type="v4f"/><field name="v2_double" type="v2d"/><field name="v16_int8" type="v16i8"/>
<field name="v8_int16" type="v8i16"/><field name="v4_int32" type="v4i32"/><field name="v2_int64" type="v2i64"/>
<field name="uint128" type="uint128"/></union>
<flags id="i386_mxcsr" size="4"><field name="IE" start="0" end="0"/><field name="DE" start="1" end="1"/><field name="ZE" start="2" end="2"/>
<field name="OE" start="3" end="3"/><field name="UE" start="4" end="4"/><field name="PE" start="5" end="5"/>
<field name="DAZ" start="6" end="6"/><field name="IM" start="7" end="7"/><field name="DM" start="8" end="8"/>
<field name="ZM" start="9" end="9"/><field name="OM" start="10" end="10"/><field name="UM" start="11" end="11"/>
<field name="PM" start="12" end="12"/><field name="FZ" start="15" end="15"/></flags>
)";

template <class T> std::string bytes_of(T value, unsigned size = sizeof(T)) {
    std::string out(size, '\0');
    std::memcpy(out.data(), &value, std::min<std::size_t>(size, sizeof value));
    return out;
}

/// The full tag word of 2 bits a register: valid or empty is all that is kept apart.
u32 full_tags(const cpu::X87& x87) {
    u32 tags = 0;
    for (unsigned i = 0; i < 8; ++i)
        if (!(x87.tag_valid >> i & 1)) tags |= 3u << (2 * i);
    return tags;
}

} // namespace

namespace {
std::string describe(const std::vector<Row>& rows) {
    std::string out = "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target>"
                      "<architecture>i386:x86-64</architecture>\n";
    const char* feature = nullptr;
    unsigned number = 0;
    for (const Row& row : rows) {
        if (row.feature != feature) {
            if (feature) out += "</feature>\n";
            feature = row.feature;
            out += fmt::format("<feature name=\"{}\">\n", feature);
            if (feature == Core) out += CoreTypes;
            if (feature == Sse) out += SseTypes;
        }
        out +=
            fmt::format("<reg name=\"{}\" bitsize=\"{}\" type=\"{}\" regnum=\"{}\"{}/>\n", row.name, row.bits,
                        row.type, number++, row.source == Source::X87Control ? " group=\"float\"" : "");
    }
    return out + "</feature></target>\n";
}
} // namespace

const std::string& target_description(const Machine& machine) {
    static const std::string with = describe(make_rows(true)), without = describe(make_rows(false));
    return has_avx(machine) ? with : without;
}

unsigned register_count(const Machine& machine) { return static_cast<unsigned>(rows(machine).size()); }
unsigned register_size(const Machine& machine, unsigned number) {
    return number < rows(machine).size() ? rows(machine)[number].bits / 8 : 0;
}

std::string read_register(const Machine& machine, unsigned processor, unsigned number) {
    if (number >= rows(machine).size() || processor >= machine.processor_count()) return {};
    const Row& row = rows(machine)[number];
    const cpu::Cpu& cpu = machine.processor(processor);
    const cpu::Registers& r = cpu.registers();
    switch (row.source) {
    case Source::General: return bytes_of(r.gpr[General[row.index]]);
    case Source::Rip: return bytes_of(cpu.rip());
    case Source::Flags: return bytes_of(static_cast<u32>(cpu.rflags()));
    case Source::Selector: return bytes_of(u32{r.seg[static_cast<unsigned>(Selectors[row.index])].selector});
    case Source::X87: {
        const unsigned top = r.x87.status >> 11 & 7;
        const auto& value = r.x87.physical[(top + row.index) & 7];
        return {reinterpret_cast<const char*>(value.data()), 10};
    }
    case Source::X87Control: {
        const u32 values[] = {r.x87.control,
                              r.x87.status,
                              full_tags(r.x87),
                              r.x87.instruction_segment,
                              static_cast<u32>(r.x87.instruction_pointer),
                              r.x87.data_segment,
                              static_cast<u32>(r.x87.data_pointer),
                              r.x87.opcode};
        return bytes_of(values[row.index]);
    }
    case Source::Xmm: return bytes_of(r.xmm[row.index].lo) + bytes_of(r.xmm[row.index].hi);
    case Source::Mxcsr: return bytes_of(static_cast<u32>(r.mxcsr));
    case Source::YmmHigh: return bytes_of(r.ymm_high[row.index].lo) + bytes_of(r.ymm_high[row.index].hi);
    case Source::Base:
        return bytes_of(r.seg[static_cast<unsigned>(row.index ? cpu::Seg::GS : cpu::Seg::FS)].base);
    case Source::Control: {
        // CR8 is the upper half of the local APIC's task priority.
        // CR8 is the class of the local APIC's task priority, which only its interface to the processor
        // tells.
        auto& apic = const_cast<devices::LocalApic&>(machine.board().local_apic(processor));
        const u64 values[] = {r.msr.kernel_gs_base, r.cr0,     r.cr2, r.cr3, r.cr4,
                              apic.task_priority(), r.msr.efer};
        return bytes_of(values[row.index]);
    }
    }
    return {};
}

std::optional<RegisterPoke> write_register(const Machine& machine, unsigned processor, unsigned number,
                                           std::string_view bytes) {
    if (number >= rows(machine).size() || bytes.size() != rows(machine)[number].bits / 8) return std::nullopt;
    const Row& row = rows(machine)[number];
    RegisterPoke poke;
    poke.processor = static_cast<u8>(processor);
    std::memcpy(&poke.low, bytes.data(), std::min<std::size_t>(bytes.size(), 8));
    if (bytes.size() == 16) std::memcpy(&poke.high, bytes.data() + 8, 8);
    switch (row.source) {
    case Source::General: poke.number = static_cast<u8>(General[row.index]); return poke;
    case Source::Rip: poke.number = 16; return poke;
    case Source::Flags: poke.number = 17; return poke;
    case Source::Base: poke.number = static_cast<u8>(18 + row.index); return poke;
    case Source::Xmm: poke.number = static_cast<u8>(32 + row.index); return poke;
    case Source::YmmHigh: poke.number = static_cast<u8>(48 + row.index); return poke;
    case Source::Control:
        if (row.index != KernelGsBase) return std::nullopt;
        poke.number = 20;
        return poke;
    default: return std::nullopt;
    }
}

} // namespace vitrine::emu::gdb
