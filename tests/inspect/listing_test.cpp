#include <tapegrad/inspect/listing.h>
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <filesystem>
#include <fstream>

namespace tapegrad {
namespace {

using inspect::Difference;
using inspect::Listing;
using inspect::Row;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string place(const std::string& name) {
  return (std::filesystem::temp_directory_path() / ("tapegrad_" + name)).string();
}

TEST(Listing, KeepsRowsThatOutliveTheTape) {
  Listing listing;
  nn::Linear fc(3, 2);
  {
    Tape tape({.observers = {&listing}});
    tape.backward(sum(fc(ones({4, 3}))));
  }
  ASSERT_EQ(listing.rows().size(), 2u);
  const Row &linear = listing.rows()[0], &sum = listing.rows()[1];
  EXPECT_EQ(linear.op, "linear");
  EXPECT_EQ(linear.flops, 2 * 4 * 3 * 2);
  EXPECT_EQ(linear.bytes, 32u);
  EXPECT_THAT(linear.input_shapes, ElementsAre(Shape{4, 3}, Shape{2, 3}, Shape{2}));
  EXPECT_THAT(sum.inputs, ElementsAre(0));
  EXPECT_GE(sum.start_ms, linear.start_ms);
  EXPECT_GT(linear.backward_start_ms, 0);
}

TEST(Listing, CountsTheWorkOfProducts) {
  EXPECT_EQ(inspect::flops("matmul", {{5, 3, 4}, {5, 4, 6}}, {{5, 3, 6}}), 2 * 5 * 3 * 4 * 6);
  EXPECT_EQ(inspect::flops("conv2d", {{2, 3, 8, 8}, {4, 3, 3, 3}, {4}}, {{2, 4, 6, 6}}),
            2.0 * (2 * 4 * 6 * 6) * (3 * 3 * 3));
  // scores and their product with v: 2 T S D each, for 2 x 3 heads
  EXPECT_EQ(inspect::flops("scaled_dot_product_attention", {{2, 3, 5, 4}, {2, 3, 7, 4}, {2, 3, 7, 4}}, {{2, 3, 5, 4}}),
            2 * 3 * (4 * 5 * 7 * 4));
  // T B 4H products with h, and ten operations for each
  EXPECT_EQ(inspect::flops("lstm", {{10, 2, 32}, {}, {}, {32, 8}}, {{10, 2, 8}}), 10 * 2 * 32 * (2 * 8 + 10));
  EXPECT_EQ(inspect::flops("reshape", {{4}}, {{2, 2}}), 0);
}

TEST(Listing, FoldsARecurrentLoopIntoOneLine) {
  Listing listing;
  nn::RNNCell cell(3, 5);
  const Tensor x = randn({100, 2, 3});
  {
    Tape tape({.observers = {&listing}});
    Tensor h = zeros({2, 5});
    for (int64_t t = 0; t < 100; ++t) h = cell(x[t], h);
    tape.backward(sum(h));
  }
  const std::string text = listing.fold();
  EXPECT_THAT(text, HasSubstr("100 x {"));
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 5);
}

TEST(Listing, FindsNoDifferenceBetweenEqualRuns) {
  const auto run = [] {
    manual_seed(4);
    Listing listing({.hash = true});
    nn::Sequential net(nn::Linear(3, 4), nn::Tanh(), nn::Linear(4, 1));
    Tape tape({.observers = {&listing}});
    tape.backward(mean(net(randn({5, 3}))));
    return listing;
  };
  const Difference d = inspect::diff(run(), run());
  EXPECT_FALSE(d.found);
  EXPECT_EQ(d.text, "no difference");
}

// exp in place of its rounded twin in the middle: what comes after it differs too, but from inputs that do.
Listing middle(bool other, bool other_data = false) {
  Listing listing({.hash = true});
  const Tensor w = tensor({1, 2, 3}, {.requires_grad = true});
  Tape tape({.observers = {&listing}});
  const Tensor x = w * (other_data ? 1.25 : 1.5);
  const Tensor y = custom_op(
      "exp", {x}, [&] { return exp(x.detach()) * (other ? 1 + 1e-6 : 1.0); },
      [](const Tensor& dy) -> Gradients { return {dy}; });
  tape.backward(sum(y * 2.0));
  return listing;
}

TEST(Listing, NamesTheOriginOfADifferenceAcrossProcesses) {
  const std::string path = place("listing.jsonl");
  middle(true).save(path);
  const Listing a = middle(false), b = Listing::load(path);
  const Difference d = inspect::diff(a, b);
  EXPECT_TRUE(d.found);
  EXPECT_TRUE(d.inputs_equal);
  EXPECT_EQ(a.rows()[size_t(d.row)].op, "mul");  // the factor inside of exp, which the tape sees
  EXPECT_EQ(d.what, "values");
  EXPECT_THAT(d.text, HasSubstr("it is the origin"));
  std::ofstream(path) << "no listing\n";
  EXPECT_THROW(Listing::load(path), FormatError);
  std::filesystem::remove(path);
  EXPECT_THROW(Listing::load(path), FormatError);
}

TEST(Listing, SaysWhereNobodyIsTheOrigin) {
  Listing a({.hash = true}), b({.hash = true});
  const auto run = [](Listing& listing, double value) {
    Tape tape({.observers = {&listing}});
    (void)exp(tensor(value));
  };
  run(a, 1), run(b, 2);
  const Difference d = inspect::diff(a, b);
  EXPECT_TRUE(d.found);
  EXPECT_FALSE(d.inputs_equal);
  EXPECT_THAT(d.text, HasSubstr("differ already"));
}

TEST(Listing, SeesOtherOperationsShapesAndLengths) {
  const auto run = [](auto f) {
    Listing listing({.hash = true});
    Tape tape({.observers = {&listing}});
    f(ones({2, 3}));
    return listing;
  };
  const auto what = [&](auto f, auto g) { return inspect::diff(run(f), run(g)).what; };
  EXPECT_EQ(what([](const Tensor& x) { (void)exp(x); }, [](const Tensor& x) { (void)tanh(x); }), "operation");
  EXPECT_EQ(what([](const Tensor& x) { (void)sum(x, 0); }, [](const Tensor& x) { (void)sum(x, 1); }), "shape");
  EXPECT_EQ(what([](const Tensor& x) { (void)exp(x); }, [](const Tensor& x) { (void)exp(exp(x)); }), "length");
}

TEST(Summary, ShowsModulesWithTheirWork) {
  struct Net : nn::Module<Net> {
    nn::Linear fc = add("fc", nn::Linear(8, 4));
    nn::LSTM lstm = add("lstm", nn::LSTM(4, 6));
    Tensor forward(const Tensor& x) { return lstm(fc(x)).output; }
  };
  const Net net;
  const std::string text = inspect::summary(net, ones({5, 2, 8}));
  EXPECT_THAT(text, HasSubstr("module"));
  EXPECT_THAT(text, HasSubstr("fc     Linear  [5, 2, 4]          36    640 "));  // 2 * 10 * 4 * 8
  EXPECT_THAT(text, HasSubstr("lstm   LSTM    [5, 2, 6]"));
  EXPECT_THAT(text, HasSubstr(fmt::format("{} parameters", net.parameter_count())));
}

}  // namespace
}  // namespace tapegrad
