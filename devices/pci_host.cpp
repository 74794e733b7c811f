// pci_host — see the header.
#include "devices/pci_host.h"
#include <cassert>
#include "devices/register.h"

namespace vitrine::devices {
namespace {

// CONFIG_ADDRESS, PCI 3.0 figure 3-2.
using AddressEnable = Bits<31>;
using AddressBus = Bits<16, 8>;
using AddressFunction = Bits<8, 8>; // device << 3 | function
constexpr u32 AddressWritable = 0x80FFFFFC;

} // namespace

void PciHost::add(unsigned device, unsigned function, PciDevice& target) {
    assert(device < 32 && function < 8 && !functions_[device << 3 | function]);
    functions_[device << 3 | function] = &target;
}

PciDevice* PciHost::at(unsigned device, unsigned function) const {
    return device < 32 && function < 8 ? functions_[device << 3 | function] : nullptr;
}

u32 PciHost::ecam_read(u64 offset, unsigned size) {
    PciDevice* target = offset >> 20 == 0 ? functions_[offset >> 12 & 0xFF] : nullptr;
    if (!target) return static_cast<u32>(size_mask(size > 4 ? 4 : size)); // master abort
    return target->config_read(static_cast<unsigned>(offset & 0xFFF), size > 4 ? 4 : size);
}

void PciHost::ecam_write(u64 offset, unsigned size, u32 value) {
    PciDevice* target = offset >> 20 == 0 ? functions_[offset >> 12 & 0xFF] : nullptr;
    if (target) target->config_write(static_cast<unsigned>(offset & 0xFFF), size > 4 ? 4 : size, value);
}

std::optional<PciHost::Claim> PciHost::claim(u64 address, bool io) const {
    for (PciDevice* device : functions_) {
        if (!device) continue;
        for (unsigned i = 0; i < PciDevice::BarCount; ++i) {
            const PciDevice::Bar& bar = device->bar(i);
            if (bar.kind == PciDevice::BarKind::None || (bar.kind == PciDevice::BarKind::Io) != io) continue;
            const std::optional<u64> base = device->bar_address(i);
            if (base && address >= *base && address - *base < bar.size)
                return Claim{device, i, address - *base};
        }
    }
    return std::nullopt;
}

std::optional<PciHost::Claim> PciHost::claim_memory(u64 pa) const { return claim(pa, false); }
std::optional<PciHost::Claim> PciHost::claim_port(u16 port) const { return claim(port, true); }

u32 PciHost::port_read(u16 port, unsigned size) {
    if (port == 0xCF8 && size == 4) return address_;
    if (port < 0xCFC || port > 0xCFF || !AddressEnable::test(address_))
        return static_cast<u32>(size_mask(size));
    const u64 offset = u64{AddressBus::get(address_)} << 20 | u64{AddressFunction::get(address_)} << 12 |
                       (address_ & 0xFC) | (port & 3u);
    return ecam_read(offset, size);
}

void PciHost::port_write(u16 port, unsigned size, u32 value) {
    if (port == 0xCF8 && size == 4) {
        address_ = value & AddressWritable;
        return;
    }
    if (port < 0xCFC || port > 0xCFF || !AddressEnable::test(address_)) return;
    const u64 offset = u64{AddressBus::get(address_)} << 20 | u64{AddressFunction::get(address_)} << 12 |
                       (address_ & 0xFC) | (port & 3u);
    ecam_write(offset, size, value);
}

void PciHost::serialize(Archive& archive) {
    archive.section(name(), 1);
    archive(address_);
}

std::vector<Field> PciHost::describe() const {
    std::vector<Field> out{
        {"CONFIG_ADDRESS", address_, AddressEnable::test(address_) ? "enabled" : "disabled"}};
    for (unsigned i = 0; i < functions_.size(); ++i)
        if (functions_[i])
            out.push_back(
                {"00:" + std::to_string(i >> 3) + "." + std::to_string(i & 7), i, functions_[i]->name()});
    return out;
}

} // namespace vitrine::devices
