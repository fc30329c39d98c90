#include <tapegrad/nn/embedding.h>
#include <tapegrad/nn/init.h>
#include <tapegrad/ops.h>

#include "core/fail.h"

namespace tapegrad::nn {

namespace {

Tensor initial_table(int64_t rows, int64_t d, std::optional<int64_t> padding_idx) {
  if (rows < 0 || d < 0)
    fail<ValueError>("Embedding", "num_embeddings and embedding_dim must not be negative, got {} and {}",
                     rows, d);
  if (padding_idx && (*padding_idx < -rows || *padding_idx >= rows))
    fail<IndexError>("Embedding", "padding_idx must be in [{}, {}), got {}", -rows, rows, *padding_idx);
  Tensor weight = init::normal(empty({rows, d}));
  if (padding_idx) {
    const int64_t row = *padding_idx < 0 ? *padding_idx + rows : *padding_idx;
    for (float& value : weight.mutable_data<float>().subspan(size_t(row * d), size_t(d))) value = 0;
  }
  return weight;
}

}  // namespace

Embedding::Embedding(int64_t num_embeddings, int64_t embedding_dim, EmbeddingOptions options)
    : weight(add_parameter("weight", initial_table(num_embeddings, embedding_dim, options.padding_idx))),
      padding_idx_(options.padding_idx) {
  describe(fmt::format("{}, {}{}", num_embeddings, embedding_dim,
                       padding_idx_ ? fmt::format(", padding_idx={}", *padding_idx_) : ""));
}

Tensor Embedding::forward(const Tensor& index) {
  return embedding(weight, index, {.padding_idx = padding_idx_});
}

}  // namespace tapegrad::nn
