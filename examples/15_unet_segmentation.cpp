// Which pixel belongs to what: disks, squares and triangles in noise, told apart pixel by pixel by a U-Net.
//
// On the way down the network sees more and more of the image, and less and less of where things are; on the way up it
// gets the places back from what was seen on the way down, by skip connections. Shapes may overlap; the later one is in
// front.
//
// --norm chooses what normalizes the maps: batch, group, layer (one group: all channels of an image) or none. All but
// batch first learn for hundreds of steps where shapes are, before they tell them apart: give them --steps 1200.
// --pictures FOLDER writes test images as PGM files.
// Source: Ronneberger, Fischer, Brox 2015, U-Net, arXiv:1505.04597, figure 1, much smaller.
#include <tapegrad/tapegrad.h>

#include <fstream>

#include "arguments.h"

using namespace tapegrad;

constexpr int64_t kSize = 32, kClasses = 4;  // background, disk, square, triangle

nn::Sequential norm_of(const std::string& norm, int64_t channels) {
  if (norm == "batch") return nn::Sequential(nn::BatchNorm2d(channels));
  if (norm == "group") return nn::Sequential(nn::GroupNorm(4, channels));
  if (norm == "layer") return nn::Sequential(nn::GroupNorm(1, channels));
  return {};
}

nn::Sequential twice(int64_t in, int64_t out, const std::string& norm) {
  const auto conv = [](int64_t in, int64_t out) { return nn::Conv2d(in, out, 3, {.padding = 1}); };
  return nn::Sequential(conv(in, out), norm_of(norm, out), nn::ReLU(), conv(out, out), norm_of(norm, out), nn::ReLU());
}

struct UNet : nn::Module<UNet> {
  UNet(int64_t width, const std::string& norm)
      : down1(add("down1", twice(1, width, norm))),
        down2(add("down2", twice(width, 2 * width, norm))),
        middle(add("middle", twice(2 * width, 4 * width, norm))),
        up2(add("up2", nn::ConvTranspose2d(4 * width, 2 * width, 2, {.stride = 2}))),
        up1(add("up1", nn::ConvTranspose2d(2 * width, width, 2, {.stride = 2}))),
        join2(add("join2", twice(4 * width, 2 * width, norm))),
        join1(add("join1", twice(2 * width, width, norm))),
        head(add("head", nn::Conv2d(width, kClasses, 1))) {}

  // x [N, 1, H, W] becomes scores [N, H, W, classes].
  Tensor forward(const Tensor& x) {
    const Tensor a = down1(x), b = down2(max_pool2d(a, 2)), c = middle(max_pool2d(b, 2));
    const Tensor d = join2(concat({b, up2(c)}, 1)), e = join1(concat({a, up1(d)}, 1));
    return head(e).permute({0, 2, 3, 1});
  }

  nn::Sequential down1, down2, middle;
  nn::ConvTranspose2d up2, up1;
  nn::Sequential join2, join1;
  nn::Conv2d head;
};

// n images [n, 1, size, size] with three shapes each, in noise, and what each pixel belongs to, [n, size, size].
data::Batch draw(int64_t n) {
  Tensor mask = zeros({n, kSize, kSize}, {.dtype = int64});
  const Tensor places = rand({n, 3, 4});
  const std::span<int64_t> pixels = mask.mutable_data<int64_t>();
  const std::span<const float> place = places.data<float>();
  for (int64_t i = 0; i < 3 * n; ++i) {
    const float* p = place.data() + 4 * i;
    const int64_t kind = 1 + std::min<int64_t>(int64_t(3 * p[0]), 2);
    const float x0 = 4 + 24 * p[1], y0 = 4 + 24 * p[2], r = 4 + 4 * p[3];
    for (int64_t y = 0; y < kSize; ++y) {
      for (int64_t x = 0; x < kSize; ++x) {
        const float dx = std::abs(float(x) - x0), dy = float(y) - y0;
        const bool inside = kind == 1   ? dx * dx + dy * dy < r * r
                            : kind == 2 ? std::max(dx, std::abs(dy)) < 0.85f * r
                                        : dy < 0.8f * r && dx < 0.55f * (dy + r);
        if (inside) pixels[size_t((i / 3 * kSize + y) * kSize + x)] = kind;
      }
    }
  }
  const Tensor image = 0.3 + 0.4 * gt(mask, 0).to(float32) + 0.15 * randn({n, kSize, kSize});
  return {image.unsqueeze(1), mask};
}

// The mean over the classes of intersection / union.
double mean_iou(const Tensor& predicted, const Tensor& mask) {
  double total = 0;
  for (int64_t c = 0; c < kClasses; ++c) {
    const Tensor a = eq(predicted, double(c)).to(float32), b = eq(mask, double(c)).to(float32);
    const double both = sum(a * b).item();
    total += both / (sum(a).item() + sum(b).item() - both) / kClasses;
  }
  return total;
}

// Image, truth and prediction side by side, two rows of pixels a line.
void show(const Tensor& image, const Tensor& mask, const Tensor& predicted) {
  const char *grey = " .:-=+*#%@", *kinds = " o#^";
  for (int64_t y = 0; y < kSize; y += 2) {
    std::string line;
    for (int64_t x = 0; x < kSize; ++x) line += grey[std::clamp<int64_t>(int64_t(10 * image[0][y][x].item()), 0, 9)];
    for (const Tensor& map : {mask, predicted}) {
      line += " | ";
      for (int64_t x = 0; x < kSize; ++x) line += kinds[int64_t(map[y][x].item())];
    }
    fmt::print("{}\n", line);
  }
}

void write_pgm(const std::string& file, const Tensor& values, double scale) {
  std::ofstream out(file, std::ios::binary);
  out << "P5 " << kSize << ' ' << kSize << " 255\n";
  for (double value : values.flatten().to(float64).to_vector<double>())
    out << char(std::clamp(value * scale, 0.0, 255.0));
  if (!out.flush()) throw std::runtime_error("cannot write " + file);
}

int main(int argc, char** argv) {
  return run(argc, argv, "Finds shapes in noise, pixel by pixel.", [](Arguments& arguments) {
    const bool quick = arguments.flag("quick", "a small network, few steps, and a lower mark");
    const std::string norm = arguments.choice("norm", "batch", {"batch", "group", "layer", "none"}, "normalization"),
                      pictures = arguments.text("pictures", "", "folder for the test images as PGM files");
    const int64_t steps = arguments.integer("steps", quick ? 250 : 600, "steps", {1, 1e6}),
                  width = arguments.integer("width", quick ? 8 : 16, "channels of the first maps, a multiple of 4",
                                            {4, 256}),
                  batch = arguments.integer("batch", 16, "images in a step", {1, 1000}),
                  seed = arguments.integer("seed", 0, "of the random numbers", {0, 1e9});
    const double lr = arguments.number("lr", quick ? 1e-2 : 5e-3, "learning rate, the highest", {0, 10});
    arguments.finish();

    manual_seed(uint64_t(seed));
    UNet net(width, norm);
    fmt::print("{}\n", net);
    optim::Adam optimizer(net.parameters(), {.lr = lr});
    optim::WarmupCosineLR schedule(optimizer, {.warmup_steps = steps / 20, .total_steps = steps});
    train::Progress progress(steps, {.label = "norm " + norm});
    train::Meter recent;
    for (int64_t step = 1; step <= steps; ++step) {
      const auto [x, mask] = draw(batch);
      Tape tape;
      const Tensor loss = cross_entropy(net(x).reshape({-1, kClasses}), mask.flatten());
      optimizer.zero_grad();
      tape.backward(loss);
      optimizer.step();
      schedule.step();
      recent.add(loss.item());
      progress.step({{"loss", recent.mean()}});
      if (step % std::max<int64_t>(1, steps / 6) != 0) continue;
      progress.clear();
      fmt::print("step {:4}: loss {:.4f}, {:.0f} s\n", step, recent.mean(), progress.seconds());
      recent.reset();
    }
    net.eval();
    const auto [x, mask] = draw(64);
    const Tensor predicted = argmax(net(x), -1);
    for (int64_t i = 0; i < 2; ++i) show(x[i], mask[i], predicted[i]);
    for (int64_t i = 0; i < 8 && !pictures.empty(); ++i) {
      write_pgm(fmt::format("{}/{}_image.pgm", pictures, i), x[i], 255);
      write_pgm(fmt::format("{}/{}_found.pgm", pictures, i), predicted[i], 85);
    }
    const double iou = mean_iou(predicted, mask);
    fmt::print("intersection over union, mean of the classes: {:.3f}\n", iou);
    return iou >= (quick ? 0.5 : 0.8) ? 0 : 1;
  });
}
