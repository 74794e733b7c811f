// The slab allocator (after Bonwick 1994; the shape is SLUB's): each cache cuts blocks of 2^order pages into
// objects of one size; free objects of a slab form a list through the objects themselves; slabs with free
// objects are on the cache's partial list, except the one that the CPU allocates from.
//
// Invariants (under KmemCache::lock): page->in_use objects are out; a slab is on `partial` exactly when it is
// nobody's CPU slab and 0 <= in_use < objects. kmalloc rounds up to the next of its caches; larger requests
// get whole pages.
#pragma once

#include "lib/list.h"
#include "mm/zone.h"

namespace kernel {

struct KmemCache {
    char name[24] = {};
    u32 object_size = 0; ///< as asked for
    u32 size = 0;        ///< stride
    u32 alignment = 0;
    u32 order = 0;
    u32 objects_per_slab = 0;
    u32 free_offset = 0; ///< where in a free object its list link is
    Page* cpu_slab[MaxCpus] = {};
    ListNode partial;
    u64 partial_count = 0;
    u64 slab_count = 0;
    u64 active_objects = 0;
    u64 allocations = 0;
    ListNode caches; ///< all caches, for /proc/slabinfo
    SpinLock lock{"kmem_cache"};
};

/// All caches (KmemCache::caches).
extern ListNode kmem_caches;

void initialise_slab();
/// Never fails at boot: a cache is one kmalloc'ed object.
KmemCache* create_cache(const char* name, usize object_size, usize alignment = 8);
void* cache_allocate(KmemCache* cache, u32 flags = AllocateKernel);
void cache_free(KmemCache* cache, void* object);

void* kmalloc(usize size, u32 flags = AllocateKernel);
inline void* kzalloc(usize size, u32 flags = AllocateKernel) { return kmalloc(size, flags | AllocateZero); }
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
