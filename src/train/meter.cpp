#include <tapegrad/ops.h>
#include <tapegrad/tape.h>
#include <tapegrad/train/meter.h>

#include <algorithm>

#include "core/fail.h"
#include "tensor/state_reader.h"

namespace tapegrad::train {

StateDict Meter::state_dict() const { return {{"sum", numbers({sum_})}, {"weight", numbers({weight_})}}; }

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
  const Shape &rows = labels.shape(), &of_logits = logits.shape();
  if (logits.dim() != labels.dim() + 1 || !std::equal(rows.begin(), rows.end(), of_logits.begin()))
    fail<ShapeError>("accuracy", "logits [..., C] go with labels [...], got {} and {}", of_logits, rows);
  const Tensor right = eq(argmax(logits.detach(), -1), labels);
  return sum(right.to(float64)).item() / double(labels.numel());
}

}  // namespace tapegrad::train
