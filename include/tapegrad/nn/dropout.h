#pragma once
#include <tapegrad/nn/module.h>

namespace tapegrad::nn {

/// Sets elements to 0 with probability p and scales the others by 1 / (1 - p), in train() only; in eval() the
/// identity. See dropout(). **Throws** ValueError unless p is in [0, 1].
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

/// All axes but the first as one: [N, ...] becomes [N, product].
struct Flatten : Module<Flatten> {
  explicit Flatten(FlattenOptions options = {});
  Tensor forward(const Tensor& x);

 private:
  FlattenOptions options_;
};

}  // namespace tapegrad::nn
