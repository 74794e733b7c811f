// The three debugging ports of the board: POST code (80h), debug console (E9h), isa-debug-exit (F4h).
//
// Each calls its sink at the moment of the write; the board decides what it means. POST's last code is state.
#pragma once
#include "devices/chip.h"

namespace vitrine::devices {

/// Port 80h: firmware's progress. Reads return the last code.
class PostPort final : public Chip, public PortDevice {
public:
    explicit PostPort(std::function<void(u8 code)> sink) : sink_(std::move(sink)) {}
    u8 code() const { return code_; }
    const char* name() const override { return "post_port"; }
    void reset() override { code_ = 0; }
    void serialize(Archive& archive) override;
    std::vector<Field> describe() const override;
    u32 port_read(u16 port, unsigned size) override;
    void port_write(u16 port, unsigned size, u32 value) override;

private:
    std::function<void(u8)> sink_;
    u8 code_ = 0;
};

/// Port E9h: bytes go to the host's log; reads return E9h so that software can detect it (Bochs, QEMU).
class DebugConsole final : public Chip, public PortDevice {
public:
    explicit DebugConsole(std::function<void(char)> sink) : sink_(std::move(sink)) {}
    const char* name() const override { return "debug_console"; }
    void reset() override {}
    void serialize(Archive& archive) override;
    std::vector<Field> describe() const override;
    u32 port_read(u16 port, unsigned size) override;
    void port_write(u16 port, unsigned size, u32 value) override;

private:
    std::function<void(char)> sink_;
};

/// Port F4h: value v asks the machine to end with status (v << 1) | 1.
class DebugExit final : public Chip, public PortDevice {
public:
    explicit DebugExit(std::function<void(u32 value)> sink) : sink_(std::move(sink)) {}
    const char* name() const override { return "debug_exit"; }
    void reset() override {}
    void serialize(Archive& archive) override;
    std::vector<Field> describe() const override;
    u32 port_read(u16 port, unsigned size) override;
    void port_write(u16 port, unsigned size, u32 value) override;

private:
    std::function<void(u32)> sink_;
};

} // namespace vitrine::devices
