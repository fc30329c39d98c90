// Parameters: clones, assignment, and the walk over modules.
#include <gtest/gtest.h>
#include <tapegrad/tapegrad.h>

#include <type_traits>

#include "support/message.h"

namespace tapegrad {
namespace {

struct Scale : nn::Module<Scale> {
  explicit Scale(int64_t size = 3, bool with_bias = false)
      : weight(add_parameter("weight", ones({size}))),
        bias(add_parameter("bias", with_bias ? zeros({size}) : Tensor())) {}
  Tensor forward(const Tensor& x) { return x * weight; }
  nn::Parameter weight, bias;
};

struct Pair : nn::Module<Pair> {
  Scale first = add("first", Scale());
  Scale second = add("second", Scale());
  Tensor forward(const Tensor& x) { return second(first(x)); }
};

std::vector<const void*> addresses(const std::vector<Tensor>& tensors) {
  std::vector<const void*> out;
  for (const Tensor& tensor : tensors) out.push_back(tensor.impl());
  return out;
}

// Whether what a call uses is what parameters() holds.
template <class M>
bool trains_what_it_uses(const M& model) {
  Tape tape;
  model(ones({3}));
  return addresses(tape.leaves()) == addresses(model.parameters());
}

static_assert(!std::is_assignable_v<nn::Parameter&, const Tensor&>);
static_assert(!std::is_convertible_v<Tensor, nn::Parameter>);
static_assert(std::is_nothrow_move_constructible_v<nn::Parameter>);

TEST(Parameter, HeldByATensorRefusesToBeCloned) {
  struct Plain : nn::Module<Plain> {
    Tensor weight = add_parameter("weight", ones({1}));
    Tensor forward(const Tensor& x) { return x * weight; }
  };
  EXPECT_EQ(message<ValueError>([] { Plain().clone(); }),
            "clone: 'weight' of Plain is held by no member of type Parameter, so the clone would go on with the "
            "old one. Hint: write nn::Parameter weight = add_parameter(...), or nn::Buffer weight = "
            "add_buffer(...), as a member");
  EXPECT_EQ(Plain()(ones({1})).item(), 1);
}

TEST(Parameter, ThatTwoModulesShareIsSharedInTheCloneToo) {
  Pair model;
  model.second.weight = model.first.weight;
  const Pair copy = model.clone();
  EXPECT_EQ(copy.first.weight.impl(), copy.second.weight.impl());
  EXPECT_NE(copy.first.weight.impl(), model.first.weight.impl());
  EXPECT_EQ(copy.parameters().size(), 1u);
}

TEST(Parameter, IsClonedByACopyConstructorOfOnesOwn) {
  struct Own : nn::Module<Own> {
    Own() : weight(add_parameter("weight", ones({3}))), part(add("part", Scale())) {}
    Own(const Own& other) : Module(other) {
      weight = other.weight;
      part = other.part;
    }
    Tensor forward(const Tensor& x) { return part(x * weight); }
    nn::Parameter weight;
    Scale part;
  };
  const Own model;
  const Own copy = model.clone();
  EXPECT_NE(copy.weight.impl(), model.weight.impl());
  EXPECT_TRUE(trains_what_it_uses(copy));
  EXPECT_TRUE(trains_what_it_uses(model));
}

TEST(Parameter, OfAnotherModuleIsTrainedWhereItIsAssigned) {
  Pair model;
  const Scale other;
  model.first.weight = other.weight;
  EXPECT_EQ(model.parameters()[0].impl(), other.weight.impl());
  EXPECT_TRUE(trains_what_it_uses(model));
}

TEST(Parameter, DoesNotBecomeEmptyNorIsAnEmptyOneFilled) {
  Scale with(3, true), without(3, false);
  const std::string text =
      "Scale: a parameter can not become empty by assignment, nor an empty one be filled. Hint: make a "
      "module "
      "with other options";
  EXPECT_EQ(message<ValueError>([&] { with.bias = without.bias; }), text);
  EXPECT_EQ(message<ValueError>([&] { without.bias = with.bias; }), text);
  EXPECT_EQ(with.parameters().size(), 2u);
}

TEST(Module, ThatIsAssignedToAChildIsTrained) {
  Pair model;
  model.second = Scale();
  EXPECT_TRUE(trains_what_it_uses(model));
  EXPECT_EQ(model.named_parameters()[1].first, "second.weight");
  const Pair copy = model.clone();
  EXPECT_TRUE(trains_what_it_uses(copy));
}

TEST(Module, ThatIsAssignedInTheConstructorIsTrained) {
  struct Own : nn::Module<Own> {
    Own() {
      part = Scale();
      part.weight = Scale().weight;
    }
    Tensor forward(const Tensor& x) { return part(x); }
    Scale part = add("part", Scale());
  };
  EXPECT_TRUE(trains_what_it_uses(Own()));
}

std::string can_not_be_assigned(const std::string& owner, const std::string& name) {
  return owner + ": '" + name +
         "' can not be assigned: a copy of it, or of the whole module, would go on with the old one. Hint: "
         "assign before it is copied, or make the copy with clone()";
}

TEST(Module, ThatIsCopiedCanNotBeAssigned) {
  Pair model;
  {
    Pair copy = model;
    EXPECT_EQ(message<ValueError>([&] { copy.second = Scale(); }), can_not_be_assigned("Pair", "second"));
    EXPECT_TRUE(trains_what_it_uses(copy));
    Scale second = model.second;
    EXPECT_EQ(message<ValueError>([&] { second = Scale(); }), can_not_be_assigned("Pair", "second"));
    EXPECT_TRUE(trains_what_it_uses(model));
  }
  const Scale kept = model.second.clone();
  model.second = Scale();
  EXPECT_TRUE(trains_what_it_uses(model));
}

TEST(Parameter, ThatIsCopiedCanNotBeAssigned) {
  Pair model;
  const Scale other;
  {
    Pair copy = model;
    EXPECT_EQ(message<ValueError>([&] { copy.first.weight = other.weight; }), can_not_be_assigned("Scale", "weight"));
  }
  auto weight = model.first.weight;
  EXPECT_EQ(message<ValueError>([&] { weight = other.weight; }), can_not_be_assigned("Scale", "weight"));
  EXPECT_TRUE(trains_what_it_uses(model));
}

TEST(Module, ThatIsAssignedToAnotherLeavesItsCopiesAlone) {
  Pair model;
  const Pair before = model, other;
  model = other;
  EXPECT_EQ(addresses(model.parameters()), addresses(other.parameters()));
  EXPECT_NE(addresses(before.parameters()), addresses(other.parameters()));
  for (const Pair* each : {static_cast<const Pair*>(&model), &before, &other}) EXPECT_TRUE(trains_what_it_uses(*each));
  model = Pair();
  EXPECT_TRUE(trains_what_it_uses(model));
}

TEST(Module, VisitsEachModuleByItsPath) {
  struct Model : nn::Module<Model> {
    Pair pair = add("pair", Pair());
    nn::LSTM lstm = add("lstm", nn::LSTM(2, 3, {.num_layers = 2}));
    Tensor forward(const Tensor& x) { return pair(x); }
  };
  const Model model;
  std::vector<std::string> seen;
  model.visit([&](const std::string& path, const std::string& type, const nn::ModuleBase& module) {
    seen.push_back(path + ":" + type + ":" + std::to_string(module.parameter_count()));
  });
  const std::string lstm = std::to_string(model.lstm.parameter_count());
  EXPECT_EQ(seen, (std::vector<std::string>{":Model:" + std::to_string(model.parameter_count()), "pair:Pair:6",
                                            "pair.first:Scale:3", "pair.second:Scale:3", "lstm:LSTM:" + lstm}));
  EXPECT_EQ(model.modules().size(), 5u);
  EXPECT_EQ(model.named_modules()[3].first, "pair.second");
  model.modules()[1].eval();
  EXPECT_FALSE(model.pair.first.is_training());
  EXPECT_TRUE(model.is_training());
}

}  // namespace
}  // namespace tapegrad
