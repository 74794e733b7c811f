// Board: the disc in the CD drive, and who asks for drives.
//
// A disc that is put in while the machine runs is known by path and hash; its index among the known ones is
// host side, what is saved is path and hash, so that a state can be loaded where the disc has never been put
// in.
#include <algorithm>
#include <fmt/format.h>
#include "devices/ata/optical.h"
#include "devices/piix_ide/piix_ide.h"
#include "emu/board/board.h"

namespace vitrine::emu {

using namespace devices;

Disk* Board::medium() const {
    if (medium_ == 0) return nullptr;
    return medium_ == 1 ? first_medium_ : media_[medium_ - 2].disk.get();
}

u32 Board::index_of(const std::string& path, u64 hash) const {
    for (std::size_t i = 0; i < media_.size(); ++i)
        if (media_[i].path == path && media_[i].hash == hash) return static_cast<u32>(i) + 2;
    return 0;
}

Expected<void> Board::know_medium(const std::string& path, u64& hash) {
    if (!optical_) return usage_error("there is no CD drive: the machine was started without --cdrom");
    if (path.empty()) return {};
    for (const Medium& known : media_)
        if (known.path == path && (hash == 0 || known.hash == hash)) {
            hash = known.hash;
            return {};
        }
    auto disk = Disk::open({.path = path, .read_only = true, .overlay = {}, .optical = true});
    if (!disk) return std::unexpected(disk.error());
    auto found = (*disk)->base_hash();
    if (!found) return std::unexpected(found.error());
    if (hash != 0 && *found != hash)
        return bad_input(fmt::format(
            "disc image {} is not the one that was put in then: {:016x}, not {:016x}", path, *found, hash));
    hash = *found;
    media_.push_back({path, hash, std::move(*disk)});
    return {};
}

void Board::change_medium(const std::string& path, u64 hash) {
    if (!optical_) return;
    u32 wanted = 0;
    if (!path.empty()) {
        wanted = index_of(path, hash);
        if (wanted == 0) return sinks_.log(fmt::format("the disc {} is not known", path));
    }
    const u32 before = std::exchange(medium_, wanted);
    if (!optical_->change_medium(medium())) {
        medium_ = before;
        sinks_.log("the guest has locked the CD drive's tray; it was asked to open it");
    }
}

/// After the drive itself: which disc lies in it.
void Board::serialize_medium(Archive& archive) {
    if (!optical_) return;
    constexpr std::size_t LongestPath = 4096;
    u8 kind = static_cast<u8>(std::min(medium_, 2u)); // nothing, the first, another
    std::string path = medium_ >= 2 ? media_[medium_ - 2].path : std::string();
    u64 hash = medium_ >= 2 ? media_[medium_ - 2].hash : 0;
    archive(kind, hash);
    // Where the disc lies on the host is no state of the guest: the digest knows it by its contents, and so
    // does a checkpoint, whose hash is the digest (History::kept); its disc has been put in here or by a
    // replay's input.
    const bool by_path = archive.mode() != Archive::Mode::Digest && archive.bulk();
    if (by_path) archive.text(path, LongestPath);
    if (!archive.loading() || !archive.ok()) return;
    if (kind > 2) return archive.fail("an impossible disc in the CD drive");
    u32 found = kind;
    if (kind == 2 && by_path) {
        if (hash == 0) return archive.fail("the disc in the CD drive has no hash"); // any file would do
        if (auto known = know_medium(path, hash); !known) return archive.fail(known.error().message);
        found = index_of(path, hash);
    } else if (kind == 2) {
        const auto known = std::ranges::find(media_, hash, &Medium::hash);
        if (known == media_.end())
            return archive.fail("nobody has put in the disc that lies in the CD drive");
        found = static_cast<u32>(known - media_.begin()) + 2;
    }
    medium_ = found;
    optical_->set_medium(medium());
}

void Board::on_disk_request(std::function<void(const Ich9Ahci::Request&, Ich9Ahci::Stage)> sink) {
    if (ide_)
        ide_->on_request(std::move(sink));
    else
        ahci_.on_request(std::move(sink));
}

} // namespace vitrine::emu
