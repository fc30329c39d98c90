// Layer normalization against batch normalization, at batch sizes 1, 2, 4 and 128.
//
// Batch normalization gives each feature the mean 0 and the variance 1 over the batch; so what a digit
// becomes depends on the digits that happen to be trained with it. With two of them every feature is about +1
// for one and -1 for the other, and with one there is nothing left. In evaluation it uses running statistics,
// which a small batch estimates badly. Layer normalization takes mean and variance over the features of one
// digit: the batch plays no part.
//
// Both learn the same digits, in the same order, from the same weights. (Ba, Kiros, Hinton 2016,
// arXiv:1607.06450, section 6.6, on a smaller problem.) --out FILE draws the curves.
#include <tapegrad/tapegrad.h>

#include <cmath>

#include "arguments.h"
#include "plot.h"

using namespace tapegrad;

template <class Norm>
nn::Sequential network() {
  return nn::Sequential(nn::Linear(64, 64, {.bias = false}), Norm(64), nn::ReLU(), nn::Linear(64, 64, {.bias = false}),
                        Norm(64), nn::ReLU(), nn::Linear(64, 10));
}

// Returns the share of held-back digits that are wrong, after each quarter of an epoch.
template <class Norm>
Curve learn(const std::string& name, const data::Split& digits, int64_t batch_size, int64_t epochs, uint64_t seed) {
  manual_seed(seed);
  nn::Sequential model = network<Norm>();
  // The step is scaled with the root of the batch size, as its gradient's noise is.
  optim::Adam optimizer(model.parameters(), {.lr = 5e-4 * std::sqrt(double(batch_size))});
  data::DataLoader loader(digits.train, {.batch_size = batch_size, .shuffle = true, .drop_last = true});
  train::Progress progress(epochs * loader.batches(), {.label = name});

  Curve curve{name, {}};
  const int64_t quarter = std::max<int64_t>(1, loader.batches() / 4);
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    for (auto [x, y] : loader) {
      {
        Tape tape;
        const Tensor loss = cross_entropy(model(x), y);
        optimizer.zero_grad();
        tape.backward(loss);
        optimizer.step();
        progress.step({{"loss", loss.item()}});
      }
      if (progress.done() % quarter) continue;
      model.eval();
      const double wrong = 1 - train::accuracy(model(digits.test.x()), digits.test.y());
      model.train();
      curve.points.push_back({double(progress.done()) / double(loader.batches()), 100 * wrong});
    }
  }
  progress.clear();
  return curve;
}

int main(int argc, char** argv) {
  return run(argc, argv, "Compares layer and batch normalization at small batches.", [](Arguments& arguments) {
    const int64_t epochs = arguments.integer("epochs", 5, "passes through the digits", {1, 1000});
    const int64_t seed = arguments.integer("seed", 0, "of weights and order", {0});
    const std::string out = arguments.text("out", "", "write the curves to this file, as SVG");
    arguments.finish();

    const data::TensorDataset all = data::csv(data_file("digits.csv"));
    const data::Split digits = data::TensorDataset(all.x() / 16.0, all.y()).split(0.8);
    Plot plot{.title = "Handwritten digits: LayerNorm and BatchNorm",
              .x_name = "epochs",
              .y_name = "% of held-back digits wrong",
              .curves = {}};
    const auto last = [](const Curve& curve) { return curve.points.back().second; };

    fmt::print("% of {} held-back digits wrong after {} epochs\n\n{:>10} {:>10} {:>10}\n", digits.test.size(), epochs,
               "batch size", "LayerNorm", "BatchNorm");
    bool as_expected = true;
    std::string refusal;
    for (int64_t batch_size : {1, 2, 4, 128}) {
      const auto name = [&](const char* norm) { return fmt::format("{}, batch {}", norm, batch_size); };
      plot.curves.push_back(learn<nn::LayerNorm>(name("LayerNorm"), digits, batch_size, epochs, uint64_t(seed)));
      const double layer = last(plot.curves.back());
      try {
        plot.curves.push_back(learn<nn::BatchNorm1d>(name("BatchNorm"), digits, batch_size, epochs, uint64_t(seed)));
        const double batch = last(plot.curves.back());
        fmt::print("{:>10} {:>10.1f} {:>10.1f}\n", batch_size, layer, batch);
        if (batch_size == 2) as_expected = as_expected && layer < batch;
        if (batch_size == 128) as_expected = as_expected && batch < 10;
      } catch (const ValueError& error) {
        fmt::print("{:>10} {:>10.1f} {:>10}\n", batch_size, layer, "error");
        refusal = error.what();
        as_expected = as_expected && batch_size == 1;
      }
      as_expected = as_expected && layer < 10;
    }
    fmt::print("\nBatchNorm's error: {}\n", refusal);
    if (!out.empty()) {
      write_svg(out, plot);
      fmt::print("\ncurves in {}\n", out);
    }
    return as_expected ? 0 : 1;
  });
}
