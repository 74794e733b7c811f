// An image for direct boot that is not a Linux bzImage: Multiboot 1, Multiboot 2 or a PVH kernel, read,
// checked and placed in memory, ready for the firmware to load and enter (roms/boot_image_abi.h).
//
// Implements: Multiboot Specification 0.6.96; Multiboot2 Specification 2.0 (i386); Xen docs/misc/pvh (the
// XEN_ELFNOTE_PHYS32_ENTRY note). ELF32 and ELF64. Invariant: every offset and size in the file is checked
// before use; all that is placed lies in RAM below the firmware's area and does not overlap.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>
#include "cpu/base/types.h"
#include "roms/boot_image_abi.h"

namespace vitrine::emu {

/// The configuration device's files that hold it.
inline constexpr const char *ImageFile = "opt/vitrine/image", *ImageDataFile = "opt/vitrine/image-data";

/// A file that comes along: a Multiboot module, an initial RAM disk. `text` is its name and arguments.
struct BootModule {
    std::string text;
    std::vector<u8> bytes;
};

/// What the firmware gets: see roms/boot_image_abi.h.
struct BootImage {
    roms::BootImageHeader header{};
    std::vector<roms::BootImageSegment> segments;
    std::vector<u8> data;
};

/// What is loaded where, as the file says it; addresses are physical.
struct LoadPlan {
    struct Segment {
        u64 address, memory_size;
        std::span<const u8> bytes;
    };
    std::vector<Segment> segments;
    u64 entry = 0;
    // For the information structure: the section headers with the addresses of what is in memory.
    u32 section_count = 0, section_names = 0, section_size = 0;
    std::vector<u8> sections;
    struct Unloaded {       ///< symbols and strings, which no segment holds
        std::size_t header; ///< of its section header in `sections`
        std::span<const u8> bytes;
    };
    std::vector<Unloaded> unloaded;
};

/// The kinds that `image` says it is; none: not for this loader.
std::optional<roms::ImageKind> boot_image_kind(std::span<const u8> image);

/// `low_memory`: bytes of RAM below 4 GiB. Errors name `path`.
Expected<BootImage> make_boot_image(const std::string& path, std::span<const u8> image,
                                    const std::vector<BootModule>& modules, const std::string& command_line,
                                    u64 low_memory);

// The parts, in the order in which they work.
struct ImageWishes {
    roms::ImageKind kind{};
    std::optional<u64> entry;              ///< instead of the ELF header's
    std::optional<LoadPlan::Segment> flat; ///< the header's own addresses instead of ELF's
    u32 width = 0, height = 0, depth = 0;  ///< a framebuffer is asked for
};
Expected<ImageWishes> read_multiboot_header(const std::string& path, std::span<const u8> image,
                                            roms::ImageKind kind);
/// The entry of the PVH note; 0: there is none.
u64 pvh_entry(std::span<const u8> image);
Expected<LoadPlan> plan_elf(const std::string& path, std::span<const u8> image);

} // namespace vitrine::emu
