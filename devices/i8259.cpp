// i8259 — see the header. Section names in comments are those of the 8259A datasheet.
#include "devices/i8259.h"
#include "devices/register.h"

namespace vitrine::devices {
namespace {

constexpr unsigned Cascade = 2; // IR2 of the master
// ICW1
using NeedsWord4 = Bits<0>;
using SingleChip = Bits<1>;
using LevelMode = Bits<3>;
using IsWord1 = Bits<4>;
// ICW4
using AutomaticEnd = Bits<1>;
using SpecialNested = Bits<4>;
// OCW2, OCW3
using Line = Bits<0, 3>;
using IsWord3 = Bits<3>;
using EndCommand = Bits<5, 3>;
using ReadSelect = Bits<0, 2>;
using Poll = Bits<2>;
using SpecialMask = Bits<5, 2>;
// Lines whose trigger mode ELCR cannot change: timer, keyboard, cascade, RTC, FPU.
constexpr std::array<u8, 2> ElcrMask{0xF8, 0xDE};

} // namespace

I8259::I8259(Wire interrupt) : interrupt_(std::move(interrupt)) {}

void I8259::reset() {
    for (Unit& unit : units_) {
        const u8 lines = unit.lines;
        unit = Unit{};
        unit.lines = lines;
        unit.mask = 0xFF; // the datasheet leaves it undefined; a silent chip is the safe choice
    }
    units_[0].lines &= static_cast<u8>(~(1u << Cascade));
    update();
}

void I8259::set_line(unsigned line, bool level) {
    if (line > 15 || line == Cascade) return;
    set_unit_line(line >> 3, line & 7, level);
    update();
}

/// Edge/level sense: an edge is latched, and forgotten if the line falls before the acknowledge ("default
/// IR7").
void I8259::set_unit_line(unsigned index, unsigned line, bool level) {
    Unit& unit = units_[index];
    const u8 bit = static_cast<u8>(1u << line);
    const bool was = (unit.lines & bit) != 0;
    const bool by_level = unit.level_mode || (unit.level_triggered & bit) != 0;
    if (level) {
        unit.lines |= bit;
        if (by_level || !was) unit.request |= bit;
    } else {
        unit.lines &= static_cast<u8>(~bit);
        unit.request &= static_cast<u8>(~bit);
    }
}

/// Priority resolver: the line to serve next, or -1.
int I8259::highest_request(const Unit& unit, bool is_master) const {
    if (unit.expected_word != 0) return -1; // in the middle of its initialization
    const u8 pending = unit.request & static_cast<u8>(~unit.mask);
    u8 blocking = unit.service;
    if (unit.special_mask) blocking &= static_cast<u8>(~unit.mask);
    for (unsigned i = 1; i <= 8; ++i) {
        const unsigned line = (unit.lowest_priority + i) & 7;
        const u8 bit = static_cast<u8>(1u << line);
        const bool in_service = (blocking & bit) != 0;
        // Special fully nested mode: the slave may interrupt its own service.
        const bool nests = is_master && unit.special_nested && line == Cascade;
        if ((pending & bit) != 0 && (!in_service || nests) &&
            (!unit.special_mask || (unit.service & bit) == 0 || nests))
            return static_cast<int>(line);
        if (in_service && !unit.special_mask) return -1;
    }
    return -1;
}

void I8259::update() {
    set_unit_line(0, Cascade, highest_request(units_[1], false) >= 0);
    const bool level = highest_request(units_[0], true) >= 0;
    if (level == output_) return;
    output_ = level;
    drive(interrupt_, level);
}

/// First INTA pulse for one chip. Returns the line number.
u8 I8259::begin_service(unsigned index, unsigned line) {
    Unit& unit = units_[index];
    const u8 bit = static_cast<u8>(1u << line);
    if (!unit.level_mode && (unit.level_triggered & bit) == 0) unit.request &= static_cast<u8>(~bit);
    if (unit.automatic_end) {
        if (unit.rotate_on_automatic_end) unit.lowest_priority = static_cast<u8>(line);
    } else {
        unit.service |= bit;
    }
    if (index == 1)
        set_unit_line(0, Cascade, false); // INT falls with INTA; update() raises it for the next one
    return static_cast<u8>(line);
}

int I8259::acknowledge() {
    const int line = highest_request(units_[0], true);
    if (line < 0) return units_[0].vector_base | 7; // spurious: no ISR bit
    begin_service(0, static_cast<unsigned>(line));
    int vector = units_[0].vector_base | line;
    if (line == Cascade && !units_[0].single) {
        const int slave_line = highest_request(units_[1], false);
        vector = units_[1].vector_base | 7;
        if (slave_line >= 0)
            vector = units_[1].vector_base | begin_service(1, static_cast<unsigned>(slave_line));
    }
    update();
    return vector;
}

void I8259::initialize(unsigned index, u8 word1) {
    Unit& unit = units_[index];
    unit.request &= unit.level_triggered; // the edge sense circuit is reset
    unit.service = 0;
    unit.mask = 0;
    unit.lowest_priority = 7;
    unit.special_mask = unit.poll = unit.read_service = false;
    unit.needs_word4 = NeedsWord4::test(word1);
    unit.single = SingleChip::test(word1);
    unit.level_mode = LevelMode::test(word1);
    if (!unit.needs_word4) unit.automatic_end = unit.special_nested = false;
    unit.expected_word = 2;
}

void I8259::end_of_interrupt(Unit& unit, unsigned line, bool rotate) {
    unit.service &= static_cast<u8>(~(1u << line));
    if (rotate) unit.lowest_priority = static_cast<u8>(line);
}

void I8259::operation_word2(unsigned index, u8 word) {
    Unit& unit = units_[index];
    const unsigned line = Line::get(word);
    switch (EndCommand::get(word)) {
    case 0: unit.rotate_on_automatic_end = false; break;
    case 4: unit.rotate_on_automatic_end = true; break;
    case 1:   // non-specific EOI
    case 5: { // and rotate
        u8 candidates = unit.service;
        if (unit.special_mask) candidates &= static_cast<u8>(~unit.mask);
        for (unsigned i = 1; i <= 8; ++i) {
            const unsigned candidate = (unit.lowest_priority + i) & 7;
            if ((candidates >> candidate & 1) == 0) continue;
            end_of_interrupt(unit, candidate, EndCommand::get(word) == 5);
            break;
        }
        break;
    }
    case 3: end_of_interrupt(unit, line, false); break;
    case 7: end_of_interrupt(unit, line, true); break;
    case 6: unit.lowest_priority = static_cast<u8>(line); break;
    default: break; // 2: no operation
    }
}

u32 I8259::port_read(u16 port, unsigned size) {
    return read_bytewise(port, size, [this](u16 p) -> u8 {
        switch (p) {
        case 0x20: return read_data_or_status(0, false);
        case 0x21: return read_data_or_status(0, true);
        case 0xA0: return read_data_or_status(1, false);
        case 0xA1: return read_data_or_status(1, true);
        case 0x4D0: return units_[0].level_triggered;
        case 0x4D1: return units_[1].level_triggered;
        default: return 0xFF;
        }
    });
}

u8 I8259::read_data_or_status(unsigned index, bool data) {
    Unit& unit = units_[index];
    if (unit.poll) { // Poll command: this read is the INTA
        unit.poll = false;
        const int line = highest_request(unit, index == 0);
        if (line < 0) return 0;
        begin_service(index, static_cast<unsigned>(line));
        update();
        return static_cast<u8>(0x80 | line);
    }
    if (data) return unit.mask;
    return unit.read_service ? unit.service : unit.request;
}

void I8259::port_write(u16 port, unsigned size, u32 value) {
    write_bytewise(port, size, value, [this](u16 p, u8 byte) {
        if (p == 0x4D0 || p == 0x4D1) {
            Unit& unit = units_[p & 1];
            unit.level_triggered = byte & ElcrMask[p & 1];
            unit.request |= unit.lines & unit.level_triggered;
            return update();
        }
        if (p != 0x20 && p != 0x21 && p != 0xA0 && p != 0xA1) return;
        const unsigned index = p >= 0xA0 ? 1 : 0;
        Unit& unit = units_[index];
        if ((p & 1) == 0) {
            if (IsWord1::test(byte)) {
                initialize(index, byte);
            } else if (IsWord3::test(byte)) {
                unit.poll = Poll::test(byte);
                if (ReadSelect::get(byte) >= 2) unit.read_service = ReadSelect::get(byte) == 3;
                if (SpecialMask::get(byte) >= 2) unit.special_mask = SpecialMask::get(byte) == 3;
            } else {
                operation_word2(index, byte);
            }
            return update();
        }
        switch (unit.expected_word) {
        case 0: unit.mask = byte; break;
        case 2:
            unit.vector_base = byte & 0xF8;
            unit.expected_word = !unit.single ? 3 : unit.needs_word4 ? 4 : 0;
            break;
        case 3:
            unit.expected_word = unit.needs_word4 ? 4 : 0;
            break; // the cascade is wired; its word says nothing new
        default:
            unit.automatic_end = AutomaticEnd::test(byte);
            unit.special_nested = SpecialNested::test(byte);
            unit.expected_word = 0;
            break;
        }
        update();
    });
}

void I8259::Unit::serialize(Archive& archive) {
    archive(request, service, mask, lines, level_triggered, vector_base, lowest_priority, expected_word,
            needs_word4, single, level_mode, automatic_end, rotate_on_automatic_end, special_nested,
            special_mask, poll, read_service);
    if (archive.loading() && (lowest_priority > 7 || expected_word > 4 || (vector_base & 7) != 0))
        archive.fail("an 8259 holds impossible values");
}

void I8259::serialize(Archive& archive) {
    archive.section(name(), 1);
    archive(units_, output_);
}

std::vector<Field> I8259::describe() const {
    std::vector<Field> out;
    for (unsigned i = 0; i < 2; ++i) {
        const Unit& unit = units_[i];
        const std::string who = i == 0 ? "master." : "slave.";
        out.push_back({who + "IRR", unit.request, "requests"});
        out.push_back({who + "ISR", unit.service, "in service"});
        out.push_back({who + "IMR", unit.mask, "masked"});
        out.push_back({who + "lines", unit.lines, "input pins"});
        out.push_back({who + "ELCR", unit.level_triggered, "level-triggered lines"});
        out.push_back({who + "base", unit.vector_base, "vector of IR0"});
        out.push_back({who + "lowest", unit.lowest_priority, "line of lowest priority"});
        if (unit.expected_word != 0) out.push_back({who + "init", unit.expected_word, "awaits this ICW"});
        if (unit.automatic_end) out.push_back({who + "AEOI", 1, "automatic end of interrupt"});
        if (unit.special_mask) out.push_back({who + "SMM", 1, "special mask mode"});
    }
    out.push_back({"INT", output_ ? 1u : 0u, "output to the processor"});
    return out;
}

} // namespace vitrine::devices
