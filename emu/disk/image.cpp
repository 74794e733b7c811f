// Images: host files, raw images, and which format a file has. See image.h.
#include "emu/disk/image.h"
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "emu/disk/qcow2.h"

namespace vitrine::emu {

namespace {

// QEMU's lock bytes: one for each right that a process uses, one for each that it does not share with others.
constexpr unsigned Used = 100, NotShared = 200;
constexpr unsigned ConsistentRead = 0, Write = 1, Resize = 3;

struct flock byte_lock(short type, unsigned byte) {
    struct flock lock{};
    lock.l_type = type, lock.l_whence = SEEK_SET, lock.l_start = byte, lock.l_len = 1;
    return lock;
}

/// Somebody else holds this byte. A file system without such locks holds none.
bool held(int file, unsigned byte) {
    struct flock lock = byte_lock(F_WRLCK, byte);
    return fcntl(file, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/// Reads, and lets nobody write. False: another process writes, or wants nobody to read.
bool hold(int file) {
    for (const unsigned byte : {Used + ConsistentRead, NotShared + Write, NotShared + Resize}) {
        struct flock lock = byte_lock(F_RDLCK, byte);
        if (fcntl(file, F_OFD_SETLK, &lock) != 0 && (errno == EAGAIN || errno == EACCES)) return false;
    }
    if (flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) return false;
    return !held(file, Used + Write) && !held(file, Used + Resize) && !held(file, NotShared + ConsistentRead);
}

class RawImage final : public Image {
public:
    explicit RawImage(HostFile file) : file_(std::move(file)) {}
    u64 size() const override { return file_.size(); }
    bool read(u64 offset, std::span<u8> out) override { return file_.read(offset, out); }
    u64 next_data(u64 offset) override { return std::min(file_.next_data(offset), file_.size()); }

private:
    HostFile file_;
};

} // namespace

const char* image_format_name(ImageFormat format) {
    return format == ImageFormat::Raw ? "raw" : format == ImageFormat::Qcow2 ? "qcow2" : nullptr;
}

Expected<HostFile> HostFile::open(const std::string& path) {
    // Without waiting: a FIFO would wait for its writer.
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) return bad_input(fmt::format("disk image {}: {}", path, std::strerror(errno)));
    struct stat info{};
    std::string problem;
    if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode))
        problem = ": not a regular file";
    else if (info.st_size == 0)
        problem = " is empty";
    else if (!hold(file))
        problem = " is in use: another process has it open for writing";
    if (!problem.empty()) {
        ::close(file);
        return bad_input(fmt::format("disk image {}{}", path, problem));
    }
    return HostFile(file, static_cast<u64>(info.st_size));
}

HostFile::~HostFile() {
    if (file_ >= 0) ::close(file_);
}

bool HostFile::read(u64 offset, std::span<u8> out) const {
    while (!out.empty()) {
        const ssize_t n = pread(file_, out.data(), out.size(), static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        offset += static_cast<u64>(n);
        out = out.subspan(static_cast<std::size_t>(n));
    }
    return true;
}

/// A file system that cannot tell has no holes.
u64 HostFile::next_data(u64 offset) const {
    const off_t found = ::lseek(file_, static_cast<off_t>(offset), SEEK_DATA);
    if (found < 0) return errno == ENXIO ? size_ : offset;
    return static_cast<u64>(found);
}

Expected<std::unique_ptr<Image>> open_image(const std::string& path, ImageFormat format,
                                            std::vector<std::string>* files) {
    BackingChain chain;
    auto image = open_in_chain(path, format, chain);
    if (files) *files = std::move(chain);
    return image;
}

Expected<std::unique_ptr<Image>> open_in_chain(const std::string& path, ImageFormat format,
                                               BackingChain& chain) {
    auto file = HostFile::open(path);
    if (!file) return std::unexpected(file.error());
    std::array<u8, 4> magic{};
    const bool qcow2 = file->size() >= magic.size() && file->read(0, magic) && magic == Qcow2Magic;
    if (format == ImageFormat::Qcow2 && !qcow2)
        return bad_input(fmt::format("disk image {} is not a qcow2 image", path));
    chain.push_back(path);
    if (format != ImageFormat::Raw && qcow2) return open_qcow2(std::move(*file), path, chain);
    return std::make_unique<RawImage>(std::move(*file));
}

std::vector<std::string> image_files(const std::string& path, ImageFormat format) {
    std::vector<std::string> files;
    if (!path.empty()) (void)open_image(path, format, &files);
    if (files.empty()) files.push_back(path);
    return files;
}

} // namespace vitrine::emu
