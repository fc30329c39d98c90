#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include "support/message.h"

namespace tapegrad {
namespace {

TAPEGRAD_TEST_MODULE(Conv1d, nn::Conv1d(2, 4, 3, {.stride = 2, .padding = 1}), Shape{2, 2, 5});
TAPEGRAD_TEST_MODULE(Conv2d, nn::Conv2d(2, 4, {3, 2}, {.padding = 1, .groups = 2}), Shape{2, 2, 3, 3});
TAPEGRAD_TEST_MODULE(ConvTranspose2d, nn::ConvTranspose2d(4, 2, 2, {.stride = 2}), Shape{2, 4, 2, 2});
TAPEGRAD_TEST_MODULE(AvgPool2d, nn::AvgPool2d(2), Shape{2, 2, 4, 4});
TAPEGRAD_TEST_MODULE(MaxPool2d, nn::MaxPool2d(2), Shape{2, 2, 4, 4});
TAPEGRAD_TEST_MODULE(AdaptiveAvgPool2d, nn::AdaptiveAvgPool2d({2, 3}), Shape{2, 2, 4, 4});
TAPEGRAD_TEST_MODULE(Upsample, nn::Upsample({.scale_factor = 2}), Shape{2, 2, 2, 3});
TAPEGRAD_TEST_MODULE(GroupNorm, nn::GroupNorm(2, 4), Shape{2, 4, 3});
TAPEGRAD_TEST_MODULE(InstanceNorm1d, nn::InstanceNorm1d(3, {.affine = true}), Shape{2, 3, 4});
TAPEGRAD_TEST_MODULE(InstanceNorm2d, nn::InstanceNorm2d(3, {.affine = true}), Shape{2, 3, 2, 3});
TAPEGRAD_TEST_MODULE(BatchNorm2d, nn::BatchNorm2d(3), Shape{4, 3, 2, 2});
TAPEGRAD_TEST_MODULE(BatchNorm3d, nn::BatchNorm3d(2), Shape{3, 2, 2, 1, 2});

TEST(Conv2d, BeginsWithinTheBoundsOfPyTorch) {
  manual_seed(0);
  const nn::Conv2d conv(8, 64, 3, {.groups = 2});
  EXPECT_EQ(conv.weight.shape(), (Shape{64, 4, 3, 3}));
  for (const Tensor& p : {Tensor(conv.weight), Tensor(conv.bias)}) {
    EXPECT_LE(max(abs(p)).item(), 1.0 / 6);
    EXPECT_GT(max(abs(p)).item(), 0.9 / 6);
  }
  const nn::ConvTranspose2d up(16, 4, 2);  // fan_in is 4 * 2 * 2
  EXPECT_EQ(up.weight.shape(), (Shape{16, 4, 2, 2}));
  EXPECT_LE(max(abs(up.weight)).item(), 0.25);
  EXPECT_GT(max(abs(up.weight)).item(), 0.2);
}

TEST(Conv2d, ShowsItsOptions) {
  EXPECT_EQ(to_string(nn::Conv2d(2, 4, 3, {.stride = {1, 2}, .padding = 1, .groups = 2, .bias = false})),
            "Conv2d(2, 4, kernel_size=(3, 3), stride=(1, 2), padding=(1, 1), groups=2, bias=false)  36 "
            "parameters\n");
  EXPECT_EQ(to_string(nn::MaxPool2d(3, {.stride = 2})),
            "MaxPool2d(kernel_size=3, stride=2, padding=0, dilation=1, ceil_mode=false)\n");
}

TEST(Conv2d, SaysWhatDoesNotFit) {
  EXPECT_EQ(message<ValueError>([] { nn::Conv2d(3, 4, 3, {.groups = 2}); }),
            "Conv2d: groups must divide in_channels and out_channels, got 2, 3 and 4");
  EXPECT_EQ(message<ValueError>([] { nn::Conv2d(3, 4, 0); }),
            "Conv2d: kernel_size, stride and dilation must be positive, got 0");
  EXPECT_EQ(message<ValueError>([] { nn::Conv1d(3, 4, 3, {.padding = -1}); }),
            "Conv1d: padding must not be negative, got -1");
  EXPECT_EQ(message<ShapeError>([] {
              nn::Conv2d(3, 4, 3)(zeros({1, 2, 5, 5}));
            }),
            "Conv2d: input must have 3 channels for weight [4, 3, 3, 3], got [1, 2, 5, 5]");
  EXPECT_EQ(message<ShapeError>([] {
              nn::BatchNorm2d(3)(zeros({2, 3, 5}));
            }),
            "BatchNorm2d: input must be [N, 3, H, W], got input [2, 3, 5]");
  EXPECT_EQ(message<ShapeError>([] {
              nn::InstanceNorm1d(3)(zeros({2, 3}));
            }),
            "InstanceNorm1d: input must be [N, 3, L], got input [2, 3]");
  EXPECT_EQ(message<ValueError>([] { nn::GroupNorm(2, 3); }),
            "GroupNorm: num_groups must divide num_channels 3, got 2");
}

}  // namespace
}  // namespace tapegrad
