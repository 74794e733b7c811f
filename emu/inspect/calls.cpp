// The call stack: see calls.h.
#include "emu/inspect/calls.h"
#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include "emu/events/system_calls.h"
#include "emu/inspect/interrupts.h"
#include "emu/inspect/render.h"
#include "emu/inspect/stack.h"
#include "emu/machine.h"

namespace vitrine::emu::inspect {

namespace {
constexpr std::size_t MostFrames = 64, MostGuesses = 12;
constexpr unsigned WordsSearched = 512;
constexpr u64 KernelHalf = u64{1} << 63;

/// pt_regs (guest/kernel/arch/x86_64/trap_frame.h): what the entry code pushes, lowest first.
struct TrapFrame {
    u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    u64 vector, error, rip, cs, rflags, rsp, ss;
};
static_assert(sizeof(TrapFrame) == 176);
constexpr u64 SystemCallVector = 0x100;

class Unwinder {
public:
    Unwinder(const Machine& machine, unsigned processor, const CodeNames& names)
        : memory_(machine, processor), names_(names) {}

    void run(const cpu::Cpu& cpu) {
        const cpu::Registers& r = cpu.registers();
        const cpu::Mode mode = cpu.mode();
        word_ = mode == cpu::Mode::Long64                                       ? 8
                : mode == cpu::Mode::Protected32 || mode == cpu::Mode::Compat32 ? 4
                                                                                : 2;
        const u64 code = word_ == 8 ? 0 : r.seg[static_cast<unsigned>(cpu::Seg::CS)].base,
                  data = word_ == 8 ? 0 : r.seg[static_cast<unsigned>(cpu::Seg::SS)].base,
                  mask = word_ == 8 ? ~u64{0} : (u64{1} << word_ * 8) - 1;
        pc_ = code + cpu.rip(), sp_ = data + (r.gpr[cpu::RSP] & mask), bp_ = data + (r.gpr[cpu::RBP] & mask);
        add(CallFrame::How::Here, sp_);
        if (word_ == 2) {
            view.notes.add(
                "16-bit code: return addresses are offsets in segments, and cannot be told from data");
            return;
        }
        if (word_ == 4) return guess();
        entered_ = {r.gpr[cpu::RAX], r.gpr[cpu::RCX]};
        while (view.frames.size() < MostFrames && step()) {
        }
        if (view.frames.size() == MostFrames) view.notes.add("further frames are left out");
    }

    CallsView view;

private:
    void add(CallFrame::How how, u64 stack, std::string through = {}) {
        CallFrame frame{
            pc_, stack, how, names_.name(pc_), {}, std::move(through), pc_ < KernelHalf && word_ == 8};
        // A return address may belong to the next line or, behind a call that never returns, function.
        const u64 within = how == CallFrame::How::Return || how == CallFrame::How::Perhaps ? pc_ - 1 : pc_;
        if (const auto line = names_.line(within))
            frame.source = fmt::format("{}:{}", line->file, line->line);
        view.frames.push_back(std::move(frame));
    }
    bool word(u64 at, u64& out) const { return memory_.linear_value(at, out); }

    /// One frame outwards; false: this was the last.
    bool step() {
        u64 frame = bp_;
        if (view.frames.size() == 1 && in_entry_code() && sp_ < KernelHalf) {
            // SYSCALL has just been executed: RCX is the way back, and the stack is still the program's.
            pc_ = entered_.second;
            add(CallFrame::How::Trap, sp_, "system call " + call_name(entered_.first));
            return true;
        }
        if (leaf_) {
            leaf_ = false;
            // Before the prologue has made a frame, and behind the epilogue, the return address is on top.
            if (const auto top = without_frame(); top && !in_entry_code()) {
                u64 back = 0;
                if (word(*top, back) && call_ends_at(memory_, back)) {
                    pc_ = back, sp_ = *top + 8;
                    add(CallFrame::How::Return, *top);
                    return true;
                }
            }
        }
        if (in_entry_code()) return trap(frame + 16);
        u64 outer = 0, back = 0;
        if (frame % 8 || frame < sp_ || !word(frame, outer) || !word(frame + 8, back) || !plausible(back))
            return guess(), false;
        pc_ = back, bp_ = outer, sp_ = frame + 16;
        if (in_entry_code()) { // the entry code's own frame: pt_regs is behind it
            add(CallFrame::How::Return, frame + 8);
            return true;
        }
        add(CallFrame::How::Return, frame + 8);
        return true;
    }
    bool plausible(u64 back) const {
        // The entry code's frame has the interrupted address itself, behind which no call need end.
        return back && (back >= KernelHalf) == (pc_ >= KernelHalf) &&
               (call_ends_at(memory_, back) || is_entry(view.frames.back().name));
    }
    static bool is_entry(const std::string& name) {
        const std::string function = name.substr(0, name.find('+'));
        for (const char* entry :
             {"common_entry", "common_entry_from_user", "paranoid_entry", "entry_SYSCALL_64"})
            if (function == entry) return true;
        return false;
    }
    bool in_entry_code() const { return pc_ >= KernelHalf && is_entry(view.frames.back().name); }

    /// Nothing when the function has its frame; else where its return address is.
    std::optional<u64> without_frame() const {
        const auto place = names_.at(pc_);
        if (!place) return std::nullopt;
        std::array<u8, 8> start{};
        if (memory_.linear(place->start, start) != start.size()) return std::nullopt;
        const std::size_t push = start[0] == 0xF3 && start[1] == 0x0F ? 4 : 0; // behind ENDBR64
        u8 here = 0;
        memory_.linear_value(pc_, here);
        if (here == 0xC3 || place->offset <= push) return sp_; // RET, or PUSH RBP to come
        if (start[push] == 0x55 && place->offset == push + 1) return sp_ + 8;
        return std::nullopt;
    }

    /// From the registers that an entry pushed to the code that it broke into.
    bool trap(u64 at) {
        TrapFrame regs{};
        if (!memory_.linear_value(at, regs) || regs.vector > SystemCallVector) return guess(), false;
        const bool user = (regs.cs & 3) == 3;
        if (user != (regs.rip < KernelHalf)) return guess(), false;
        std::string through;
        if (regs.vector == SystemCallVector)
            through = fmt::format("system call {}", call_name(regs.error));
        else
            through = regs.vector < 32 ? "exception " + vector_name(static_cast<unsigned>(regs.vector))
                                       : fmt::format("interrupt {:02X}h", regs.vector);
        pc_ = regs.rip, sp_ = regs.rsp, bp_ = regs.rbp, leaf_ = true;
        add(CallFrame::How::Trap, at, std::move(through));
        return true;
    }
    static std::string call_name(u64 number) {
        const SystemCall* known = vitrine::emu::system_call(number);
        return known ? std::string(known->name) : fmt::format("{}", number);
    }

    /// The chain is broken, or there is none.
    void guess() {
        std::size_t found = 0;
        const u64 from = sp_;
        for (unsigned i = 0; i < WordsSearched && found < MostGuesses; ++i) {
            u64 value = 0;
            const u64 at = from + u64{i} * word_;
            if (memory_.linear(at, {reinterpret_cast<u8*>(&value), word_}) != word_) break;
            const bool near = word_ == 4 || (value >= KernelHalf) == (pc_ >= KernelHalf);
            if (value < 0x1000 || !near || !call_ends_at(memory_, value)) continue;
            if (names_.name(value).empty() && (word_ == 4 || !names_.area(value))) continue;
            pc_ = value, ++found;
            add(CallFrame::How::Perhaps, at);
        }
    }

    MachineReader memory_;
    const CodeNames& names_;
    u64 pc_ = 0, sp_ = 0, bp_ = 0;
    unsigned word_ = 8;
    std::pair<u64, u64> entered_; ///< RAX and RCX at the beginning
    bool leaf_ = true;            ///< the innermost function of this level may have no frame yet
};

const char* how_text(CallFrame::How how) {
    static constexpr const char* Texts[] = {"here", "returns to", "broke into", "perhaps"};
    return Texts[static_cast<unsigned>(how) & 3];
}
} // namespace

CallsView calls_view(const Machine& machine, unsigned processor, const CodeNames& names) {
    Unwinder unwinder(machine, processor, names);
    unwinder.run(machine.processor(processor));
    return std::move(unwinder.view);
}

std::string to_text(const CallsView& view) {
    std::string out;
    for (const CallFrame& frame : view.frames) {
        if (!frame.through.empty()) out += fmt::format("  ---- {} ----\n", frame.through);
        out += fmt::format("{:016x}  {:<11} {}{}\n", frame.address, how_text(frame.how),
                           frame.name.empty() ? "?" : frame.name,
                           frame.source.empty() ? "" : "  " + frame.source);
    }
    return out + notes_text(view.notes);
}

nlohmann::json to_json(const CallsView& view) {
    nlohmann::json frames = nlohmann::json::array();
    for (const CallFrame& frame : view.frames)
        frames.push_back({{"address", hex(frame.address, 16)},
                          {"stack", hex(frame.stack, 16)},
                          {"how", how_text(frame.how)},
                          {"through", frame.through},
                          {"name", frame.name},
                          {"source", frame.source},
                          {"user", frame.user}});
    return {{"frames", frames}, {"notes", notes_json(view.notes)}};
}

} // namespace vitrine::emu::inspect
