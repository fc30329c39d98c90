#include <tapegrad/ops/reduce.h>
#include <tapegrad/tape.h>
#include <tapegrad/train/meter.h>

#include <limits>

#include "core/fail.h"
#include "tensor/state_reader.h"

namespace tapegrad::train {

StateDict Meter::state_dict() const {
  return {{"sum", numbers({sum_})}, {"weight", numbers({weight_})}};
}

void Meter::load_state_dict(const StateDict& state) {
  StateReader reader("Meter", state);
  const Tensor sum = reader.take("sum", {1}, float64), weight = reader.take("weight", {1}, float64);
  reader.finish();
  sum_ = sum.item();
  weight_ = weight.item();
}

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
