#include <tapegrad/nn/embedding.h>
#include <tapegrad/nn/init.h>
#include <tapegrad/nn/position.h>
#include <tapegrad/ops.h>

#include <cmath>

#include "core/fail.h"

namespace tapegrad::nn {

Embedding::Embedding(int64_t num_embeddings, int64_t embedding_dim, EmbeddingOptions options)
    : padding_idx_(options.padding_idx) {
  const int64_t n = num_embeddings, d = embedding_dim;
  if (n < 0 || d < 0)
    fail<ValueError>("Embedding", "num_embeddings and embedding_dim must not be negative, got {} and {}", n, d);
  if (padding_idx_ && (*padding_idx_ < -n || *padding_idx_ >= n))
    fail<IndexError>("Embedding", "padding_idx must be in [{}, {}), got {}", -n, n, *padding_idx_);
  const Tensor table = init::normal(empty({n, d}));
  if (padding_idx_) table[*padding_idx_].fill_(0);
  weight = add_parameter("weight", table);
  describe(fmt::format("{}, {}{}", n, d, padding_idx_ ? fmt::format(", padding_idx={}", *padding_idx_) : ""));
}

Tensor Embedding::forward(const Tensor& index) { return embedding(weight, index, {.padding_idx = padding_idx_}); }

namespace {

// The angle of each pair of features at the positions from `first` on, [length, size / 2] in float64.
Tensor angles(int64_t first, int64_t length, int64_t size, double base) {
  const Tensor t = arange(double(first), double(first + length), 1, {.dtype = float64});
  const Tensor pair = arange(0.0, double(size / 2), 1, {.dtype = float64});
  return t.unsqueeze(1) * exp(pair * (-2 * std::log(base) / double(size)));
}

}  // namespace

Tensor sinusoidal_positions(int64_t length, int64_t size, TensorOptions options) {
  if (length < 1 || size < 2 || size % 2 != 0)
    fail<ValueError>("sinusoidal_positions", "length must be positive and size positive and even, got {} and {}",
                     length, size);
  const Tensor angle = angles(0, length, size, 10000);
  Tensor table = stack({sin(angle), cos(angle)}, -1).reshape({length, size}).to(options.dtype);
  return options.requires_grad ? table.set_requires_grad() : table;
}

Tensor rotary(const Tensor& x, RotaryOptions options) {
  if (x.dim() < 2 || x.size(-1) % 2 != 0)
    fail<ShapeError>("rotary", "x must be [..., T, E] with an even E, got {}", x.shape());
  const Tensor angle = angles(options.first, x.size(-2), x.size(-1), options.base);
  const Tensor c = cos(angle).to(x.dtype()), s = sin(angle).to(x.dtype());
  const Tensors half = split(x, {x.size(-1) / 2, x.size(-1) / 2}, -1);
  return concat({half[0] * c - half[1] * s, half[1] * c + half[0] * s}, -1);
}

LearnedPositions::LearnedPositions(int64_t max_length, int64_t embedding_dim) {
  if (max_length < 1 || embedding_dim < 1)
    fail<ValueError>("LearnedPositions", "max_length and embedding_dim must be positive, got {} and {}", max_length,
                     embedding_dim);
  weight = add_parameter("weight", init::normal(empty({max_length, embedding_dim}), 0, 0.02));
  describe(fmt::format("{}, {}", max_length, embedding_dim));
}

Tensor LearnedPositions::forward(const Tensor& x, int64_t first) {
  if (x.dim() < 2 || x.size(-1) != weight.size(1))
    fail<ShapeError>("", "x must be [..., T, {}], got {}", weight.size(1), x.shape());
  if (first < 0 || first + x.size(-2) > weight.size(0))
    fail<IndexError>("", "positions must be in [0, {}), got {} from {} on", weight.size(0), x.size(-2), first);
  return x + narrow(weight, 0, first, x.size(-2));
}

}  // namespace tapegrad::nn
