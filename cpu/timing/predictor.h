// The branch predictor of `--timing simple`: bimodal two-bit counters, a target buffer, a return stack.
//
// Guest-visible through time, so it is serialized; it is indexed by guest addresses only, so the shape of
// blocks cannot reach it. Structure: Hennessy & Patterson, Computer Architecture 6th ed., 3.3; sizes of a
// small core.
#pragma once
#include <array>
#include "cpu/base/archive.h"
#include "cpu/base/types.h"

namespace vitrine::cpu {

struct Predictor {
    static constexpr std::size_t Counters = 4096, Targets = 512, Returns = 16;
    std::array<u8, Counters> counter{}; ///< 0–3; taken when >= 2
    std::array<u64, Targets> target{};  ///< last target of an indirect branch
    std::array<u64, Returns> returns{};
    u32 top = 0;

    static u32 slot(u64 rip) { return static_cast<u32>((rip ^ rip >> 12 ^ rip >> 24) & (Counters - 1)); }
    /// Learns and tells whether the prediction was wrong.
    bool conditional(u32 at, bool taken) {
        u8& c = counter[at & (Counters - 1)];
        const bool wrong = (c >= 2) != taken;
        c = static_cast<u8>(taken ? c + (c < 3) : c - (c > 0));
        return wrong;
    }
    bool indirect(u64 rip, u64 to) {
        u64& t = target[(rip ^ rip >> 9) & (Targets - 1)];
        const bool wrong = t != to;
        t = to;
        return wrong;
    }
    void call(u64 return_to) { returns[++top & (Returns - 1)] = return_to; }
    bool ret(u64 to) { return returns[top-- & (Returns - 1)] != to; }
    void serialize(Archive& a) {
        a.bytes(counter.data(), counter.size());
        if (a.loading())
            for (u8& c : counter) c &= 3;
        a(target, returns, top);
    }
};

} // namespace vitrine::cpu
