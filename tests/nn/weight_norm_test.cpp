#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

namespace tapegrad {
namespace {

constexpr TensorOptions f64{.dtype = float64};

nn::Linear small_layer() {
  nn::Linear fc(3, 2);
  fc.to(float64);
  fc.weight.copy_(tensor({{1, -2, 2}, {0.5, 1, 0.25}}, f64));
  fc.bias.copy_(tensor({0.1, -0.2}, f64));
  return fc;
}

const Tensor x = tensor({{1, 2, 3}, {-1, 0.5, 2}}, f64), dy = tensor({{1, -0.5}, {0.25, 2}}, f64);

// The numbers are those of PyTorch 2.13.
TEST(WeightNorm, IsTheLayerWithLengthsOfItsOwn) {
  nn::Linear plain = small_layer();
  const Tensor before = plain(x).clone();
  nn::WeightNorm layer(small_layer());
  EXPECT_TENSOR_NEAR(layer(x), before, 1e-14);
  EXPECT_EQ(layer.parameters().size(), 3u);
  layer.weight_g.copy_(tensor({{2}, {0.5}}, f64));
  Tape tape;
  const Tensor y = layer(x);
  tape.backward(y, {.gradient = dy});
  EXPECT_TENSOR_NEAR(y, tensor({{2.1, 1.21841628}, {1.43333333, 0.0182178873}}, f64), 1e-8);
  EXPECT_TENSOR_NEAR(layer.weight_g.grad(), tensor({{1.16666667}, {-0.545544726}}, f64), 1e-8);
  EXPECT_TENSOR_NEAR(layer.weight_v.grad(),
                     tensor({{0.240740741, 1.93518519, 1.81481481}, {-0.98717617, 0.207826562, 1.14304609}}, f64),
                     1e-8);
  EXPECT_TENSOR_NEAR(layer.bias.grad(), tensor({1.25, 1.5}, f64), 1e-14);
}

TEST(WeightNorm, TakesConvolutionsAlongEitherAxis) {
  const nn::WeightNorm conv(nn::Conv2d(2, 3, 2));
  EXPECT_EQ(conv.weight_g.shape(), (Shape{3, 1, 1, 1}));
  const nn::WeightNorm up(nn::ConvTranspose2d(2, 3, 2), {.dim = 1});
  EXPECT_EQ(up.weight_g.shape(), (Shape{1, 3, 1, 1}));
  EXPECT_TENSOR_NEAR(up.weight(), up.weight_v, 1e-6);
  EXPECT_EQ(up(narrow(conv(randn({1, 2, 6, 6})), 1, 0, 2)).shape(), (Shape{1, 3, 6, 6}));
  EXPECT_THROW(nn::WeightNorm(nn::Linear(2, 2), {.dim = 2}), IndexError);
}

TEST(SpectralNorm, DividesByTheLargestSingularValue) {
  nn::SpectralNorm layer(small_layer());
  layer.weight_u.copy_(tensor({0.6, 0.8}, f64));
  layer.weight_v.copy_(tensor({0, 1, 0}, f64));
  {
    Tape tape;
    const Tensor y = layer(x);
    tape.backward(y, {.gradient = dy});
    EXPECT_TENSOR_NEAR(y, tensor({{1.24649591, 1.04203724}, {0.86433061, -0.00891735077}}, f64), 1e-8);
  }
  EXPECT_TENSOR_NEAR(layer.weight_u, tensor({0.995249101, 0.0973613191}, f64), 1e-8);
  EXPECT_TENSOR_NEAR(layer.weight_v, tensor({0.566138513, -0.226455419, 0.792593923}, f64), 1e-8);
  EXPECT_TENSOR_NEAR(layer.weight_orig.grad(),
                     tensor({{0.0500348111, 0.906736944, 1.00635373}, {-0.978557852, 0.00925783695, 0.923010833}}, f64),
                     1e-8);
  layer.eval();
  EXPECT_TENSOR_NEAR(layer(x), tensor({{1.24649591, 1.04203724}, {0.86433061, -0.00891735077}}, f64), 1e-8);
  EXPECT_EQ(layer.state_dict().size(), 4u);
}

// One call after another comes to the matrix whose largest singular value is 1: it lengthens no vector.
TEST(SpectralNorm, LengthensNoVector) {
  manual_seed(3);
  nn::SpectralNorm layer(nn::Conv2d(3, 8, 3, {.bias = false}));
  for (int i = 0; i < 200; ++i) layer.weight();
  const Tensor matrix = layer.weight().reshape({8, 27});
  const Tensor inputs = randn({27, 1000}), outputs = matmul(matrix, inputs);
  EXPECT_LE(max(norm(outputs, {0}) / norm(inputs, {0})).item(), 1 + 1e-6);
  EXPECT_NEAR(norm(matmul(matrix.transpose(0, 1), layer.weight_u)).item(), 1, 1e-5);
  EXPECT_THROW(nn::SpectralNorm(nn::Linear(2, 2), {.n_power_iterations = -1})(zeros({1, 2})), ValueError);
  EXPECT_THROW(nn::SpectralNorm(nn::Linear(2, 2), {.eps = 0}), ValueError);
}

// In training each call moves u and v, and so the function; in evaluation it is one function.
nn::SpectralNorm<nn::Linear> settled() {
  nn::SpectralNorm layer(nn::Linear(4, 3));
  layer.eval();
  return layer;
}

}  // namespace

TAPEGRAD_TEST_MODULE(WeightNormOfLinear, nn::WeightNorm(nn::Linear(4, 3)), Shape{5, 4});
TAPEGRAD_TEST_MODULE(WeightNormOfConv2d, nn::WeightNorm(nn::Conv2d(2, 3, 3)), Shape{2, 2, 5, 5});
TAPEGRAD_TEST_MODULE(SpectralNormOfLinear, settled(), Shape{5, 4});

}  // namespace tapegrad
