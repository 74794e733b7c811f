// The Page array (`mem_map`): 64 bytes for each physical page frame, at VmemmapBase. The typed tag says what
// a frame is used for, so all of RAM can be painted from this array alone.
//
// Invariants: `tag` is Free exactly while the frame belongs to the buddy allocator. Of a free block only the
// head has PageFlag::Buddy, its order and its links. Of an allocated block of order > 0 the head holds the
// order; tails carry PageFlag::Tail and, in `head_offset`, their distance from the head.
#pragma once

#include "lib/list.h"
#include "mm/layout.h"

namespace kernel {

struct KmemCache;
struct AddressSpace;

enum class PageType : u8 {
    Free,
    Reserved,
    KernelText,
    KernelData,
    Slab,
    PageTable,
    Anonymous,
    PageCache,
    KernelStack,
    Vmalloc,
    MemMap,
    Kernel, ///< anything else the kernel allocated by pages
    InitMemory,
    Count,
};

enum PageFlag : u16 {
    PageBuddy = 1 << 0,
    PageTail = 1 << 1,
    PageUptodate = 1 << 2,
    PageDirty = 1 << 3,
    PageLocked = 1 << 4,
    PageError = 1 << 5,
};

struct Page {
    PageType tag;
    u8 order;
    u16 flags;
    i32 refcount;
    ListNode links; ///< free list, slab partial list, or page cache list
    union {
        AddressSpace* mapping; ///< PageCache
        KmemCache* cache;      ///< Slab
    };
    union {
        u64 index;      ///< PageCache: page number in the file
        void* freelist; ///< Slab: first free object
    };
    u32 in_use;      ///< Slab: allocated objects
    u32 objects;     ///< Slab: objects in the slab
    u32 head_offset; ///< Tail: pages back to the head
    u8 zone;
    u8 reserved[3];
    u64 reserved2;
};
static_assert(sizeof(Page) == 64);

inline Page* mem_map() { return reinterpret_cast<Page*>(VmemmapBase); }
extern u64 max_page_frame; ///< first frame number beyond RAM

inline Page* page_of_frame(u64 frame) { return mem_map() + frame; }
inline u64 frame_of(const Page* page) { return static_cast<u64>(page - mem_map()); }
inline PhysicalAddress physical_of(const Page* page) { return frame_of(page) << PageShift; }
inline void* address_of(const Page* page) { return physical_to_virtual(physical_of(page)); }
inline Page* page_of_physical(PhysicalAddress address) { return page_of_frame(address >> PageShift); }
/// REQUIRES: a direct-map address.
inline Page* page_of(const void* address) { return page_of_physical(virtual_to_physical(address)); }
inline Page* head_of(Page* page) { return page->flags & PageTail ? page - page->head_offset : page; }

const char* page_type_name(PageType type);

} // namespace kernel
