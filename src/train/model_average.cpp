#include <tapegrad/ops.h>
#include <tapegrad/tape.h>
#include <tapegrad/train/model_average.h>

#include "core/fail.h"
#include "tensor/state_reader.h"
#include "train/memory_of.h"

namespace tapegrad::train {

namespace {

const std::string prefix = "average.";

/// The parameters or buffers of two models, side by side.
using Named = std::vector<std::pair<std::string, Tensor>>;

void check_pairs(const Named& from, const Named& to) {
  if (from.size() != to.size())
    fail<ValueError>("ModelAverage", "the models must be alike, one has {} tensors and the other {}. Hint: clone()",
                     from.size(), to.size());
  for (size_t i = 0; i < from.size(); ++i) {
    const auto& [name, p] = from[i];
    const auto& [other, a] = to[i];
    if (name != other || p.shape() != a.shape() || p.dtype() != a.dtype())
      fail<ValueError>("ModelAverage", "the models must be alike, got '{}' {} {} and '{}' {} {}. Hint: clone()", name,
                       p.dtype(), p.shape(), other, a.dtype(), a.shape());
  }
}

}  // namespace

ModelAverage::ModelAverage(const nn::ModuleBase& model, const nn::ModuleBase& average, ModelAverageOptions options)
    : model_(model), average_(average), options_(options) {
  if (options.decay && !(*options.decay >= 0 && *options.decay <= 1))
    fail<ValueError>("ModelAverage", "decay must be in [0, 1], got {}", *options.decay);
  check_pairs(model_.named_parameters(), average_.named_parameters());
  check_pairs(model_.named_buffers(), average_.named_buffers());
  const std::vector<Tensor> parameters = model_.parameters(), averages = average_.parameters();
  for (size_t i = 0; i < parameters.size(); ++i)
    if (parameters[i].numel() > 0 && memory_of(parameters[i]) == memory_of(averages[i]))
      fail<ValueError>("ModelAverage", "the models must share no parameters. Hint: average into a clone()");
}

void ModelAverage::update() {
  const NoGrad no_grad;
  const std::vector<Tensor> parameters = model_.parameters();
  std::vector<Tensor> averages = average_.parameters();
  const double share = updates_ == 0 ? 1 : options_.decay ? 1 - *options_.decay : 1 / double(updates_ + 1);
  for (size_t i = 0; i < parameters.size(); ++i) {
    Tensor& a = averages[i];
    if (share == 1)
      a.copy_(parameters[i]);
    else
      a += (parameters[i] - a) * share;
  }
  const std::vector<Tensor> from = model_.buffers();
  std::vector<Tensor> to = average_.buffers();
  for (size_t i = 0; i < from.size(); ++i) to[i].copy_(from[i]);
  ++updates_;
}

StateDict ModelAverage::state_dict() const {
  StateDict out{{"updates", integers({updates_})}};
  for (const auto& [name, value] : average_.state_dict()) out[prefix + name] = value;
  return out;
}

void ModelAverage::load_state_dict(const StateDict& state) {
  StateReader reader("ModelAverage", state);
  const int64_t updates = reader.counts("updates")[0];
  StateDict average;
  for (const auto& [name, value] : average_.state_dict())
    average[name] = reader.take(prefix + name, value.shape(), value.dtype());
  reader.finish();
  average_.load_state_dict(average);
  updates_ = updates;
}

}  // namespace tapegrad::train
