// See capture.h.
#include "emu/net/capture.h"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>
#include <vector>

namespace vitrine::emu::net {
namespace {
struct FileHeader {
    u32 magic = 0xA1B23C4D;
    u16 major = 2, minor = 4;
    u32 zone = 0, accuracy = 0, longest = 65536, link = 1;
};
struct FrameHeader {
    u32 seconds, nanoseconds, stored, length;
};
} // namespace

Expected<std::unique_ptr<Capture>> Capture::create(const std::string& path) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0) return bad_input(fmt::format("--net pcap={}: {}", path, std::strerror(errno)));
    std::unique_ptr<Capture> out(new Capture(file, path));
    const FileHeader header;
    if (!out->write({reinterpret_cast<const u8*>(&header), sizeof header}))
        return bad_input(fmt::format("--net pcap={}: {}", path, std::strerror(errno)));
    return out;
}

Capture::~Capture() {
    if (file_ >= 0) ::close(file_);
}

bool Capture::write(std::span<const u8> bytes) {
    return ::write(file_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
}

void Capture::frame(u64 time, std::span<const u8> bytes) {
    if (file_ < 0) return;
    const u32 size = static_cast<u32>(bytes.size());
    const FrameHeader header{static_cast<u32>(time / 1'000'000'000), static_cast<u32>(time % 1'000'000'000),
                             size, size};
    std::vector<u8> whole(sizeof header + bytes.size()); // one write: a killed run leaves whole frames
    std::memcpy(whole.data(), &header, sizeof header);
    std::memcpy(whole.data() + sizeof header, bytes.data(), bytes.size());
    if (write(whole)) return;
    spdlog::error("--net pcap={}: {}; the capture ends here", path_, std::strerror(errno));
    ::close(std::exchange(file_, -1));
}

} // namespace vitrine::emu::net
