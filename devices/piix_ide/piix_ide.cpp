// piix_ide — configuration space, ports, the bus master's registers.
#include "devices/piix_ide/piix_ide.h"
#include "devices/piix_ide/channel.h"
#include "devices/register.h"

namespace vitrine::devices {
namespace {

enum Configuration : unsigned {
    PrimaryTiming = 0x40,
    SecondaryTiming = 0x42,
    SlaveTiming = 0x44,
    UltraControl = 0x48,
    UltraTiming = 0x4A
};
using DecodeEnable = Bits<15>;
constexpr u16 SecondaryPorts = 0x170, ControlOffset = 0x206;

} // namespace

PiixIde::PiixIde(EventQueue& events, DmaPort& memory, Interrupt interrupt)
    : PciDevice({.vendor = 0x8086,
                 .device = 0x7111,
                 .class_code = 0x010180,
                 .revision = 1,
                 .subsystem_vendor = 0x1AF4,
                 .subsystem = 0x1100}),
      events_(events), memory_(memory), interrupt_(std::move(interrupt)) {
    add_bar(4, BarKind::Io, 16);
    writable(PrimaryTiming, 2, 0xFFFF);
    writable(SecondaryTiming, 2, 0xFFFF);
    writable(SlaveTiming, 1, 0xFF);
    writable(UltraControl, 1, 0x0F);
    writable(UltraTiming, 2, 0x3333);
    for (unsigned i = 0; i < Channels; ++i) channels_[i] = std::make_unique<Channel>(*this, i);
}

PiixIde::~PiixIde() = default;

bool PiixIde::has_drive(unsigned position) const {
    return channels_[position / 2 % Channels]->has(position % 2);
}

void PiixIde::attach(unsigned position, std::unique_ptr<ata::SataDevice> drive) {
    channels_[position / 2 % Channels]->attach(position % 2, std::move(drive));
}

bool PiixIde::decodes(unsigned channel) const {
    return io_enabled() && DecodeEnable::test(get_config(channel == 0 ? PrimaryTiming : SecondaryTiming, 2));
}

u32 PiixIde::port_read(u16 port, unsigned size) {
    const unsigned number = (port & 0x80) != 0 ? 0 : 1;
    if (!decodes(number)) return static_cast<u32>(size_mask(size));
    Channel& channel = *channels_[number];
    const u16 base = static_cast<u16>(number == 0 ? 0x1F0 : SecondaryPorts);
    if (port == base + ControlOffset) return channel.alternate_status();
    if (port == base && size > 1) { // the data register is 16 bits wide; a dword is two cycles
        const u32 low = channel.read_data();
        return size == 4 ? low | u32{channel.read_data()} << 16 : low;
    }
    if (port == base) return channel.read_data() & 0xFFu;
    u32 value = 0;
    for (unsigned i = 0; i < size; ++i)
        value |= u32{port + i < base + 8u ? channel.read(port + i - base) : u8{0xFF}} << (8 * i);
    return value;
}

void PiixIde::port_write(u16 port, unsigned size, u32 value) {
    const unsigned number = (port & 0x80) != 0 ? 0 : 1;
    if (!decodes(number)) return;
    Channel& channel = *channels_[number];
    const u16 base = static_cast<u16>(number == 0 ? 0x1F0 : SecondaryPorts);
    if (port == base + ControlOffset) return channel.write_control(static_cast<u8>(value));
    if (port == base) {
        channel.write_data(static_cast<u16>(value));
        if (size == 4) channel.write_data(static_cast<u16>(value >> 16));
        return;
    }
    for (unsigned i = 0; i < size && port + i < base + 8u; ++i)
        channel.write(port + i - base, static_cast<u8>(value >> (8 * i)));
}

u64 PiixIde::bar_read(unsigned, u64 offset, unsigned size) {
    u64 value = 0;
    for (unsigned i = 0; i < size; ++i) {
        const u64 at = (offset + i) & 15;
        const Channel& channel = *channels_[at / 8];
        u8 byte = 0;
        if (at % 8 == 0) byte = channel.master_command();
        if (at % 8 == 2) byte = channel.master_status();
        if (at % 8 >= 4) byte = static_cast<u8>(channel.table() >> (8 * (at % 8 - 4)));
        value |= u64{byte} << (8 * i);
    }
    return value;
}

void PiixIde::bar_write(unsigned, u64 offset, unsigned size, u64 value) {
    for (unsigned i = 0; i < size; ++i) {
        const u64 at = (offset + i) & 15;
        Channel& channel = *channels_[at / 8];
        const u8 byte = static_cast<u8>(value >> (8 * i));
        if (at % 8 == 0) channel.write_master_command(byte);
        if (at % 8 == 2) channel.write_master_status(byte);
        if (at % 8 >= 4) channel.write_table(static_cast<unsigned>(at % 8 - 4), byte);
    }
}

void PiixIde::reset() {
    PciDevice::reset();
    for (auto& channel : channels_) channel->reset();
}

void PiixIde::serialize(Archive& archive) {
    archive.section(name(), 2);
    PciDevice::serialize(archive);
    for (auto& channel : channels_) channel->serialize(archive);
}

std::vector<Field> PiixIde::describe() const {
    std::vector<Field> out = PciDevice::describe();
    for (const auto& channel : channels_) channel->describe(out);
    return out;
}

} // namespace vitrine::devices
