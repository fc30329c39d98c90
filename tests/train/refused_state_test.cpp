// A state that is damaged, in every entry and every way, is refused by whatever would be loaded from it, and nothing has
// changed then.
#include <gtest/gtest.h>
#include <tapegrad/tapegrad.h>

#include <cmath>
#include <limits>
#include <memory>

namespace tapegrad {
namespace {

// Something with a state, and all that loading it could change.
struct Loaded {
  std::string name;
  std::shared_ptr<void> parts;  // keeps alive what the rest refers to
  Stateful* object;
  std::vector<Stateful*> beside;  // must not change either
  bool any_integer = false;       // a seed, and what a module has, may be any number
};

struct Model {
  Tensor a = ones({3}, {.requires_grad = true}), b = ones({2, 2}, {.requires_grad = true});
};

template <class O, class Options>
std::shared_ptr<O> stepped(const Model& model, Options options) {
  auto optimizer = std::make_shared<O>(
      std::vector<optim::Group>{{.params = {model.a}, .lr = 0.5}, {.params = {model.b}, .lr = 2}}, options);
  Tensor a = model.a, b = model.b;
  a.set_grad(full({3}, 0.25));
  b.set_grad(full({2, 2}, -1.5));
  optimizer->step();
  optimizer->step();
  return optimizer;
}

template <class O, class Options>
Loaded optimizer(const std::string& name, Options options) {
  auto made = stepped<O>(Model(), options);
  return {name, made, made.get(), {}};
}

template <class S, class Options>
Loaded schedule(const std::string& name, Options options) {
  struct Both {
    std::shared_ptr<optim::SGD> optimizer = stepped<optim::SGD>(Model(), optim::SGDOptions{});
    S schedule;
    explicit Both(const Options& options) : schedule(*optimizer, options) {}
  };
  auto both = std::make_shared<Both>(options);
  if constexpr (std::is_same_v<S, optim::ReduceLROnPlateau>) {
    for (int i = 0; i < 3; ++i) both->schedule.step(1);
  } else {
    both->schedule.step();
    both->schedule.step();
  }
  return {name, both, &both->schedule, {both->optimizer.get()}};
}

template <class T>
Loaded alone(const std::string& name, std::shared_ptr<T> object, bool any_integer = false) {
  return {name, object, object.get(), {}, any_integer};
}

std::vector<Loaded> everything() {
  using namespace optim;
  auto net = std::make_shared<nn::Sequential>();
  net->push_back(nn::Linear(3, 2));
  net->push_back(nn::BatchNorm1d(2));
  const data::TensorDataset set(randn({10, 2}), arange(10));
  auto loader =
      std::make_shared<data::DataLoader>(set, data::DataLoaderOptions{.batch_size = 3, .shuffle = true, .seed = 3});
  loader->seek(2, 1);
  auto meter = std::make_shared<train::Meter>();
  meter->add(2.5);
  auto stopping = std::make_shared<train::EarlyStopping>();
  stopping->step(2.5);
  stopping->step(3);
  auto matrix = std::make_shared<train::ConfusionMatrix>(2);
  matrix->add(arange(2), arange(2));
  struct Averaged {
    nn::Linear model = nn::Linear(3, 2), average = model.clone();
    train::ModelAverage mean{model, average};
  };
  auto averaged = std::make_shared<Averaged>();
  averaged->mean.update();
  return {optimizer<SGD>("SGD", SGDOptions{}),
          optimizer<SGD>("SGD with momentum", SGDOptions{.momentum = 0.9}),
          optimizer<Adam>("Adam", AdamOptions{.amsgrad = true}),
          optimizer<AdamW>("AdamW", AdamWOptions{}),
          optimizer<RMSprop>("RMSprop", RMSpropOptions{.momentum = 0.5, .centered = true}),
          optimizer<Adagrad>("Adagrad", AdagradOptions{}),
          optimizer<Adadelta>("Adadelta", AdadeltaOptions{}),
          schedule<StepLR>("StepLR", StepLROptions{.step_size = 2}),
          schedule<MultiStepLR>("MultiStepLR", MultiStepLROptions{.milestones = {1, 5}}),
          schedule<ExponentialLR>("ExponentialLR", ExponentialLROptions{.gamma = 0.9}),
          schedule<CosineAnnealingLR>("CosineAnnealingLR", CosineAnnealingLROptions{.T_max = 7}),
          schedule<LinearLR>("LinearLR", LinearLROptions{}),
          schedule<OneCycleLR>("OneCycleLR", OneCycleLROptions{.max_lr = 1, .total_steps = 9}),
          schedule<WarmupCosineLR>("WarmupCosineLR", WarmupCosineLROptions{.warmup_steps = 3, .total_steps = 9}),
          schedule<ReduceLROnPlateau>("ReduceLROnPlateau", ReduceLROnPlateauOptions{.patience = 1, .cooldown = 2}),
          alone("Sequential", net, true),
          alone("DataLoader", loader, true),
          alone("Generator", std::make_shared<Generator>(5, 2), true),
          alone("Meter", meter),
          alone("EarlyStopping", stopping),
          alone("ConfusionMatrix", matrix),
          {"ModelAverage", averaged, &averaged->mean, {}}};
}

StateDict copy_of(const StateDict& state) {
  StateDict copy;
  for (const auto& [name, value] : state) copy[name] = value.clone();
  return copy;
}

std::vector<std::pair<std::string, std::vector<double>>> numbers(const Loaded& loaded) {
  std::vector<std::pair<std::string, std::vector<double>>> all;
  std::vector<Stateful*> objects{loaded.object};
  objects.insert(objects.end(), loaded.beside.begin(), loaded.beside.end());
  for (Stateful* object : objects)
    for (const auto& [name, value] : object->state_dict())
      all.emplace_back(name, value.to(float64).to_vector<double>());
  return all;
}

struct Damage {
  std::string name;
  StateDict state;
};

Tensor changed(const Tensor& x, double value) {
  Tensor y = x.clone();
  narrow(y.reshape({-1}), 0, y.numel() - 1, 1).fill_(value);
  return y;
}

std::vector<Damage> damages(const StateDict& state, bool any_integer) {
  std::vector<Damage> all;
  const auto damage = [&](const std::string& name, auto change) {
    Damage one{name, copy_of(state)};
    change(one.state);
    all.push_back(std::move(one));
  };
  damage("nothing at all", [](StateDict& s) { s.clear(); });
  damage("an entry too many", [](StateDict& s) { s["other"] = zeros({1}); });
  for (const auto& [key, entry] : state) {
    const std::string& name = key;
    const Tensor& value = entry;
    damage(name + " is missing", [&](StateDict& s) { s.erase(name); });
    damage(name + " is an empty handle", [&](StateDict& s) { s[name] = Tensor(); });
    damage(name + " has an axis more", [&](StateDict& s) { s[name] = value.unsqueeze(0); });
    damage(name + " has a number more", [&](StateDict& s) {
      s[name] = concat({value.reshape({-1}), value.reshape({-1})});
    });
    damage(name + " has another type",
           [&](StateDict& s) { s[name] = value.to(value.dtype() == float64 ? float32 : float64); });
    if (value.dtype() == int64 && !any_integer) {
      for (const int64_t count : {int64_t(-1), std::numeric_limits<int64_t>::min(), (int64_t(1) << 53) + 1,
                                  std::numeric_limits<int64_t>::max() - 1, std::numeric_limits<int64_t>::max()}) {
        damage(name + " is " + std::to_string(count), [&](StateDict& s) {
          std::vector<int64_t> counts = value.to_vector<int64_t>();
          counts.back() = count;
          s[name] = from_vector(counts, value.shape());
        });
      }
    }
    if (name.find("lr") != std::string::npos)
      for (const double rate : {-1.0, -1e-300, std::nan(""), std::numeric_limits<double>::infinity()})
        damage(name + " is " + std::to_string(rate), [&](StateDict& s) { s[name] = changed(value, rate); });
  }
  return all;
}

TEST(RefusedState, LeavesWhateverItWasMeantForAsItWas) {
  manual_seed(1);
  size_t tried = 0;
  for (const Loaded& loaded : everything()) {
    const StateDict state = copy_of(loaded.object->state_dict());
    const auto before = numbers(loaded);
    for (const Damage& damage : damages(state, loaded.any_integer)) {
      EXPECT_THROW(loaded.object->load_state_dict(damage.state), ValueError) << loaded.name << ": " << damage.name;
      ASSERT_EQ(numbers(loaded), before) << loaded.name << ": " << damage.name;
      ++tried;
    }
    loaded.object->load_state_dict(state);  // what is not damaged fits
    EXPECT_EQ(numbers(loaded), before) << loaded.name;
  }
  EXPECT_GT(tried, 300u);
}

// A rate that the state does not name, but the schedule would make of it.
TEST(RefusedState, OfAScheduleThatWouldOverflowLeavesItAndItsOptimizer) {
  const Tensor w = ones({1}, {.requires_grad = true});
  optim::SGD optimizer({w}, {.lr = 1});
  optim::ExponentialLR schedule(optimizer, {.gamma = 2});
  schedule.step();
  const auto refuses = [&](int64_t step, double base) {
    EXPECT_THROW(schedule.load_state_dict(
                     {{"step", from_vector<int64_t>({step}, {1})}, {"base_lr", from_vector<double>({base}, {1})}}),
                 ValueError);
    EXPECT_EQ(schedule.steps(), 1);
    EXPECT_EQ(optimizer.lr(), 2);
    EXPECT_EQ(schedule.state_dict().at("base_lr").item(), 1);
  };
  refuses(1024, 1);
  refuses(1000, 1e300);
  schedule.load_state_dict({{"step", from_vector<int64_t>({3}, {1})}, {"base_lr", from_vector<double>({0.5}, {1})}});
  EXPECT_EQ(optimizer.lr(), 4);
}

// The largest count that is taken, and one step further.
TEST(RefusedState, EndsWhereTheNextStepWouldStillCount) {
  const int64_t most = int64_t(1) << 53;
  Tensor w = ones({2}, {.requires_grad = true});
  optim::Adam optimizer({w});
  w.set_grad(ones({2}));
  optimizer.step();
  StateDict state = optimizer.state_dict();
  state["0.step"] = from_vector<int64_t>({most}, {1});
  optimizer.load_state_dict(state);
  EXPECT_TRUE(optimizer.step());
  EXPECT_EQ(optimizer.state_dict().at("0.step").to_vector<int64_t>()[0], most + 1);
  EXPECT_THROW(optimizer.load_state_dict(optimizer.state_dict()), ValueError);
}

}  // namespace
}  // namespace tapegrad
