// The check is checked: right gradients pass, and each way of being wrong that has been seen somewhere is
// rejected, by a report that says where.
#include <tapegrad/gradcheck.h>
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cmath>

#include "tensor/impl.h"

namespace tapegrad {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::ThrowsMessage;
using In = std::vector<Tensor>;

Tensor normal(const Shape& shape) {
  manual_seed(11);
  return randn(shape, {.dtype = float64});
}

// y = f(x) with the backward function that a mutant gives it.
template <class Vjp>
Tensor with_vjp(const char* op, const Tensor& x, const std::function<Tensor(const Tensor&)>& f, Vjp vjp) {
  NoGrad* off = new NoGrad;
  Tensor y = f(x.detach());
  delete off;
  return record(op, y, {x}, vjp);
}

Tensor tanh_wrong_sign(const Tensor& x) {
  return with_vjp(
      "wrong_sign", x, [](const Tensor& x) { return tanh(x); },
      [x](const Tensor& dy) -> Gradients {
        const Tensor y = tanh(x);
        return {dy * (y * y - 1.0)};
      });
}
Tensor missing_term(const Tensor& x) {  // (x tanh x)' = tanh x + x (1 - tanh^2 x)
  return with_vjp(
      "missing_term", x, [](const Tensor& x) { return x * tanh(x); },
      [x](const Tensor& dy) -> Gradients { return {dy * tanh(x)}; });
}
Tensor missing_factor(const Tensor& x) {
  return with_vjp(
      "missing_factor", x, [](const Tensor& x) { return x * x; },
      [x](const Tensor& dy) -> Gradients { return {dy * x}; });
}
Tensor not_transposed(const Tensor& x) {
  return with_vjp(
      "not_transposed", x, [](const Tensor& x) { return x.transpose(0, 1).contiguous(); },
      [](const Tensor& dy) -> Gradients { return {dy}; });
}
Tensor not_reduced(const Tensor& x) {  // the gradient of the first row only
  return with_vjp(
      "not_reduced", x,
      [](const Tensor& x) {
        return x.expand({4, 3}).contiguous();
      },
      [](const Tensor& dy) -> Gradients { return {dy[0]}; });
}
Tensor stale(const Tensor& x) {  // what was saved is overwritten after the forward pass, unseen by the version
  Tensor kept = x.detach().clone();
  Tensor y = with_vjp(
      "stale", x, [](const Tensor& x) { return x * x; },
      [kept](const Tensor& dy) -> Gradients { return {dy * kept * 2.0}; });
  detail::mutable_ptr<double>(kept)[2] += 1;
  return y;
}
Tensor detached(const Tensor& x) { return tanh(x.detach()); }
Tensor one_percent(const Tensor& x) {
  return with_vjp(
      "one_percent", x, [](const Tensor& x) { return x * x; },
      [x](const Tensor& dy) -> Gradients { return {dy * x * 2.02}; });
}
Tensor nan_gradient(const Tensor& x) {
  return with_vjp(
      "nan_gradient", x, [](const Tensor& x) { return x * 2.0; },
      [](const Tensor& dy) -> Gradients {
        Tensor dx = (dy * 2.0).clone();
        dx.mutable_data<double>()[1] = NAN;
        return {dx};
      });
}
Tensor one_element(const Tensor& x) {
  return with_vjp(
      "one_element", x, [](const Tensor& x) { return x * 2.0; },
      [](const Tensor& dy) -> Gradients {
        Tensor dx = (dy * 2.0).clone();
        dx.mutable_data<double>()[5] += 1e-4;
        return {dx};
      });
}
Tensor ignores_cotangent(const Tensor& x) {
  return with_vjp(
      "ignores_cotangent", x, [](const Tensor& x) { return x * x; },
      [x](const Tensor&) -> Gradients { return {x * 2.0}; });
}
Tensor reads_raw_memory(const Tensor& x) {  // takes dy for contiguous
  return with_vjp(
      "reads_raw_memory", x, [](const Tensor& x) { return x * 2.0; },
      [](const Tensor& dy) -> Gradients {
        Tensor dx = empty_like(dy);
        for (int64_t i = 0; i < dy.numel(); ++i) detail::mutable_ptr<double>(dx)[i] = 2 * detail::ptr<double>(dy)[i];
        return {dx};
      });
}
Tensor other_bits(const Tensor& x) {
  static int calls = 0;
  return with_vjp(
      "other_bits", x, [](const Tensor& x) { return x * 2.0; },
      [](const Tensor& dy) -> Gradients { return {dy * (2.0 + 1e-12 * ++calls)}; });
}
Tensor wrong_shape(const Tensor& x) {
  return with_vjp(
      "wrong_shape", x, [](const Tensor& x) { return x * 2.0; },
      [](const Tensor& dy) -> Gradients { return {sum(dy, 0) * 2.0}; });
}
Tensor nan_output(const Tensor& x) {
  return with_vjp(
      "nan_output", x, [](const Tensor& x) { return x * NAN; }, [](const Tensor& dy) -> Gradients { return {dy}; });
}
Tensor no_gradient(const Tensor& x) {
  return with_vjp(
      "no_gradient", x, [](const Tensor& x) { return x * x; }, [](const Tensor&) -> Gradients { return {Tensor()}; });
}

struct Mutant {
  std::string name;
  Tensor (*f)(const Tensor&);
  Shape shape;
  std::string message;  // a regular expression
};
void PrintTo(const Mutant& mutant, std::ostream* out) { *out << mutant.name; }

class GradcheckRejects : public ::testing::TestWithParam<Mutant> {};

TEST_P(GradcheckRejects, TheWrongGradient) {
  const Mutant& mutant = GetParam();
  const GradcheckReport report = gradcheck([&](const In& in) { return mutant.f(in[0]); }, {normal(mutant.shape)});
  EXPECT_FALSE(report.ok);
  EXPECT_THAT(report.message, MatchesRegex("gradcheck: " + mutant.message));
}

const std::string kAt =
    ", input 0, element \\[[0-9, ]+\\]: analytic [-0-9.e]+, numeric [-0-9.e]+ \\(ratio [-0-9.e]+\\)\\..*";

INSTANTIATE_TEST_SUITE_P(
    Mutants, GradcheckRejects,
    ::testing::Values(
        Mutant{"wrong_sign", tanh_wrong_sign, {2, 3}, "wrong_sign" + kAt},
        Mutant{"missing_term", missing_term, {2, 3}, "missing_term" + kAt},
        Mutant{"missing_factor", missing_factor, {2, 3}, "missing_factor" + kAt},
        Mutant{"not_transposed", not_transposed, {3, 3}, "not_transposed" + kAt},
        Mutant{"not_reduced", not_reduced, {3}, "not_reduced" + kAt},
        Mutant{"stale", stale, {2, 3}, "stale, input 0, element \\[0, 2\\]: .*"},
        Mutant{"detached", detached, {2, 3}, "output 0 is detached: no gradient flows from it to the inputs"},
        Mutant{"one_percent", one_percent, {2, 3}, "one_percent.*ratio 1\\.01\\).*"},
        Mutant{"nan_gradient", nan_gradient, {2, 3}, "nan_gradient, input 0, element \\[0, 1\\]: analytic nan, .*"},
        Mutant{
            "one_element", one_element, {2, 3}, "one_element, input 0, element \\[1, 2\\]: [^.]*\\.[^.]*\\.[^.]*\\..*"},
        Mutant{"ignores_cotangent", ignores_cotangent, {2, 3}, "ignores_cotangent" + kAt},
        Mutant{"reads_raw_memory", reads_raw_memory, {2, 3}, "reads_raw_memory, input 0, element .* for a strided one"},
        Mutant{"other_bits", other_bits, {2, 3}, "other_bits, input 0: a second run gives other bits"},
        Mutant{"wrong_shape", wrong_shape, {2, 3}, "wrong_shape, going backward threw: wrong_shape: the gradient .*"},
        Mutant{"nan_output", nan_output, {2, 3}, "output 0 is not finite: .*"},
        Mutant{"no_gradient", no_gradient, {2, 3}, "no_gradient, .*ratio 0: at a kink.\\)\\. 6 of 6.*"}),
    [](const auto& info) { return info.param.name; });

TEST(Gradcheck, RejectsTheGradientOfTheWrongInput) {
  const GradcheckReport report = gradcheck(
      [](const In& in) {
        const Tensor a = in[0], b = in[1], y = a.detach() * b.detach();
        return record("swapped", y, {a, b}, [a, b](const Tensor& dy) -> Gradients { return {dy * a, dy * b}; });
      },
      {normal({2, 3}), tensor({{1, 2, 3}, {4, 5, 6}}, {.dtype = float64})});
  EXPECT_FALSE(report.ok);
  EXPECT_THAT(report.message, HasSubstr("12 of 12 elements are wrong"));
}

TEST(Gradcheck, NamesOperationInputElementAndNumbers) {
  const GradcheckReport report = gradcheck(
      [](const In& in) {
        return with_vjp(
            "half", in[0], [](const Tensor& x) { return x * 0.5; },
            [](const Tensor& dy) -> Gradients {
              Tensor dx = (dy * 0.5).clone();
              dx.mutable_data<double>()[2] *= 1.25;
              return {dx};
            });
      },
      {normal({3})});
  EXPECT_EQ(report.input, 0);
  EXPECT_EQ(report.element, Shape{2});
  EXPECT_NEAR(report.analytic / report.numeric, 1.25, 1e-6);
  EXPECT_EQ(report.message, fmt::format("gradcheck: half, input 0, element [2]: analytic {:.7g}, numeric {:.7g} "
                                        "(ratio 1.25).",
                                        report.analytic, report.numeric));
}

TEST(Gradcheck, PassesRightGradients) {
  const GradcheckReport report = gradcheck([](const In& in) { return tanh(in[0]) * in[1] - in[0]; },
                                           {normal({3, 4}), tensor({1, -2, 3, 0.5}, {.dtype = float64})});
  EXPECT_TRUE(report.ok) << report.message;
  EXPECT_LT(report.max_error, 1e-8);
  EXPECT_GT(report.max_abs_grad, 0.1);
}

TEST(Gradcheck, PassesAFunctionThatReturnsItsInput) {
  EXPECT_TRUE(gradcheck([](const In& in) { return in[0]; }, {normal({3})}).ok);
  EXPECT_TRUE(gradcheck([](const In& in) { return in[0].contiguous(); }, {normal({3})}).ok);
}

TEST(Gradcheck, ChecksSeveralOutputs) {
  const auto f = [](double wrong) {
    return [=](const In& in) -> In {
      const Tensor x = in[0].detach();
      const Gradients y = record("pair", Gradients{x * 2.0, x * 3.0}, {in[0]}, [=](const Gradients& dy) -> Gradients {
        const Tensor a = dy[0].defined() ? dy[0] * 2.0 : Tensor(), b = dy[1].defined() ? dy[1] * wrong : Tensor();
        return {!a.defined() ? b : !b.defined() ? a : a + b};
      });
      return {y[0], y[1]};
    };
  };
  EXPECT_TRUE(gradcheck(f(3.0), {normal({4})}).ok);
  EXPECT_FALSE(gradcheck(f(3.1), {normal({4})}).ok);
}

TEST(Gradcheck, RejectsWhatProvesNothing) {
  const auto zero = [](const In& in) { return in[0] * 0.0; };
  const GradcheckReport report = gradcheck(zero, {normal({3})});
  EXPECT_FALSE(report.ok);
  EXPECT_THAT(report.message, HasSubstr("mul, every gradient is below 0.001"));
  EXPECT_TRUE(gradcheck(zero, {normal({3})}, {.allow_zero_gradient = true}).ok);
}

TEST(Gradcheck, LeavesInputsAndGeneratorAlone) {
  Tensor x = normal({3});
  const std::vector<double> before = x.to_vector<double>();
  manual_seed(5);
  const uint32_t version = x.version();
  EXPECT_TRUE(gradcheck([](const In& in) { return in[0] * randn({3}, {.dtype = float64}); }, {x}).ok);
  EXPECT_EQ(x.to_vector<double>(), before);
  EXPECT_EQ(x.version(), version);
  EXPECT_FALSE(x.requires_grad());
  EXPECT_FALSE(x.grad().defined());
  EXPECT_EQ(default_generator().seed, 5u);
  EXPECT_EQ(default_generator().position, 0u);
}

TEST(Gradcheck, GivesRandomFunctionsTheSameNumbers) {
  EXPECT_TRUE(gradcheck([](const In& in) { return in[0] * randn({3}, {.dtype = float64}); }, {normal({3})}).ok);
}

TEST(Gradcheck, PassesOtherTensorsOn) {
  const GradcheckReport report = gradcheck(
      [](const In& in) {
        EXPECT_FALSE(in[1].defined());
        EXPECT_EQ(in[2].dtype(), int64);
        return in[0] * in[3];
      },
      {normal({3}), Tensor(), arange(3), normal({3})});
  EXPECT_TRUE(report.ok) << report.message;
}

TEST(Gradcheck, RefusesFloat32AndNothing) {
  const auto f = [](const In& in) { return in[0]; };
  EXPECT_THAT([&] { return gradcheck(f, {ones({3})}); },
              ThrowsMessage<DtypeError>(HasSubstr("inputs must be float64, input 0 is float32. Hint: convert with")));
  EXPECT_THAT([&] { return gradcheck(f, {arange(3)}); }, ThrowsMessage<ValueError>(HasSubstr("nothing to check")));
}

TEST(Gradgradcheck, PassesRightSecondDerivatives) {
  const auto f = [](const In& in) { return tanh(in[0] * in[1]); };
  const GradcheckReport report = gradgradcheck(f, {normal({3}), tensor(0.7, {.dtype = float64})});
  EXPECT_TRUE(report.ok) << report.message;
  EXPECT_TRUE(gradgradcheck([](const In& in) { return in[0] + in[1]; }, {normal({3}), normal({3})}).ok);
}

TEST(Gradgradcheck, RejectsABackwardThatIsNotRecorded) {
  const GradcheckReport report = gradgradcheck(
      [](const In& in) {
        const Tensor x = in[0];
        return with_vjp(
            "square", x, [](const Tensor& x) { return x * x; },
            [x](const Tensor& dy) -> Gradients { return {dy * (x.detach() * 2.0)}; });
      },
      {normal({3})});
  EXPECT_FALSE(report.ok);
  EXPECT_THAT(report.message, HasSubstr("gradcheck: second derivative, input 0, element ["));
}

}  // namespace
}  // namespace tapegrad
