// libFuzzer: one chip under register traffic and descriptors that the input's bytes choose
// (tests/devices/chip_rigs.cpp): nothing may crash, and a chip that was saved and restored on the way must
// end in the same state as one that was not.
// `--chip=NAME` names it; without, the first byte chooses.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include "tests/devices/chip_rigs.h"

using namespace vitrine;
using namespace vitrine::devices::test;

namespace {
const Kind* only = nullptr;
}

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
    GTEST_FLAG_SET(break_on_failure, true); // the rigs' own expectations
    for (int i = 1; i < *argc; ++i) {
        if (std::strncmp((*argv)[i], "--chip=", 7) != 0) continue;
        for (const Kind& kind : chip_kinds())
            if (std::strcmp(kind.name, (*argv)[i] + 7) == 0) only = &kind;
        if (!only) std::fprintf(stderr, "no chip has that name\n"), std::exit(64);
    }
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    std::span<const u8> tape(data, size);
    if (tape.size() < 2) return 0;
    const Kind& kind = only ? *only : chip_kinds()[tape[0] % chip_kinds().size()];
    Random random{tape[1], tape.subspan(2)};
    Rig first;
    kind.build(first);
    while (random.tape.size() > size / 2) first.exercise(random, 1);
    Rig second;
    kind.build(second);
    if (!second.load(first.save()) || first.digest() != second.digest()) std::abort();
    first.seen = second.seen = 0;
    Random other = random;
    for (; !random.tape.empty(); first.exercise(random, 1)) {
    }
    for (; !other.tape.empty(); second.exercise(other, 1)) {
    }
    if (first.seen != second.seen || first.digest() != second.digest()) std::abort();
    first.chip->describe();
    first.chip->reset();
    first.exercise(random, 20);
    return 0;
}
