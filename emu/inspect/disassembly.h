// Disassembly — guest code as rows, through Capstone. Bytes come from the inspection reader, names from
// CodeNames.
//
// Invariants: a byte sequence that is no instruction becomes one "(bad)" row of one byte, so that a listing
// always goes on; memory that cannot be read ends it, and `why_short` says so.
#pragma once
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>
#include "cpu/bus.h"
#include "emu/inspect/reader.h"

namespace vitrine::emu::inspect {

class CodeNames;

struct CodeRow {
    u64 address = 0; ///< linear
    std::vector<u8> bytes;
    std::string mnemonic, operands;
    std::string symbol;      ///< "schedule" when a symbol begins here
    std::string source;      ///< "sched/core.cpp:81" when it differs from the row above
    std::string source_file; ///< its two parts
    unsigned source_line = 0;
    u16 changed = 0; ///< bit n: byte n is other than at the stop before; the app's, for what it has shown
    std::optional<u64> target; ///< linear address of a direct jump, call or memory operand
    std::string target_name;
    bool call = false;   ///< step over runs to the next instruction: call, rep, int
    bool jump = false;   ///< the flow may go elsewhere
    bool always = false; ///< an unconditional jump or return: what follows is other code
};
struct CodeListing {
    std::vector<CodeRow> rows;
    std::string why_short; ///< why there are fewer rows than asked for
};
std::string to_text(const CodeListing& listing);
nlohmann::json to_json(const CodeListing& listing);

class Disassembler {
public:
    Disassembler();
    ~Disassembler();
    Disassembler(const Disassembler&) = delete;
    Disassembler& operator=(const Disassembler&) = delete;

    /// `code_base`: CS.base, by which near targets outside 64-bit mode are relative.
    CodeListing list(const GuestReader& memory, const CodeNames* names, u64 address, unsigned rows,
                     cpu::Mode mode, u64 code_base) const;

    /// The instruction that most likely ends where `address` begins; `address` itself when none does.
    u64 previous(const GuestReader& memory, u64 address, cpu::Mode mode) const;

private:
    struct Handles;
    std::unique_ptr<Handles> handles_;
};

} // namespace vitrine::emu::inspect
