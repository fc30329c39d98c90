// The job that the tests run in, and what they all have: data, and a comparison to the bit.
#pragma once
#include <tapegrad/distributed.h>
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cstring>

namespace tapegrad::distributed {

/// The ranks that mpirun started.
Context& job();

/// Steps that a model is trained: few, or TAPEGRAD_MPI_STEPS.
int64_t steps_to_train();

/// Whether two states have the same names, shapes and bits.
inline testing::AssertionResult same_bits(const StateDict& a, const StateDict& b) {
  if (a.size() != b.size()) return testing::AssertionFailure() << a.size() << " and " << b.size() << " entries";
  for (const auto& [name, x] : a) {
    const auto other = b.find(name);
    if (other == b.end()) return testing::AssertionFailure() << "no " << name;
    const auto bytes = [](const Tensor& t) {
      std::string out = fmt::format("{} {} ", t.dtype(), t.shape());
      const auto add = [&](auto values) {
        out.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
      };
      if (t.dtype() == float32) add(t.data<float>());
      if (t.dtype() == float64) add(t.data<double>());
      if (t.dtype() == int64) add(t.data<int64_t>());
      return out;
    };
    if (bytes(x) != bytes(other->second)) return testing::AssertionFailure() << name << " differs";
  }
  return testing::AssertionSuccess();
}

/// A copy that later steps do not change.
inline StateDict snapshot(const Stateful& object) {
  StateDict copy;
  for (const auto& [name, value] : object.state_dict()) copy[name] = value.clone();
  return copy;
}

}  // namespace tapegrad::distributed
