// BreakSpec — what a breakpoint waits for: the one description behind every way to stop a run.
//
// A spec is place × condition × processor and address space × action. parse_break() reads the notation of
// docs/debugger.md ("write:jiffies:8 if task.pid == 1"), to_text() writes it; the app fills the structure
// itself. Parsing touches no machine: symbols are looked up when the breakpoint is added (debugger.h).
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include "cpu/base/types.h"

namespace vitrine::emu {

enum class BreakKind : u8 {
    Address,     ///< about to execute there; `address`, or `symbol` + `address`
    SourceLine,  ///< about to execute the first instruction of `symbol`:`line` (a file and a line)
    Data,        ///< memory [address, address + length), or from `symbol` on; linear, or `physical`
    Mmio,        ///< device registers in the physical range [address, address + length)
    Port,        ///< I/O ports [address, address + length)
    Msr,         ///< RDMSR, WRMSR of [address, address + length)
    Control,     ///< a write to control register `address` (0, 3, 4 or 8)
    Interrupt,   ///< an external interrupt was delivered; vectors [address, address + length)
    Exception,   ///< an exception was delivered; vectors [address, address + length)
    ModeChange,  ///< the processor's mode changed; `text` names the new one, empty: any
    Phase,       ///< a boot phase was entered; `text` as for --until phase:NAME, "*": any
    SystemCall,  ///< SYSCALL, SYSENTER or INT 80h; [address, address + length) are numbers
    TaskSwitch,  ///< the bundled kernel switched to another task; `text`: comm or PID of the new one
    DiskRequest, ///< the controller took a command; `access` says which
    Console,     ///< COM1's output contains `text`, behind position `from`
    Prompt,      ///< a shell waits for input on COM1: what it has said behind `from` ends with a prompt
    Step,        ///< `address` steps are done
};
enum AccessBits : u8 { ReadAccess = 1, WriteAccess = 2, AnyAccess = 3 };
enum class BreakAction : u8 {
    Stop,  ///< the run stops
    Count, ///< only hits are counted
    Log,   ///< `message` goes to the log sink and the run goes on
};

struct BreakSpec {
    static constexpr u64 Any = ~u64{0}; ///< as `length`, with address 0: every vector, number, port …

    BreakKind kind = BreakKind::Address;
    u64 address = 0, length = 1;
    std::string symbol; ///< Address, Data: `address` is then an offset from it; SourceLine: the file
    unsigned line = 0;
    std::string text;
    u64 from = 0; ///< Console, Prompt: only output from this position on counts (Machine::serial_total())
    u8 access = AnyAccess;
    bool physical = false;

    std::string condition;            ///< expression.h; empty: always
    std::optional<u64> address_space; ///< only with this CR3 (its page-table base)
    int processor = -1;               ///< only this one; negative: any
    u64 skip = 0;                     ///< so many hits are let pass first (forwards only)
    BreakAction action = BreakAction::Stop;
    std::string message; ///< Log: text with {expressions}
    bool once = false;   ///< removed by its first hit
    bool own = false;    ///< the program's, not a person's: met behind theirs, and not listed for them

    bool operator==(const BreakSpec&) const = default;
};

/// Where the parts of a spec stand in its text, in characters before them: for errors that are found later.
struct SpecColumns {
    std::size_t place = 0, condition = 0, message = 0, processor = 0;
};
/// The notation of docs/debugger.md. Errors tell the column.
Expected<BreakSpec> parse_break(std::string_view text, SpecColumns* columns = nullptr);
/// What parse_break() reads as the same spec.
std::string to_text(const BreakSpec& spec);
/// "address", "data" … for lists.
const char* break_kind_name(BreakKind kind);

} // namespace vitrine::emu
