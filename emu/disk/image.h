// Image — the bytes behind a disk, which never change: a raw file, or a qcow2 file with what backs it.
//
// Invariants: files are opened read-only, and never by two minds: an image that another process has open for
// writing is refused, and while it is open here QEMU refuses to write to it (its lock bytes: QEMU,
// block/file-posix.c, "permission bytes" 100 and 200). Reads go through pread: an image that shrinks
// underneath is a medium error for the guest, not a crash of the host.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>
#include "cpu/base/types.h"

namespace vitrine::emu {

enum class ImageFormat : u8 { Detect, Raw, Qcow2 };
/// "raw", "qcow2", or null for Detect.
const char* image_format_name(ImageFormat format);

/// A regular file of the host, open for reading.
class HostFile {
public:
    /// Status 66 when it is missing, not a regular file, empty, or held by another process.
    static Expected<HostFile> open(const std::string& path);
    HostFile(HostFile&& other) noexcept : file_(std::exchange(other.file_, -1)), size_(other.size_) {}
    HostFile& operator=(HostFile&&) = delete;
    ~HostFile();

    u64 size() const { return size_; }
    /// False: an error of the host, or the file's end comes first.
    bool read(u64 offset, std::span<u8> out) const;
    /// Where the file holds something at or behind `offset`: what lies before is a hole and reads as zero.
    u64 next_data(u64 offset) const;

private:
    HostFile(int file, u64 size) : file_(file), size_(size) {}
    int file_;
    u64 size_;
};

class Image {
public:
    virtual ~Image() = default;
    virtual u64 size() const = 0; ///< bytes
    /// Whole or not at all; a range beyond size() is the caller's mistake.
    virtual bool read(u64 offset, std::span<u8> out) = 0;
    /// The least place at or behind `offset` that may be other than zero; size() when there is none.
    virtual u64 next_data(u64 offset) = 0;
};

/// By what it is (qcow2 by its magic number, else raw), or as `format` says. Status 66 when it is damaged.
/// `files`: where to put the file's name and those that back it.
Expected<std::unique_ptr<Image>> open_image(const std::string& path, ImageFormat format,
                                            std::vector<std::string>* files = nullptr);
/// The file and those that back it, as far as they can be read.
std::vector<std::string> image_files(const std::string& path, ImageFormat format);

} // namespace vitrine::emu
