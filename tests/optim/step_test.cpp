// What every optimizer promises, whatever its formula.
#include <tapegrad/error.h>
#include <tapegrad/memory.h>
#include <tapegrad/ops.h>
#include <tapegrad/optim.h>
#include <tapegrad/parallel.h>
#include <tapegrad/random.h>
#include <tapegrad/tape.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>

namespace tapegrad {
namespace {

using optim::ParameterList;
using testing::HasSubstr;
using testing::ThrowsMessage;
using Make = std::function<std::unique_ptr<optim::Optimizer>(const ParameterList&)>;

struct Named {
  const char* name;
  Make make;
};

template <class O, class Options>
Named named(const char* name, Options options) {
  return {name, [options](const ParameterList& p) { return std::make_unique<O>(p, options); }};
}

const std::vector<Named>& optimizers() {
  using namespace optim;
  static const std::vector<Named> all = {
      named<SGD>("sgd", SGDOptions{.lr = 0.1}),
      named<SGD>("momentum", SGDOptions{.lr = 0.1, .momentum = 0.9, .dampening = 0.1, .weight_decay = 0.01}),
      named<SGD>("nesterov", SGDOptions{.lr = 0.1, .momentum = 0.9, .nesterov = true}),
      named<Adam>("adam", AdamOptions{.lr = 0.1, .weight_decay = 0.01}),
      named<Adam>("amsgrad", AdamOptions{.lr = 0.1, .amsgrad = true}),
      named<AdamW>("adamw", AdamWOptions{.lr = 0.1}),
      named<RMSprop>("rmsprop", RMSpropOptions{}),
      named<RMSprop>("rmsprop_all", RMSpropOptions{.momentum = 0.5, .centered = true}),
      named<Adagrad>("adagrad", AdagradOptions{.lr_decay = 0.1, .initial_accumulator_value = 0.1}),
      named<Adadelta>("adadelta", AdadeltaOptions{}),
  };
  return all;
}

class EveryOptimizer : public testing::TestWithParam<Named> {};
INSTANTIATE_TEST_SUITE_P(All, EveryOptimizer, testing::ValuesIn(optimizers()),
                         [](const auto& info) { return std::string(info.param.name); });

// The bits of a tensor, so that -0 and 0, and two NaN, are told apart.
std::string bits(const Tensor& x) {
  const auto values = x.to_vector<float>();
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

std::map<std::string, std::string> moments(const optim::Optimizer& optimizer) {
  std::map<std::string, std::string> all;
  for (const auto& [key, value] : optimizer.state_dict()) {
    if (key == "skipped") continue;
    all[key] = value.dtype() == float32 ? bits(value) : std::to_string(value.item());
  }
  return all;
}

struct Model {
  Tensor w = randn({5, 3}, {.requires_grad = true}), b = randn({3}, {.requires_grad = true});
  std::vector<std::pair<std::string, Tensor>> named() const { return {{"fc.weight", w}, {"fc.bias", b}}; }
  void random_gradients() {
    w.set_grad(randn({5, 3}));
    b.set_grad(randn({3}));
  }
};

TEST_P(EveryOptimizer, LowersASimpleLoss) {
  manual_seed(1);
  Tensor w = randn({40}, {.requires_grad = true});
  auto optimizer = GetParam().make({w});
  const double before = sum(w * w).item();
  for (int i = 0; i < 30; ++i) {
    Tape tape;
    Tensor loss = sum(w * w);
    optimizer->zero_grad();
    tape.backward(loss);
    EXPECT_TRUE(optimizer->step());
  }
  EXPECT_LT(sum(w * w).item(), before);
}

TEST_P(EveryOptimizer, ChangesNothingWhereAGradientIsNotFinite) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (float poison : {infinity, -infinity, std::nanf("")}) {
    for (int bad_step = 0; bad_step < 4; ++bad_step) {
      for (bool in_bias : {false, true}) {
        manual_seed(2);
        Model model;
        auto optimizer = GetParam().make(model.named());
        for (int step = 0; step < bad_step; ++step) {
          model.random_gradients();
          ASSERT_TRUE(optimizer->step());
        }
        model.random_gradients();
        Tensor poisoned = in_bias ? model.b.grad() : model.w.grad();
        poisoned.mutable_data<float>()[2] = poison;
        const auto w = bits(model.w), b = bits(model.b), gradient = bits(poisoned);
        const auto state = moments(*optimizer);
        EXPECT_FALSE(optimizer->step());
        EXPECT_EQ(bits(model.w), w);
        EXPECT_EQ(bits(model.b), b);
        EXPECT_EQ(bits(poisoned), gradient);
        EXPECT_EQ(moments(*optimizer), state);
        EXPECT_EQ(optimizer->skipped_steps(), 1);
        EXPECT_EQ(optimizer->last_skipped(), in_bias ? "fc.bias" : "fc.weight");
      }
    }
  }
}

TEST_P(EveryOptimizer, LeavesTheGradientsAsTheyAre) {
  Model model;
  auto optimizer = GetParam().make(model.named());
  model.random_gradients();
  const auto before = bits(model.w.grad());
  const uint32_t version = model.w.grad().version();
  optimizer->step();
  EXPECT_EQ(bits(model.w.grad()), before);
  EXPECT_EQ(model.w.grad().version(), version);
}

TEST_P(EveryOptimizer, GoesOnWithTheSameBitsFromASavedState) {
  const int steps = 6;
  for (int stop = 0; stop <= steps; ++stop) {
    manual_seed(3);
    Model straight, resumed;
    resumed.w.copy_(straight.w);
    resumed.b.copy_(straight.b);
    auto a = GetParam().make(straight.named());
    auto b = GetParam().make(resumed.named());
    for (int step = 0; step < steps; ++step) {
      if (step == stop) {
        const auto state = b->state_dict();
        b = GetParam().make(resumed.named());
        b->load_state_dict(state);
      }
      straight.random_gradients();
      resumed.w.set_grad(straight.w.grad());
      resumed.b.set_grad(step == 2 ? Tensor() : straight.b.grad());
      if (step == 2) straight.b.zero_grad();
      a->step();
      b->step();
    }
    EXPECT_EQ(bits(straight.w), bits(resumed.w)) << "stopped before step " << stop;
    EXPECT_EQ(bits(straight.b), bits(resumed.b)) << "stopped before step " << stop;
    EXPECT_EQ(moments(*a), moments(*b));
  }
}

TEST_P(EveryOptimizer, GivesTheSameBitsOnAnyNumberOfThreads) {
  const int before = get_num_threads();
  std::vector<std::string> results;
  for (int threads : {1, 2, 3}) {
    set_num_threads(threads);
    manual_seed(4);
    Tensor w = randn({70001}, {.requires_grad = true});
    auto optimizer = GetParam().make({w});
    for (int step = 0; step < 3; ++step) {
      w.set_grad(randn({70001}));
      clip_grad_norm({w}, 2.0);
      optimizer->step();
    }
    results.push_back(bits(w));
  }
  set_num_threads(before);
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

TEST_P(EveryOptimizer, TakesAGradientThatIsAStridedView) {
  manual_seed(5);
  Tensor a = randn({3, 4}, {.requires_grad = true}), b = a.detach().clone().set_requires_grad();
  const Tensor gradient = randn({4, 3});
  a.set_grad(gradient.transpose(0, 1));
  b.set_grad(gradient.transpose(0, 1).contiguous());
  GetParam().make({a})->step();
  GetParam().make({b})->step();
  EXPECT_EQ(bits(a), bits(b));
}

TEST_P(EveryOptimizer, AsksTheSystemForNoMemoryOnceItRuns) {
  if (std::getenv("TAPEGRAD_NO_POOL")) GTEST_SKIP() << "every block comes from the system";
  Model model;
  auto optimizer = GetParam().make(model.named());
  model.random_gradients();
  optimizer->step();
  const auto before = memory::stats().system_calls;
  for (int i = 0; i < 10; ++i) optimizer->step();
  EXPECT_EQ(memory::stats().system_calls, before);
}

TEST_P(EveryOptimizer, WorksOnEmptyAndOnScalarParameters) {
  Tensor none = zeros({0, 3}, {.requires_grad = true}), one = tensor(1.0, {.requires_grad = true});
  none.set_grad(zeros({0, 3}));
  one.set_grad(ones({}));
  EXPECT_TRUE(GetParam().make({none, one})->step());
  EXPECT_LT(one.item(), 1.0);
}

TEST(Optimizer, ThrowsAtTheTenthSkippedStepInARow) {
  Tensor w = ones({2}, {.requires_grad = true});
  optim::SGD optimizer({w}, {.lr = 0.5});
  const auto bad = [&] { w.set_grad(full({2}, std::nan(""))); };
  for (int i = 0; i < 9; ++i) {
    bad();
    EXPECT_FALSE(optimizer.step());
  }
  w.set_grad(ones({2}));
  EXPECT_TRUE(optimizer.step());
  for (int i = 0; i < 9; ++i) {
    bad();
    EXPECT_FALSE(optimizer.step());
  }
  EXPECT_THAT([&] { optimizer.step(); },
              ThrowsMessage<Error>("SGD: 10 steps in a row were skipped because a gradient was NaN or infinite, "
                                   "now that of parameter '0'. Hint: lower lr (it is 0.5), clip_grad_norm, or "
                                   "find the operation, or the data that came with NaN, with Tape "
                                   "tape({.check_finite = true})"));
  EXPECT_EQ(optimizer.skipped_steps(), 19);
  EXPECT_EQ(w.to_vector<float>(), std::vector<float>({0.5f, 0.5f}));
}

TEST(Optimizer, GoesOnWithTheRatesAndTheSkippedStepsOfItsState) {
  Tensor w = ones({2}, {.requires_grad = true});
  optim::SGD optimizer({w}, {.lr = 0.5}), resumed({w}, {.lr = 0.5});
  optimizer.set_lr(0.25);
  w.set_grad(full({2}, std::nan("")));
  for (int i = 0; i < 9; ++i) optimizer.step();
  resumed.load_state_dict(optimizer.state_dict());
  EXPECT_EQ(resumed.lr(), 0.25);
  EXPECT_THROW(resumed.step(), Error);  // the tenth in a row
  EXPECT_EQ(resumed.skipped_steps(), 10);
}

TEST(Optimizer, SaysWhatToDoWhereNoParameterHasAGradient) {
  optim::SGD optimizer({ones({2}, {.requires_grad = true})});
  EXPECT_THAT([&] { optimizer.step(); },
              ThrowsMessage<AutogradError>(
                  "SGD: step() found no gradient on any of 1 parameters. Hint: call tape.backward(loss) after "
                  "zero_grad() and before step(), with a loss that depends on them"));
}

TEST(Optimizer, LeavesAParameterWithoutGradientAlone) {
  Tensor used = ones({2}, {.requires_grad = true}), unused = ones({2}, {.requires_grad = true});
  optim::Adam optimizer({used, unused}, {.lr = 0.1, .weight_decay = 0.1});
  used.set_grad(ones({2}));
  optimizer.step();
  EXPECT_EQ(unused.to_vector<float>(), std::vector<float>({1, 1}));
  EXPECT_LT(used.to_vector<float>()[0], 1);
}

TEST(Optimizer, ZeroGradDropsTheGradients) {
  Tensor w = ones({2}, {.requires_grad = true});
  w.set_grad(ones({2}));
  optim::SGD optimizer({w});
  optimizer.zero_grad();
  EXPECT_FALSE(w.grad().defined());
}

TEST(Optimizer, AStepBetweenForwardAndBackwardIsFoundOut) {
  Tensor w = ones({2}, {.requires_grad = true});
  optim::SGD optimizer({w});
  Tape tape;
  const Tensor loss = sum(w * w);
  w.set_grad(ones({2}));
  optimizer.step();
  EXPECT_THROW(tape.backward(loss), AutogradError);
}

TEST(Optimizer, CenteredRmspropStaysFiniteWhereTheVarianceVanishes) {
  Tensor w = ones({1000}, {.requires_grad = true});
  optim::RMSprop optimizer({w}, {.lr = 1e-6, .alpha = 0.5, .centered = true});
  const Tensor gradient = rand({1000});
  for (int i = 0; i < 200; ++i) {
    w.set_grad(gradient);
    optimizer.step();
  }
  for (float value : w.to_vector<float>()) ASSERT_TRUE(std::isfinite(value));
}

TEST(Optimizer, GroupsHaveTheirOwnRateAndDecay) {
  Tensor a = ones({1}, {.requires_grad = true}), b = ones({1}, {.requires_grad = true}),
         c = ones({1}, {.requires_grad = true});
  optim::SGD optimizer({{.params = {a}}, {.params = {b}, .lr = 0.5, .weight_decay = 0}},
                       {.lr = 0.25, .weight_decay = 1});
  optimizer.add_group({c}, {.lr = 0.125});
  EXPECT_EQ(optimizer.groups(), 3u);
  for (Tensor* x : {&a, &b, &c}) x->set_grad(ones({1}));
  optimizer.step();
  EXPECT_EQ(a.item(), 0.5);
  EXPECT_EQ(b.item(), 0.5);
  EXPECT_EQ(c.item(), 0.875);
  optimizer.set_group_lr(1, 0);
  EXPECT_EQ(optimizer.lr(1), 0);
  EXPECT_EQ(optimizer.lr(2), 0.125);
}

// p = p - lr sign(g): the options of an optimizer of one's own.
struct SignOptions {
  double lr = 1e-3, weight_decay = 0;
  static constexpr const char* name = "Sign";
  void check() const {}
  std::vector<std::string> moment_names() const { return {}; }
  void update(optim::Optimizer::Slot& slot, const Tensor& gradient) const { slot.parameter -= lr * sign(gradient); }
};

TEST(Optimizer, IsAStructOfOptionsWithAFormula) {
  Tensor a = ones({2}), b = ones({2});
  optim::OptimizerOf<SignOptions> optimizer({{.params = {a}}, {.params = {b}, .lr = 0.25}}, {.lr = 0.5});
  a.set_grad(tensor({3, -7}));
  b.set_grad(tensor({3, -7}));
  optimizer.step();
  EXPECT_EQ(a.to_vector<float>(), std::vector<float>({0.5f, 1.5f}));
  EXPECT_EQ(b.to_vector<float>(), std::vector<float>({0.75f, 1.25f}));
}

// p = p - lr sum of g: an optimizer of one's own, which changes parameters in place.
struct Summing : optim::Optimizer {
  explicit Summing(const ParameterList& parameters) : Optimizer("Summing") { add_parameters(parameters, 0.5); }
  std::vector<std::string> moment_names(size_t) const override { return {"sum"}; }
  void update(Slot& slot, const Tensor& gradient) override {
    slot.moments[0] += gradient;
    slot.parameter -= lr(slot.group) * slot.moments[0];
  }
};

TEST(Optimizer, OfOnesOwnStepsWhileTheTapeLives) {
  Tensor w = ones({2}, {.requires_grad = true});
  Summing optimizer({w});
  Tape tape;
  tape.backward(sum(w));
  const size_t records = tape.size();
  optimizer.step();
  optimizer.step();
  EXPECT_EQ(w.to_vector<float>(), std::vector<float>({-0.5f, -0.5f}));
  EXPECT_EQ(tape.size(), records);
}

TEST(Optimizer, TakesTheListsOfSeveralModels) {
  const auto one = [] { return ones({1}, {.requires_grad = true}); };
  const std::vector<std::pair<std::string, Tensor>> a{{"fc.weight", one()}}, b{{"fc.weight", one()}};
  optim::SGD optimizer(ParameterList::join({{"encoder", a}, {"decoder", b}, {"c", std::vector<Tensor>{one()}}}));
  std::vector<std::string> names;
  for (const auto& [name, value] : optimizer.state_dict()) names.push_back(name);
  EXPECT_THAT(names,
              testing::ElementsAre("c.0.step", "decoder.fc.weight.step", "encoder.fc.weight.step", "lr.0", "skipped"));
  EXPECT_THAT(
      [&] {
        optim::SGD(ParameterList::join({{"a", a}, {"b", a}}));
      },
      ThrowsMessage<ValueError>("SGD: parameter 'b.fc.weight' is given twice, first as 'a.fc.weight'"));
}

TEST(Optimizer, SaysThatTheDtypeOfAParameterHasChanged) {
  Tensor w = ones({1}, {.requires_grad = true});
  optim::Adam optimizer({w});
  w.set_grad(ones({1}));
  optimizer.step();
  w.set_data(w.detach().to(float64));
  w.set_grad(ones({1}, {.dtype = float64}));
  EXPECT_THAT([&] { optimizer.step(); },
              ThrowsMessage<DtypeError>("Adam: parameter '0' is float64 and its moments are float32, as it was at "
                                        "the last step. Hint: call to() before the optimizer is made"));
}

TEST(SGD, BeginsItsMomentumAtZeroIfAsked) {
  for (const bool zero_start : {false, true}) {
    Tensor w = zeros({1}, {.dtype = float64, .requires_grad = true});
    optim::SGD optimizer({w}, {.lr = 1, .momentum = 0.5, .dampening = 0.75, .zero_start = zero_start});
    for (const double g : {4.0, 8.0}) {
      w.set_grad(full({1}, g, {.dtype = float64}));
      optimizer.step();
    }
    // b = 4, 2 + 2 = 4; or 1, 0.5 + 2 = 2.5
    EXPECT_EQ(w.item(), zero_start ? -3.5 : -8);
  }
}

TEST(Optimizer, RejectsParametersThatItCannotChange) {
  const auto make = [](const ParameterList& p) { return [p] { optim::SGD optimizer(p); }; };
  Tensor w = ones({2, 3}, {.requires_grad = true});
  EXPECT_THAT(make({w, w}), ThrowsMessage<ValueError>("SGD: parameter '1' is given twice, first as '0'"));
  EXPECT_THAT(make({w, w.detach()}), ThrowsMessage<ValueError>(HasSubstr("given twice")));
  EXPECT_THAT(make({Tensor()}), ThrowsMessage<ValueError>("SGD: parameter '0' is an empty handle"));
  EXPECT_THAT(make({zeros({2}, {.dtype = int64})}),
              ThrowsMessage<DtypeError>("SGD: parameter '0' must be float32 or float64, got int64"));
  EXPECT_THAT(make({ones({2, 3}).transpose(0, 1)}),
              ThrowsMessage<ShapeError>("SGD: parameter '0' is a strided view. Hint: give a clone()"));
  EXPECT_THAT(make(std::vector<std::pair<std::string, Tensor>>{{"a", ones({1})}, {"a", ones({1})}}),
              ThrowsMessage<ValueError>("SGD: two parameters are called 'a'"));
  EXPECT_THAT(make(std::vector<Tensor>{}), ThrowsMessage<ValueError>(HasSubstr("no parameters")));
  Tape tape;
  const Tensor recorded = w * 2.0;
  EXPECT_THAT(make({recorded}), ThrowsMessage<AutogradError>(HasSubstr("is no leaf")));
}

TEST(Optimizer, RejectsOptionsOutsideTheirRange) {
  const double nan = std::nan("");
  const auto text = [](auto make) -> std::string {
    try {
      make();
    } catch (const ValueError& error) {
      return error.what();
    }
    return "accepted";
  };
  const Tensor w = ones({1}, {.requires_grad = true});
  using namespace optim;
  EXPECT_EQ(text([&] { SGD({w}, {.lr = -1}); }), "SGD: lr must be finite and not negative, got -1");
  EXPECT_EQ(text([&] { SGD({w}, {.lr = nan}); }), "SGD: lr must be finite and not negative, got nan");
  EXPECT_EQ(text([&] { SGD({w}, {.momentum = 2}); }), "SGD: momentum must be in [0, 1], got 2");
  EXPECT_EQ(text([&] { SGD({w}, {.nesterov = true}); }), "SGD: nesterov needs momentum > 0 and dampening = 0");
  EXPECT_EQ(text([&] { Adam({w}, {.betas = {0.9, 1}}); }), "Adam: betas must be in [0, 1), got 1");
  EXPECT_EQ(text([&] { Adam({w}, {.eps = -1e-8}); }), "Adam: eps must be finite and not negative, got -1e-08");
  EXPECT_EQ(text([&] { AdamW({w}, {.weight_decay = nan}); }),
            "AdamW: weight_decay must be finite and not negative, got nan");
  EXPECT_EQ(text([&] { RMSprop({w}, {.alpha = 1.5}); }), "RMSprop: alpha must be in [0, 1], got 1.5");
  EXPECT_EQ(text([&] { Adagrad({w}, {.lr_decay = -1}); }), "Adagrad: lr_decay must be finite and not negative, got -1");
  EXPECT_EQ(text([&] { Adadelta({w}, {.rho = -1}); }), "Adadelta: rho must be in [0, 1], got -1");
}

TEST(Optimizer, LoadingAStateThatDoesNotFitNamesAllDifferencesAndChangesNothing) {
  Tensor w = ones({2}, {.requires_grad = true});
  optim::Adam optimizer({w});
  w.set_grad(ones({2}));
  optimizer.step();
  auto state = optimizer.state_dict();
  const auto before = moments(optimizer);
  state.erase("0.exp_avg");
  state["0.exp_avg_sq"] = zeros({3});
  state["1.step"] = zeros({1}, {.dtype = int64});
  EXPECT_THAT([&] { optimizer.load_state_dict(state); },
              ThrowsMessage<ValueError>("Adam: load_state_dict: the state does not fit; '0.exp_avg' is missing; "
                                        "'0.exp_avg_sq' must be float32 [2], got float32 [3]; '1.step' is "
                                        "unknown"));
  EXPECT_EQ(moments(optimizer), before);
}

TEST(Optimizer, RefusesACountOfStepsThatWouldOverflowAndChangesNothing) {
  Tensor w = ones({2}, {.requires_grad = true});
  optim::Adam optimizer({w});
  w.set_grad(ones({2}));
  optimizer.step();
  auto state = optimizer.state_dict();
  const auto before = moments(optimizer);
  state["0.step"] = from_vector(std::vector<int64_t>{std::numeric_limits<int64_t>::max()}, {1});
  state["lr.0"] = from_vector(std::vector<double>{-1}, {1});
  EXPECT_THAT([&] { optimizer.load_state_dict(state); },
              ThrowsMessage<ValueError>(
                  "Adam: load_state_dict: the state does not fit; '0.step' must be in [0, 9007199254740992], "
                  "got 9223372036854775807; 'lr.0' must be finite and not negative, got -1"));
  EXPECT_EQ(moments(optimizer), before);
}

}  // namespace
}  // namespace tapegrad
