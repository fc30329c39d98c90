// y = m x / (1 - p), where each element of the mask m is 1 with probability 1 - p, else 0, so that the mean
// stays.
//   dx = m dy / (1 - p): the same operation, with the same mask, on dy
//
// Nothing is saved: the mask of element i is a function of (seed, position, i), and computing it again costs
// less than reading it from memory. Sources: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov 2014, "Dropout: a
// simple way to prevent neural networks from overfitting", JMLR 15, section 4 and 10 (scaling in training);
// random.h for Philox.
#include "ops/dropout/dropout.h"

#include <algorithm>

#include "ops/elementwise.h"

namespace tapegrad {

namespace {

Tensor masked(const Tensor& x, const compute::DropoutMask& mask) {
  return record(
      "dropout", compute::dropout(x, mask), {x},
      {{"key", int64_t(mask.key)}, {"first", int64_t(mask.first)}, {"keep", int64_t(mask.keep)}, {"scale", mask.scale}},
      [mask](const Tensor& dy) -> Gradients { return {masked(dy, mask)}; });
}

}  // namespace

compute::DropoutMask draw_mask(double p, int64_t n, Generator* generator) {
  if (!generator) generator = &default_generator();
  const uint64_t first = generator->take(compute::dropout_counters(n));
  const double keep = std::min((1 - p) * 0x1p32, double(~uint32_t(0)));
  return {generator->key(), first, uint32_t(keep), p < 1 ? 1 / (1 - p) : 0};
}

Tensor dropout(const Tensor& x, double p, bool training, Generator* generator) {
  if (!(p >= 0 && p <= 1)) fail<ValueError>("dropout", "p must be in [0, 1], got {}", p);
  check_floating("dropout", x);
  if (!training || p == 0) return x;
  if (p == 1) return x * 0.0;
  return masked(x, draw_mask(p, x.numel(), generator));
}

}  // namespace tapegrad
