// Another program can do an operation again from its name, its inputs and its attributes.
#include <tapegrad/observer.h>
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <functional>
#include <map>

namespace tapegrad {
namespace {

// What one operation was: its attributes by name.
struct Call {
  std::string name;
  Tensors inputs;
  std::map<std::string, Attribute::Value> constants;
  double number(const char* key) const { return std::get<double>(constants.at(key)); }
  int64_t integer(const char* key) const { return std::get<int64_t>(constants.at(key)); }
  bool flag(const char* key) const { return std::get<bool>(constants.at(key)); }
  Shape shape(const char* key) const { return std::get<Shape>(constants.at(key)); }
  std::string text(const char* key) const { return std::string(std::get<std::string_view>(constants.at(key))); }
};

struct Last : TapeObserver {
  Call call;
  void on_forward(const OperationView& operation, const Tensors& inputs, const Tensors&) override {
    call = {operation.name, inputs, {}};
    for (const Attribute& attribute : operation.attributes) call.constants[attribute.name] = attribute.value;
  }
};

// Checks that `again`, which sees the record alone, does what f did.
void expect_again(const char* name, const std::function<Tensor()>& f, const std::function<Tensor(const Call&)>& again) {
  Last last;
  Tensor y;
  {
    Tape tape({.observers = {&last}});
    y = f();
  }
  EXPECT_EQ(last.call.name, name);
  const Tensor repeated = again(last.call);
  EXPECT_EQ(repeated.dtype(), y.dtype()) << name;
  EXPECT_TENSOR_NEAR(repeated.to(float64), y.to(float64), 0) << name;
}

TEST(Attributes, SayWhatNumbersAnOperationWasGiven) {
  const Tensor x = randn({3, 4}, {.requires_grad = true});
  expect_again(
      "add", [&] { return x + 2.5; }, [](const Call& c) { return add(c.inputs[0], c.number("b")); });
  expect_again(
      "sub", [&] { return x - 2.5; }, [](const Call& c) { return sub(c.inputs[0], c.number("b")); });
  expect_again(
      "sub", [&] { return 2.5 - x; }, [](const Call& c) { return sub(c.number("a"), c.inputs[0]); });
  expect_again(
      "mul", [&] { return x * 2.5; }, [](const Call& c) { return mul(c.inputs[0], c.number("b")); });
  expect_again(
      "div", [&] { return x / 2.5; }, [](const Call& c) { return div(c.inputs[0], c.number("b")); });
  expect_again(
      "div", [&] { return 2.5 / x; }, [](const Call& c) { return div(c.number("a"), c.inputs[0]); });
  expect_again(
      "pow", [&] { return pow(x, 3); }, [](const Call& c) { return pow(c.inputs[0], c.number("b")); });
  expect_again(
      "pow", [&] { return pow(3, x); }, [](const Call& c) { return pow(c.number("a"), c.inputs[0]); });
  expect_again(
      "gt", [&] { return x > 0.5; }, [](const Call& c) { return gt(c.inputs[0], c.number("b")); });
  expect_again(
      "gt", [&] { return gt(x, -x); }, [](const Call& c) { return gt(c.inputs[0], c.inputs[1]); });
  expect_again(
      "ne", [&] { return ne(x, x); }, [](const Call& c) { return ne(c.inputs[0], c.inputs[1]); });
  expect_again(
      "clamp", [&] { return clamp(x, -1, 0.5); },
      [](const Call& c) { return clamp(c.inputs[0], c.number("low"), c.number("high")); });
  expect_again(
      "leaky_relu", [&] { return leaky_relu(x, 0.3); },
      [](const Call& c) { return leaky_relu(c.inputs[0], c.number("negative_slope")); });
  expect_again(
      "elu", [&] { return elu(x, 0.3); }, [](const Call& c) { return elu(c.inputs[0], c.number("alpha")); });
  expect_again(
      "gelu", [&] { return gelu(x, {.approximate = true}); },
      [](const Call& c) { return gelu(c.inputs[0], {.approximate = c.flag("approximate")}); });
}

TEST(Attributes, SayTheAxesAndShapes) {
  const Tensor x = randn({3, 4, 5}, {.requires_grad = true});
  const Tensor index = from_vector(std::vector<int64_t>{2, 0, 2}, {3});
  expect_again(
      "sum",
      [&] {
        return sum(x, {0, -1}, {.keepdim = true});
      },
      [](const Call& c) { return sum(c.inputs[0], Axes(c.shape("axes")), {.keepdim = c.flag("keepdim")}); });
  expect_again(
      "std", [&] { return tapegrad::std(x, 1, {.correction = 2}); },
      [](const Call& c) {
        return tapegrad::std(c.inputs[0], Axes(c.shape("axes")),
                             {.correction = c.integer("correction"), .keepdim = c.flag("keepdim")});
      });
  expect_again(
      "max", [&] { return max(x, 1).values; },
      [](const Call& c) { return max(c.inputs[0], c.integer("axis"), {.keepdim = c.flag("keepdim")}).values; });
  expect_again(
      "argmin", [&] { return argmin(x, 1); },
      [](const Call& c) { return argmin(c.inputs[0], c.shape("axes")[0], {.keepdim = c.flag("keepdim")}); });
  expect_again(
      "topk", [&] { return topk(x, 2, 1, {.largest = false}).values; },
      [](const Call& c) {
        return topk(c.inputs[0], c.integer("k"), c.integer("axis"), {.largest = c.flag("largest")}).values;
      });
  expect_again(
      "cumsum", [&] { return cumsum(x, 1); }, [](const Call& c) { return cumsum(c.inputs[0], c.integer("axis")); });
  expect_again(
      "reshape",
      [&] {
        return x.reshape({5, -1});
      },
      [](const Call& c) { return c.inputs[0].reshape(c.shape("shape")); });
  expect_again(
      "permute",
      [&] {
        return x.permute({2, 0, -2});
      },
      [](const Call& c) { return c.inputs[0].permute(c.shape("axes")); });
  expect_again(
      "slice", [&] { return slice(x, 1, 1, 4, 2); },
      [](const Call& c) {
        const int64_t start = c.integer("start"), step = c.integer("step");
        return slice(c.inputs[0], c.integer("axis"), start, start + c.integer("count") * step, step);
      });
  expect_again(
      "select", [&] { return x[-1]; },
      [](const Call& c) { return select(c.inputs[0], c.integer("axis"), c.integer("start")); });
  expect_again(
      "stack",
      [&] {
        return stack({x, x}, 1);
      },
      [](const Call& c) { return stack(c.inputs, c.integer("axis")); });
  expect_again(
      "index_select", [&] { return index_select(x, 0, index); },
      [](const Call& c) { return index_select(c.inputs[0], c.integer("axis"), c.inputs[1]); });
  expect_again(
      "embedding", [&] { return embedding(x[0], index); },
      [](const Call& c) { return embedding(c.inputs[0], c.inputs[1]); });
  expect_again(
      "to", [&] { return x.to(float64); },
      [](const Call& c) { return c.inputs[0].to(c.text("dtype") == "float64" ? float64 : float32); });
}

TEST(Attributes, SayTheOptionsOfAFusedOperation) {
  if (reference_mode()) GTEST_SKIP() << "its composed form leaves other records";
  const Tensor x = randn({3, 4, 5}, {.requires_grad = true});
  expect_again(
      "cross_entropy", [&] { return cross_entropy(x[0].transpose(0, 1), zeros({5}, {.dtype = int64})); },
      [](const Call& c) {
        EXPECT_EQ(c.text("reduction"), "mean");
        return cross_entropy(c.inputs[0], c.inputs[1], {.ignore_index = c.integer("ignore_index")});
      });
}

}  // namespace
}  // namespace tapegrad
