#include "support/golden.h"

#include <fmt/format.h>
#include <tapegrad/io.h>
#include <tapegrad/ops.h>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

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

TEST(Golden, ReadsTheFolderThatTheEnvironmentNames) {
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("tapegrad_golden_{}", ::getpid());
  std::filesystem::create_directories(folder / "op");
  save((folder / "op" / "tanh.safetensors").string(), {{"input", tensor({0.5}, {.dtype = float64})}}, {{"a", "1"}});
  const char* before = std::getenv("TAPEGRAD_GOLDEN");
  const std::string kept = before ? before : "";
  ::setenv("TAPEGRAD_GOLDEN", folder.c_str(), 1);
  const Golden g = golden("op/tanh");
  ::setenv("TAPEGRAD_GOLDEN", kept.c_str(), 1);
  std::filesystem::remove_all(folder);
  EXPECT_EQ(g["input"].item(), 0.5);
  EXPECT_EQ(g.integer("a"), 1);
}

TEST(Golden, MatchesTanhWithItsGradient) {
  const Golden g = golden("op/tanh");
  expect_matches(g, {"input"}, [](const std::vector<Tensor>& in) { return std::vector{tanh(in[0])}; });
}

}  // namespace
}  // namespace tapegrad
