#pragma once
#include <optional>

#include <tapegrad/nn/module.h>

namespace tapegrad::nn {

struct EmbeddingOptions {
  std::optional<int64_t> padding_idx = {};  ///< a row that begins as zeros and gets no gradient
};

/// A table of vectors, looked up by index: see embedding().
///
/// **Shape**: index [...] int64 in [0, num_embeddings), y [..., embedding_dim]; weight [num_embeddings,
/// embedding_dim], which begins normal with variance 1, as in PyTorch.
/// **Throws** IndexError for an index, or a padding_idx, outside the table; ValueError for negative sizes.
/// **Gradient**: of weight, the sum of dy over the places where a row was looked up; row padding_idx gets none.
///
///     nn::Embedding embed = add("embed", nn::Embedding(vocabulary, 32, {.padding_idx = 0}));
struct Embedding : Module<Embedding> {
  Embedding(int64_t num_embeddings, int64_t embedding_dim, EmbeddingOptions options = {});
  Tensor forward(const Tensor& index);

  Parameter weight;

 private:
  std::optional<int64_t> padding_idx_;
};

}  // namespace tapegrad::nn
