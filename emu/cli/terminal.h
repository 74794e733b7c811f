// Terminal — the host side of COM1 when it is the program's own standard input and output.
//
// A terminal is put into raw mode, so that every key reaches the guest, and restored at the end, also when
// the program is ended by a signal. Escape key as in QEMU: Ctrl-A X ends the run, Ctrl-A Ctrl-A sends Ctrl-A,
// Ctrl-A H helps.
#pragma once
#include <string>
#include <string_view>
#include "cpu/base/types.h"

namespace vitrine::emu::cli {

class Terminal {
public:
    /// `interactive`: read standard input at all.
    explicit Terminal(bool interactive);
    ~Terminal();
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    void write(std::string_view bytes);
    /// Bytes that were typed since the last call, escape sequences taken out. Waits up to `milliseconds` for
    /// the first.
    std::string read(int milliseconds);
    bool quit_requested() const { return quit_; }
    /// Whether more input can come: not at end of file, and not switched off.
    bool open() const { return open_; }
    bool is_terminal() const { return raw_; }

private:
    std::string strip_escapes(std::string_view bytes);
    bool open_, raw_ = false, escape_ = false, quit_ = false;
};

} // namespace vitrine::emu::cli
