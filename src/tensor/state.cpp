#include <tapegrad/state.h>

#include <algorithm>
#include <cmath>

#include "core/fail.h"
#include "tensor/impl.h"
#include "tensor/state_reader.h"

namespace tapegrad {

Tensor integers(const std::vector<int64_t>& values) { return from_vector(values, {int64_t(values.size())}); }
Tensor numbers(const std::vector<double>& values) { return from_vector(values, {int64_t(values.size())}); }

Tensor StateReader::take(const std::string& key, const Shape& shape, Dtype dtype) {
  taken_.insert(key);
  const auto found = state_.find(key);
  if (found == state_.end() || !found->second.defined()) {
    problems_ += fmt::format("; '{}' is missing", key);
    return {};
  }
  const Tensor& value = found->second;
  if (value.shape() == shape && value.dtype() == dtype) return value;
  problems_ += fmt::format("; '{}' must be {} {}, got {} {}", key, dtype, shape, value.dtype(), value.shape());
  return {};
}

std::vector<int64_t> StateReader::counts(const std::string& key, size_t size, int64_t high) {
  const Tensor value = take(key, {int64_t(size)}, int64);
  if (!value.defined()) return std::vector<int64_t>(size);
  for (int64_t count : value.to_vector<int64_t>())
    if (count < 0 || count > high) problems_ += fmt::format("; '{}' must be in [0, {}], got {}", key, high, count);
  return value.to_vector<int64_t>();
}

std::vector<double> StateReader::rates(const std::string& key, size_t size) {
  const Tensor value = take(key, {int64_t(size)}, float64);
  if (!value.defined()) return std::vector<double>(size);
  for (double rate : value.to_vector<double>())
    if (!(rate >= 0) || std::isinf(rate))
      problems_ += fmt::format("; '{}' must be finite and not negative, got {}", key, rate);
  return value.to_vector<double>();
}

void StateReader::finish() const {
  std::string problems = problems_;
  for (const auto& [key, value] : state_)
    if (!taken_.contains(key)) problems += fmt::format("; '{}' is unknown", key);
  if (!problems.empty()) fail<ValueError>(owner_, "load_state_dict: the state does not fit{}", problems);
}

StateGroup::StateGroup(std::initializer_list<StatePart> parts) {
  for (const StatePart& part : parts) {
    if (part.name.empty() || part.name.find('.') != std::string::npos)
      fail<ValueError>("StateGroup", "a name must not be empty or contain a dot, got '{}'", part.name);
    for (const StatePart& other : parts_)
      if (other.name == part.name) fail<ValueError>("StateGroup", "the name '{}' is taken", part.name);
    parts_.push_back(part);
  }
}

StateDict StateGroup::state_dict() const {
  StateDict all;
  for (const auto& [part, object] : parts_)
    for (auto& [name, value] : object.state_dict()) all[part + "." + name] = value;
  return all;
}

void StateGroup::load_state_dict(const StateDict& state) {
  std::map<std::string, StateDict> given;
  for (const auto& [name, value] : state) {
    const size_t dot = name.find('.');
    given[name.substr(0, dot)][dot == std::string::npos ? "" : name.substr(dot + 1)] = value;
  }
  std::string problems;
  for (const StatePart& part : parts_)
    if (!given.contains(part.name) && !part.object.state_dict().empty())
      problems += fmt::format("; nothing of '{}'", part.name);
  for (const auto& [name, values] : given) {
    const auto is_it = [&name = name](const StatePart& part) { return part.name == name; };
    if (std::none_of(parts_.begin(), parts_.end(), is_it)) problems += fmt::format("; '{}' is unknown", name);
  }
  if (!problems.empty()) fail<ValueError>("StateGroup", "load_state_dict: the state does not fit{}", problems);

  std::vector<StateDict> before;
  try {
    for (const StatePart& part : parts_) {
      StateDict now = part.object.state_dict();
      for (auto& [name, value] : now) value = detail::contiguous_copy(value);
      before.push_back(std::move(now));
      part.object.load_state_dict(given[part.name]);
    }
  } catch (...) {
    for (size_t i = before.size(); i-- > 0;) parts_[i].object.load_state_dict(before[i]);
    throw;
  }
}

}  // namespace tapegrad
