// Whose a page frame is: the area and task, file, slab cache, stack or page table that it serves, and the
// block of the buddy allocator that it lies in.
//
// Owners are found by looking everywhere once: all address spaces' page tables, the page cache by mapping,
// slab pages by cache, kernel stacks by task. Invariant: bounded; a frame that nobody claims says what its
// tag says and no more.
#pragma once
#include "emu/inspect/sheet.h"

namespace vitrine::emu::inspect {

struct PageOwner {
    u64 frame = 0;
    std::string type;  ///< the tag's name
    std::string owner; ///< "bash (8): [heap]", "page 12 of /bin/busybox", "slab cache dentry", "free block of
                       ///< order 5"
    u64 block_first = 0, block_pages = 1;       ///< the buddy block or compound page around it
    u64 references = 0, flags = 0, address = 0; ///< of Page
    i64 mapped = 0;
};
struct OwnersView {
    /// Page-table entries by frame: who maps it where; made once for many questions.
    struct Mapping {
        i64 pid = 0;
        std::string comm, area;
        u64 linear = 0;
    };
    std::map<u64, std::vector<Mapping>> mapped;
    std::map<u64, std::string> tables; ///< frames that hold page tables of a task
    std::map<u64, std::string> stacks; ///< frames of kernel stacks
    std::map<u64, std::string> inodes;
    Notes notes;
};
OwnersView owners(const std::expected<GuestKernel, std::string>& kernel);
/// Nothing: there is no page array yet, or no such frame.
std::optional<PageOwner> page_owner(const std::expected<GuestKernel, std::string>& kernel,
                                    const OwnersView& owners, u64 frame);
/// Sheets for one frame.
SheetsView page_view(const std::expected<GuestKernel, std::string>& kernel, u64 frame);

} // namespace vitrine::emu::inspect
