// Moving the guest's MXCSR into and out of the host's: see fp.h.
#include "cpu/exec/fp.h"

namespace vitrine::cpu {

void Core::load_fp() {
    _mm_setcsr((r.mxcsr & ~MxcsrFlags) | MxcsrMasks);
    fp_loaded = true;
}
void Core::sync_fp() {
    if (!fp_loaded) return;
    r.mxcsr |= _mm_getcsr() & MxcsrFlags;
    _mm_setcsr(HostMxcsr);
    fp_loaded = false;
}

} // namespace vitrine::cpu
