// What courses do otherwise than PyTorch, as options.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <bit>

#include "support/message.h"

namespace tapegrad {
namespace {

constexpr TensorOptions k64{.dtype = float64};

TEST(BatchNorm1d, CollectsTheBiasedVarianceIfAsked) {
  nn::BatchNorm1d norm(2, {.momentum = 0.25, .biased_running_var = true});
  norm.to(float64);
  const Tensor x = randn({5, 2}, k64);
  const Tensor y = norm(x);
  EXPECT_TENSOR_NEAR(norm.running_var, 0.75 + 0.25 * var(x, 0, {.correction = 0}), 1e-14);
  nn::BatchNorm1d plain(2);
  plain.to(float64);
  EXPECT_TENSOR_NEAR(y, plain(x), 0);
  EXPECT_NE(to_string(norm).find("biased_running_var=true"), std::string::npos);
}

// In one pass, with the bits of two: values, all gradients, running statistics, and a NaN that goes through.
TEST(BatchNorm2d, RectifiesWithTheBitsOfRelu) {
  for (bool training : {true, false}) {
    nn::BatchNorm2d one(3, {.relu = true}), two(3);
    for (nn::BatchNorm2d* norm : {&one, &two}) {
      norm->train(training);
      norm->weight.copy_(tensor({1.5f, -0.5f, 1.0f}));
      norm->bias.copy_(tensor({0.25f, 0.0f, -0.5f}));
    }
    Tensor x = randn({4, 3, 5, 7});
    x.mutable_data<float>()[3 * 35 + 40] = std::numeric_limits<float>::quiet_NaN();  // in channel 1
    const Tensor dy = randn(x.shape());
    const auto step = [&](const auto& f) {
      const Tensor input = x.detach().set_requires_grad(true);
      Tape tape;
      const Tensor y = f(input);
      tape.backward(y, {.gradient = dy});
      return Tensors{y.detach(), input.grad()};
    };
    const auto bits = [](const Tensor& t) {
      std::vector<uint32_t> all;
      const Tensor whole = t.contiguous();
      for (float v : whole.data<float>()) all.push_back(v == v ? std::bit_cast<uint32_t>(v) : 0x7fc00000);
      return all;
    };
    const Tensors fused = step([&](const Tensor& in) { return one(in); });
    const Tensors plain = step([&](const Tensor& in) { return relu(two(in)); });
    EXPECT_EQ(bits(fused[0]), bits(plain[0]));
    EXPECT_EQ(bits(fused[1]), bits(plain[1]));
    EXPECT_EQ(bits(one.weight.grad()), bits(two.weight.grad()));
    EXPECT_EQ(bits(one.bias.grad()), bits(two.bias.grad()));
    EXPECT_EQ(bits(one.running_mean), bits(two.running_mean));
    EXPECT_EQ(bits(one.running_var), bits(two.running_var));
  }
  EXPECT_NE(to_string(nn::BatchNorm2d(3, {.relu = true})).find("relu=true"), std::string::npos);
}

// Cho et al. 2014, equations 5 to 8, a step at a time.
TEST(GRU, ResetsBeforeTheProductIfAsked) {
  nn::GRU gru(3, 4, {.reset_after = false});
  gru.to(float64);
  const nn::GRUCell& cell = gru.cells[0];
  const Tensor x = randn({6, 2, 3}, k64), h0 = randn({1, 2, 4}, k64);
  const Tensors wx = chunk(cell.weight_ih.detach(), 3), wh = chunk(cell.weight_hh.detach(), 3),
                bx = chunk(cell.bias_ih.detach(), 3), bh = chunk(cell.bias_hh.detach(), 3);
  const auto sum_of = [&](int part, const Tensor& x, const Tensor& h) {
    return matmul(x, wx[part].transpose(0, 1)) + matmul(h, wh[part].transpose(0, 1)) + bx[part] + bh[part];
  };
  const auto [output, state] = gru(x, h0);
  Tensor h = h0[0];
  for (int64_t t = 0; t < 6; ++t) {
    const Tensor r = sigmoid(sum_of(0, x[t], h)), z = sigmoid(sum_of(1, x[t], h));
    const Tensor n = tanh(sum_of(2, x[t], r * h));
    h = z * h + (1 - z) * n;
    EXPECT_TENSOR_NEAR(output[t], h, 1e-14);
  }
  EXPECT_TENSOR_NEAR(state[0], h, 1e-14);
}

TEST(GRU, ResetsBeforeTheProductWithoutNormOnly) {
  EXPECT_EQ(message<ValueError>([] { nn::GRUCell(3, 4, {.norm = Norm::layer, .reset_after = false}); }),
            "recurrent cell: reset_after = false has no norm, got layer");
  EXPECT_EQ(message<ValueError>([] { nn::LSTM(3, 4, {.reset_after = false}); }),
            "recurrent cell: reset_after is an option of GRUCell and GRU only");
  nn::GRU without_bias(3, 4, {.bias = false, .reset_after = false});
  EXPECT_EQ(without_bias(ones({5, 2, 3})).output.shape(), (Shape{5, 2, 4}));
}

}  // namespace
}  // namespace tapegrad
