#include <gtest/gtest.h>
#include <tapegrad/nn/module.h>
#include <tapegrad/tapegrad.h>

#include <sstream>
#include <type_traits>

namespace tapegrad {
namespace {

struct Scale : nn::Module<Scale> {
  explicit Scale(int64_t size) : weight(add_parameter("weight", ones({size}))) {}
  Tensor forward(const Tensor& x) { return x * weight; }
  nn::Parameter weight;
  nn::Buffer seen = add_buffer("seen", zeros({1}));
};

struct Pair : nn::Module<Pair> {
  Scale first = add("first", Scale(3));
  Scale second = add("second", Scale(3));
  Tensor forward(const Tensor& x) { return second(first(x)); }
};

struct Stack : nn::Module<Stack> {
  explicit Stack(int n) {
    for (int i = 0; i < n; ++i) layers.push_back(add(std::to_string(i), Scale(3)));
  }
  Tensor forward(Tensor x) {
    for (Scale& layer : layers) x = layer(x);
    return x;
  }
  std::vector<Scale> layers;
};

// A call of it would run the forward() of a Pair, which it is not.
struct OfTheWrongBase : nn::Module<Pair> {
  Tensor forward(const Tensor& x) { return x; }
};
static_assert(std::is_default_constructible_v<Pair> && !std::is_default_constructible_v<OfTheWrongBase>);

TEST(Module, NamesParametersByPath) {
  Pair model;
  std::vector<std::string> names;
  for (auto& [name, tensor] : model.named_parameters()) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"first.weight", "second.weight"}));
  EXPECT_EQ(model.parameter_count(), 6);
  EXPECT_EQ(model.state_dict().size(), 4u);
}

TEST(Module, CopiesShareParameters) {
  Pair model;
  Pair copy = model;
  EXPECT_EQ(copy.first.weight.impl(), model.first.weight.impl());
  EXPECT_EQ(copy.parameters()[0].impl(), model.parameters()[0].impl());
}

TEST(Module, ClonesHaveParametersOfTheirOwn) {
  Stack model(3);
  Stack copy = model.clone();
  ASSERT_EQ(copy.parameters().size(), 3u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_NE(copy.layers[i].weight.impl(), model.layers[i].weight.impl());
    EXPECT_EQ(copy.layers[i].weight.impl(), copy.parameters()[i].impl());
    EXPECT_EQ(copy.layers[i].seen.impl(), copy.buffers()[i].impl());
    EXPECT_TRUE(copy.layers[i].weight.requires_grad());
  }
  copy.layers[0].weight.fill_(7);
  EXPECT_EQ(model(ones({3})).to_vector<float>()[0], 1);
  EXPECT_EQ(copy(ones({3})).to_vector<float>()[0], 7);
}

TEST(Module, RefusesToCloneWhatIsNotAMember) {
  struct Careless : nn::Module<Careless> {
    Careless() { Tensor local = add_parameter("weight", ones({1})); }
    Tensor forward(const Tensor& x) { return x; }
  };
  EXPECT_THROW(Careless().clone(), ValueError);
}

TEST(Module, ErrorsNameThePathOfTheModule) {
  Pair model;
  try {
    model(ones({4}));
    FAIL();
  } catch (const ShapeError& error) {
    EXPECT_STREQ(error.what(),
                 "first (Scale): mul: shapes must broadcast (equal or 1, from the last axis), got [4] and "
                 "[3]: 4 against 3");
  }
}

TEST(Module, RecordsNameThePathOfTheModule) {
  Pair model;
  Tape tape;
  Tensor y = model(ones({3}));
  EXPECT_EQ(tape[tape.size() - 1].module, "second");
  EXPECT_TRUE(nn::unregistered_leaves(tape, model).empty());
}

TEST(Module, FindsParametersThatItDoesNotHold) {
  Pair model;
  Tensor stray = ones({3}, {.requires_grad = true});
  Tape tape;
  Tensor y = model(ones({3})) * stray;
  ASSERT_EQ(nn::unregistered_leaves(tape, model).size(), 1u);
}

TEST(Module, LoadListsAllDifferencesAndChangesNothing) {
  Pair model;
  auto state = model.state_dict();
  for (auto& [name, tensor] : state) tensor = full(tensor.shape(), 5);
  state["first.weight"] = ones({2});
  state.erase("second.weight");
  state["third"] = ones({1});
  try {
    model.load_state_dict(state);
    FAIL();
  } catch (const ValueError& error) {
    EXPECT_STREQ(error.what(),
                 "load_state_dict: the state does not fit Pair: 'first.weight' is float32 [3] here and "
                 "float32 [2] in what is "
                 "loaded; missing 'second.weight' [3]; unexpected 'third' [1]");
  }
  EXPECT_EQ(model.first.seen.item(), 0);
}

TEST(Module, SaysWhatItDidNotLoadWhereThatIsAllowed) {
  Pair model;
  auto state = model.state_dict();
  state["first.weight"] = full({3}, 5);
  state.erase("second.weight");
  state["third"] = ones({1});
  const nn::LoadReport report = model.load_state_dict(state, {.strict = false});
  EXPECT_EQ(report.missing, std::vector<std::string>{"second.weight"});
  EXPECT_EQ(report.unexpected, std::vector<std::string>{"third"});
  EXPECT_EQ(model.first.weight.to_vector<float>()[0], 5);
}

TEST(Module, ConvertsItsParameters) {
  Pair model;
  model.to(float64);
  EXPECT_EQ(model.first.weight.dtype(), float64);
  EXPECT_EQ(model(ones({3}, {.dtype = float64})).dtype(), float64);
}

TEST(Module, PrintsByFmtAndStreamsAsToStringDoes) {
  std::ostringstream stream;
  stream << Pair();
  EXPECT_EQ(fmt::format("{}", Pair()), to_string(Pair()));
  EXPECT_EQ(stream.str(), to_string(Pair()));
}

TEST(Module, PrintsItsTree) {
  EXPECT_EQ(to_string(Pair()),
            "Pair()  6 parameters\n  first: Scale()  3 parameters\n  second: Scale()  3 parameters\n");
}

}  // namespace
}  // namespace tapegrad
