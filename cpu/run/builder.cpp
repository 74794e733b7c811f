// The block builder: see builder.h. SDM vol. 3A 11.6 (self-modifying code), vol. 2 2.3.11 (15-byte limit).
//
// Invariants: a block never spans two pages, except a block of one single instruction that itself crosses;
// that one is never linked and its second page is translated again at each entry. A block ends before a
// hooked instruction.
#include "cpu/run/builder.h"
#include "cpu/exec/fused.h"
#include "cpu/run/code_cache.h"
#include "cpu/timing/predictor.h"

namespace vitrine::cpu {

HANDLER fall_through(HANDLER_ARGS) { GO_EDGE(0); }
namespace {
void report_unimplemented(Core& core, const Op* op) {
    if (!core.observer) return;
    const Block* b = block_of(op);
    const u64 rip = b->rip + op->offset, linear = core.code64() ? rip : core.seg(Seg::CS).base + rip;
    u8 bytes[15];
    const u64 number = (core.code64() ? linear : linear & 0xFFFFFFFF) >> 12;
    const TlbEntry* entry = core.code_tlb.find(number, core.tlb_contexts);
    if (!entry) return;
    const PhysicalPage& page = core.physical_page(entry->frame_of(number) << 12);
    const unsigned count = static_cast<unsigned>(std::min<u64>(15, 0x1000 - (linear & 0xFFF)));
    if (!page.host) return;
    std::memcpy(bytes, page.host + (linear & 0xFFF), count);
    core.told().unimplemented(rip, bytes, count);
}
} // namespace

/// An undecodable instruction: #UD at its address; a form that only this build lacks is reported.
HANDLER raise_undefined(HANDLER_ARGS) {
    if (op->extra) report_unimplemented(*core, op);
    core->raise(6);
    FAULT;
}

namespace {

constexpr unsigned MaxInstructions = 48;

struct Pending {
    Op op;
    Handler no_flags;
    u8 written, read, fuse_with, condition, size;
    MemoryCompare compare;
    Kind kind;
};

/// Outside 64-bit mode EIP has 32 bits, in 16-bit code too: only branches with a 16-bit operand wrap at 64
/// KiB.
u64 wrap(u64 rip, unsigned code_size) { return code_size == 8 ? rip : rip & 0xFFFFFFFF; }

/// Fills the operand fields that most emitters leave as they are.
void fill_operands(Op& op, const Decoded& d) {
    op.handler = nullptr;
    op.disp = d.disp;
    op.imm = static_cast<u32>(d.imm);
    op.opid = d.opid;
    op.length = d.length;
    if (d.has_modrm) {
        op.reg = d.size == 1 ? byte_slot(d.reg, d.rex) : slot_of(d.reg);
        if (d.mod == 3) op.rm = d.size == 1 ? byte_slot(d.rm, d.rex) : slot_of(d.rm);
    } else {
        op.rm = d.size == 1 ? byte_slot(d.rm, d.rex) : slot_of(d.rm);
    }
    op.base = d.rip_relative ? RipSlot : slot_of(d.base);
    op.index = slot_of(d.index);
    const unsigned size_code = d.address_size == 2 ? 0 : d.address_size == 4 ? 1 : 2;
    op.address = static_cast<u8>(d.scale | static_cast<unsigned>(d.seg) << SegShift | size_code << SizeShift);
    if (!d.has_modrm || d.mod == 3) op.address |= RegisterOperand;
}

class Builder {
public:
    Builder(Core& core, const BlockKey& key) : core_(core), key_(key) {}

    Block* build(std::span<const u8> page_bytes, bool precise);
    DecodeResult failure() const { return failure_; }

private:
    bool add(std::span<const u8> bytes, u64 rip);
    Block* finish(bool precise);
    void liveness(bool precise);
    void fuse();

    Core& core_;
    BlockKey key_;
    Pending list_[MaxInstructions + 1];
    unsigned count_ = 0;        ///< pending Ops
    unsigned instructions_ = 0; ///< that the block counts
    unsigned length_ = 0, cycles_ = 0;
    bool ended_ = false, crosses_ = false;
    DecodeResult failure_ = DecodeResult::Ok;
    u64 taken_ = 0;
};

/// Decodes and emits one instruction at `bytes`; false when the block must end before it.
bool Builder::add(std::span<const u8> bytes, u64 rip) {
    Decoded d;
    const DecodeResult result = decode(bytes, key_.code_size, d);
    if (result == DecodeResult::Truncated || result == DecodeResult::TooLong) {
        if (count_ == 0) {
            crosses_ = result == DecodeResult::Truncated;
            failure_ = result;
        }
        return false;
    }
    Pending& p = list_[count_];
    p = Pending{};
    fill_operands(p.op, d);
    p.op.offset = static_cast<u16>(length_);
    p.op.cycles = static_cast<u16>(cycles_);
    p.op.slot = static_cast<u8>(count_);
    p.op.index_in_block = static_cast<u8>(instructions_);
    Emitter e{d, p.op};
    e.key_flags = key_.flags;
    e.features = features_of(core_.options.model);
    if (result == DecodeResult::Undefined) {
        e.undefined = true;
        e.unimplemented = d.row && !d.row->emit;
    } else if (!offers(e.features, d.row->feature)) {
        e.undefined = e.unimplemented = true; // CPUID does not offer it
    } else {
        e.cost = d.row->cost;
        d.row->emit(e);
        if (!e.handler && !e.undefined) e.undefined = e.unimplemented = true;
    }
    if (e.undefined) {
        // #UD is raised when it runs, not now: the log line comes with it (run.cpp).
        e.handler = raise_undefined;
        e.ends_block = true;
        e.flags_read = AllFlags, e.flags_written = 0, e.no_flags = nullptr, e.fuse_with = 0,
        e.condition = 0xFF, e.compare = MemoryCompare::None;
        p.op.extra = e.unimplemented;
    }
    p.op.handler = e.handler;
    p.no_flags = e.no_flags, p.written = e.flags_written, p.read = e.flags_read;
    p.fuse_with = e.fuse_with, p.condition = e.condition, p.size = d.size;
    p.compare = e.compare, p.kind = e.kind();
    ++count_;
    length_ += d.length;
    if (!e.self_counting) {
        ++instructions_;
        cycles_ += e.cost;
    }
    const Imm imm = d.row ? d.row->imm : Imm::None;
    if (imm == Imm::Jb || imm == Imm::Jz) {
        taken_ = wrap(rip + d.length + d.imm, key_.code_size);
        if (key_.code_size != 8 && d.size == 2) taken_ &= 0xFFFF;
        const bool doubtful =
            key_.code_size == 8 // with 5 levels more than 48 bits may be right: the handler looks
                ? static_cast<u64>(static_cast<i64>(taken_ << 16) >> 16) != taken_
                : !(key_.flags & FullLimit) || (key_.code_size == 2 && taken_ > 0xFFFF);
        if (e.condition != 0xFF || d.opcode == 0xE8 || d.opcode == 0xE9 || d.opcode == 0xEB)
            p.op.extra = doubtful;
        p.op.disp = static_cast<i32>(Predictor::slot(rip));
    }
    ended_ = e.ends_block;
    return true;
}

Block* Builder::build(std::span<const u8> page_bytes, bool precise) {
    const unsigned limit = precise ? 1 : MaxInstructions;
    while (count_ < limit && !ended_) {
        const u64 rip = wrap(key_.rip + length_, key_.code_size);
        if (count_ && rip < key_.rip) break; // wrapped around the code segment
        if (count_ && key_.code_size == 2 && rip > 0xFFFF && key_.rip <= 0xFFFF)
            break; // FullLimit means 64 KiB here
        if (count_ &&
            core_.code_cache.hooked(core_.code64() ? rip : (rip + core_.seg(Seg::CS).base) & 0xFFFFFFFF))
            break;
        if (length_ >= page_bytes.size()) break;
        if (!add(page_bytes.subspan(length_, std::min<std::size_t>(16, page_bytes.size() - length_)), rip))
            break;
    }
    return count_ ? finish(precise) : nullptr;
}

void Builder::liveness(bool precise) {
    u8 live = AllFlags;
    for (unsigned i = count_; i-- > 0;) {
        Pending& p = list_[i];
        if (!precise && p.no_flags && !(live & p.written))
            p.op.handler = p.no_flags, live = static_cast<u8>(live & ~p.written);
        else
            live = static_cast<u8>((live & ~p.written) | p.read);
    }
}

void Builder::fuse() {
    if (count_ < 2) return;
    Pending& branch = list_[count_ - 1];
    Pending& first = list_[count_ - 2];
    if (branch.condition == 0xFF || branch.op.extra) return;
    if (first.compare != MemoryCompare::None)
        if (const Handler both =
                fused_memory_handler(first.compare, first.kind, first.size, branch.condition))
            first.op.handler = both;
    if (!first.fuse_with) return;
    const Handler pair = fused_handler(first.fuse_with, first.size, branch.condition);
    if (!pair) return;
    first.op.handler = pair;
    first.op.disp = branch.op.disp;
    --count_;
}

Block* Builder::finish(bool precise) {
    liveness(precise);
    if (!precise && core_.options.fusion) fuse();
    Block* block = core_.code_cache.allocate(count_ + 1);
    block->key = key_;
    block->rip = key_.rip;
    block->target[0] = wrap(key_.rip + length_, key_.code_size);
    block->target[1] = taken_;
    block->length = static_cast<u16>(length_);
    block->cycles = cycles_;
    block->count = static_cast<u8>(instructions_);
    Op* ops = block->ops();
    for (unsigned i = 0; i < count_; ++i) ops[i] = list_[i].op;
    if (!ended_) {
        Op& end = ops[count_];
        end = Op{};
        end.handler = fall_through;
        end.imm64 = 0;
        end.offset = static_cast<u16>(length_), end.cycles = static_cast<u16>(cycles_);
        end.slot = static_cast<u8>(count_), end.index_in_block = static_cast<u8>(instructions_);
        ++count_;
    }
    block->op_count = static_cast<u8>(count_);
    return block;
}

/// Where a page of code is, as block keys say it: its frame, or, where no memory answers, its address above
/// all frames.
u64 key_page(const PhysicalPage& memory, u64 physical) {
    constexpr u64 NoMemory = u64{1} << 52;
    return memory.frame == NoFrame ? NoMemory | (physical & ~u64{0xFFF}) : u64{memory.frame} << 12;
}

BlockKey current_key(const Core& core, u64 physical, bool precise) {
    BlockKey key;
    key.physical = physical;
    key.rip = core.r.rip;
    const Segment& cs = core.seg(Seg::CS);
    key.code_size = core.code64() ? 8 : cs.big ? 4 : 2;
    key.flags = static_cast<u8>(core.block_flags() | (precise ? PreciseBlock : 0));
    return key;
}

} // namespace

Block* find_block(Core& core, bool precise) {
    ++core.counters.block_lookups;
    const bool long64 = core.code64();
    const Segment& cs = core.seg(Seg::CS);
    if (long64) {
        if (!core.canonical(core.r.rip)) return core.raise(13, 0), nullptr;
    } else if (core.r.rip > cs.limit)
        return core.raise(13, 0), nullptr;
    const u64 linear = long64 ? core.r.rip : (cs.base + core.r.rip) & 0xFFFFFFFF;
    u64 fetched = 0;
    if (!core.translate_code(linear, fetched)) return nullptr;
    if (!core.options.block_cache) core.code_cache.flush(), core.flush_fast();
    const PhysicalPage memory = core.physical_page(fetched);
    const u64 physical = key_page(memory, fetched) | (linear & 0xFFF);
    const BlockKey key = current_key(core, physical, precise);
    PhysicalPage second;
    u64 second_page = 0;
    const auto find_second = [&] {
        u64 next = (linear | 0xFFF) + 1;
        if (!long64) next &= 0xFFFFFFFF;
        u64 first_byte = 0;
        if (!core.translate_code(next, first_byte)) return false;
        second = core.physical_page(first_byte);
        second_page = key_page(second, first_byte);
        return true;
    };
    if (Block* found = core.code_cache.find(key)) {
        if (found->second_page == ~u64{0}) {
            if (long64 || found->rip + found->length - 1 <= cs.limit) return found;
        } else {
            if (!find_second()) return nullptr;
            if (found->second_page == second_page) return found;
            core.code_cache.drop(found); // the second page moved: decode again
        }
    }
    if (core.code_cache.full()) core.code_cache.flush();

    // The bytes of this page, and of the next one only if an instruction needs it.
    u8 window[0x1000 + 16];
    const unsigned here = 0x1000 - static_cast<unsigned>(physical & 0xFFF);
    const auto fetch = [&](const PhysicalPage& page, unsigned offset, unsigned size, u8* out) {
        if (page.host)
            std::memcpy(out, page.host + offset, size);
        else
            std::memset(out, 0xFF, size); // nothing there: all ones
    };
    const unsigned want = std::min(here, 1024u);
    fetch(memory, physical & 0xFFF, want, window);
    unsigned available = want;
    if (!long64) available = static_cast<unsigned>(std::min<u64>(available, u64{cs.limit} - core.r.rip + 1));
    Builder builder(core, key);
    Block* block = builder.build({window, available}, precise);
    if (!block) {
        if (builder.failure() == DecodeResult::TooLong || available < here) return core.raise(13, 0), nullptr;
        // One instruction crosses into the next page.
        if (!find_second()) return nullptr;
        unsigned more = 15;
        if (!long64) more = static_cast<unsigned>(std::min<u64>(more, u64{cs.limit} - core.r.rip + 1 - here));
        fetch(second, 0, more, window + here);
        Builder crossing(core, key);
        block = crossing.build({window, std::min(here + more, 15u)}, true);
        if (!block) return core.raise(13, 0), nullptr;
        block->second_page = second_page;
    }
    core.code_cache.insert(block, memory.host, second.host);
    ++core.counters.blocks_built;
    return block;
}

} // namespace vitrine::cpu
