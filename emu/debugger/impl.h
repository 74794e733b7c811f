// Debugger::Impl — the machine's side of the debugger. Private to emu/debugger and emu/machine.
//
// The life of a hit: a source notices that a breakpoint's place is touched (notice(), arrived()); inside an
// instruction that only makes a candidate and asks the processor to stop at the next boundary. There settle()
// looks at conditions, counts, logs or stops. Invariants: candidates are settled before anything else happens
// to the machine, so that a condition sees the state right behind its instruction.
#pragma once
#include "emu/debugger/debugger.h"
#include "emu/debugger/expression.h"
#include "emu/inspect/current_task.h"
#include "emu/inspect/reader.h"
#include "emu/machine.h"
#include "emu/machine/probes.h"

namespace vitrine::emu {

struct Debugger::Impl final : ProbeListener {
    explicit Impl(Machine& wanted) : machine(wanted) {}
    ~Impl() override;

    struct Piece {
        std::string text; ///< before the value
        std::optional<Expression> value;
        char format = 0; ///< x d s; 0: decimal
        bool comm = false;
    };
    struct FramePart {
        u32 frame;
        unsigned first, last; ///< offsets
        u64 physical;         ///< address of the frame
    };
    struct Entry {
        std::optional<Expression> condition;
        std::vector<Piece> message;
        std::vector<u64> link_addresses; ///< Address, SourceLine by symbol: they move with the kernel
        u64 link_base = 0;               ///< Data by symbol
        bool moves = false;              ///< by symbol
        u64 skipped = 0;
        // What is installed now.
        bool installed = false;
        std::vector<u64> hooks;
        std::vector<u64> pages;
        std::vector<FramePart> frames;
        u64 first = 0, last = 0; ///< Data, linear
    };
    struct Candidate {
        u32 id = 0;
        Hit hit;
        bool memory = false, linear = false;
    };

    // For the machine.
    void begin(bool searching, bool goes_on);
    void end();
    void learn();
    void arrived(u64 rip);
    void settle();
    u64 next_step(u64 now) const;

    // Managing (debugger.cpp).
    Expected<void> prepare(const BreakSpec& spec, Entry& entry, Breakpoint& point,
                           const SpecColumns* columns);
    Expected<u32> add(BreakSpec spec, const SpecColumns* columns);
    Expected<void> install(Breakpoint& point, Entry& entry);
    void uninstall(const Breakpoint& point, Entry& entry);
    void update_kinds();
    Entry& entry_of(u32 id);

    // Hits (hits.cpp).
    void notice(const Notice& notice) override;
    bool matches(const Breakpoint& point, const Entry& entry, const Notice& notice, Hit& hit) const;
    bool matches_delivery(const BreakSpec& spec, const cpu::Delivery& delivery, Hit& hit) const;
    Hit here() const;
    void met(std::size_t index, Hit hit);
    void describe(const Breakpoint& point, Hit& hit) const;
    std::string message(const Entry& entry, const Hit& hit, u64 hits);

    Machine& machine;
    std::vector<Breakpoint> points;
    std::vector<Entry> entries; ///< parallel to `points`
    u32 next_id = 1;
    std::optional<u64> slide;
    u64 switch_address = 0; ///< __switch_to_asm, hooked while somebody waits for a task switch
    mutable inspect::CurrentTask tasks;
    std::optional<Hit> last;
    LogSink log_sink;
    bool active = false, searching = false;
    u64 start_step = 0, step_told = ~u64{0};
    bool start_counts = false;
    bool told_at_power_on = false; ///< a run has stopped at step 0: the next one leaves it
    std::vector<Candidate> candidates;
    std::vector<u32> met_now;  ///< where this run stops
    std::vector<u32> finished; ///< `once` breakpoints that were met
    /// Who stops the run: Machine::Impl::met.
    std::function<void(std::string)> stop_run;
};

} // namespace vitrine::emu
