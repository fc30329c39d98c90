// Batch normalization in blocks of rows and channels, against plain loops over each channel.
#include <gtest/gtest.h>

#include <cmath>

#include "borders/sizes.h"
#include "borders/slices.h"

namespace tapegrad::borders {
namespace {

// x as [n, c, l]; l = 0 stands for [n, c].
struct Channels {
  int64_t n, c, l;
};

Shape shape_of(const Channels& size) { return size.l ? Shape{size.n, size.c, size.l} : Shape{size.n, size.c}; }

constexpr double kEps = 1e-5, kMomentum = 0.3;

// The results and gradients of one channel: y, dx and then one number each.
struct Channel {
  std::vector<double> y, dx;
  double dweight = 0, dbias = 0, mean = 0, variance = 0;
};

// In training the running statistics move; else they are what normalizes.
Channel by_definition(const std::vector<double>& x, const std::vector<double>& dy, double weight, double bias,
                      double running_mean, double running_var, bool training) {
  const auto m = static_cast<long double>(x.size());
  long double mu = 0, var = 0, mean_g = 0, mean_g_xhat = 0, dweight = 0, dbias = 0;
  for (double v : x) mu += v / m;
  for (double v : x) var += (v - mu) * (v - mu) / m;
  Channel out;
  out.mean = training ? double((1 - kMomentum) * running_mean + kMomentum * mu) : running_mean;
  out.variance = training ? double((1 - kMomentum) * running_var + kMomentum * var * m / (m - 1)) : running_var;
  if (!training) {
    mu = running_mean;
    var = running_var;
  }
  const long double rstd = 1 / std::sqrt(var + kEps);
  for (size_t i = 0; i < x.size(); ++i) {
    const long double xhat = (x[i] - mu) * rstd;
    out.y.push_back(double(xhat * weight + bias));
    dweight += dy[i] * xhat;
    dbias += dy[i];
    mean_g += dy[i] * weight / m;
    mean_g_xhat += dy[i] * weight * xhat / m;
  }
  for (size_t i = 0; i < x.size(); ++i) {
    const long double g = static_cast<long double>(dy[i]) * weight, xhat = (x[i] - mu) * rstd;
    out.dx.push_back(double(rstd * (training ? g - mean_g - xhat * mean_g_xhat : g)));
  }
  out.dweight = double(dweight);
  out.dbias = double(dbias);
  return out;
}

struct Options {
  bool training, affine;
};

void expect_channels(const Channels& size, const Options& options, Dtype dtype) {
  const Shape shape = shape_of(size), of_channel{size.c};
  const int64_t l = std::max<int64_t>(size.l, 1);
  const auto draw = [&](const Shape& shape, double center) { return noise(shape, dtype) * 0.5 + center; };
  const Tensor x = draw(shape, 3), weight = draw(of_channel, 1), bias = draw(of_channel, 0), dy = draw(shape, 0.2),
               running_mean = draw(of_channel, 3), running_var = abs(draw(of_channel, 1)) + 0.1;
  const auto f = [&](const Inputs& in) {
    const Tensor mean = running_mean.clone(), var = running_var.clone();
    const Tensor w = options.affine ? in[1] : Tensor(), b = options.affine ? in[2] : Tensor();
    const Tensor y =
        batch_norm(in[0], mean, var, w, b, {.training = options.training, .momentum = kMomentum, .eps = kEps});
    return Inputs{y, mean, var};
  };
  const Inputs got = for_any_threads([&] {
    return results_and_gradients(f, {x, weight, bias}, {dy, Tensor(), Tensor()});
  });

  const auto wide = [](const Tensor& t) { return t.to(float64).to_vector<double>(); };
  const std::vector<double> in = wide(x), g = wide(dy), w = wide(weight), b = wide(bias), mean = wide(running_mean),
                            var = wide(running_var);
  std::vector<double> y(in.size()), dx(in.size()), new_mean, new_var, dweight, dbias;
  for (int64_t c = 0; c < size.c; ++c) {
    std::vector<size_t> places;
    std::vector<double> x_of_channel, dy_of_channel;
    for (int64_t i = 0; i < size.n; ++i)
      for (int64_t j = 0; j < l; ++j) places.push_back(size_t((i * size.c + c) * l + j));
    for (size_t place : places) {
      x_of_channel.push_back(in[place]);
      dy_of_channel.push_back(g[place]);
    }
    const auto at = size_t(c);
    const Channel want = by_definition(x_of_channel, dy_of_channel, options.affine ? w[at] : 1,
                                       options.affine ? b[at] : 0, mean[at], var[at], options.training);
    for (size_t i = 0; i < places.size(); ++i) {
      y[places[i]] = want.y[i];
      dx[places[i]] = want.dx[i];
    }
    new_mean.push_back(want.mean);
    new_var.push_back(want.variance);
    dweight.push_back(options.affine ? want.dweight : 0);
    dbias.push_back(options.affine ? want.dbias : 0);
  }
  expect_near(got,
              {from_vector(y, shape), from_vector(new_mean, of_channel), from_vector(new_var, of_channel),
               from_vector(dx, shape), from_vector(dweight, of_channel), from_vector(dbias, of_channel)},
              to_string(shape) + " in " + to_string(dtype) + (options.training ? ", training" : ", evaluation") +
                  (options.affine ? "" : ", no weight"));
}

void expect_channels(const Channels& size) {
  for (const Dtype dtype : {float32, float64})
    for (const Options& options : {Options{true, true}, Options{true, false}, Options{false, true}})
      expect_channels(size, options, dtype);
}

TEST(ChannelBorders, ColumnsInBlocksOfRowsEqualAPlainLoop) {
  manual_seed(1);
  for (const int64_t n : beside({4, 8, kBatchRows, 2 * kBatchRows, kBatchRows * kBatchParts})) {
    if (n > 1) expect_channels({n, 3, 0});
    if (n > 1) expect_channels({n, 2, 1});
  }
  expect_channels({kBatchRows * kBatchParts + 33, 2, 0});  // 32 blocks of 66 rows, the last one shorter
}

TEST(ChannelBorders, ColumnsInBlocksOfChannelsEqualAPlainLoop) {
  manual_seed(2);
  for (const int64_t c : beside({kBatchTile, kBatchWide})) expect_channels({9, c, 0});
  expect_channels({kBatchRows + 1, kBatchWide + 1, 0});  // two blocks in either direction
}

TEST(ChannelBorders, SpansInBlocksOfChannelsEqualAPlainLoop) {
  manual_seed(3);
  for (const int64_t l : beside({8, kLanes, kLanes + 8})) expect_channels({3, 2, l});
  for (const int64_t c : around(kBatchSpans / (4 * 101))) expect_channels({4, c, 101});
  expect_channels({3, 3, kBatchSpans / 3 + 1});  // a channel is more than a block
}

TEST(ChannelBorders, AnArrayThatIsWrittenPastTheCachesEqualsAPlainLoop) {
  manual_seed(4);
  const int64_t c = kBatchWide, n = kStreamed / (c * 4);
  for (const int64_t rows : {n - 1, n + 1}) expect_channels({rows, c, 0}, {true, true}, float32);
}

}  // namespace
}  // namespace tapegrad::borders
