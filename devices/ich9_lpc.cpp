// ich9_lpc — see the header.
#include "devices/ich9_lpc.h"
#include "devices/register.h"

namespace vitrine::devices {
namespace {

constexpr unsigned PmBase = 0x40, AcpiControl = 0x44, PirqA = 0x60, PirqE = 0x68, RcbaRegister = 0xF0;
using AcpiEnable = Bits<7>;
using SciSelect = Bits<0, 3>;
using PirqDisabled = Bits<7>;
using PirqLine = Bits<0, 4>;
// IRQs that a PIRQ can reach (13.1.17): not 0, 1, 2, 8, 13.
constexpr u16 RoutableIrqs = 0xDEF8;
// Port CF9h
using ResetFull = Bits<1>;
using ResetNow = Bits<2>;
using ResetPower = Bits<3>;
// Chipset configuration registers, offsets in RCBA.
constexpr u64 D31ip = 0x3100, D31ir = 0x3140, Oic = 0x31FE, Hptc = 0x3404, Gcs = 0x3410;
constexpr u64 ChipsetSize = 0x4000;

} // namespace

Ich9Lpc::Ich9Lpc(Outputs outputs)
    : PciDevice({.vendor = 0x8086,
                 .device = 0x2918,
                 .class_code = 0x060100,
                 .revision = 2,
                 .subsystem_vendor = 0x1AF4,
                 .subsystem = 0x1100,
                 .multifunction = true}),
      outputs_(std::move(outputs)) {
    set_config(PmBase, 4, 1); // I/O space
    writable(PmBase, 4, 0x0000FF80);
    writable(AcpiControl, 1, 0x87);
    set_config(0x48, 4, 1); // GPIOBASE: stored, not decoded
    writable(0x48, 4, 0x0000FF80);
    writable(0x4C, 1, 0x10);
    for (unsigned i = 0; i < 4; ++i)
        for (unsigned base : {PirqA, PirqE}) {
            set_config(base + i, 1, 0x80);
            writable(base + i, 1, 0x8F);
        }
    set_config(0x64, 1, 0x10); // serial IRQ control
    writable(0x64, 1, 0xFF);
    writable(0x80, 2, 0x1377); // LPC I/O decode ranges and enables: the board decodes fixed ports
    writable(0x82, 2, 0x3F0F);
    for (unsigned i = 0x84; i < 0x94; i += 4) writable(i, 4, 0x00FCFFFD);
    writable(RcbaRegister, 4, 0xFFFFC001);
}

void Ich9Lpc::reset() {
    const u16 was = isa_levels_;
    PciDevice::reset();
    for (unsigned irq = 0; irq < 16; ++irq)
        if ((was >> irq & 1) != 0 && outputs_.isa_irq) outputs_.isa_irq(irq, false);
    isa_levels_ = 0;
    port92_ = 2;
    reset_control_ = apm_control_ = apm_status_ = 0;
    a20_ = true;
    d31ip_ = hptc_ = gcs_ = 0;
    d31ir_ = 0;
    oic_ = 0;
}

void Ich9Lpc::set_pirq(unsigned index, bool level) {
    if (index > 7) return;
    const u8 before = pirq_levels_;
    pirq_levels_ = static_cast<u8>(level ? before | 1u << index : before & ~(1u << index));
    if (before == pirq_levels_) return;
    if (outputs_.ioapic_pin) outputs_.ioapic_pin(16 + index, level); // wired, whatever the routing says
    update_routes();
}

/// PIRQs that share an ISA IRQ are ORed.
void Ich9Lpc::update_routes() {
    u16 levels = 0;
    for (unsigned i = 0; i < 8; ++i) {
        const u32 route = get_config((i < 4 ? PirqA : PirqE) + i % 4, 1);
        if ((pirq_levels_ >> i & 1) != 0 && !PirqDisabled::test(route))
            levels |= static_cast<u16>(1u << PirqLine::get(route));
    }
    levels &= RoutableIrqs;
    const u16 changed = levels ^ isa_levels_;
    isa_levels_ = levels;
    for (unsigned irq = 0; irq < 16; ++irq)
        if ((changed >> irq & 1) != 0 && outputs_.isa_irq) outputs_.isa_irq(irq, (levels >> irq & 1) != 0);
}

void Ich9Lpc::config_written(unsigned offset, unsigned size) {
    if (offset + size > PmBase && offset < AcpiControl + 4) mapping_changed();
    if (offset + size > PirqA && offset < PirqE + 4) update_routes();
    if (offset + size > RcbaRegister && offset < RcbaRegister + 4) mapping_changed();
}

std::optional<u16> Ich9Lpc::pm_base() const {
    const u16 base = static_cast<u16>(get_config(PmBase, 2) & 0xFF80);
    if (!AcpiEnable::test(get_config(AcpiControl, 1)) || base == 0) return std::nullopt;
    return base;
}

unsigned Ich9Lpc::sci_irq() const {
    static constexpr std::array<u8, 8> Irqs{9, 10, 11, 9, 20, 21, 22, 23};
    return Irqs[SciSelect::get(get_config(AcpiControl, 1))];
}

std::optional<u64> Ich9Lpc::rcba() const {
    const u32 value = get_config(RcbaRegister, 4);
    if ((value & 1) == 0) return std::nullopt;
    return value & ~u64{ChipsetSize - 1};
}

u64 Ich9Lpc::rcba_read(u64 offset, unsigned size) {
    const unsigned lane = static_cast<unsigned>(offset & 3);
    switch (offset & ~u64{3} & (ChipsetSize - 1)) {
    case D31ip: return take_bytes(d31ip_, lane, size);
    case D31ir: return take_bytes(d31ir_, lane, size);
    case Oic & ~u64{3}: return take_bytes(u64{oic_} << 16, lane, size);
    case Hptc: return take_bytes(hptc_, lane, size);
    case Gcs: return take_bytes(gcs_, lane, size);
    default: return 0;
    }
}

void Ich9Lpc::rcba_write(u64 offset, unsigned size, u64 value) {
    const unsigned lane = static_cast<unsigned>(offset & 3);
    const auto put = [&](auto& word) {
        word = static_cast<std::remove_reference_t<decltype(word)>>(put_bytes(word, lane, size, value));
    };
    switch (offset & ~u64{3} & (ChipsetSize - 1)) {
    case D31ip: put(d31ip_); break;
    case D31ir: put(d31ir_); break;
    case Oic & ~u64{3}: {
        u32 word = u32{oic_} << 16;
        put(word);
        oic_ = static_cast<u8>(word >> 16);
        break;
    }
    case Hptc: put(hptc_); break; // the HPET is always decoded at FED00000h
    case Gcs: put(gcs_); break;
    default: log("a chipset configuration register that is not modelled was written"); break;
    }
}

u32 Ich9Lpc::port_read(u16 port, unsigned size) {
    return read_bytewise(port, size, [this](u16 p) -> u8 {
        switch (p) {
        case 0x92: return static_cast<u8>((port92_ & 0xFC) | (a20_ ? 2 : 0));
        case 0xB2: return apm_control_;
        case 0xB3: return apm_status_;
        case 0xCF9: return reset_control_;
        default: return 0xFF;
        }
    });
}

void Ich9Lpc::port_write(u16 port, unsigned size, u32 value) {
    write_bytewise(port, size, value, [this](u16 p, u8 byte) {
        switch (p) {
        case 0x92: {
            const bool pulse = (byte & 1) != 0 && (port92_ & 1) == 0;
            port92_ = byte & 0x0B;
            a20_ = (byte & 2) != 0;
            drive(outputs_.a20, a20_);
            if (pulse && outputs_.reset) outputs_.reset(false);
            break;
        }
        case 0xB2:
            apm_control_ = byte;
            if (outputs_.apm_command) outputs_.apm_command(byte);
            break;
        case 0xB3: apm_status_ = byte; break;
        case 0xCF9: { // 13.7.5: the reset happens on the rising edge of RST_CPU
            const bool pulse = ResetNow::test(byte) && !ResetNow::test(reset_control_);
            reset_control_ = static_cast<u8>(byte & (ResetFull::mask | ResetNow::mask | ResetPower::mask));
            if (pulse && outputs_.reset) outputs_.reset(ResetFull::test(byte));
            break;
        }
        default: break;
        }
    });
}

void Ich9Lpc::serialize(Archive& archive) {
    archive.section(name(), 1);
    PciDevice::serialize(archive);
    archive(pirq_levels_, isa_levels_, port92_, reset_control_, apm_control_, apm_status_, a20_, d31ip_,
            hptc_, gcs_, d31ir_, oic_);
}

std::vector<Field> Ich9Lpc::describe() const {
    std::vector<Field> out = PciDevice::describe();
    for (unsigned i = 0; i < 8; ++i) {
        const u32 route = get_config((i < 4 ? PirqA : PirqE) + i % 4, 1);
        std::string meaning =
            PirqDisabled::test(route) ? "not routed" : "IRQ " + std::to_string(PirqLine::get(route));
        if ((pirq_levels_ >> i & 1) != 0) meaning += ", asserted";
        out.push_back({std::string("PIRQ") + static_cast<char>('A' + i), route, meaning});
    }
    out.push_back({"PMBASE", pm_base().value_or(0), pm_base() ? "decoded" : "not decoded"});
    out.push_back({"RCBA", rcba().value_or(0), rcba() ? "decoded" : "not decoded"});
    out.push_back({"A20", a20_ ? 1u : 0u, "gate"});
    return out;
}

} // namespace vitrine::devices
