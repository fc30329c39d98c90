// tapegrad's kit for GoogleTest (link tapegrad::testing): tensors compared with a message that says where
// they differ, matchers for GoogleMock, and gradients checked against differences.
//
//   EXPECT_TENSOR_NEAR(layer_norm(x, {64}), expected, 1e-6);
//   EXPECT_THAT(model(x), AllOf(HasShape({32, 10}), IsFinite()));
//   EXPECT_TENSOR_NEAR(cumsum(x, 0), {1, 3, 6}, 1e-6);            // numbers take the dtype of the tensor
//   TAPEGRAD_TEST_MODULE(RMSNorm, RMSNorm(6), Shape{4, 6});       // nine tests of a module of one's own
//   EXPECT_GRADIENTS([](const Tensor& x) { return swish(x); }, randn({3, 4}, {.dtype = float64}));
//   EXPECT_TRUE(overfits(model, [&] { return cross_entropy(model(x), y); }));
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tapegrad/error.h>
#include <tapegrad/gradcheck.h>
#include <tapegrad/nn/module.h>

#include <concepts>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <variant>

namespace tapegrad {

/// When two numbers count as equal: |a - b| <= atol + rtol * |b|. Infinities are equal to themselves.
struct CloseOptions {
  double rtol = 1e-5;      ///< relative to the expected value
  double atol = 1e-8;      ///< absolute
  bool equal_nan = false;  ///< NaN against NaN passes; otherwise no NaN does
};

/// Whether `actual` has the shape, the dtype and the values of `expected`; else a message with the first of
/// these that differs, and for values how many do, the worst with its index, and those around it.
::testing::AssertionResult is_close(const Tensor& actual, const Tensor& expected, const CloseOptions& options = {});

namespace detail {
// What a tensor is compared with: another one, or numbers in braces, which take its dtype.
class Expected {
 public:
  template <std::convertible_to<Tensor> T>
  Expected(const T& tensor) : tensor_(tensor) {}
  Expected(std::initializer_list<std::initializer_list<double>> rows)
      : tensor_(tensor(rows, {.dtype = float64})), numbers_(true) {}
  // A template, because {{0}, {1}} could be either, as in tensor().
  template <int = 0>
  Expected(std::initializer_list<double> values) : tensor_(tensor(values, {.dtype = float64})), numbers_(true) {}
  Tensor for_tensor(const Tensor& actual) const {
    return numbers_ && actual.defined() ? tensor_.to(actual.dtype()) : tensor_;
  }

 private:
  Tensor tensor_;
  bool numbers_ = false;
};
::testing::AssertionResult tensor_near(const char* text, const Tensor& actual, const Expected& expected,
                                       double tolerance);
inline ::testing::AssertionResult as_it_is(const char*, const ::testing::AssertionResult& result) { return result; }
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
  return detail::Passes("has shape " + to_string(shape), [=](const Tensor& x) { return detail::has_shape(x, shape); });
}

/// Matches a tensor without NaN and infinities.
inline auto IsFinite() {
  return detail::Passes(std::string("is finite"), [](const Tensor& x) { return detail::is_finite(x); });
}

/// EXPECT_TENSOR_NEAR(actual, expected, tolerance): the tensors have one shape and dtype, and |a - b| <=
/// tolerance * (1 + |b|) everywhere; NaN never passes. `expected` may be numbers, {1, 2} or {{1, 2}, {3, 4}}.
/// For shapes EXPECT_THAT(x, HasShape({2, 3})) has no trouble with commas.
#define EXPECT_TENSOR_NEAR(...) \
  EXPECT_PRED_FORMAT1(::tapegrad::detail::as_it_is, (::tapegrad::detail::tensor_near(#__VA_ARGS__, __VA_ARGS__)))
#define ASSERT_TENSOR_NEAR(...) \
  ASSERT_PRED_FORMAT1(::tapegrad::detail::as_it_is, (::tapegrad::detail::tensor_near(#__VA_ARGS__, __VA_ARGS__)))

/// The gradients of a function of tensors are right: EXPECT_GRADIENTS(f, inputs...), see gradcheck().
#define EXPECT_GRADIENTS(...) EXPECT_TRUE(::tapegrad::detail::check_gradients(__VA_ARGS__))

struct OverfitOptions {
  int steps = 300;                   ///< of Adam
  double lr = 1e-2;                  ///< learning rate
  double below = 0.01;               ///< where the loss must end
  std::optional<double> start = {};  ///< where it must start, within a factor of 1.5: ln(classes) for a classifier
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

/// A result as a list of tensors: a tensor, a vector, pair or tuple of results, what a recurrent layer
/// returns.
template <class R>
void append_result(std::vector<Tensor>& out, const R& result) {
  if constexpr (std::is_convertible_v<R, Tensor>)
    out.push_back(result);
  else if constexpr (requires { result.begin(); })
    out.insert(out.end(), result.begin(), result.end());
  else if constexpr (requires { std::tie(result.output, result.state); })
    append_result(out, std::tie(result.output, result.state));
  else if constexpr (requires { std::tie(result.h, result.c); })
    append_result(out, std::tie(result.h, result.c));
  else
    std::apply([&](const auto&... parts) { (append_result(out, parts), ...); }, result);
}

/// A module of any type, as the tests of TAPEGRAD_TEST_MODULE see it.
struct ModuleHandle {
  std::shared_ptr<nn::ModuleBase> module;
  std::function<std::vector<Tensor>(const std::vector<Tensor>&)> call;
  std::function<ModuleHandle()> clone;
};

// For a Shape or a Tensor the next of the tests' tensors; anything else as it was given.
template <class T>
constexpr bool is_tensor_argument = std::is_same_v<T, Shape> || std::is_same_v<T, Tensor>;
template <class T>
const auto& argument(const T& given, const Tensor*& next) {
  if constexpr (is_tensor_argument<T>)
    return *next++;
  else
    return given;
}

template <class M, class... Given>
ModuleHandle module_handle(M made, const Given&... given) {
  auto module = std::make_shared<M>(std::move(made));
  return {module,
          [module, given...](const std::vector<Tensor>& in) {
            const Tensor* next = in.data();
            // In braces, where arguments are evaluated in order.
            const std::tuple<std::conditional_t<is_tensor_argument<Given>, const Tensor&, const Given&>...> arguments{
                argument(given, next)...};
            std::vector<Tensor> out;
            append_result(out, std::apply(*module, arguments));
            return out;
          },
          [module, given...] { return module_handle(module->clone(), given...); }};
}
}  // namespace detail

struct ModuleTestOptions {
  /// The axis whose rows are samples that must not depend on each other, in evaluation; none: they may.
  std::optional<int64_t> batch_axis = 0;
};

namespace detail {
/// What the tests of a module check.
class ModuleTests {
 public:
  template <class Make, class... Given>
  ModuleTests(Make make, ModuleTestOptions options, const Given&... given)
      : make_([=] { return module_handle(make(), given...); }), options_(options) {
    (add_input(given), ...);
  }
  template <class Make, class... Given>
  ModuleTests(Make make, const Given&... given) : ModuleTests(make, ModuleTestOptions{}, given...) {}

  using Result = ::testing::AssertionResult;
  Result gradients_of_inputs() const;
  Result gradients_of_parameters() const;
  Result parameters_are_registered_and_move() const;
  Result saves_and_loads() const;
  Result clone_is_independent() const;
  Result takes_strided_and_empty_inputs() const;
  Result can_be_used_twice() const;
  Result same_seed_gives_the_same_bits() const;
  Result rows_do_not_mix() const;

 private:
  template <class T>
  void add_input(const T& given) {
    if constexpr (is_tensor_argument<T>) inputs_.push_back(given);
  }
  ModuleHandle make(Dtype dtype, uint64_t seed = 1) const;
  std::vector<Tensor> inputs(Dtype dtype) const;
  std::function<ModuleHandle()> make_;
  ModuleTestOptions options_;
  std::vector<std::variant<Shape, Tensor>> inputs_;
};

}  // namespace detail

/// Nine tests of a module, in the suite `Name`: TAPEGRAD_TEST_MODULE(Name, expression that makes it, what it
/// is called with...). A Shape stands for a floating tensor of random numbers; a Tensor is passed as it is,
/// but that a floating one is converted to the dtype of the test; anything else is passed on. The module may
/// be made in any dtype: the tests convert it. Its result is a Tensor, a pair, tuple or vector of them, or a
/// recurrent layer's.
///
///     TAPEGRAD_TEST_MODULE(Words, nn::Embedding(9, 4), tensor({{1, 8}, {1, 0}}, {.dtype = int64}));
///     TAPEGRAD_TEST_MODULE(Padded, nn::LSTM(3, 4), ModuleTestOptions{.batch_axis = 1}, Shape{5, 2, 3},
///                          nn::LSTMState(), nn::SequenceOptions{.lengths = tensor({5, 2}, {.dtype = int64})});
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
  TAPEGRAD_MODULE_TEST(Name, RowsOfABatchDoNotMix, rows_do_not_mix, make, __VA_ARGS__)                      \
  static_assert(true)
#define TAPEGRAD_MODULE_TEST(Name, Test, check, make, ...)                                            \
  TEST(Name, Test) {                                                                                  \
    EXPECT_PRED_FORMAT1(::tapegrad::detail::as_it_is,                                                 \
                        (::tapegrad::detail::ModuleTests([] { return make; }, __VA_ARGS__).check())); \
  }

}  // namespace tapegrad
