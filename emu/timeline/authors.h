// Authors — who wrote this byte, who read it, when did this register change: answered by travelling back to
// where it happened.
//
// Interface: each question is asked where the machine stands, about what lies before; afterwards the machine
// stands there again. Bus masters are authors too, with the disk request that made them write. Invariants:
// only intervals of history in which a frame (or a disk's page) was written are run again; the run again is
// watched at the frames themselves, so aliases, page-table updates by the processor and DMA are all seen;
// nothing here is guest-visible. A linear address means the memory that is behind it where the question is
// asked.
#pragma once
#include <string>
#include <vector>
#include "emu/timeline/timeline.h"

namespace vitrine::emu {

/// A piece of memory, or a sector of a disk.
struct Target {
    enum class Kind : u8 { Linear, Physical, Disk } kind = Kind::Linear;
    u64 address = 0; ///< of a disk: the sector
    u64 size = 8;    ///< bytes; unused for a disk
    unsigned disk = 0;
    std::string text; ///< as it was given
};
/// "ADDR[:SIZE]", "SYMBOL[+N][:SIZE]", "phys:ADDR[:SIZE]", "disk:SECTOR" or "disk:N:SECTOR".
Expected<Target> parse_target(std::string_view text, const Machine& machine);

struct Author {
    u64 step =
        0; ///< steps done before the instruction (or event): Timeline::seek(step) stands right before it
    u64 time = 0;
    unsigned processor = 0;
    bool device = false;
    u64 rip = 0;         ///< the instruction; of a device: where the processor was
    std::string place;   ///< symbol+offset, and the source line when there is one
    std::string task;    ///< "comm (pid N)"; empty for devices and without a kernel that tells
    std::string request; ///< the disk request whose data it was
    bool write = true;
    u64 address = 0;              ///< physical; of a disk: the sector
    u32 size = 0;                 ///< bytes of the target that the access touched
    u64 old_value = 0, value = 0; ///< its first eight of them, little-endian
};

class Authors {
public:
    static constexpr u64 LargestTarget = 1 << 20;
    Authors(Machine& machine, Timeline& timeline) : machine_(machine), timeline_(timeline) {}

    /// The last write before here.
    Expected<Author> who_wrote(const Target& target, const Timeline::Progress& progress = {});
    /// The last read before here. Instruction fetches and page walks are no reads.
    Expected<Author> who_read(const Target& target, const Timeline::Progress& progress = {});
    /// All writes in the steps [from, to], at most the `limit` first ones. `to` is cut to here.
    Expected<std::vector<Author>> writes(const Target& target, u64 from, u64 to, std::size_t limit,
                                         const Timeline::Progress& progress = {});
    /// The last step before here that changed a register of the current processor (a name of expression.h).
    Expected<Author> who_changed(std::string_view register_name, const Timeline::Progress& progress = {});

private:
    class Watch;
    struct Place {
        u64 step, time;
    };
    Expected<Author> last_access(const Target& target, bool write, const Timeline::Progress& progress);
    Expected<void> run_to(Place to);
    Expected<void> return_to(Place to);
    bool touched(const Watch& watch, u64 from, u64 to) const;
    void name(Author& author);
    Machine& machine_;
    Timeline& timeline_;
};

/// One line for people.
std::string to_text(const Author& author);
/// One JSON object.
std::string to_json(const Author& author);

} // namespace vitrine::emu
