#include <tapegrad/nn/embedding.h>
#include <tapegrad/nn/init.h>
#include <tapegrad/ops.h>

#include "core/fail.h"

namespace tapegrad::nn {

Embedding::Embedding(int64_t num_embeddings, int64_t embedding_dim, EmbeddingOptions options)
    : padding_idx_(options.padding_idx) {
  const int64_t n = num_embeddings, d = embedding_dim;
  if (n < 0 || d < 0)
    fail<ValueError>("Embedding", "num_embeddings and embedding_dim must not be negative, got {} and {}", n,
                     d);
  if (padding_idx_ && (*padding_idx_ < -n || *padding_idx_ >= n))
    fail<IndexError>("Embedding", "padding_idx must be in [{}, {}), got {}", -n, n, *padding_idx_);
  const Tensor table = init::normal(empty({n, d}));
  if (padding_idx_) table[*padding_idx_].fill_(0);
  weight = add_parameter("weight", table);
  describe(fmt::format("{}, {}{}", n, d, padding_idx_ ? fmt::format(", padding_idx={}", *padding_idx_) : ""));
}

Tensor Embedding::forward(const Tensor& index) {
  return embedding(weight, index, {.padding_idx = padding_idx_});
}

}  // namespace tapegrad::nn
