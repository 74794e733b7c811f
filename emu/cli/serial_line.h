// SerialLine — the host side of a serial port when other programs talk to it: a pseudo-terminal (`--serial
// pty`; any terminal program opens its name) or a Unix socket (`--serial unix:PATH`; one client at a time,
// the next one may follow).
//
// Invariants: writing never waits; what the other side does not take, or what comes while nobody is there, is
// kept up to MostKept bytes, the newest, and handed over later. The socket's file goes with the line.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include "cpu/base/types.h"

namespace vitrine::emu::cli {

class SerialLine {
public:
    static constexpr std::size_t MostKept = 64 << 10;

    /// Errors: bad_input with the option's name and the system's reason.
    static Expected<std::unique_ptr<SerialLine>> open_pty(const std::string& option);
    static Expected<std::unique_ptr<SerialLine>> listen(const std::string& path, const std::string& option);
    ~SerialLine();
    SerialLine(const SerialLine&) = delete;
    SerialLine& operator=(const SerialLine&) = delete;

    /// Where the other side connects: "/dev/pts/3", "unix:PATH".
    const std::string& name() const { return name_; }
    /// What becomes readable when something comes.
    int descriptor() const { return line_ >= 0 ? line_ : listener_; }
    void write(std::string_view bytes);
    /// What came since the last call. Waits up to `milliseconds` for it.
    std::string read(int milliseconds);

private:
    SerialLine(std::string name, int listener, int line, int slave)
        : name_(std::move(name)), listener_(listener), line_(line), slave_(slave) {}
    void hang_up();
    void flush();
    std::string name_, kept_;
    int listener_, line_;
    int slave_; ///< our own end of the pty, held so that the master does not hang up between two programs
};

} // namespace vitrine::emu::cli
