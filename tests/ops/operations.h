// All operations that record, as src/ops/ops.def lists them, for the tests that each of them must pass.
#pragma once
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "ops/samples.h"

namespace tapegrad {

struct Operation {
  std::string name;
  Samples (*make)();
};
inline void PrintTo(const Operation& operation, std::ostream* out) { *out << operation.name; }

const std::vector<Operation>& all_operations();

/// The same inputs at each call.
Samples samples_of(const Operation& operation);

/// Names the tests of a suite that goes over all_operations().
inline std::string name_of_operation(const ::testing::TestParamInfo<Operation>& info) { return info.param.name; }

}  // namespace tapegrad
