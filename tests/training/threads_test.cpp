// The same bits for any number of threads: the weights after many steps, compared as bytes.
#include <gtest/gtest.h>

#include <cstring>

#include "support/sanitizers.h"
#include "training/workloads.h"

namespace tapegrad::testing {
namespace {

std::vector<std::vector<float>> weights_after(const std::function<Workload()>& make, int threads, int steps) {
  set_num_threads(threads);
  const Workload work = make();
  for (int i = 0; i < steps; ++i) work.step();
  std::vector<std::vector<float>> out;
  for (const Tensor& weight : work.weights) out.push_back(weight.to_vector<float>());
  return out;
}

// A sanitizer makes a step ten times as long.
#if defined(TAPEGRAD_ADDRESS_SANITIZER) || defined(TAPEGRAD_THREAD_SANITIZER)
constexpr int kSteps = 20;
#else
constexpr int kSteps = 200;
#endif

TEST(Threads, DoNotChangeABitIn200Steps) {
  const int before = get_num_threads();
  for (const auto& make : workloads()) {
    const auto one = weights_after(make, 1, kSteps);
    for (int threads : {2, 3}) {
      const auto several = weights_after(make, threads, kSteps);
      ASSERT_EQ(one.size(), several.size());
      for (size_t i = 0; i < one.size(); ++i)
        EXPECT_EQ(std::memcmp(one[i].data(), several[i].data(), one[i].size() * sizeof(float)), 0)
            << make().name << ": weight " << i << " differs between 1 and " << threads << " threads";
    }
  }
  set_num_threads(before);
}

TEST(Threads, RerunWithTheSameSeedGivesTheSameBits) {
  const int before = get_num_threads();
  for (const auto& make : workloads()) EXPECT_EQ(weights_after(make, 2, 20), weights_after(make, 2, 20)) << make().name;
  set_num_threads(before);
}

}  // namespace
}  // namespace tapegrad::testing
