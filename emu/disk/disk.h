// Disk — an image (emu/disk/image.h) as an immutable base, with the guest's writes in a copy-on-write overlay
// of 4 KiB pages.
//
// Invariants: the base file is opened read-only and never written. Reads prefer the overlay. The overlay is
// ordered by page number, so that its serialized form and digest depend on contents only. An overlay file is
// read at open and replaced as a whole (write to a temporary file, then rename) by save_overlay(): it is
// never half-written.
#pragma once
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include "cpu/base/archive.h"
#include "devices/block_backend.h"
#include "emu/disk/image.h"

namespace vitrine::emu {

struct DiskConfig {
    std::string path;
    bool read_only = false;
    std::string overlay; ///< file that receives writes; empty: writes stay in memory and vanish (the default)
    bool optical = false; ///< a disc in a CD drive: 2048-byte blocks, read only
    ImageFormat format = ImageFormat::Detect;
    bool operator==(const DiskConfig&) const = default;
};

class Disk final : public devices::BlockBackend {
public:
    static constexpr u64 PageSize = 4096;
    static Expected<std::unique_ptr<Disk>> open(const DiskConfig& config);
    Disk(const Disk&) = delete;
    Disk& operator=(const Disk&) = delete;

    u64 sectors() override { return sectors_; }
    bool read(u64 lba, std::span<u8> out) override;
    bool write(u64 lba, std::span<const u8> data) override;
    bool flush() override { return true; } ///< the overlay is in memory; save_overlay() makes it durable
    bool read_only() override { return config_.read_only; }

    /// Nothing, or why a PC cannot boot from this disk: the boot sector has no 55AAh.
    Expected<void> check_boot_sector();
    /// Nothing, or why a PC cannot boot from this disc: it has no El Torito boot record.
    Expected<void> check_boot_record();
    /// Writes the overlay file, when the disk has one.
    Expected<void> save_overlay();
    /// XXH3-64 of the base disk's size and of its 64 KiB blocks that are not zero, the same in every format;
    /// computed once.
    Expected<u64> base_hash();
    /// What the guest finds on this disk at power-on: the base, and the overlay file's contents as they were
    /// opened.
    Expected<u64> identity_hash();
    const DiskConfig& config() const { return config_; }
    /// Told before a page of the overlay is written, or made. Host side only.
    void on_write(std::function<void(u64 page)> sink) { write_sink_ = std::move(sink); }
    /// The overlay's page, or null where the base shows through.
    const u8* overlay_page(u64 page) const {
        const auto found = overlay_.find(page);
        return found == overlay_.end() ? nullptr : found->second->data();
    }
    /// Puts a page back as it was; null: the base shows through again.
    void put_overlay_page(u64 page, const u8* bytes);
    std::size_t overlay_pages() const { return overlay_.size(); }
    /// In order.
    template <class Visit> void each_overlay_page(Visit&& visit) const {
        for (const auto& entry : overlay_) visit(entry.first);
    }
    void serialize(Archive& archive);

private:
    using Page = std::array<u8, PageSize>;

    Disk(DiskConfig config, std::unique_ptr<Image> base)
        : config_(std::move(config)), base_(std::move(base)), sectors_(base_->size() / devices::SectorSize) {}
    Expected<void> load_overlay();

    DiskConfig config_;
    std::unique_ptr<Image> base_;
    u64 sectors_;
    std::map<u64, std::unique_ptr<Page>> overlay_;
    std::function<void(u64)> write_sink_;
    u64 hash_ = 0, opened_overlay_hash_ = 0;
    bool hashed_ = false;
};

} // namespace vitrine::emu
