// SerialPort — where one of the guest's serial ports goes on the host, other than to standard input and
// output: a file, a pseudo-terminal or a socket (SerialLine), or nowhere.
//
// Invariants: a file that takes no more is told of once, with the step from which on it lacks something; the
// run goes on.
#pragma once
#include <memory>
#include <string>
#include "emu/cli/options.h"
#include "emu/cli/serial_line.h"

namespace vitrine::emu::cli {

class SerialPort {
public:
    /// `option` is its name in messages: "--serial".
    explicit SerialPort(std::string option) : option_(std::move(option)) {}
    ~SerialPort();
    SerialPort(const SerialPort&) = delete;
    SerialPort& operator=(const SerialPort&) = delete;

    Expected<void> open(SerialTarget target, const std::string& path);
    /// Another program is, or may be, at the other end.
    SerialLine* line() const { return line_.get(); }
    bool goes_somewhere() const { return line_ || file_ >= 0; }
    bool failed() const { return error_ != 0; }
    void write(std::string_view bytes, u64 step);

private:
    std::string option_, path_;
    std::unique_ptr<SerialLine> line_;
    int file_ = -1, error_ = 0;
};

} // namespace vitrine::emu::cli
