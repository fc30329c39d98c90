#include "support/golden.h"

#include <tapegrad/ops.h>

namespace tapegrad {
namespace {

TEST(Golden, HoldsTensorsAndSettings) {
  const Golden g = golden("layer_norm/basic");
  EXPECT_EQ(g["input"].dtype(), float64);
  EXPECT_EQ(g.number("eps"), 1e-5);
  EXPECT_EQ(g.sizes("normalized_shape"), Shape{g["input"].size(-1)});
  EXPECT_THAT(g.names("param/"), ::testing::ElementsAre("bias", "weight"));
  EXPECT_THROW(g["nothing"], std::out_of_range);
}

TEST(Golden, MatchesTanhWithItsGradient) {
  const Golden g = golden("op/tanh");
  expect_matches(g, {"input"}, [](const std::vector<Tensor>& in) { return std::vector{tanh(in[0])}; });
}

}  // namespace
}  // namespace tapegrad
