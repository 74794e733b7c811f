// See random.h. The generator is xorshift64* (Vigna 2016).
#include "lib/random.h"

#include "arch/x86_64/cpu.h"
#include "lib/string.h"

namespace kernel {

static constinit u64 state = 0x9e3779b97f4a7c15;

void random_bytes(void* out, usize size) {
    auto* bytes = static_cast<u8*>(out);
    while (size) {
        u64 entropy = rdtsc();
        if (boot_cpu_data.rdrand) asm volatile("rdrand %0" : "=r"(entropy)::"cc");
        state ^= entropy * 0xff51afd7ed558ccd;
        if (!state) state = 0x9e3779b97f4a7c15;
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        u64 value = state * 0x2545f4914f6cdd1d;
        usize part = min<usize>(size, 8);
        memcpy(bytes, &value, part);
        bytes += part;
        size -= part;
    }
}

} // namespace kernel
