// Rows of equal summed inputs have no variance: layer normalization makes them 0, and what is left is the bias, whatever
// their magnitude.
#include <gtest/gtest.h>
#include <tapegrad/tapegrad.h>

namespace tapegrad::nn {
namespace {

// The output of a layer whose summed inputs are all `value`: weights from x of `value`, from h of 0.
template <class Layer>
Tensor output_of(Placement placement, double value, int64_t hidden) {
  manual_seed(3);
  Layer layer(4, hidden, {.norm = Norm::layer, .placement = placement});
  for (auto& [name, parameter] : layer.named_parameters())
    if (name.starts_with("weight"))
      parameter.fill_(name.starts_with("weight_ih") ? value : 0);
    else
      parameter.copy_(parameter + randn(parameter.shape()) * 0.1);
  Tensor x = zeros({3, 5, 4});
  for (int64_t i = 0; i < x.numel(); i += 4) x.mutable_data<float>()[size_t(i)] = 1;
  return layer(x).output;
}

template <class Layer>
class ConstantRows : public testing::Test {};
using Layers = testing::Types<RNN, LSTM, GRU>;
TYPED_TEST_SUITE(ConstantRows, Layers);

TYPED_TEST(ConstantRows, AreNormalizedToTheBiasAtAnyMagnitude) {
  for (const Placement placement : {Placement::separate, Placement::sum}) {
    for (const int64_t hidden : {8, 33, 64}) {
      const Tensor expected = output_of<TypeParam>(placement, 0, hidden);
      for (const double value : {1.0, 100.0, 1000.3, 1e6, 1e20, -7.7}) {
        EXPECT_EQ(output_of<TypeParam>(placement, value, hidden).template to_vector<float>(),
                  expected.template to_vector<float>())
            << value << " hidden " << hidden << " placement " << int(placement);
      }
    }
  }
}

}  // namespace
}  // namespace tapegrad::nn
