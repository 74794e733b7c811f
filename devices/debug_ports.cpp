// debug_ports — see the header.
#include "devices/debug_ports.h"
#include "devices/register.h"

namespace vitrine::devices {

void PostPort::serialize(Archive& archive) {
    archive.section(name(), 1);
    archive(code_);
}
std::vector<Field> PostPort::describe() const { return {{"code", code_, "last POST code"}}; }
u32 PostPort::port_read(u16, unsigned size) {
    return static_cast<u32>((0xFFFFFF00u | code_) & size_mask(size));
}
void PostPort::port_write(u16, unsigned, u32 value) {
    code_ = static_cast<u8>(value);
    if (sink_) sink_(code_);
}

void DebugConsole::serialize(Archive& archive) { archive.section(name(), 1); }
std::vector<Field> DebugConsole::describe() const { return {}; }
u32 DebugConsole::port_read(u16, unsigned size) { return static_cast<u32>(0xFFFFFFE9u & size_mask(size)); }
void DebugConsole::port_write(u16, unsigned, u32 value) {
    if (sink_) sink_(static_cast<char>(value));
}

void DebugExit::serialize(Archive& archive) { archive.section(name(), 1); }
std::vector<Field> DebugExit::describe() const { return {}; }
u32 DebugExit::port_read(u16, unsigned) { return 0; }
void DebugExit::port_write(u16, unsigned size, u32 value) {
    if (sink_) sink_(static_cast<u32>(value & size_mask(size)));
}

} // namespace vitrine::devices
