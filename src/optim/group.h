#pragma once
#include <tapegrad/optim/optimizer.h>

namespace tapegrad::optim {

/// The options of all with what the group says itself.
template <class Options>
Options options_of(const Group& group, Options options) {
  options.lr = group.lr.value_or(options.lr);
  options.weight_decay = group.weight_decay.value_or(options.weight_decay);
  return options;
}

}  // namespace tapegrad::optim
