// CFS's arithmetic against Linux's documented figures.
#include "sched/fair_math.h"

#include <gtest/gtest.h>

using namespace kernel;

namespace {

TEST(KernelFairMath, EachNiceStepIsAboutAQuarter) {
    EXPECT_EQ(weight_of_nice(0), 1024U);
    EXPECT_EQ(weight_of_nice(-20), 88761U);
    EXPECT_EQ(weight_of_nice(19), 15U);
    EXPECT_EQ(weight_of_nice(100), 15U);
    EXPECT_EQ(weight_of_nice(-100), 88761U);
    for (i32 nice = MIN_NICE; nice < MAX_NICE; nice++) {
        double ratio =
            static_cast<double>(weight_of_nice(nice)) / static_cast<double>(weight_of_nice(nice + 1));
        EXPECT_GT(ratio, 1.18) << nice;
        EXPECT_LT(ratio, 1.32) << nice;
    }
}

TEST(KernelFairMath, VirtualTimeRunsSlowerForTheHeavy) {
    EXPECT_EQ(calc_delta_fair(1'000'000, 1024), 1'000'000U);
    EXPECT_EQ(calc_delta_fair(1'000'000, 2048), 500'000U);
    EXPECT_EQ(calc_delta_fair(1'000'000, 512), 2'000'000U);
}

TEST(KernelFairMath, ThePeriodStretchesBeyondEightTasks) {
    EXPECT_EQ(__sched_period(1, sysctl_sched_latency, sysctl_sched_min_granularity), 6'000'000U);
    EXPECT_EQ(__sched_period(8, sysctl_sched_latency, sysctl_sched_min_granularity), 6'000'000U);
    EXPECT_EQ(__sched_period(9, sysctl_sched_latency, sysctl_sched_min_granularity), 6'750'000U);
}

TEST(KernelFairMath, SlicesShareThePeriodByWeight) {
    EXPECT_EQ(time_slice(3, 1024, 3072, sysctl_sched_latency, sysctl_sched_min_granularity), 2'000'000U);
    EXPECT_EQ(time_slice(2, 1024, 1024 + 335, sysctl_sched_latency, sysctl_sched_min_granularity),
              6'000'000ULL * 1024 / 1359);
    EXPECT_EQ(time_slice(1, 1024, 0, sysctl_sched_latency, sysctl_sched_min_granularity), 6'000'000U);
}

TEST(KernelFairMath, CpuFactorIsOnePlusLog2) {
    EXPECT_EQ(get_update_sysctl_factor(1), 1U);
    EXPECT_EQ(get_update_sysctl_factor(2), 2U);
    EXPECT_EQ(get_update_sysctl_factor(4), 3U);
    EXPECT_EQ(get_update_sysctl_factor(8), 4U);
    EXPECT_EQ(get_update_sysctl_factor(64), 4U);
}

TEST(KernelFairMath, VruntimeComparisonSurvivesWrapping) {
    EXPECT_TRUE(runs_before(1, 2));
    EXPECT_FALSE(runs_before(2, 1));
    EXPECT_TRUE(runs_before(~u64{0}, 5));
    EXPECT_EQ(max_vruntime(~u64{0}, 5), 5U);
    EXPECT_EQ(min_vruntime(~u64{0}, 5), ~u64{0});
}

} // namespace
