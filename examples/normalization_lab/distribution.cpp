// What the inputs of a layer look like while a network learns, and whether it matters.
#include <map>

#include "lab.h"

namespace lab {
namespace {

// Shifts and scales each unit of each case, with a mean and a deviation of the unit's that are others at every step, as
// Santurkar et al. 2018, arXiv:1805.11604, do. In training only.
struct Noise : nn::Module<Noise> {
  Tensor forward(const Tensor& x) {
    if (!is_training()) return x;
    const Shape unit{x.size(1)};
    const Tensor shift = rand(unit) - 0.5, scale = 1.0 + 0.25 * rand(unit);
    return x * (scale + 0.1 * randn(x.shape())) + shift + 0.2 * rand(x.shape()) - 0.1;
  }
};

// How far the distribution of what passes is, at each step, from that of the first step and of the one before, in
// deviations of the first: the Wasserstein distance between normal distributions of the same means and deviations,
// averaged over units.
struct Ways {
  std::vector<double> from_start, from_last;
};

struct Watch : nn::Module<Watch> {
  explicit Watch(Ways* ways) : ways(ways) {}
  Tensor forward(const Tensor& x) {
    if (!is_training()) return x;
    const Moments now{mean(x.detach(), 0), tapegrad::std(x.detach(), 0)};
    if (ways->from_start.empty()) first = last = now;
    const auto way = [&](const Moments& from) {
      const Tensor m = now.mean - from.mean, d = now.deviation - from.deviation;
      return mean(sqrt(m * m + d * d) / first.deviation).item();
    };
    ways->from_start.push_back(way(first));
    ways->from_last.push_back(way(last));
    last = now;
    return x;
  }

  struct Moments {
    Tensor mean, deviation;
  };
  Ways* ways;
  Moments first, last;
};

// Five hidden layers; ways are those of the summed inputs of the third, behind the norm.
nn::Sequential network(const std::string& kind, int64_t pixels, Ways* ways) {
  nn::Sequential net;
  for (int64_t i = 0; i < 5; ++i) {
    nn::Linear linear(i == 0 ? pixels : 100, 100, {.bias = kind == "none"});
    nn::init::kaiming_normal(linear.weight);
    net.push_back(linear);
    add_norm(net, kind.starts_with("batch") ? "batch" : kind, 100);
    if (kind == "batch + noise") net.push_back(Noise());
    if (i == 2) net.push_back(Watch(ways));
    net.push_back(nn::ReLU());
  }
  net.push_back(nn::Linear(100, 10));
  return net;
}

}  // namespace

void covariate_shift(const Lab& lab) {
  const int64_t steps = lab.quick ? 120 : 400;
  constexpr double shown = 0.1;  // the rate whose ways are shown
  Grid from_start{{"none", "batch", "layer", "batch + noise"}, {}, {}};
  for (int64_t s = 1; s <= 20; ++s) from_start.settings.push_back(double(s * steps / 20));
  from_start.values.assign(from_start.norms.size(), std::vector<std::vector<double>>(from_start.settings.size()));
  std::map<std::string, std::vector<double>> each_step;
  Grid half =
      run_grid(lab, "covariate-shift", "rate", from_start.norms, {0.01, 0.03, shown, 0.3, 1},
               [&](const std::string& norm, double lr) {
                 Ways ways;
                 const int64_t n = fit(lab, network(norm, lab.digits.train.x()[0].numel(), &ways),
                                       {.batch = 64, .epochs = steps, .lr = lr, .sgd = true, .max_steps = steps})
                                       .steps_to_half;
                 if (lr == shown) {
                   each_step[norm].push_back(median(ways.from_last));
                   for (const double s : from_start.settings)
                     from_start.at(norm, s).push_back(ways.from_start[std::min(size_t(s), ways.from_start.size()) - 1]);
                 }
                 return double(n < 0 ? steps : n);
               });
  draw(lab, "covariate_shift",
       {.title = "way of the third layer's inputs from those at the start, in deviations", .x_name = "step"},
       from_start);
  draw(lab, "covariate_shift_steps",
       {.title = fmt::format("steps until the training loss is 0.5, at most {}, by learning rate (SGD)", steps),
        .x_name = "learning rate",
        .log_x = true,
        .log_y = true},
       half);
  // Of the steps that a network without a norm needs, each at its own best rate.
  const auto share = [&](const std::string& norm) {
    std::vector<double> out;
    for (size_t seed = 0; seed < size_t(lab.seeds); ++seed) {
      double best = double(steps), plain = double(steps);
      for (const double lr : half.settings) {
        best = std::min(best, half.at(norm, lr)[seed]);
        plain = std::min(plain, half.at("none", lr)[seed]);
      }
      out.push_back(best / plain);
    }
    return out;
  };
  const auto moved = [&](const std::string& norm) { return spread(from_start.at(norm, double(steps))); };
  const std::vector<double> noisy = share("batch + noise");
  finding(lab, "covariate-shift",
          largest(noisy) < 1 && smallest(each_step["batch + noise"]) > largest(each_step["batch"]),
          fmt::format(
              "from one step to the next the inputs of the third layer move by {} deviations without a norm, {} with "
              "batch norm and {} with noise behind it, and in {} steps by {}, {} and {}; of the steps that a network "
              "without a norm needs, each at its best rate, batch norm needs {}, with noise {}, and layer norm {}.",
              spread(each_step["none"]), spread(each_step["batch"]), spread(each_step["batch + noise"]), steps,
              moved("none"), moved("batch"), moved("batch + noise"), spread(share("batch")), spread(noisy),
              spread(share("layer"))));
}

}  // namespace lab
