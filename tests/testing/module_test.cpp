// The tests of modules pass for a right module, and each fails for one with the fault that it is there to
// find.
#include <gtest/gtest-spi.h>
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

namespace tapegrad {
namespace {

struct RmsNorm : nn::Module<RmsNorm> {
  explicit RmsNorm(int64_t size) : weight(add_parameter("weight", ones({size}))) {}
  Tensor forward(const Tensor& x) { return weight * x * rsqrt(mean(x * x, -1, {.keepdim = true}) + 1e-5); }
  nn::Parameter weight;
};
TAPEGRAD_TEST_MODULE(RmsNormModule, RmsNorm(6), Shape{4, 6});

struct TwoInputs : nn::Module<TwoInputs> {
  nn::Parameter weight = add_parameter("weight", randn({3}));
  std::pair<Tensor, Tensor> forward(const Tensor& a, const Tensor& b) {
    return {a * weight + b, tanh(b) * weight};
  }
};
TAPEGRAD_TEST_MODULE(TwoInputsModule, TwoInputs(), Shape{2, 3}, Shape{3});

struct Forgotten : nn::Module<Forgotten> {
  Tensor weight = ones({3}, {.requires_grad = true});  // not registered
  nn::Parameter bias = add_parameter("bias", zeros({3}));
  Tensor forward(const Tensor& x) { return x * weight + bias; }
};
struct AllForgotten : nn::Module<AllForgotten> {
  Tensor weight = ones({3}, {.requires_grad = true});  // not registered, and there is no other
  Tensor forward(const Tensor& x) { return x * weight; }
};
struct Unused : nn::Module<Unused> {
  nn::Parameter weight = add_parameter("weight", ones({3}));
  nn::Parameter bias = add_parameter("bias", zeros({3}));
  Tensor forward(const Tensor& x) { return x * weight; }
};
struct WrongGradient : nn::Module<WrongGradient> {
  nn::Parameter weight = add_parameter("weight", ones({3}));
  Tensor forward(const Tensor& x) {
    const Tensor w = weight;
    return record("wrong", x.detach() * w.detach(), {x, w}, [x, w](const Tensor& dy) -> Gradients {
      return {dy * w * 1.01, sum(dy * x, 0) * 1.01};
    });
  }
};
struct Remembers : nn::Module<Remembers> {
  nn::Parameter weight = add_parameter("weight", randn({3}));
  Tensor scale = ones({});  // state that is not saved
  Tensor forward(const Tensor& x) {
    scale = scale + 1.0;
    return x * weight * scale.to(x.dtype());
  }
};

detail::ModuleTests* tests = nullptr;
template <class M>
void use() {
  static detail::ModuleTests made([] { return M(); }, Shape{2, 3});
  tests = &made;
}

TEST(TestModule, FindsAParameterThatIsNotRegistered) {
  use<Forgotten>();
  EXPECT_NONFATAL_FAILURE(tests->parameters_are_registered_and_move(),
                          "a parameter of shape [3] is used and not registered");
}

TEST(TestModule, FindsTheOnlyParameterThatIsNotRegistered) {
  use<AllForgotten>();
  EXPECT_NONFATAL_FAILURE(tests->parameters_are_registered_and_move(),
                          "a parameter of shape [3] is used and not registered");
}

TEST(TestModule, FindsAParameterThatDoesNotMove) {
  use<Unused>();
  EXPECT_NONFATAL_FAILURE(tests->parameters_are_registered_and_move(), "parameter bias gets no gradient");
}

TEST(TestModule, FindsWrongGradients) {
  use<WrongGradient>();
  EXPECT_NONFATAL_FAILURE(tests->gradients_of_inputs(), "(ratio 1.01)");
  ::testing::TestPartResultArray failures;
  {
    ::testing::ScopedFakeTestPartResultReporter reporter(
        ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &failures);
    tests->gradients_of_parameters();
  }
  EXPECT_EQ(failures.size(), 3);
  EXPECT_THAT(failures.GetTestPartResult(0).message(),
              ::testing::HasSubstr("parameter weight, element 0: analytic"));
}

TEST(TestModule, FindsStateThatIsNotSaved) {
  use<Remembers>();
  EXPECT_NONFATAL_FAILURE(tests->saves_and_loads(), "after loading, output 0");
}

TEST(Gradients, PassAndFail) {
  EXPECT_GRADIENTS([](const Tensor& x) { return tanh(x) * x; }, randn({3, 4}, {.dtype = float64}));
  EXPECT_GRADIENTS([](const Tensor& a, const Tensor& b) { return a * b; }, randn({3, 1}, {.dtype = float64}),
                   randn({4}, {.dtype = float64}));
  EXPECT_NONFATAL_FAILURE(
      EXPECT_GRADIENTS([](const Tensor& x) { return tanh(x.detach()); }, randn({3}, {.dtype = float64})),
      "output 0 is detached");
}

}  // namespace
}  // namespace tapegrad
