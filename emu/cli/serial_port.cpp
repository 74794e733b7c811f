// See serial_port.h.
#include "emu/cli/serial_port.h"
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace vitrine::emu::cli {

SerialPort::~SerialPort() {
    if (file_ >= 0) ::close(file_);
}

Expected<void> SerialPort::open(SerialTarget target, const std::string& path) {
    if (target == SerialTarget::Pty || target == SerialTarget::Socket) {
        auto line =
            target == SerialTarget::Pty ? SerialLine::open_pty(option_) : SerialLine::listen(path, option_);
        if (!line) return std::unexpected(line.error());
        line_ = std::move(*line);
        std::fprintf(stderr, "vitrine: the %sserial line is %s\n", option_ == "--serial2" ? "second " : "",
                     line_->name().c_str());
    }
    if (target != SerialTarget::File) return {};
    path_ = path;
    file_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file_ < 0) return bad_input(fmt::format("{} file:{}: {}", option_, path, std::strerror(errno)));
    return {};
}

void SerialPort::write(std::string_view bytes, u64 step) {
    if (line_) return line_->write(bytes);
    while (file_ >= 0 && !error_ && !bytes.empty()) {
        const ssize_t n = ::write(file_, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) { // told once, and by the status at the end; the run goes on
            error_ = n < 0 ? errno : ENOSPC;
            std::fprintf(stderr, "vitrine: %s file:%s: %s; what the guest writes from step %llu on is lost\n",
                         option_.c_str(), path_.c_str(), std::strerror(error_),
                         static_cast<unsigned long long>(step));
            return;
        }
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

} // namespace vitrine::emu::cli
