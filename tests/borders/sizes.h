// The numbers at which the code cuts work into pieces, takes vectors of lanes or goes another way, and the sizes that lie
// around them. Borders.AreThoseOfTheCode, in sizes_test.cpp, finds each in the file that it comes from: whoever changes one
// there changes it here.
#pragma once
#include <cstdint>
#include <vector>

namespace tapegrad::borders {

inline constexpr int64_t kElementwise = 32768;  // elements of a chunk of an elementwise operation, and of dropout
inline constexpr int64_t kFinite = 65536;       // elements that one thread looks at for NaN, and whose squares it adds
inline constexpr int64_t kFold = 32768;         // elements of a chunk of a reduction
inline constexpr int64_t kFoldColumns = 64;     // columns that a reduction folds side by side
inline constexpr int64_t kSumStrip = 1024;      // columns that a sum has on the stack
inline constexpr int64_t kBestStrip = 256;      // columns that a maximum has on the stack
inline constexpr int64_t kLanes = 32;           // lanes of a sum of one row; 8 take what is left
inline constexpr int64_t kSoftmax = 8192;       // elements of a chunk of softmax
inline constexpr int64_t kExponentials = 512;   // exponentials of a block of logsumexp
inline constexpr int64_t kCrossEntropy = 32768;
inline constexpr int64_t kNorm = 32768;              // elements of a chunk of layer and RMS norm ...
inline constexpr int64_t kNormChunks = 32;           // ... of which there are no more than this
inline constexpr int64_t kBatchRows = 64;            // rows of a block of batch norm, where a channel is a column ...
inline constexpr int64_t kBatchParts = 32;           // ... of which there are no more than this ...
inline constexpr int64_t kBatchWide = 1024;          // ... and its channels
inline constexpr int64_t kBatchTile = 256;           // columns of a tile
inline constexpr int64_t kBatchSpans = 32768;        // elements of a block of batch norm, where a channel is spans
inline constexpr int64_t kStreamed = 8 << 20;        // bytes of an array that is written past the caches
inline constexpr int64_t kOptimizer = 16384;         // elements of a chunk of an optimizer's step
inline constexpr int64_t kRowBytes = 131072;         // bytes of a chunk of rows that are gathered into a batch
inline constexpr int64_t kTransposed = 16;           // rows and columns of a tile of a transposed copy
inline constexpr int64_t kBatchedProduct = 1 << 19;  // multiplications of a chunk of small products
inline constexpr int64_t kRecurrentWork = 1 << 21;   // multiplications below which a layer is one block ...
inline constexpr int64_t kRecurrentRows = 16;        // ... else blocks have so many rows, or twice as many ...
inline constexpr int64_t kRecurrentLarge = 1 << 18;  // ... where there are more weights than this
inline constexpr int64_t kWeightRows = 128;          // rows of one product of the recurrent weights' gradient
inline constexpr int64_t kAttentionQueries = 64;     // queries of a block of attention ...
inline constexpr int64_t kAttentionScores = 8192;    // ... and its scores
inline constexpr int64_t kConvTerms = 256;           // terms of a block of a convolution's sum ...
inline constexpr int64_t kConvPixels = 128;          // ... its pixels ...
inline constexpr int64_t kConvChunks = 8;            // ... and chunks of images
inline constexpr int64_t kConvFew = 4;               // channels below which a tap is a pass over pixels
inline constexpr int64_t kPoolWindows = 16;          // windows of a maximum side by side: the lanes of AVX-512
inline constexpr int64_t kNormedRow = 256;           // elements of a row that are added up in one go, in float32

/// One below, at and one above the end of the first chunk, and at and behind that of the second: one to three chunks.
inline std::vector<int64_t> around(int64_t chunk) { return {chunk - 1, chunk, chunk + 1, 2 * chunk, 2 * chunk + 1}; }

/// One below, at and one above each border.
inline std::vector<int64_t> beside(const std::vector<int64_t>& borders) {
  std::vector<int64_t> sizes;
  for (int64_t border : borders)
    for (int64_t size : {border - 1, border, border + 1})
      if (size > 0) sizes.push_back(size);
  return sizes;
}

}  // namespace tapegrad::borders
