// The tests of modules pass for a right module, and each fails for one with the fault that it is there to
// find.
#include <gtest/gtest-spi.h>
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

namespace tapegrad {
namespace {

using Inputs = std::vector<Tensor>;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

struct RmsNorm : nn::Module<RmsNorm> {
  explicit RmsNorm(int64_t size) : weight(add_parameter("weight", ones({size}))) {}
  Tensor forward(const Tensor& x) { return weight * x * rsqrt(mean(x * x, -1, {.keepdim = true}) + 1e-5); }
  nn::Parameter weight;
};
TAPEGRAD_TEST_MODULE(RmsNormModule, RmsNorm(6), Shape{4, 6});

struct TwoInputs : nn::Module<TwoInputs> {
  nn::Parameter weight = add_parameter("weight", randn({3}));
  std::pair<Tensor, Tensor> forward(const Tensor& a, const Tensor& b) { return {a * weight + b, tanh(b) * weight}; }
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

struct Centered : nn::Module<Centered> {
  nn::Parameter weight = add_parameter("weight", randn({3}));
  Tensor forward(const Tensor& x) { return weight * (x - mean(x, 0)); }  // over the batch
};
struct Running : nn::Module<Running> {
  nn::Parameter weight = add_parameter("weight", randn({3}));
  Tensor forward(const Tensor& x) { return weight * cumsum(x, 0); }  // each row knows those above it
};
struct Centered64 : nn::Module<Centered64> {
  nn::Parameter weight = add_parameter("weight", randn({3}, {.dtype = float64}));
  Tensor forward(const Tensor& x, const Tensor& shift) { return weight * (x - shift); }
};
struct Kink : nn::Module<Kink> {
  nn::Parameter weight = add_parameter("weight", zeros({3}));
  Tensor forward(const Tensor& x) { return relu(x * weight); }
};

template <class M>
const detail::ModuleTests tests([] { return M(); }, Shape{2, 3});

// What the check of a module found.
std::string found(const ::testing::AssertionResult& result) { return result ? "" : result.message(); }

TEST(TestModule, FindsAParameterThatIsNotRegistered) {
  for (const auto& test : {tests<Forgotten>, tests<AllForgotten>})
    EXPECT_THAT(found(test.parameters_are_registered_and_move()),
                HasSubstr("a parameter of shape [3] is used and not registered"));
}

TEST(TestModule, FindsAParameterThatDoesNotMove) {
  EXPECT_THAT(found(tests<Unused>.parameters_are_registered_and_move()), HasSubstr("parameter bias gets no gradient"));
}

TEST(TestModule, FindsWrongGradientsAndSaysThemInALineForAParameter) {
  EXPECT_THAT(found(tests<WrongGradient>.gradients_of_inputs()), HasSubstr("(ratio 1.01)"));
  const std::string text = found(tests<WrongGradient>.gradients_of_parameters());
  EXPECT_THAT(text, StartsWith("parameter weight [3]: 3 of 3 gradients are wrong, the worst at ["));
  EXPECT_THAT(text, HasSubstr("(ratio 1.01)"));
  EXPECT_THAT(text, Not(HasSubstr("\n")));
}

TEST(TestModule, AsksWhetherAGradientThatIsMissingIsAtAKink) {
  EXPECT_THAT(found(tests<Kink>.gradients_of_parameters()), HasSubstr("(ratio 0: at a kink?)"));
  EXPECT_THAT(gradcheck([](const Inputs& in) { return relu(in[0]); }, {zeros({2}, {.dtype = float64})}).message,
              HasSubstr("(ratio 0: at a kink?)"));
}

TEST(TestModule, FindsStateThatIsNotSaved) {
  EXPECT_THAT(found(tests<Remembers>.saves_and_loads()), HasSubstr("an output after loading, number 0: "));
}

TEST(TestModule, FindsRowsThatKnowEachOther) {
  EXPECT_THAT(found(tests<Centered>.rows_do_not_mix()),
              StartsWith("row 0 of output 0 changes with the other rows of the batch. Hint: "));
  EXPECT_THAT(found(tests<Running>.rows_do_not_mix()), StartsWith("row 1 of output 0 changes"));
  const ModuleTestOptions any = {.batch_axis = {}}, features = {.batch_axis = 1};
  EXPECT_EQ(found(detail::ModuleTests([] { return Centered(); }, any, Shape{2, 3}).rows_do_not_mix()), "");
  EXPECT_EQ(found(detail::ModuleTests([] { return Running(); }, features, Shape{2, 3}).rows_do_not_mix()), "");
}

// What the macro says of a module that is wrong is said of its own line.
TEST(TestModule, AFailureIsAtTheLineOfTheMacro) {
  ::testing::TestPartResultArray failures;
  {
    const ::testing::ScopedFakeTestPartResultReporter reporter(
        ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &failures);
    EXPECT_PRED_FORMAT1(detail::as_it_is, tests<Unused>.parameters_are_registered_and_move());
  }
  ASSERT_EQ(failures.size(), 1);
  EXPECT_THAT(failures.GetTestPartResult(0).file_name(), ::testing::EndsWith("module_test.cpp"));
}

TAPEGRAD_TEST_MODULE(EmbeddingModule, nn::Embedding(9, 4), tensor({{1, 8, 1}, {0, 2, 3}}, {.dtype = int64}));
TAPEGRAD_TEST_MODULE(LstmWithLengthsModule, nn::LSTM(3, 4, {.bidirectional = true}), ModuleTestOptions{.batch_axis = 1},
                     Shape{5, 2, 3}, nn::LSTMState(), nn::SequenceOptions{.lengths = tensor({5, 2}, {.dtype = int64})});
TAPEGRAD_TEST_MODULE(ModuleMadeInFloat64, Centered64(), Shape{4, 3}, tensor({1, 2, 3}));

// The gradients' gradients of an operation that computes its gradient with plain numbers are lost.
TEST(Gradients, OfAnOperationWithoutSecondDerivativeAreExplained) {
  const auto square_by_hand = [](const Inputs& in) {
    const Tensor x = in[0];
    return custom_op(
        "square_by_hand", {x}, [&] { return x * x; },
        [x](const Tensor& dy) -> Gradients {
          std::vector<double> dx = x.to_vector<double>();
          const std::vector<double> given = dy.to_vector<double>();
          for (size_t i = 0; i < dx.size(); ++i) dx[i] *= 2 * given[i];
          return {from_vector(dx, x.shape())};
        });
  };
  const Inputs x = {tensor({1, 2}, {.dtype = float64})};
  EXPECT_TRUE(gradcheck(square_by_hand, x).ok);
  EXPECT_THAT(gradgradcheck(square_by_hand, x).message,
              HasSubstr("Hint: a backward function that is not made of operations has no second derivative"));
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
