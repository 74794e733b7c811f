// Locks: who holds which, who waits, how contended each class is, and in which order classes are taken.
//
// The kernel keeps this when its command line says `lockdep` (guest/kernel/sync/lockdep.h); the locks that
// are published as parts of other structures are shown always.
#pragma once
#include "emu/inspect/sheet.h"

namespace vitrine::emu {
class GuestSymbols;
}

namespace vitrine::emu::inspect {

struct LockGraph { ///< the order graph: an edge says "was held when the other was taken"
    struct Class {
        std::string name;
        u64 acquisitions = 0, contentions = 0;
        std::vector<unsigned> after; ///< indexes into classes
    };
    std::vector<Class> classes;
};
struct LocksView : SheetsView {
    LockGraph graph;
};
/// Sheets: held locks, tasks that wait for one, classes with contention, published spin locks, the order.
LocksView locks_view(const std::expected<GuestKernel, std::string>& kernel, const GuestSymbols* symbols);
/// A lock's word in every structure that the kernel publishes with one.
std::string to_text(const LocksView& view);
nlohmann::json to_json(const LocksView& view);

} // namespace vitrine::emu::inspect
