// i8259 — the pair of programmable interrupt controllers of a PC, master and cascaded slave.
//
// Pins: IR0–IR15 in (IR2 is the cascade and has no input), INT out, INTA in (acknowledge()). Ports: 20h/21h
// master, A0h/A1h slave, 4D0h/4D1h edge/level control (ELCR). Implements: Intel 8259A datasheet (231468) —
// ICW1–4, OCW1–3, priorities, rotation, special mask, poll, automatic EOI, special fully nested mode; ELCR as
// in the 82371SB datasheet 2.6.
//
// Inaccuracies: 8080 mode (ICW4.PM = 0) delivers vectors as 8086 mode does; buffered mode has no meaning
// here.
#pragma once
#include "devices/chip.h"

namespace vitrine::devices {

class I8259 final : public Chip, public PortDevice {
public:
    explicit I8259(Wire interrupt);

    void set_line(unsigned line, bool level); ///< IR0–IR15
    Wire line(unsigned line) {
        return [this, line](bool level) { set_line(line, level); };
    }
    bool output() const { return output_; }
    /// Both INTA cycles: the vector. With nothing pending any more, the spurious vector (IR7 of the chip
    /// asked).
    int acknowledge();

    const char* name() const override { return "i8259"; }
    void reset() override;
    void serialize(Archive& archive) override;
    std::vector<Field> describe() const override;
    u32 port_read(u16 port, unsigned size) override;
    void port_write(u16 port, unsigned size, u32 value) override;

    /// One of the two chips.
    struct Unit {
        u8 request = 0, service = 0, mask = 0; ///< IRR, ISR, IMR
        u8 lines = 0;                          ///< input pins
        u8 level_triggered = 0;                ///< ELCR
        u8 vector_base = 0;                    ///< ICW2
        u8 lowest_priority = 7;
        u8 expected_word = 0; ///< 0: operational; 2–4: that ICW is next
        bool needs_word4 = false, single = false, level_mode = false;
        bool automatic_end = false, rotate_on_automatic_end = false, special_nested = false;
        bool special_mask = false, poll = false, read_service = false;
        void serialize(Archive& archive);
    };
    const Unit& unit(unsigned index) const { return units_[index & 1]; }

private:
    int highest_request(const Unit& unit, bool is_master) const;
    void update();
    void initialize(unsigned index, u8 word1);
    void operation_word2(unsigned index, u8 word);
    u8 read_data_or_status(unsigned index, bool data);
    u8 begin_service(unsigned index, unsigned line);
    void end_of_interrupt(Unit& unit, unsigned line, bool rotate);
    void set_unit_line(unsigned index, unsigned line, bool level);

    std::array<Unit, 2> units_{};
    bool output_ = false;
    Wire interrupt_;
};

} // namespace vitrine::devices
