// CodeNames — names for the code at any address: the kernel's, and firmware, boot loader, decompressor, vDSO
// and user programs besides.
//
// The bundled parts are files beside the program; a user program is read out of the guest itself
// (guest_file.h), by the area that its code is mapped in. Invariants: no file is believed to lie where it is
// linked: a name is given only where the bytes in the guest's memory equal the file's, so that another
// firmware, a replaced program or memory that was overwritten has no wrong names. A guest's file is read by
// our own bounded ELF reader only; line tables (libdw) are used where its bytes equal a bundled file's.
#pragma once
#include <memory>
#include "emu/inspect/kernel.h"
#include "emu/symbols/guest_symbols.h"

namespace vitrine::emu::inspect {

struct CodePlace {
    std::string module; ///< "" the kernel; "firmware", "boot loader", "/bin/spin"
    std::string symbol; ///< as a person writes it
    u64 start = 0, offset = 0;
    /// "schedule+0x1c", "main+0x5 [spin]".
    std::string text() const;
};

class CodeNames {
public:
    CodeNames();
    ~CodeNames();
    CodeNames(const CodeNames&) = delete;
    CodeNames& operator=(const CodeNames&) = delete;
    /// Whom the questions are about from now on, until the machine runs: its memory as that processor sees
    /// it.
    void look_at(const Machine& machine, unsigned processor);

    std::optional<CodePlace> at(u64 address) const;
    /// The place's text, or "".
    std::string name(u64 address) const;
    std::optional<SourceLine> line(u64 address) const;
    /// A symbol by name: the kernel's first, then the running program's, then that of the other parts.
    std::optional<u64> find(std::string_view name) const;
    /// Why user code there has no names; "" when it has, or is no user code.
    std::string why_nameless(u64 address) const;
    /// The current task's stack or area that holds an address: [from, to); nothing: none is known.
    std::optional<std::pair<u64, u64>> area(u64 address) const;

private:
    struct Module {
        std::string name;
        std::unique_ptr<GuestSymbols> symbols; ///< null: there are none, see `why`
        std::string why;
        std::vector<u64> slides;               ///< where it was found before, or is likely
        u64 unit = 0x1000;                     ///< it lies at a multiple of this from where it is linked
        u64 identity = 0, looked_at = ~u64{0}; ///< of a guest's file
    };
    struct Area {
        u64 start, end, offset;
        std::string name;
    };
    struct Found {
        const Module* module = nullptr;
        u64 slide = 0;
    };
    Found module_of(u64 address) const;
    bool fits(const Module& module, const Area& area, u64 address, Found& found) const;
    Found search(u64 address) const;
    const std::vector<Area>& areas() const;
    const Area* area_of(u64 address) const;
    Module& program(const std::string& path) const;
    bool holds(const ElfFile& elf, u64 slide, u64 address, std::size_t least) const;

    const Machine* machine_ = nullptr;
    unsigned processor_ = 0;
    u64 moment_ = 0;
    mutable std::vector<Module> bundled_;
    mutable bool bundled_loaded_ = false;
    mutable std::map<std::string, Module> programs_;
    mutable std::map<u64, Found> pages_; ///< what was found at this moment
    mutable std::optional<std::vector<Area>> areas_;
    void load_bundled() const;
};

} // namespace vitrine::emu::inspect
