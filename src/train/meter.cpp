#include <tapegrad/train/meter.h>

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

}  // namespace tapegrad::train
