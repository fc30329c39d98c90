// The tape at its limits: chains that a recursion would not survive, memory over many steps, graphs of any
// form.
#include <pthread.h>
#include <tapegrad/memory.h>
#include <tapegrad/random.h>
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cmath>

namespace tapegrad {
namespace {

// Runs f on a thread with a stack of 256 KiB.
void on_small_stack(void (*f)()) {
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, 256 * 1024), 0);
  pthread_t thread;
  ASSERT_EQ(pthread_create(
                &thread, &attributes,
                [](void* f) -> void* {
                  reinterpret_cast<void (*)()>(f)();
                  return nullptr;
                },
                reinterpret_cast<void*>(f)),
            0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

TEST(Tape, HoldsAChainOfAMillionOperations) {
  on_small_stack([] {
    const Tensor x = tensor(1.0, {.dtype = float64, .requires_grad = true});
    Tape tape;
    Tensor y = x;
    for (int i = 0; i < 1'000'000; ++i) y = y + 1.0;
    EXPECT_EQ(y.item(), 1'000'001);
    tape.backward(y);
    EXPECT_EQ(x.grad().item(), 1);
  });
}

TEST(Tape, ReleasesALongChainThatWasNotUsed) {
  on_small_stack([] {
    const Tensor x = tensor(1.0, {.requires_grad = true});
    Tape tape;
    Tensor y = x;
    for (int i = 0; i < 300'000; ++i) y = tanh(y);
  });
}

TEST(Tape, AsksTheSystemForNothingInASteadyStep) {
  const Tensor w = randn({16, 16}, {.requires_grad = true}), x = randn({8, 16});
  const auto step = [&] {
    Tape tape;
    const Tensor loss = sum(tanh(x * w[0]) * 0.5 + x);
    Tensor(w).zero_grad();
    tape.backward(loss);
  };
  for (int i = 0; i < 20; ++i) step();
  const memory::Stats before = memory::stats();
  for (int i = 0; i < 10'000; ++i) step();
  const memory::Stats after = memory::stats();
  EXPECT_EQ(after.in_use, before.in_use);
  EXPECT_EQ(after.system_calls, before.system_calls);
}

// A value and its derivative with respect to one number: forward mode, the independent oracle.
struct Dual {
  double value, slope;
};

TEST(Tape, AgreesWithForwardModeOnRandomGraphs) {
  Generator random(42);
  for (int graph = 0; graph < 1000; ++graph) {
    SCOPED_TRACE(fmt::format("graph {}", graph));
    Tape tape;
    const int leaves = 2 + int(random.below(3)), nodes = 3 + int(random.below(20));
    std::vector<Tensor> tensors;
    std::vector<std::vector<Dual>> duals;  // [leaf that is differentiated][node]
    duals.resize(size_t(leaves));
    for (int i = 0; i < leaves; ++i) {
      const double value = 2 * random.uniform() - 1;
      tensors.push_back(tensor(value, {.dtype = float64, .requires_grad = true}));
      for (int k = 0; k < leaves; ++k) duals[size_t(k)].push_back({value, k == i ? 1.0 : 0.0});
    }
    const std::vector<Tensor> inputs = tensors;
    for (int node = 0; node < nodes; ++node) {
      const size_t i = size_t(random.below(int64_t(tensors.size()))), j = size_t(random.below(int64_t(tensors.size())));
      const int64_t op = random.below(6);
      const Tensor a = tensors[i], b = tensors[j];
      tensors.push_back(op == 0   ? a + b
                        : op == 1 ? a - b
                        : op == 2 ? a * b
                        : op == 3 ? tanh(a)
                        : op == 4 ? -a
                                  : exp(tanh(a)));
      for (auto& d : duals) {
        const Dual u = d[i], v = d[j];
        const double t = std::tanh(u.value), dt = (1 - t * t) * u.slope;
        d.push_back(op == 0   ? Dual{u.value + v.value, u.slope + v.slope}
                    : op == 1 ? Dual{u.value - v.value, u.slope - v.slope}
                    : op == 2 ? Dual{u.value * v.value, u.slope * v.value + u.value * v.slope}
                    : op == 3 ? Dual{t, dt}
                    : op == 4 ? Dual{-u.value, -u.slope}
                              : Dual{std::exp(t), std::exp(t) * dt});
      }
    }
    const std::vector<Tensor> gradients = tape.gradient(tensors.back(), inputs);
    for (int k = 0; k < leaves; ++k) {
      const Dual expected = duals[size_t(k)].back();
      EXPECT_NEAR(tensors.back().item(), expected.value, 1e-12 * (1 + std::abs(expected.value)));
      EXPECT_NEAR(gradients[size_t(k)].item(), expected.slope, 1e-11 * (1 + std::abs(expected.slope)));
    }
  }
}

}  // namespace
}  // namespace tapegrad
