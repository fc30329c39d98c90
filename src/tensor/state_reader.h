// What the state_dict() of a Stateful is written and read with.
#pragma once
#include <tapegrad/state.h>

#include <set>
#include <string>
#include <vector>

namespace tapegrad {

/// A vector of integers or of float64 numbers as a tensor.
Tensor integers(const std::vector<int64_t>& values);
Tensor numbers(const std::vector<double>& values);

/// Reads a state and notes all that is wrong with it, so that one error names everything before anything is
/// changed.
class StateReader {
 public:
  /// Every integer up to here is a double too, and a count that begins here does not overflow.
  static constexpr int64_t max_count = int64_t(1) << 53;

  StateReader(const char* owner, const StateDict& state) : owner_(owner), state_(state) {}
  /// The entry, or an undefined tensor where it is missing or does not fit.
  Tensor take(const std::string& key, const Shape& shape, Dtype dtype);
  /// An int64 entry of `size` numbers in [0, high]; zeros where it does not fit.
  std::vector<int64_t> counts(const std::string& key, size_t size = 1, int64_t high = max_count);
  /// A float64 entry of `size` learning rates, finite and not negative; zeros where it does not fit.
  std::vector<double> rates(const std::string& key, size_t size = 1);
  /// Throws ValueError if anything did not fit or an entry was never asked for.
  void finish() const;

 private:
  const char* owner_;
  const StateDict& state_;
  std::set<std::string> taken_;
  std::string problems_;
};

}  // namespace tapegrad
