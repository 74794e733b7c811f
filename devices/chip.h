// Chip — what every device is to the board: something with a name that resets, serializes and describes
// itself.
//
// A chip sees only its registers, its interrupt wires, guest memory through DmaPort, and the event clock. It
// never sees the processor, a file, the host's clock or the UI.
#pragma once
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>
#include "cpu/base/archive.h"
#include "cpu/base/types.h"
#include "devices/event_queue.h"

namespace vitrine::devices {

/// An interrupt or reset wire: called with the new level.
using Wire = std::function<void(bool level)>;
inline void drive(const Wire& wire, bool level) {
    if (wire) wire(level);
}

/// Bus-master access to guest physical memory. Writes drop decoded code. Unbacked addresses read as all ones,
/// swallow writes, and make the call return false; a chip then reports the error its specification asks for.
class DmaPort {
public:
    virtual ~DmaPort() = default;
    virtual bool read(u64 pa, std::span<u8> out) = 0;
    virtual bool write(u64 pa, std::span<const u8> data) = 0;
};

/// One row of a chip's description: "CTL" = 0x34 "mode 2, 16-bit".
struct Field {
    std::string name;
    u64 value = 0;
    std::string meaning;
};

/// Rules for wires: a chip's constructor drives nothing (every output starts inactive); reset() drives its
/// outputs inactive and keeps the levels of its input pins; loading drives nothing, as the other end loads
/// its own level.
class Chip {
public:
    virtual ~Chip() = default;
    virtual const char* name() const = 0; ///< the chip's part name: "i8259", "ich9_ahci"
    virtual void reset() = 0;             ///< power-on or platform reset
    /// After a load that failed the chip's state is unspecified: reset() or destroy it.
    virtual void serialize(Archive& archive) = 0;
    virtual std::vector<Field> describe() const = 0;

    /// Where the chip says that the guest asked for something it does not model. Host side only, never
    /// serialized.
    void set_log(std::function<void(std::string_view line)> sink) { log_ = std::move(sink); }

protected:
    /// One line, prefixed with the chip's name. At most 64 lines a chip: the guest must not flood the host.
    void log(std::string_view what) const;

private:
    std::function<void(std::string_view)> log_;
    mutable u32 lines_logged_ = 0;
};

class PortDevice {
public:
    virtual ~PortDevice() = default;
    virtual u32 port_read(u16 port, unsigned size) = 0;
    virtual void port_write(u16 port, unsigned size, u32 value) = 0;
};

class MmioDevice {
public:
    virtual ~MmioDevice() = default;
    virtual u64 mmio_read(u64 offset, unsigned size) = 0;
    virtual void mmio_write(u64 offset, unsigned size, u64 value) = 0;
};

} // namespace vitrine::devices
