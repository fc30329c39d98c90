// What the state_dict() of optimizers and schedules is written and read with.
#pragma once
#include <tapegrad/optim/optimizer.h>

#include <set>
#include <string>
#include <vector>

namespace tapegrad::optim {

/// A vector of integers or of float64 numbers as a tensor.
Tensor integers(const std::vector<int64_t>& values);
Tensor numbers(const std::vector<double>& values);
/// The values in contiguous memory of their own, recorded by no tape.
Tensor copy(const Tensor& x);

/// Reads a state and notes all that is wrong with it, so that one error names everything before anything is
/// changed.
class StateReader {
 public:
  StateReader(const char* owner, const StateDict& state) : owner_(owner), state_(state) {}
  /// The entry, or an undefined tensor where it is missing or does not fit.
  Tensor take(const std::string& key, const Shape& shape, Dtype dtype);
  /// Throws ValueError if take() missed something or an entry was never asked for.
  void finish() const;

 private:
  const char* owner_;
  const StateDict& state_;
  std::set<std::string> taken_;
  std::string problems_;
};

}  // namespace tapegrad::optim
