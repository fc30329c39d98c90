#pragma once
#include <tapegrad/nn/module.h>

namespace tapegrad::nn {

/// Sets elements to 0 with probability p and scales the others by 1 / (1 - p), in train() only; in eval() the
/// identity.
///
///     y = m x / (1 - p),   dx = m dy / (1 - p),   m = 1 with probability 1 - p, else 0
///
/// **Shape**: x [...], y the same. The mask is drawn from default_generator(), and not saved: see dropout().
/// **Throws** ValueError unless p is in [0, 1].
/// **Source**: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov 2014, Dropout: a simple way to prevent
/// neural networks from overfitting.
struct Dropout : Module<Dropout> {
  explicit Dropout(double p = 0.5);
  Tensor forward(const Tensor& x);

 private:
  double p_;
};

struct FlattenOptions {
  int64_t first = 1;  ///< the first axis that is folded
  int64_t last = -1;  ///< the last
};

/// The axes `first` to `last` as one; by default all but the first: [N, ...] becomes [N, product].
///
/// **Throws** IndexError if the input has no such axes. **Gradient**: dx is dy in the shape of x.
struct Flatten : Module<Flatten> {
  explicit Flatten(FlattenOptions options = {});
  Tensor forward(const Tensor& x) { return x.flatten(options_.first, options_.last); }

 private:
  FlattenOptions options_;
};

}  // namespace tapegrad::nn
