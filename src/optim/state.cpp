#include "optim/state.h"

#include "core/fail.h"
#include "tensor/impl.h"

namespace tapegrad::optim {

Tensor integers(const std::vector<int64_t>& values) {
  return from_vector(values, {int64_t(values.size())});
}
Tensor numbers(const std::vector<double>& values) {
  return from_vector(values, {int64_t(values.size())});
}

Tensor copy(const Tensor& x) {
  return detail::dispatch_all(x.dtype(),
                              [&]<class T>(T) { return from_vector(x.to_vector<T>(), x.shape()); });
}

Tensor StateReader::take(const std::string& key, const Shape& shape, Dtype dtype) {
  taken_.insert(key);
  const auto found = state_.find(key);
  if (found == state_.end() || !found->second.defined()) {
    problems_ += fmt::format("; '{}' is missing", key);
    return {};
  }
  const Tensor& value = found->second;
  if (value.shape() == shape && value.dtype() == dtype) return value;
  problems_ +=
      fmt::format("; '{}' must be {} {}, got {} {}", key, dtype, shape, value.dtype(), value.shape());
  return {};
}

void StateReader::finish() const {
  std::string problems = problems_;
  for (const auto& [key, value] : state_)
    if (!taken_.contains(key)) problems += fmt::format("; '{}' is unknown", key);
  if (!problems.empty()) fail<ValueError>(owner_, "load_state_dict: the state does not fit{}", problems);
}

}  // namespace tapegrad::optim
