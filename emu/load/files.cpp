// Whole-file input and output: see files.h.
#include "emu/load/files.h"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

namespace vitrine::emu {

Expected<std::vector<u8>> read_file(const std::string& path, std::string_view what, u64 limit) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return bad_input(fmt::format("{} {}: {}", what, path, std::strerror(errno)));
    struct stat info{};
    if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) {
        ::close(file);
        return bad_input(fmt::format("{} {}: not a regular file", what, path));
    }
    const u64 size = static_cast<u64>(info.st_size);
    if (size > limit) {
        ::close(file);
        return bad_input(
            fmt::format("{} {}: {} bytes are more than the {} that it may have", what, path, size, limit));
    }
    std::vector<u8> bytes(size);
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t n = ::read(file, bytes.data() + done, bytes.size() - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        done += static_cast<std::size_t>(n);
    }
    ::close(file);
    if (done != bytes.size()) return bad_input(fmt::format("{} {}: cannot be read to its end", what, path));
    return bytes;
}

Expected<void> write_file_atomically(const std::string& path, std::span<const u8> bytes) {
    const std::string temporary = path + ".part";
    auto failed = [&](const char* step) {
        const std::string why = std::strerror(errno);
        ::unlink(temporary.c_str());
        return bad_input(fmt::format("{}: cannot {}: {}", path, step, why));
    };
    const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0) return failed("create the file");
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t n = ::write(file, bytes.data() + done, bytes.size() - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            ::close(file);
            return failed("write");
        }
        done += static_cast<std::size_t>(n);
    }
    if (::close(file) != 0) return failed("write");
    if (::rename(temporary.c_str(), path.c_str()) != 0) return failed("rename the finished file");
    return {};
}

std::string bundled_path(std::string_view relative) {
    std::error_code error;
    auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    if (error) return std::string(relative);
    return (self.parent_path() / relative).string();
}

bool file_exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

u64 hash_bytes(std::span<const u8> bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

} // namespace vitrine::emu
