// The slab allocator (after Bonwick 1994; the shape is SLUB's): each cache cuts blocks of 2^order pages into
// objects of one size; free objects of a slab form a list through the objects themselves; slabs with free
// objects are on the cache's partial list, except the one that the CPU allocates from.
//
// Invariants (under kmem_cache::lock): page->in_use objects are out; a slab is on `partial` exactly when it
// is nobody's CPU slab and 0 <= in_use < objects. kmalloc rounds up to the next of its caches; larger
// requests get whole pages.
#pragma once

#include "lib/list.h"
#include "mm/zone.h"

namespace kernel {

struct kmem_cache {
    char name[24] = {};
    u32 object_size = 0; ///< as asked for
    u32 size = 0;        ///< stride
    u32 align = 0;
    u32 order = 0;
    u32 objects_per_slab = 0;
    u32 offset = 0; ///< where in a free object its list link is
    struct page* cpu_slab[NR_CPUS] = {};
    list_head partial;
    u64 partial_count = 0;
    u64 slab_count = 0;
    u64 active_objects = 0;
    u64 allocations = 0;
    list_head list; ///< all caches, for /proc/slabinfo
    spinlock_t lock{"kmem_cache"};
};

/// All caches (kmem_cache::caches).
extern list_head slab_caches;

void kmem_cache_init();
/// Never fails at boot: a cache is one kmalloc'ed object.
kmem_cache* kmem_cache_create(const char* name, usize object_size, usize alignment = 8);
void* kmem_cache_alloc(kmem_cache* cache, u32 flags = GFP_KERNEL);
void kmem_cache_free(kmem_cache* cache, void* object);

void* kmalloc(usize size, u32 flags = GFP_KERNEL);
inline void* kzalloc(usize size, u32 flags = GFP_KERNEL) { return kmalloc(size, flags | __GFP_ZERO); }
/// Null is allowed.
void kfree(void* object);

/// Wipes freed objects with 6b … a5 and checks them on allocation (command line: slub_debug).
extern bool slab_poison;

/// A constructed object in kmalloc memory; null when there is none.
template <typename T, typename... Arguments> T* make(Arguments&&... arguments) {
    void* memory = kzalloc(sizeof(T));
    return memory ? new (memory) T(static_cast<Arguments&&>(arguments)...) : nullptr;
}
template <typename T> void destroy(T* object) {
    if (!object) return;
    object->~T();
    kfree(object);
}

} // namespace kernel
