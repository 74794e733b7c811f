// acpi_pm — see the header.
#include "devices/acpi_pm.h"
#include "devices/register.h"

namespace vitrine::devices {
namespace {

// PM1 status and enable, ACPI 4.8.3.1.
constexpr u16 TimerEvent = 1, GlobalEvent = 0x20, PowerButton = 0x100, RtcEvent = 0x400, WakeStatus = 0x8000;
constexpr u16 StatusBits =
    TimerEvent | 0x10 | GlobalEvent | PowerButton | 0x200 | RtcEvent | 0x4000 | WakeStatus;
constexpr u16 EnableBits = TimerEvent | GlobalEvent | PowerButton | RtcEvent;
// PM1 control, ACPI 4.8.3.2.
using SciEnable = Bits<0>;
using SleepType = Bits<10, 3>;
using SleepEnable = Bits<13>;
constexpr u64 HalfPeriodShift = 23; // bit 23 of the timer toggles every 2^23 ticks
constexpr u32 ApmcEnable = 0x20; // SMI_EN: tells firmware that SMM set-up is done, as QEMU does without SMM

enum Offset : unsigned {
    Status = 0x00,
    Enable = 0x02,
    Control = 0x04,
    Timer = 0x08,
    GpeStatus = 0x20,
    GpeEnable = 0x28,
    SmiEnable = 0x30,
    SmiStatus = 0x34
};

} // namespace

AcpiPm::AcpiPm(EventQueue& events, Links links) : events_(events), links_(std::move(links)) {
    overflow_ = events_.add("acpi_pm timer overflow", [this] {
        refresh_overflow();
        arm_overflow();
        update();
    });
    smi_enable_ = ApmcEnable;
}

void AcpiPm::reset() {
    status_ = enable_ = control_ = 0;
    gpe_status_ = gpe_enable_ = 0;
    smi_enable_ = ApmcEnable;
    smi_status_ = 0;
    seen_half_ = ticks() >> HalfPeriodShift;
    events_.cancel(overflow_);
    update();
}

u64 AcpiPm::ticks() const { return scale_down(events_.now(), Frequency, 1'000'000'000); }
u32 AcpiPm::timer() const { return static_cast<u32>(ticks() & 0xFFFFFF); }

void AcpiPm::refresh_overflow() {
    const u64 half = ticks() >> HalfPeriodShift;
    if (half != seen_half_) status_ |= TimerEvent;
    seen_half_ = half;
}

/// TMR_STS is worked out on reading; the event exists only while it can interrupt.
void AcpiPm::arm_overflow() {
    if ((enable_ & TimerEvent) == 0) return events_.cancel(overflow_);
    const u64 next = ((ticks() >> HalfPeriodShift) + 1) << HalfPeriodShift;
    events_.schedule(overflow_, scale_up(next, 1'000'000'000, Frequency));
}

void AcpiPm::update() {
    const bool level = SciEnable::test(control_) &&
                       ((status_ & enable_ & EnableBits) != 0 || (gpe_status_ & gpe_enable_) != 0);
    if (level == line_) return;
    line_ = level;
    drive(links_.sci, level);
}

void AcpiPm::press_power_button() {
    status_ |= PowerButton;
    update();
}

void AcpiPm::apm_command(u8 command) {
    if (command == 2)
        SciEnable::set(control_, 1);
    else if (command == 3)
        SciEnable::set(control_, 0);
    else
        return log("an unknown APM command was written to port B2h");
    update();
}

u8 AcpiPm::read_byte(unsigned offset) {
    const auto lane = [offset](u64 word, unsigned base) {
        return static_cast<u8>(word >> (8 * (offset - base)));
    };
    if (offset < Enable) {
        refresh_overflow();
        return lane(status_, Status);
    }
    if (offset < Control) return lane(enable_, Enable);
    if (offset < Timer) return offset < Control + 2 ? lane(control_, Control) : 0;
    if (offset < Timer + 4) return lane(timer(), Timer);
    if (offset >= GpeStatus && offset < GpeEnable) return lane(gpe_status_, GpeStatus);
    if (offset >= GpeEnable && offset < SmiEnable) return lane(gpe_enable_, GpeEnable);
    if (offset >= SmiEnable && offset < SmiStatus) return lane(smi_enable_, SmiEnable);
    if (offset >= SmiStatus && offset < SmiStatus + 4) return lane(smi_status_, SmiStatus);
    return 0;
}

void AcpiPm::write_byte(unsigned offset, u8 value) {
    const auto put = [offset, value](auto& word, unsigned base) {
        word = static_cast<std::remove_reference_t<decltype(word)>>(put_bytes(word, offset - base, 1, value));
    };
    if (offset < Enable) { // write one to clear
        refresh_overflow();
        status_ &= static_cast<u16>(~((value << (8 * offset)) & StatusBits));
    } else if (offset < Control) {
        refresh_overflow();
        put(enable_, Enable);
        enable_ &= EnableBits;
        arm_overflow();
    } else if (offset < Control + 2) {
        put(control_, Control);
        if (SleepEnable::test(control_)) { // write-only
            SleepEnable::set(control_, 0);
            if (SleepType::get(control_) == 0) {
                if (links_.power_off) links_.power_off();
            } else {
                log("sleep states other than S5 are not modelled: the request was ignored");
            }
        }
    } else if (offset >= GpeStatus && offset < GpeEnable) {
        gpe_status_ &= ~(u64{value} << (8 * (offset - GpeStatus)));
    } else if (offset >= GpeEnable && offset < SmiEnable) {
        put(gpe_enable_, GpeEnable);
    } else if (offset >= SmiEnable && offset < SmiStatus) {
        put(smi_enable_, SmiEnable);
    } else if (offset >= SmiStatus && offset < SmiStatus + 4) {
        smi_status_ &= ~(u32{value} << (8 * (offset - SmiStatus)));
    }
    update();
}

u32 AcpiPm::port_read(u16 port, unsigned size) {
    return read_bytewise(port, size, [this](u16 p) { return read_byte(p & 0x7F); });
}

void AcpiPm::port_write(u16 port, unsigned size, u32 value) {
    write_bytewise(port, size, value, [this](u16 p, u8 byte) { write_byte(p & 0x7F, byte); });
}

void AcpiPm::serialize(Archive& archive) {
    archive.section(name(), 1);
    archive(status_, enable_, control_, gpe_status_, gpe_enable_, smi_enable_, smi_status_, seen_half_,
            line_);
}

std::vector<Field> AcpiPm::describe() const {
    return {{"PM1_STS", status_, ""},
            {"PM1_EN", enable_, ""},
            {"PM1_CNT", control_, SciEnable::test(control_) ? "ACPI mode" : "legacy mode"},
            {"PM_TMR", timer(), "3.579545 MHz"},
            {"GPE0_STS", gpe_status_, ""},
            {"GPE0_EN", gpe_enable_, ""},
            {"SMI_EN", smi_enable_, ""},
            {"SCI", line_ ? 1u : 0u, "interrupt line"}};
}

} // namespace vitrine::devices
