// One Rig holds one chip with its own clock, RAM and disk, and knows how to drive it: randomly, or by a
// fuzzer's bytes. Two rigs of the same kind see the same accesses. chip_rigs.cpp has one for every chip.
#pragma once
#include <memory>
#include "devices/pci_device.h"
#include "tests/devices/support.h"

namespace vitrine::devices::test {

class Rig {
public:
    Rig() { locked_disk.locked = true; }
    TestClock clock;
    FakeRam ram{1 << 16};
    FakeDisk disk{64}, locked_disk{64}, disc{64};
    u64 seen = 0; ///< mixes every value and wire level that the chip gave out
    std::unique_ptr<Chip> chip;
    std::function<void(Random&)> access;

    void note(u64 value) { seen = (seen ^ value) * 0x100000001B3; }
    Wire wire() {
        return [this](bool level) { note(level ? 3 : 2); };
    }
    template <class T> T& install(std::unique_ptr<T> made) {
        T& reference = *made;
        chip = std::move(made);
        return reference;
    }
    void ports(PortDevice& device, std::vector<u16> list) {
        access = [this, &device, list = std::move(list)](Random& random) {
            const u16 port = list[random.below(list.size())];
            const unsigned size = 1u << random.below(3);
            const u64 value = random.next();
            if ((value >> 40 & 1) != 0)
                device.port_write(port, size, static_cast<u32>(value & size_mask(size)));
            else
                note(device.port_read(port, size));
        };
    }
    void mmio(MmioDevice& device, u64 range) {
        access = [this, &device, range](Random& random) {
            const unsigned size = 1u << random.below(4);
            const u64 offset = random.below(range) & ~u64{size - 1},
                      value = random.next() >> random.below(64);
            if (random.below(2) != 0)
                device.mmio_write(offset, size, value & size_mask(size));
            else
                note(device.mmio_read(offset, size));
        };
    }
    void also(std::function<void(Random&)> other) {
        access = [first = access, other = std::move(other)](Random& random) {
            random.below(4) == 0 ? other(random) : first(random);
        };
    }
    void config(PciDevice& device) {
        device.connect(
            {wire(), [this](u64 address, u32 data) { note(address ^ data); }, [this] { note(5); }});
        also([this, &device](Random& random) {
            const unsigned size = 1u << random.below(3),
                           offset = static_cast<unsigned>(random.below(256)) & ~(size - 1);
            const u32 value = static_cast<u32>(random.next());
            if (random.below(2) != 0)
                device.config_write(offset, size, value);
            else
                note(device.config_read(offset, size));
        });
    }
    std::vector<u8> save() {
        Archive archive = Archive::saver();
        visit(archive);
        return archive.take();
    }
    bool load(std::span<const u8> saved) {
        Archive archive = Archive::loader(saved);
        visit(archive);
        return archive.ok() && archive.at_end();
    }
    u64 digest() {
        Archive archive = Archive::digester();
        visit(archive);
        return archive.digest();
    }
    /// Random accesses with a clock that mostly creeps and sometimes leaps.
    void exercise(Random& random, int count) {
        for (int i = 0; i < count; ++i) {
            access(random);
            clock.advance(random.below(16) == 0 ? random.below(2'000'000) : random.below(500));
        }
    }

private:
    void visit(Archive& archive) {
        archive(clock.time);
        clock.events.serialize(archive);
        chip->serialize(archive);
        archive.bytes(ram.bytes.data(), ram.bytes.size());
        archive.bytes(disk.bytes.data(), disk.bytes.size());
    }
};

struct Kind {
    const char* name;
    void (*build)(Rig&);
    bool outlives_reset = false;
};

/// Every chip of the board.
std::span<const Kind> chip_kinds();
/// The AHCI controller's, which a test of its own looks into.
void build_ahci(Rig& rig);

} // namespace vitrine::devices::test
