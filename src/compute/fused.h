// The kernels of fused(): tensors in, tensors out, forward and backward. `in` are the inputs of the operation in their
// order, and `kept` is what forward() leaves for backward() besides them. What a kernel computes, its formula and its
// gradient stand in the file of the operation.
#pragma once
#include <tapegrad/gradients.h>
#include <tapegrad/recurrent_options.h>

#include <optional>

#include "compute/arrays.h"
#include "compute/reduction.h"

namespace tapegrad::compute {

/// in: x, weight and, where it is centered, bias; all but x may be undefined. kept: for each row of d elements rstd,
/// and mu if centered, in float64.
struct LayerNorm {
  int64_t d;
  double eps;
  bool centered;  // else RMS normalization
  Tensor forward(const Tensors& in, Tensors* kept) const;
  Gradients backward(const Tensors& dy, const Tensors& in, const Tensors& kept, Needs needs) const;
};

/// Mean and biased variance of each channel, [C] in float64.
struct ChannelMoments {
  Tensor mean, variance;
};
/// Those of a batch; zeros if it is empty.
ChannelMoments batch_moments(const Tensor& x);
/// 1 / sqrt(variance + eps), in float64.
Tensor inverse_deviation(const Tensor& variance, double eps);

/// What batch normalization remembers; undefined if it remembers nothing.
struct RunningMoments {
  Tensor mean, var;
  double momentum;
  bool biased;
  /// Towards those of a batch x by `momentum`; the variance towards the unbiased one, if not `biased`.
  void move(const ChannelMoments& batch, const Tensor& x) const;
};
/// in: x [N, C, ...], contiguous, weight and bias, which may be undefined, and in evaluation mu and rstd of each channel, [C] in
/// float64. kept: those of the batch in training, and y if relu.
struct BatchNorm {
  bool training;                // with the moments of the batch; else they are constants
  bool relu = false;            // of the result
  double eps = 0;               // here and below: in training
  RunningMoments running = {};  // forward() moves them, once; backward() does not look at them
  Tensor forward(const Tensors& in, Tensors* kept) const;
  Gradients backward(const Tensors& dy, const Tensors& in, const Tensors& kept, Needs needs) const;
};
/// in: x [N, C, ...], weight and bias, which may be undefined. kept: mu and rstd of each channel of each image, which are
/// those of its group, [N, C] in float64.
struct GroupNorm {
  int64_t groups;
  double eps;
  Tensor forward(const Tensors& in, Tensors* kept) const;
  Gradients backward(const Tensors& dy, const Tensors& in, const Tensors& kept, Needs needs) const;
};

/// in: x. kept: y.
struct Softmax {
  int64_t axis;
  bool log;  // the logarithm of it
  Tensor forward(const Tensors& in, Tensors* kept) const;
  Gradients backward(const Tensors& dy, const Tensors& in, const Tensors& kept, Needs needs) const;
};

/// in: logits [N, C], labels [N], contiguous and checked. kept: lse - max of each row, in float64.
struct CrossEntropy {
  int64_t ignore_index;
  bool summed;   // the result is the sum of all rows times `scale`; else one loss each
  double scale;  // 1 where it is not summed
  Tensor forward(const Tensors& in, Tensors* kept) const;
  Gradients backward(const Tensors& dy, const Tensors& in, const Tensors& kept, Needs needs) const;
};

/// in: q [..., L, E], k [..., S, E], v [..., S, Ev], mask, boolean or of their dtype, which broadcasts to [..., L, S],
/// lengths [B]; the last two may be undefined. All was checked. kept: y, and m and 1 / l of each query.
struct Attention {
  double scale;
  int64_t diagonal;  // query i sees the keys j <= i + diagonal
  std::optional<DropoutMask> dropout;
  Tensor forward(const Tensors& in, Tensors* kept) const;
  Gradients backward(const Tensors& dy, const Tensors& in, const Tensors& kept, Needs needs) const;
};
/// The elements of a row of its dropout mask: the keys, rounded up to whole blocks.
int64_t attention_dropout_row(int64_t keys);

/// in: x. kept: nothing.
struct Prod {
  Reduction over;
  Tensor forward(const Tensors& in, Tensors* kept) const;
  Gradients backward(const Tensors& dy, const Tensors& in, const Tensors& kept, Needs needs) const;
};

/// The running product along the axis that is reduced. in: x. kept: nothing.
struct CumProd {
  Reduction over;
  Tensor forward(const Tensors& in, Tensors* kept) const;
  Gradients backward(const Tensors& dy, const Tensors& in, const Tensors& kept, Needs needs) const;
};

/// in: projected [T, B, GH], h0 and c0 [B, H], weight_hh [GH, H], bias, bias_hh, gain_ih and gain_hh [GH], gain_c and
/// bias_c [H], lengths [B]; all but projected and weight_hh may be undefined. All was checked.
struct Recurrent {
  RecurrentOptions options;
  /// {output [T, B, H], last h [B, H]} and, for lstm, last c. Keeps the states, the gates after their
  /// nonlinearity, and with a norm q = h W_hh^T and the moments of each row.
  Tensors forward(const Tensors& in, Tensors* kept) const;
  /// Where it will not be called again it may write over the gates.
  Gradients backward(const Tensors& dy, const Tensors& in, const Tensors& kept, Needs needs) const;
};

}  // namespace tapegrad::compute
