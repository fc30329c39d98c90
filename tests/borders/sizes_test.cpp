// The borders that the tests of this folder go to are those of the code.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "borders/sizes.h"

namespace tapegrad::borders {
namespace {

struct Border {
  int64_t value;
  const char *file, *text;  // as the code says it
};

const Border kBorders[] = {
    {kElementwise, "compute/elementwise.h", "kElementwiseGrain = 32768;"},
    {kElementwise, "compute/dropout.cpp", "parallel_rows(x.numel(), kElementwiseGrain,"},
    {kFinite, "compute/finite.cpp", "kChunk = 1 << 16;"},
    {kFold, "kernels/loops/fold.h", "fold_grain = 32768;"},
    {kFoldColumns, "kernels/loops/fold.h", "fold_columns = 64;"},
    {kSumStrip, "kernels/loops/reduce.h", "strip = 1024;"},
    {kBestStrip, "kernels/loops/reduce.h", "strip = 256;"},
    {kLanes, "kernels/loops/reduce.h", "fold_columns(n / 32, 32, 32,"},
    {kLanes, "kernels/vector/lanes.h", "i + 32 <= n"},
    {kSoftmax, "compute/softmax.cpp", "kGrain = 8192;"},
    {kExponentials, "kernels/softmax.cpp", "block = 512;"},
    {kCrossEntropy, "compute/softmax.cpp", "return 32768 / std::max<int64_t>(classes, 1);"},
    {kNorm, "compute/norm.cpp", "32768 / d, (n + 31) / 32"},
    {kBatchRows, "compute/batch_norm.cpp", "std::max<int64_t>(64, (n + 31) / 32)"},
    {kBatchWide, "compute/batch_norm.cpp", "columns ? 1024 : std::max<int64_t>(32768 /"},
    {kBatchTile, "kernels/norm/batch_norm.cpp", "tile_width = 256;"},
    {kStreamed, "kernels/vector/stream.h", "int64_t{8} << 20"},
    {kOptimizer, "compute/optim_step.cpp", "kChunk = 1 << 14;"},
    {kRowBytes, "compute/indexed.cpp", "kGrain = 1 << 17;"},
    {kTransposed, "kernels/loops/strided.h", "tile = 16;"},
    {kBatchedProduct, "compute/product.cpp", "kBatchGrain = 1 << 19;"},
    {kRecurrentWork, "kernels/recurrent/recurrent.cpp", "weights < (1 << 21);"},
    {kRecurrentRows, "kernels/recurrent/recurrent.cpp", "weights > (1 << 18) ? 32 : 16;"},
    {kWeightRows, "kernels/recurrent/recurrent.cpp", "kWeightRows = 128;"},
    {kAttentionQueries, "kernels/attention.h", "attention_queries = 64,"},
    {kAttentionScores, "kernels/attention.h", "attention_scores = 8192;"},
    {kConvTerms, "kernels/gemm/gathered.cpp", "k_block = 256;"},
    {kConvPixels, "kernels/gemm/gathered.cpp", "i_block = 128;"},
    {kConvChunks, "compute/conv.cpp", "most_chunks = 8;"},
    {kConvFew, "compute/conv.cpp", "few = 4;"},
    {kPoolWindows, "kernels/conv/pool.cpp", "block = lanes<I, T>;"},
    {kNormedRow, "kernels/norm/row_norm.h", "block = 256;"},
};

TEST(Borders, AreThoseOfTheCode) {
  for (const Border& border : kBorders) {
    std::ifstream file(std::string(TAPEGRAD_SOURCE_DIR "/src/") + border.file);
    std::ostringstream text;
    text << file.rdbuf();
    EXPECT_NE(text.str().find(border.text), std::string::npos)
        << border.file << " says no more '" << border.text << "': put the new number into borders/sizes.h, where "
        << border.value << " stands for it";
  }
}

}  // namespace
}  // namespace tapegrad::borders
