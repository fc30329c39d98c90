// The two networks for images: a LeNet without its second layer, and the residual network of He et al. 2015, section 4.2.
#pragma once
#include <tapegrad/tapegrad.h>

namespace images {

using namespace tapegrad;

// `norm` of a map [channels, size, size]; nothing where it is none of these. Then ReLU, if wanted.
inline nn::Sequential norm_of(const std::string& norm, bool relu, int64_t channels, int64_t size = 0) {
  nn::Sequential net;
  if (norm == "batch") net.push_back(nn::BatchNorm2d(channels, {.relu = relu}));
  if (norm == "group") net.push_back(nn::GroupNorm(4, channels));
  if (norm == "layer") net.push_back(nn::LayerNorm({channels, size, size}));
  if (relu && norm != "batch") net.push_back(nn::ReLU());
  return net;
}

struct Cnn : nn::Module<Cnn> {
  explicit Cnn(const std::string& norm)
      : conv1(add("conv1", nn::Conv2d(1, 16, 3, {.padding = 1}))),
        conv2(add("conv2", nn::Conv2d(16, 32, 3, {.padding = 1}))),
        norm1(add("norm1", norm_of(norm, true, 16, 28))),
        norm2(add("norm2", norm_of(norm, true, 32, 14))),
        head(add("head", nn::Linear(32 * 7 * 7, 10))) {}
  Tensor forward(const Tensor& x) {
    const Tensor y = max_pool2d(norm1(conv1(x)), 2);
    return head(max_pool2d(norm2(conv2(y)), 2).flatten(1));
  }

  nn::Conv2d conv1, conv2;
  nn::Sequential norm1, norm2;
  nn::Linear head;
};

struct Block : nn::Module<Block> {
  Block(int64_t in, int64_t out, const std::string& norm)
      : conv1(add("conv1", nn::Conv2d(in, out, 3, {.stride = in == out ? 1 : 2, .padding = 1, .bias = false}))),
        conv2(add("conv2", nn::Conv2d(out, out, 3, {.padding = 1, .bias = false}))),
        norm1(add("norm1", norm_of(norm, true, out))),
        norm2(add("norm2", norm_of(norm, false, out))),
        shortcut(add("shortcut", nn::Sequential())) {
    if (in == out) return;
    shortcut.push_back(nn::Conv2d(in, out, 1, {.stride = 2, .bias = false}));
    shortcut.push_back(norm_of(norm, false, out));
  }
  Tensor forward(const Tensor& x) { return relu(norm2(conv2(norm1(conv1(x)))) + shortcut(x)); }

  nn::Conv2d conv1, conv2;
  nn::Sequential norm1, norm2, shortcut;
};

struct ResNet : nn::Module<ResNet> {
  ResNet(int64_t depth, const std::string& norm)
      : stem(add("stem", nn::Conv2d(3, 16, 3, {.padding = 1, .bias = false}))),
        norm1(add("norm1", norm_of(norm, true, 16))),
        blocks(add("blocks", nn::Sequential())),
        head(add("head", nn::Linear(64, 10))) {
    int64_t in = 16;
    for (int64_t out : {16, 32, 64})
      for (int64_t i = 0; i < (depth - 2) / 6; ++i, in = out) blocks.push_back(Block(in, out, norm));
  }
  Tensor forward(const Tensor& x) { return head(mean(blocks(norm1(stem(x))), {2, 3})); }

  nn::Conv2d stem;
  nn::Sequential norm1, blocks;
  nn::Linear head;
};

}  // namespace images
