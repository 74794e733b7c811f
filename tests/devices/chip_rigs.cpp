// How each chip is driven: mostly sound, now and then as a hostile driver would.
#include "tests/devices/chip_rigs.h"
#include "devices/acpi_pm.h"
#include "devices/ata/disk.h"
#include "devices/ata/optical.h"
#include "devices/debug_ports.h"
#include "devices/e1000/e1000.h"
#include "devices/fw_cfg.h"
#include "devices/hpet.h"
#include "devices/i8042.h"
#include "devices/i8254.h"
#include "devices/i8259.h"
#include "devices/ich9_ahci/ich9_ahci.h"
#include "devices/ich9_lpc.h"
#include "devices/ioapic.h"
#include "devices/lapic/apic_bus.h"
#include "devices/lapic/lapic.h"
#include "devices/mc146818.h"
#include "devices/mch.h"
#include "devices/pci_host.h"
#include "devices/piix_ide/piix_ide.h"
#include "devices/uart16550.h"
#include "devices/vga/vga.h"

namespace vitrine::devices::test {
namespace {

std::vector<u16> port_range(u16 first, u16 last) {
    std::vector<u16> out;
    for (u16 port = first; port <= last; ++port) out.push_back(port);
    return out;
}
std::vector<u16> operator+(std::vector<u16> a, const std::vector<u16>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

/// What a hostile driver does with an AHCI port: mostly valid commands, aimed at a disk, at nothing, at a
/// read-only disk and at an optical drive, which run, are stopped, are held in reset or have just been told
/// to forget that they are busy; PRD tables that lead into the command list, the received FISes, themselves,
/// ROM and beyond memory.
void aim_command(Rig& rig, Ich9Ahci& ahci, Random& random) {
    const unsigned index = static_cast<unsigned>(random.below(4));
    const u64 port = 0x100 + 0x80 * index;
    const auto out = [&](u64 reg, u64 value) { ahci.bar_write(5, port + reg, 4, value & 0xFFFFFFFF); };
    out(0x00, 0x400), out(0x04, 0);
    out(0x08, random.below(32) == 0 ? random.next() : 0x800), out(0x0C, 0);
    out(0x14, random.next());
    if (random.below(4) == 0) out(0x18, 0x18);                     // stop, command list override
    if (random.below(16) == 0) out(0x2C, 1 + 3 * random.below(2)); // COMRESET, off line
    if (random.below(2) == 0) out(0x2C, 0);
    out(0x18, random.below(16) == 0 ? 0x10 : 0x11);
    if (random.below(4) == 0) out(0x10, ~u64{0}), out(0x30, ~u64{0});

    static constexpr u8 DiskCommands[] = {0x25, 0x35, 0xEC, 0x60, 0x61, 0xEA, 0xEF, 0x20, 0x30,
                                          0x2F, 0xC8, 0xCA, 0xC6, 0xC4, 0x39, 0xE0, 0xE5, 0x90,
                                          0x42, 0xA0, 0x08, 0x25, 0x35, 0x60, 0x61};
    static constexpr u8 OpticalCommands[] = {0xA0, 0xA0, 0xA0, 0xA0, 0xA0, 0xA1, 0xEC, 0xEF, 0x08, 0x90};
    static constexpr u8 Packets[] = {0x00, 0x03, 0x12, 0x1B, 0x1E, 0x25, 0x28, 0x2B, 0x43,
                                     0x46, 0x4A, 0x51, 0x5A, 0xA8, 0xBB, 0xBD, 0xBE, 0xFF};
    const unsigned slot = static_cast<unsigned>(random.below(4));
    u8 command = index == 3 ? OpticalCommands[random.below(sizeof OpticalCommands)]
                            : DiskCommands[random.below(sizeof DiskCommands)];
    if (random.below(512) == 0) command = 0xE6; // sleep: only a reset gets the drive back
    const bool queued = command == 0x60 || command == 0x61;
    const u64 table = 0x1000 + slot * 0x200;
    const u64 entries = random.below(64) == 0 ? 65535 : random.below(5);
    rig.ram.put(0x400 + slot * 32, 8, 5 | (command == 0xA0 ? 0x20 : 0) | entries << 16);
    rig.ram.put(0x400 + slot * 32 + 8, 8, table);
    const u8 fis[20] = {0x27,
                        static_cast<u8>(random.below(32) == 0 ? 0 : 0x80),
                        command,
                        static_cast<u8>(random.below(5)),
                        static_cast<u8>(random.below(70)),
                        0,
                        static_cast<u8>(random.below(3)),
                        0x40,
                        0,
                        0,
                        0,
                        0,
                        static_cast<u8>(queued ? slot << 3 : random.below(20)),
                        0,
                        0,
                        static_cast<u8>(random.below(2) * 4)};
    std::copy_n(fis, 20, &rig.ram.bytes[table]);
    u8* packet = &rig.ram.bytes[table + 0x40];
    for (unsigned i = 0; i < 16; ++i)
        packet[i] = static_cast<u8>(random.next() & random.next() & random.next());
    packet[0] = Packets[random.below(sizeof Packets)];
    if (random.below(2) != 0) { // a range that may lie on the disc
        packet[1] &= 3, packet[2] = packet[3] = packet[4] = packet[6] = packet[7] = packet[10] = 0;
        packet[5] = static_cast<u8>(random.below(18)), packet[8] = static_cast<u8>(random.below(4));
        packet[9] = packet[0] == 0xBE ? 0x10 : static_cast<u8>(random.below(4));
    }
    for (unsigned i = 0; i < 8; ++i) {
        const u64 targets[] = {0x2000 + random.below(0xE100),
                               table,
                               table + 0x80,
                               0x400,
                               0x800,
                               FakeRam::RomBase - random.below(0x400),
                               rig.ram.bytes.size() - random.below(0x800),
                               random.next()};
        rig.ram.put(table + 0x80 + i * 16, 8,
                    targets[random.below(2) == 0 ? 0 : random.below(std::size(targets))]);
        rig.ram.put(table + 0x8C + i * 16, 4,
                    random.below(16) == 0 ? random.next() & 0xFFFFFFFF : random.below(5000));
    }
    if (random.below(3) == 0) rig.ram.put(table + random.below(0x100), 1, random.next() & 0xFF);
    if (queued) out(0x34, u64{1} << slot);
    out(0x38, random.below(16) == 0 ? random.next() : u64{1} << slot);
    rig.note(ahci.requests().size());
}

} // namespace

void build_ahci(Rig& rig) {
    auto& ahci = rig.install(std::make_unique<Ich9Ahci>(rig.clock.events, rig.ram));
    rig.ram.rom = true;
    ahci.attach(0, std::make_unique<ata::Disk>(rig.disk, "M", "S"));
    ahci.attach(2, std::make_unique<ata::Disk>(rig.locked_disk, "N", "T"));
    ahci.attach(3, std::make_unique<ata::Optical>(&rig.disc));
    rig.access = [&](Random& random) {
        const u64 base = random.below(3) == 0 ? 0 : 0x100 + 0x80 * random.below(4);
        const u64 offset = base + (random.below(0x40) & ~u64{3});
        if (random.below(2) != 0)
            ahci.bar_write(5, offset, 4, random.next() >> random.below(40) & 0xFFFFFFFF);
        else
            rig.note(ahci.bar_read(5, offset, 4));
    };
    rig.config(ahci);
    rig.also([&](Random& random) {
        ahci.config_write(4, 2, random.below(8) == 0 ? 0 : 6);
        for (u64 n = 1 + random.below(6); n-- > 0;) {
            aim_command(rig, ahci, random);
            if (random.below(2) != 0) rig.clock.advance(random.below(200'000));
        }
    });
}

namespace {

/// Task file commands that mostly fit a drive, PRD tables that lead anywhere, data ports that are read too
/// little and too much, resets in between.
void build_ide(Rig& rig) {
    auto& ide = rig.install(std::make_unique<PiixIde>(
        rig.clock.events, rig.ram, [&rig](unsigned channel, bool level) { rig.note(channel * 2 + level); }));
    rig.ram.rom = true;
    ide.attach(0, std::make_unique<ata::Disk>(rig.disk, "M", "S"));
    ide.attach(1, std::make_unique<ata::Disk>(rig.locked_disk, "N", "T"));
    ide.attach(2, std::make_unique<ata::Optical>(&rig.disc));
    rig.ports(ide, port_range(0x1F0, 0x1F7) + port_range(0x170, 0x177) +
                       std::vector<u16>{0x3F6, 0x376, 0x1F0, 0x170, 0x1F7, 0x177});
    rig.config(ide);
    rig.also([&](Random& random) {
        ide.config_write(4, 2, random.below(16) == 0 ? 0 : 5);
        ide.config_write(0x40, 4, random.below(32) == 0 ? 0 : 0x80008000);
        const u16 base = random.below(2) != 0 ? 0x1F0 : 0x170, master = base == 0x1F0 ? 0 : 8;
        const auto out = [&](unsigned reg, u64 value) {
            ide.port_write(static_cast<u16>(base + reg), 1, value & 0xFF);
        };
        if (random.below(16) == 0) out(0x206, 4);
        if (random.below(4) == 0) out(0x206, random.below(3));
        for (unsigned i = 0; i < 6; ++i) {
            const u64 targets[] = {0x2000 + random.below(0xD000), 0x1000, FakeRam::RomBase - 8,
                                   rig.ram.bytes.size() - 20, random.next()};
            const u64 count = random.below(8) == 0 ? random.next() & 0xFFFF : random.below(3000);
            rig.ram.put(0x1000 + i * 8, 4,
                        targets[random.below(2) == 0 ? 0 : random.below(std::size(targets))]);
            rig.ram.put(0x1004 + i * 8, 4, count | (random.below(3) == 0 ? 0x80000000 : 0));
        }
        ide.bar_write(4, master + 4u, 4, random.below(16) == 0 ? random.next() : 0x1000);
        ide.bar_write(4, master, 1, random.next());
        ide.bar_write(4, master + 2u, 1, random.next());
        static constexpr u8 Commands[] = {0x25, 0x35, 0xEC, 0xEA, 0xEF, 0x20, 0x30, 0x2F, 0xC8,
                                          0xCA, 0xC6, 0xC4, 0xC5, 0x39, 0xE5, 0x90, 0x42, 0xA0,
                                          0xA0, 0xA0, 0xA0, 0xA1, 0x08, 0x60, 0x29, 0x24, 0x34};
        static constexpr u8 Packets[] = {0x00, 0x03, 0x12, 0x1B, 0x1E, 0x25, 0x28, 0x2B,
                                         0x43, 0x46, 0x4A, 0x51, 0x5A, 0xA8, 0xBE};
        const u8 command = random.below(512) == 0 ? u8{0xE6} : Commands[random.below(sizeof Commands)];
        out(6, 0xE0 | random.below(2) << 4);
        out(1, random.below(5)), out(2, 0), out(2, random.below(6)), out(3, 0), out(3, random.below(70));
        out(4, 0), out(4, command == 0xA0 ? random.next() : 0), out(5, 0),
            out(5, command == 0xA0 ? random.below(9) : 0);
        out(7, command);
        if (command == 0xA0) {
            u8 packet[12] = {Packets[random.below(sizeof Packets)]};
            packet[4] = static_cast<u8>(random.next()), packet[5] = static_cast<u8>(random.below(18));
            packet[8] = static_cast<u8>(random.below(4)),
            packet[9] = packet[0] == 0xBE ? 0x10 : static_cast<u8>(random.below(4));
            for (unsigned i = 0; i < (random.below(8) == 0 ? 5u : 6u); ++i)
                ide.port_write(base, 2, u32{packet[2 * i]} | u32{packet[2 * i + 1]} << 8);
        }
        rig.clock.advance(random.below(200'000));
        ide.bar_write(4, master, 1,
                      random.below(4) == 0 ? 0
                                           : 1 | (random.below(8) == 0                 ? 0
                                                  : command == 0x35 || command == 0xCA ? 0
                                                                                       : 8));
        rig.clock.advance(random.below(200'000));
        for (u64 n = random.below(3) == 0 ? random.below(1400) : 0; n-- > 0;) {
            const unsigned size = 2u << random.below(2);
            if (random.below(4) == 0 || command == 0x30 || command == 0x34 || command == 0xC5 ||
                command == 0x39)
                ide.port_write(base, size, static_cast<u32>(random.next()));
            else
                rig.note(ide.port_read(base, size));
            if (random.below(256) == 0) rig.clock.advance(100'000);
        }
        for (const unsigned reg : {7u, 1u, 2u, 4u, 5u, 0x206u})
            rig.note(ide.port_read(static_cast<u16>(base + reg), 1));
        rig.note(ide.bar_read(4, master, 4));
    });
}

/// Rings in the chip's RAM with descriptors of every kind, mostly sound; frames from outside in between.
void build_e1000(Rig& rig) {
    auto& card = rig.install(std::make_unique<E1000>(rig.clock.events, rig.ram,
                                                     E1000::MacAddress{0x52, 0x54, 0, 0x12, 0x34, 0x56}));
    card.on_transmit([&rig](std::span<const u8> frame) {
        rig.note(frame.size());
        for (const u8 byte : frame.first(std::min<std::size_t>(frame.size(), 80))) rig.note(byte);
    });
    rig.access = [&](Random& random) {
        static constexpr u32 Registers[] = {0x0000, 0x0008, 0x0010, 0x0014, 0x0018, 0x0020, 0x00C0, 0x00C4,
                                            0x00C8, 0x00D0, 0x00D8, 0x0100, 0x0400, 0x2800, 0x2808, 0x2810,
                                            0x2818, 0x2820, 0x282C, 0x3808, 0x3810, 0x3818, 0x3820, 0x382C,
                                            0x4010, 0x4074, 0x4088, 0x5200, 0x5400, 0x5404};
        const u64 offset = random.below(4) == 0 ? random.below(128 << 10) & ~u64{3}
                                                : Registers[random.below(std::size(Registers))];
        const unsigned bar = random.below(16) == 0 ? 2 : 0;
        if (random.below(2) != 0)
            card.bar_write(bar, bar == 2 ? offset & 4 : offset, 4,
                           random.next() >> random.below(64) & 0xFFFFFFFF);
        else
            rig.note(card.bar_read(bar, bar == 2 ? offset & 4 : offset, 4));
    };
    rig.config(card);
    rig.also([&](Random& random) {
        card.config_write(4, 2, random.below(8) == 0 ? 0 : 6);
        const auto out = [&](u32 reg, u64 value) { card.bar_write(0, reg, 4, value & 0xFFFFFFFF); };
        out(0x0000, 0x40), out(0x0400, 2), out(0x0100, 2 | (random.next() & 0x0603C0FC));
        out(0x3800, 0x1000), out(0x3804, 0), out(0x3808, 128), out(0x2800, 0x2000), out(0x2804, 0),
            out(0x2808, 128);
        out(0x3810, random.below(8)), out(0x2810, random.below(9));
        for (u64 i = 0; i < 8; ++i) {
            const u64 targets[] = {0x3000 + random.below(0x8000), 0x1000,       0x2000, FakeRam::RomBase - 8,
                                   rig.ram.bytes.size() - 20,     random.next()};
            const u64 target = targets[random.below(2) == 0 ? 0 : random.below(std::size(targets))];
            const u64 length = random.below(64) == 0 ? random.below(1 << 20) : random.below(3000);
            const u64 kind = random.below(4); // legacy, context, data, anything
            const u64 command = (kind == 0 ? 0 : 0x20) | (random.next() & 0x9F);
            rig.ram.put(0x1000 + i * 16, 8, kind == 1 ? random.next() & 0x3F3F003F3F3F3F3F : target);
            rig.ram.put(0x1008 + i * 16, 8,
                        kind == 3 ? random.next()
                        : kind == 1
                            ? command << 24 | random.below(80) << 40 | (100 + random.below(1500)) << 48
                            : length | (kind == 2 ? 1u << 20 : 0) | command << 24 |
                                  (random.next() & 0x3F03) << 32);
            rig.ram.put(0x2000 + i * 16, 8, target);
        }
        out(0x2818, random.below(9)), out(0x3818, random.below(9));
        for (u64 n = random.below(4); n-- > 0;) {
            std::vector<u8> frame(random.below(64) == 0 ? random.below(20000) : random.below(2000), 0xFF);
            if (frame.size() > 6 && random.below(2) != 0)
                frame[0] = 0x52, frame[1] = 0x54, frame[2] = 0, frame[3] = 0x12, frame[4] = 0x34,
                frame[5] = 0x56;
            rig.note(card.can_receive());
            card.receive(frame);
            rig.clock.advance(random.below(200'000));
        }
    });
}

const Kind Kinds[] = {
    {"e1000", build_e1000},
    {"piix_ide", build_ide},
    {"i8259",
     [](Rig& rig) {
         auto& pic = rig.install(std::make_unique<I8259>(rig.wire()));
         rig.ports(pic, {0x20, 0x21, 0xA0, 0xA1, 0x4D0, 0x4D1});
         rig.also([&](Random& random) {
             if (random.below(4) == 0)
                 rig.note(static_cast<u64>(pic.acknowledge()));
             else
                 pic.set_line(static_cast<unsigned>(random.below(17)), random.below(2) != 0);
         });
     },
     true},
    {"i8254",
     [](Rig& rig) {
         rig.ports(rig.install(std::make_unique<I8254>(rig.clock.events, rig.wire(), rig.wire())),
                   port_range(0x40, 0x43) + std::vector<u16>{0x61});
     }},
    {"lapic",
     [](Rig& rig) {
         LocalApic::Links links{.interrupt_request = rig.wire(),
                                .nmi = [&rig] { rig.note(7); },
                                .external_acknowledge = [] { return 0x20; },
                                .end_of_interrupt = [&rig](u8 vector) { rig.note(vector); },
                                .init = [&rig] { rig.note(8); },
                                .start_up = [&rig](u8 vector) { rig.note(vector); }};
         auto& apic = rig.install(std::make_unique<LocalApic>(rig.clock.events, 0, true, links));
         rig.mmio(apic, 0x400);
         rig.also([&](Random& random) {
             u64 value = 0;
             switch (random.below(8)) {
             case 0: rig.note(static_cast<u64>(apic.acknowledge())); break;
             case 1: apic.set_external_interrupt(random.below(2) != 0); break;
             case 2: apic.set_nmi(random.below(2) != 0); break;
             case 3: apic.mmio_write(0xF0, 4, 0x1FF); break;
             case 4: rig.note(apic.msr_write(0x1B, 0xFEE00000 | random.below(4) << 10) ? 1 : 0); break;
             case 5:
                 rig.note(apic.msr_write(static_cast<u32>(0x800 + random.below(0x40)),
                                         random.next() >> random.below(64))
                              ? 1
                              : 0);
                 break;
             case 6:
                 rig.note(
                     apic.msr_read(
                         static_cast<u32>(random.below(2) != 0 ? 0x6E0 : 0x800 + random.below(0x40)), value)
                         ? value
                         : 9);
                 break;
             default:
                 apic.receive({.vector = static_cast<u8>(random.next()),
                               .mode = static_cast<DeliveryMode>(random.below(8)),
                               .level_triggered = random.below(2) != 0});
                 rig.note(apic.msr_write(0x6E0, rig.clock.time + random.below(10'000)) ? 1 : 0);
             }
         });
     },
     true},
    {"ioapic",
     [](Rig& rig) {
         auto& ioapic = rig.install(std::make_unique<Ioapic>([&rig](const InterruptMessage& m) {
             rig.note(m.vector | m.destination);
             return m.vector % 3 != 0;
         }));
         rig.mmio(ioapic, 0x50);
         rig.also([&](Random& random) {
             if (random.below(3) == 0)
                 ioapic.end_of_interrupt(static_cast<u8>(random.next()));
             else
                 ioapic.set_pin(static_cast<unsigned>(random.below(25)), random.below(2) != 0);
             ioapic.mmio_write(0, 4, 0x10 + random.below(48));
             ioapic.mmio_write(0x10, 4, random.next() & 0x1FFFF);
         });
     },
     true},
    {"hpet",
     [](Rig& rig) {
         Hpet::Links links{[&rig](unsigned pin, bool level) { rig.note(pin * 2 + level); },
                           [&rig](unsigned irq, bool level) { rig.note(irq * 4 + level); },
                           [&rig](bool on) { rig.note(on); }};
         auto& hpet = rig.install(std::make_unique<Hpet>(rig.clock.events, links));
         rig.mmio(hpet, 0x160);
         rig.also([&](Random& random) {
             hpet.mmio_write(0x10, 8, 1 | random.below(4));
             hpet.mmio_write(0x108 + 0x20 * random.below(3), 8, hpet.counter() + random.below(5000));
         });
     }},
    {"mc146818",
     [](Rig& rig) {
         rig.ports(rig.install(std::make_unique<Mc146818>(rig.clock.events, rig.wire(),
                                                          Mc146818::Setup{1'767'225'600, 512 << 20, 0, 1})),
                   {0x70, 0x71, 0x70, 0x71, 0x71});
     },
     true},
    {"uart16550",
     [](Rig& rig) {
         auto& uart = rig.install(
             std::make_unique<Uart16550>(rig.clock.events, 0x3F8, rig.wire(),
                                         [&rig](std::string_view s) { rig.note(static_cast<u8>(s[0])); }));
         rig.ports(uart, port_range(0x3F8, 0x3FF));
         rig.also([&](Random& random) {
             rig.note(uart.receive(std::string(random.below(40), static_cast<char>(random.next()))));
         });
     },
     true},
    {"uart16550 paced",
     [](Rig& rig) {
         auto& uart = rig.install(std::make_unique<Uart16550>(
             rig.clock.events, 0x2F8, rig.wire(),
             [&rig](std::string_view s) { rig.note(static_cast<u8>(s[0])); }, Uart16550::Transmit::Paced));
         rig.ports(uart, port_range(0x2F8, 0x2FF));
         rig.also([&](Random& random) {
             rig.note(uart.receive(std::string(random.below(40), static_cast<char>(random.next()))));
         });
     },
     true},
    {"i8042",
     [](Rig& rig) {
         auto& kbc = rig.install(std::make_unique<I8042>(
             rig.clock.events, I8042::Links{rig.wire(), rig.wire(), rig.wire(), [&rig] { rig.note(11); }}));
         rig.ports(kbc, {0x60, 0x64});
         rig.also([&](Random& random) {
             const u8 keys[] = {static_cast<u8>(random.next()), static_cast<u8>(random.next())};
             kbc.key(keys);
             kbc.mouse(static_cast<int>(random.next()), static_cast<int>(random.next()),
                       static_cast<int>(random.below(9)) - 4, static_cast<u8>(random.next()));
         });
     }},
    {"vga",
     [](Rig& rig) {
         auto& vga = rig.install(std::make_unique<Vga>(rig.clock.events));
         rig.ports(vga, port_range(0x3B0, 0x3DF) + std::vector<u16>{0x1CE, 0x1CF, 0x1D0});
         rig.also([&](Random& random) {
             const unsigned size = 1u << random.below(4);
             const u64 at = random.below(0x20000) & ~u64{size - 1};
             vga.mmio_write(at, size, random.next());
             rig.note(vga.mmio_read(random.below(0x20000) & ~u64{size - 1}, size));
             vga.bar_write(2, 0x500 + random.below(0x18), 2, random.next() >> random.below(64) & 0xFFFF);
             if (random.below(64) == 0) {
                 FrameBuffer picture;
                 vga.render(picture);
                 for (std::size_t i = 0; i < picture.pixels.size(); i += 997) rig.note(picture.pixels[i]);
                 for (const std::string& line : vga.text_screen()) rig.note(line.size());
                 rig.note(vga.cursor().column);
             }
         });
         rig.config(vga);
     }},
    {"mch",
     [](Rig& rig) {
         auto& mch = rig.install(std::make_unique<Mch>());
         rig.access = [&](Random& random) {
             rig.note(mch.reads_memory(0xC0000 + random.below(0x40000)) | (mch.ecam() ? 2 : 0));
         };
         rig.config(mch);
     }},
    {"ich9_lpc",
     [](Rig& rig) {
         Ich9Lpc::Outputs outputs{[&rig](unsigned irq, bool level) { rig.note(irq * 2 + level); },
                                  [&rig](unsigned pin, bool level) { rig.note(pin * 4 + level); }, rig.wire(),
                                  [&rig](bool full) { rig.note(full); },
                                  [&rig](u8 command) { rig.note(command); }};
         auto& lpc = rig.install(std::make_unique<Ich9Lpc>(outputs));
         rig.ports(lpc, {0x92, 0xB2, 0xB3, 0xCF9});
         rig.also([&](Random& random) {
             lpc.set_pirq(static_cast<unsigned>(random.below(9)), random.below(2) != 0);
             lpc.rcba_write(0x3100 + (random.below(0x320) & ~u64{3}), 4, random.next());
             rig.note(lpc.rcba_read(0x3100 + random.below(0x320), 2));
         });
         rig.config(lpc);
     },
     true},
    {"ich9_ahci", build_ahci},
    {"acpi_pm",
     [](Rig& rig) {
         auto& pm = rig.install(
             std::make_unique<AcpiPm>(rig.clock.events, AcpiPm::Links{rig.wire(), [&rig] { rig.note(13); }}));
         rig.ports(pm, port_range(0x600, 0x67F));
         rig.also([&](Random& random) {
             random.below(2) != 0 ? pm.press_power_button()
                                  : pm.apm_command(static_cast<u8>(random.below(4)));
         });
     },
     true},
    {"fw_cfg",
     [](Rig& rig) {
         auto& cfg = rig.install(std::make_unique<FwCfg>(rig.ram));
         cfg.add_file("etc/e820", {1, 2, 3, 4});
         cfg.add_file("opt/vitrine/boot", std::vector<u8>(5000, 7));
         rig.ports(cfg, {0x510, 0x511, 0x511, 0x514, 0x518});
         rig.also([&](Random& random) {
             for (unsigned i = 0; i < 16; ++i) rig.ram.bytes[0x100 + i] = 0;
             rig.ram.bytes[0x101] = static_cast<u8>(0x1F + random.below(4));
             rig.ram.bytes[0x103] = static_cast<u8>(random.below(32));
             rig.ram.bytes[0x106] = static_cast<u8>(random.next());
             rig.ram.bytes[0x10E] = static_cast<u8>(random.next());
             cfg.port_write(0x514, 4, 0);
             cfg.port_write(0x518, 4, 0x00010000);
         });
     }},
    {"post_port",
     [](Rig& rig) {
         rig.ports(rig.install(std::make_unique<PostPort>([&rig](u8 code) { rig.note(code); })), {0x80});
     }},
    {"debug_console",
     [](Rig& rig) {
         rig.ports(
             rig.install(std::make_unique<DebugConsole>([&rig](char c) { rig.note(static_cast<u8>(c)); })),
             {0xE9});
     }},
    {"debug_exit",
     [](Rig& rig) {
         rig.ports(rig.install(std::make_unique<DebugExit>([&rig](u32 v) { rig.note(v); })), {0xF4});
     }},
    {"pci_host",
     [](Rig& rig) { rig.ports(rig.install(std::make_unique<PciHost>()), {0xCF8, 0xCFC, 0xCFD, 0xCFE}); }},
};

} // namespace

std::span<const Kind> chip_kinds() { return Kinds; }

} // namespace vitrine::devices::test
