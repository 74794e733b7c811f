// ich9_ahci — the host bus adapter: generic registers (AHCI 3.1), interrupts (10.7), and the PCI function
// around them.
#include "devices/ich9_ahci/ich9_ahci.h"
#include "devices/ich9_ahci/port.h"

namespace vitrine::devices {
namespace {

enum Register : u32 {
    Cap = 0x00,
    Ghc = 0x04,
    Is = 0x08,
    Pi = 0x0C,
    Version = 0x10,
    Cap2 = 0x24,
    FirstPort = 0x100,
    PortSize = 0x80
};
// GHC, AHCI 3.1.2.
using GlobalReset = Bits<0>;
using GlobalInterrupt = Bits<1>;
constexpr u32 AhciEnable = 0x80000000; // read-only one: CAP.SAM
// CAP, AHCI 3.1.1: six ports, 32 slots, AHCI only, 3 Gb/s, command list override, NCQ, 64-bit addresses.
constexpr u32 Capabilities =
    (Ich9Ahci::Ports - 1) | 31 << 8 | 1 << 18 | 2 << 20 | 1 << 24 | 1 << 30 | 1u << 31;

} // namespace

Ich9Ahci::Ich9Ahci(EventQueue& events, DmaPort& memory)
    : PciDevice({.vendor = 0x8086,
                 .device = 0x2922,
                 .class_code = 0x010601,
                 .revision = 2,
                 .subsystem_vendor = 0x1AF4,
                 .subsystem = 0x1100,
                 .interrupt_pin = 1}),
      events_(events), memory_(*this, memory) {
    add_bar(4, BarKind::Io, 32);
    add_bar(5, BarKind::Memory, 4096);
    add_msi(0x80);
    for (unsigned i = 0; i < Ports; ++i) ports_.push_back(std::make_unique<Port>(*this, i));
}

Ich9Ahci::~Ich9Ahci() = default;

void Ich9Ahci::attach(unsigned port, std::unique_ptr<ata::SataDevice> device) {
    if (port < Ports) ports_[port]->attach(std::move(device));
}

void Ich9Ahci::reset() {
    PciDevice::reset();
    reset_hba(false);
}

void Ich9Ahci::reset_hba(bool keep_addresses) {
    global_control_ = AhciEnable;
    interrupt_status_ = 0;
    for (auto& port : ports_) port->reset(keep_addresses);
    update_interrupt();
}

/// IS collects ports with an enabled condition. A bit that rises is a new message; so is what a partial clear
/// leaves.
void Ich9Ahci::update_interrupt() {
    u32 raised = 0;
    for (unsigned i = 0; i < Ports; ++i)
        if (ports_[i]->raised()) raised |= u32{1} << i;
    const bool fresh = (raised & ~interrupt_status_) != 0;
    interrupt_status_ |= raised;
    const bool level = GlobalInterrupt::test(global_control_) && interrupt_status_ != 0;
    if (level && fresh && msi_enabled()) set_interrupt(false); // so that MSI sees an edge
    set_interrupt(level);
}

u32 Ich9Ahci::read_register(u32 offset) {
    switch (offset) {
    case Cap: return Capabilities;
    case Ghc: return global_control_;
    case Is: return interrupt_status_;
    case Pi: return (1u << Ports) - 1;
    case Version: return 0x00010301;
    case Cap2: return 0;
    default: break;
    }
    if (offset < FirstPort || offset >= FirstPort + Ports * PortSize) return 0;
    return ports_[(offset - FirstPort) / PortSize]->read((offset - FirstPort) % PortSize);
}

void Ich9Ahci::write_register(u32 offset, u32 value) {
    if (offset >= FirstPort && offset < FirstPort + Ports * PortSize) {
        ports_[(offset - FirstPort) / PortSize]->write((offset - FirstPort) % PortSize, value);
        return update_interrupt();
    }
    if (offset == Ghc) {
        if (GlobalReset::test(value)) return reset_hba(true);
        global_control_ = AhciEnable | static_cast<u32>(value & GlobalInterrupt::mask);
        update_interrupt();
    } else if (offset == Is) {
        interrupt_status_ &= ~value;
        if (interrupt_status_ != 0 && msi_enabled()) set_interrupt(false);
        update_interrupt();
    }
}

u64 Ich9Ahci::bar_read(unsigned index, u64 offset, unsigned size) {
    if (index != 5) return size_mask(size);
    const u32 base = static_cast<u32>(offset & 0xFFC);
    u64 value = read_register(base);
    const unsigned lane = static_cast<unsigned>(offset & 3);
    if (lane + size > 4) value |= u64{read_register(base + 4)} << 32;
    return take_bytes(value, lane, size);
}

void Ich9Ahci::bar_write(unsigned index, u64 offset, unsigned size, u64 value) {
    if (index != 5) return;
    // 3: registers take aligned 32-bit accesses, 64-bit where two form one address.
    if (size < 4 || (offset & 3) != 0) return log("a store that is not an aligned 32-bit one was ignored");
    write_register(static_cast<u32>(offset & 0xFFC), static_cast<u32>(value));
    if (size == 8) write_register(static_cast<u32>((offset + 4) & 0xFFC), static_cast<u32>(value >> 32));
}

void Ich9Ahci::serialize(Archive& archive) {
    archive.section(name(), 2);
    PciDevice::serialize(archive);
    archive(global_control_, interrupt_status_);
    for (auto& port : ports_) port->serialize(archive);
    if (archive.loading() && ((global_control_ & ~u64{2}) != AhciEnable || interrupt_status_ >> Ports != 0))
        archive.fail("a register holds reserved bits");
}

std::vector<Field> Ich9Ahci::describe() const {
    std::vector<Field> out = PciDevice::describe();
    out.push_back({"GHC", global_control_,
                   GlobalInterrupt::test(global_control_) ? "interrupts on" : "interrupts off"});
    out.push_back({"IS", interrupt_status_, "ports that interrupt"});
    for (const auto& port : ports_)
        if (port->present()) port->describe(out);
    return out;
}

std::vector<Ich9Ahci::Request> Ich9Ahci::requests() const {
    std::vector<Request> out;
    for (const auto& port : ports_) port->requests(out);
    return out;
}

} // namespace vitrine::devices
