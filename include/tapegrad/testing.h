// tapegrad's kit for GoogleTest (link tapegrad::testing): tensors compared with a message that says where
// they differ, matchers for GoogleMock, and gradients checked against differences.
//
//   EXPECT_TENSOR_NEAR(layer_norm(x, {64}), expected, 1e-6);
//   EXPECT_THAT(model(x), AllOf(HasShape({32, 10}), IsFinite()));
//   TAPEGRAD_TEST_MODULE(RMSNorm, RMSNorm(6), Shape{4, 6});       // eight tests of a module of one's own
//   EXPECT_GRADIENTS([](const Tensor& x) { return swish(x); }, randn({3, 4}, {.dtype = float64}));
//   EXPECT_TRUE(overfits(model, [&] { return cross_entropy(model(x), y); }));
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tapegrad/error.h>
#include <tapegrad/gradcheck.h>
#include <tapegrad/nn/module.h>

#include <functional>
#include <memory>
#include <optional>

namespace tapegrad {

/// When two numbers count as equal: |a - b| <= atol + rtol * |b|. Infinities are equal to themselves.
struct CloseOptions {
  double rtol = 1e-5;      ///< relative to the expected value
  double atol = 1e-8;      ///< absolute
  bool equal_nan = false;  ///< NaN against NaN passes; otherwise no NaN does
};

/// Whether `actual` has the shape, the dtype and the values of `expected`; else a message with the first of
/// these that differs, and for values how many do, the worst with its index, and those around it.
::testing::AssertionResult is_close(const Tensor& actual, const Tensor& expected,
                                    const CloseOptions& options = {});

namespace detail {
::testing::AssertionResult tensor_near(const char* actual_text, const char* expected_text,
                                       const char* tolerance_text, const Tensor& actual,
                                       const Tensor& expected, double tolerance);
::testing::AssertionResult has_shape(const Tensor& tensor, const Shape& shape);
::testing::AssertionResult is_finite(const Tensor& tensor);

// Matches a tensor that passes an assertion, whose message explains why not.
MATCHER_P2(Passes, description, check, (negation ? "not: " : "") + description) {
  const ::testing::AssertionResult result = check(arg);
  *result_listener << result.message();
  return bool(result);
}
}  // namespace detail

/// Matches a tensor that is_close() to `expected`.
inline auto AllClose(const Tensor& expected, const CloseOptions& options = {}) {
  return detail::Passes("is close to\n" + to_string(expected),
                        [=](const Tensor& x) { return is_close(x, expected, options); });
}

/// Matches a tensor of this shape.
inline auto HasShape(const Shape& shape) {
  return detail::Passes("has shape " + to_string(shape),
                        [=](const Tensor& x) { return detail::has_shape(x, shape); });
}

/// Matches a tensor without NaN and infinities.
inline auto IsFinite() {
  return detail::Passes(std::string("is finite"), [](const Tensor& x) { return detail::is_finite(x); });
}

/// The tensors have one shape and dtype, and |a - b| <= tolerance * (1 + |b|) everywhere; NaN never passes.
#define EXPECT_TENSOR_NEAR(actual, expected, tolerance) \
  EXPECT_PRED_FORMAT3(::tapegrad::detail::tensor_near, actual, expected, tolerance)
#define ASSERT_TENSOR_NEAR(actual, expected, tolerance) \
  ASSERT_PRED_FORMAT3(::tapegrad::detail::tensor_near, actual, expected, tolerance)

/// The gradients of a function of tensors are right: EXPECT_GRADIENTS(f, inputs...), see gradcheck().
#define EXPECT_GRADIENTS(...) EXPECT_TRUE(::tapegrad::detail::check_gradients(__VA_ARGS__))

struct OverfitOptions {
  int steps = 300;      ///< of Adam
  double lr = 1e-2;     ///< learning rate
  double below = 0.01;  ///< where the loss must end
  std::optional<double> start =
      {};  ///< where it must start, within a factor of 1.5: ln(classes) for a classifier
};

/// Whether training brings the loss of one batch down: the first test of a model, which finds a part that is
/// cut off from the loss, a wrong sign, labels in another order. `loss` runs the model on a batch, always the
/// same. The failure's message has the losses and the names of the parameters that never moved. The model is
/// changed.
///
///   EXPECT_TRUE(overfits(model, [&] { return cross_entropy(model(x), y); }, {.start = std::log(10)}));
::testing::AssertionResult overfits(const nn::ModuleBase& model, const std::function<Tensor()>& loss,
                                    const OverfitOptions& options = {});

namespace detail {

::testing::AssertionResult assertion(const GradcheckReport& report);

template <class F, class... T>
::testing::AssertionResult check_gradients(F f, const T&... inputs) {
  return [&]<size_t... I>(std::index_sequence<I...>) {
    return assertion(gradcheck([&](const std::vector<Tensor>& in) { return f(in[I]...); }, {inputs...}));
  }
  (std::index_sequence_for<T...>());
}

inline void append_result(std::vector<Tensor>& out, const Tensor& result) { out.push_back(result); }
template <class A, class B>
void append_result(std::vector<Tensor>& out, const std::pair<A, B>& result) {
  append_result(out, result.first);
  append_result(out, result.second);
}
template <class... T>
void append_result(std::vector<Tensor>& out, const std::tuple<T...>& result) {
  std::apply([&](const auto&... parts) { (append_result(out, parts), ...); }, result);
}
inline void append_result(std::vector<Tensor>& out, const std::vector<Tensor>& result) {
  out.insert(out.end(), result.begin(), result.end());
}

/// A result as a list: a tensor, or a vector, pair or tuple of results.
template <class R>
void append_result(std::vector<Tensor>& out, const R& result) {
  if constexpr (std::is_convertible_v<R, Tensor>)
    out.push_back(result);
  else if constexpr (requires { result.begin(); })
    out.insert(out.end(), result.begin(), result.end());
  else
    std::apply([&](const auto&... parts) { (append_result(out, parts), ...); }, result);
}

/// A module of any type, as the tests of TAPEGRAD_TEST_MODULE see it.
struct ModuleHandle {
  std::shared_ptr<nn::ModuleBase> module;
  std::function<std::vector<Tensor>(const std::vector<Tensor>&)> call;
  std::function<ModuleHandle()> clone;
};

template <size_t inputs, class M>
ModuleHandle module_handle(M made) {
  auto module = std::make_shared<M>(std::move(made));
  return {module,
          [module](const std::vector<Tensor>& in) {
            return [&]<size_t... I>(std::index_sequence<I...>) {
              std::vector<Tensor> out;
              append_result(out, (*module)(in[I]...));
              return out;
            }
            (std::make_index_sequence<inputs>());
          },
          [module] { return module_handle<inputs>(module->clone()); }};
}

/// What the tests of a module check; every failure is a failure of the running test.
class ModuleTests {
 public:
  template <class Make, class... Shapes>
  ModuleTests(Make make, const Shapes&... shapes)
      : make_([make] { return module_handle<sizeof...(Shapes)>(make()); }), shapes_{shapes...} {}
  void gradients_of_inputs() const;
  void gradients_of_parameters() const;
  void parameters_are_registered_and_move() const;
  void saves_and_loads() const;
  void clone_is_independent() const;
  void takes_strided_and_empty_inputs() const;
  void can_be_used_twice() const;
  void same_seed_gives_the_same_bits() const;

 private:
  ModuleHandle make(Dtype dtype) const;
  std::vector<Tensor> inputs(Dtype dtype) const;
  std::function<ModuleHandle()> make_;
  std::vector<Shape> shapes_;
};

}  // namespace detail

/// Eight tests of a module, in the suite `Name`: TAPEGRAD_TEST_MODULE(Name, expression that makes it, the
/// shapes of its inputs...). Its inputs are floating tensors and its result a Tensor, or a pair, tuple or
/// vector of them.
#define TAPEGRAD_TEST_MODULE(Name, make, ...)                                                               \
  TAPEGRAD_MODULE_TEST(Name, GradientsOfInputsAreRight, gradients_of_inputs, make, __VA_ARGS__)             \
  TAPEGRAD_MODULE_TEST(Name, GradientsOfParametersAreRight, gradients_of_parameters, make, __VA_ARGS__)     \
  TAPEGRAD_MODULE_TEST(Name, EveryParameterIsRegisteredAndMoves, parameters_are_registered_and_move, make,  \
                       __VA_ARGS__)                                                                         \
  TAPEGRAD_MODULE_TEST(Name, SavesAndLoads, saves_and_loads, make, __VA_ARGS__)                             \
  TAPEGRAD_MODULE_TEST(Name, CloneIsIndependent, clone_is_independent, make, __VA_ARGS__)                   \
  TAPEGRAD_MODULE_TEST(Name, TakesStridedAndEmptyInputs, takes_strided_and_empty_inputs, make, __VA_ARGS__) \
  TAPEGRAD_MODULE_TEST(Name, CanBeUsedTwice, can_be_used_twice, make, __VA_ARGS__)                          \
  TAPEGRAD_MODULE_TEST(Name, TheSameSeedGivesTheSameBits, same_seed_gives_the_same_bits, make, __VA_ARGS__) \
  static_assert(true)
#define TAPEGRAD_MODULE_TEST(Name, Test, check, make, ...)                     \
  TEST(Name, Test) {                                                           \
    ::tapegrad::detail::ModuleTests([] { return make; }, __VA_ARGS__).check(); \
  }

}  // namespace tapegrad
