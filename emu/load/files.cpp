// Whole-file input and output: see files.h.
#include "emu/load/files.h"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <xxhash.h>

namespace vitrine::emu {

Expected<std::vector<u8>> read_file(const std::string& path, std::string_view what, u64 limit) {
    // Without waiting: a FIFO would wait for its writer.
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
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

namespace {

/// Writes all of `bytes`; false leaves the reason in errno.
bool write_all(int file, std::span<const u8> bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(file, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
    return true;
}

/// Where the symbolic links at the end of `path` lead, also when nothing is there yet.
std::string behind_links(std::string path) {
    std::error_code error;
    for (int hops = 0; hops < 40; ++hops) {
        const auto target = std::filesystem::read_symlink(path, error);
        if (error) break;
        path = (std::filesystem::path(path).parent_path() / target).string();
    }
    return path;
}

} // namespace

Expected<void> write_file(const std::string& path, std::span<const u8> bytes) {
    std::string temporary;
    int file = -1;
    auto failed = [&](const char* step) {
        const std::string why = std::strerror(errno);
        if (file >= 0) ::close(file);
        if (!temporary.empty()) ::unlink(temporary.c_str());
        return bad_input(fmt::format("{}: cannot {}: {}", path, step, why));
    };
    struct stat old{};
    const bool exists = ::stat(path.c_str(), &old) == 0;
    if (!exists && errno != ENOENT) return failed("create the file");
    if (exists && !S_ISREG(old.st_mode)) {
        // A device, a FIFO, a terminal: it takes the bytes and stays what it is.
        file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
        if (file < 0) return failed("open");
        if (!write_all(file, bytes)) return failed("write");
        ::close(file);
        return {};
    }
    const std::string target = behind_links(path);
    for (unsigned attempt = 0; file < 0 && attempt < 100; ++attempt) {
        temporary = fmt::format("{}.part{}", target, attempt ? fmt::format("{}", attempt) : "");
        file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file < 0 && errno != EEXIST) break;
    }
    if (file < 0) {
        temporary.clear(); // somebody else's, or nobody's
        return failed("create the file");
    }
    if (exists) ::fchmod(file, old.st_mode & 07777);
    if (!write_all(file, bytes)) return failed("write");
    if (::close(std::exchange(file, -1)) != 0) return failed("write");
    if (::rename(temporary.c_str(), target.c_str()) != 0) return failed("rename the finished file");
    return {};
}

std::string bundled_path(std::string_view relative) {
    std::error_code error;
    auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    if (error) return std::string(relative);
    const std::filesystem::path beside = self.parent_path() / relative,
                                shared = self.parent_path().parent_path() / "share/vitrine" / relative;
    return (!std::filesystem::exists(beside, error) && std::filesystem::exists(shared, error) ? shared
                                                                                              : beside)
        .string();
}

bool same_file(const std::string& one, const std::string& other) {
    if (one.empty() || other.empty()) return false;
    struct stat a{}, b{};
    const bool there = ::stat(one.c_str(), &a) == 0, other_there = ::stat(other.c_str(), &b) == 0;
    if (there && other_there) return S_ISREG(a.st_mode) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
    if (there || other_there) return false;
    std::error_code error;
    const auto place = [&](const std::string& path) {
        return std::filesystem::weakly_canonical(behind_links(path), error);
    };
    return place(one) == place(other) && !error;
}

bool file_exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

u64 hash_bytes(std::span<const u8> bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

} // namespace vitrine::emu
