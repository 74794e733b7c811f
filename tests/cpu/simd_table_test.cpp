// The SIMD table says one thing about each encoding: no two rows claim the same one, every row is found, and
// what it needs to run is there. (That each does what the manual says is tests/silicon's to judge.)
#include <map>
#include <set>
#include <string>
#include <gtest/gtest.h>
#include "cpu/exec/simd/table.h"

using namespace vitrine;
using namespace vitrine::cpu::simd;

namespace {

bool overlap(const Row& a, const Row& b) {
    const bool digits = a.digit < 0 || b.digit < 0 || a.digit == b.digit;
    const bool operands = a.rm == Rm::Either || b.rm == Rm::Either || a.rm == b.rm;
    const bool widths = a.w == W::Ignored || b.w == W::Ignored || a.w == b.w;
    return digits && operands && widths;
}
template <class F> void each_row(F&& visit) {
    for (const auto& family : families())
        for (const Row& row : family) visit(row);
}

} // namespace

TEST(SimdTable, NoTwoRowsClaimTheSameEncoding) {
    std::map<unsigned, std::vector<const Row*>> by_key;
    each_row([&](const Row& row) { by_key[row.map << 16 | row.prefix << 8 | row.opcode].push_back(&row); });
    for (const auto& [key, rows] : by_key)
        for (std::size_t i = 0; i < rows.size(); ++i)
            for (std::size_t j = i + 1; j < rows.size(); ++j)
                for (Encoding e : {Encoding::Legacy, Encoding::Vex128, Encoding::Vex256})
                    EXPECT_FALSE(rows[i]->has(e) && rows[j]->has(e) && overlap(*rows[i], *rows[j]))
                        << rows[i]->mnemonic << " and " << rows[j]->mnemonic << ", key " << std::hex << key;
}
TEST(SimdTable, AFormThatExistsHasAHandlerAndACost) {
    unsigned forms = 0;
    each_row([&](const Row& row) {
        for (unsigned e = 0; e < Encodings; ++e) {
            const bool exists = row.has(static_cast<Encoding>(e));
            forms += exists;
            if (exists) EXPECT_NE(row.handlers.any[e], nullptr) << row.mnemonic << " " << e;
        }
        EXPECT_GE(row.cost, 1) << row.mnemonic;
        EXPECT_LE(row.map, 3);
        if (row.map == 3)
            EXPECT_EQ(row.imm, cpu::Imm::Ub) << row.mnemonic << ": all of 0F 3A has an immediate";
        if (row.map == 2) EXPECT_EQ(row.imm, cpu::Imm::None) << row.mnemonic << ": none of 0F 38 has one";
    });
    EXPECT_GT(forms, 1000u);
}
TEST(SimdTable, TheImmediateIsKnownBeforeTheOperand) {
    // The decoder asks by map and opcode alone: prefixes must agree on it.
    std::map<unsigned, std::set<cpu::Imm>> seen;
    each_row([&](const Row& row) { seen[row.map << 8 | row.opcode].insert(row.imm); });
    for (const auto& [opcode, kinds] : seen) EXPECT_EQ(kinds.size(), 1u) << std::hex << opcode;
}
