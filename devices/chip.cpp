// Chip: the bounded log line.
#include "devices/chip.h"

namespace vitrine::devices {

void Chip::log(std::string_view what) const {
    constexpr u32 LineLimit = 64;
    if (!log_ || lines_logged_ > LineLimit) return;
    std::string line = std::string(name()) + ": ";
    line += lines_logged_++ < LineLimit ? std::string(what) : std::string("further messages are suppressed");
    log_(line);
}

} // namespace vitrine::devices
