// The report of the privileged programs; see harness.h.
#include "tests/privileged/harness.h"

extern "C" {
void* memset(void* to, int value, size_t count) {
    void* const start = to;
    asm volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(value) : "memory");
    return start;
}
void* memcpy(void* to, const void* from, size_t count) {
    void* const start = to;
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    return start;
}
}

namespace privileged {

namespace {
unsigned passed, failed;

void put(char c) {
    while (!(in8(0x3FD) & 0x20)) {
    }
    out8(0x3F8, static_cast<u8>(c));
}
} // namespace

void put_text(const char* text) {
    while (*text) put(*text++);
}
void put_number(u64 value) {
    for (int shift = 60; shift >= 0; shift -= 4) {
        if (shift && !(value >> shift)) continue;
        put("0123456789abcdef"[value >> shift & 15]);
    }
}

namespace {
void fail(const char* topic, const char* name) {
    ++failed;
    put_text("FAIL "), put_text(topic), put_text(": "), put_text(name);
}
} // namespace

namespace {
/// CPUID 40000000h of QEMU's TCG says TCGTCGTCGTCG.
bool on_peer() {
    u32 a = 0x40000000, b, c = 0, d;
    asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return b == 0x54474354 && c == 0x43544743;
}
/// Rows that kill or hang QEMU's TCG because it takes what the manual forbids. They are skipped and named
/// there.
constexpr const char* PeerCannot[] = {
    "INT inwards, no room on the stack",
    "INT beyond the limit",
    "RETF beyond the limit",
    "call gate beyond the limit",
    "POP with reg 1",
    "#AC on a stack",
    "IRET to compatibility mode beyond the limit",
    "LGDT not canonical",
    "CR0 PG off with PCIDE",
    "CR3 with PCIDE: bit 63 is taken and not kept",
    "CR4 LA57 in long mode",
    "CR4 PAE off in long mode",
    "CR4 bit 63",
    "CR4 bit 31",
    "CR4 bit 15",
    "CR3 bit 62",
    "CR3 bit 51 is above the address width",
    "CR3 bit 63 without PCIDE",
    "CR0 PG off in 64-bit code",
    "CR0 PG without PE",
};
bool peer_cannot(const char* name) {
    for (const char* row : PeerCannot) {
        const char* a = row;
        const char* b = name;
        while (*a && *a == *b) ++a, ++b;
        if (*a == *b) return true;
    }
    return false;
}
} // namespace

void run_rows(const char* topic, const Row* rows, unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
        const Row& row = rows[i];
        if (on_peer()) { // where it hangs, the debug console says
            for (const char* c = row.name; *c; ++c) out8(0xE9, static_cast<u8>(*c));
            out8(0xE9, '\n');
        }
        if (on_peer() && peer_cannot(row.name)) {
            put_text("SKIP "), put_text(topic), put_text(": "), put_text(row.name), put_text("\n");
            continue;
        }
        restore_state();
        if (row.prepare) row.prepare();
        if (row.where == Kernel)
            attempt(row.run);
        else
            attempt_user(row.run, row.where == User ? 2 : row.where == UserIopl3 ? 0x3002 : 0x100002);
        const Caught seen = caught;
        const int vector = seen.vector == Nothing ? -1 : static_cast<int>(seen.vector);
        const bool error_matters = vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
        bool holds = true;
        if (vector == row.vector && row.check) holds = row.check();
        if (vector != row.vector || (error_matters && seen.error != row.error)) {
            fail(topic, row.name);
            put_text(" -- vector "), vector < 0 ? put_text("none") : put_number(seen.vector);
            put_text(" error "), put_number(seen.error), put_text(" at "), put_number(seen.ip);
            put_text(", expected "),
                row.vector < 0 ? put_text("none") : put_number(static_cast<u64>(row.vector));
            put_text(" error "), put_number(row.error), put_text("\n");
        } else if (!holds) {
            fail(topic, row.name);
            put_text(" -- the outcome differs: ip "), put_number(seen.ip), put_text(" flags ");
            put_number(seen.flags), put_text(" dr6 "), put_number(seen.dr6), put_text("\n");
        } else {
            ++passed;
        }
        if (row.check && holds) ++passed; // the vector and the outcome are two assertions
    }
    restore_state();
}

void finish() {
    put_text("DONE passed "), put_number(passed), put_text(" failed "), put_number(failed), put_text("\n");
    out8(0xF4, failed ? 2 : 1);
    for (;;) asm volatile("cli; hlt");
}

} // namespace privileged
