// Instruction-set extensions and the processor models that offer them.
//
// One list serves the decoder's rows (a row whose feature the model lacks is #UD), CPUID (state/cpuid.cpp
// names the bit of each) and the tests. Models follow the x86-64 psABI's levels; `max` is v3 and everything
// else that is implemented.
#pragma once
#include <optional>
#include <string_view>
#include "cpu/base/types.h"

namespace vitrine::cpu {

enum class Feature : u8 {
    Baseline, ///< x86-64-v1: always there
    Sse3,
    Ssse3,
    Sse41,
    Sse42,
    Popcnt,
    Avx,
    Avx2,
    Fma,
    F16c,
    Bmi1,
    Bmi2,
    Lzcnt,
    Movbe,
    Xsaveopt,
    Xsavec,
    Xsaves,
    Aes,
    Pclmulqdq,
    Rdrand,
    Rdseed,
    Adx,
    Clflushopt,
    Clwb,
    Rdpid,
    Sha,
    Vaes,
    Vpclmulqdq,
    La57, ///< 5-level paging
    Pku,  ///< protection keys for user pages
    None, ///< of a form that does not exist; no model offers it
};

enum class Model : u8 { V1, V2, V3, Max };

inline constexpr std::string_view ModelNames[] = {"v1", "v2", "v3", "max"};
constexpr std::string_view model_name(Model model) { return ModelNames[static_cast<unsigned>(model)]; }
constexpr std::optional<Model> model_named(std::string_view name) {
    for (unsigned i = 0; i < std::size(ModelNames); ++i)
        if (ModelNames[i] == name) return static_cast<Model>(i);
    return std::nullopt;
}

using FeatureSet = u64;
constexpr FeatureSet feature_bit(Feature f) { return u64{1} << static_cast<unsigned>(f); }
/// Every feature up to and including `last`.
constexpr FeatureSet features_up_to(Feature last) { return 2 * feature_bit(last) - 1; }

constexpr FeatureSet features_of(Model model) {
    switch (model) {
    case Model::V1: return feature_bit(Feature::Baseline);
    case Model::V2: return features_up_to(Feature::Popcnt);
    case Model::V3: return features_up_to(Feature::Xsaves);
    case Model::Max: return features_up_to(Feature::Pku);
    }
    return 0;
}
constexpr bool offers(FeatureSet set, Feature f) { return set & feature_bit(f); }

} // namespace vitrine::cpu
