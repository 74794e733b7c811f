// PciDevice — see the header. Offsets are those of PCI 3.0 figure 6-1 (type 0 header).
#include "devices/pci_device.h"
#include <bit>
#include <cassert>
#include "devices/register.h"

namespace vitrine::devices {
namespace {

enum Offset : unsigned {
    VendorId = 0x00,
    DeviceId = 0x02,
    Command = 0x04,
    Status = 0x06,
    RevisionId = 0x08,
    ClassCode = 0x09,
    HeaderType = 0x0E,
    FirstBar = 0x10,
    LastBarEnd = 0x28,
    SubsystemVendor = 0x2C,
    Subsystem = 0x2E,
    CapabilityPointer = 0x34,
    InterruptLine = 0x3C,
    InterruptPin = 0x3D,
};
constexpr u16 CommandWritable = 0x0547; // I/O, memory, master, parity, SERR, interrupt disable
using InterruptDisable = Bits<10>;
constexpr u8 StatusInterrupt = 0x08, StatusCapabilities = 0x10; // low byte of the status register
constexpr u8 MsiCapability = 0x05;

u32 bar_flags(PciDevice::BarKind kind) {
    switch (kind) {
    case PciDevice::BarKind::Io: return 1;
    case PciDevice::BarKind::Prefetchable: return 8;
    default: return 0;
    }
}

} // namespace

PciDevice::PciDevice(const Identity& identity) : identity_(identity) {
    set_config(VendorId, 2, identity.vendor);
    set_config(DeviceId, 2, identity.device);
    set_config(RevisionId, 1, identity.revision);
    set_config(ClassCode, 3, identity.class_code);
    set_config(HeaderType, 1, identity.multifunction ? 0x80 : 0x00);
    set_config(SubsystemVendor, 2, identity.subsystem_vendor);
    set_config(Subsystem, 2, identity.subsystem);
    set_config(InterruptPin, 1, identity.interrupt_pin);
    writable(Command, 2, CommandWritable);
    writable(InterruptLine, 1, 0xFF);
}

void PciDevice::writable(unsigned offset, unsigned size, u32 mask) {
    store_little(writable_, offset, size, mask);
}

/// Power-on value. REQUIRES: called from a constructor only.
void PciDevice::set_config(unsigned offset, unsigned size, u32 value) {
    store_little(config_, offset, size, value);
    store_little(initial_, offset, size, value);
}

u32 PciDevice::get_config(unsigned offset, unsigned size) const {
    return static_cast<u32>(load_little(config_, offset, size));
}

void PciDevice::add_bar(unsigned index, BarKind kind, u32 size) {
    assert(index < BarCount && std::has_single_bit(size) && size >= 4);
    bars_[index] = {kind, size, 0};
    rebuild_bar_bytes(index);
    set_config(FirstBar + 4 * index, 4, get_config(FirstBar + 4 * index, 4));
}

u8 PciDevice::add_capability(u8 id, u8 at, std::span<const u8> body) {
    assert(at >= 0x40 && at % 4 == 0 && at + 2 + body.size() <= 256);
    set_config(at, 1, id);
    set_config(at + 1u, 1, 0);
    for (unsigned i = 0; i < body.size(); ++i) set_config(at + 2u + i, 1, body[i]);
    set_config(last_capability_ == 0 ? unsigned{CapabilityPointer} : last_capability_ + 1u, 1, at);
    set_config(Status, 1, get_config(Status, 1) | StatusCapabilities);
    last_capability_ = at;
    return at;
}

/// PCI 3.0 6.8.1.3: 64-bit address, one vector, no masking.
void PciDevice::add_msi(u8 at) {
    std::array<u8, 12> body{};
    body[0] = 0x80; // message control: 64-bit capable
    msi_ = add_capability(MsiCapability, at, body);
    writable(at + 2u, 1, 0x01);
    writable(at + 4u, 4, 0xFFFFFFFC);
    writable(at + 8u, 4, 0xFFFFFFFF);
    writable(at + 12u, 2, 0xFFFF);
}

bool PciDevice::msi_enabled() const { return msi_ != 0 && (config_[msi_ + 2u] & 1) != 0; }

void PciDevice::send_msi() {
    if (!bus_master() || !links_.msi) return; // a message is a bus-master write
    links_.msi(load_little(config_, msi_ + 4u, 8), get_config(msi_ + 12u, 2));
}

void PciDevice::set_interrupt(bool level) {
    const bool rising = level && !interrupt_level_;
    interrupt_level_ = level;
    if (rising && msi_enabled()) send_msi();
    update_intx();
}

/// INTA# follows the function's interrupt unless MSI or the command register's interrupt disable stand in the
/// way.
void PciDevice::update_intx() {
    config_[Status] =
        static_cast<u8>((config_[Status] & ~StatusInterrupt) | (interrupt_level_ ? StatusInterrupt : 0));
    const bool level = interrupt_level_ && !msi_enabled() && !InterruptDisable::test(command());
    if (level == intx_level_) return;
    intx_level_ = level;
    drive(links_.intx, level);
}

std::optional<u64> PciDevice::bar_address(unsigned index) const {
    const Bar& bar = bars_[index % BarCount];
    if (bar.kind == BarKind::None || bar.value == 0) return std::nullopt;
    if (bar.kind == BarKind::Io ? !io_enabled() : !memory_enabled()) return std::nullopt;
    // All 32 bits of an I/O BAR can be written, as firmware that sizes with 32 bits expects; ports end at
    // FFFFh.
    if (bar.kind == BarKind::Io && bar.value > 0xFFFF) return std::nullopt;
    return bar.value;
}

u64 PciDevice::bar_read(unsigned, u64, unsigned size) { return size_mask(size); }
void PciDevice::bar_write(unsigned, u64, unsigned, u64) {}

void PciDevice::rebuild_bar_bytes(unsigned index) {
    const Bar& bar = bars_[index];
    if (bar.kind != BarKind::None)
        store_little(config_, FirstBar + 4 * index, 4, bar.value | bar_flags(bar.kind));
}

u32 PciDevice::config_read(unsigned offset, unsigned size) {
    if (offset >= 256) return 0; // extended space: no capabilities
    return get_config(offset, size);
}

void PciDevice::config_write(unsigned offset, unsigned size, u32 value) {
    if (offset + size > 256) return;
    const u16 command_before = command();
    const bool msi_before = msi_enabled();
    bool remapped = false, other = false;
    for (unsigned i = 0; i < size; ++i) {
        const unsigned at = offset + i;
        const u8 byte = static_cast<u8>(value >> (8 * i));
        if (at >= FirstBar && at < LastBarEnd) {
            // BAR sizing (6.2.5.1): address bits below the size are hard-wired to zero.
            Bar& bar = bars_[(at - FirstBar) / 4];
            if (bar.kind == BarKind::None) continue;
            const u32 merged = static_cast<u32>(put_bytes(bar.value, at & 3, 1, byte));
            bar.value = merged & ~(bar.size - 1);
            rebuild_bar_bytes((at - FirstBar) / 4);
            remapped = true;
        } else {
            config_[at] = static_cast<u8>((config_[at] & ~writable_[at]) | (byte & writable_[at]));
            other = true;
        }
    }
    update_intx();
    // An interrupt that was raised before MSI came on is not lost.
    if (!msi_before && msi_enabled() && interrupt_level_) send_msi();
    if (other) config_written(offset, size);
    if (remapped || ((command_before ^ command()) & 3) != 0) mapping_changed();
}

void PciDevice::reset() {
    config_ = initial_;
    for (Bar& bar : bars_) bar.value = 0;
    interrupt_level_ = false;
    update_intx();
    mapping_changed();
}

void PciDevice::serialize(Archive& archive) {
    archive(config_);
    for (Bar& bar : bars_) archive(bar.value);
    archive(interrupt_level_, intx_level_);
    if (!archive.loading() || !archive.ok()) return;
    for (unsigned i = 0; i < BarCount; ++i) {
        const Bar& bar = bars_[i];
        if (bar.kind == BarKind::None ? bar.value != 0 : (bar.value & (bar.size - 1)) != 0)
            return archive.fail("a base address register is misaligned");
        rebuild_bar_bytes(i);
    }
    for (unsigned i = 0; i < config_.size(); ++i) {
        if (i >= FirstBar && i < LastBarEnd) continue;
        const u8 changeable = static_cast<u8>(writable_[i] | (i == Status ? StatusInterrupt : 0));
        if (((config_[i] ^ initial_[i]) & ~changeable) != 0)
            return archive.fail("a read-only configuration bit differs from this device's");
    }
}

std::vector<Field> PciDevice::describe() const {
    std::vector<Field> out{{"id", u64{identity_.vendor} << 16 | identity_.device, "vendor:device"},
                           {"class", identity_.class_code, ""},
                           {"command", command(), bus_master() ? "bus master" : ""}};
    for (unsigned i = 0; i < BarCount; ++i) {
        const Bar& bar = bars_[i];
        if (bar.kind == BarKind::None) continue;
        out.push_back({"BAR" + std::to_string(i), bar.value, bar_address(i) ? "decoded" : "not decoded"});
    }
    if (msi_ != 0) out.push_back({"MSI", get_config(msi_ + 4u, 4), msi_enabled() ? "enabled" : "disabled"});
    out.push_back({"interrupt", interrupt_level_ ? 1u : 0u, intx_level_ ? "INTA# asserted" : ""});
    return out;
}

} // namespace vitrine::devices
