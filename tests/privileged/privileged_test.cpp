// Runs the privileged programs on Vitrine, where every row must hold, and on QEMU's TCG, whose differences
// from the manual are an exact list (peer_differences.txt): a row that no longer differs, or one that starts
// to, fails the test.
#include <array>
#include <cstdio>
#include <fstream>
#include <gtest/gtest.h>
#include <set>
#include <sstream>
#include <string>
#include <vector>
#include "cpu/cpu.h"

namespace {

struct Report {
    std::set<std::string> differences; ///< "topic: row" of FAIL and SKIP lines
    std::string text;
    bool done = false;
    unsigned passed = 0;
};

Report run(const std::string& command) {
    Report report;
    FILE* pipe = popen(command.c_str(), "r");
    if (!pipe) return report;
    std::array<char, 4096> buffer{};
    while (const std::size_t n = fread(buffer.data(), 1, buffer.size(), pipe))
        report.text.append(buffer.data(), n);
    pclose(pipe);
    std::istringstream lines(report.text);
    for (std::string line; std::getline(lines, line);) {
        if (!line.empty() && line.back() == '\r') line.pop_back();
        if (line.starts_with("FAIL ") || line.starts_with("SKIP "))
            report.differences.insert(line.substr(5, line.find(" -- ") - 5));
        if (line.starts_with("DONE passed ")) {
            report.done = true;
            report.passed = static_cast<unsigned>(std::stoul(line.substr(12), nullptr, 16));
        }
    }
    return report;
}
std::string image(const std::string& program) {
    return std::string(VITRINE_PROGRAMS) + "/" + program + ".bin";
}

void every_row_holds(const std::string& program, unsigned at_least, const std::string& model = "v3") {
    const Report report =
        run(std::string(VITRINE_BINARY) + " --headless --cpu " + model +
            " --no-reboot --serial stdio --limit-seconds 60 --bios " + image(program) + " 2>/dev/null");
    EXPECT_TRUE(report.done) << report.text;
    EXPECT_TRUE(report.differences.empty()) << report.text;
    EXPECT_GE(report.passed, at_least);
    std::printf("%s: %u assertions hold\n", program.c_str(), report.passed);
}

/// The rows of one program in the list: under "[program]", lines that start with two spaces; the rest are
/// reasons.
std::set<std::string> listed(const std::string& program) {
    std::set<std::string> rows;
    std::ifstream file(VITRINE_PEER_LIST);
    EXPECT_TRUE(file.good());
    bool here = false;
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("[")) // `wide` has the rows of `long`, and more
            here = line == "[" + program + "]" || (program == "wide" && line == "[long]");
        else if (here && line.starts_with("  "))
            rows.insert(line.substr(2));
    }
    return rows;
}

void peer_differs_as_listed(const std::string& program, const std::string& features = ",la57=off") {
    const Report report = run("timeout 60 qemu-system-x86_64 -accel tcg -machine q35 "
                              "-cpu max,vendor=GenuineIntel" +
                              features +
                              " -m 128 -display none -nodefaults -no-reboot "
                              "-serial stdio -device isa-debug-exit,iobase=0xf4,iosize=4 -bios " +
                              image(program) + " 2>/dev/null");
    ASSERT_TRUE(report.done) << report.text;
    const std::set<std::string> expected = listed(program);
    for (const std::string& row : report.differences)
        if (!expected.contains(row)) ADD_FAILURE() << "QEMU says otherwise: " << row;
    for (const std::string& row : expected)
        if (!report.differences.contains(row)) ADD_FAILURE() << "QEMU agrees with: " << row;
    EXPECT_GT(report.passed, 2 * expected.size()) << "a peer that agrees with nothing proves nothing";
    std::printf("%s: QEMU agrees with %u assertions and differs in %zu rows\n", program.c_str(),
                report.passed, report.differences.size());
}

} // namespace

TEST(Privileged, LongModeProgram) { every_row_holds("long", 900); }
TEST(Privileged, LongModeProgramOnThePeer) { peer_differs_as_listed("long"); }
TEST(Privileged, WideProgram) {
    if (!vitrine::cpu::host_runs(vitrine::cpu::Model::Max))
        GTEST_SKIP() << "this host lacks " << vitrine::cpu::host_lacks(vitrine::cpu::Model::Max);
    every_row_holds("wide", 1000, "max");
}
TEST(Privileged, WideProgramOnThePeer) { peer_differs_as_listed("wide", ""); }
TEST(Privileged, LegacyProgram) { every_row_holds("legacy", 340); }
TEST(Privileged, LegacyProgramOnThePeer) { peer_differs_as_listed("legacy"); }
