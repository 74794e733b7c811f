// The page array (`mem_map`): 64 bytes for each physical page frame, at VMEMMAP_START. The typed tag says
// what a frame is used for, so all of RAM can be painted from this array alone.
//
// Invariants: `tag` is Free exactly while the frame belongs to the buddy allocator. Of a free block only the
// head has PageFlag::Buddy, its order and its links. Of an allocated block of order > 0 the head holds the
// order; tails carry PageFlag::Tail and, in `head_offset`, their distance from the head.
#pragma once

#include "lib/list.h"
#include "mm/layout.h"

namespace kernel {

struct kmem_cache;
struct address_space;

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

/// Bits of page::flags, which change by atomic operations alone: set_flags() and its kin.
enum PageFlag : u32 {
    PageBuddy = 1 << 0,
    PageTail = 1 << 1,
    PageUptodate = 1 << 2,
    PageDirty = 1 << 3,
    PageLocked = 1 << 4,
    PageError = 1 << 5,
    PageWriteback = 1 << 6,
    PageLru = 1 << 7,    ///< on one of the LRU lists
    PageActive = 1 << 8, ///< on an active one
    PageReferenced = 1 << 9,
    PageWaiters = 1 << 10,     ///< somebody may sleep for PageLocked or PageWriteback
    PageReadahead = 1 << 11,   ///< who reads it starts the next window
    PageReclaim = 1 << 12,     ///< being written in order to be freed
    PageSwapCache = 1 << 13,   ///< anonymous, and private_ says where in a swap area it is too
    PageUnevictable = 1 << 14, ///< on that list, with PageLru
};

/// Set in page::mapping: it points to an anon_vma (mm/rmap.h).
inline constexpr u64 PAGE_MAPPING_ANON = 1;

struct page {
    PageType tag;
    u8 order;
    u8 zone;
    u8 reserved;
    u32 flags;
    i32 _refcount;
    i32 _mapcount; ///< page-table entries that map it, minus 1
    list_head lru; ///< free list, slab partial list, or LRU list
    union {
        address_space* mapping; ///< PageCache; Anonymous: its anon_vma + PAGE_MAPPING_ANON
        kmem_cache* slab_cache; ///< Slab
    };
    union {
        u64 index;      ///< PageCache: page number in the file; Anonymous: of its address, as vm_pgoff counts
        void* freelist; ///< Slab: first free object
    };
    union {
        struct {
            u32 inuse;   ///< Slab: allocated objects
            u32 objects; ///< Slab: objects in the slab
        };
        u64 private_; ///< PageCache of a block device: bit n, sector n was changed (block/buffer.cpp);
                      ///< PageSwapCache: the swp_entry_t
    };
    u32 head_offset; ///< Tail: pages back to the head
    u32 mlock_count; ///< entries in VM_LOCKED areas that map it; under lru_lock

    bool has(u32 bits) const { return __atomic_load_n(&flags, __ATOMIC_ACQUIRE) & bits; }
    void set_flags(u32 bits) { __atomic_fetch_or(&flags, bits, __ATOMIC_RELEASE); }
    void clear_flags(u32 bits) { __atomic_fetch_and(&flags, ~bits, __ATOMIC_RELEASE); }
    /// Whether one of them was set before.
    bool test_and_set(u32 bits) { return __atomic_fetch_or(&flags, bits, __ATOMIC_ACQ_REL) & bits; }
    bool test_and_clear(u32 bits) { return __atomic_fetch_and(&flags, ~bits, __ATOMIC_ACQ_REL) & bits; }
};
static_assert(sizeof(struct page) == 64);

inline struct page* mem_map() { return reinterpret_cast<struct page*>(VMEMMAP_START); }
extern u64 max_pfn; ///< first frame number beyond RAM

inline struct page* pfn_to_page(u64 frame) { return mem_map() + frame; }
inline u64 page_to_pfn(const struct page* page) { return static_cast<u64>(page - mem_map()); }
inline PhysicalAddress page_to_phys(const struct page* page) { return page_to_pfn(page) << PAGE_SHIFT; }
inline void* page_address(const struct page* page) { return phys_to_virt(page_to_phys(page)); }
inline struct page* phys_to_page(PhysicalAddress address) { return pfn_to_page(address >> PAGE_SHIFT); }
/// REQUIRES: a direct-map address.
inline struct page* virt_to_page(const void* address) { return phys_to_page(virt_to_phys(address)); }
inline bool PageAnon(const struct page* page) {
    return reinterpret_cast<u64>(__atomic_load_n(&page->mapping, __ATOMIC_ACQUIRE)) & PAGE_MAPPING_ANON;
}
inline struct page* compound_head(struct page* page) {
    return page->flags & PageTail ? page - page->head_offset : page;
}

const char* page_type_name(PageType type);

} // namespace kernel
