#include <tapegrad/ops/reduce.h>
#include <tapegrad/tape.h>
#include <tapegrad/train/meter.h>

#include <limits>

#include "core/fail.h"

namespace tapegrad::train {

double accuracy(const Tensor& logits, const Tensor& labels) {
  const NoGrad no_grad;
  if (labels.dtype() != int64)
    fail<DtypeError>("accuracy", "labels must be int64, got {}. Hint: labels.to(int64).", labels.dtype());
  bool fits = logits.dim() == labels.dim() + 1;
  for (int64_t axis = 0; fits && axis < labels.dim(); ++axis) fits = logits.size(axis) == labels.size(axis);
  if (!fits)
    fail<ShapeError>("accuracy", "logits [..., C] go with labels [...], got {} and {}", logits.shape(),
                     labels.shape());
  if (labels.numel() == 0) return std::numeric_limits<double>::quiet_NaN();

  const Tensor guesses = argmax(logits.detach(), -1), truth = labels.contiguous();
  const auto guess = guesses.data<int64_t>(), label = truth.data<int64_t>();
  int64_t right = 0;
  for (size_t i = 0; i < label.size(); ++i) right += guess[i] == label[i];
  return double(right) / double(label.size());
}

}  // namespace tapegrad::train
