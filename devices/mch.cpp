// mch — see the header.
#include "devices/mch.h"
#include "devices/register.h"

namespace vitrine::devices {
namespace {

constexpr unsigned PciExBar = 0x60, Pam0 = 0x90, Smram = 0x9D;
// PCIEXBAR, datasheet 5.1.15.
using WindowEnable = Bits<0>;
using WindowLength = Bits<1, 2>;

} // namespace

Mch::Mch()
    : PciDevice({.vendor = 0x8086,
                 .device = 0x29C0,
                 .class_code = 0x060000,
                 .revision = 0,
                 .subsystem_vendor = 0x1AF4,
                 .subsystem = 0x1100}) {
    set_config(PciExBar, 4, 0xB0000000); // where board.md places it; disabled until firmware says so
    writable(PciExBar, 4, 0xF8000007 | 0x04000000);
    writable(PciExBar + 4, 4, 0x0000000F);
    writable(Pam0, 1, 0x30);
    for (unsigned i = 1; i <= 6; ++i) writable(Pam0 + i, 1, 0x33);
    set_config(Smram, 1, 0x02);
    writable(Smram, 1, 0x58);
}

void Mch::reset() { PciDevice::reset(); }

/// PAM attribute bits (datasheet 5.1.19–25): bit 0 reads DRAM, bit 1 writes DRAM.
u8 Mch::attributes(u64 pa) const {
    if (pa < 0xC0000 || pa > 0xFFFFF) return 3;
    if (pa >= 0xF0000) return static_cast<u8>(get_config(Pam0, 1) >> 4 & 3);
    const unsigned block = static_cast<unsigned>(pa - 0xC0000) >> 14; // 16 KiB each; two a register
    return static_cast<u8>(get_config(Pam0 + 1 + block / 2, 1) >> (block % 2 * 4) & 3);
}

std::optional<Mch::Window> Mch::ecam() const {
    const u64 value = get_config(PciExBar, 4) | u64{get_config(PciExBar + 4, 4)} << 32;
    const unsigned length = WindowLength::get(value);
    if (!WindowEnable::test(value) || length == 3) return std::nullopt;
    const u64 size = u64{256 << 20} >> length;
    return Window{value & ~u64{0x3FFFFFF} & ~(size - 1), size};
}

void Mch::config_written(unsigned offset, unsigned size) {
    if (offset < PciExBar + 8 && offset + size > PciExBar) mapping_changed();
    if (offset < Pam0 + 7 && offset + size > Pam0) mapping_changed();
}

void Mch::serialize(Archive& archive) {
    archive.section(name(), 1);
    PciDevice::serialize(archive);
}

std::vector<Field> Mch::describe() const {
    std::vector<Field> out = PciDevice::describe();
    for (unsigned i = 0; i <= 6; ++i) out.push_back({"PAM" + std::to_string(i), get_config(Pam0 + i, 1), ""});
    const auto window = ecam();
    out.push_back({"PCIEXBAR", window ? window->base : 0, window ? "enabled" : "disabled"});
    return out;
}

} // namespace vitrine::devices
