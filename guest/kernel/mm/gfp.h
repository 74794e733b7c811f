// What an allocation may do to get its memory: Linux's GFP flags and values (include/linux/gfp_types.h
// of 6.1).
#pragma once

#include "lib/types.h"

namespace kernel {

enum gfp_t : u32 {
    __GFP_DMA = 0x01,   ///< below 16 MiB
    __GFP_DMA32 = 0x04, ///< below 4 GiB
    __GFP_HIGH = 0x20,  ///< may take half of the reserve below the minimum watermark
    __GFP_IO = 0x40,    ///< reclaim may start transfers
    __GFP_FS = 0x80,    ///< reclaim may enter file systems (the caller holds none of their locks)
    __GFP_ZERO = 0x100,
    __GFP_ATOMIC = 0x200,         ///< cannot wait: may take another quarter of the reserve
    __GFP_DIRECT_RECLAIM = 0x400, ///< may sleep and reclaim by itself
    __GFP_KSWAPD_RECLAIM = 0x800, ///< wakes kswapd
    __GFP_NOWARN = 0x2000,
    __GFP_NORETRY = 0x10000, ///< fails rather than having a process killed
    __GFP_RECLAIM = __GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM,

    GFP_ATOMIC = __GFP_HIGH | __GFP_ATOMIC | __GFP_KSWAPD_RECLAIM,
    GFP_NOWAIT = __GFP_KSWAPD_RECLAIM,
    GFP_NOIO = __GFP_RECLAIM,
    GFP_NOFS = __GFP_RECLAIM | __GFP_IO,
    GFP_KERNEL = __GFP_RECLAIM | __GFP_IO | __GFP_FS,
    GFP_DMA = GFP_KERNEL | __GFP_DMA,
    GFP_DMA32 = GFP_KERNEL | __GFP_DMA32,
};

} // namespace kernel
