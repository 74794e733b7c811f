// Archive: what save writes, load reads back; damage is an error, never a crash.
#include "cpu/base/archive.h"
#include <gtest/gtest.h>

using namespace vitrine;

namespace {
struct Thing {
    u32 a = 1;
    bool b = true;
    std::array<u16, 3> c{1, 2, 3};
    std::vector<u8> d{9, 8};
    void serialize(Archive& archive) {
        archive.section("thing", 2);
        archive(a, b, c);
        archive.vector(d, 16);
    }
    bool operator==(const Thing&) const = default;
};
} // namespace

TEST(Archive, RoundTrip) {
    Thing saved{7, false, {4, 5, 6}, {1, 2, 3}};
    Archive out = Archive::saver();
    out(saved);
    auto bytes = out.take();
    Thing loaded;
    Archive in = Archive::loader(bytes);
    in(loaded);
    EXPECT_TRUE(in.ok() && in.at_end()) << in.error();
    EXPECT_EQ(saved, loaded);
}

TEST(Archive, EveryTruncationIsAnError) {
    Thing saved;
    Archive out = Archive::saver();
    out(saved);
    auto bytes = out.take();
    for (std::size_t n = 0; n < bytes.size(); ++n) {
        Thing loaded;
        Archive in = Archive::loader(std::span(bytes).first(n));
        in(loaded);
        EXPECT_FALSE(in.ok()) << n;
    }
}

TEST(Archive, DigestDependsOnEveryField) {
    auto digest = [](Thing t) {
        Archive a = Archive::digester();
        a(t);
        return a.digest();
    };
    EXPECT_EQ(digest({}), digest({}));
    EXPECT_NE(digest({}), digest({2, true, {1, 2, 3}, {9, 8}}));
    EXPECT_NE(digest({}), digest({1, false, {1, 2, 3}, {9, 8}}));
    EXPECT_NE(digest({}), digest({1, true, {1, 2, 3}, {9}}));
}
