// Where a token stands: attention itself does not know the order of its keys.
#pragma once
#include <tapegrad/nn/module.h>

namespace tapegrad::nn {

/// The table of the positions 0 ... length - 1, to be added to embeddings [..., length, size]:
///
///     table[t, 2i] = sin(t / 10000^(2i / size))     table[t, 2i + 1] = cos(t / 10000^(2i / size))
///
/// **Shape**: [length, size]. **Throws** ValueError unless size is even and both are positive.
/// **Source**: Vaswani et al. 2017, arXiv:1706.03762, section 3.5.
Tensor sinusoidal_positions(int64_t length, int64_t size, TensorOptions options = {});

struct RotaryOptions {
  int64_t first = 0;    ///< the position of row 0
  double base = 10000;  ///< the slowest pair turns by about 1 / base radians a position
};

/// Turns each pair of features (x_i, x_{i + E/2}) by the angle (first + t) base^(-2i / E), row t of x. Of queries and keys
/// turned so only the distance remains in their product.
///
///     y_i = x_i cos - x_{i + E/2} sin     y_{i + E/2} = x_{i + E/2} cos + x_i sin
///
/// **Shape**: x [..., T, E], y the same. **Throws** ShapeError unless E is even. **Gradient**: dy turned back.
/// **Source**: Su et al. 2021, "RoFormer", arXiv:2104.09864, equation 34, whose pairs are (x_2i, x_2i+1): the same but
/// for the order of the features. The halves are those of GPT-NeoX and LLaMA.
Tensor rotary(const Tensor& x, RotaryOptions options = {});

/// A learned vector for each position: y = x + weight[first ... first + T - 1].
///
/// **Shape**: x [..., T, embedding_dim], y the same; weight [max_length, embedding_dim], which begins normal with standard
/// deviation 0.02. **Throws** ShapeError where x does not fit; IndexError beyond max_length; ValueError for sizes below 1.
/// **Gradient**: dx = dy, dweight the sum of dy over the leading axes. **Source**: Gehring et al. 2017, arXiv:1705.03122;
/// Radford et al. 2018 for the deviation.
struct LearnedPositions : Module<LearnedPositions> {
  LearnedPositions(int64_t max_length, int64_t embedding_dim);
  Tensor forward(const Tensor& x, int64_t first = 0);

  Parameter weight;
};

}  // namespace tapegrad::nn
