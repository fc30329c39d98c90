// Small versions of the bench program's workloads: a step to call again and again, and the weights that it
// changes.
#pragma once
#include <tapegrad/tapegrad.h>

#include <functional>
#include <string>
#include <vector>

namespace tapegrad::testing {

struct Workload {
  std::string name;
  std::function<void()> step;
  std::vector<Tensor> weights;
};

/// All of them, made from seed 0.
std::vector<std::function<Workload()>> workloads();

}  // namespace tapegrad::testing
