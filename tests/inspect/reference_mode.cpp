// In reference mode a layer is made of simple operations, which have other names than the fused ones that these tests look for.
#include <gtest/gtest.h>
#include <tapegrad/tape.h>

namespace {

struct SkipInReferenceMode : ::testing::Environment {
  void SetUp() override {
    if (tapegrad::reference_mode()) GTEST_SKIP() << "skipped: in reference mode there are no fused operations";
  }
};
[[maybe_unused]] const ::testing::Environment* const skip =
    ::testing::AddGlobalTestEnvironment(new SkipInReferenceMode);

}  // namespace
